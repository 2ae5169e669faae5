import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeRecord, decodeText, encodeText, parseNumber } from '../../src/common/codec.ts';
import type { ColumnRequest } from '../../src/common/column-data.ts';
import {
  ColumnParser,
  integerAt,
  numberAt,
  RecordParser,
  StackColumnParser,
  TextDictionary,
} from '../../src/common/columns.ts';
import { anyNumber, anyText, headerOf, stacksOf } from '../support/data-files.ts';

/** The bytes of the text with others around it, that must not be read. */
function framed(text: string): [Buffer, number, number] {
  const bytes = Buffer.from(`9${text},9\n`);
  return [bytes, 1, bytes.length - 3];
}

const digits = fc.array(fc.constantFrom(...'0123456789'), { maxLength: 20 }).map((list) => list.join(''));
const nearNumbers = fc
  .tuple(
    fc.constantFrom('', '-', '+'),
    digits,
    fc.constantFrom('', '.'),
    digits,
    fc.constantFrom('', '', 'e5', 'E-3', 'e', 'e400', 'x', ' '),
  )
  .map((pieces) => pieces.join(''));

describe('numbers from bytes', () => {
  test('exactly those of Number', () => {
    fc.assert(
      fc.property(anyNumber, (value) => {
        const text = Object.is(value, -0) ? '-0' : `${value}`;
        expect(numberAt(...framed(text))).toBe(value);
        const scientific = value.toExponential();
        expect(numberAt(...framed(scientific))).toBe(Number(scientific));
      }),
      { numRuns: 5000 },
    );
  });

  test('any text that is or is nearly a number', () => {
    fc.assert(
      fc.property(nearNumbers, (text) => {
        expect(numberAt(...framed(text))).toBe(parseNumber(text));
        const isInteger = /^-?(0|[1-9]\d*)$/.test(text) && Number.isSafeInteger(Number(text));
        expect(integerAt(...framed(text))).toBe(isInteger ? Number(text) + 0 : Number.NaN);
      }),
      { numRuns: 10_000 },
    );
  });

  test.each(['9007199254740991', '9007199254740992', '9007199254740993', '0.9007199254740993', '123456789.123456789'])(
    '%s, where a double comes to its end',
    (text) => {
      expect(numberAt(...framed(text))).toBe(Number(text));
    },
  );
});

describe('TextDictionary', () => {
  test('equal texts have equal numbers, counted in the order of their first', () => {
    fc.assert(
      fc.property(fc.array(anyText, { maxLength: 60 }), (texts) => {
        const dictionary = new TextDictionary(',');
        const ids = texts.map((text) => {
          const bytes = Buffer.from(encodeText(text, ','));
          return dictionary.idAt(bytes, 0, bytes.length);
        });
        const distinct = [...new Set(texts)];
        expect(dictionary.texts).toEqual(distinct);
        expect(ids).toEqual(texts.map((text) => distinct.indexOf(text)));
      }),
    );
  });

  test('very many texts', () => {
    const dictionary = new TextDictionary(',');
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 100_000; i++) {
        const bytes = Buffer.from(`text ${i}`);
        if (dictionary.idAt(bytes, 0, bytes.length) !== i) expect.fail(`text ${i} has another number`);
      }
    }
    expect(dictionary.texts).toHaveLength(100_000);
  });
});

/** All rows of some lines as arrays, and where the parser stopped. */
function parseAll(header: Parameters<typeof headerOf>, want: readonly ColumnRequest[], text: string) {
  const bytes = Buffer.from(text);
  const parser = new ColumnParser(headerOf(...header), want, bytes.length);
  const stopped = parser.parse(bytes, 0);
  const { length, leading, columns } = parser.take();
  return {
    stopped,
    length,
    damaged: parser.damaged,
    leading: leading.map((values) => [...values]),
    columns: columns.map(({ values, dictionary }, i) => {
      const isText = dictionary.length > 0 || want[i - (header[0] === 'event' ? 1 : 0)]?.as === 'text';
      return isText ? [...values].map((id) => dictionary[id]) : [...values];
    }),
  };
}

const point: Parameters<typeof headerOf> = ['datapoint', { fields: ['comm', 'pid', 'note'] }];

describe('columns', () => {
  test('in the order of the request, the same field twice and in both ways', () => {
    const text = '0.5,1,fio,12,\n1.5,-2e3,a\\,b\\xE9,x,9\n';
    const want: ColumnRequest[] = [
      { field: 'note', as: 'number' },
      { field: 'comm', as: 'text' },
      { field: 'pid', as: 'text' },
      { field: 'pid', as: 'number' },
      { field: 'comm', as: 'text' },
    ];
    expect(parseAll(point, want, text)).toEqual({
      stopped: text.length,
      length: 2,
      damaged: false,
      leading: [
        [0.5, 1.5],
        [1, -2000],
      ],
      columns: [
        [Number.NaN, 9],
        ['fio', 'a,b\udce9'],
        ['12', 'x'],
        [12, Number.NaN],
        ['fio', 'a,b\udce9'],
      ],
    });
  });

  test('a number is one though its text is escaped', () => {
    const { columns } = parseAll(point, [{ field: 'pid', as: 'number' }], '1,2,a,\\x31\\x32,\n1,2,a,\\\\,\n');
    expect(columns).toEqual([[12, Number.NaN]]);
  });

  test('events have their type first; it may be wanted of a field of that name too', () => {
    const header: Parameters<typeof headerOf> = ['event', { fields: ['type', 'cpu'] }];
    const { leading, columns } = parseAll(
      header,
      [{ field: 'type', as: 'text' }],
      '5,switch,inner,0\n-6,wakeup,inner,1\n',
    );
    expect(leading).toEqual([[5, -6]]);
    expect(columns).toEqual([
      ['switch', 'wakeup'],
      ['inner', 'inner'],
    ]);
  });

  test('without fields a datapoint has one, called info', () => {
    expect(parseAll(['datapoint'], [{ field: 'info', as: 'text' }], '1,2,free \\, text\n3,4,\n').columns).toEqual([
      ['free , text', ''],
    ]);
  });

  test('a field that the header does not have is refused', () => {
    expect(() => parseAll(point, [{ field: 'tid', as: 'text' }], '')).toThrow(/no field 'tid'/);
  });

  test('what was given away is not written to again', () => {
    const parser = new ColumnParser(headerOf('event'), [], 100);
    parser.parse(Buffer.from('1,a\n'), 0);
    const first = parser.take();
    parser.parse(Buffer.from('2,b\n'), 0);
    const second = parser.take();
    expect([...first.leading[0]!]).toEqual([1]);
    expect([...second.leading[0]!]).toEqual([2]);
    expect(second.columns[0]!.dictionary).toEqual(['a', 'b']);
  });
});

// Both ways of reading must find the same lines damaged that decodeRecord refuses.
const damaged = [
  '1,2,a,b',
  '1,2,a,b,c,d',
  '1,2',
  '1',
  '',
  'x,2,a,b,c',
  '1,,a,b,c',
  '1,2,a,b,c\\',
  '1,2,a\\q,b,c',
  '1,2,a\\x4,b,c',
  '1,2,a\\x4g,b,c',
  '1,2,a\\;,b,c',
  '1,2,a\tb,b,c',
  '1,2,a\x7fb,b,c',
  '1,2,a,b,c\r',
  '1\\,2,a,b,c',
  '{"marple":1}',
];

test.each(damaged)('a damaged datapoint is found by both parsers, behind a good one: %o', (line) => {
  const good = '1,2,a,b,c\n';
  const bytes = Buffer.from(`${good}${line}\n${good}`);
  const header = headerOf(...point);
  const columns = new ColumnParser(header, [], bytes.length);
  const records = new RecordParser(header);
  expect([columns.parse(bytes, 0), columns.damaged, columns.length]).toEqual([good.length, true, 1]);
  const found: object[] = [];
  expect([records.parse(bytes, 0, 100, found as never[]), records.damaged, found.length]).toEqual([
    good.length,
    true,
    1,
  ]);
});

test('of fields that are not wanted every byte is looked at too', () => {
  // Those that mean something, their neighbours, and letters of several bytes.
  const characters = [...',,,abc +-[]\\~!\x00\x1f\x7f\u0080é€', '\\n', '\\,', '\u{10ffff}'];
  const good = '1,2,a,b,c\n';
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...characters), { maxLength: 14 }), (fields) => {
      const line = `1,2,${fields.join('')}`;
      const bytes = Buffer.from(`${line}\n${good}`);
      let next = bytes.length;
      try {
        decodeRecord('datapoint', line, 3);
      } catch {
        next = 0;
      }
      const parser = new ColumnParser(headerOf(...point), [], bytes.length);
      expect([parser.parse(bytes, 0), parser.damaged]).toEqual([next, next === 0]);
    }),
    { numRuns: 20_000 },
  );
});

test.each([
  '',
  'a',
  '#a',
  '1',
  '1#a\\,',
  '-1#a',
  '01#a',
  '9007199254740992#a',
  '00000000000000000000#a',
  '1#a\tb',
  '1,2,a',
])('a damaged stack is found: %o', (line) => {
  const parser = new RecordParser(headerOf('stack'));
  const found: never[] = [];
  expect(parser.parse(Buffer.from(`5#a;b\n${line}\n`), 0, 100, found)).toBe(6);
  expect(parser.damaged).toBe(true);
  expect(found).toEqual([{ weight: 5, stack: ['a', 'b'] }]);
  const columns = new StackColumnParser(1000);
  expect(columns.parse(Buffer.from(`5#a;b\n${line}\n`), 0)).toBe(6);
  expect([columns.damaged, columns.length]).toEqual([true, 1]);
});

test('of stacks as columns what is shared is told once; a frame that goes on is another', async () => {
  const lines = ['1#main;read;a', '2#main;read;a', '3#main;read', '4#main;reads', '5#main;read\\;a', '6#mai', '7#b'];
  const parser = new StackColumnParser(1000);
  parser.parse(Buffer.from(`${lines.join('\n')}\n`), 0);
  const columns = parser.take();
  expect([...columns.shared]).toEqual([0, 3, 2, 1, 1, 0, 0]);
  const stacks = await stacksOf([columns]);
  expect(stacks.map(({ weight, stack }) => `${weight}#${stack.join('|')}`)).toEqual([
    '1#main|read|a',
    '2#main|read|a',
    '3#main|read',
    '4#main|reads',
    '5#main|read;a',
    '6#mai',
    '7#b',
  ]);
});

test('records stop at the count that is asked for', () => {
  const parser = new RecordParser(headerOf('stack'));
  const found: never[] = [];
  expect(parser.parse(Buffer.from('1#a\n2#b\n3#c\n'), 4, 1, found)).toBe(8);
  expect(found).toEqual([{ weight: 2, stack: ['b'] }]);
});

test('more texts than are remembered', () => {
  const parser = new RecordParser(headerOf('stack'));
  const text = Array.from({ length: 1000 }, (_, i) => `${i}#${decodeText('x'.repeat(10_000), ';')}${i}\n`).join('');
  const found: { weight: number; stack: string[] }[] = [];
  parser.parse(Buffer.from(text), 0, 10_000, found as never[]);
  expect(found.every(({ weight, stack }) => stack[0] === `${'x'.repeat(10_000)}${weight}`)).toBe(true);
  expect(found).toHaveLength(1000);
});
