/*
 * Flame graph layout on arrays, for stacks that are a tree already: what a browser zooms through without laying out what
 * cannot be seen. The figure is that of layoutFlame in tree.ts.
 */

export interface TreeArrays {
  readonly names: readonly string[];
  /** The parent of a node has a lower number; node 0 is above all. */
  readonly parents: Int32Array;
  readonly frames: Int32Array;
}

/** By node: the weight of the stacks that end there, and of those that end there or pass through. */
export interface NodeWeights {
  readonly total: Float64Array;
  readonly self: Float64Array;
}

/** Adds up the weights from the leaves to the root. */
export function nodeWeights(parents: Int32Array, self: Float64Array): NodeWeights {
  const total = self.slice();
  for (let node = parents.length - 1; node > 0; node--) total[parents[node]!]! += total[node]!;
  return { total, self };
}

/** The weights of the nodes of a tree, from those of its stacks: stack i ends at node `ends[i]`. */
export function nodeTotals({ parents }: TreeArrays, ends: Int32Array, weights: Float64Array): NodeWeights {
  const self = new Float64Array(parents.length);
  for (let i = 0; i < ends.length; i++) self[ends[i]!]! += weights[i]!;
  return nodeWeights(parents, self);
}

/** The children of every node, in the order of their names or in another. */
export class ChildLists {
  readonly #first: Int32Array;
  readonly #children: Int32Array;

  constructor(tree: TreeArrays, order?: (a: number, b: number) => number) {
    const { parents } = tree;
    const count = parents.length;
    const first = new Int32Array(count + 1);
    for (let node = 1; node < count; node++) first[parents[node]! + 1]!++;
    for (let node = 0; node < count; node++) first[node + 1]! += first[node]!;
    const children = new Int32Array(Math.max(0, count - 1));
    const next = first.slice();
    if (order === undefined) for (const node of nodesByName(tree)) children[next[parents[node]!]!++] = node;
    else {
      for (let node = 1; node < count; node++) children[next[parents[node]!]!++] = node;
      for (let node = 0; node < count; node++) {
        if (first[node + 1]! - first[node]! > 1) children.subarray(first[node]!, first[node + 1]!).sort(order);
      }
    }
    this.#first = first;
    this.#children = children;
  }

  of(node: number): Int32Array {
    return this.#children.subarray(this.#first[node]!, this.#first[node + 1]!);
  }
}

/** All nodes but node 0, in the order of their names: a counting sort. */
function nodesByName({ names, parents, frames }: TreeArrays): Int32Array {
  const ranks = nameRanks(names);
  const next = new Int32Array(names.length + 1);
  for (let node = 1; node < parents.length; node++) next[ranks[frames[node]!]! + 1]!++;
  for (let rank = 0; rank < names.length; rank++) next[rank + 1]! += next[rank]!;
  const nodes = new Int32Array(Math.max(0, parents.length - 1));
  for (let node = 1; node < parents.length; node++) nodes[next[ranks[frames[node]!]!]!++] = node;
  return nodes;
}

/** The place of each name among all, as sorted folded text has them: each name ends in the `;` behind it. */
function nameRanks(names: readonly string[]): Int32Array {
  const keys = names.map((name) => `${name};`);
  const ranks = new Map(keys.toSorted().map((key, rank) => [key, rank]));
  return Int32Array.from(keys, (key) => ranks.get(key)!);
}

/** A frame to draw, in pixels; `depth` counts from the root, node 0. */
export interface FlameBox {
  readonly node: number;
  readonly depth: number;
  readonly x: number;
  readonly width: number;
}

/**
 * The frames that are wider than `minWidth` pixels, from the root up and from left to right, each with what stands on it before the next one. The node `zoom` takes the whole width, and
 * so do those below it. `starts` tells where each is, by the weight before it; without, each is beside the one before.
 */
export function flameBoxes(
  tree: TreeArrays,
  children: ChildLists,
  total: Float64Array,
  zoom: number,
  width: number,
  minWidth: number,
  starts?: Float64Array,
): FlameBox[] {
  const path: number[] = [];
  for (let node = zoom; node !== 0; node = tree.parents[node]!) path.unshift(node);
  const boxes: FlameBox[] = [{ node: 0, depth: 0, x: 0, width }];
  for (const [i, node] of path.entries()) boxes.push({ node, depth: i + 1, x: 0, width });
  if (!(total[zoom]! > 0)) return boxes;
  const scale = width / total[zoom]!;
  const pending: FlameBox[] = [boxes.pop()!];
  for (let box = pending.pop(); box !== undefined; box = pending.pop()) {
    boxes.push(box);
    const depth = box.depth + 1;
    const nodes = children.of(box.node);
    // A frame's own weight, and what is too narrow, stands left of its children.
    let end = box.x + total[box.node]! * scale;
    for (let i = nodes.length - 1; i >= 0; i--) {
      const node = nodes[i]!;
      const own = total[node]! * scale;
      if (own < minWidth) continue;
      end -= own;
      pending.push({
        node,
        depth,
        x: starts === undefined ? end : (starts[node]! - starts[zoom]!) * scale,
        width: own,
      });
    }
  }
  return boxes;
}
