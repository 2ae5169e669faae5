import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CallChain } from '../../src/formats/call-chain.ts';
import { beginsBlock, OffCpuTimes, reasonOf } from '../../src/formats/off-cpu.ts';
import type { FileRecord, FileSample, FileSwitch } from '../../src/formats/perf-file.ts';

const EVENT = { name: 'sched:sched_switch', type: 2, config: 1, sampleType: 0, fixedPeriod: undefined };

function sample(time: number, tid: number, cpu = 0): FileSample {
  const empty = { period: 1, chain: CallChain.of({ user: [] }), raw: undefined };
  return { kind: 'sample', event: EVENT, time, pid: tid, tid, cpu, ...empty };
}
const leaves = (time: number, tid: number, cpu = 0): FileSwitch => ({
  kind: 'switch',
  time,
  pid: tid,
  tid,
  cpu,
  isOut: true,
  isPreempted: false,
});
const comes = (time: number, tid: number, cpu = 0): FileSwitch => ({ ...leaves(time, tid, cpu), isOut: false });
const fork = (tid: number): FileRecord => ({ kind: 'fork', pid: tid, tid, parentPid: 1, parentTid: 1 });
const exit = (tid: number): FileRecord => ({ kind: 'exit', pid: tid, tid });

/** The times of all blocks, in their order. */
function timesOf(...records: readonly FileRecord[]): { times: OffCpuTimes; blocks: (number | undefined)[] } {
  const times = new OffCpuTimes();
  for (const record of [sample(0, 0), ...records]) times.add(record);
  times.finish();
  const count = records.filter((record) => record.kind === 'switch' && beginsBlock(record)).length;
  return { times, blocks: Array.from({ length: count }, (_, block) => times.timeOf(block)) };
}

describe('how long tasks are off their CPU', () => {
  test('from when they leave until they come again, on whatever CPU; being idle is no block', () => {
    const { times, blocks } = timesOf(
      comes(1, 5),
      leaves(10, 5),
      comes(10, 0),
      leaves(15, 6, 1),
      leaves(16, 0),
      comes(17, 6, 0),
      comes(30, 5, 1),
    );
    expect(blocks).toEqual([20, 2]);
    expect(times).toMatchObject({ cut: 0, early: 1, unpaired: 0 });
  });

  test('until the end of the recording where they do not come again', () => {
    const { times, blocks } = timesOf(leaves(10, 5), leaves(20, 6), comes(50, 6));
    expect(blocks).toEqual([40, 30]);
    expect(times).toMatchObject({ cut: 1, cutTime: 40 });
  });

  test('a task that has ended waits for nothing; the next one of its id is another', () => {
    const { times, blocks } = timesOf(exit(5), leaves(10, 5), fork(5), comes(40, 5), leaves(50, 5), comes(60, 5));
    expect(blocks).toEqual([undefined, 10]);
    expect(times).toMatchObject({ cut: 0, early: 0, unpaired: 0 });
    expect(timesOf(exit(5), leaves(10, 5), comes(12, 5), leaves(20, 5), comes(90, 6)).blocks).toEqual([2, undefined]);
  });

  test('what was before the first sample is not looked at', () => {
    const times = new OffCpuTimes();
    for (const record of [leaves(10, 5), sample(20, 6), comes(30, 5), leaves(40, 5), comes(45, 5)]) times.add(record);
    times.finish();
    expect(times.timeOf(0)).toBe(5);
    expect(times.early).toBe(1);
  });

  test('blocks that may have ended in a hole are left out', () => {
    const lost: FileRecord = { kind: 'lost', count: 3, time: 20, cpu: 0 };
    const { times, blocks } = timesOf(leaves(10, 5), lost, comes(90, 5), leaves(95, 5), comes(96, 5));
    expect(blocks).toEqual([undefined, 1]);
    expect(times).toMatchObject({ unpaired: 1, early: 1 });
  });

  test('who leaves twice, or comes twice, was missed in between', () => {
    const { times, blocks } = timesOf(leaves(10, 5), leaves(20, 5), comes(25, 5), comes(40, 5));
    expect(blocks).toEqual([undefined, 5]);
    expect(times.unpaired).toBe(2);
  });

  test('of any history of tasks', () => {
    // For each task the times at which it leaves and comes, in turns.
    const histories = fc.array(fc.uniqueArray(fc.integer({ min: 1, max: 100_000 }), { maxLength: 40 }), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(histories, (all) => {
        const records: FileSwitch[] = [];
        const expected: { begin: number; tid: number; time: number }[] = [];
        const end = Math.max(0, ...all.flat());
        for (const [i, history] of all.entries()) {
          const tid = i + 1;
          const moments = [...history].sort((a, b) => a - b);
          for (const [j, time] of moments.entries()) {
            records.push(j % 2 === 0 ? leaves(time, tid) : comes(time, tid));
            if (j % 2 === 0) expected.push({ begin: time, tid, time: (moments[j + 1] ?? end) - time });
          }
        }
        records.sort((a, b) => a.time! - b.time! || a.tid - b.tid);
        expected.sort((a, b) => a.begin - b.begin || a.tid - b.tid);
        expect(timesOf(...records).blocks).toEqual(expected.map(({ time }) => time));
      }),
    );
  });

  test('of more blocks than fit at first', () => {
    const records = Array.from({ length: 5000 }, (_, i) => [leaves(10 * i, 5), comes(10 * i + (i % 7), 5)]).flat();
    expect(timesOf(...records).blocks).toEqual(Array.from({ length: 5000 }, (_, i) => i % 7));
  });
});

describe('why a task is off its CPU', () => {
  test.each([
    ['R', 'runnable'],
    ['R+', 'runnable'],
    ['S', 'sleeping'],
    ['I', 'sleeping'],
    ['P', 'sleeping'],
    ['D', 'disk'],
    ['D|K', 'disk'],
    ['T', 'stopped'],
    ['t', 'stopped'],
    ['X', undefined],
    ['Z', undefined],
  ])('%s is %s', (state, reason) => {
    expect(reasonOf(state)).toBe(reason);
  });
});
