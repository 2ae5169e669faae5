import { areEqual, hashOf, viewOf } from '../common/byte-strings.ts';
import { HashSlots } from '../common/hash-slots.ts';

/** Words before the bytes of a line. */
const LENGTH = 0;
const FRAME = 1;
const FOLLOWER = 2;
const OTHER_FOLLOWER = 3;
const HEAD = 4;

/** In place of the line before the first. */
export const NO_LINE = 0;

/**
 * Lines, each with a frame and with the last two lines that came behind it. All that is known of a line stands together, and is mostly in
 * the cache when it is compared: what a profile's text has by the gigabyte are lines that were met before.
 */
export class LineTable {
  /** Lines begin at whole words, and are known by the number of the first. */
  #words = new Int32Array(1024);
  #view: DataView = new DataView(this.#words.buffer);
  #used = HEAD;
  readonly #slots = new HashSlots();
  /** Of the buffer that was last looked into: mostly there are many lines in one. */
  #seen: Buffer | undefined;
  #input = this.#view;

  /** Bytes that are held. */
  get size(): number {
    return this.#used * Int32Array.BYTES_PER_ELEMENT;
  }

  /** Bytes of a line. */
  lengthOf(line: number): number {
    return this.#words[line + LENGTH]!;
  }

  /** What was set; 0 for a new line. */
  frameOf(line: number): number {
    return this.#words[line + FRAME]!;
  }

  setFrame(line: number, frame: number): void {
    this.#words[line + FRAME] = frame;
  }

  /** The line at `start`, where it is one of the last two that came behind the line `before`; NO_LINE where it is another. */
  followerAt(before: number, bytes: Buffer, start: number): number {
    if (this.#seen !== bytes) this.#see(bytes);
    const words = this.#words;
    const last = words[before + FOLLOWER]!;
    if (last === NO_LINE) return NO_LINE;
    if (this.#isAt(last, start)) return last;
    const other = words[before + OTHER_FOLLOWER]!;
    if (other === NO_LINE || !this.#isAt(other, start)) return NO_LINE;
    this.follow(before, other);
    return other;
  }

  /** Tells that a line came behind another. */
  follow(before: number, follower: number): void {
    this.#words[before + OTHER_FOLLOWER] = this.#words[before + FOLLOWER]!;
    this.#words[before + FOLLOWER] = follower;
  }

  /** The line in bytes[start, end). */
  at(bytes: Buffer, start: number, end: number): number {
    if (this.#seen !== bytes) this.#see(bytes);
    const hash = hashOf(this.#input, bytes, start, end);
    const slots = this.#slots;
    for (let slot = slots.first(hash); ; slot = slots.next(slot)) {
      const line = slots.numberAt(slot, hash);
      if (line === 0) return slots.put(slot, hash, this.#add(bytes, start, end));
      if (line > 0 && this.lengthOf(line) === end - start && this.#equals(line, start)) return line;
    }
  }

  #see(bytes: Buffer): void {
    this.#seen = bytes;
    this.#input = viewOf(bytes);
  }

  #isAt(line: number, start: number): boolean {
    return start + this.lengthOf(line) <= this.#input.byteLength && this.#equals(line, start);
  }

  #equals(line: number, start: number): boolean {
    const from = Int32Array.BYTES_PER_ELEMENT * (line + HEAD);
    return areEqual(this.#input, start, this.#view, from, this.lengthOf(line));
  }

  #add(bytes: Uint8Array, start: number, end: number): number {
    const line = this.#used;
    const length = end - start;
    this.#used += HEAD + Math.ceil(length / Int32Array.BYTES_PER_ELEMENT);
    if (this.#used > this.#words.length) this.#grow();
    this.#words[line + LENGTH] = length;
    const to = Int32Array.BYTES_PER_ELEMENT * (line + HEAD);
    for (let i = 0; i < length; i++) this.#view.setUint8(to + i, bytes[start + i]!);
    return line;
  }

  #grow(): void {
    const larger = new Int32Array(2 * this.#used);
    larger.set(this.#words);
    this.#words = larger;
    this.#view = new DataView(larger.buffer);
  }
}
