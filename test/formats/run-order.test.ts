import fc from 'fast-check';
import { expect, test } from 'vitest';
import { orderOf } from '../../src/formats/run-order.ts';

test('the places of numbers in their order, equal ones as they stand', () => {
  const numbers = fc.array(fc.integer({ min: -5, max: 20 }), { maxLength: 100 });
  fc.assert(
    fc.property(numbers, (values) => {
      const sorted = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!);
      expect([...orderOf(Float64Array.from(values))]).toEqual(sorted);
    }),
  );
});
