import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  columnValues,
  MAX_POSITIONS,
  SeriesBuilder,
  SeriesSummary,
  type StackedSeries,
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
