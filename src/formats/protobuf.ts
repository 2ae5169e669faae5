/*
 * The little of protocol buffers that writing takes (https://protobuf.dev/programming-guides/encoding/): a message is a
 * sequence of fields, each a key (number and wire type) and a varint or a length and bytes.
 */

const VARINT = 0;
const BYTES = 2;

/** Of 64 bits. */
const MOST_VARINT_BYTES = 10;

/** One message, written field by field. Integers are 0 .. 2^53-1, or bigints from 0 on. */
export class Message {
  #buffer = Buffer.allocUnsafe(256);
  #length = 0;

  /** Bytes so far. */
  get length(): number {
    return this.#length;
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  integer(field: number, value: number | bigint): this {
    this.#varint(field * 8 + VARINT);
    this.#varint(value);
    return this;
  }

  /** A repeated integer, packed. */
  integers(field: number, values: readonly number[]): this {
    const packed = new Message();
    for (const value of values) packed.#varint(value);
    return this.raw(field, packed.bytes);
  }

  string(field: number, text: string): this {
    return this.raw(field, Buffer.from(text));
  }

  message(field: number, message: Message): this {
    return this.raw(field, message.bytes);
  }

  raw(field: number, bytes: Buffer): this {
    this.#varint(field * 8 + BYTES);
    this.#varint(bytes.length);
    this.#room(bytes.length);
    bytes.copy(this.#buffer, this.#length);
    this.#length += bytes.length;
    return this;
  }

  #varint(value: number | bigint): void {
    if (value < 0 || (typeof value === 'number' && !Number.isSafeInteger(value))) {
      throw new RangeError(`${value} cannot be written as a varint`);
    }
    this.#room(MOST_VARINT_BYTES);
    let rest = value;
    for (; typeof rest === 'bigint'; rest >>= 7n) {
      if (rest <= Number.MAX_SAFE_INTEGER) {
        rest = Number(rest);
        break;
      }
      this.#buffer[this.#length++] = Number(rest & 0x7fn) | 0x80;
    }
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#buffer[this.#length++] = (rest % 0x80) | 0x80;
    this.#buffer[this.#length++] = rest;
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#length + bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
