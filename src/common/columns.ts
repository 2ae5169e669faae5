import { ByteStrings, viewOf } from './byte-strings.ts';
import { decodeText, parseNumber, type Separator } from './codec.ts';
import type { Column, ColumnRequest, StackColumns } from './column-data.ts';
import type { Datapoint, Datatype, EventData, MarpleRecord, StackData } from './datatypes.ts';
import type { SectionHeader } from './header.ts';

/*
 * Reading record lines straight from bytes, without a string per line or field: files of ten million records are
 * normal. The bytes are whole lines of valid UTF-8. A damaged line is only found here; codec.ts says what is wrong.
 */

/** Rows of one chunk of columns, at most. */
const CHUNK_ROWS = 65_536;
/** `0,a` and the newline: no line of columns is shorter. */
const SHORTEST_LINE = 3;

const NEWLINE = 0x0a;
const HASH = 0x23;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const SEMICOLON = 0x3b;
const BACKSLASH = 0x5c;

/** By byte: 1 where text goes on. The others end it, begin an escape, or are damage. */
function plainBytes(separator: number): Uint8Array {
  const plain = new Uint8Array(256).fill(1);
  plain.fill(0, 0, 0x20);
  for (const byte of [0x7f, BACKSLASH, separator]) plain[byte] = 0;
  return plain;
}

const PLAIN_IN_FIELD = plainBytes(COMMA);
const PLAIN_IN_FRAME = plainBytes(SEMICOLON);

/** What `end` functions give where the line is damaged. */
const DAMAGED = -1;

/** Where the field that begins at `start` ends: at a comma or newline. */
export function fieldEnd(bytes: Uint8Array, start: number): number {
  let i = start;
  while (PLAIN_IN_FIELD[bytes[i]!] === 1) i++;
  return bytes[i] === COMMA || bytes[i] === NEWLINE ? i : pastEscapes(bytes, i, COMMA, PLAIN_IN_FIELD);
}

function pastEscapes(bytes: Uint8Array, start: number, separator: number, plain: Uint8Array): number {
  for (let i = start; i < bytes.length; ) {
    const byte = bytes[i]!;
    if (byte === separator || byte === NEWLINE) return i;
    if (plain[byte] === 1) i++;
    else if (byte === BACKSLASH) {
      const length = escapeLength(bytes, i + 1, separator);
      if (length === DAMAGED) return DAMAGED;
      i += 1 + length;
    } else return DAMAGED;
  }
  return DAMAGED;
}

/** Length of what belongs to a backslash before `at`. */
function escapeLength(bytes: Uint8Array, at: number, separator: number): number {
  switch (bytes[at]) {
    case BACKSLASH:
    case 0x6e: // n
    case 0x72: // r
    case separator:
      return 1;
    case 0x78: // x
      return isHex(bytes[at + 1]) && isHex(bytes[at + 2]) ? 3 : DAMAGED;
    default:
      return DAMAGED;
  }
}

function isHex(byte: number | undefined): boolean {
  return byte !== undefined && /[0-9A-Fa-f]/.test(String.fromCharCode(byte));
}

/** Powers of ten that a double holds exactly. */
const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/**
 * The JSON number in bytes[start, end), NaN where it is none. A decimal whose digits are an integer below 2^53 is that
 * integer divided by a power of ten, both exact and so rounded rightly (Clinger 1990); any other goes through Number.
 */
export function numberAt(bytes: Buffer, start: number, end: number): number {
  let i = bytes[start] === MINUS ? start + 1 : start;
  const first = i;
  let digits = 0;
  for (; i < end; i++) {
    const digit = bytes[i]! - ZERO;
    if (digit < 0 || digit > 9) break;
    digits = digits * 10 + digit;
  }
  const whole = i - first;
  let decimals = 0;
  if (i < end && bytes[i] === DOT) {
    const from = ++i;
    for (; i < end; i++) {
      const digit = bytes[i]! - ZERO;
      if (digit < 0 || digit > 9) break;
      digits = digits * 10 + digit;
    }
    decimals = i - from;
    if (decimals === 0) return Number.NaN;
  }
  if (whole === 0 || (whole > 1 && bytes[first] === ZERO)) return Number.NaN;
  if (i < end || whole + decimals > 16 || digits > Number.MAX_SAFE_INTEGER) {
    return parseNumber(bytes.toString('latin1', start, end));
  }
  const value = digits / POWERS_OF_TEN[decimals]!;
  return first > start ? -value : value;
}

/** The integer within 2^53 in bytes[start, end), NaN where it is none. */
export function integerAt(bytes: Uint8Array, start: number, end: number): number {
  const first = bytes[start] === MINUS ? start + 1 : start;
  const length = end - first;
  if (length < 1 || length > 16 || (length > 1 && bytes[first] === ZERO)) return Number.NaN;
  let value = 0;
  for (let i = first; i < end; i++) {
    const digit = bytes[i]! - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  if (value > Number.MAX_SAFE_INTEGER) return Number.NaN;
  return first > start ? 0 - value : value;
}

/** Digits that make an integer of 32 bits, whatever they are. */
const SHORT = 9;

/**
 * Reads the usual numbers in one go into values[row]: decimals from 0 on with nine digits at most on either side of the dot. Gives
 * where it ends; DAMAGED where it is none, or another kind of number.
 */
function decimalInto(values: Float64Array, row: number, bytes: Uint8Array, start: number): number {
  let i = start;
  let whole = 0;
  for (let digit = bytes[i]! - ZERO; digit >= 0 && digit <= 9; digit = bytes[++i]! - ZERO) {
    whole = (Math.imul(whole, 10) + digit) | 0;
  }
  if (i === start || i > start + SHORT || (bytes[start] === ZERO && i > start + 1)) return DAMAGED;
  if (bytes[i] !== DOT) {
    values[row] = whole;
    return i;
  }
  const dot = i++;
  let part = 0;
  for (let digit = bytes[i]! - ZERO; digit >= 0 && digit <= 9; digit = bytes[++i]! - ZERO) {
    part = (Math.imul(part, 10) + digit) | 0;
  }
  const decimals = i - dot - 1;
  if (decimals === 0 || decimals > SHORT) return DAMAGED;
  const scale = POWERS_OF_TEN[decimals]!;
  const digits = whole * scale + part;
  // Beyond, the digits are no double.
  if (digits > Number.MAX_SAFE_INTEGER) return DAMAGED;
  values[row] = digits / scale;
  return i;
}

/** The same of an integer of 15 digits at most. */
function wholeInto(values: Float64Array, row: number, bytes: Uint8Array, start: number): number {
  let value = 0;
  let i = start;
  for (let digit = bytes[i]! - ZERO; digit >= 0 && digit <= 9; digit = bytes[++i]! - ZERO) value = value * 10 + digit;
  const length = i - start;
  if (length === 0 || length > 15 || (length > 1 && bytes[start] === ZERO)) return DAMAGED;
  values[row] = value;
  return i;
}

/**
 * Where the line goes on behind the newline after `count` fields, of which the first is behind the comma at `comma`; DAMAGED where
 * that is not simply so. Words of four bytes are looked at, each byte of which has its answer in its highest bit.
 */
function skippedFields(view: DataView, comma: number, count: number): number {
  let commas = 0;
  const last = view.byteLength - 4;
  for (let i = comma; i <= last; i += 4) {
    const bytes = view.getInt32(i, true);
    const other = bytes ^ 0x2c2c2c2c;
    const slash = bytes ^ 0x5c5c5c5c;
    const isComma = ~(((other & 0x7f7f7f7f) + 0x7f7f7f7f) | other | 0x7f7f7f7f);
    // Controls and DEL, and backslashes. What is found borrows from the byte behind it, so that only the first is sure to be one.
    const isEnd =
      ((((bytes - 0x20202020) | (bytes + 0x01010101)) & ~bytes) | ((slash - 0x01010101) & ~slash)) & 0x80808080;
    if (isEnd === 0) {
      commas += Math.imul(isComma >>> 7, 0x01010101) >>> 24;
      continue;
    }
    const first = isEnd & -isEnd;
    commas += Math.imul((isComma & (first - 1)) >>> 7, 0x01010101) >>> 24;
    const end = i + ((31 - Math.clz32(first)) >> 3);
    return commas === count && view.getUint8(end) === NEWLINE ? end + 1 : DAMAGED;
  }
  return DAMAGED;
}

/** Where the frame that begins at `start` ends: at a semicolon or newline. */
function frameEnd(bytes: Uint8Array, start: number): number {
  let i = start;
  while (PLAIN_IN_FRAME[bytes[i]!] === 1) i++;
  return bytes[i] === SEMICOLON || bytes[i] === NEWLINE ? i : pastEscapes(bytes, i, SEMICOLON, PLAIN_IN_FRAME);
}

/** Where the weight at `start` ends, at a hash; DAMAGED where it does not. It has 16 digits at most. */
function weightEnd(bytes: Uint8Array, start: number): number {
  let hash = start;
  while (hash < start + 17 && bytes[hash] !== HASH) hash++;
  return bytes[hash] === HASH ? hash : DAMAGED;
}

/** The number that a field's text is, escaped or not; NaN where it is none. */
function fieldNumberAt(bytes: Buffer, start: number, end: number): number {
  if (start === end) return Number.NaN;
  const value = numberAt(bytes, start, end);
  if (!Number.isNaN(value) || !bytes.subarray(start, end).includes(BACKSLASH)) return value;
  return parseNumber(decodeText(bytes.toString('utf8', start, end), ','));
}

/** Gives texts numbers from 0 on, equal ones the same, by their bytes: a text becomes a string only once. */
export class TextDictionary {
  /** The texts by their number. */
  readonly texts: string[] = [];
  readonly #encoded = new ByteStrings();

  constructor(readonly separator: Separator) {}

  /** The number of the encoded text in bytes[start, end). */
  idAt(bytes: Buffer, start: number, end: number): number {
    const id = this.#encoded.idAt(bytes, start, end);
    if (id === this.texts.length) this.texts.push(decodeText(bytes.toString('utf8', start, end), this.separator));
    return id;
  }
}

/** One field of a line, and where its values go. */
interface FieldTarget {
  numbers: Float64Array | undefined;
  ids: Int32Array | undefined;
  readonly dictionary: TextDictionary | undefined;
}

/** A chunk as the parser gives it: x and y, or time alone, then the columns that were asked for. */
export interface ParsedColumns {
  readonly length: number;
  readonly leading: readonly Float64Array[];
  readonly columns: readonly Column[];
}

/** Turns lines of datapoints or events into columns, chunk by chunk. The type of an event is its first field here. */
export class ColumnParser {
  readonly #isEvent: boolean;
  readonly #requests: readonly { readonly place: number; readonly as: 'number' | 'text' }[];
  readonly #fields: FieldTarget[];
  /** Place of the last field that is wanted. */
  readonly #lastWanted: number;
  readonly #rows: number;
  #leading: Float64Array[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #view: DataView = viewOf(this.#bytes);
  #length = 0;
  #damaged = false;

  /**
   * `bytes` is the size of all lines to come.
   * @throws TypeError where a field is wanted that the header does not have.
   */
  constructor(header: SectionHeader, want: readonly ColumnRequest[], bytes: number) {
    this.#isEvent = header.datatype === 'event';
    const own = header.fields ?? (this.#isEvent ? [] : ['info']);
    const names = this.#isEvent ? ['', ...own] : own;
    this.#requests = want.map(({ field, as }) => {
      const place = own.indexOf(field);
      if (place < 0) throw new TypeError(`a section of ${header.interface} has no field '${field}'`);
      return { place: place + names.length - own.length, as };
    });
    if (this.#isEvent) this.#requests = [{ place: 0, as: 'text' }, ...this.#requests];
    this.#fields = names.map((_, place) => ({
      numbers: undefined,
      ids: undefined,
      dictionary: this.#wants(place, 'text') ? new TextDictionary(',') : undefined,
    }));
    this.#lastWanted = Math.max(-1, ...this.#requests.map(({ place }) => place));
    this.#rows = Math.min(CHUNK_ROWS, Math.floor(bytes / SHORTEST_LINE) + 1);
  }

  get length(): number {
    return this.#length;
  }

  get full(): boolean {
    return this.#length === this.#rows;
  }

  /** Whether parse() stopped at a line that is damaged. */
  get damaged(): boolean {
    return this.#damaged;
  }

  /** Adds the lines from `start` on, until the chunk is full or the bytes are over; gives the place of the next line. */
  parse(bytes: Buffer, start: number): number {
    if (this.#length === 0) this.#allocate();
    if (this.#bytes !== bytes) [this.#bytes, this.#view] = [bytes, viewOf(bytes)];
    let at = start;
    while (at < bytes.length && this.#length < this.#rows) {
      const next = this.#isEvent ? this.#event(bytes, at) : this.#point(bytes, at);
      if (next === DAMAGED) {
        this.#damaged = true;
        break;
      }
      this.#length++;
      at = next;
    }
    return at;
  }

  /** Gives the chunk away and begins the next. */
  take(): ParsedColumns {
    const length = this.#length;
    const own = <T extends Float64Array | Int32Array>(values: T): T =>
      (length === values.length ? values : values.slice(0, length)) as T;
    const leading = this.#leading.map(own);
    const columns = this.#requests.map(({ place, as }): Column => {
      const { numbers, ids, dictionary } = this.#fields[place]!;
      return as === 'number'
        ? { values: own(numbers!), dictionary: [] }
        : { values: own(ids!), dictionary: dictionary!.texts };
    });
    this.#length = 0;
    return { length, leading, columns };
  }

  #wants(place: number, as: 'number' | 'text'): boolean {
    return this.#requests.some((request) => request.place === place && request.as === as);
  }

  #allocate(): void {
    this.#leading = Array.from({ length: this.#isEvent ? 1 : 2 }, () => new Float64Array(this.#rows));
    for (const [place, field] of this.#fields.entries()) {
      if (this.#wants(place, 'number')) field.numbers = new Float64Array(this.#rows);
      if (this.#wants(place, 'text')) field.ids = new Int32Array(this.#rows);
    }
  }

  #point(bytes: Buffer, start: number): number {
    const row = this.#length;
    const xEnd = decimalInto(this.#leading[0]!, row, bytes, start);
    const hasX = xEnd !== DAMAGED && bytes[xEnd] === COMMA;
    const yEnd = hasX ? decimalInto(this.#leading[1]!, row, bytes, xEnd + 1) : DAMAGED;
    return yEnd !== DAMAGED && bytes[yEnd] === COMMA ? this.#texts(bytes, yEnd) : this.#anyPoint(bytes, start);
  }

  /** The same, of whatever numbers. */
  #anyPoint(bytes: Buffer, start: number): number {
    const xEnd = fieldEnd(bytes, start);
    if (xEnd === DAMAGED || bytes[xEnd] !== COMMA) return DAMAGED;
    const yEnd = fieldEnd(bytes, xEnd + 1);
    if (yEnd === DAMAGED || bytes[yEnd] !== COMMA) return DAMAGED;
    const x = numberAt(bytes, start, xEnd);
    const y = numberAt(bytes, xEnd + 1, yEnd);
    if (Number.isNaN(x) || Number.isNaN(y)) return DAMAGED;
    this.#leading[0]![this.#length] = x;
    this.#leading[1]![this.#length] = y;
    return this.#texts(bytes, yEnd);
  }

  #event(bytes: Buffer, start: number): number {
    const end = wholeInto(this.#leading[0]!, this.#length, bytes, start);
    return end !== DAMAGED && bytes[end] === COMMA ? this.#texts(bytes, end) : this.#anyEvent(bytes, start);
  }

  /** The same, of whatever time. */
  #anyEvent(bytes: Buffer, start: number): number {
    const end = fieldEnd(bytes, start);
    if (end === DAMAGED || bytes[end] !== COMMA) return DAMAGED;
    const time = integerAt(bytes, start, end);
    if (Number.isNaN(time)) return DAMAGED;
    this.#leading[0]![this.#length] = time;
    return this.#texts(bytes, end);
  }

  /** The fields behind the comma at `comma`; gives the place of the next line. */
  #texts(bytes: Buffer, comma: number): number {
    const fields = this.#fields;
    let end = comma;
    for (let place = 0; place < fields.length; place++) {
      if (place > this.#lastWanted) {
        const next = skippedFields(this.#view, end, fields.length - place);
        if (next !== DAMAGED) return next;
      }
      if (bytes[end] !== COMMA) return DAMAGED;
      end = this.#field(bytes, end + 1, fields[place]!);
      if (end === DAMAGED) return DAMAGED;
    }
    return lineEnd(bytes, end, this.#isEvent ? fields.length - 1 : fields.length);
  }

  /** The field that begins at `start`; gives where it ends, DAMAGED where the line is. */
  #field(bytes: Buffer, start: number, { numbers, ids, dictionary }: FieldTarget): number {
    const row = this.#length;
    let end = numbers === undefined ? DAMAGED : decimalInto(numbers, row, bytes, start);
    if (end === DAMAGED || (bytes[end] !== COMMA && bytes[end] !== NEWLINE)) {
      end = fieldEnd(bytes, start);
      if (end === DAMAGED) return DAMAGED;
      if (numbers !== undefined) numbers[row] = fieldNumberAt(bytes, start, end);
    }
    if (ids !== undefined) ids[row] = dictionary!.idAt(bytes, start, end);
    return end;
  }
}

/** The place behind the newline at `end`. Without fields a comma may stand before it. */
function lineEnd(bytes: Uint8Array, end: number, fieldCount: number): number {
  const newline = fieldCount === 0 && bytes[end] === COMMA ? end + 1 : end;
  return bytes[newline] === NEWLINE ? newline + 1 : DAMAGED;
}

/** Turns lines of stacks into columns, chunk by chunk. Of each line only what differs from the one before is looked up. */
export class StackColumnParser {
  readonly #dictionary = new TextDictionary(';');
  readonly #rows: number;
  #weight: Float64Array;
  #shared: Int32Array;
  #ends: Int32Array;
  #frames: Int32Array<ArrayBuffer>;
  #frameCount = 0;
  #length = 0;
  #damaged = false;
  /** The line before: its buffer, where its frames begin and end there, and how far behind its beginning each frame ends. */
  #bytes: Buffer | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #from = 0;
  #to = 0;
  #frameEnds = new Int32Array(256);
  #depth = 0;

  /** `bytes` is the size of all lines to come. */
  constructor(bytes: number) {
    this.#rows = Math.min(CHUNK_ROWS, Math.floor(bytes / SHORTEST_LINE) + 1);
    this.#weight = new Float64Array(this.#rows);
    this.#shared = new Int32Array(this.#rows);
    this.#ends = new Int32Array(this.#rows);
    this.#frames = new Int32Array(this.#rows);
  }

  get length(): number {
    return this.#length;
  }

  get full(): boolean {
    return this.#length === this.#rows;
  }

  /** Whether parse() stopped at a line that is damaged. */
  get damaged(): boolean {
    return this.#damaged;
  }

  /** Adds the lines from `start` on, until the chunk is full or the bytes are over; gives the place of the next line. */
  parse(bytes: Buffer, start: number): number {
    if (this.#bytes !== bytes) {
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      this.#depth = 0;
    }
    let at = start;
    while (at < bytes.length && this.#length < this.#rows) {
      const next = this.#line(bytes, at);
      if (next === DAMAGED) {
        this.#damaged = true;
        break;
      }
      at = next;
    }
    return at;
  }

  /** Gives the chunk away and begins the next. */
  take(): StackColumns {
    const length = this.#length;
    const columns = {
      length,
      weight: this.#weight.slice(0, length),
      shared: this.#shared.slice(0, length),
      ends: this.#ends.slice(0, length),
      frames: this.#frames.slice(0, this.#frameCount),
      names: this.#dictionary.texts,
    };
    this.#length = 0;
    this.#frameCount = 0;
    return columns;
  }

  /** The line at `start`; gives the place of the next line. */
  #line(bytes: Buffer, start: number): number {
    let hash = wholeInto(this.#weight, this.#length, bytes, start);
    if (hash === DAMAGED || bytes[hash] !== HASH) {
      hash = weightEnd(bytes, start);
      if (hash === DAMAGED) return DAMAGED;
      const weight = integerAt(bytes, start, hash);
      if (!(weight >= 0)) return DAMAGED;
      this.#weight[this.#length] = weight;
    }
    const from = hash + 1;
    let depth = this.#sharedFrames(bytes, from);
    this.#shared[this.#length] = depth;
    let end = depth === 0 ? hash : from + this.#frameEnds[depth - 1]!;
    while (depth === 0 || bytes[end] === SEMICOLON) {
      const at = end + 1;
      end = frameEnd(bytes, at);
      if (end === DAMAGED) return DAMAGED;
      this.#add(this.#dictionary.idAt(bytes, at, end));
      if (depth === this.#frameEnds.length) this.#frameEnds = doubled(this.#frameEnds);
      this.#frameEnds[depth++] = end - from;
    }
    this.#ends[this.#length] = this.#frameCount;
    this.#length++;
    this.#from = from;
    this.#to = end;
    this.#depth = depth;
    return end + 1;
  }

  /** How many of the frames of the line before are the first of the one that begins at `from` too. */
  #sharedFrames(bytes: Buffer, from: number): number {
    let depth = this.#depth;
    if (depth === 0) return 0;
    const alike = this.#alike(bytes, from);
    const ends = this.#frameEnds;
    // A frame that only begins alike goes on in one of the two.
    while (depth > 0) {
      const end = ends[depth - 1]!;
      const next = bytes[from + end];
      if (end <= alike && (next === SEMICOLON || next === NEWLINE)) break;
      depth--;
    }
    return depth;
  }

  /**
   * How many bytes from `from` on are those of the frames of the line before. Eight at once are compared as a number: what would not
   * be equal to itself, or be another zero, has bytes that no text has.
   */
  #alike(bytes: Buffer, from: number): number {
    const view = this.#view;
    const before = this.#from;
    const most = Math.min(this.#to - before, bytes.length - from);
    let i = 0;
    while (i + 8 <= most && view.getFloat64(before + i, true) === view.getFloat64(from + i, true)) i += 8;
    while (i < most && bytes[before + i] === bytes[from + i]) i++;
    return i;
  }

  #add(frame: number): void {
    if (this.#frameCount === this.#frames.length) this.#frames = doubled(this.#frames);
    this.#frames[this.#frameCount++] = frame;
  }
}

function doubled(values: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * values.length);
  larger.set(values);
  return larger;
}

/** Texts that are shared while records are read; a power of two. */
const SHARED = 1 << 14;
/** Bytes of the longest that is. */
const LONGEST_SHARED = 64;

/** V8 makes a string of its own of a piece of another up to this length; a longer one would keep the other alive. */
const OWN = 12;
/** Bytes that are turned into characters at once. */
const PIECE = 16 * 1024;

/** Reads texts, and shares the strings of those that are equal to one that was read lately. */
class TextReader {
  /** Where the text that was read last ended: at the separator or the newline. */
  end = 0;
  readonly #byte: number;
  readonly #plain: Uint8Array;
  /** By some bits of their hash: strings, how many bytes each has, and these bytes. */
  readonly #texts = new Array<string>(SHARED).fill('');
  readonly #lengths = new Int32Array(SHARED);
  readonly #bytes = Buffer.allocUnsafeSlow(SHARED * LONGEST_SHARED);
  /** Some bytes of the lines as characters, of which buffer they are, and where they begin in it. */
  #piece = '';
  #pieceOf: Buffer | undefined;
  #from = 0;

  constructor(readonly separator: Separator) {
    this.#byte = separator === ',' ? COMMA : SEMICOLON;
    this.#plain = separator === ',' ? PLAIN_IN_FIELD : PLAIN_IN_FRAME;
  }

  /** The text that begins at `start`; undefined where the line is damaged. */
  textFrom(bytes: Buffer, start: number): string | undefined {
    const plain = this.#plain;
    let hash = 0x811c9dc5;
    let end = start;
    let byte = bytes[end]!;
    while (plain[byte] === 1) {
      hash = Math.imul(hash ^ byte, 0x01000193);
      byte = bytes[++end]!;
    }
    if (byte !== this.#byte && byte !== NEWLINE) return this.#escaped(bytes, start, end);
    this.end = end;
    if (end - start > LONGEST_SHARED) return bytes.toString('utf8', start, end);
    const slot = (hash ^ (hash >>> 15)) & (SHARED - 1);
    return this.#isAt(slot, bytes, start, end) ? this.#texts[slot] : this.#share(slot, bytes, start, end);
  }

  #isAt(slot: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#lengths[slot] !== end - start) return false;
    const own = this.#bytes;
    let at = slot * LONGEST_SHARED;
    for (let i = start; i < end; i++) if (bytes[i] !== own[at++]) return false;
    return true;
  }

  #share(slot: number, bytes: Buffer, start: number, end: number): string {
    const text = this.#string(bytes, start, end);
    this.#texts[slot] = text;
    this.#lengths[slot] = end - start;
    const own = this.#bytes;
    let at = slot * LONGEST_SHARED;
    for (let i = start; i < end; i++) own[at++] = bytes[i]!;
    return text;
  }

  /** A piece of a string takes a fourth of the time that one of its own from bytes does. */
  #string(bytes: Buffer, start: number, end: number): string {
    if (end - start > OWN) return bytes.toString('utf8', start, end);
    for (let i = start; i < end; i++) if (bytes[i]! > 0x7f) return bytes.toString('utf8', start, end);
    if (this.#pieceOf !== bytes || start < this.#from || end > this.#from + this.#piece.length) {
      this.#piece = bytes.toString('latin1', start, start + PIECE);
      this.#pieceOf = bytes;
      this.#from = start;
    }
    return this.#piece.slice(start - this.#from, end - this.#from);
  }

  #escaped(bytes: Buffer, start: number, from: number): string | undefined {
    this.end = pastEscapes(bytes, from, this.#byte, this.#plain);
    return this.end === DAMAGED ? undefined : decodeText(bytes.toString('utf8', start, this.end), this.separator);
  }
}

/** Turns lines into records. The strings of equal texts are shared, and none keeps the bytes of its file alive. */
export class RecordParser<R extends MarpleRecord = MarpleRecord> {
  readonly #datatype: Datatype;
  readonly #fieldCount: number;
  readonly #texts: TextReader;
  #damaged = false;

  constructor({ datatype, fields }: SectionHeader) {
    this.#datatype = datatype;
    this.#fieldCount = fields?.length ?? (datatype === 'datapoint' ? 1 : 0);
    this.#texts = new TextReader(datatype === 'stack' ? ';' : ',');
  }

  /** Whether parse() stopped at a line that is damaged. */
  get damaged(): boolean {
    return this.#damaged;
  }

  /** Adds at most `count` records to `records`, from the line at `start` on; gives the place of the next line. */
  parse(bytes: Buffer, start: number, count: number, records: R[]): number {
    let at = start;
    for (let i = 0; i < count && at < bytes.length; i++) {
      const next = this.#parseLine(bytes, at, records as MarpleRecord[]);
      if (next === DAMAGED) {
        this.#damaged = true;
        break;
      }
      at = next;
    }
    return at;
  }

  #parseLine(bytes: Buffer, start: number, records: MarpleRecord[]): number {
    switch (this.#datatype) {
      case 'datapoint':
        return this.#datapoint(bytes, start, records as Datapoint[]);
      case 'event':
        return this.#event(bytes, start, records as EventData[]);
      case 'stack':
        return this.#stack(bytes, start, records as StackData[]);
    }
  }

  #datapoint(bytes: Buffer, start: number, records: Datapoint[]): number {
    const xEnd = fieldEnd(bytes, start);
    if (xEnd === DAMAGED || bytes[xEnd] !== COMMA) return DAMAGED;
    const yEnd = fieldEnd(bytes, xEnd + 1);
    if (yEnd === DAMAGED || bytes[yEnd] !== COMMA) return DAMAGED;
    const x = numberAt(bytes, start, xEnd);
    const y = numberAt(bytes, xEnd + 1, yEnd);
    if (Number.isNaN(x) || Number.isNaN(y)) return DAMAGED;
    const info = new Array<string>(this.#fieldCount);
    const next = this.#fields(bytes, yEnd, info);
    if (next !== DAMAGED) records.push({ x, y, info });
    return next;
  }

  #event(bytes: Buffer, start: number, records: EventData[]): number {
    const end = fieldEnd(bytes, start);
    if (end === DAMAGED || bytes[end] !== COMMA) return DAMAGED;
    const time = integerAt(bytes, start, end);
    const type = this.#texts.textFrom(bytes, end + 1);
    if (Number.isNaN(time) || type === undefined) return DAMAGED;
    const datum = new Array<string>(this.#fieldCount);
    const next = this.#fields(bytes, this.#texts.end, datum);
    if (next !== DAMAGED) records.push({ time, type, datum });
    return next;
  }

  #fields(bytes: Buffer, comma: number, fields: string[]): number {
    const texts = this.#texts;
    let end = comma;
    for (let i = 0; i < this.#fieldCount; i++) {
      const text = bytes[end] === COMMA ? texts.textFrom(bytes, end + 1) : undefined;
      if (text === undefined) return DAMAGED;
      fields[i] = text;
      end = texts.end;
    }
    return lineEnd(bytes, end, this.#fieldCount);
  }

  #stack(bytes: Buffer, start: number, records: StackData[]): number {
    const texts = this.#texts;
    const hash = weightEnd(bytes, start);
    const weight = hash === DAMAGED ? Number.NaN : integerAt(bytes, start, hash);
    if (!(weight >= 0)) return DAMAGED;
    const stack: string[] = [];
    let end = hash;
    do {
      const frame = texts.textFrom(bytes, end + 1);
      if (frame === undefined) return DAMAGED;
      stack.push(frame);
      end = texts.end;
    } while (bytes[end] === SEMICOLON);
    records.push({ weight, stack });
    return end + 1;
  }
}
