import { WeightedTrie } from '../../common/stack-trie.ts';
import { ChildLists, flameBoxes, type NodeWeights, nodeWeights, type TreeArrays } from './flame.ts';
import { keptTree } from './heaviest.ts';

/** Stacks merged from the root, with a node above them that holds everything. */
export class StackTree {
  readonly trie = new WeightedTrie();

  /** Weight of all stacks. */
  get total(): number {
    return this.trie.total;
  }

  /** Adds a stack, root first. A weight of 0 leaves no trace. */
  add(stack: readonly string[], weight: number): void {
    this.trie.addWeight(stack, weight);
  }

  /** Nodes that are more than MOST_LEVELS deep. */
  get tooDeep(): number {
    return depthsOf(this.trie.parents).reduce((count, depth) => count + Number(depth > MOST_LEVELS), 0);
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

/** By node of a tree, how many are below it; a parent has a lower number than its children. */
function depthsOf(parents: Int32Array): Int32Array {
  const depths = new Int32Array(parents.length);
  for (let node = 1; node < parents.length; node++) depths[node] = depths[parents[node]!]! + 1;
  return depths;
}

/** A frame's rectangle. `x` and `width` are in the units of the layout's width; `depth` is 0 for the root. */
export interface FrameBox {
  readonly name: string;
  readonly depth: number;
  readonly x: number;
  readonly width: number;
  readonly total: number;
  readonly self: number;
}

export interface FlameLayout {
  /** In drawing order: a parent before its children, children from left to right. */
  readonly boxes: readonly FrameBox[];
  /** Number of levels, the root included. */
  readonly levels: number;
  /** Frames that were too narrow to draw, on one that was not. */
  readonly folded: number;
}

/**
 * Lays the tree out like flamegraph.pl: children sorted by name, widths proportional to weight, a frame's own weight
 * to the left of its children. Frames narrower than `minWidth` are left out, and with them what stands on them; so are those
 * that are more than MOST_LEVELS deep.
 */
export function layoutFlame(tree: StackTree, width: number, minWidth: number): FlameLayout {
  const { names, parents, frames, total, self, folded } = wideNodes(tree, width, minWidth);
  const wide = { names, parents, frames };
  let levels = 1;
  const boxes = flameBoxes(wide, new ChildLists(wide), total, 0, width, 0).map((box): FrameBox => {
    levels = Math.max(levels, box.depth + 1);
    const name = box.node === 0 ? 'all' : names[frames[box.node]!]!;
    return { name, depth: box.depth, x: box.x, width: box.width, total: total[box.node]!, self: self[box.node]! };
  });
  return { boxes, levels, folded };
}

/**
 * The tree in folded text, `frame;frame;... weight` lines, without the frames that would be too narrow: their weight
 * stays with the frame below them. `clean` must give a frame without `;` and line ends.
 *
 * Each line has a `;` behind its last frame. Readers drop the empty field after it, and it keeps the lines of a frame
 * together when they are sorted (`a` before `a.b` before `a;c` would draw `a` twice) and a frame that ends in a
 * number from being read as a second weight.
 */
export function* foldedLines(
  tree: StackTree,
  width: number,
  minWidth: number,
  clean: (frame: string) => string,
): Generator<string> {
  const { names, parents, frames, total } = wideNodes(tree, width, minWidth);
  const children = new ChildLists({ names, parents, frames });
  const pending = [...children.of(0)].map((node) => ({ node, below: '' }));
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const path = `${next.below}${clean(names[frames[next.node]!]!)};`;
    let uncovered = total[next.node]!;
    for (const child of children.of(next.node)) {
      uncovered -= total[child]!;
      pending.push({ node: child, below: path });
    }
    if (uncovered > 0) yield `${path} ${uncovered}\n`;
  }
}

/** How many frames are narrower than `minWidth`, with all that stands on them. */
export function narrowFrames(tree: StackTree, width: number, minWidth: number): number {
  const { total } = tree.weights();
  const least = (minWidth / width) * tree.total;
  return total.reduce((count, weight) => count + Number(weight > 0 && weight < least), 0);
}

interface WideNodes extends TreeArrays, NodeWeights {
  /** Nodes that were too narrow, on one that was not. */
  readonly folded: number;
}

/** The nodes that are at least `minWidth` wide where all weight is `width` wide. What is narrower, nobody sees. */
function wideNodes(tree: StackTree, width: number, minWidth: number): WideNodes {
  const { trie } = tree;
  const { parents } = trie;
  const { total, self } = tree.weights();
  const least = (minWidth / width) * tree.total;
  const isWide = new Uint8Array(total.length);
  isWide[0] = 1;
  const depths = depthsOf(parents);
  let folded = 0;
  for (let node = 1; node < total.length; node++) {
    if (depths[node]! > MOST_LEVELS) continue;
    if (total[node]! >= least && total[node]! > 0) isWide[node] = 1;
    else if (total[node]! > 0) folded += isWide[parents[node]!]!;
  }
  const { nodes, ...wide } = keptTree(trie, isWide);
  const weightsOf = (weights: Float64Array) => Float64Array.from(nodes, (node) => weights[node]!);
  return { ...wide, total: weightsOf(total), self: weightsOf(self), folded };
}
