import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { ProcessTable } from '../../../src/collect/proc/process-table.ts';
import { PROC_PSS, parsePss, readPss, sweepPss } from '../../../src/collect/proc/pss.ts';
import { Slices } from '../../../src/collect/proc/slices.ts';
import { ScopeFilter } from '../../../src/common/scope.ts';

test('the Pss line is taken, not its neighbours', () => {
  const rollup = readFileSync('test/fixtures/proc/smaps_rollup.txt');
  expect(parsePss(rollup)).toBe(333);
  expect(parsePss(Buffer.from(''))).toBe('none');
});

test('a process has PSS, no more than its RSS', () => {
  const pss = readPss(process.pid);
  const rss = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]);
  expect(pss).toBeGreaterThan(10_000);
  expect(pss).toBeLessThanOrEqual(rss);
});

test('kernel threads, zombies and those that are gone have none', async () => {
  expect(readPss(2)).toBe('none');
  expect(readPss(0x7fffffff)).toBe('none');
  // sh becomes a sleep that does not wait for the child that sh had.
  const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 300'], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void parent.kill('SIGKILL'));
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const child = Number(line.toString());
  while (!/\) Z /.test(readFileSync(`/proc/${child}/stat`, 'latin1'))) await new Promise((done) => setTimeout(done, 5));
  expect(readPss(child)).toBe('none');
});

test('the memory of others is told from none', async () => {
  // Where the tests run without root, init is not theirs to read; root drops to nobody for a moment.
  const before = process.geteuid?.();
  if (before === 0) process.seteuid?.('nobody');
  try {
    expect(readPss(process.ppid)).toBe(before === 0 ? 'denied' : expect.any(Number));
    expect(readPss(1)).toBe('denied');
    expect(readPss(2)).toBe('none');
  } finally {
    if (before === 0) process.seteuid?.(0);
  }
});

test('a sweep reads those in scope, and counts those that may not be read', async () => {
  const table = new ProcessTable();
  await table.update(new Slices());
  const denied = new Set<number>();
  const filter = new ScopeFilter({ own: 0, pids: [process.pid, process.ppid, 2] }, table);
  const readings = await sweepPss(table, filter, new Slices(), denied);
  expect(readings.map(({ pid }) => pid).sort()).toEqual([process.pid, process.ppid].sort());
  expect(denied.size).toBe(0);
});

test('the probe does it', async () => {
  expect(await PROC_PSS.probe({ scope: { own: process.pid }, tempDir: '' })).toMatchObject({ usable: true });
});
