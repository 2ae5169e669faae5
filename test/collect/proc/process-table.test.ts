import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { ProcessTable } from '../../../src/collect/proc/process-table.ts';
import { Slices } from '../../../src/collect/proc/slices.ts';
import { readStat } from '../../../src/collect/proc/stat.ts';
import { ScopeFilter } from '../../../src/common/scope.ts';

/** A shell that starts a shell that starts a sleeper, which outlives both until the test is over. */
async function family(): Promise<{ root: ChildProcess; middle: number; leaf: number }> {
  const root = spawn('sh', ['-c', 'sh -c "sleep 300 >/dev/null & echo \\$\\$ \\$!; wait"; read line'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const [line] = (await once(root.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  const [middle = 0, leaf = 0] = line.toString().split(' ').map(Number);
  onTestFinished(() => {
    root.stdin?.end();
    process.kill(leaf, 'SIGKILL');
  });
  return { root, middle, leaf };
}

test('a descendant stays one when its parent has ended', async () => {
  const { root, middle, leaf } = await family();
  const table = new ProcessTable();
  await table.update(new Slices());
  process.kill(middle, 'SIGKILL');
  while (readStat(leaf)?.parent === middle) await sleep(5);
  await table.update(new Slices());
  expect(table.get(middle)).toBeUndefined();
  expect(table.get(leaf)?.stat.parent).not.toBe(middle);
  expect(table.descends(leaf, root.pid as number)).toBe(true);
  expect(table.descends(leaf, process.pid)).toBe(true);
  expect(table.descends(leaf, leaf)).toBe(true);
  expect(table.descends(leaf, 0)).toBe(false);
  expect(table.descends(process.pid, leaf)).toBe(false);
});

test('processes that start later are found, with who started them', async () => {
  const table = new ProcessTable();
  await table.update(new Slices());
  const { root, leaf } = await family();
  expect(table.get(leaf)).toBeUndefined();
  await table.update(new Slices());
  expect(table.get(leaf)?.stat.comm).toBe('sleep');
  const scoped = new ScopeFilter({ own: process.pid, root: root.pid as number }, table);
  expect(scoped.keeps(leaf, 'sleep')).toBe(true);
  expect(scoped.keeps(process.pid, 'node')).toBe(false);
  const systemWide = new ScopeFilter({ own: process.pid }, table);
  expect(systemWide.keeps(leaf, 'sleep')).toBe(false);
  expect(systemWide.keeps(1, 'init')).toBe(true);
});

test('a command that has not started yet keeps nothing', async () => {
  const table = new ProcessTable();
  await table.update(new Slices());
  const filter = new ScopeFilter({ own: process.pid, root: 0 }, table);
  expect([...table.processes()].filter(({ pid, stat }) => filter.keeps(pid, stat.comm))).toEqual([]);
});
