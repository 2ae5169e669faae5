import { describe, expect, test } from 'vitest';
import { Random } from '../../../src/analysis/random.ts';
import { SpanSums } from '../../../src/display/shape/span-sums.ts';
import {
  TASK_DISK,
  TASK_READY,
  TASK_RUNS,
  TASK_WAITED,
  type TaskSpans,
} from '../../../src/display/shape/task-spans.ts';

const SECONDS = 1e9;

/** Seconds by what a task does, within a range. */
function sums(spans: TaskSpans, from = 0, to = 10): Record<string, number> {
  const found: Record<string, number> = {};
  for (let i = 0; i < spans.start.length; i++) {
    const seconds = Math.min(to, spans.end[i]!) - Math.max(from, spans.start[i]!);
    const key = `${spans.tasks[spans.task[i]!]!.pid} ${spans.tasks[spans.task[i]!]!.comm} ${spans.doing[i]} ${spans.cpu[i]}`;
    if (seconds > 0) found[key] = (found[key] ?? 0) + seconds;
  }
  return found;
}

test('spans are added up, cut at the ends of the range', () => {
  const all = new SpanSums({ from: 2, to: 8 }, 1_000_000, 1);
  all.add({ pid: 1, comm: 'a' }, TASK_RUNS, 3, 0, 4 * SECONDS, false);
  all.add({ pid: 1, comm: 'a' }, TASK_RUNS, 0, 5 * SECONDS, 5.5 * SECONDS, false);
  all.add({ pid: 1, comm: 'a' }, TASK_DISK, -1, 5.5 * SECONDS, 60 * SECONDS, false);
  all.add({ pid: 1, comm: 'b' }, TASK_READY, -1, 0, 1 * SECONDS, false);
  all.add({ pid: 1, comm: 'b' }, TASK_READY, -1, 3 * SECONDS, 3.25 * SECONDS, false);
  const spans = all.spans(4);
  expect(spans).toMatchObject({ cpus: 4, bins: 2048 });
  const found = sums(spans);
  expect(Object.keys(found).sort()).toEqual(['1 a 0 0', '1 a 0 3', '1 a 2 -1', '1 b 1 -1']);
  expect(found['1 a 0 3']).toBeCloseTo(2, 9);
  expect(found['1 a 0 0']).toBeCloseTo(0.5, 9);
  expect(found['1 a 2 -1']).toBeCloseTo(2.5, 9);
  expect(found['1 b 1 -1']).toBeCloseTo(0.25, 9);
});

describe('many spans of many tasks', () => {
  const random = new Random(1);
  const given = Array.from({ length: 20_000 }, (_, i) => {
    const since = random.uniform() * 9 * SECONDS;
    return { pid: 1 + (i % 40), cpu: random.integer(4), since, until: since + random.uniform() * 1e6 };
  });
  const added = (most: number): TaskSpans => {
    const all = new SpanSums({ from: 0, to: 10 }, most, 1);
    for (const { pid, cpu, since, until } of given)
      all.add({ pid, comm: `c${pid}` }, TASK_RUNS, cpu, since, until, false);
    return all.spans(4);
  };

  test('are no more sums than asked for, in wider bins, and nothing is lost', () => {
    const [fine, coarse] = [added(1_000_000), added(2000)];
    expect(fine.start.length).toBeGreaterThan(10_000);
    expect(coarse.start.length).toBeLessThanOrEqual(2000);
    expect(coarse.bins).toBeLessThan(fine.bins!);
    const total = given.reduce((sum, { since, until }) => sum + until - since, 0) / SECONDS;
    for (const spans of [fine, coarse]) {
      expect(Object.values(sums(spans)).reduce((sum, seconds) => sum + seconds, 0)).toBeCloseTo(total, 6);
    }
  });

  test('each sum lies in its bin', () => {
    const { start, end, bins } = added(2000);
    const width = 10 / bins!;
    for (let i = 0; i < start.length; i++) {
      expect(start[i]! % width).toBeLessThan(1e-9);
      expect(end[i]! - start[i]!).toBeLessThanOrEqual(4 * width);
    }
  });

  test('the time of a stretch of bins is that of the spans in it', () => {
    const spans = added(1_000_000);
    const [from, to] = [10 / 4, 10 / 2];
    const expected = given.reduce(
      (sum, { since, until }) => sum + Math.max(0, Math.min(until / SECONDS, to) - Math.max(since / SECONDS, from)),
      0,
    );
    expect(Object.values(sums(spans, from, to)).reduce((sum, seconds) => sum + seconds, 0)).toBeCloseTo(expected, 6);
  });
});

test('of waits for a CPU one of so many is kept, and the longest of all; how many there were is told', () => {
  const all = new SpanSums({ from: 0, to: 10 }, 1_000_000, 100);
  for (let i = 0; i < 50_000; i++) {
    const since = i * 200_000;
    const length = i === 33_333 ? 7e6 : 1000 * (1 + (i % 50));
    all.add({ pid: 1 + (i % 5), comm: `c${i % 5}` }, TASK_READY, -1, since, since + length, true);
  }
  all.add({ pid: 9, comm: 'late' }, TASK_READY, -1, 10 * SECONDS, 11 * SECONDS, true);
  const { doing, ran, start, end, waits } = all.spans(1);
  expect(waits).toBe(50_000);
  const kept = [...start.keys()].filter((i) => doing[i] === TASK_WAITED);
  expect(kept.every((i) => ran[i] === 1)).toBe(true);
  expect([...ran].filter((one) => one === 1)).toHaveLength(kept.length);
  expect(kept.length).toBeGreaterThanOrEqual(500);
  expect(kept.length).toBeLessThanOrEqual(500 + 32);
  const milliseconds = kept.map((i) => (end[i]! - start[i]!) * 1e3);
  expect(Math.max(...milliseconds)).toBeCloseTo(7, 6);
});
