import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  columnValues,
  cornersOf,
  extentOf,
  MAX_POSITIONS,
  placeOf,
  SeriesBuilder,
  SeriesSummary,
  type StackedSeries,
  valuesAt,
} from '../../../src/display/shape/series.ts';

type Point = readonly [x: number, y: number, label: number];

function summarise(points: readonly Point[]): SeriesSummary {
  const summary = new SeriesSummary();
  for (const point of points) summary.add(...point);
  return summary;
}

function build(points: readonly Point[], top: number): StackedSeries {
  const summary = summarise(points);
  const builder = new SeriesBuilder(summary, summary.largest(top));
  for (const point of points) builder.add(...point);
  return builder.finish();
}

describe('SeriesSummary', () => {
  it('finds the largest contributors, ties in the order of their numbers', () => {
    const summary = summarise([
      [0, 1, 0],
      [0, 5, 1],
      [1, 1, 2],
      [1, 9, 3],
    ]);
    expect(summary.largest(3)).toEqual([3, 1, 0]);
    expect(summary.positions).toEqual([0, 1]);
  });

  it('notices an x that goes back', () => {
    expect(
      summarise([
        [0, 1, 0],
        [1, 1, 0],
        [1, 1, 0],
      ]).unsorted,
    ).toBe(false);
    expect(
      summarise([
        [0, 1, 0],
        [1, 1, 0],
        [0.5, 1, 0],
      ]).unsorted,
    ).toBe(true);
  });
});

describe('SeriesBuilder', () => {
  it('adds up a label at one x, and counts 0 where it has none', () => {
    const series = build(
      [
        [0, 1, 7],
        [0, 2, 7],
        [0, 1, 8],
        [2, 5, 7],
      ],
      2,
    );
    expect(series.x).toEqual([0, 2]);
    expect(series.layers.map((layer) => [...layer])).toEqual([
      [3, 5],
      [1, 0],
    ]);
    expect(series.other).toBeUndefined();
  });

  it('puts the rest into other', () => {
    const series = build(
      [
        [0, 9, 0],
        [0, 2, 1],
        [0, 1, 2],
      ],
      1,
    );
    expect([series.layers.map((layer) => [...layer]), [...(series.other ?? [])]]).toEqual([[[9]], [3]]);
  });

  it('keeps every total, whatever the points', () => {
    const point = fc.tuple(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 1000 }), fc.nat({ max: 20 }));
    fc.assert(
      fc.property(fc.array(point, { maxLength: 200 }), fc.integer({ min: 1, max: 25 }), (points, top) => {
        const { x, layers, other } = build(points, top);
        for (const [i, position] of x.entries()) {
          const drawn = [...layers, ...(other === undefined ? [] : [other])].reduce((sum, layer) => sum + layer[i]!, 0);
          const there = points.filter(([at]) => at === position).reduce((sum, [, y]) => sum + y, 0);
          expect(drawn).toBe(there);
        }
        expect(x).toEqual([...new Set(points.map(([at]) => at))].sort((a, b) => a - b));
      }),
    );
  });

  it('takes means where there are too many x: a level stays the level that it is', () => {
    const points: Point[] = [];
    for (let step = 0; step < 5 * MAX_POSITIONS; step++) points.push([step / 10, 30, 0], [step / 10, 12, 1]);
    const series = build(points, 1);
    expect(series.averaged).toBe(true);
    expect(series.x).toHaveLength(MAX_POSITIONS);
    expect(new Set(series.layers[0])).toEqual(new Set([30]));
    expect(new Set(series.other)).toEqual(new Set([12]));
    expect(series.x.every((x, i) => i === 0 || x > series.x[i - 1]!)).toBe(true);
  });
});

describe('cornersOf', () => {
  it('joins the values of time by lines; one alone is as wide as 1', () => {
    expect(cornersOf([1, 2, 4], true)).toEqual({ x: [1, 2, 4], place: [0, 1, 2] });
    expect(cornersOf([3], true)).toEqual({ x: [2.5, 3.5], place: [0, 0] });
    expect(cornersOf([], true)).toEqual({ x: [], place: [] });
  });

  it('draws blocks over anything else, and nothing where there is a gap', () => {
    const corners = cornersOf([0, 1, 2, 5], false);
    expect(corners).toEqual({
      x: [0, 0, 1, 1, 2, 2, 3, 3, 5, 5, 6, 6],
      place: [-1, 0, 0, 1, 1, 2, 2, -1, -1, 3, 3, -1],
    });
    expect([...valuesAt(corners, Float64Array.of(7, 8, 9, 4))]).toEqual([0, 7, 7, 8, 8, 9, 9, 0, 0, 4, 4, 0]);
    expect(cornersOf([3], false)).toEqual({ x: [3, 3, 4, 4], place: [-1, 0, 0, -1] });
    expect(cornersOf([], false)).toEqual({ x: [], place: [] });
  });

  it('has the area of the values', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat({ max: 60 }), { minLength: 2, maxLength: 20 }), (places) => {
        const x = places.sort((a, b) => a - b);
        const least = Math.min(...x.slice(1).map((at, i) => at - x[i]!));
        // As addresses are: multiples of the size of a block.
        fc.pre(x.every((at) => (at - x[0]!) % least === 0));
        const corners = cornersOf(x, false);
        const drawn = valuesAt(
          corners,
          Float64Array.from(x, (_, i) => i + 1),
        );
        let area = 0;
        for (let i = 1; i < drawn.length; i++) {
          area += ((drawn[i]! + drawn[i - 1]!) / 2) * (corners.x[i]! - corners.x[i - 1]!);
        }
        expect(area).toBeCloseTo((least * x.length * (x.length + 1)) / 2, 6);
      }),
    );
  });
});

describe('extentOf', () => {
  it('ends with the last moment, or behind the last block', () => {
    const summary = new SeriesSummary();
    for (const x of [4, 6, 10]) summary.add(x, 1, 0);
    expect(extentOf(summary, true)).toEqual({ count: 3, xMin: 4, xMax: 10 });
    expect(extentOf(summary, false)).toEqual({ count: 3, xMin: 4, xMax: 12 });
  });
});

describe('placeOf', () => {
  it('is the nearest in time, and the block that a value is in', () => {
    expect([0.4, 0.6, 1.4, 9, -9].map((x) => placeOf([0, 1, 2], x, true))).toEqual([0, 1, 1, 2, 0]);
    expect([0.4, 0.6, 1.4, 9, -9].map((x) => placeOf([0, 1, 2], x, false))).toEqual([0, 0, 1, 2, 0]);
    expect(placeOf([], 1, true)).toBeUndefined();
  });
});

describe('columnValues', () => {
  const values = Float64Array.of(0, 10, 20);

  it('are those of the lines between positions', () => {
    expect([...columnValues([0, 1, 2], values, [0, 2], 4)]).toEqual([2.5, 7.5, 12.5, 17.5]);
  });

  it('are 0 beyond the first and the last', () => {
    expect([...columnValues([1, 2, 3], values, [0, 6], 6)]).toEqual([0, 5, 15, 20, 0, 0]);
  });

  it('are there where there is but one position, and none where there is none', () => {
    expect([...columnValues([2], Float64Array.of(7), [0, 4], 4)]).toEqual([0, 7, 7, 0]);
    expect([...columnValues([], new Float64Array(0), [0, 4], 2)]).toEqual([0, 0]);
  });
});
