/*
 * A section over time, as a row of bars: one value for each of so many bins of a range of time.
 */

export interface TimeRange {
  readonly from: number;
  readonly to: number;
}

/** Bin of a time, -1 outside of the range. */
function binOf(time: number, { from, to }: TimeRange, bins: number): number {
  if (time < from || time > to) return -1;
  return Math.min(bins - 1, Math.floor(((time - from) / (to - from)) * bins));
}

/** Records per bin, or the sum of their weights. */
export function countLane(
  times: Float64Array,
  mask: Uint8Array | undefined,
  range: TimeRange,
  bins: number,
  weights?: Float64Array,
): Float64Array {
  const lane = new Float64Array(bins);
  for (let row = 0; row < times.length; row++) {
    if (mask?.[row] === 0) continue;
    const bin = binOf(times[row]!, range, bins);
    if (bin >= 0) lane[bin]! += weights?.[row] ?? 1;
  }
  return lane;
}

/** The largest value of each bin, 0 where there is none. */
export function maxLane(
  times: Float64Array,
  values: Float64Array,
  mask: Uint8Array | undefined,
  range: TimeRange,
  bins: number,
): Float64Array {
  const lane = new Float64Array(bins);
  for (let row = 0; row < times.length; row++) {
    if (mask?.[row] === 0) continue;
    const bin = binOf(times[row]!, range, bins);
    if (bin >= 0 && values[row]! > lane[bin]!) lane[bin] = values[row]!;
  }
  return lane;
}

/**
 * Levels, such as memory: values at the same time are added up, and each bin has the mean of the sums in it. A bin without
 * any has that of the bin before it. Times are in order.
 */
export function levelLane(
  times: Float64Array,
  values: Float64Array,
  mask: Uint8Array | undefined,
  range: TimeRange,
  bins: number,
): Float64Array {
  const sums = new Float64Array(bins);
  const moments = new Float64Array(bins);
  let sum = 0;
  for (let row = 0; row < times.length; row++) {
    if (mask?.[row] !== 0) sum += values[row]!;
    if (times[row + 1] === times[row]) continue;
    const bin = binOf(times[row]!, range, bins);
    if (bin >= 0) {
      sums[bin]! += sum;
      moments[bin]!++;
    }
    sum = 0;
  }
  let before = 0;
  return sums.map((total, bin) => {
    if (moments[bin]! > 0) before = total / moments[bin]!;
    return before;
  });
}
