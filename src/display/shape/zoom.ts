/** A range that is shown: of positions on an axis, in whatever unit. */
export type Range = readonly [from: number, to: number];

/** A range `factor` times as wide about `centre` (one in it), within `limits`; not narrower than `narrowest`. */
export function zoomed([from, to]: Range, centre: number, factor: number, limits: Range, narrowest = 0): Range {
  const width = to - from;
  const widest = limits[1] - limits[0];
  const wanted = Math.min(widest, Math.max(narrowest, width * factor));
  // Where the limits stop it, nothing moves either.
  if (wanted === width) return [from, to];
  const share = width > 0 ? Math.min(1, Math.max(0, (centre - from) / width)) : 0.5;
  return within([centre - share * wanted, centre + (1 - share) * wanted], limits);
}

/** A range of the same width, moved by `by` as far as `limits` let it. */
export function moved([from, to]: Range, by: number, limits: Range): Range {
  return within([from + by, to + by], limits);
}

/** A range moved back into the limits; all of them where it is wider. */
function within([from, to]: Range, [least, most]: Range): Range {
  if (to - from >= most - least) return [least, most];
  if (from < least) return [least, least + (to - from)];
  if (to > most) return [most - (to - from), most];
  return [from, to];
}

/** The two in order. */
export function ordered(a: number, b: number): Range {
  return a <= b ? [a, b] : [b, a];
}

const VALUE = new Float64Array(1);
const BITS = new BigInt64Array(VALUE.buffer);

/** The smallest number above a finite one: what ends with a value, that included, ends before it. */
export function nextUp(value: number): number {
  if (value === 0) return Number.MIN_VALUE;
  VALUE[0] = value;
  BITS[0]! += value > 0 ? 1n : -1n;
  return VALUE[0]!;
}

/** The largest number below a finite one. */
export function nextDown(value: number): number {
  return -nextUp(-value);
}
