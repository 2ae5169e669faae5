import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChildLists } from '../../../src/display/shape/flame.ts';
import { StackTree } from '../../../src/display/shape/tree.ts';
import { type TreemapBox, treemapBoxes } from '../../../src/display/shape/treemap.ts';

const name = fc.constantFrom('a', 'b', 'c', 'main', 'read', '__proto__');
const stacks = fc.array(fc.tuple(fc.array(name, { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 1000 })), {
  minLength: 1,
  maxLength: 40,
});

function layout(all: readonly (readonly [readonly string[], number])[], levels: number, at: readonly string[] = []) {
  const tree = new StackTree();
  for (const [stack, weight] of all) tree.add(stack, weight);
  const { trie } = tree;
  const children = new ChildLists({ names: trie.names, parents: trie.parents, frames: trie.frames });
  return { tree, boxes: treemapBoxes(children, tree.weights(), trie.add(at), levels, 800, 500) };
}

const sum = (boxes: readonly TreemapBox[]): number => boxes.reduce((total, { weight }) => total + weight, 0);

test('the weights of the first level add up to everything, and nothing reaches out of its place', () => {
  fc.assert(
    fc.property(stacks, fc.integer({ min: 1, max: 4 }), (all, levels) => {
      const { tree, boxes } = layout(all, levels);
      expect(sum(boxes.filter(({ level }) => level === 1))).toBe(tree.total);
      for (const { x, y, width, height, level } of boxes) {
        expect(level).toBeLessThanOrEqual(levels);
        expect(x).toBeGreaterThanOrEqual(0);
        expect(y).toBeGreaterThanOrEqual(0);
        expect(x + width).toBeLessThanOrEqual(800.001);
        expect(y + height).toBeLessThanOrEqual(500.001);
      }
    }),
  );
});

test('areas are proportional to weights', () => {
  const { boxes } = layout(
    [
      [['a'], 300],
      [['b'], 100],
    ],
    1,
  );
  const [a, b] = boxes.map(({ width, height }) => width * height);
  expect((a as number) / (b as number)).toBeCloseTo(3, 1);
});

test('one level down, with what the node weighs by itself', () => {
  const { boxes, tree } = layout(
    [
      [['app', 'read'], 30],
      [['app', 'write'], 20],
      [['app'], 10],
      [['other'], 99],
    ],
    1,
    ['app'],
  );
  expect(boxes.map(({ part, weight }) => [part.kind, weight])).toEqual([
    ['node', 30],
    ['node', 20],
    ['self', 10],
  ]);
  expect(tree.total).toBe(159);
});

test('what is too small to be seen is one box, with its number', () => {
  const many = Array.from({ length: 100_000 }, (_, i): [string[], number] => [[`f${i}`], 1]);
  const { boxes } = layout([[['big'], 10_000_000], ...many], 1);
  expect(boxes.map(({ part, weight }) => [part.kind, weight, 'count' in part ? part.count : 0])).toEqual([
    ['node', 10_000_000, 0],
    ['rest', 100_000, 100_000],
  ]);
});
