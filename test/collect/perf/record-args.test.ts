import { expect, test } from 'vitest';
import { recordArgs } from '../../../src/collect/perf/record-args.ts';

test('the whole machine at a frequency, with call graphs, begun when told', () => {
  const plan = { target: 'all', sampling: { frequency: 99 }, callGraph: 'fp' } as const;
  expect(recordArgs(plan, { output: '/d/perf.data', control: true })).toEqual([
    'record',
    ...['-k', 'CLOCK_MONOTONIC', '--sample-cpu', '--no-buildid-cache'],
    ...['-F', '99', '--call-graph', 'fp', '-a'],
    ...['--control', 'fd:3,4', '-D', '-1', '-o', '/d/perf.data'],
  ]);
});

test('some processes, every event of two kinds, a small buffer, more arguments', () => {
  const plan = {
    target: { pids: [3, 4] },
    events: ['sched:sched_switch', 'sched:sched_wakeup'],
    sampling: { period: 1 },
    extra: ['--filter', 'prev_pid > 0'],
  };
  const args = recordArgs(plan, { output: 'x', control: false, mmapPages: 8 });
  expect(args.slice(5)).toEqual([
    ...['-e', 'sched:sched_switch', '-e', 'sched:sched_wakeup', '-c', '1'],
    ...['-m', '8', '-p', '3,4', '--filter', 'prev_pid > 0', '-o', 'x'],
  ]);
});
