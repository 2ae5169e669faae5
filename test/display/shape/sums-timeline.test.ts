import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keepOf, parseTerms, type Term } from '../../../src/display/shape/event-filter.ts';
import { SpanSums } from '../../../src/display/shape/span-sums.ts';
import { layoutSpans, SpanRow } from '../../../src/display/shape/spans.ts';
import { sumAt, sumsTimeline } from '../../../src/display/shape/sums-timeline.ts';
import { TASK_DISK, TASK_READY, TASK_RUNS, type TaskSpans } from '../../../src/display/shape/task-spans.ts';
import { overview } from '../../../src/display/shape/timeline-draw.ts';
import type { Timeline } from '../../../src/display/shape/tracks.ts';

const RANGE = { from: 2, to: 10 };
const [FROM, TO] = [2e9, 10e9];
/** Seconds of a bin. */
const BIN = 8 / 2048;
const db = { pid: 7, comm: 'db' };
const web = { pid: 8, comm: 'web' };

type Span = Parameters<SpanSums['add']>;

function sumsOf(...spans: readonly Span[]): TaskSpans {
  const sums = new SpanSums(RANGE, 1_000_000, 1);
  for (const span of spans) sums.add(...span);
  return sums.spans(2);
}

function columns({ tracks, bins }: Timeline, key: number, from: number, to: number, pixels: number) {
  const row = new SpanRow();
  layoutSpans(tracks.find((track) => track.key === key)!.spans, from, to, pixels, row, bins);
  return Array.from({ length: row.length }, (_, i) => ({
    x: row.x[i]!,
    width: row.width[i]!,
    ran: row.ran[i]!,
    ready: row.ready[i]!,
  }));
}

describe('tracks of sums', () => {
  const sums = sumsOf(
    [db, TASK_RUNS, 0, 3e9, 3.25e9, false],
    [db, TASK_READY, -1, 3.25e9, 3.5e9, true],
    [db, TASK_DISK, -1, 3.5e9, 4e9, false],
    [db, TASK_RUNS, 1, 5e9, 5e9 + (BIN / 2) * 1e9, false],
    [web, TASK_RUNS, 1, 3e9, 4e9, false],
  );

  test('are those of tasks, or of the CPUs that ran some', () => {
    const tasks = sumsTimeline(sums, RANGE, 'pid');
    expect(tasks.tracks.map(({ label }) => label)).toEqual(['db(7)', 'web(8)']);
    expect(tasks.bins).toEqual({ origin: FROM, width: BIN * 1e9 });
    const cpus = sumsTimeline(sums, RANGE, 'cpu');
    expect(cpus.tracks.map(({ label }) => label)).toEqual(['cpu 0', 'cpu 1']);
    expect(cpus.tracks[1]!.spans.who.every((who) => cpus.tasks[who]!.pid === (who === 0 ? 7 : 8))).toBe(true);
  });

  test('have in a bin what was in it', () => {
    const { tracks, bins } = sumsTimeline(sums, RANGE, 'pid');
    const half = sumAt(tracks[0]!, bins!, 5e9 + 1);
    expect(half).toMatchObject({ from: 5e9, ready: 0 });
    expect(half.running).toBeCloseTo((BIN / 2) * 1e9, 0);
    expect(half.to - half.from).toBe(BIN * 1e9);
    expect(sumAt(tracks[0]!, bins!, 3.3e9).ready).toBeCloseTo(BIN * 1e9, 0);
    expect(sumAt(tracks[0]!, bins!, 9e9)).toMatchObject({ running: 0, ready: 0 });
  });

  test('are as wide as their bins where those are wider than a pixel', () => {
    const found = columns(sumsTimeline(sums, RANGE, 'pid'), 7, 5e9, 5e9 + 4 * BIN * 1e9, 40);
    expect(found).toHaveLength(1);
    expect(found[0]!.x).toBeCloseTo(0, 3);
    expect(found[0]!.width).toBeCloseTo(10, 3);
    expect(found[0]!.ran).toBeCloseTo(0.5, 6);
  });

  test('are chosen by the names and numbers of tasks, and by their CPUs', () => {
    const timeline = sumsTimeline(sums, RANGE, 'pid');
    const kept = (text: string): number[] =>
      keepOf(timeline, parseTerms(text) as Term[]).tracks.map((place) => timeline.tracks[place]!.key);
    expect(kept('')).toEqual([7, 8]);
    expect(kept('comm=^db$')).toEqual([7]);
    expect(kept('web')).toEqual([8]);
    expect(kept('pid!=8')).toEqual([7]);
    expect(kept('cpu=0')).toEqual([7]);
  });
});

test('at every zoom the columns of a task hold all that it ran and waited', () => {
  const anySpan = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    long: fc.double({ min: 0, max: 0.01, noNaN: true }),
    what: fc.constantFrom(TASK_RUNS, TASK_READY),
  });
  fc.assert(
    fc.property(
      fc.array(anySpan, { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 9000 }),
      (parts, pixels) => {
        // One after the other, as one task has them.
        let time = FROM;
        const total = [0, 0];
        const spans = parts.map(({ at, long, what }): Span => {
          const since = time + Math.floor(at * 1e8);
          time = since + Math.floor(long * 1e9);
          total[what]! += time - since;
          return [db, what, what === TASK_RUNS ? 0 : -1, since, time, false];
        });
        const timeline = sumsTimeline(sumsOf([web, TASK_RUNS, 1, FROM, TO, false], ...spans), RANGE, 'pid');
        if (total[0]! + total[1]! === 0) return;
        const perPixel = (TO - FROM) / pixels;
        const found = columns(timeline, 7, FROM, TO, pixels);
        expect(found.every(({ ran, ready }) => ran + ready < 1.000001)).toBe(true);
        const ran = found.reduce((sum, column) => sum + column.ran * column.width * perPixel, 0);
        const ready = found.reduce((sum, column) => sum + column.ready * column.width * perPixel, 0);
        expect(Math.abs(ran - total[TASK_RUNS]!)).toBeLessThan(1000);
        expect(Math.abs(ready - total[TASK_READY]!)).toBeLessThan(1000);
        const all = overview(timeline, FROM, TO, 100).reduce((sum, time) => sum + time, 0);
        expect(Math.abs(all - (TO - FROM) - total[TASK_RUNS]!)).toBeLessThan(10_000);
      },
    ),
  );
});
