import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { isAlive, pidNamespace, processIdentity, startTimeIn } from '../../src/common/process-identity.ts';
import { testFolder } from '../support/folder.ts';

describe('process identity', () => {
  test('a process is alive until it has ended, whatever it is called', async () => {
    const program = join(testFolder(), 'a) R 1 (b) 2');
    copyFileSync('/bin/sleep', program);
    const child = spawn(program, ['60']);
    await once(child, 'spawn');
    const identity = processIdentity(child.pid)!;
    expect(readFileSync(`/proc/${child.pid}/stat`, 'utf8')).toContain('(a) R 1 (b) 2)');
    const own = processIdentity()!;
    expect(own.pid).toBe(process.pid);
    // Both tick at 100 Hz since boot, and the child came after us and just now.
    const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 100;
    expect(identity.startTime).toBeGreaterThanOrEqual(own.startTime);
    expect(identity.startTime).toBeLessThanOrEqual(uptime + 1);
    expect(isAlive(identity)).toBe(true);
    expect(isAlive({ ...identity, startTime: identity.startTime - 1 })).toBe(false);
    child.kill('SIGKILL');
    await once(child, 'close');
    expect(isAlive(identity)).toBe(false);
    expect(processIdentity(child.pid)).toBeUndefined();
  });

  test('one that has ended and that nobody asks after is not alive', async () => {
    // What the shell becomes knows of no child.
    const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
    const [pid] = (await once(parent.stdout, 'data')).map(Number) as [number];
    await vi.waitFor(() => expect(readFileSync(`/proc/${parent.pid}/stat`, 'latin1')).toContain('(sleep)'));
    const identity = processIdentity(pid)!;
    expect(isAlive(identity)).toBe(true);
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => expect(readFileSync(`/proc/${pid}/stat`, 'latin1')).toMatch(/\) Z /));
    expect(isAlive(identity)).toBe(false);
    expect(processIdentity(pid)).toEqual(identity);
    parent.kill('SIGKILL');
    await once(parent, 'close');
  });

  test('field 22 of a stat line', () => {
    const after = 'S 1 954 954 0 -1 4194560 353 4209 0 3 1 0 2 6 20 0 1 0 1180 8019968 929 18446744073709551615';
    expect(startTimeIn(`954 (bash) ${after}`)).toBe(1180);
    expect(startTimeIn(`954 (my (prog) 2) ${after}`)).toBe(1180);
    expect(startTimeIn(`954 (a\nb) 7) ${after}`)).toBe(1180);
    expect(startTimeIn('954 (bash) S 1')).toBeUndefined();
    expect(startTimeIn('')).toBeUndefined();
  });

  test('the pid namespace', () => {
    expect(`pid:[${pidNamespace()}]`).toBe(readlinkSync('/proc/self/ns/pid'));
  });
});
