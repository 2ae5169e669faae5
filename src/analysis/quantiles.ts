/** Values that are kept as they are, where nothing else is asked for. */
const KEPT_EXACTLY = 1 << 20;

/** Width of a bucket relative to its value: 2^-10, so that a bucket's middle is within 0.05 % of every value in it. */
const BUCKET_SHIFT = 10;

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
  readonly #buckets = new Map<number, number>();
  #ordered: [number, number][] | undefined;
  readonly #value = new Float64Array(1);
  readonly #bits = new BigUint64Array(this.#value.buffer);
  readonly #words = new Int32Array(this.#value.buffer);

  constructor(readonly keptExactly = KEPT_EXACTLY) {}

  /** Adds a finite number. */
  add(value: number): void {
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

  /** The smallest value that at least the share `p` (0 .. 1) of all values does not exceed; 0 where there is none. */
  at(p: number): number {
    if (this.count === 0) return 0;
    const rank = Math.min(this.count - 1, Math.max(0, Math.ceil(p * this.count) - 1));
    if (this.#exact !== undefined) return this.#sortedValues(this.#exact)[rank] as number;
    if (rank === 0) return this.min;
    if (rank === this.count - 1) return this.max;
    let below = 0;
    for (const [key, count] of this.#orderedBuckets()) {
      below += count;
      if (below > rank) return Math.min(this.max, Math.max(this.min, this.#middle(key)));
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
      for (const [key, count] of this.#buckets) if (this.#middle(key) > limit) above += count;
    }
    return above / this.count;
  }

  #grow(exact: Float64Array): void {
    if (exact.length < this.keptExactly) {
      this.#exact = new Float64Array(exact.length * 4);
      this.#exact.set(exact);
      return;
    }
    this.#exact = undefined;
    for (const value of exact) this.#addToBucket(value);
  }

  #sortedValues(exact: Float64Array): Float64Array {
    const values = exact.subarray(0, this.count);
    if (!this.#sorted) values.sort();
    this.#sorted = true;
    return values;
  }

  #addToBucket(value: number): void {
    this.#value[0] = value === 0 ? 0 : value;
    const key = this.#words[1]! >> BUCKET_SHIFT;
    this.#buckets.set(key, (this.#buckets.get(key) ?? 0) + 1);
    this.#ordered = undefined;
  }

  #orderedBuckets(): [number, number][] {
    this.#ordered ??= [...this.#buckets].sort(([a], [b]) => this.#middle(a) - this.#middle(b));
    return this.#ordered;
  }

  #middle(key: number): number {
    if (key === 0) return 0;
    this.#bits[0] = (BigInt.asUintN(32, BigInt(key << BUCKET_SHIFT)) << 32n) | (1n << BigInt(31 + BUCKET_SHIFT));
    return this.#value[0] as number;
  }
}
