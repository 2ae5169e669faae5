import { WeightedTrie } from '../../common/stack-trie.ts';
import { ChildLists, type FlameBox, flameBoxes, type NodeWeights, nodeWeights, type TreeArrays } from './flame.ts';
import { keptTree } from './heaviest.ts';

/** Stacks merged from the root, with a node above them that holds everything. */
export class StackTree {
  readonly trie: WeightedTrie;

  /** `nodes`: so many are expected. */
  constructor(nodes?: number) {
    this.trie = new WeightedTrie(nodes);
  }

  /** Weight of all stacks. */
  get total(): number {
    return this.trie.total;
  }

  /** Adds a stack, root first. A weight of 0 leaves no trace. */
  add(stack: readonly string[], weight: number): void {
    this.trie.addWeight(stack, weight);
  }

  /** By node of the trie: the weight that ends there, and the weight that ends there or passes through. */
  weights(): NodeWeights {
    return nodeWeights(this.trie.parents, this.trie.self);
  }
}

/**
 * Frames above each other that a picture has at most: nobody can look at more, and flamegraph.pl takes a minute and a GB for
 * a million.
 */
export const MOST_LEVELS = 5000;

/** The nodes of a tree that are wide enough to be seen, and what is left out. */
export interface WideTree extends TreeArrays {
  /** By node: the weight of the stacks that end there or pass through. */
  readonly total: Float64Array;
  /** Nodes that are too narrow. */
  readonly narrow: number;
  /** Nodes that are wide enough, and more than MOST_LEVELS deep, which are left out too. */
  readonly tooDeep: number;
}

/** The nodes that are at least `minWidth` wide where all weight is `width` wide. */
export function wideTree(tree: StackTree, width: number, minWidth: number): WideTree {
  const { trie } = tree;
  const { parents } = trie;
  const { total } = tree.weights();
  const least = (minWidth / width) * tree.total;
  const nodes = [0];
  // Of those that are wide enough, which stand on such: how deep they are, and one more.
  const depths = new Int32Array(total.length);
  depths[0] = 1;
  let narrow = 0;
  let tooDeep = 0;
  for (let node = 1; node < total.length; node++) {
    const below = depths[parents[node]!]!;
    if (total[node]! < least) {
      narrow++;
      continue;
    }
    depths[node] = below + 1;
    if (below > MOST_LEVELS) tooDeep++;
    else nodes.push(node);
  }
  const wideTotal = new Float64Array(nodes.length);
  for (let i = 0; i < nodes.length; i++) wideTotal[i] = total[nodes[i]!]!;
  return { ...keptTree(trie, nodes), total: wideTotal, narrow, tooDeep };
}

export interface FlameLayout {
  /** In drawing order: a parent before its children, children from left to right. Their nodes are those of the tree. */
  readonly boxes: readonly FlameBox[];
  /** Number of levels, the root included. */
  readonly levels: number;
}

/**
 * Lays the tree out like flamegraph.pl: children sorted by name, widths proportional to weight, a frame's own weight
 * to the left of its children.
 */
export function layoutFlame(wide: WideTree, width: number): FlameLayout {
  const boxes = flameBoxes(wide, new ChildLists(wide), wide.total, 0, width, 0);
  let levels = 1;
  for (const { depth } of boxes) levels = Math.max(levels, depth + 1);
  return { boxes, levels };
}

/**
 * The tree in folded text, `frame;frame;... weight` lines: the weight of what is too narrow stays with the frame below it. No
 * name may have `;` and line ends.
 *
 * Each line has a `;` behind its last frame. Readers drop the empty field after it, and it keeps the lines of a frame
 * together when they are sorted (`a` before `a.b` before `a;c` would draw `a` twice) and a frame that ends in a
 * number from being read as a second weight.
 */
export function* foldedLines(wide: WideTree): Generator<string> {
  const { names, frames, total } = wide;
  const children = new ChildLists(wide);
  const pending = [...children.of(0)].map((node) => ({ node, below: '' }));
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const path = `${next.below}${names[frames[next.node]!]!};`;
    let uncovered = total[next.node]!;
    for (const child of children.of(next.node)) {
      uncovered -= total[child]!;
      pending.push({ node: child, below: path });
    }
    if (uncovered > 0) yield `${path} ${uncovered}\n`;
  }
}
