import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Quantiles } from '../../src/analysis/quantiles.ts';

function quantilesOf(values: Iterable<number>): Quantiles {
  const quantiles = new Quantiles();
  for (const value of values) quantiles.add(value);
  return quantiles;
}

/** The definition: the smallest value that a share of `p` of all does not exceed. */
function bySorting(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] as number;
}

describe('Quantiles', () => {
  it('is 0 where there are no values', () => {
    expect([new Quantiles().at(0.5), new Quantiles().shareAbove(0)]).toEqual([0, 0]);
  });

  it('agrees with sorting', () => {
    const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(finite, { minLength: 1, maxLength: 100 }), share, finite, (values, p, limit) => {
        const quantiles = quantilesOf(values);
        // +0 and -0 are the same value.
        expect(quantiles.at(p) + 0).toBe(bySorting(values, p) + 0);
        expect(quantiles.shareAbove(limit)).toBe(values.filter((value) => value > limit).length / values.length);
        expect([quantiles.count, quantiles.min + 0, quantiles.max + 0]).toEqual([
          values.length,
          Math.min(...values) + 0,
          Math.max(...values) + 0,
        ]);
      }),
    );
  });

  it('values added many times at once are as those added one by one, exact or in buckets', () => {
    const counted = fc.array(
      fc.tuple(fc.double({ min: 1e-3, max: 1e6, noNaN: true }), fc.integer({ min: 1, max: 40 })),
      {
        minLength: 1,
        maxLength: 40,
      },
    );
    fc.assert(
      fc.property(counted, fc.constantFrom(10, 100, 10_000), (values, kept) => {
        const [once, alone] = [new Quantiles(kept), new Quantiles(kept)];
        for (const [value, times] of values) {
          once.add(value, times);
          for (let i = 0; i < times; i++) alone.add(value);
        }
        expect([once.count, once.min, once.max]).toEqual([alone.count, alone.min, alone.max]);
        for (const p of [0, 0.1, 0.5, 0.9, 0.99, 1]) {
          expect(Math.abs(once.at(p) - alone.at(p))).toBeLessThanOrEqual(alone.at(p) * 0.001);
        }
      }),
    );
  });

  it('still answers when values are added after a question', () => {
    const quantiles = quantilesOf([5, 1, 3]);
    expect(quantiles.at(0.5)).toBe(3);
    for (const value of [0, 0, 0]) quantiles.add(value);
    expect(quantiles.at(0.5)).toBe(0);
    expect(quantiles.at(1)).toBe(5);
  });

  it('is within 0.05 % of sorting beyond a million values of all signs and sizes', () => {
    // A linear congruential generator: the same values in every run.
    let state = 12345;
    const random = () => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state / 2 ** 32;
    };
    const values = Float64Array.from({ length: 1_300_000 }, (_, i) =>
      i % 10 === 0 ? 0 : i % 10 === 1 ? -random() * 100 : 10 ** (12 * random() - 6),
    );
    const quantiles = quantilesOf(values);
    const sorted = values.slice().sort();
    for (const p of [0, 0.01, 0.05, 0.099, 0.15, 0.3, 0.5, 0.9, 0.99, 0.999, 1]) {
      const exact = sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] as number;
      expect(Math.abs(quantiles.at(p) - exact), `p = ${p}`).toBeLessThanOrEqual(0.0005 * Math.abs(exact));
    }
    expect(quantiles.shareAbove(1)).toBeCloseTo(0.4, 2);
    expect([quantiles.at(0), quantiles.at(1)]).toEqual([sorted[0], sorted.at(-1)]);
  });
});
