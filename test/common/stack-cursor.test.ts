import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StackColumnParser } from '../../src/common/columns.ts';
import { stackColumns } from '../../src/common/stack-cursor.ts';
import { stacksIn } from '../support/columns.ts';

test('each stack of columns, however they were made', () => {
  const frame = fc.constantFrom('main', 'read', 'a', '');
  const stack = fc.oneof(fc.array(frame, { minLength: 1, maxLength: 5 }), fc.constant(Array(700).fill('deep')));
  const stacks = fc.array(fc.record({ weight: fc.nat(9), stack }), { maxLength: 20 });
  fc.assert(
    fc.property(stacks, (all) => {
      expect(stacksIn(stackColumns(all))).toEqual(all);
      const parser = new StackColumnParser(1e6);
      parser.parse(Buffer.from(all.map((each) => `${each.weight}#${each.stack.join(';')}\n`).join('')), 0);
      expect(stacksIn(all.length === 0 ? [] : [parser.take()])).toEqual(all);
    }),
  );
});

test('more stacks than a chunk has', () => {
  const all = Array.from({ length: 10_000 }, (_, i) => ({ weight: i, stack: [`f${i % 7}`] }));
  expect([...stackColumns(all)].length).toBeGreaterThan(1);
  expect(stacksIn(stackColumns(all))).toEqual(all);
});
