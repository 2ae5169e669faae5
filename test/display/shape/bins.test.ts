import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BinGrid,
  chooseViewport,
  niceStep,
  PointSummary,
  type ScaleKind,
  spansDecades,
} from '../../../src/display/shape/bins.ts';

function summaryOf(values: readonly number[]): PointSummary {
  const summary = new PointSummary();
  for (const [x, y] of values.entries()) summary.add(x, y);
  return summary;
}

const view = (bottom: number, top: number, scale: ScaleKind = 'linear') => ({ bottom, top, scale });

/** Values of every kind that is met: zeros, latencies over many decades, negative ones. */
const anyValue = fc.oneof(
  fc.constant(0),
  fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
  fc.double({ min: -100, max: 100, noNaN: true }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);

describe('BinGrid', () => {
  it('puts a point into the bin that it lies in', () => {
    const grid = new BinGrid(4, 3, [0, 8], view(0, 30));
    grid.add(0, 0);
    grid.add(1.99, 9.9);
    grid.add(2, 10);
    grid.add(7.5, 29);
    expect([...grid.counts]).toEqual([2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
  });

  it('counts a point as often as it is said', () => {
    const [counted, alone] = [new BinGrid(2, 2, [0, 2], view(0, 10)), new BinGrid(2, 2, [0, 2], view(0, 10))];
    const [x, y] = [Float64Array.of(0, 1, 1, 0), Float64Array.of(1, 9, 11, -1)];
    counted.addAll(x, y, [3, 0, 2, 4]);
    for (const [i, times] of [3, 0, 2, 4].entries()) for (let n = 0; n < times; n++) alone.add(x[i]!, y[i]!);
    expect([counted.counts, counted.over, counted.under]).toEqual([alone.counts, alone.over, alone.under]);
    const summary = new PointSummary();
    summary.addAll(x, y, [3, 0, 2, 4]);
    expect([summary.count, summary.y.max, summary.xMax]).toEqual([9, 11, 1]);
  });

  it('counts a point on the right or top edge in the last column or row', () => {
    const grid = new BinGrid(2, 2, [0, 1], view(0, 1));
    grid.add(1, 1);
    expect([...grid.counts]).toEqual([0, 0, 0, 1]);
  });

  it('counts what lies outside of the rows by column', () => {
    const grid = new BinGrid(2, 2, [0, 2], view(1, 2));
    grid.add(0.5, 2.1);
    grid.add(1.5, 5);
    grid.add(1.5, 0.9);
    expect([[...grid.over], [...grid.under], grid.overTotal, grid.underTotal]).toEqual([[1, 1], [0, 1], 2, 1]);
  });

  it('has rows of equal ratio on a logarithmic scale', () => {
    const grid = new BinGrid(1, 3, [0, 1], view(1, 1000, 'log'));
    for (const y of [1, 9, 11, 99, 101, 999]) grid.add(0, y);
    expect([...grid.counts]).toEqual([2, 2, 2]);
  });

  it('loses no point: all bins add up to what was added', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.double({ min: -5, max: 5, noNaN: true }), anyValue), { maxLength: 200 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 20 }),
        fc.constantFrom<ScaleKind | 'auto'>('auto', 'linear', 'log'),
        (points, columns, rows, scale) => {
          const summary = new PointSummary();
          for (const [x, y] of points) summary.add(x, y);
          const grid = new BinGrid(columns, rows, [-5, 5], chooseViewport(summary, rows, scale));
          for (const [x, y] of points) grid.add(x, y);
          expect(grid.total).toBe(points.length);
          expect(grid.max).toBeLessThanOrEqual(points.length);
        },
      ),
    );
  });
});

describe('chooseViewport', () => {
  it('covers nothing by 0 to 1', () => {
    expect(chooseViewport(new PointSummary(), 50, 'auto')).toEqual(view(0, 1));
  });

  it('has room for values that are all 0, and divides by none of them', () => {
    expect(chooseViewport(summaryOf([0, 0, 0]), 50, 'auto')).toEqual(view(0, 1));
    expect(chooseViewport(summaryOf([0, 0, 0]), 50, 'log')).toEqual(view(0, 1));
  });

  it('ends at a round value above the only one', () => {
    expect(chooseViewport(summaryOf([3.25]), 50, 'auto')).toEqual(view(0, 4.5));
    expect(chooseViewport(summaryOf([-3.25]), 50, 'auto')).toEqual(view(-4.5, 0));
  });

  it('keeps the bulk readable where outliers are a thousand times the median', () => {
    const values = Array.from({ length: 1000 }, (_, i) => (i % 200 === 0 ? 100 : 0.02 + (i % 100) / 1000));
    const { top, scale, bottom } = chooseViewport(summaryOf(values), 50, 'auto');
    expect({ scale, bottom }).toEqual({ scale: 'linear', bottom: 0 });
    expect(top).toBeGreaterThan(0.12);
    expect(top).toBeLessThan(0.3);
  });

  it('shows all of what has no tail', () => {
    const values = Array.from({ length: 1000 }, (_, i) => i / 100);
    expect(chooseViewport(summaryOf(values), 50, 'auto')).toEqual(view(0, 10));
  });

  it('is logarithmic where a linear axis would cut off more than a tenth', () => {
    const values = Array.from({ length: 1000 }, (_, i) => (i % 3 === 0 ? 80 : 0.1));
    const viewport = chooseViewport(summaryOf(values), 50, 'auto');
    expect(viewport).toEqual(view(0.1, 100, 'log'));
    expect(chooseViewport(summaryOf(values), 50, 'linear').scale).toBe('linear');
  });

  it('begins near values that are far from 0', () => {
    const values = Array.from({ length: 500 }, (_, i) => 1000 + (i % 10));
    expect(chooseViewport(summaryOf(values), 50, 'auto').bottom).toBeGreaterThan(900);
  });

  it('always covers most values and has a top above its bottom', () => {
    fc.assert(
      fc.property(
        fc.array(anyValue, { minLength: 1, maxLength: 300 }),
        fc.constantFrom<ScaleKind | 'auto'>('auto', 'linear', 'log'),
        (values, scale) => {
          const { bottom, top, scale: chosen } = chooseViewport(summaryOf(values), 50, scale);
          expect(top).toBeGreaterThan(bottom);
          if (chosen === 'log') expect(bottom).toBeGreaterThan(0);
          // The top is rounded to a step: a hair above it is not cut off.
          const above = values.filter((y) => y - top > 1e-6 * (top - bottom)).length;
          if (scale === 'auto') expect(above).toBeLessThanOrEqual(0.1 * values.length + 1);
        },
      ),
    );
  });
});

describe('niceStep', () => {
  it.each([
    [1, 1],
    [1.1, 2],
    [2.2, 2.5],
    [3, 5],
    [7, 10],
    [0.03, 0.05],
    [0.1, 0.1],
    [0.3, 0.5],
    [1e-7, 1e-7],
    [123456, 200000],
  ])('of %d is %d', (value, step) => {
    expect(niceStep(value)).toBe(step);
  });
});

describe('spansDecades', () => {
  it('asks for logarithmic colours where one bin dwarfs the others', () => {
    const grid = new BinGrid(10, 1, [0, 10], view(0, 1));
    for (let column = 0; column < 10; column++) grid.add(column, 0);
    expect(spansDecades(grid)).toBe(false);
    for (let i = 0; i < 100; i++) grid.add(3, 0);
    expect(spansDecades(grid)).toBe(true);
  });

  it('is false for an empty grid', () => {
    expect(spansDecades(new BinGrid(3, 3, [0, 1], view(0, 1)))).toBe(false);
  });
});
