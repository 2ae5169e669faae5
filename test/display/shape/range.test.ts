import { describe, expect, it } from 'vitest';
import { PointSummary } from '../../../src/display/shape/bins.ts';
import { shownRange } from '../../../src/display/shape/range.ts';
import { headerOf } from '../../support/data-files.ts';

describe('shownRange', () => {
  const summary = new PointSummary();
  summary.add(2, 1);
  summary.add(7, 1);
  const header = headerOf('datapoint', { end: '2026-03-01T09:30:10.000Z', x: { label: 'time', unit: 's' } });

  it('is the whole run where x is time, so that quiet times show', () => {
    expect(shownRange(header, {}, summary)).toEqual([0, 10]);
    expect(shownRange(header, {}, new PointSummary())).toEqual([0, 10]);
  });

  it('is that of the points where x is something else, or counts from elsewhere', () => {
    expect(shownRange({ ...header, x: { label: 'size', unit: 'KiB' } }, {}, summary)).toEqual([2, 7]);
    const boot = new PointSummary();
    boot.add(5000, 1);
    boot.add(5004, 1);
    expect(shownRange(header, {}, boot)).toEqual([5000, 5004]);
  });

  it('goes beyond the run where a last I/O completed behind it, and ends with the points where the end is not known', () => {
    const late = new PointSummary();
    late.add(10.2, 1);
    expect(shownRange(header, {}, late)).toEqual([0, 10.2]);
    expect(shownRange({ ...header, end: null }, {}, summary)).toEqual([2, 7]);
  });

  it('has a width, whatever is asked', () => {
    const one = new PointSummary();
    one.add(3, 1);
    expect(shownRange({ ...header, x: { label: 'size', unit: 'KiB' } }, {}, one)).toEqual([3, 4]);
    expect(shownRange(header, { from: 100 }, summary)).toEqual([100, 101]);
  });
});
