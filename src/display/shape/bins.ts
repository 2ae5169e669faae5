import { timesOf } from '../../analysis/counted.ts';
import { Quantiles } from '../../analysis/quantiles.ts';

/** What a first pass over the points finds. */
export class PointSummary {
  readonly y = new Quantiles();
  xMin = Number.POSITIVE_INFINITY;
  xMax = Number.NEGATIVE_INFINITY;
  /** The smallest y above 0. */
  yMinPositive = Number.POSITIVE_INFINITY;

  get count(): number {
    return this.y.count;
  }

  /** @param counts for how many points each stands; without, each is one. */
  addAll(x: Float64Array, y: Float64Array, counts?: ArrayLike<number>): void {
    for (let i = 0; i < x.length; i++) this.add(x[i]!, y[i]!, timesOf(counts?.[i]));
  }

  add(x: number, y: number, times = 1): void {
    if (times === 0) return;
    if (x < this.xMin) this.xMin = x;
    if (x > this.xMax) this.xMax = x;
    if (y > 0 && y < this.yMinPositive) this.yMinPositive = y;
    this.y.add(y, times);
  }
}

export type ScaleKind = 'linear' | 'log';

/** The range of values that the rows of a heat map cover; what lies outside goes to rows of its own. */
export interface Viewport {
  readonly scale: ScaleKind;
  readonly bottom: number;
  readonly top: number;
}

/** What is closer to 0, or further from it, cannot be parted into steps: that far doubles go. */
const SMALLEST = 1e-300;
const LARGEST = 1e300;

/** At least this many rows show what lies below the median. */
const ROWS_BELOW_MEDIAN = 4;
/** More than this share above the top is no outlier: a logarithmic axis shows the whole then. */
const MAX_OVERFLOW = 0.1;

/**
 * Chooses the values that are shown. Linear, from 0 (from near the smallest value where all lie close together, or
 * are negative) to near the 99th percentile, and lower where a far tail would press the bulk into the lowest rows. Where
 * more than a tenth would be cut off by that, the axis is logarithmic instead.
 */
export function chooseViewport(summary: PointSummary, rows: number, scale: ScaleKind | 'auto'): Viewport {
  const { y } = summary;
  if (y.count === 0) return { scale: 'linear', bottom: 0, top: 1 };
  const canBeLog = y.at(0.1) > 0;
  if (scale === 'log' && summary.yMinPositive < Number.POSITIVE_INFINITY) return logViewport(summary);
  const median = y.at(0.5);
  // The 99th percentile of less than a hundred values is their maximum.
  const tail = y.at(y.count < 100 ? 0.95 : 0.99);
  let high = y.max <= tail + 0.5 * Math.abs(tail) ? y.max : tail * (tail > 0 ? 1.1 : 1);
  const readable = (median * rows) / ROWS_BELOW_MEDIAN;
  if (median > 0 && high > readable) {
    if (y.shareAbove(readable) <= MAX_OVERFLOW) high = readable;
    else if (scale === 'auto' && canBeLog) return logViewport(summary);
  }
  const first = y.at(0.01);
  const low = within(first >= 0 && first < 0.5 * high ? 0 : first);
  high = within(high);
  if (high - low < SMALLEST) return flatViewport(low);
  const step = niceStep((high - low) / 10);
  return { scale: 'linear', bottom: Math.floor(low / step) * step, top: roundUp(high, step) };
}

function within(value: number): number {
  return Math.max(-LARGEST, Math.min(value, LARGEST));
}

function roundUp(value: number, step: number): number {
  const steps = Math.ceil(value / step - 1e-9);
  // 3 * 0.1 is 0.30000000000000004: the product is rounded to the digits that the step has.
  return Number((steps * step).toPrecision(12));
}

/** All values are the same. */
function flatViewport(value: number): Viewport {
  if (Math.abs(value) < SMALLEST) return { scale: 'linear', bottom: 0, top: 1 };
  const reach = 1.25 * Math.abs(value);
  const edge = roundUp(reach, niceStep(reach / 10));
  return value > 0 ? { scale: 'linear', bottom: 0, top: edge } : { scale: 'linear', bottom: -edge, top: 0 };
}

function logViewport(summary: PointSummary): Viewport {
  const { y } = summary;
  const low = Math.max(SMALLEST, Math.min(LARGEST, Math.max(summary.yMinPositive, y.at(0.001))));
  const bottom = niceBelow(low);
  const top = niceAbove(within(Math.max(y.max, low)));
  return { scale: 'log', bottom, top: top > bottom ? top : bottom * 10 };
}

/** The smallest of 1, 2, 2.5, 5 times a power of ten that is not below `value` (> 0). */
export function niceStep(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 2.5, 5, 10].find((candidate) => candidate * decade >= value * (1 - 1e-9)) ?? 10;
  return Number((factor * decade).toPrecision(12));
}

function niceAbove(value: number): number {
  return niceStep(value);
}

function niceBelow(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(value) + 1e-12);
  const factor = [5, 2, 1].find((candidate) => candidate * decade <= value * (1 + 1e-9)) ?? 1;
  return Number((factor * decade).toPrecision(12));
}

/** Counts of points in a grid of columns and rows, and of those above and below its rows. */
export class BinGrid {
  /** Row by row from the bottom, each from left to right. */
  readonly counts: Float64Array;
  readonly over: Float64Array;
  readonly under: Float64Array;
  readonly #xScale: number;
  readonly #yFrom: number;
  readonly #yScale: number;
  readonly #log: boolean;

  constructor(
    readonly columns: number,
    readonly rows: number,
    readonly xRange: readonly [number, number],
    readonly viewport: Viewport,
  ) {
    this.counts = new Float64Array(columns * rows);
    this.over = new Float64Array(columns);
    this.under = new Float64Array(columns);
    const [from, to] = xRange;
    this.#xScale = to > from ? columns / (to - from) : 0;
    this.#log = viewport.scale === 'log';
    this.#yFrom = this.#position(viewport.bottom);
    this.#yScale = rows / (this.#position(viewport.top) - this.#yFrom);
  }

  /** @param counts for how many points each stands; without, each is one. */
  addAll(x: Float64Array, y: Float64Array, counts?: ArrayLike<number>): void {
    for (let i = 0; i < x.length; i++) this.add(x[i]!, y[i]!, timesOf(counts?.[i]));
  }

  /** Counts a point. One on the right or top edge belongs to the last column or row. */
  add(x: number, y: number, times = 1): void {
    const column = clamp(Math.floor((x - this.xRange[0]) * this.#xScale), this.columns - 1);
    if (y > this.viewport.top) {
      this.over[column]! += times;
    } else if (y < this.viewport.bottom) {
      this.under[column]! += times;
    } else {
      const row = clamp(Math.floor((this.#position(y) - this.#yFrom) * this.#yScale), this.rows - 1);
      this.counts[row * this.columns + column]! += times;
    }
  }

  /** Whether its bins are those of another, whatever is counted in them. */
  hasBinsOf(other: BinGrid): boolean {
    const edges = ({ columns, rows, xRange, viewport: { scale, bottom, top } }: BinGrid) =>
      [columns, rows, ...xRange, scale, bottom, top].join(' ');
    return edges(this) === edges(other);
  }

  /** From which x to which the bins of a column reach. */
  columnRange(column: number): [from: number, to: number] {
    const [from, to] = this.xRange;
    const edge = (i: number) => (i === this.columns ? to : from + (i * (to - from)) / this.columns);
    return [edge(column), edge(column + 1)];
  }

  /** From which y to which the bins of a row reach. */
  rowRange(row: number): [from: number, to: number] {
    const { bottom, top } = this.viewport;
    const edge = (i: number) => {
      if (i === 0 || i === this.rows) return i === 0 ? bottom : top;
      const position = this.#yFrom + i / this.#yScale;
      return this.#log ? Math.exp(position) : position;
    };
    return [edge(row), edge(row + 1)];
  }

  get overTotal(): number {
    return sum(this.over);
  }

  get underTotal(): number {
    return sum(this.under);
  }

  /** All points that were added. */
  get total(): number {
    return sum(this.counts) + this.overTotal + this.underTotal;
  }

  /** The largest count of a cell, those above and below included; 0 where the grid is empty. */
  get max(): number {
    return [this.counts, this.over, this.under].reduce(
      (most, cells) => cells.reduce((a, b) => Math.max(a, b), most),
      0,
    );
  }

  #position(y: number): number {
    return this.#log ? Math.log(y) : y;
  }
}

/** Whether counts spread so widely that only a logarithmic colour scale tells the small ones apart. */
export function spansDecades(grid: BinGrid): boolean {
  const filled = [...grid.counts, ...grid.over, ...grid.under].filter((count) => count > 0).sort((a, b) => a - b);
  const median = filled[Math.floor(filled.length / 2)];
  return median !== undefined && grid.max >= 30 * median;
}

function clamp(index: number, last: number): number {
  return Math.max(0, Math.min(index, last));
}

function sum(values: Float64Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
