import { decodeBytes } from '../common/decode-bytes.ts';

/*
 * What the records of trace events hold, as the kernel itself describes it in events/GROUP/NAME/format
 * (Documentation/trace/events.rst, "Event formats"). ftrace and perf record the same bytes. Little endian only.
 */

/** The bytes of one record within a buffer. */
export interface RawRecord {
  readonly view: DataView;
  readonly bytes: Buffer;
  /** Where it starts, and its length in bytes. */
  readonly offset: number;
  readonly length: number;
}

/** One field of a record: where it lies, counted from the start of the record. */
export interface Field {
  readonly name: string;
  /** The C declaration without the name, `__data_loc char[]` for one. */
  readonly type: string;
  readonly offset: number;
  readonly size: number;
  readonly signed: boolean;
}

/** One kind of event, as its format file describes it. */
export interface EventFormat {
  readonly name: string;
  readonly id: number;
  readonly fields: ReadonlyMap<string, Field>;
  /** Bytes that a record has at least: up to the end of its last field. */
  readonly size: number;
}

// 	field:__data_loc char[] cmd;	offset:60;	size:4;	signed:0;
const FIELD_LINE =
  /^\s*field:\s*(?<declaration>[^;]*);\s*offset:(?<offset>\d+);\s*size:(?<size>\d+);(?:\s*signed:(?<signed>[01]);)?/u;
const DECLARATION = /^(?<type>.*?)\s*(?<name>[A-Za-z_]\w*)\s*(?<array>\[[^\]]*\])?$/u;

export function parseFields(text: string): Map<string, Field> {
  const fields = new Map<string, Field>();
  for (const line of text.split('\n')) {
    const { declaration, offset, size, signed } = FIELD_LINE.exec(line)?.groups ?? {};
    const { type, name, array } = DECLARATION.exec(declaration?.trim() ?? '')?.groups ?? {};
    if (name === undefined) continue;
    fields.set(name, {
      name,
      type: `${type}${array ?? ''}`,
      offset: Number(offset),
      size: Number(size),
      signed: signed === '1',
    });
  }
  return fields;
}

/** Reads the text of an events/GROUP/NAME/format file. @throws Error where it is none. */
export function parseFormat(text: string): EventFormat {
  const name = /^name: *(\S+)/mu.exec(text)?.[1];
  const id = /^ID: *(\d+)/mu.exec(text)?.[1];
  if (name === undefined || id === undefined) throw new Error('not the text of an event format');
  const fields = parseFields(text);
  const size = Math.max(0, ...[...fields.values()].map((field) => field.offset + field.size));
  return { name, id: Number(id), fields, size };
}

/** Reads one number of the event at hand. Unsigned 64-bit values above 2^53 come rounded. */
export type NumberField = (event: RawRecord) => number;
/** Reads one text of the event at hand. */
export type TextField = (event: RawRecord) => string;

/** A reader of the integer field `name`. @throws Error where the event has no such field, or no integer. */
export function numberField(format: EventFormat, name: string): NumberField {
  const { offset, size, signed, type } = fieldOf(format, name);
  if (type.includes('[')) throw new Error(`${format.name}: ${name} is an array`);
  switch (size) {
    case 1:
      return signed ? (e) => e.view.getInt8(e.offset + offset) : (e) => e.view.getUint8(e.offset + offset);
    case 2:
      return signed
        ? (e) => e.view.getInt16(e.offset + offset, true)
        : (e) => e.view.getUint16(e.offset + offset, true);
    case 4:
      return signed
        ? (e) => e.view.getInt32(e.offset + offset, true)
        : (e) => e.view.getUint32(e.offset + offset, true);
    case 8:
      return signed
        ? (e) => e.view.getInt32(e.offset + offset + 4, true) * 2 ** 32 + e.view.getUint32(e.offset + offset, true)
        : (e) => e.view.getUint32(e.offset + offset + 4, true) * 2 ** 32 + e.view.getUint32(e.offset + offset, true);
    default:
      throw new Error(`${format.name}: ${name} has ${size} bytes`);
  }
}

/**
 * A reader of the text field `name`: a char array, up to its NUL, or one that lies elsewhere in the record
 * (`__data_loc`: offset in the lower 16 bits, length in the upper; `__rel_data_loc` counts from the field's end).
 * Bytes that are not valid UTF-8 become U+DC80 .. U+DCFF. The same bytes give the same string object.
 * @throws Error where the event has no such field, or no text.
 */
export function textField(format: EventFormat, name: string): TextField {
  const { offset, size, type } = fieldOf(format, name);
  if (!/\bchar\b.*\[/u.test(type)) throw new Error(`${format.name}: ${name} is not text but ${type}`);
  const interned = new Map<string, string>();
  const text = (e: RawRecord, from: number, length: number): string => {
    const limit = Math.min(from + length, e.offset + e.length);
    let end = from;
    while (end < limit && e.bytes[end] !== 0) end++;
    const raw = e.bytes.toString('latin1', from, end);
    let known = interned.get(raw);
    if (known === undefined) {
      known = decodeBytes(e.bytes.subarray(from, end));
      if (interned.size < 10_000) interned.set(raw, known);
    }
    return known;
  };
  if (type.startsWith('__data_loc') || type.startsWith('__rel_data_loc')) {
    const base = type.startsWith('__rel') ? offset + size : 0;
    return (e) => {
      const where = e.view.getUint32(e.offset + offset, true);
      return text(e, e.offset + base + (where & 0xffff), where >>> 16);
    };
  }
  const read: TextField = (e) => text(e, e.offset + offset, size);
  if (size !== COMM_BYTES) return read;
  const known = new CommMemo(read, offset);
  return (e) => known.of(e);
}

/** Bytes of the name of a task (TASK_COMM_LEN in include/linux/sched.h). */
const COMM_BYTES = 16;
/** Names that are remembered: a power of two. */
const COMMS = 1 << 10;

/**
 * What stands in 16 bytes of a record, by those bytes: names of tasks come again and again. Of those that share a place the last
 * one is known.
 */
class CommMemo {
  readonly #words = new Int32Array(4 * COMMS);
  readonly #names = new Array<string>(COMMS).fill('');

  constructor(
    private readonly read: TextField,
    private readonly offset: number,
  ) {}

  of(event: RawRecord): string {
    // A record that is cut off.
    if (this.offset + COMM_BYTES > event.length) return this.read(event);
    const { view } = event;
    const at = event.offset + this.offset;
    const a = view.getInt32(at, true);
    const b = view.getInt32(at + 4, true);
    const c = view.getInt32(at + 8, true);
    const d = view.getInt32(at + 12, true);
    const hash = Math.imul(a ^ Math.imul(b, 0x9e3779b1) ^ Math.imul(c, 0x85ebca6b) ^ d, 0xc2b2ae35);
    const place = (hash ^ (hash >>> 15)) & (COMMS - 1);
    const words = this.#words;
    const word = 4 * place;
    if (words[word] === a && words[word + 1] === b && words[word + 2] === c && words[word + 3] === d) {
      return this.#names[place]!;
    }
    words[word] = a;
    words[word + 1] = b;
    words[word + 2] = c;
    words[word + 3] = d;
    const name = this.read(event);
    this.#names[place] = name;
    return name;
  }
}

function fieldOf(format: EventFormat, name: string): Field {
  const field = format.fields.get(name);
  if (field === undefined) throw new Error(`the event ${format.name} of this kernel has no field ${name}`);
  return field;
}
