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
 * any has that of the bin before it, or of the next one where values are means since the time before. Times are in order.
 */
export function levelLane(
  times: Float64Array,
  values: Float64Array,
  mask: Uint8Array | undefined,
  range: TimeRange,
  bins: number,
  holds: 'after' | 'before' = 'after',
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
  const lane = new Float64Array(bins);
  let held = 0;
  for (let i = 0; i < bins; i++) {
    const bin = holds === 'after' ? i : bins - 1 - i;
    if (moments[bin]! > 0) held = sums[bin]! / moments[bin]!;
    lane[bin] = held;
  }
  return lane;
}

/** Share of the time of `lines` CPUs, 0 .. 1, that spans take of each bin. Starts and ends are seconds. */
export function busyLane(
  starts: Float64Array,
  ends: Float64Array,
  passes: (span: number) => boolean,
  { from, to }: TimeRange,
  bins: number,
  lines: number,
): Float64Array {
  const lane = new Float64Array(bins);
  const width = (to - from) / bins;
  for (let span = 0; span < starts.length; span++) {
    const [start, end] = [Math.max(starts[span]!, from), Math.min(ends[span]!, to)];
    if (end <= start || !passes(span)) continue;
    let bin = Math.min(bins - 1, Math.floor((start - from) / width));
    for (let at = start; at < end && bin < bins; bin++) {
      const until = bin === bins - 1 ? end : Math.min(end, from + (bin + 1) * width);
      lane[bin]! += Math.max(0, until - at);
      at = Math.max(at, until);
    }
  }
  return lane.map((time) => Math.min(1, time / (width * Math.max(1, lines))));
}
