import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StackTrie } from '../../src/common/stack-trie.ts';

const name = fc.constantFrom('a', 'b', 'main', '__proto__', '', 'ä');
const stacks = fc.array(fc.array(name, { minLength: 1, maxLength: 8 }), { maxLength: 200 });

test('equal stacks end at the same node, different ones do not, and a node tells its stack', () => {
  fc.assert(
    fc.property(stacks, (all) => {
      const trie = new StackTrie();
      const ends = all.map((stack) => trie.add(stack));
      const keys = all.map((stack) => JSON.stringify(stack));
      expect(new Set(ends).size).toBe(new Set(keys).size);
      for (const [i, end] of ends.entries()) expect(JSON.stringify(trie.stackOf(end))).toBe(keys[i]);
      const prefixes = all.flatMap((stack) => stack.map((_, depth) => JSON.stringify(stack.slice(0, depth + 1))));
      expect(trie.size).toBe(new Set(prefixes).size + 1);
      for (let node = 1; node < trie.size; node++) expect(trie.parents[node]).toBeLessThan(node);
    }),
  );
});

test('many nodes, which need larger tables', () => {
  const trie = new StackTrie();
  const ends = Array.from({ length: 50_000 }, (_, i) => trie.add(['root', `f${i % 300}`, `g${i}`]));
  expect(new Set(ends).size).toBe(50_000);
  expect(trie.size).toBe(1 + 1 + 300 + 50_000);
  expect(trie.stackOf(ends[12_345]!)).toEqual(['root', 'f45', 'g12345']);
  expect(trie.add(['root', 'f45', 'g12345'])).toBe(ends[12_345]);
});
