import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  firstAbove,
  firstAtLeast,
  firstRowAtLeast,
  layoutMarks,
  layoutSpans,
  SPAN_READY,
  SPAN_RUNNING,
  SpanBuilder,
  SpanRow,
  Spans,
} from '../../../src/display/shape/spans.ts';

const SLEEPING = 3;

function spansOf(parts: readonly (readonly [start: number, end: number, kind: number])[]): Spans {
  const builder = new SpanBuilder();
  for (const [i, [start, end, kind]] of parts.entries()) builder.add(start, end, kind, i, i);
  return new Spans(builder);
}

interface Rectangle {
  x: number;
  width: number;
  ran: number;
  ready: number;
  span: number;
  count: number;
}

function layout(spans: Spans, from: number, to: number, pixels: number): Rectangle[] {
  const row = new SpanRow();
  layoutSpans(spans, from, to, pixels, row);
  return Array.from({ length: row.length }, (_, i) => ({
    x: row.x[i]!,
    width: row.width[i]!,
    ran: row.ran[i]!,
    ready: row.ready[i]!,
    span: row.span[i]!,
    count: row.count[i]!,
  }));
}

/** Spans without gaps or overlap, of lengths from nothing to long. */
const anySpans = fc
  .array(
    fc.record({
      length: fc.oneof(fc.nat({ max: 30 }), fc.nat({ max: 3000 })),
      kind: fc.constantFrom(SPAN_RUNNING, SPAN_READY, SLEEPING),
    }),
    { minLength: 1, maxLength: 300 },
  )
  .map((parts) => {
    let at = 0;
    return spansOf(
      parts.map(({ length, kind }) => {
        const start = at;
        at += length;
        return [start, at, kind] as const;
      }),
    );
  });

describe('spans', () => {
  it('are sorted by start, with the sums before each', () => {
    const spans = spansOf([
      [50, 60, SPAN_READY],
      [0, 20, SPAN_RUNNING],
      [20, 50, SLEEPING],
    ]);
    expect([...spans.start]).toEqual([0, 20, 50]);
    expect([...spans.ranBefore]).toEqual([0, 20, 20, 20]);
    expect([...spans.readyBefore]).toEqual([0, 0, 0, 10]);
    expect([...spans.row]).toEqual([1, 2, 0]);
    expect([spans.at(-1), spans.at(0), spans.at(19), spans.at(20), spans.at(59), spans.at(60)]).toEqual([
      -1, 0, 0, 1, 2, -1,
    ]);
  });

  it('wide ones are drawn by themselves, to where they end', () => {
    const spans = spansOf([
      [0, 100, SPAN_RUNNING],
      [100, 150, SLEEPING],
      [150, 200, SPAN_READY],
    ]);
    expect(layout(spans, 0, 200, 20)).toEqual([
      { x: 0, width: 10, ran: 1, ready: 0, span: 0, count: 1 },
      { x: 10, width: 5, ran: 0, ready: 0, span: 1, count: 1 },
      { x: 15, width: 5, ran: 0, ready: 1, span: 2, count: 1 },
    ]);
    // Zoomed in, they go on beyond the edges.
    expect(layout(spans, 90, 110, 20)).toMatchObject([
      { x: -1, span: 0 },
      { x: 10, width: 11, span: 1 },
    ]);
    expect(layout(spans, 300, 400, 20)).toEqual([]);
    expect(layout(spans, 5, 5, 20)).toEqual([]);
  });

  it('narrow ones are added up by pixel, and the longest gives the colour', () => {
    const spans = spansOf([
      [0, 1, SPAN_RUNNING],
      [1, 3, SLEEPING],
      [3, 6, SPAN_RUNNING],
      [6, 8, SPAN_READY],
      [8, 10, SLEEPING],
    ]);
    expect(layout(spans, 0, 100, 10)).toEqual([{ x: 0, width: 1, ran: 0.4, ready: 0.2, span: 2, count: 5 }]);
  });

  it('what is drawn adds up to what there is, at any zoom', () => {
    fc.assert(
      fc.property(anySpans, fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 4 }), (spans, pixels, zoom) => {
        const end = spans.end.at(-1)!;
        fc.pre(end > 0);
        // The first part of it, so that there is something beyond the edge.
        const to = end / zoom;
        const perPixel = to / pixels;
        for (const kind of [SPAN_RUNNING, SPAN_READY]) {
          let drawn = 0;
          for (const { x, width, ran, ready } of layout(spans, 0, to, pixels)) {
            const inside = Math.min(pixels, x + width) - Math.max(0, x);
            drawn += inside * (kind === SPAN_RUNNING ? ran : ready) * perPixel;
          }
          let true_ = 0;
          for (let i = 0; i < spans.length; i++) {
            if (spans.kind[i] === kind) true_ += Math.max(0, Math.min(to, spans.end[i]!) - spans.start[i]!);
          }
          // The last span of a column may reach into the next one; at the edge that is cut off.
          expect(Math.abs(drawn - true_)).toBeLessThanOrEqual(2 * perPixel + 1e-6);
        }
      }),
    );
  });

  it('never overlap by more than a pixel, and stay where they are when the range moves', () => {
    fc.assert(
      fc.property(anySpans, fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 50 }), (spans, pixels, by) => {
        const end = spans.end.at(-1)!;
        fc.pre(end > 0);
        const perPixel = end / pixels;
        const before = layout(spans, 0, end, pixels);
        for (const [i, one] of before.entries()) {
          if (i > 0) expect(one.x).toBeGreaterThanOrEqual(before[i - 1]!.x + before[i - 1]!.width - 1 - 1e-6);
        }
        const shift = Math.min(by, pixels);
        const after = layout(spans, shift * perPixel, end + shift * perPixel, pixels);
        // What was well within stays, so many pixels to the left.
        const well = ({ x, width }: Rectangle): boolean => x > 1 && x + width < pixels - shift - 1;
        const kept = after.filter(well).map(({ x, span }) => [Math.round((x + shift) * 1000), span]);
        const all = new Set(before.map(({ x, span }) => `${Math.round(x * 1000)},${span}`));
        for (const one of kept) expect(all).toContain(one.join());
      }),
    );
  });
});

describe('marks', () => {
  const anyTimes = fc.array(fc.nat({ max: 10_000 }), { maxLength: 300 }).map((times) => {
    const sorted = Float64Array.from(times).sort();
    return { time: sorted, rows: Int32Array.from(sorted, (_, i) => i) };
  });

  it('stand for all events of the range, each once', () => {
    fc.assert(
      fc.property(anyTimes, fc.integer({ min: 1, max: 500 }), ({ time, rows }, pixels) => {
        const marks = layoutMarks(time, rows, 0, 10_000, pixels);
        expect(marks.count.reduce((a, b) => a + b, 0)).toBe(rows.length);
        const part = layoutMarks(time, rows, 4000, 5000, pixels);
        const within = time.filter((at) => at >= 4000 && at <= 5000).length;
        expect(part.count.reduce((a, b) => a + b, 0)).toBeGreaterThanOrEqual(within);
        for (const [i, row] of marks.row.entries()) if (i > 0) expect(row).toBeGreaterThan(marks.row[i - 1]!);
      }),
    );
  });

  it('one alone is where it is, several are in their middle', () => {
    const time = Float64Array.from([50, 900, 901]);
    const marks = layoutMarks(time, Int32Array.from([0, 1, 2]), 0, 1000, 100);
    expect(marks).toEqual({ x: [5, 91.5], row: [0, 1], count: [1, 2] });
  });
});

describe('searches', () => {
  it('find what a look at each finds', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 50 }), { maxLength: 60 }),
        fc.nat({ max: 55 }),
        fc.nat({ max: 60 }),
        (numbers, limit, start) => {
          const values = Float64Array.from(numbers).sort();
          const rows = Int32Array.from(values, (_, i) => i);
          const from = Math.min(start, values.length);
          const plain = (isBehind: (value: number) => boolean): number => {
            const found = values.subarray(from).findIndex(isBehind);
            return found < 0 ? values.length : from + found;
          };
          expect(firstAbove(values, limit, from)).toBe(plain((value) => value > limit));
          expect(firstAtLeast(values, limit, from)).toBe(plain((value) => value >= limit));
          expect(firstRowAtLeast(values, rows, limit, from)).toBe(plain((value) => value >= limit));
        },
      ),
    );
  });
});
