import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StackTable } from '../../src/formats/stack-table.ts';

test('each stack once, in the order of its first sample, with its total', () => {
  const table = new StackTable();
  const numbers = [['a', 'b'], ['a'], ['a', 'b'], ['b', 'a'], ['a', 'b', 'a']].map((stack, i) =>
    table.add(stack, i + 1),
  );
  expect(numbers).toEqual([0, 1, 0, 2, 3]);
  expect([...table.stacks()]).toEqual([
    { weight: 4, stack: ['a', 'b'] },
    { weight: 2, stack: ['a'] },
    { weight: 4, stack: ['b', 'a'] },
    { weight: 5, stack: ['a', 'b', 'a'] },
  ]);
});

test('what comes out is what went in', () => {
  const frame = fc.constantFrom('a', 'b', 'c', '', 'a;b');
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.array(frame, { minLength: 1 }), fc.nat(9))), (entries) => {
      const table = new StackTable();
      const totals = new Map<string, number>();
      for (const [stack, weight] of entries) {
        const key = JSON.stringify(stack);
        const number = table.add(stack, weight);
        totals.set(key, (totals.get(key) ?? 0) + weight);
        expect([...totals.keys()].indexOf(key)).toBe(number);
      }
      expect([...table.stacks()].map(({ stack, weight }) => [JSON.stringify(stack), weight])).toEqual([...totals]);
      expect(table.size).toBe(totals.size);
    }),
  );
});
