import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeRecord,
  decodeText,
  encodeRecord,
  encodeText,
  parseNumber,
  type Separator,
} from '../../src/common/codec.ts';
import type { MarpleRecord } from '../../src/common/datatypes.ts';
import { decodeBytes } from '../../src/common/decode-bytes.ts';
import { anyRecord, anyText } from '../support/data-files.ts';

const CONTROL = /[\x00-\x1f\x7f]/;
const separators: Separator[] = [',', ';'];

describe.each(separators)('text up to %s', (separator) => {
  test('any text survives', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(decodeText(encodeText(text, separator), separator)).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });

  test('what is encoded has no control character, no bare separator, and is whole Unicode', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const encoded = encodeText(text, separator);
        expect(encoded).not.toMatch(CONTROL);
        expect(encoded.replace(/\\./g, '')).not.toContain(separator);
        expect(Buffer.from(encoded).toString()).toBe(encoded);
      }),
      { numRuns: 2000 },
    );
  });
});

const forms: [string, Separator, string, string][] = [
  ['plain', ',', 'a b;c#d{', 'a b;c#d{'],
  ['the separator of fields', ',', 'a,b;c', 'a\\,b;c'],
  ['the separator of frames', ';', 'a,b;c', 'a,b\\;c'],
  ['a backslash', ',', 'C:\\n', 'C:\\\\n'],
  ['newline and carriage return', ',', '\n\r', '\\n\\r'],
  ['control characters', ',', '\0\t\x1b\x1f\x7f', '\\x00\\x09\\x1B\\x1F\\x7F'],
  ['a byte that is not UTF-8', ',', 'caf\udce9', 'caf\\xE9'],
  ['bytes that are UTF-8 only together', ';', '\udce2\udc82\udcac', '\\xE2\\x82\\xAC'],
  ['a pair, and a byte behind it', ';', '😀\udc80', '😀\\x80'],
  ['characters above ASCII', ',', 'é€\u009b\u2028\ufeff', 'é€\u009b\u2028\ufeff'],
  ['nothing', ',', '', ''],
];

test.each(forms)('%s is written as docs/format.md says', (_, separator, text, encoded) => {
  expect(encodeText(text, separator)).toBe(encoded);
  expect(decodeText(encoded, separator)).toBe(text);
});

test.each([
  ['\ud800', '\ufffd'],
  ['a\udbffb', 'a\ufffdb'],
  ['\udc7f', '\ufffd'],
  ['\udd00\ud83d', '\ufffd\ufffd'],
])('a lone surrogate that stands for no byte becomes U+FFFD', (text, encoded) => {
  expect(encodeText(text, ',')).toBe(encoded);
});

test('lower case and plain characters are read in \\xHH too', () => {
  expect(decodeText('\\xe9\\x41', ',')).toBe('\udce9A');
});

test.each(['\\', 'a\\', '\\q', '\\x', '\\x4', '\\xG0', '\\;', '\\t', '\\N'])('%s is no escape in a field', (text) => {
  expect(() => decodeText(text, ',')).toThrow(/is no escape/);
});

test('any bytes of the kernel survive as text', () => {
  const bytes = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 4 }),
      fc.string({ unit: 'binary', maxLength: 3 }).map((text) => new Uint8Array(Buffer.from(text))),
      fc.constantFrom(
        ...['c080', 'eda080', 'f4908080', 'e282', 'f09f98', 'ff', 'c3'].map((hex) => Buffer.from(hex, 'hex')),
      ),
    ),
  );
  fc.assert(
    fc.property(bytes, (pieces) => {
      const original = Buffer.concat(pieces);
      const text = decodeBytes(original);
      const back = [...text].map((character) => {
        const code = character.charCodeAt(0);
        return character.length === 1 && code >= 0xdc80 && code <= 0xdcff
          ? Buffer.of(code - 0xdc00)
          : Buffer.from(character);
      });
      expect(Buffer.concat(back).equals(original)).toBe(true);
      if (isUtf8(original)) expect(text).toBe(original.toString());
      expect(decodeText(encodeText(text, ','), ',')).toBe(text);
    }),
    { numRuns: 1000 },
  );
});

test('half a character at the end of a name cut at 15 bytes', () => {
  expect(decodeBytes(Buffer.from('Überwachung-Pünktlich').subarray(0, 15))).toBe('Überwachung-P\udcc3');
});

test('any record survives; its line has no control character and never begins as a header does', () => {
  fc.assert(
    fc.property(anyRecord, ({ datatype, fields, record }) => {
      const line = encodeRecord(datatype, record);
      expect(line).not.toMatch(CONTROL);
      expect(line).toMatch(/^[-0-9]/);
      expect(decodeRecord(datatype, line, fields)).toEqual(record);
    }),
    { numRuns: 2000 },
  );
});

const lines: ['datapoint' | 'event' | 'stack', number | undefined, MarpleRecord, string][] = [
  ['datapoint', 2, { x: 0.5, y: 12, info: ['bash', '42'] }, '0.5,12,bash,42'],
  ['datapoint', undefined, { x: 1, y: -2.5, info: ['free, text'] }, '1,-2.5,free\\, text'],
  ['datapoint', undefined, { x: 1, y: 2, info: [''] }, '1,2,'],
  ['datapoint', 0, { x: 1, y: 2, info: [] }, '1,2,'],
  ['event', 2, { time: 1000, type: 'sched:sched_switch', datum: ['', 'a,b'] }, '1000,sched:sched_switch,,a\\,b'],
  ['event', undefined, { time: -5, type: '', datum: [] }, '-5,'],
  ['event', 1, { time: 0, type: 'a', datum: [''] }, '0,a,'],
  ['stack', undefined, { weight: 0, stack: ['fio', 'a;b', ''] }, '0#fio;a\\;b;'],
  ['stack', undefined, { weight: 9_007_199_254_740_991, stack: [''] }, '9007199254740991#'],
];

test.each(lines)('%s with %s fields', (datatype, fields, record, line) => {
  expect(encodeRecord(datatype, record)).toBe(line);
  expect(decodeRecord(datatype, line, fields)).toEqual(record);
});

test.each([
  ['datapoint', { x: Number.NaN, y: 0, info: [] }],
  ['datapoint', { x: 0, y: Number.POSITIVE_INFINITY, info: [] }],
  ['event', { time: 0.5, type: 'a', datum: [] }],
  ['event', { time: 2 ** 53, type: 'a', datum: [] }],
  ['stack', { weight: -1, stack: ['a'] }],
  ['stack', { weight: 1.5, stack: ['a'] }],
  ['stack', { weight: 1, stack: [] }],
] as const)('a %s that cannot be written is refused: %o', (datatype, record) => {
  expect(() => encodeRecord(datatype, record)).toThrow(RangeError);
});

test.each([
  ['datapoint', '', /a datapoint is x,y,info/],
  ['datapoint', '1', /a datapoint is x,y,info/],
  ['datapoint', '1,2', /a datapoint is x,y,info/],
  ['datapoint', '1,2,a', /1 fields, where the header has 2/],
  ['datapoint', '1,2,a,b,c', /3 fields, where the header has 2/],
  ['datapoint', 'NaN,2,a,b', /x is no number: "NaN"/],
  ['datapoint', '1,,a,b', /y is no number: ""/],
  ['datapoint', '1,1e999,a,b', /y is no number/],
  ['datapoint', '01,1,a,b', /x is no number/],
  ['datapoint', '1,2,a\\q,b', /is no escape/],
  ['datapoint', '1,2,a\tb,b', /control character \\x09/],
  ['datapoint', '1,2,a,b\r', /carriage return/],
  ['event', '5', /an event is time,type,datum/],
  ['event', '5,a', /0 fields, where the header has 2/],
  ['event', '1.0,a,b,c', /time is no integer/],
  ['event', '9007199254740992,a,b,c', /time is no integer/],
  ['event', ',a,b,c', /time is no integer/],
  ['stack', '5', /a stack is weight#/],
  ['stack', '-5#a', /is no weight/],
  ['stack', '1e3#a', /weight is no integer/],
  ['stack', '5#a\\,b', /is no escape/],
] as const)('damage in a %s is named: %s', (datatype, line, reason) => {
  expect(() => decodeRecord(datatype, line, 2)).toThrow(reason);
});

test('a quoted line is cut', () => {
  expect(() => decodeRecord('stack', 'x'.repeat(10_000), undefined)).toThrow(/^.{60,200}$/);
});

test.each(['0x10', '', ' 1', '1 ', '.5', '5.', '+1', '-', '1e', 'Infinity', '1_0', '--1', '1e400'])(
  'the text %o is no number',
  (text) => {
    expect(parseNumber(text)).toBeNaN();
  },
);
