import type {
  Datapoint,
  Datatype,
  EventData,
  MarpleRecord,
  NewEvent,
  NewRecord,
  RecordOf,
  StackData,
} from './datatypes.ts';
import { assertNever } from './errors.ts';
import type { SectionHeader } from './header.ts';

/*
 * The text form of records (docs/format.md), one string at a time. What reads files goes by bytes (columns.ts); it
 * comes here for text with escapes, and for the reason where a line is damaged.
 */

/** What ends a piece of text, and so is escaped in it: `,` in info, datum and type, `;` in frames. */
export type Separator = ',' | ';';

// With the u flag a surrogate matches only where it is alone. The quick tests may find more than there is to escape.
const SPECIAL = {
  ',': { quick: /[\\,\x00-\x1f\x7f\ud800-\udfff]/, each: /[\\,\x00-\x1f\x7f\ud800-\udfff]/gu },
  ';': { quick: /[\\;\x00-\x1f\x7f\ud800-\udfff]/, each: /[\\;\x00-\x1f\x7f\ud800-\udfff]/gu },
} as const;

/** A byte that is not part of valid UTF-8 is this code unit plus the byte, in memory. */
export const BYTE_BASE = 0xdc00;

/** Escapes one field, type or frame: the result has no control character, no bare separator and no lone surrogate. */
export function encodeText(text: string, separator: Separator): string {
  const special = SPECIAL[separator];
  return special.quick.test(text) ? text.replace(special.each, escapeCharacter) : text;
}

function escapeCharacter(character: string): string {
  switch (character) {
    case '\\':
    case ',':
    case ';':
      return `\\${character}`;
    case '\n':
      return '\\n';
    case '\r':
      return '\\r';
  }
  const code = character.charCodeAt(0);
  if (code < 0x80) return escapeByte(code);
  return code >= BYTE_BASE + 0x80 && code <= BYTE_BASE + 0xff ? escapeByte(code - BYTE_BASE) : '\ufffd';
}

function escapeByte(byte: number): string {
  return `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

const ESCAPE = /\\(?:x([0-9A-Fa-f]{2})|([\s\S]?))/g;

/**
 * The text that an escaped piece stands for. Escaped bytes stay apart even where they would be valid UTF-8 together:
 * each is the surrogate of its value, so that they can be written again as they were.
 * @throws Error where a backslash begins no escape.
 */
export function decodeText(text: string, separator: Separator): string {
  if (!text.includes('\\')) return text;
  return text.replace(ESCAPE, (sequence: string, byte: string | undefined, character: string | undefined) => {
    if (byte !== undefined) {
      const code = Number.parseInt(byte, 16);
      return String.fromCharCode(code < 0x80 ? code : BYTE_BASE + code);
    }
    if (character === '\\' || character === separator) return character;
    if (character === 'n') return '\n';
    if (character === 'r') return '\r';
    throw new Error(`${quote(sequence)} is no escape here`);
  });
}

/** A header as its line, without the newline. Control characters in its texts are escaped, DEL and C1 too. */
export function serialiseHeader(header: SectionHeader): string {
  const json = JSON.stringify(header);
  return json.replace(/[\x7f-\x9f]/g, (control) => `\\u00${control.charCodeAt(0).toString(16)}`);
}

/**
 * One record as its line, without the newline.
 * @throws RangeError where a number is none that the datatype can hold, or a stack has no frame.
 */
export function encodeRecord(datatype: Datatype, record: NewRecord): string {
  switch (datatype) {
    case 'datapoint':
      return encodeDatapoint(record as Datapoint);
    case 'event':
      return encodeEvent(record as NewEvent);
    case 'stack':
      return encodeStack(record as StackData);
    default:
      return assertNever(datatype);
  }
}

function encodeDatapoint({ x, y, info }: Datapoint): string {
  return `${finite(x)},${finite(y)},${encodeTexts(info, ',')}`;
}

function encodeEvent({ time, type, datum }: NewEvent): string {
  if (!Number.isSafeInteger(time))
    throw new RangeError(`${time} is no time of an event, which is in whole nanoseconds`);
  const head = `${time},${encodeText(type, ',')}`;
  return datum.length === 0 ? head : `${head},${encodeTexts(datum, ',')}`;
}

function encodeStack({ weight, stack }: StackData): string {
  if (!Number.isSafeInteger(weight) || weight < 0) throw new RangeError(`${weight} is no weight of a stack`);
  if (stack.length === 0) throw new RangeError('a stack has one frame or more');
  return `${weight}#${encodeTexts(stack, ';')}`;
}

function encodeTexts(texts: readonly (string | number)[], separator: Separator): string {
  let line = texts.length === 0 ? '' : encodeText(`${texts[0]!}`, separator);
  for (let i = 1; i < texts.length; i++) line += separator + encodeText(`${texts[i]!}`, separator);
  return line;
}

function finite(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`${value} is no number that a datapoint can hold`);
  return Object.is(value, -0) ? '-0' : `${value}`;
}

/**
 * One line (without its newline) as a record. `fieldCount` is the number of the header's `fields`, undefined where it
 * has none.
 * @throws Error that says what is wrong with the line.
 */
export function decodeRecord<D extends Datatype>(
  datatype: D,
  line: string,
  fieldCount: number | undefined,
): RecordOf[D];
export function decodeRecord(datatype: Datatype, line: string, fieldCount: number | undefined): MarpleRecord {
  checkControl(line);
  switch (datatype) {
    case 'datapoint':
      return decodeDatapoint(line, fieldCount);
    case 'event':
      return decodeEvent(line, fieldCount ?? 0);
    case 'stack':
      return decodeStack(line);
    default:
      return assertNever(datatype);
  }
}

function checkControl(line: string): void {
  const control = /[\x00-\x1f\x7f]/.exec(line)?.[0];
  if (control === undefined) return;
  throw new Error(
    control === '\r'
      ? 'the line holds a carriage return: lines end in \\n and nothing else'
      : `the line holds the control character ${escapeByte(control.charCodeAt(0))}`,
  );
}

// 1.284119,0.083,fio,1234,1240,R,vda,29947720,4096,
function decodeDatapoint(line: string, fieldCount: number | undefined): Datapoint {
  const first = line.indexOf(',');
  const second = line.indexOf(',', first + 1);
  if (first < 0 || second < 0) throw new Error(`a datapoint is x,y,info, and not ${quote(line)}`);
  return {
    x: decodeNumber(line.slice(0, first), 'x'),
    y: decodeNumber(line.slice(first + 1, second), 'y'),
    info: decodeFields(line, second + 1, fieldCount ?? 1),
  };
}

// 284119000,cpu-clock,17,1,1234,1240,1
function decodeEvent(line: string, fieldCount: number): EventData {
  const comma = line.indexOf(',');
  if (comma < 0) throw new Error(`an event is time,type,datum, and not ${quote(line)}`);
  const time = decodeInteger(line.slice(0, comma), 'time');
  const end = separatorFrom(line, comma + 1, ',');
  const type = decodeText(line.slice(comma + 1, end), ',');
  if (end < line.length) return { time, type, datum: decodeFields(line, end + 1, fieldCount) };
  if (fieldCount > 0) throw fieldError(0, fieldCount);
  return { time, type, datum: [] };
}

// 42#fio;__libc_start_main;main;io_u_submit
function decodeStack(line: string): StackData {
  const hash = line.indexOf('#');
  if (hash < 0) throw new Error(`a stack is weight#frame;frame;..., and not ${quote(line)}`);
  const weight = decodeInteger(line.slice(0, hash), 'weight');
  if (weight < 0) throw new Error(`${quote(line.slice(0, hash))} is no weight`);
  return { weight, stack: split(line, hash + 1, ';').map((frame) => decodeText(frame, ';')) };
}

function decodeFields(line: string, start: number, count: number): string[] {
  const fields = split(line, start, ',');
  // Of no fields and of one that is empty the text is the same.
  if (count === 0 && fields.length === 1 && fields[0] === '') return [];
  if (fields.length !== count) throw fieldError(fields.length, count);
  return fields.map((field) => decodeText(field, ','));
}

function fieldError(found: number, expected: number): Error {
  return new Error(`the line has ${found} fields, where the header has ${expected}`);
}

/** Splits what begins at `start` at separators that no backslash escapes. */
function split(line: string, start: number, separator: Separator): string[] {
  const pieces: string[] = [];
  for (let from = start; from <= line.length; ) {
    const end = separatorFrom(line, from, separator);
    pieces.push(line.slice(from, end));
    from = end + 1;
  }
  return pieces;
}

/** Where the next unescaped separator is, or the line's end. */
function separatorFrom(line: string, start: number, separator: Separator): number {
  for (let i = start; i < line.length; i++) {
    const character = line[i];
    if (character === separator) return i;
    if (character === '\\') i++;
  }
  return line.length;
}

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const JSON_INTEGER = /^-?(?:0|[1-9]\d*)$/;

/** The value of a JSON number (RFC 8259); NaN for any other text, and where it is out of range. */
export function parseNumber(text: string): number {
  const value = JSON_NUMBER.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : Number.NaN;
}

function decodeNumber(text: string, what: string): number {
  const value = parseNumber(text);
  if (Number.isNaN(value)) throw new Error(`${what} is no number: ${quote(text)}`);
  return value;
}

function decodeInteger(text: string, what: string): number {
  const value = JSON_INTEGER.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new Error(`${what} is no integer within 2^53: ${quote(text)}`);
  // There is one zero only.
  return value + 0;
}

const QUOTED = 60;

function quote(text: string): string {
  return JSON.stringify(text.length > QUOTED ? `${text.slice(0, QUOTED)}...` : text);
}
