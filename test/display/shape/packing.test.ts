import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Packer, unpack } from '../../../src/display/shape/packing.ts';

function roundTrip(values: readonly number[]): number[] {
  const packer = new Packer();
  packer.pack([1, 2, 3]);
  const column = packer.pack(values);
  return [...unpack(packer.bytes(), column)];
}

const numbers = fc.oneof(
  fc.array(fc.double({ noNaN: true, noDefaultInfinity: true })),
  fc.array(fc.maxSafeInteger()),
  fc.array(fc.nat(2 ** 31 - 1).map((ns) => ns / 1e9)),
  fc.array(fc.nat(2 ** 31 - 1).map((ns) => ns / 1e6)),
  fc.array(fc.integer({ min: 0, max: 2 ** 45 })).map((times) => times.sort((a, b) => a - b).map((ns) => ns / 1e9)),
);

test('every value comes out as it went in', () => {
  fc.assert(
    fc.property(numbers, (values) => {
      expect(roundTrip(values)).toEqual(values);
    }),
  );
  expect(roundTrip([-0, 0.1 + 0.2, Number.MAX_VALUE, 5e-324])).toEqual([-0, 0.1 + 0.2, Number.MAX_VALUE, 5e-324]);
});

test('times of events take few bytes', () => {
  const packer = new Packer();
  const times = Array.from({ length: 10_000 }, (_, i) => (1_000_000_000 + i * 1234) / 1e9);
  const { bytes, encoding, delta } = packer.pack(times);
  expect({ encoding, delta }).toEqual({ encoding: 'varint', delta: true });
  expect(bytes).toBeLessThan(2.1 * times.length);
});
