/**
 * Numbers from 1 on, by hashes: open addressing with linear probing. What a number stands for its owner knows, and compares:
 *
 *     for (let slot = slots.first(hash); ; slot = slots.next(slot)) {
 *       const number = slots.numberAt(slot, hash);
 *       if (number === 0) return slots.put(slot, hash, added());
 *       if (number > 0 && equals(number)) return number;
 *     }
 */
export class HashSlots {
  /** By slot, the hash and the number; 0 is free. */
  #pairs = new Int32Array(512);
  #mask = this.#pairs.length - 2;
  #count = 0;

  /** The slot to look into first. */
  first(hash: number): number {
    return slotOf(hash) & this.#mask;
  }

  next(slot: number): number {
    return (slot + 2) & this.#mask;
  }

  /** The number in a slot; 0 where there is none, -1 where it is of another hash. */
  numberAt(slot: number, hash: number): number {
    const number = this.#pairs[slot + 1]!;
    return number === 0 || this.#pairs[slot] === hash ? number : -1;
  }

  /** Puts a number into a free slot, to which its hash has led; other slots are other ones then. */
  put(slot: number, hash: number, number: number): number {
    this.#pairs[slot] = hash;
    this.#pairs[slot + 1] = number;
    if (4 * ++this.#count > this.#pairs.length) this.#grow();
    return number;
  }

  #grow(): void {
    const before = this.#pairs;
    this.#pairs = new Int32Array(4 * before.length);
    this.#mask = this.#pairs.length - 2;
    for (let i = 0; i < before.length; i += 2) {
      if (before[i + 1] === 0) continue;
      let slot = this.first(before[i]!);
      while (this.#pairs[slot + 1] !== 0) slot = this.next(slot);
      this.#pairs[slot] = before[i]!;
      this.#pairs[slot + 1] = before[i + 1]!;
    }
  }
}

/** Of the first half of a pair, when it is masked. */
function slotOf(hash: number): number {
  return 2 * (hash ^ (hash >>> 15));
}
