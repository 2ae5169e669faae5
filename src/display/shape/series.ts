/** Up to this many different x are kept as they are; beyond, neighbours are averaged into as many columns. */
export const MAX_POSITIONS = 1000;

/** What a first pass over labelled points finds: the labels' totals, and where the points stand. */
export class SeriesSummary {
  readonly totals = new Map<number, number>();
  xMin = Number.POSITIVE_INFINITY;
  xMax = Number.NEGATIVE_INFINITY;
  count = 0;
  /** Whether some x was smaller than the one before it. */
  unsorted = false;
  #positions: Set<number> | undefined = new Set();
  #last = Number.NEGATIVE_INFINITY;

  /** `label` is an index that the caller gives. */
  add(x: number, y: number, label: number): void {
    this.count++;
    this.totals.set(label, (this.totals.get(label) ?? 0) + y);
    if (x < this.xMin) this.xMin = x;
    if (x > this.xMax) this.xMax = x;
    if (x === this.#last) return;
    if (x < this.#last) this.unsorted = true;
    this.#last = x;
    this.#positions?.add(x);
    if ((this.#positions?.size ?? 0) > MAX_POSITIONS) this.#positions = undefined;
  }

  /** Every different x in order, or undefined where there are more than MAX_POSITIONS. */
  get positions(): readonly number[] | undefined {
    return this.#positions === undefined ? undefined : [...this.#positions].sort((a, b) => a - b);
  }

  /** The labels with the largest totals, largest first; ties in the order of their numbers. */
  largest(count: number): number[] {
    return [...this.totals]
      .sort(([labelA, totalA], [labelB, totalB]) => totalB - totalA || labelA - labelB)
      .slice(0, count)
      .map(([label]) => label);
  }
}

/** Layers to stack, bottom first, each with a value per position. */
export interface StackedSeries {
  readonly x: readonly number[];
  /** One per chosen label, in the order they were given. */
  readonly layers: readonly Float64Array[];
  /** What all other labels come to; undefined where there are none. */
  readonly other: Float64Array | undefined;
  /** True where the values are means over neighbouring x. */
  readonly averaged: boolean;
}

/**
 * Sums points into layers. Points of a label at the same x are added up, and a label that has none at an x counts 0
 * there. Where there are too many different x, each value is the mean over the x in its column.
 */
export class SeriesBuilder {
  readonly #positions: readonly number[] | undefined;
  readonly #index = new Map<number, number>();
  readonly #layerOf = new Map<number, number>();
  readonly #layers: Float64Array[];
  readonly #steps: Float64Array;
  readonly #columns: number;
  readonly #hasOther: boolean;
  #last = Number.NaN;

  constructor(
    readonly summary: SeriesSummary,
    chosen: readonly number[],
  ) {
    this.#positions = summary.positions;
    this.#positions?.forEach((x, index) => {
      this.#index.set(x, index);
    });
    this.#columns = this.#positions?.length ?? MAX_POSITIONS;
    chosen.forEach((label, layer) => {
      this.#layerOf.set(label, layer);
    });
    this.#layers = Array.from({ length: chosen.length + 1 }, () => new Float64Array(this.#columns));
    this.#steps = new Float64Array(this.#columns);
    this.#hasOther = summary.totals.size > chosen.length;
  }

  add(x: number, y: number, label: number): void {
    const column = this.#columnOf(x);
    const layer = this.#layerOf.get(label) ?? this.#layers.length - 1;
    this.#layers[layer]![column]! += y;
    if (x !== this.#last) this.#steps[column]!++;
    this.#last = x;
  }

  finish(): StackedSeries {
    const [layers, other] = [this.#layers.slice(0, -1), this.#layers.at(-1) as Float64Array];
    if (this.#positions !== undefined) {
      return { x: this.#positions, layers, other: this.#hasOther ? other : undefined, averaged: false };
    }
    const filled = [...this.#steps.keys()].filter((column) => this.#steps[column]! > 0);
    const mean = (values: Float64Array) =>
      Float64Array.from(filled, (column) => values[column]! / this.#steps[column]!);
    const width = (this.summary.xMax - this.summary.xMin) / this.#columns;
    return {
      x: filled.map((column) => this.summary.xMin + (column + 0.5) * width),
      layers: layers.map(mean),
      other: this.#hasOther ? mean(other) : undefined,
      averaged: true,
    };
  }

  #columnOf(x: number): number {
    if (this.#positions !== undefined) return this.#index.get(x) ?? 0;
    const { xMin, xMax } = this.summary;
    return Math.min(this.#columns - 1, Math.floor(((x - xMin) / (xMax - xMin)) * this.#columns));
  }
}

/** Where what is drawn of layers has corners: positions, and for each the place of the values there; -1 where there is nothing. */
export interface Corners {
  readonly x: readonly number[];
  readonly place: readonly number[];
}

/**
 * Over time values change from one x to the next along a line. Over anything else each holds from its x on, for the usual
 * distance of two x. One alone is as wide as 1.
 */
export function cornersOf(x: readonly number[], isTime: boolean): Corners {
  const [first] = x;
  if (x.length === 1 && isTime) return { x: [first! - 0.5, first! + 0.5], place: [0, 0] };
  if (isTime) return { x, place: x.map((_, i) => i) };
  const width = usualDistance(x);
  const corners: { x: number[]; place: number[] } = { x: [], place: [] };
  const add = (position: number, place: number): void => {
    corners.x.push(position);
    corners.place.push(place);
  };
  for (const [i, start] of x.entries()) {
    const [end, next] = [start + width, x[i + 1]];
    const isGap = next === undefined || next > end + width / 2;
    if (i === 0 || corners.place.at(-1) === -1) add(start, -1);
    add(start, i);
    add(isGap ? end : next, i);
    if (isGap) add(end, -1);
  }
  return corners;
}

/** What blocks, or lines over time, reach over: the last block ends where the next would begin. */
export function extentOf(summary: SeriesSummary, isTime: boolean): { count: number; xMin: number; xMax: number } {
  const { count, xMin, xMax, positions } = summary;
  return { count, xMin, xMax: isTime || positions === undefined ? xMax : xMax + usualDistance(positions) };
}

/** The smallest distance of two neighbours; 1 where there are none. */
function usualDistance(x: readonly number[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 1; i < x.length; i++) least = Math.min(least, x[i]! - x[i - 1]!);
  return Number.isFinite(least) && least > 0 ? least : 1;
}

/** The values of a layer at corners. */
export function valuesAt({ place }: Corners, values: Float64Array): Float64Array {
  return Float64Array.from(place, (i) => (i < 0 ? 0 : values[i]!));
}

/** Where in the positions the one is that a value of x belongs to: the nearest in time, else the block's; undefined where there is none. */
export function placeOf(positions: readonly number[], x: number, isTime: boolean): number | undefined {
  if (positions.length === 0) return undefined;
  let [low, high] = [0, positions.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (positions[middle]! <= x) low = middle;
    else high = middle - 1;
  }
  const after = Math.min(positions.length - 1, low + 1);
  return isTime && Math.abs(positions[after]! - x) < Math.abs(positions[low]! - x) ? after : low;
}

/** What is stacked on the layers below it: a value per x. */
export interface Layer {
  readonly values: Float64Array;
}

/**
 * The values at the middles of `count` equal columns of a range: between two x by the line that joins them, beyond the first
 * and last 0 (a single one fills its column).
 * @param x rising, or the same where the values have a step.
 */
export function columnValues(
  x: readonly number[],
  values: Float64Array,
  [from, to]: readonly [number, number],
  count: number,
): Float64Array {
  const columns = new Float64Array(count);
  const [first, last] = [x[0], x.at(-1)];
  if (first === undefined || last === undefined) return columns;
  const width = (to - from) / count;
  let next = 0;
  for (let column = 0; column < count; column++) {
    const [start, middle, end] = [0, 0.5, 1].map((part) => from + (column + part) * width) as [number, number, number];
    if (end < first || start > last) continue;
    const at = Math.max(first, Math.min(last, middle));
    while (next < x.length - 1 && x[next]! < at) next++;
    const [left, right] = [x[Math.max(0, next - 1)]!, x[next]!];
    const share = right > left ? (at - left) / (right - left) : 1;
    columns[column] = (1 - share) * values[Math.max(0, next - 1)]! + share * values[next]!;
  }
  return columns;
}
