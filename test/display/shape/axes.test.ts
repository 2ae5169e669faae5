import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { colourShare, colourTicks, logTicks, roundTicks } from '../../../src/display/shape/axes.ts';

describe('roundTicks', () => {
  it('are round and within the range', () => {
    expect(roundTicks([0, 10], 5)).toEqual([0, 2, 4, 6, 8, 10]);
    expect(roundTicks([0.13, 0.87], 4)).toEqual([0.2, 0.4, 0.6000000000000001, 0.8]);
  });

  it('count from a shift', () => {
    expect(roundTicks([1000.5, 1003], 3, 1000.5)).toEqual([1000.5, 1001.5, 1002.5]);
  });
});

describe('logTicks', () => {
  it('are 1, 2 and 5 of each decade, of many decades only 1', () => {
    expect(logTicks({ bottom: 0.5, top: 20 })).toEqual([0.5, 1, 2, 5, 10, 20]);
    expect(logTicks({ bottom: 1e-3, top: 1e5 })).toEqual([1e-3, 1e-2, 0.1, 1, 10, 100, 1e3, 1e4, 1e5]);
  });

  it('are there within a part of a decade too', () => {
    expect(logTicks({ bottom: 0.52, top: 0.68 }).length).toBeGreaterThan(2);
  });
});

describe('colours', () => {
  it('go from 1 to the largest count', () => {
    for (const log of [false, true]) {
      expect([colourShare(1, 100, log), colourShare(100, 100, log)]).toEqual([0, 1]);
    }
    expect(colourShare(10, 100, true)).toBeCloseTo(0.5);
    expect(colourShare(1, 1, false)).toBe(0.5);
  });

  it('are labelled from 1 to the largest, in order, with room between', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 1e9 }), fc.boolean(), (max, log) => {
        const ticks = colourTicks(max, log);
        expect([ticks[0], ticks.at(-1)]).toEqual([1, max]);
        expect(ticks.length).toBeLessThan(21);
        for (let i = 1; i < ticks.length - 1; i++) {
          expect(colourShare(ticks[i]!, max, log) - colourShare(ticks[i - 1]!, max, log)).toBeGreaterThan(0.05);
        }
      }),
    );
  });
});
