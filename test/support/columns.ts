import { expect } from 'vitest';
import type { StackColumns } from '../../src/common/column-data.ts';
import type { StackData } from '../../src/common/datatypes.ts';
import { StackCursor } from '../../src/common/stack-cursor.ts';

/** The stacks that columns tell of, each looked at in every way that there is. */
export function stacksIn(chunks: Iterable<StackColumns>): StackData[] {
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
