import fc from 'fast-check';
import { expect, test } from 'vitest';
import { holdsMatch, matchedWeight } from '../../../src/display/shape/matches.ts';
import { StackTree } from '../../../src/display/shape/tree.ts';

const NAMES = ['a', 'b', 'c', 'main'];
const stacks = fc.array(
  fc.tuple(fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 20 })),
  { minLength: 1, maxLength: 40 },
);

test('what matches is found at and below any node, and nothing of it twice', () => {
  fc.assert(
    fc.property(stacks, fc.subarray(NAMES), fc.nat(), (all, wanted, pick) => {
      const tree = new StackTree();
      for (const [stack, weight] of all) tree.add(stack, weight);
      const { trie } = tree;
      const { total } = tree.weights();
      const matches = trie.names.map((name) => wanted.includes(name));
      const from = pick % trie.size;
      const base = trie.stackOf(from);
      // By definition: stacks that go through `from`, and match there or above it.
      const through = all.filter(([stack]) => base.every((frame, i) => stack[i] === frame));
      const start = Math.max(0, base.length - 1);
      const found = through.filter(([stack]) => stack.slice(start).some((frame) => wanted.includes(frame)));
      const sum = found.reduce((weight, [, own]) => weight + own, 0);
      expect(matchedWeight(trie, total, from, matches)).toBe(sum);
      expect(holdsMatch(trie, total, matches)[from] === 1).toBe(sum > 0);
    }),
  );
});
