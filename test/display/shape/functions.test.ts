import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChildLists } from '../../../src/display/shape/flame.ts';
import { functionWeights, neighbours } from '../../../src/display/shape/functions.ts';
import { StackTree } from '../../../src/display/shape/tree.ts';

type Weighted = readonly [stack: readonly string[], weight: number];

const name = fc.constantFrom('a', 'b', 'c', 'main');
const stacks: fc.Arbitrary<Weighted[]> = fc.array(
  fc.tuple(fc.array(name, { minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 50 })),
  { maxLength: 30 },
);

function treeOf(all: readonly Weighted[]) {
  const tree = new StackTree();
  for (const [stack, weight] of all) tree.add(stack, weight);
  const { names, parents, frames } = tree.trie;
  const arrays = { names, parents, frames };
  return { arrays, children: new ChildLists(arrays), weights: tree.weights() };
}

test('self and total are those of the stacks, recursion or not', () => {
  fc.assert(
    fc.property(stacks, (all) => {
      const { arrays, children, weights } = treeOf(all);
      const found = new Map(
        functionWeights(arrays, children, weights).map(({ name: id, self, total }) => [
          arrays.names[id],
          [self, total],
        ]),
      );
      for (const frame of ['a', 'b', 'c', 'main']) {
        const total = all.reduce((sum, [stack, weight]) => sum + (stack.includes(frame) ? weight : 0), 0);
        const self = all.reduce((sum, [stack, weight]) => sum + (stack.at(-1) === frame ? weight : 0), 0);
        expect(found.get(frame)).toEqual(total === 0 ? undefined : [self, total]);
      }
    }),
  );
});

test('callers and callees', () => {
  const { arrays, children, weights } = treeOf([
    [['main', 'f', 'read'], 5],
    [['main', 'g', 'read'], 3],
    [['read'], 1],
    [['main', 'f', 'write'], 2],
  ]);
  const named = (list: readonly (readonly [number, number])[]) =>
    list.map(([id, weight]) => [arrays.names[id] ?? '-', weight]);
  const of = (text: string) => neighbours(arrays, children, weights, arrays.names.indexOf(text));
  expect(named(of('read').callers)).toEqual([
    ['f', 5],
    ['g', 3],
    ['-', 1],
  ]);
  expect(named(of('f').callees)).toEqual([
    ['read', 5],
    ['write', 2],
  ]);
});
