import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StackColumnParser } from '../../src/common/columns.ts';
import { StackPath, StackTrie, WeightedTrie } from '../../src/common/stack-trie.ts';

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

test('the way of stacks that are read as columns is that of their frames, whichever of them are asked for', () => {
  const asked = fc.tuple(fc.array(name, { minLength: 1, maxLength: 8 }), fc.boolean());
  fc.assert(
    fc.property(fc.array(asked, { maxLength: 200 }), fc.integer({ min: 1, max: 50 }), (all, rows) => {
      const [trie, fromInside] = [new StackTrie(), new StackTrie()];
      const [path, inside] = [new StackPath(trie), new StackPath(fromInside)];
      const parser = new StackColumnParser(1e6);
      for (let from = 0; from < all.length; from += rows) {
        const part = all.slice(from, from + rows);
        parser.parse(Buffer.from(part.map(([stack]) => `1#${stack.join(';')}\n`).join('')), 0);
        const columns = parser.take();
        for (const [i, [stack, isAsked]] of part.entries()) {
          path.move(columns, i);
          inside.move(columns, i);
          expect(path.root).toBe(stack[0]);
          if (!isAsked) continue;
          expect(trie.stackOf(path.end())).toEqual(stack);
          expect(fromInside.stackOf(inside.reversedEnd())).toEqual(stack.toReversed());
        }
      }
      const prefixes = all.flatMap(([stack, isAsked]) =>
        isAsked ? stack.map((_, depth) => JSON.stringify(stack.slice(0, depth + 1))) : [],
      );
      expect(trie.size).toBe(new Set(prefixes).size + 1);
    }),
  );
});

test('different stacks are counted once, whatever their weights, and however large the trie becomes', () => {
  const trie = new WeightedTrie(4);
  trie.addWeight(['a', 'b'], 3);
  trie.addWeight(['a', 'b'], 2);
  trie.addWeight(['a'], 1);
  trie.addWeight(['c'], 0);
  expect(trie.count).toBe(2);
  for (let round = 0; round < 2; round++) for (let i = 0; i < 100; i++) trie.addWeight(['a', `f${i}`], 1);
  expect(trie.count).toBe(102);
  expect([...trie.stacks()]).toHaveLength(102);
});
