import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  foldedLines,
  layoutFlame,
  MOST_LEVELS,
  StackTree,
  type WideTree,
  wideTree,
} from '../../../src/display/shape/tree.ts';

type Weighted = readonly [stack: readonly string[], weight: number];

function treeOf(stacks: readonly Weighted[]): StackTree {
  const tree = new StackTree();
  for (const [stack, weight] of stacks) tree.add(stack, weight);
  return tree;
}

/** Few names, so that stacks share their beginnings; some that sort in unexpected ways, and some that are properties of objects. */
const name = fc.constantFrom('a', 'a.b', 'a b', 'B', 'main', 'ä', '__proto__', 'constructor', '', '7');
const weighted: fc.Arbitrary<Weighted> = fc.tuple(
  fc.array(name, { minLength: 1, maxLength: 6 }),
  fc.integer({ min: 0, max: 50 }),
);

/** The rectangles by their definition, from the sorted list of stacks, one prefix at a time. */
function slowLayout(stacks: readonly Weighted[], width: number) {
  const total = stacks.reduce((sum, [, weight]) => sum + weight, 0);
  const key = (stack: readonly string[]) => stack.map((frame) => `${frame};`).join('');
  const sorted = stacks.filter(([, weight]) => weight > 0).sort(([a], [b]) => compareStacks(a, b));
  const boxes = [{ path: '', depth: 0, x: 0, width: total === 0 ? 0 : width, total }];
  const prefixes = new Set(sorted.flatMap(([stack]) => stack.map((_, i) => key(stack.slice(0, i + 1)))));
  for (const path of prefixes) {
    const within = sorted.filter(([stack]) => key(stack).startsWith(path));
    const before = sorted.slice(0, sorted.indexOf(within[0] as Weighted)).reduce((sum, [, weight]) => sum + weight, 0);
    const own = within.reduce((sum, [, weight]) => sum + weight, 0);
    boxes.push({
      path,
      depth: path.split(';').length - 1,
      x: (before / total) * width,
      width: (own / total) * width,
      total: own,
    });
  }
  return boxes;
}

function compareStacks(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [left, right] = [`${a[i]};`, `${b[i]};`];
    if (left !== right) return left < right ? -1 : 1;
  }
  return a.length - b.length;
}

describe('StackTree', () => {
  it('merges stacks from the root', () => {
    const tree = treeOf([
      [['a', 'b'], 3],
      [['a'], 2],
      [['a', 'c'], 1],
    ]);
    const { total, self } = tree.weights();
    const nodes = [...total].map((weight, node) => [tree.trie.stackOf(node).join(';'), weight, self[node]]);
    expect(nodes).toEqual([
      ['', 6, 0],
      ['a', 6, 2],
      ['a;b', 3, 3],
      ['a;c', 1, 1],
    ]);
    expect(tree.total).toBe(6);
  });

  it('leaves no trace of a weight of 0', () => {
    expect(treeOf([[['a'], 0]]).trie.size).toBe(1);
  });
});

/** The rectangles of the frames, with what the tree says of them. */
function laidOut(wide: WideTree, width: number) {
  return layoutFlame(wide, width).boxes.map(({ node, ...box }) => {
    const name = node === 0 ? 'all' : wide.names[wide.frames[node]!]!;
    return { ...box, name, total: wide.total[node]! };
  });
}

describe('layoutFlame', () => {
  it('agrees with the definition', () => {
    fc.assert(
      fc.property(fc.array(weighted, { maxLength: 30 }), (stacks) => {
        const boxes = laidOut(wideTree(treeOf(stacks), 1000, 0), 1000);
        const path: string[] = [];
        const found = boxes.map(({ name: frame, depth, x, width, total }) => {
          path.length = Math.max(0, depth - 1);
          if (depth > 0) path.push(`${frame};`);
          return { path: path.join(''), depth, x: round(x), width: round(width), total };
        });
        const wanted = slowLayout(stacks, 1000).map((box) => ({ ...box, x: round(box.x), width: round(box.width) }));
        const order = (a: { path: string }, b: { path: string }) => (a.path < b.path ? -1 : 1);
        // The empty tree has a root without width; its x and width say nothing.
        if (stacks.every(([, weight]) => weight === 0)) expect(found).toHaveLength(1);
        else expect(found.sort(order)).toEqual(wanted.sort(order));
      }),
    );
  });

  it('leaves out what is narrower than asked, and counts it', () => {
    const tree = treeOf([
      [['wide', 'deep'], 999],
      [['narrow', 'on it'], 1],
    ]);
    const wide = wideTree(tree, 100, 0.5);
    const boxes = laidOut(wide, 100);
    expect(boxes.map((box) => box.name)).toEqual(['all', 'wide', 'deep']);
    expect([wide.narrow, layoutFlame(wide, 100).levels]).toEqual([2, 3]);
    expect(boxes[1]?.width).toBeCloseTo(99.9);
  });

  it('lays out stacks of any depth that is drawn', () => {
    const stack = Array.from({ length: MOST_LEVELS }, (_, i) => `f${i}`);
    expect(layoutFlame(wideTree(treeOf([[stack, 1]]), 100, 0.1), 100).levels).toBe(MOST_LEVELS + 1);
  });
});

describe('foldedLines', () => {
  it('carries the whole weight, narrow frames in the frame below them', () => {
    const lines = [
      ...foldedLines(
        wideTree(
          treeOf([
            [['a', 'b'], 5],
            [['a', 'c'], 5],
            [['a', 'd'], 1],
          ]),
          100,
          20,
        ),
      ),
    ];
    expect(lines.sort()).toEqual(['a; 1\n', 'a;b; 5\n', 'a;c; 5\n']);
  });

  it('gives back every stack', () => {
    fc.assert(
      fc.property(fc.array(weighted, { maxLength: 30 }), (stacks) => {
        const sums = new Map<string, number>();
        for (const [stack, weight] of stacks) {
          const key = `${stack.join(';')};`;
          if (weight > 0) sums.set(key, (sums.get(key) ?? 0) + weight);
        }
        const lines = [...foldedLines(wideTree(treeOf(stacks), 1000, 0))];
        const read = lines.map((line) => /^(.*) (\d+)\n$/s.exec(line)).map((match) => [match?.[1], Number(match?.[2])]);
        expect(new Map(read as [string, number][])).toEqual(sums);
      }),
    );
  });
});

function round(value: number): number {
  return Math.round(value * 1e6) / 1e6 + 0;
}

it('frames that nobody could look at are not drawn, by either engine, and are counted', () => {
  const tree = treeOf([
    [Array.from({ length: 2 * MOST_LEVELS }, () => 'f'), 3_000_000],
    [['sh', 'main'], 1_000_000],
    // Too narrow anyway.
    [[...Array.from({ length: MOST_LEVELS + 1 }, () => 'f'), 'g', 'h'], 1],
  ]);
  const wide = wideTree(tree, 1000, 0.1);
  expect(wide).toMatchObject({ tooDeep: MOST_LEVELS, narrow: 2 });
  // The one that everything stands on is no frame.
  expect(layoutFlame(wide, 1000).levels).toBe(MOST_LEVELS + 1);
  const lines = [...foldedLines(wide)];
  expect(lines.map((line) => line.split(';').length - 1).sort()).toEqual([2, MOST_LEVELS]);
  expect(lines.map((line) => line.split(' ').at(-1)).sort()).toEqual(['1000000\n', '3000001\n']);
});
