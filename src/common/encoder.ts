import { encodeRecord, encodeText, type Separator } from './codec.ts';
import type { Datapoint, NewEvent, NewRecord, StackData } from './datatypes.ts';
import type { SectionHeader } from './header.ts';

/** Bytes that a buffer has at first. */
const CAPACITY = 320 * 1024;

/** Buffers that are kept for later, and the bytes of the largest: most queues are short, and most records are. */
const MOST_SPARE = 4;
const LARGEST_SPARE = 4 * CAPACITY;

const NEWLINE = 0x0a;
const HASH = 0x23;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const SEMICOLON = 0x3b;

/** By ASCII code: 1 where a character stands for itself in fields and in frames. */
const PLAIN = new Uint8Array(128).fill(1, 0x20, 0x7f);
for (const character of '\\,;') PLAIN[character.charCodeAt(0)] = 0;

/** How many decimal digits a whole number below 10^9 has. */
function digitCount(value: number): number {
  let count = 1;
  for (let limit = 10; value >= limit; limit *= 10) count++;
  return count;
}

/**
 * Writes records as lines into a buffer, byte by byte: the same text as encodeRecord of codec.ts, without strings that
 * are thrown away. What is not plain ASCII goes through encodeText.
 */
export class RecordEncoder {
  readonly #header: SectionHeader;
  #buffer = Buffer.allocUnsafeSlow(CAPACITY);
  readonly #spare: Buffer<ArrayBuffer>[] = [];
  #length = 0;

  constructor(header: SectionHeader) {
    this.#header = header;
  }

  /** Bytes since the last take(). */
  get length(): number {
    return this.#length;
  }

  /** Gives the lines so far away. */
  take(): Buffer {
    const lines = this.#buffer.subarray(0, this.#length);
    if (lines.length === 0) return lines;
    this.#buffer = this.#spare.pop() ?? Buffer.allocUnsafeSlow(CAPACITY);
    this.#length = 0;
    return lines;
  }

  /** Takes lines back that nobody needs any more: there is room for others in place of them. */
  reuse(lines: Buffer): void {
    if (this.#spare.length < MOST_SPARE && lines.buffer.byteLength <= LARGEST_SPARE)
      this.#spare.push(Buffer.from(lines.buffer as ArrayBuffer));
  }

  /** @throws RangeError where the record is none that the section can hold; nothing of it is added then. */
  add(record: NewRecord): void {
    switch (this.#header.datatype) {
      case 'datapoint':
        this.#datapoint(record as Datapoint);
        break;
      case 'event':
        this.#event(record as NewEvent);
        break;
      case 'stack':
        this.#stack(record as StackData);
        break;
    }
    this.#byte(NEWLINE);
  }

  #datapoint(record: Datapoint): void {
    const { x, y, info } = record;
    if (!Number.isFinite(x) || !Number.isFinite(y)) this.#refuse(record);
    const { fields } = this.#header;
    if (info.length !== (fields?.length ?? Math.min(info.length, 1))) this.#refuseFields(info.length);
    this.#number(x);
    this.#byte(COMMA);
    this.#number(y);
    this.#byte(COMMA);
    this.#texts(info, COMMA, ',');
  }

  #event(record: NewEvent): void {
    const { time, type, datum } = record;
    if (!Number.isSafeInteger(time)) this.#refuse(record);
    if (datum.length !== (this.#header.fields?.length ?? 0)) this.#refuseFields(datum.length);
    this.#integer(time);
    this.#byte(COMMA);
    this.#text(type, ',');
    if (datum.length === 0) return;
    this.#byte(COMMA);
    this.#texts(datum, COMMA, ',');
  }

  #stack(record: StackData): void {
    const { weight, stack } = record;
    if (!Number.isSafeInteger(weight) || weight < 0 || stack.length === 0) this.#refuse(record);
    this.#integer(weight);
    this.#byte(HASH);
    this.#texts(stack, SEMICOLON, ';');
  }

  /** Encoding the record by itself tells what is wrong with it. */
  #refuse(record: NewRecord): never {
    const line = encodeRecord(this.#header.datatype, record);
    throw new Error(`a record was refused that can be encoded: ${line}`);
  }

  #refuseFields(found: number): never {
    const { interface: name, datatype, fields } = this.#header;
    throw new RangeError(`a ${datatype} of ${name} has ${found} fields, where the header has ${fields?.length ?? 0}`);
  }

  #number(value: number): void {
    // Times are most often a number of nanoseconds, which fits: below 15 digits no shorter text stands for the value.
    const billionths = Math.round(value * 1e9);
    if (value >= 1e-6 && billionths < 1e15 && billionths / 1e9 === value) this.#decimal(billionths);
    else this.#text(Object.is(value, -0) ? '-0' : `${value}`, ',');
  }

  /** Writes an integer below 2^53, whatever its sign. There is one zero only. */
  #integer(value: number): void {
    if (this.#length + 20 > this.#buffer.length) this.#grow(20);
    if (value < 0) this.#buffer[this.#length++] = MINUS;
    const size = Math.abs(value);
    const billions = Math.floor(size / 1e9);
    if (billions > 0) this.#digits(billions, digitCount(billions));
    const rest = size - billions * 1e9;
    this.#digits(rest, billions > 0 ? 9 : digitCount(rest));
  }

  /** Writes an integer below 10^15, divided by 10^9. */
  #decimal(billionths: number): void {
    if (this.#length + 20 > this.#buffer.length) this.#grow(20);
    const whole = Math.floor(billionths / 1e9);
    this.#digits(whole, digitCount(whole));
    let fraction = billionths - whole * 1e9;
    if (fraction === 0) return;
    let count = 9;
    for (; fraction % 10 === 0; count--) fraction /= 10;
    this.#buffer[this.#length++] = DOT;
    this.#digits(fraction, count);
  }

  /** Writes so many decimal digits of a value below 2^31. */
  #digits(value: number, count: number): void {
    const end = this.#length + count;
    let rest = value | 0;
    for (let at = end - 1; at >= this.#length; at--) {
      const tenth = (rest / 10) | 0;
      this.#buffer[at] = ZERO + rest - 10 * tenth;
      rest = tenth;
    }
    this.#length = end;
  }

  #byte(byte: number): void {
    if (this.#length === this.#buffer.length) this.#grow(1);
    this.#buffer[this.#length++] = byte;
  }

  #texts(texts: readonly (string | number)[], byte: number, separator: Separator): void {
    for (let i = 0; i < texts.length; i++) {
      if (i > 0) this.#byte(byte);
      const text = texts[i]!;
      if (typeof text === 'string') this.#text(text, separator);
      else if (Number.isSafeInteger(text)) this.#integer(text);
      else this.#text(`${text}`, separator);
    }
  }

  #text(text: string, separator: Separator): void {
    if (this.#length + text.length > this.#buffer.length) this.#grow(text.length);
    const buffer = this.#buffer;
    let at = this.#length;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      // A code above ASCII is not in the table.
      if (PLAIN[code] !== 1) {
        this.#encoded(encodeText(text, separator));
        return;
      }
      buffer[at++] = code;
    }
    this.#length = at;
  }

  #encoded(text: string): void {
    const length = Buffer.byteLength(text);
    if (this.#length + length > this.#buffer.length) this.#grow(length);
    this.#length += this.#buffer.write(text, this.#length);
  }

  #grow(by: number): void {
    const larger = Buffer.allocUnsafeSlow(2 * (this.#length + by));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
