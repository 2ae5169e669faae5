import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StackColumns } from '../../src/common/column-data.ts';
import { StackColumnParser } from '../../src/common/columns.ts';
import type { StackData } from '../../src/common/datatypes.ts';
import { StackCursor, stackColumns } from '../../src/common/stack-cursor.ts';

function read(chunks: Iterable<StackColumns>): StackData[] {
  const cursor = new StackCursor();
  const stacks: StackData[] = [];
  for (const columns of chunks) {
    for (let i = 0; i < columns.length; i++) {
      cursor.move(columns, i);
      const stack = Array.from({ length: cursor.depth }, (_, depth) => cursor.nameAt(depth)!);
      expect(stack).toEqual(stack.map((__, depth) => columns.names[cursor.frameAt(depth)]));
      expect(cursor.nameAt(cursor.depth)).toBeUndefined();
      stacks.push({ weight: columns.weight[i]!, stack });
    }
  }
  return stacks;
}

test('each stack of columns, however they were made', () => {
  const frame = fc.constantFrom('main', 'read', 'a', '');
  const stack = fc.oneof(fc.array(frame, { minLength: 1, maxLength: 5 }), fc.constant(Array(700).fill('deep')));
  const stacks = fc.array(fc.record({ weight: fc.nat(9), stack }), { maxLength: 20 });
  fc.assert(
    fc.property(stacks, (all) => {
      expect(read(stackColumns(all))).toEqual(all);
      const parser = new StackColumnParser(1e6);
      parser.parse(Buffer.from(all.map((each) => `${each.weight}#${each.stack.join(';')}\n`).join('')), 0);
      expect(read(all.length === 0 ? [] : [parser.take()])).toEqual(all);
    }),
  );
});

test('more stacks than a chunk has', () => {
  const all = Array.from({ length: 10_000 }, (_, i) => ({ weight: i, stack: [`f${i % 7}`] }));
  expect([...stackColumns(all)].length).toBeGreaterThan(1);
  expect(read(stackColumns(all))).toEqual(all);
});
