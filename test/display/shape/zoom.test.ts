import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { moved, nextDown, nextUp, ordered, type Range, zoomed } from '../../../src/display/shape/zoom.ts';

const LIMITS: Range = [0, 100];

describe('zoomed', () => {
  it('keeps what is under the pointer in its place', () => {
    expect(zoomed([20, 60], 30, 0.5, LIMITS)).toEqual([25, 45]);
    expect(zoomed([25, 45], 30, 2, LIMITS)).toEqual([20, 60]);
  });

  it('stays within the limits, and wider than the narrowest', () => {
    expect(zoomed([0, 50], 40, 4, LIMITS)).toEqual([0, 100]);
    expect(zoomed([60, 90], 70, 2, LIMITS)).toEqual([40, 100]);
    expect(zoomed([10, 12], 11, 0.1, LIMITS, 1)).toEqual([10.5, 11.5]);
    expect(zoomed([10, 11], 10, 0.1, LIMITS, 1)).toEqual([10, 11]);
  });

  it('never leaves the limits, wherever it is asked for', () => {
    const number = fc.double({ min: -50, max: 150, noNaN: true });
    fc.assert(
      fc.property(number, number, number, fc.double({ min: 0.01, max: 100, noNaN: true }), (a, b, centre, factor) => {
        const [from, to] = zoomed(
          ordered(Math.max(0, Math.min(100, a)), Math.max(0, Math.min(100, b))),
          centre,
          factor,
          LIMITS,
        );
        expect(from).toBeGreaterThanOrEqual(0);
        expect(to).toBeLessThanOrEqual(100 + 1e-9);
        expect(to).toBeGreaterThanOrEqual(from);
      }),
    );
  });
});

describe('moved', () => {
  it('keeps the width, and stops at the limits', () => {
    expect(moved([20, 30], 5, LIMITS)).toEqual([25, 35]);
    expect(moved([20, 30], 500, LIMITS)).toEqual([90, 100]);
    expect(moved([20, 30], -500, LIMITS)).toEqual([0, 10]);
  });
});

describe('nextUp and nextDown', () => {
  it('are the neighbours of a number', () => {
    expect([nextUp(1), nextDown(1)]).toEqual([1 + Number.EPSILON, 1 - Number.EPSILON / 2]);
    expect([nextUp(0), nextDown(0)]).toEqual([Number.MIN_VALUE, -Number.MIN_VALUE]);
    fc.assert(
      fc.property(fc.double({ min: -1e300, max: 1e300, noNaN: true }), (value) => {
        expect(nextUp(value)).toBeGreaterThan(value);
        expect(nextDown(nextUp(value))).toBe(value === 0 ? 0 : value);
      }),
    );
  });
});
