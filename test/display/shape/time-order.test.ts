import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChildLists, flameBoxes } from '../../../src/display/shape/flame.ts';
import { timeTree } from '../../../src/display/shape/time-order.ts';

const NAMES = ['main', 'read', 'parse', 'write'];

function treeOf(samples: readonly (readonly [stack: readonly number[], weight: number])[]) {
  return timeTree(NAMES, {
    length: samples.length,
    framesOf: (sample) => Int32Array.from(samples[sample]![0]),
    weightOf: (sample) => samples[sample]![1],
  });
}

test('what follows each other shares frames; what comes back later stands by itself', () => {
  const tree = treeOf([
    [[0, 1], 2],
    [[0, 1], 3],
    [[0, 2], 1],
    [[0], 4],
    [[0, 1, 3], 5],
  ]);
  const boxes = flameBoxes(tree, new ChildLists(tree, (a, b) => a - b), tree.total, 0, 150, 0, tree.starts);
  const drawn = boxes.map(({ node, depth, x, width }) => [
    node === 0 ? 'all' : NAMES[tree.frames[node]!],
    depth,
    x,
    width,
  ]);
  expect(drawn.sort(([, a], [, b]) => Number(a) - Number(b))).toEqual([
    ['all', 0, 0, 150],
    ['main', 1, 0, 150],
    ['read', 2, 0, 50],
    ['parse', 2, 50, 10],
    ['read', 2, 100, 50],
    ['write', 3, 100, 50],
  ]);
  expect([...tree.self].reduce((sum, weight) => sum + weight, 0)).toBe(15);
});

test('of what is zoomed to, each is where it began', () => {
  const tree = treeOf([
    [[0, 1], 10],
    [[2, 3], 30],
    [[2, 1], 10],
  ]);
  const children = new ChildLists(tree, (a, b) => a - b);
  const parse = children.of(0)[1]!;
  const boxes = flameBoxes(tree, children, tree.total, parse, 400, 0, tree.starts);
  expect(boxes.slice(2).map(({ x, width }) => [x, width])).toEqual([
    [0, 300],
    [300, 100],
  ]);
});

test('every sample is in the tree, with all of its frames and where it was', () => {
  const sample = fc.tuple(
    fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 5 }),
    fc.integer({ min: 1, max: 9 }),
  );
  fc.assert(
    fc.property(fc.array(sample, { maxLength: 40 }), (samples) => {
      const tree = treeOf(samples);
      let at = 0;
      for (const [stack, weight] of samples) {
        // The node of each depth that has begun by then, and has not ended.
        const found = stack.map((_, depth) => nodeAt(tree, depth + 1, at));
        expect(found.map((node) => tree.frames[node]!)).toEqual([...stack]);
        at += weight;
      }
      expect(tree.total[0]).toBe(at);
    }),
  );
});

function nodeAt({ parents, starts, total }: ReturnType<typeof treeOf>, depth: number, at: number): number {
  const depthOf = (node: number): number => (node === 0 ? 0 : 1 + depthOf(parents[node]!));
  return parents.findIndex(
    (_, node) => depthOf(node) === depth && starts[node]! <= at && at < starts[node]! + total[node]!,
  );
}
