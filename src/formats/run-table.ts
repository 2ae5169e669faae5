import { HashSlots } from '../common/hash-slots.ts';

/** Runs of integers: equal ones get the same number, from 0 on. */
export class RunTable {
  /** All of them, one behind the other; run `id` ends at #ends[id]. */
  #integers = new Int32Array(4096);
  readonly #ends: number[] = [];
  readonly #slots = new HashSlots();

  /** Bytes that are held. */
  get size(): number {
    return (this.#ends.at(-1) ?? 0) * Int32Array.BYTES_PER_ELEMENT;
  }

  /** The number of the first integers of `run`. `hash` is that of mixed(), from 0 on, over all of them. */
  idOf(run: Int32Array, length: number, hash: number): number {
    const slots = this.#slots;
    for (let slot = slots.first(hash); ; slot = slots.next(slot)) {
      const number = slots.numberAt(slot, hash);
      if (number === 0) return slots.put(slot, hash, this.#add(run, length)) - 1;
      if (number > 0 && this.#equals(number - 1, run, length)) return number - 1;
    }
  }

  #equals(id: number, run: Int32Array, length: number): boolean {
    const start = id === 0 ? 0 : this.#ends[id - 1]!;
    if (this.#ends[id]! - start !== length) return false;
    const integers = this.#integers;
    for (let i = 0; i < length; i++) if (integers[start + i] !== run[i]) return false;
    return true;
  }

  /** Gives its number, and one more. */
  #add(run: Int32Array, length: number): number {
    const start = this.#ends.at(-1) ?? 0;
    if (start + length > this.#integers.length) {
      const larger = new Int32Array(2 * (start + length));
      larger.set(this.#integers);
      this.#integers = larger;
    }
    for (let i = 0; i < length; i++) this.#integers[start + i] = run[i]!;
    return this.#ends.push(start + length);
  }
}

/** The hash of a run with one more integer. */
export function mixed(hash: number, integer: number): number {
  const product = Math.imul(hash ^ integer, 0x9e3779b1);
  return product ^ (product >>> 15);
}
