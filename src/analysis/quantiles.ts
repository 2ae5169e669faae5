/** Values that are kept as they are, where nothing else is asked for. */
const KEPT_EXACTLY = 1 << 20;

/** Bits of the fraction that tell buckets apart: their width is 2^-10 of their value, so that a bucket's middle is within 0.05 % of every value in it. */
const FRACTION_BITS = 10;
/** Bits of the upper half of a value that lie below those. */
const BUCKET_SHIFT = 20 - FRACTION_BITS;
/** Buckets of one sign and exponent. */
const PAGE = 1 << FRACTION_BITS;
/** Signs and exponents. Those of negative values, the smallest ones first, are the upper half. */
const PAGES = 1 << 12;

/** Values that count as one. */
interface Bucket {
  readonly middle: number;
  readonly count: number;
}

/**
 * Quantiles of a stream in bounded memory: exact up to a million values (`keptExactly`), within 0.05 % beyond. Values are bucketed by
 * the upper bits of their IEEE 754 form (sign, exponent and 10 bits of the fraction), so that zero, negative and
 * widely spread values need no care.
 */
export class Quantiles {
  count = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  #exact: Float64Array | undefined = new Float64Array(64);
  #sorted = false;
  /** Counts of the buckets, a page for each sign and exponent that was seen. */
  #pages: (Float64Array | undefined)[] = [];
  #ordered: Bucket[] | undefined;
  readonly #value = new Float64Array(1);
  readonly #words = new Uint32Array(this.#value.buffer);

  constructor(readonly keptExactly = KEPT_EXACTLY) {}

  /** Adds a finite number, `times` times: a whole number of them. */
  add(value: number, times = 1): void {
    if (times > 1) {
      this.#addMany(value, times);
      return;
    }
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    if (this.#exact === undefined) {
      this.#addToBucket(value);
    } else {
      if (this.count === this.#exact.length) this.#grow(this.#exact);
      if (this.#exact === undefined) this.#addToBucket(value);
      else this.#exact[this.count] = value;
    }
    this.#sorted = false;
    this.count++;
  }

  #addMany(value: number, times: number): void {
    const fits = this.#exact !== undefined && this.count + times <= this.keptExactly;
    if (fits) {
      for (let i = 0; i < times; i++) this.add(value);
      return;
    }
    if (this.#exact !== undefined) this.#spill(this.#exact);
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    this.#addToBucket(value, times);
    this.count += times;
  }

  /** The smallest value that at least the share `p` (0 .. 1) of all values does not exceed; 0 where there is none. */
  at(p: number): number {
    if (this.count === 0) return 0;
    const rank = Math.min(this.count - 1, Math.max(0, Math.ceil(p * this.count) - 1));
    if (this.#exact !== undefined) return this.#sortedValues(this.#exact)[rank] as number;
    if (rank === 0) return this.min;
    if (rank === this.count - 1) return this.max;
    let below = 0;
    for (const { middle, count } of this.#buckets()) {
      below += count;
      if (below > rank) return Math.min(this.max, Math.max(this.min, middle));
    }
    return this.max;
  }

  /** The share (0 .. 1) of values above `limit`. */
  shareAbove(limit: number): number {
    if (this.count === 0) return 0;
    let above = 0;
    if (this.#exact !== undefined) {
      for (let i = 0; i < this.count; i++) if ((this.#exact[i] as number) > limit) above++;
    } else {
      for (const { middle, count } of this.#buckets()) if (middle > limit) above += count;
    }
    return above / this.count;
  }

  #grow(exact: Float64Array): void {
    if (exact.length < this.keptExactly) {
      this.#exact = new Float64Array(exact.length * 4);
      this.#exact.set(exact);
      return;
    }
    this.#spill(exact);
  }

  #spill(exact: Float64Array): void {
    this.#exact = undefined;
    this.#pages = new Array<Float64Array | undefined>(PAGES).fill(undefined);
    for (let i = 0; i < this.count; i++) this.#addToBucket(exact[i] as number);
  }

  #sortedValues(exact: Float64Array): Float64Array {
    const values = exact.subarray(0, this.count);
    if (!this.#sorted) values.sort();
    this.#sorted = true;
    return values;
  }

  #addToBucket(value: number, times = 1): void {
    this.#value[0] = value === 0 ? 0 : value;
    const key = this.#words[1]! >>> BUCKET_SHIFT;
    let page = this.#pages[key >>> FRACTION_BITS];
    if (page === undefined) {
      page = new Float64Array(PAGE);
      this.#pages[key >>> FRACTION_BITS] = page;
    }
    page[key & (PAGE - 1)]! += times;
    this.#ordered = undefined;
  }

  /** The buckets that hold something, in the order of their values. */
  #buckets(): Bucket[] {
    if (this.#ordered !== undefined) return this.#ordered;
    const found = this.#pages.map((page, place) => (page === undefined ? [] : this.#bucketsOf(page, place)));
    const negative = found
      .slice(PAGES / 2)
      .flat()
      .reverse();
    this.#ordered = [...negative, ...found.slice(0, PAGES / 2).flat()];
    return this.#ordered;
  }

  /** In the order of their size, whatever their sign. */
  #bucketsOf(page: Float64Array, place: number): Bucket[] {
    const buckets: Bucket[] = [];
    for (const [slot, count] of page.entries()) {
      if (count > 0) buckets.push({ middle: this.#middle((place << FRACTION_BITS) | slot), count });
    }
    return buckets;
  }

  #middle(key: number): number {
    if (key === 0) return 0;
    this.#words[1] = (key << BUCKET_SHIFT) | (1 << (BUCKET_SHIFT - 1));
    this.#words[0] = 0;
    return this.#value[0] as number;
  }
}
