import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { offsetOf, surest } from '../../src/fleet/clock-offset.ts';

describe('the offset of a clock', () => {
  test('is exact where both ways take as long', () => {
    // It is 1,000 before us; the question takes 50, the answer 20 to be made and 50 to come.
    const exchange = { asked: 10_000n, received: 11_050n, sent: 11_070n, answered: 10_120n, error: 0 };
    expect(offsetOf(exchange)).toEqual({ ns: 1000, uncertainty_ns: 50 });
  });

  test('is never further off than it says, however the way is shared', () => {
    const way = fc.bigInt({ min: 0n, max: 10n ** 10n });
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }),
        way,
        way,
        way,
        fc.integer({ min: 0, max: 1_000_000 }),
        (truth, there, between, back, error) => {
          const asked = 1_700_000_000_000_000_000n;
          const received = asked + there + truth;
          const sent = received + between;
          const { ns, uncertainty_ns } = offsetOf({ asked, received, sent, answered: sent - truth + back, error });
          expect(Math.abs(ns - Number(truth))).toBeLessThanOrEqual(uncertainty_ns + 1);
          expect(uncertainty_ns).toBe(Math.ceil(Number(there + back) / 2) + error);
        },
      ),
    );
  });

  test('is the surest of several', () => {
    const offsets = [
      { ns: 5, uncertainty_ns: 9 },
      { ns: 3, uncertainty_ns: 2 },
      { ns: 9, uncertainty_ns: 4 },
    ];
    expect(surest(offsets)).toEqual({ ns: 3, uncertainty_ns: 2 });
    expect(surest([])).toBeUndefined();
  });
});
