/*
 * Spans of time of one track, and how they look at any zoom: what is wider than a pixel by itself, what is narrower added
 * up to one column a pixel. Sums of all spans before each tell what is in a column, however many spans that is.
 */

/** What a task does in a span; higher numbers are reasons to wait, of which the timeline has the names. */
export const SPAN_RUNNING = 0;
export const SPAN_READY = 1;
export const SPAN_UNKNOWN = 2;

/** Spans sorted by start. Arrays have one entry a span; times are nanoseconds. */
export class Spans {
  readonly start: Float64Array;
  readonly end: Float64Array;
  readonly kind: Uint8Array;
  /** Which task or CPU, as the track means it. */
  readonly who: Int32Array;
  /** The event that ended it; -1 where the data ends. */
  readonly row: Int32Array;
  /** Time running, and ready to run, in all spans before each; one entry more than there are spans. */
  readonly ranBefore: Float64Array;
  readonly readyBefore: Float64Array;

  constructor(build: SpanBuilder) {
    const order = build.order();
    const pick = (values: readonly number[]): number[] =>
      order === undefined ? (values as number[]) : Array.from(order, (i) => values[i]!);
    this.start = Float64Array.from(pick(build.start));
    this.end = Float64Array.from(pick(build.end));
    this.kind = Uint8Array.from(pick(build.kind));
    this.who = Int32Array.from(pick(build.who));
    this.row = Int32Array.from(pick(build.row));
    this.ranBefore = this.#sums(SPAN_RUNNING);
    this.readyBefore = this.#sums(SPAN_READY);
  }

  get length(): number {
    return this.start.length;
  }

  #sums(kind: number): Float64Array {
    const sums = new Float64Array(this.length + 1);
    for (let i = 0; i < this.length; i++) {
      sums[i + 1] = sums[i]! + (this.kind[i] === kind ? this.end[i]! - this.start[i]! : 0);
    }
    return sums;
  }

  /** The span at a time; -1 where there is none. */
  at(time: number): number {
    const i = firstAbove(this.start, time, 0) - 1;
    return i >= 0 && this.end[i]! > time ? i : -1;
  }
}

/** Where spans are sums: the bins that they are of, all of the same width. Nanoseconds. */
export interface Bins {
  readonly origin: number;
  readonly width: number;
}

/** Gathers spans in about the order of time. */
export class SpanBuilder {
  readonly start: number[] = [];
  readonly end: number[] = [];
  readonly kind: number[] = [];
  readonly who: number[] = [];
  readonly row: number[] = [];
  #isSorted = true;

  add(start: number, end: number, kind: number, who: number, row: number): void {
    if (start < (this.start.at(-1) ?? Number.NEGATIVE_INFINITY)) this.#isSorted = false;
    this.start.push(start);
    this.end.push(end);
    this.kind.push(kind);
    this.who.push(who);
    this.row.push(row);
  }

  /** Places in the order of start; undefined where they are in it. */
  order(): Uint32Array | undefined {
    if (this.#isSorted) return undefined;
    const { start } = this;
    return Uint32Array.from(start, (_, i) => i).sort((a, b) => start[a]! - start[b]! || a - b);
  }
}

/** Spans as rectangles of one row of pixels. The arrays are used again and again; `length` of their entries count. */
export class SpanRow {
  length = 0;
  /** Left edge and width, pixels. */
  x = new Float64Array(512);
  width = new Float64Array(512);
  /** Shares of the time that was spent running, and ready to run. */
  ran = new Float64Array(512);
  ready = new Float64Array(512);
  /** The span, or the one that counts most of those that are in this column. */
  span = new Int32Array(512);
  /** How many spans it stands for. */
  count = new Int32Array(512);

  add(x: number, width: number, ran: number, ready: number, span: number, count: number): void {
    if (this.length === this.x.length) this.#grow();
    const i = this.length++;
    this.x[i] = x;
    this.width[i] = width;
    this.ran[i] = ran;
    this.ready[i] = ready;
    this.span[i] = span;
    this.count[i] = count;
  }

  #grow(): void {
    const double = <T extends Float64Array | Int32Array>(old: T, larger: T): T => {
      larger.set(old);
      return larger;
    };
    const size = 2 * this.x.length;
    this.x = double(this.x, new Float64Array(size));
    this.width = double(this.width, new Float64Array(size));
    this.ran = double(this.ran, new Float64Array(size));
    this.ready = double(this.ready, new Float64Array(size));
    this.span = double(this.span, new Int32Array(size));
    this.count = double(this.count, new Int32Array(size));
  }
}

/** Spans of a column that are compared to find the one that counts most. */
const COMPARED = 12;

/**
 * Lays spans out over so many pixels for a range of time. The columns of narrow spans lie on a grid that does not move with
 * the range, so that nothing flickers when it is moved. The work grows with the pixels, hardly with the spans.
 * @param bins where the spans are sums: rectangles are of whole bins then.
 */
export function layoutSpans(spans: Spans, from: number, to: number, pixels: number, row: SpanRow, bins?: Bins): void {
  row.length = 0;
  const { start, end, kind, ranBefore, readyBefore, length } = spans;
  const perPixel = (to - from) / pixels;
  if (!(perPixel > 0)) return;
  if (bins !== undefined) {
    layoutBins(spans, from, to, perPixel, row, bins);
    return;
  }
  const xOf = (time: number): number => (time - from) / perPixel;
  let i = Math.max(0, firstAbove(start, from, 0) - 1);
  while (i < length && start[i]! < to) {
    const wide = end[i]! - start[i]!;
    if (wide >= perPixel) {
      if (end[i]! > from) {
        const left = Math.max(-1, xOf(start[i]!));
        const right = Math.min(pixels + 1, xOf(end[i]!));
        row.add(left, right - left, kind[i] === SPAN_RUNNING ? 1 : 0, kind[i] === SPAN_READY ? 1 : 0, i, 1);
      }
      i++;
      continue;
    }
    const bin = Math.floor(start[i]! / perPixel);
    let next = firstAtLeast(start, (bin + 1) * perPixel, i + 1);
    // The last that begins in this column may be a wide one.
    if (next - 1 > i && end[next - 1]! - start[next - 1]! >= perPixel) next--;
    const ran = ranBefore[next]! - ranBefore[i]!;
    const ready = readyBefore[next]! - readyBefore[i]!;
    if (ran > 0 || ready > 0) {
      row.add(
        xOf(bin * perPixel),
        1,
        Math.min(1, ran / perPixel),
        Math.min(1, ready / perPixel),
        longestOf(spans, i, next),
        next - i,
      );
    }
    i = next;
  }
}

/** Sums of bins: of as many each as are a pixel wide or more. */
function layoutBins(spans: Spans, from: number, to: number, perPixel: number, row: SpanRow, bins: Bins): void {
  const { ranBefore, readyBefore } = spans;
  const { origin } = bins;
  const wide = { origin, width: bins.width * Math.max(1, Math.ceil(perPixel / bins.width)) };
  const first = Math.floor((from - origin) / wide.width);
  const last = Math.floor((to - origin) / wide.width);
  const pixels = (to - from) / perPixel;
  let i = firstOfBin(spans, wide, first, 0);
  for (let bin = first; bin <= last; bin++) {
    const next = firstOfBin(spans, wide, bin + 1, i);
    const ran = (ranBefore[next]! - ranBefore[i]!) / wide.width;
    const ready = (readyBefore[next]! - readyBefore[i]!) / wide.width;
    if (ran > 0 || ready > 0) {
      const left = Math.max(-1, (origin + bin * wide.width - from) / perPixel);
      const right = Math.min(pixels + 1, (origin + (bin + 1) * wide.width - from) / perPixel);
      // It stands for more spans than one, even where it is one sum.
      row.add(left, right - left, ran, ready, longestOf(spans, i, next), Math.max(2, next - i));
    }
    i = next;
  }
}

/** Index of the first span of a bin, or behind it, from a place on. */
export function firstOfBin({ start }: Spans, { origin, width }: Bins, bin: number, from: number): number {
  // Where a bin begins is rounded.
  return firstAtLeast(start, origin + (bin - 1e-6) * width, from);
}

/** The longest span that runs, of a few between `from` and `to`. */
function longestOf({ start, end, kind }: Spans, from: number, to: number): number {
  const step = Math.max(1, Math.floor((to - from) / COMPARED));
  let longest = from;
  let most = -1;
  for (let i = from; i < to; i += step) {
    const length = kind[i] === SPAN_RUNNING ? end[i]! - start[i]! : 0;
    if (length > most) {
      most = length;
      longest = i;
    }
  }
  return longest;
}

/** Marks that are nearer to each other than this are one, pixels. */
export const MARK_SPACE = 3;

/** Events at their places: `x` in pixels, the first event there, and how many there are. */
export interface MarkRow {
  readonly x: number[];
  readonly row: number[];
  readonly count: number[];
}

/**
 * Lays the events of a track out: those too near to each other are one mark.
 * @param rows of the events, in the order of time.
 */
export function layoutMarks(time: Float64Array, rows: Int32Array, from: number, to: number, pixels: number): MarkRow {
  const marks: MarkRow = { x: [], row: [], count: [] };
  const space = ((to - from) / pixels) * MARK_SPACE;
  if (!(space > 0)) return marks;
  let i = firstRowAtLeast(time, rows, from - 2 * space, 0);
  while (i < rows.length && time[rows[i]!]! <= to + 2 * space) {
    // The grid does not move with the range.
    const bin = Math.floor(time[rows[i]!]! / space);
    const next = firstRowAtLeast(time, rows, (bin + 1) * space, i + 1);
    marks.x.push((((next - i === 1 ? time[rows[i]!]! : (bin + 0.5) * space) - from) / (to - from)) * pixels);
    marks.row.push(rows[i]!);
    marks.count.push(next - i);
    i = next;
  }
  return marks;
}

/*
 * Searches in rising values, from a place on. Steps double, so that what is near is found at once: a drawing does this for
 * every pixel.
 */

/** Index of the first value above `limit`. */
export function firstAbove(values: Float64Array, limit: number, from: number): number {
  const { length } = values;
  let [low, high, step] = [from, from, 1];
  while (high < length && values[high]! <= limit) {
    low = high + 1;
    high += step;
    step *= 2;
  }
  if (high > length) high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Index of the first value that is not below `limit`. */
export function firstAtLeast(values: Float64Array, limit: number, from: number): number {
  const { length } = values;
  let [low, high, step] = [from, from, 1];
  while (high < length && values[high]! < limit) {
    low = high + 1;
    high += step;
    step *= 2;
  }
  if (high > length) high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The same for the times of rows. */
export function firstRowAtLeast(time: Float64Array, rows: Int32Array, limit: number, from: number): number {
  const { length } = rows;
  let [low, high, step] = [from, from, 1];
  while (high < length && time[rows[high]!]! < limit) {
    low = high + 1;
    high += step;
    step *= 2;
  }
  if (high > length) high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (time[rows[middle]!]! < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
