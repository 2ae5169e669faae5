import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { clearStaleBccProbes } from '../../../src/collect/bcc/note.ts';
import { pidNamespace, processIdentity } from '../../../src/common/process-identity.ts';
import { bundleScript } from '../../support/bundle.ts';
import { testFolder } from '../../support/folder.ts';

let tmp = '';
beforeEach(() => {
  tmp = testFolder();
  vi.stubEnv('TMPDIR', tmp);
});

/** As a MARPLE that is dead has left it, for a BCC with this identity. */
function leaveNote(pid: number, startTime: number): void {
  const folder = join(tmp, `marple-1-1-${pidNamespace()}-abcdef`);
  mkdirSync(folder);
  writeFileSync(join(folder, `undo-bcc-${pid}-${startTime}`), '');
}

function notes(): string[] {
  return readdirSync(tmp, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('undo-'));
}

describe('the note of a BCC', () => {
  const script = bundleScript(`
    import { noteBcc } from './collect/bcc/note.ts';
    const ended = noteBcc(process.pid);
    if (process.argv[2] === 'ended') ended();
    process.exit(130);
  `);

  test('stays where MARPLE leaves before BCC has ended, and goes where it has', () => {
    const leave = (...args: string[]): number | null =>
      spawnSync(process.execPath, [script, ...args], { env: { ...process.env, TMPDIR: tmp } }).status;
    expect(leave('ended')).toBe(130);
    expect(notes()).toEqual([]);
    expect(leave()).toBe(130);
    expect(notes()).toHaveLength(1);
  });

  test('goes with the probes of a BCC that has ended', async () => {
    leaveNote(spawnSync('true').pid, 1);
    expect(await clearStaleBccProbes()).toBe(0);
    expect(notes()).toEqual([]);
  });

  test('stays while BCC runs, and while another process has its pid', async () => {
    const child = spawn('sleep', ['60']);
    await once(child, 'spawn');
    const { pid, startTime } = processIdentity(child.pid)!;
    leaveNote(pid, startTime - 1);
    await clearStaleBccProbes();
    expect(notes()).toHaveLength(1);
    child.kill('SIGKILL');
    await once(child, 'close');
    await clearStaleBccProbes();
    expect(notes()).toEqual([]);
  });
});
