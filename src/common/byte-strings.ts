import { HashSlots } from './hash-slots.ts';

/**
 * Gives strings of bytes numbers from 0 on, equal ones the same. Words of four bytes are hashed and compared at once: what
 * is looked up here is read from files of gigabytes.
 */
export class ByteStrings {
  /** All of them, one behind the other; string `id` ends at #ends[id]. */
  #arena = Buffer.allocUnsafeSlow(4096);
  #words = viewOf(this.#arena);
  readonly #ends: number[] = [];
  #size = 0;
  /** The numbers, and one more. */
  readonly #slots = new HashSlots();
  /** Of the buffer that was last looked into: mostly there are many strings in one. */
  #seen: Buffer = this.#arena;
  #view = this.#words;

  get count(): number {
    return this.#ends.length;
  }

  /** Bytes that are held. */
  get size(): number {
    return this.#size;
  }

  /** The number of bytes[start, end). */
  idAt(bytes: Buffer, start: number, end: number): number {
    this.#see(bytes);
    const hash = hashOf(this.#view, bytes, start, end);
    const slots = this.#slots;
    for (let slot = slots.first(hash); ; slot = slots.next(slot)) {
      const number = slots.numberAt(slot, hash);
      if (number === 0) return slots.put(slot, hash, this.#add(bytes, start, end)) - 1;
      if (number > 0 && this.#equals(number - 1, start, end)) return number - 1;
    }
  }

  /** Where string `id` ends when it stands in the bytes at `start`; -1 where it does not. */
  endAt(id: number, bytes: Buffer, start: number): number {
    this.#see(bytes);
    const end = start + this.#ends[id]! - this.#startOf(id);
    return end <= bytes.length && this.#equals(id, start, end) ? end : -1;
  }

  #see(bytes: Buffer): void {
    if (this.#seen === bytes) return;
    this.#seen = bytes;
    this.#view = viewOf(bytes);
  }

  #startOf(id: number): number {
    return id === 0 ? 0 : this.#ends[id - 1]!;
  }

  #equals(id: number, start: number, end: number): boolean {
    const from = this.#startOf(id);
    return this.#ends[id]! - from === end - start && areEqual(this.#view, start, this.#words, from, end - start);
  }

  /** Gives its number, and one more. */
  #add(bytes: Buffer, start: number, end: number): number {
    const from = this.#size;
    const to = from + end - start;
    if (to > this.#arena.length) {
      const larger = Buffer.allocUnsafeSlow(2 * to);
      this.#arena.copy(larger, 0, 0, from);
      this.#arena = larger;
      this.#words = viewOf(larger);
    }
    const arena = this.#arena;
    // Most are too short for a call of Node's.
    for (let i = start, at = from; i < end; i++, at++) arena[at] = bytes[i]!;
    this.#size = to;
    return this.#ends.push(to);
  }
}

export function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Whether `length` bytes are the same, at a place of either: by words, four at once. */
export function areEqual(one: DataView, start: number, other: DataView, from: number, length: number): boolean {
  const end = start + length;
  let i = start;
  let j = from;
  for (; i + 16 <= end; i += 16, j += 16) {
    const differing =
      (one.getInt32(i, true) ^ other.getInt32(j, true)) |
      (one.getInt32(i + 4, true) ^ other.getInt32(j + 4, true)) |
      (one.getInt32(i + 8, true) ^ other.getInt32(j + 8, true)) |
      (one.getInt32(i + 12, true) ^ other.getInt32(j + 12, true));
    if (differing !== 0) return false;
  }
  for (; i + 4 <= end; i += 4, j += 4) if (one.getInt32(i, true) !== other.getInt32(j, true)) return false;
  for (; i < end; i++, j++) if (one.getUint8(i) !== other.getUint8(j)) return false;
  return true;
}

/** FNV-1a, by words, two at a time, and then by bytes; words need their high bits mixed in. */
export function hashOf(view: DataView, bytes: Uint8Array, start: number, end: number): number {
  let even = 0x811c9dc5 ^ (end - start);
  let odd = 0;
  let i = start;
  for (; i + 8 <= end; i += 8) {
    even = Math.imul(even ^ view.getInt32(i, true), 0x01000193);
    odd = Math.imul(odd ^ view.getInt32(i + 4, true), 0x85ebca6b);
    even ^= even >>> 15;
    odd ^= odd >>> 13;
  }
  let hash = even ^ odd;
  for (; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash;
}
