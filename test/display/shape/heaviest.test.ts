import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StackTrie } from '../../../src/common/stack-trie.ts';
import { nodeTotals } from '../../../src/display/shape/flame.ts';
import { foldLightest, heaviestNodes } from '../../../src/display/shape/heaviest.ts';

const stack = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'main'), { minLength: 1, maxLength: 7 });
const profile = fc.array(fc.tuple(stack, fc.integer({ min: 0, max: 40 })), { minLength: 1, maxLength: 60 });

function treeOf(stacks: readonly (readonly [readonly string[], number])[]) {
  const trie = new StackTrie();
  const ends = Int32Array.from(stacks, ([frames, weight]) => (weight > 0 ? trie.add(frames) : 0));
  const weights = Float64Array.from(stacks, ([, weight]) => weight);
  return { trie, ends, weights };
}

describe('heaviestNodes', () => {
  it('are as many as were asked for, none lighter than one that is left out, each with all that it stands on', () => {
    fc.assert(
      fc.property(profile, fc.integer({ min: 1, max: 30 }), (stacks, most) => {
        const { trie, ends, weights } = treeOf(stacks);
        const { total } = nodeTotals(trie, ends, weights);
        const isKept = heaviestNodes(total, most);
        const kept = [...isKept.keys()].filter((node) => isKept[node] === 1);
        const others = [...isKept.keys()].filter((node) => isKept[node] === 0);
        expect(kept).toHaveLength(Math.min(most, trie.size));
        const least = Math.min(...kept.map((node) => total[node]!));
        for (const node of others) expect(total[node]).toBeLessThanOrEqual(least);
        for (const node of kept) expect(isKept[trie.parents[node]!]).toBe(1);
      }),
    );
  });
});

describe('foldLightest', () => {
  it('keeps what a node that stays weighs, whose a stack is, and its frames as far as they stay', () => {
    fc.assert(
      fc.property(profile, fc.integer({ min: 1, max: 30 }), (stacks, most) => {
        const { trie, ends, weights } = treeOf(stacks);
        const before = nodeTotals(trie, ends, weights);
        const folded = foldLightest(trie, ends, weights, most);
        const after = nodeTotals(folded, folded.ends, weights);
        expect(after.total[0]).toBe(before.total[0]);
        expect(folded.parents.length + folded.folded).toBe(trie.size);
        const pathOf = (tree: Pick<typeof folded, 'names' | 'parents' | 'frames'>, end: number): string[] => {
          const path: string[] = [];
          for (let node = end; node !== 0; node = tree.parents[node]!) path.unshift(tree.names[tree.frames[node]!]!);
          return path;
        };
        const totals = new Map<string, number>();
        for (let node = 1; node < trie.size; node++) {
          totals.set(JSON.stringify(pathOf(trie, node)), before.total[node]!);
        }
        for (let node = 1; node < folded.parents.length; node++) {
          expect(folded.parents[node]).toBeLessThan(node);
          expect(totals.get(JSON.stringify(pathOf(folded, node)))).toBe(after.total[node]);
        }
        for (const [i, [frames, weight]] of stacks.entries()) {
          if (weight === 0) continue;
          const path = pathOf(folded, folded.ends[i]!);
          expect(path).toEqual(frames.slice(0, path.length));
          expect(path.length).toBeGreaterThan(0);
        }
      }),
    );
  });

  it('leaves a tree as it is that is small enough', () => {
    const { trie, ends, weights } = treeOf([[['a', 'b'], 1]]);
    expect(foldLightest(trie, ends, weights, 3)).toMatchObject({ ends, folded: 0 });
    expect(foldLightest(trie, ends, weights, 2)).toMatchObject({ names: ['a'], folded: 1, heaviest: 1 });
  });
});
