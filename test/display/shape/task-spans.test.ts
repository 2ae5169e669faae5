import { expect, test } from 'vitest';
import { busyLane } from '../../../src/display/shape/lanes.ts';
import { SpanRows, TASK_DISK, TASK_READY, TASK_RUNS, taskSpans } from '../../../src/display/shape/task-spans.ts';
import { headerOf } from '../../support/data-files.ts';

const FIELDS = ['cpu', 'pid', 'comm', 'other_pid', 'other_comm', 'state'];
/** time (ms), type, cpu, pid, comm, other_pid, other_comm, state */
const EVENTS: readonly (readonly [number, string, ...string[]])[] = [
  [100, 'switch', '0', '0', 'swapper/0', '7', 'web', 'R'],
  [300, 'switch', '0', '7', 'web', '0', 'swapper/0', 'D'],
  [500, 'wakeup', '0', '0', 'swapper/0', '7', 'web', ''],
  [600, 'switch', '0', '0', 'swapper/0', '7', 'web', 'R'],
  [1000, 'switch', '0', '7', 'web', '0', 'swapper/0', 'S'],
];

function spansOf() {
  const texts = (place: number) => {
    const all = EVENTS.map((event) => String(event[place]));
    const names = [...new Set(all)];
    return { values: Float64Array.from(all, (text) => names.indexOf(text)), texts: names };
  };
  const table = {
    length: EVENTS.length,
    time: Float64Array.from(EVENTS, ([ms]) => ms * 1e6),
    type: texts(1),
    columns: new Map(FIELDS.map((field, i) => [field, texts(i + 2)])),
  };
  return taskSpans(table, headerOf('event', { interface: 'cpusched', fields: FIELDS }));
}

test('what a task did: it ran, waited for a disk, was ready', () => {
  const { start, end, doing, ran, task, tasks, cpu, cpus } = spansOf();
  const rows = Array.from(start, (from, i) => [from, end[i], doing[i], ran[i], cpu[i], tasks[task[i]!]]);
  const web = { pid: 7, comm: 'web' };
  expect(rows).toEqual([
    [0.1, 0.3, TASK_RUNS, 0, 0, web],
    [0.3, 0.5, TASK_DISK, 0, -1, web],
    [0.5, 0.6, TASK_READY, 1, -1, web],
    [0.6, 1, TASK_RUNS, 0, 0, web],
  ]);
  expect(cpus).toBe(1);
});

test('the busy share of each bin', () => {
  const { start, end, doing } = spansOf();
  const runs = (span: number): boolean => doing[span] === TASK_RUNS;
  const shares = (from: number, to: number, bins: number, cpus: number): number[] =>
    [...busyLane(start, end, runs, { from, to }, bins, cpus)].map((share) => Math.round(1e6 * share) / 1e6);
  expect(shares(0, 1, 2, 1)).toEqual([0.4, 0.8]);
  expect(shares(0, 1, 10, 2)).toEqual([0, 0.5, 0.5, 0, 0, 0, 0.5, 0.5, 0.5, 0.5]);
  expect(shares(0.2, 0.25, 1, 1)).toEqual([1]);
});

test('however many spans there are, each has its room', () => {
  const rows = new SpanRows(1);
  for (let i = 0; i < 300; i++) rows.add({ pid: i % 3, comm: 'a' }, i % 2, i, i * 1e9, (i + 1) * 1e9, i % 5 === 0);
  const { start, end, doing, ran, cpu, task, tasks } = rows.spans(4);
  for (const column of [start, end, doing, ran, cpu, task]) expect(column).toHaveLength(300);
  expect([start[299], end[299], doing[299], ran[295], cpu[299]]).toEqual([299, 300, 1, 1, 299]);
  expect(tasks[task[299]!]).toEqual({ pid: 299 % 3, comm: 'a' });
});
