import { nodeTotals, type TreeArrays } from './flame.ts';

/**
 * Which nodes are the `most` heaviest: 1 for those, 0 for the others. With a node all that it stands on is among them.
 * @param total by node, of a tree in which a parent has a lower number than its children.
 */
export function heaviestNodes(total: Float64Array, most: number): Uint8Array {
  const isKept = new Uint8Array(total.length);
  if (total.length <= most) return isKept.fill(1);
  // Of equally heavy ones the first: a parent weighs as much as its child, or more, and comes before it.
  const least = total.slice().sort()[total.length - most]!;
  let equal = most - total.reduce((count, weight) => count + (weight > least ? 1 : 0), 0);
  for (let node = 0; node < total.length; node++) {
    if (total[node]! > least || (total[node] === least && equal-- > 0)) isKept[node] = 1;
  }
  return isKept;
}

/** A tree whose lightest nodes are folded into what they stand on. */
export interface FoldedTree extends TreeArrays {
  /** For each stack, the node at which it ends. */
  readonly ends: Int32Array;
  /** Nodes that are gone, and what the heaviest of them weighed. */
  readonly folded: number;
  readonly heaviest: number;
}

/**
 * Keeps the `most` heaviest nodes, and those that stand on node 0, which say whose a stack is. All weights stay: those of what is
 * folded count for the node below it.
 * @param weights of stack i, which ends at node `ends[i]`.
 */
export function foldLightest(tree: TreeArrays, ends: Int32Array, weights: Float64Array, most: number): FoldedTree {
  const { names, parents, frames } = tree;
  if (parents.length <= most) return { names, parents, frames, ends, folded: 0, heaviest: 0 };
  const { total } = nodeTotals(tree, ends, weights);
  const isKept = heaviestNodes(total, most);
  let heaviest = 0;
  for (let node = 1; node < parents.length; node++) {
    if (parents[node] === 0) isKept[node] = 1;
    else if (isKept[node] === 0) heaviest = Math.max(heaviest, total[node]!);
  }
  const nodes: number[] = [];
  // Of what is folded, the place of the node below it.
  const place = new Int32Array(parents.length);
  for (let node = 0; node < parents.length; node++) {
    place[node] = isKept[node] === 0 ? place[parents[node]!]! : nodes.push(node) - 1;
  }
  return {
    ...keptTree(tree, nodes),
    ends: ends.map((end) => place[end]!),
    folded: parents.length - nodes.length,
    heaviest,
  };
}

/** Only some nodes of a tree, node 0 first and in their order, under new numbers: with a node all that it stands on is among them. */
export function keptTree({ names, parents, frames }: TreeArrays, nodes: readonly number[]): TreeArrays {
  const count = nodes.length;
  const kept = { names: [] as string[], parents: new Int32Array(count), frames: new Int32Array(count) };
  const place = new Int32Array(parents.length);
  // And one more; 0 where it is not known yet.
  const nameIds = new Int32Array(names.length);
  // Node 0 has no frame.
  for (let i = 1; i < count; i++) {
    const node = nodes[i]!;
    place[node] = i;
    kept.parents[i] = place[parents[node]!]!;
    const name = frames[node]!;
    if (nameIds[name] === 0) nameIds[name] = kept.names.push(names[name]!);
    kept.frames[i] = nameIds[name]! - 1;
  }
  return kept;
}
