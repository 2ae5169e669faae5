import type { ChildLists, NodeWeights, TreeArrays } from './flame.ts';

/** What a function weighs by itself, and with all that it calls. A recursive one counts once. */
export interface FunctionWeight {
  /** Place in the tree's names. */
  readonly name: number;
  readonly self: number;
  readonly total: number;
}

/** All functions with any weight, the largest total first. */
export function functionWeights(
  tree: TreeArrays,
  children: ChildLists,
  { total, self }: NodeWeights,
): FunctionWeight[] {
  const selfOf = new Float64Array(tree.names.length);
  const totalOf = new Float64Array(tree.names.length);
  const within = new Int32Array(tree.names.length);
  walk(children, (node, isEntering) => {
    const name = tree.frames[node]!;
    if (!isEntering) {
      within[name]!--;
      return total[node]! > 0;
    }
    if (total[node] === 0) return false;
    selfOf[name]! += self[node]!;
    if (within[name] === 0) totalOf[name]! += total[node]!;
    within[name]!++;
    return true;
  });
  const weights: FunctionWeight[] = [];
  for (let name = 0; name < totalOf.length; name++) {
    if (totalOf[name]! > 0) weights.push({ name, self: selfOf[name]!, total: totalOf[name]! });
  }
  return weights.sort((a, b) => b.total - a.total || b.self - a.self);
}

/** Who calls a function, and what it calls: weights by name, the largest first. Name -1 is above all roots. */
export interface Neighbours {
  readonly callers: readonly (readonly [name: number, weight: number])[];
  readonly callees: readonly (readonly [name: number, weight: number])[];
}

export function neighbours(tree: TreeArrays, children: ChildLists, { total }: NodeWeights, name: number): Neighbours {
  const callers = new Map<number, number>();
  const callees = new Map<number, number>();
  const add = (to: Map<number, number>, key: number, weight: number): void => {
    to.set(key, (to.get(key) ?? 0) + weight);
  };
  for (let node = 1; node < tree.parents.length; node++) {
    if (tree.frames[node] !== name || total[node] === 0) continue;
    const parent = tree.parents[node]!;
    add(callers, parent === 0 ? -1 : tree.frames[parent]!, total[node]!);
    for (const child of children.of(node)) if (total[child]! > 0) add(callees, tree.frames[child]!, total[child]!);
  }
  const sorted = (of: Map<number, number>): [number, number][] => [...of].sort(([, a], [, b]) => b - a);
  return { callers: sorted(callers), callees: sorted(callees) };
}

/** Goes through all nodes but 0, into and out of each; a node of which `visit` says false is not gone into, nor out of. */
function walk(children: ChildLists, visit: (node: number, isEntering: boolean) => boolean): void {
  const pending = [...children.of(0)].reverse();
  while (pending.length > 0) {
    const next = pending.pop()!;
    if (next < 0) {
      visit(-next, false);
      continue;
    }
    if (!visit(next, true)) continue;
    pending.push(-next);
    for (const child of children.of(next)) pending.push(child);
  }
}
