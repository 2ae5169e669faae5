import type { TreeArrays } from './flame.ts';

/*
 * What is found in a tree of stacks. A parent has a lower number than its children, so that one pass over all nodes does.
 */

/**
 * Weight at and below the node `from` of the outermost frames whose names match, so that nothing counts twice.
 * @param matches by name.
 */
export function matchedWeight(
  { parents, frames }: TreeArrays,
  total: Float64Array,
  from: number,
  matches: readonly boolean[],
): number {
  if (from !== 0 && matches[frames[from]!] === true) return total[from]!;
  /** Nodes at and below `from` that stand on no match. */
  const isOpen = new Uint8Array(parents.length);
  isOpen[from] = 1;
  let sum = 0;
  for (let node = from + 1; node < parents.length; node++) {
    if (isOpen[parents[node]!] === 0) continue;
    if (matches[frames[node]!] === true) sum += total[node]!;
    else isOpen[node] = 1;
  }
  return sum;
}

/** By node, whether it matches, or something of any weight does that stands on it. */
export function holdsMatch(
  { parents, frames }: TreeArrays,
  total: Float64Array,
  matches: readonly boolean[],
): Uint8Array {
  const holds = new Uint8Array(parents.length);
  for (let node = parents.length - 1; node > 0; node--) {
    if (total[node]! > 0 && matches[frames[node]!] === true) holds[node] = 1;
    if (holds[node] === 1) holds[parents[node]!] = 1;
  }
  return holds;
}
