import { describe, expect, test } from 'vitest';
import { isSystemWide, ScopeFilter, type Task, TaskTable } from '../../src/common/scope.ts';

const tasks: Task[] = [
  { tid: 1, pid: 1, parent: 0, comm: 'init' },
  { tid: 10, pid: 10, parent: 1, comm: 'marple' },
  { tid: 11, pid: 11, parent: 10, comm: 'perf' },
  { tid: 12, pid: 12, parent: 10, comm: 'bench' },
  { tid: 13, pid: 12, parent: 10, comm: 'worker' },
  { tid: 20, pid: 20, parent: 1, comm: 'other' },
];

describe('TaskTable', () => {
  test('threads share a pid, children have parents', () => {
    const table = new TaskTable(tasks);
    expect(table.pidOf(13)).toBe(12);
    table.fork(30, 13, false, 'child');
    table.fork(31, 30, true, 'child');
    expect(table.pidOf(31)).toBe(30);
    expect(table.descends(31, 12)).toBe(true);
    expect(table.descends(31, 20)).toBe(false);
  });

  test('a task that nobody told of is a process of its own', () => {
    const table = new TaskTable();
    expect(table.pidOf(99)).toBe(99);
    expect(table.descends(99, 99)).toBe(true);
    expect(table.descends(99, 1)).toBe(false);
  });

  test('a circle of reused pids ends', () => {
    const table = new TaskTable([
      { tid: 5, pid: 5, parent: 6, comm: 'a' },
      { tid: 6, pid: 6, parent: 5, comm: 'b' },
    ]);
    expect(table.descends(5, 7)).toBe(false);
  });
});

describe('ScopeFilter', () => {
  test('system-wide keeps all but MARPLE and its tools', () => {
    const filter = new ScopeFilter({ own: 10 }, new TaskTable(tasks));
    expect([1, 10, 11, 20, 0].map((tid) => filter.keeps(tid, ''))).toEqual([true, false, false, true, true]);
  });

  test("a command's own tree only, threads included", () => {
    const filter = new ScopeFilter({ own: 10, root: 12 }, new TaskTable(tasks));
    expect([1, 10, 11, 12, 13, 20].map((tid) => filter.keeps(tid, ''))).toEqual([
      false,
      false,
      false,
      true,
      true,
      false,
    ]);
  });

  test('the whole machine with a command: its tree is not left out with MARPLE', () => {
    const filter = new ScopeFilter({ own: 10, command: 12 }, new TaskTable(tasks));
    expect([1, 10, 11, 12, 13, 20].map((tid) => filter.keeps(tid, ''))).toEqual([true, false, false, true, true, true]);
  });

  test('pids and names narrow it', () => {
    const table = new TaskTable(tasks);
    const byPid = new ScopeFilter({ own: 10, pids: [12] }, table);
    expect(byPid.keeps(20, 'other')).toBe(false);
    const byComm = new ScopeFilter({ own: 10, comm: '^oth' }, table);
    expect([byComm.keeps(20, 'other'), byComm.keeps(1, 'init')]).toEqual([true, false]);
  });

  test('a process that comes later is judged by its fork', () => {
    const table = new TaskTable(tasks);
    const filter = new ScopeFilter({ own: 10, root: 12 }, table);
    expect(filter.keeps(40, 'x')).toBe(false);
    table.fork(40, 13, false, 'x');
    expect(filter.keeps(40, 'x')).toBe(true);
  });

  test('members of a cgroup and their descendants, threads included', () => {
    const table = new TaskTable(tasks);
    const filter = new ScopeFilter({ own: 99, members: [20, 13] }, table);
    expect([1, 10, 20, 13].map((tid) => filter.keeps(tid, ''))).toEqual([false, false, true, true]);
    table.fork(50, 20, false, 'child');
    table.fork(51, 50, true, 'child');
    expect([50, 51].map((tid) => filter.keeps(tid, 'child'))).toEqual([true, true]);
    const withOwn = new ScopeFilter({ own: 10, members: [10, 20] }, table);
    expect([10, 11, 20].map((tid) => withOwn.keeps(tid, ''))).toEqual([false, false, true]);
  });

  test('an empty cgroup keeps nothing', () => {
    const filter = new ScopeFilter({ own: 10, members: [] }, new TaskTable(tasks));
    expect([1, 12, 20].map((tid) => filter.keeps(tid, ''))).toEqual([false, false, false]);
  });

  test('the whole machine is what nothing narrows', () => {
    const narrow = [{ root: 0 }, { pids: [1] }, { comm: 'x' }, { members: [] }];
    expect([{}, ...narrow].map((scope) => isSystemWide({ own: 10, ...scope }))).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});
