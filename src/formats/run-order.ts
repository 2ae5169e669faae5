/**
 * The places of numbers in their ascending order; equal ones as they stand. Runs that are in order already are merged, so
 * that what comes from a few sources which each have an order costs little more than to be read.
 */
export function orderOf(values: Float64Array): Int32Array {
  const count = values.length;
  let order = new Int32Array(count);
  let runs = [0];
  for (let i = 1; i < count; i++) {
    order[i] = i;
    if (values[i]! < values[i - 1]!) runs.push(i);
  }
  for (let other = new Int32Array(count); runs.length > 1; [order, other] = [other, order]) {
    for (let run = 0; run < runs.length; run += 2) {
      const middle = runs[run + 1] ?? count;
      mergeRuns(values, order, other, runs[run]!, middle, runs[run + 2] ?? count);
    }
    runs = runs.filter((_, run) => run % 2 === 0);
  }
  return order;
}

/** Merges two runs of `from`, which end at `middle` and at `end`, into the same place of `to`. */
function mergeRuns(
  values: Float64Array,
  from: Int32Array,
  to: Int32Array,
  start: number,
  middle: number,
  end: number,
): void {
  let [left, right] = [start, middle];
  for (let at = start; at < end; at++) {
    const isLeft = right >= end || (left < middle && values[from[left]!]! <= values[from[right]!]!);
    to[at] = from[isLeft ? left++ : right++]!;
  }
}
