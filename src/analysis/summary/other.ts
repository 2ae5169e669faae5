/** What stands in a summary for all that is too little to have a line of its own. */
export const OTHER = '[other]';

/** Which names have at least `minShare` (0 .. 1) of the sum of all weights; the others become OTHER. */
export function namesAbove(weights: ReadonlyMap<string, number>, minShare: number): (name: string) => string {
  let total = 0;
  for (const weight of weights.values()) total += weight;
  const least = total * minShare;
  return (name) => ((weights.get(name) ?? 0) >= least ? name : OTHER);
}
