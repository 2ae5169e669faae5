import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PointSummary } from '../../../src/display/shape/bins.ts';
import {
  beyondTexts,
  hasHeat,
  heatNumbers,
  homeGrid,
  secondAndOffset,
  secondGrid,
  timeOf,
} from '../../../src/display/shape/heat.ts';
import { boxOf, rowsOfRun, runOf } from '../../../src/display/shape/heat-selection.ts';
import { headerOf } from '../../support/data-files.ts';

const SAMPLES = headerOf('event', {
  interface: 'callstack',
  fields: ['stack', 'pid'],
  end: '2026-03-01T09:30:03.500Z',
});
const BINS = { columns: 10, rows: 10, scale: 'auto' } as const;

it('what was summed by slices of time has a column for each', () => {
  const header = headerOf('datapoint', {
    end: '2026-03-01T09:30:09.000Z',
    x: { label: 'time', unit: 's' },
    summary: { of: 1, hosts: 1, interval: 2 },
  });
  const summary = new PointSummary();
  summary.add(0, 1, 5);
  summary.add(8, 2, 5);
  const grid = homeGrid(header, {}, summary, { columns: 100, rows: 10, scale: 'auto' });
  expect([grid.columns, grid.xRange]).toEqual([5, [0, 10]]);
  expect(homeGrid(header, {}, summary, { ...BINS, columns: 3 }).columns).toBe(3);
});

describe('samples', () => {
  it('are those events that have a stack', () => {
    expect(hasHeat(SAMPLES)).toBe(true);
    expect(hasHeat(headerOf('event', { fields: ['cpu'] }))).toBe(false);
    expect(hasHeat(headerOf('datapoint'))).toBe(true);
    expect(hasHeat(headerOf('stack'))).toBe(false);
  });

  it('are where their second and the offset in it say, to the nanosecond', () => {
    expect(secondAndOffset(2_345_000_001)).toEqual([2, 345.000001]);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (ns) => {
        const [second, offset] = secondAndOffset(ns);
        expect(offset).toBeLessThan(1000);
        expect(timeOf(second, offset)).toBe(ns / 1e9);
      }),
    );
  });

  it('have a column for each second of the run, begun ones too', () => {
    const summary = new PointSummary();
    summary.add(1, 250);
    const grid = homeGrid(SAMPLES, {}, summary, BINS);
    expect([grid.xRange, grid.columns, grid.viewport]).toEqual([[0, 4], 4, { scale: 'linear', bottom: 0, top: 1000 }]);
    expect(homeGrid(SAMPLES, { from: 1.2, to: 2.1 }, summary, BINS).xRange).toEqual([1, 3]);
    const cut = homeGrid({ ...SAMPLES, end: null }, {}, summary, BINS);
    expect(cut.xRange).toEqual([0, 2]);
  });

  it('of a long run share columns of several seconds', () => {
    const grid = secondGrid([0, 86_400], 50, [0, 1000]);
    expect(grid.columns).toBeLessThanOrEqual(1000);
    expect([grid.columnRange(0), grid.xRange[1] >= 86_400]).toEqual([[0, 87], true]);
    expect(secondGrid([0, 100], 50, [0, 1000], 40).columns).toBe(34);
  });
});

describe('texts', () => {
  const value = (y: number) => `${y} ms`;
  const header = headerOf('datapoint');

  it('tell how many records there are, and how large', () => {
    const summary = new PointSummary();
    expect(heatNumbers(header, summary, value)).toEqual(['0 records']);
    for (let y = 1; y <= 100; y++) summary.add(0, y);
    expect(heatNumbers(header, summary, value)).toEqual(['100 records', 'p50 50 ms', 'p99 99 ms', 'max 100 ms']);
    expect(heatNumbers(SAMPLES, summary, value)).toEqual(['100 samples']);
  });

  it('tell what lies beyond the rows', () => {
    const grid = secondGrid([0, 2], 4, [100, 500]);
    for (const y of [50, 200, 300, 600]) grid.add(0, y);
    expect(beyondTexts(grid, value)).toEqual(['1 above 500 ms (25 %)', '1 below 100 ms (25 %)']);
  });
});

describe('selections', () => {
  const grid = secondGrid([0, 4], 10, [0, 1000]);

  it('are boxes of bins, whichever corner comes first; the last column and row hold their edges', () => {
    const box = boxOf(grid, { column: 2, row: 5 }, { column: 1, row: 3 });
    expect([box.x, box.y]).toEqual([
      [1, 3],
      [300, 600],
    ]);
    const corner = boxOf(grid, { column: 3, row: 9 }, { column: 3, row: 9 });
    expect(corner.x[1]).toBeGreaterThan(4);
    expect(corner.y[1]).toBeGreaterThan(1000);
  });

  it('reach as far as there are values where they take in the rows of what lies beyond', () => {
    expect(boxOf(grid, { column: 0, row: -1 }, { column: 0, row: 10 }).y).toEqual([-Infinity, Infinity]);
    expect(boxOf(grid, { column: 0, row: 10 }, { column: 0, row: 10 }).y[0]).toBeGreaterThan(1000);
    expect(boxOf(grid, { column: 0, row: -1 }, { column: 0, row: -1 }).y).toEqual([-Infinity, 0]);
  });

  it('of samples are the time between two bins, up the columns', () => {
    expect(runOf(grid, { column: 1, row: 5 }, { column: 2, row: 2 })).toEqual([1.5, 2.3]);
    expect(runOf(grid, { column: 2, row: 2 }, { column: 1, row: 5 })).toEqual([1.5, 2.3]);
    expect(runOf(grid, { column: 1, row: 7 }, { column: 1, row: 3 })).toEqual([1.3, 1.8]);
    expect(runOf(grid, { column: 3, row: 0 }, { column: 3, row: 9 })).toEqual([3, 4]);
  });

  it('cover the rest of the first column, all of those between and the beginning of the last', () => {
    const run = runOf(grid, { column: 0, row: 8 }, { column: 2, row: 1 });
    expect([0, 1, 2, 3].map((column) => rowsOfRun(grid, column, run))).toEqual([
      [8, 10],
      [0, 10],
      [0, 2],
      [0, 0],
    ]);
  });
});
