import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeRecord } from '../../src/common/codec.ts';
import { RecordEncoder } from '../../src/common/encoder.ts';
import { anyNumber, anyRecord, fieldNames, headerOf } from '../support/data-files.ts';

function encode(header: Parameters<typeof headerOf>, records: Parameters<RecordEncoder['add']>[0][]): string {
  const encoder = new RecordEncoder(headerOf(...header));
  for (const record of records) encoder.add(record);
  return encoder.take().toString();
}

test('the same text as encodeRecord', () => {
  fc.assert(
    fc.property(anyRecord, ({ datatype, fields, record }) => {
      const text = encode([datatype, { fields: fieldNames(fields) }], [record]);
      expect(text).toBe(`${encodeRecord(datatype, record)}\n`);
    }),
    { numRuns: 2000 },
  );
});

test('values of events that are numbers are as their text', () => {
  const some = fc.oneof(fc.integer(), fc.maxSafeInteger(), anyNumber, fc.string());
  fc.assert(
    fc.property(fc.array(some), (datum) => {
      const header: Parameters<typeof headerOf> = ['event', { fields: fieldNames(datum.length) }];
      const [event, asText] = [datum, datum.map(String)].map((values) => ({ time: 1, type: 'x', datum: values }));
      expect(encode(header, [event!])).toBe(encode(header, [asText!]));
      expect(encodeRecord('event', event!)).toBe(encodeRecord('event', asText!));
    }),
  );
});

test('any number as JavaScript writes it', () => {
  fc.assert(
    fc.property(anyNumber, anyNumber, (x, y) => {
      const text = (value: number): string => (Object.is(value, -0) ? '-0' : `${value}`);
      expect(encode(['datapoint'], [{ x, y, info: [] }])).toBe(`${text(x)},${text(y)},\n`);
    }),
    { numRuns: 5000 },
  );
});

test('lines longer than the buffer, and more than it holds at first', () => {
  const long = 'é,'.repeat(500_000);
  const records = Array.from({ length: 5 }, (_, time) => ({ time, type: `${time}${long}`, datum: [] }));
  expect(encode(['event'], records)).toBe(records.map((record) => `${encodeRecord('event', record)}\n`).join(''));
});

test('take() gives each line once, in a buffer that stays', () => {
  const encoder = new RecordEncoder(headerOf('event'));
  encoder.add({ time: 1, type: 'a', datum: [] });
  const first = encoder.take();
  encoder.add({ time: 2, type: 'b', datum: [] });
  expect(encoder.take().toString()).toBe('2,b\n');
  expect(first.toString()).toBe('1,a\n');
  expect(encoder.take()).toHaveLength(0);
});

test.each([
  ['datapoint', { fields: ['a', 'b'] }, { x: 1, y: 2, info: ['a'] }, /has 1 fields, where the header has 2/],
  ['datapoint', {}, { x: 1, y: 2, info: ['a', 'b'] }, /has 2 fields/],
  ['event', {}, { time: 1, type: 'a', datum: ['b'] }, /has 1 fields, where the header has 0/],
  ['event', { fields: ['a'] }, { time: 0.5, type: 'a', datum: ['b'] }, /0.5 is no time/],
  ['datapoint', {}, { x: Number.NaN, y: 2, info: [] }, /NaN is no number/],
  ['stack', {}, { weight: -1, stack: ['a'] }, /-1 is no weight/],
  ['stack', {}, { weight: 1, stack: [] }, /one frame or more/],
] as const)(
  'a %s of %o that is not of the section is refused, and leaves nothing behind',
  (datatype, more, record, reason) => {
    const encoder = new RecordEncoder(headerOf(datatype, structuredClone(more) as object));
    expect(() => encoder.add(record)).toThrow(reason);
    expect(encoder.length).toBe(0);
  },
);
