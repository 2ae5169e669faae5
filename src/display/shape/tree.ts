import { type HierarchyRectangularNode, hierarchy, partition } from 'd3-hierarchy';
import { WeightedTrie } from '../../common/stack-trie.ts';
import { type NodeWeights, nodeWeights } from './flame.ts';

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

  /** By node of the trie: the weight that ends there, and the weight that ends there or passes through. */
  weights(): NodeWeights {
    return nodeWeights(this.trie.parents, this.trie.self);
  }
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
  /** Frames that were too narrow to draw. */
  readonly folded: number;
}

/**
 * Lays the tree out like flamegraph.pl: children sorted by name, widths proportional to weight, a frame's own weight
 * to the left of its children. Frames narrower than `minWidth` are left out, and with them what stands on them.
 */
export function layoutFlame(tree: StackTree, width: number, minWidth: number): FlameLayout {
  const pruned = prune(tree, width, minWidth);
  const root = partition<PrunedNode>().size([width, 1])(
    hierarchy(pruned.root, (node) => node.children).sum((node) => (node.children === undefined ? node.total : 0)),
  );
  const boxes: FrameBox[] = [];
  let levels = 1;
  root.eachBefore((node: HierarchyRectangularNode<PrunedNode>) => {
    const { name, total, self } = node.data;
    if (name === undefined) return;
    levels = Math.max(levels, node.depth + 1);
    boxes.push({ name, depth: node.depth, x: node.x0, width: node.x1 - node.x0, total, self });
  });
  return { boxes, levels, folded: pruned.folded };
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
  const pending: { node: PrunedNode; path: string }[] = (prune(tree, width, minWidth).root.children ?? []).map(
    (node) => ({ node, path: '' }),
  );
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { node, path } = next;
    if (node.name === undefined) {
      // The own weight of the root has no frame to stand on: it cannot be, since every stack has a frame.
      if (path !== '') yield `${path} ${node.total}\n`;
      continue;
    }
    const own = `${path}${clean(node.name)};`;
    if (node.children === undefined) yield `${own} ${node.total}\n`;
    else for (const child of node.children) pending.push({ node: child, path: own });
  }
}

/** A node as drawn. One without a name is the part of its parent that no drawn child covers. */
interface PrunedNode {
  readonly name: string | undefined;
  readonly total: number;
  readonly self: number;
  children: PrunedNode[] | undefined;
}

function prune(tree: StackTree, width: number, minWidth: number): { root: PrunedNode; folded: number } {
  const { trie } = tree;
  const { names, parents, frames } = trie;
  const { total, self } = tree.weights();
  const minTotal = (minWidth / width) * tree.total;
  let folded = 0;
  const root: PrunedNode = { name: 'all', total: total[0]!, self: self[0]!, children: undefined };
  const kept = new Map<number, PrunedNode>([[0, root]]);
  for (let node = 1; node < trie.size; node++) {
    const parent = kept.get(parents[node]!);
    if (parent === undefined) continue;
    if (total[node]! < minTotal) {
      folded++;
      continue;
    }
    const pruned = { name: names[frames[node]!]!, total: total[node]!, self: self[node]!, children: undefined };
    kept.set(node, pruned);
    parent.children ??= [];
    parent.children.push(pruned);
  }
  for (const node of kept.values()) {
    if (node.children === undefined) continue;
    node.children.sort(byName);
    const uncovered = node.children.reduce((rest, child) => rest - child.total, node.total);
    if (uncovered > 0) {
      node.children.unshift({ name: undefined, total: uncovered, self: uncovered, children: undefined });
    }
  }
  return { root, folded };
}

/** The order in which sorted folded text has them: `a.b` before `a`, since `.` comes before the `;` that ends a frame. */
function byName(a: PrunedNode, b: PrunedNode): number {
  const [left, right] = [`${a.name};`, `${b.name};`];
  return left < right ? -1 : left > right ? 1 : 0;
}
