import fc from 'fast-check';
import { expect, test } from 'vitest';
import { countLane, levelLane, maxLane } from '../../../src/display/shape/lanes.ts';

const times = fc.array(fc.double({ min: 0, max: 10, noNaN: true })).map((all) => Float64Array.from(all).sort());
const RANGE = { from: 2, to: 8 };

test('every record in the range is in one bin', () => {
  fc.assert(
    fc.property(times, fc.integer({ min: 1, max: 50 }), (all, bins) => {
      const inRange = all.filter((time) => time >= 2 && time <= 8).length;
      expect(countLane(all, undefined, RANGE, bins).reduce((a, b) => a + b, 0)).toBe(inRange);
      const half = Uint8Array.from(all, (_, row) => row % 2);
      const odd = all.filter((time, row) => row % 2 === 1 && time >= 2 && time <= 8).length;
      expect(countLane(all, half, RANGE, bins).reduce((a, b) => a + b, 0)).toBe(odd);
    }),
  );
});

test('the largest of each bin', () => {
  const lane = maxLane(Float64Array.of(2, 2.5, 5, 7.9), Float64Array.of(3, 1, 9, 4), undefined, RANGE, 3);
  expect([...lane]).toEqual([3, 9, 4]);
});

test('levels: sums at one time, kept up where nothing was measured', () => {
  const at = Float64Array.of(2, 2, 3, 3, 7, 7);
  const values = Float64Array.of(10, 20, 30, 40, 1, 2);
  expect([...levelLane(at, values, undefined, RANGE, 6)]).toEqual([30, 70, 70, 70, 70, 3]);
  expect([...levelLane(at, values, Uint8Array.of(1, 0, 1, 0, 1, 0), RANGE, 6)]).toEqual([10, 30, 30, 30, 30, 1]);
});

test('means since the time before are kept up until the time before that', () => {
  const at = Float64Array.of(4, 7);
  const values = Float64Array.of(5, 2);
  expect([...levelLane(at, values, undefined, RANGE, 6, 'before')]).toEqual([5, 5, 5, 2, 2, 2]);
});
