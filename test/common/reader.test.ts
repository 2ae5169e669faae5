import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseNumber } from '../../src/common/codec.ts';
import type { ColumnRequest } from '../../src/common/column-data.ts';
import type { Datapoint, EventData, MarpleRecord } from '../../src/common/datatypes.ts';
import { DamagedFileError, EXIT, UsageError } from '../../src/common/errors.ts';
import type { SectionHeader } from '../../src/common/header.ts';
import { openDataFile, type SectionReader } from '../../src/common/reader.ts';
import { anySection, headerOf, readRecords, tempFolder, textFile, writeFile } from '../support/data-files.ts';
import { heldBytes } from '../support/held-bytes.ts';

/** Reads a section by columns, all fields as text and as numbers, back into rows. */
async function readColumns(section: SectionReader): Promise<{ records: MarpleRecord[]; numbers: number[][] }> {
  const { datatype, fields = [] } = section.header;
  const want: ColumnRequest[] = [
    ...fields.map((field): ColumnRequest => ({ field, as: 'text' })),
    ...fields.map((field): ColumnRequest => ({ field, as: 'number' })),
  ];
  const records: MarpleRecord[] = [];
  const numbers: number[][] = [];
  const texts = (columns: readonly { values: ArrayLike<number>; dictionary: readonly string[] }[], row: number) =>
    columns.slice(0, fields.length).map(({ values, dictionary }) => dictionary[values[row]!]!);
  if (datatype === 'event') {
    for await (const { length, time, type, columns } of section.events(want)) {
      for (let i = 0; i < length; i++) {
        records.push({ time: time[i]!, type: type.dictionary[type.values[i]!]!, datum: texts(columns, i) });
        numbers.push(columns.slice(fields.length).map(({ values }) => values[i]!));
      }
    }
  } else {
    for await (const { length, x, y, columns } of section.points(want)) {
      for (let i = 0; i < length; i++) {
        records.push({ x: x[i]!, y: y[i]!, info: texts(columns, i) });
        numbers.push(columns.slice(fields.length).map(({ values }) => values[i]!));
      }
    }
  }
  return { records, numbers };
}

/** x or the time of all records of a section, and no field. */
async function readTimes(section: SectionReader): Promise<number[]> {
  const times: number[] = [];
  if (section.header.datatype === 'event') for await (const { time } of section.events([])) times.push(...time);
  else for await (const { x } of section.points([])) times.push(...x);
  return times;
}

async function damage(promise: Promise<unknown>): Promise<DamagedFileError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DamagedFileError);
  expect((error as DamagedFileError).exitCode).toBe(EXIT.damaged);
  return error as DamagedFileError;
}

/** Opens the file and reads every record of it. */
async function readAll(path: string, blockSize?: number): Promise<MarpleRecord[][]> {
  const file = await openDataFile(path, blockSize === undefined ? {} : { blockSize });
  try {
    const sections: MarpleRecord[][] = [];
    for (const section of file.sections) sections.push(await readRecords(section));
    return sections;
  } finally {
    await file.close();
  }
}

const blockSizes = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.constant(1024 * 1024));

describe('round trip', () => {
  test('what is written is read, by records and by columns, at any size of blocks', async () => {
    const path = join(tempFolder(), 'x.marple');
    await fc.assert(
      fc.asyncProperty(
        fc.array(anySection, { minLength: 1, maxLength: 4 }),
        blockSizes,
        async (sections, blockSize) => {
          await writeFile(path, sections, 7);
          const file = await openDataFile(path, { blockSize });
          expect(file).toMatchObject({ path, partial: false, warnings: [] });
          expect(file.sections.map(({ number }) => number)).toEqual(sections.map((_, i) => i + 1));
          for (const [i, { header, records }] of sections.entries()) {
            const section = file.sections[i]!;
            expect(section.header).toMatchObject({ ...header, records: records.length, bytes: expect.any(Number) });
            expect(await readRecords(section)).toEqual(records);
            if (header.datatype === 'stack') continue;
            const columns = await readColumns(section);
            expect(columns.records).toEqual(records);
            const texts = records.map((record) => (record as Datapoint).info ?? (record as EventData).datum);
            expect(columns.numbers).toEqual(texts.map((fields) => fields.map(parseNumber)));
          }
          await file.close();
        },
      ),
      { numRuns: 100 },
    );
  });

  test('more rows than a chunk has, and more bytes than a block', async () => {
    const path = join(tempFolder(), 'x.marple');
    const records = Array.from({ length: 150_000 }, (_, i) => ({ x: i, y: i / 8, info: [`c${i % 100}`, `${i}`] }));
    await writeFile(path, [{ header: headerOf('datapoint', { fields: ['comm', 'n'] }), records }]);
    const file = await openDataFile(path);
    const lengths: number[] = [];
    let row = 0;
    for await (const { length, x, columns } of file.sections[0]!.points([{ field: 'n', as: 'number' }])) {
      lengths.push(length);
      expect(x).toHaveLength(length);
      for (let i = 0; i < length; i++, row++) {
        if (x[i] !== row || columns[0]!.values[i] !== row) expect.fail(`row ${row} is wrong`);
      }
    }
    expect(lengths).toEqual([65_536, 65_536, 150_000 - 2 * 65_536]);
    await file.close();
  });

  test('a part is read by the places that chunks name, at any size of blocks', async () => {
    const path = join(tempFolder(), 'x.marple');
    const records = Array.from({ length: 150_000 }, (_, i) => ({ time: i, type: 'é', datum: [`${i}`] }));
    await writeFile(path, [
      { header: headerOf('stack'), records: [{ weight: 1, stack: ['a'] }] },
      { header: headerOf('event', { fields: ['n'] }), records },
    ]);
    const file = await openDataFile(path, { blockSize: 777 });
    const section = file.sections[1]!;
    const ends: (number | undefined)[] = [undefined];
    for await (const { end } of section.events([])) ends.push(end);
    expect(ends).toHaveLength(4);
    for (let i = 1; i < ends.length; i++) {
      const numbers: number[] = [];
      const part = { start: ends[i - 1], end: i === 3 ? undefined : ends[i] };
      for await (const { columns, end } of section.events([{ field: 'n', as: 'number' }], part)) {
        numbers.push(...columns[0]!.values);
        expect(end).toBe(ends[i]);
      }
      const first = (i - 1) * 65_536;
      expect(numbers).toEqual(records.slice(first, first + 65_536).map(({ time }) => time));
    }
    for await (const _ of section.events([], { start: ends[2], end: ends[2] })) expect.fail('there is nothing');
    await file.close();
  });

  test('a section may be read twice at the same time', async () => {
    const path = join(tempFolder(), 'x.marple');
    const records = Array.from({ length: 50_000 }, (_, i) => ({ weight: i, stack: ['a', `f${i}`] }));
    await writeFile(path, [{ header: headerOf('stack'), records }]);
    const file = await openDataFile(path, { blockSize: 5000 });
    const [a, b] = await Promise.all([readRecords(file.sections[0]!), readRecords(file.sections[0]!)]);
    expect(a).toEqual(records);
    expect(b).toEqual(records);
    await file.close();
  });

  test('reading may end early', async () => {
    const path = join(tempFolder(), 'x.marple');
    await writeFile(path, [{ header: headerOf('stack'), records: [{ weight: 1, stack: ['a'] }] }]);
    const file = await openDataFile(path);
    for await (const _ of file.sections[0]!.batches('stack')) break;
    await file.close();
  });

  test('asking for another datatype is a bug of the caller’s', async () => {
    const file = await openDataFile(textFile(`${JSON.stringify(headerOf('stack'))}\n`));
    await expect(async () => {
      for await (const _ of file.sections[0]!.points([])) break;
    }).rejects.toThrow(TypeError);
    await file.close();
  });
});

const stackHeader = headerOf('stack', { end: '2026-03-01T09:30:05.000Z' });
const pointHeader = headerOf('datapoint', { end: '2026-03-01T09:30:05.000Z', fields: ['comm', 'pid'] });

/** A header line with the counts of the lines that follow it. */
function counted(header: SectionHeader, lines: readonly string[], padding = 0): string {
  const text = lines.map((line) => `${line}\n`).join('');
  const full = { ...header, records: lines.length, bytes: Buffer.byteLength(text) };
  return `${JSON.stringify(full)}${' '.repeat(padding)}\n${text}`;
}

const stacks = counted(stackHeader, ['3#a;b', '2#a;ü', '1#c'], 100);
const pointLines = ['0.5,1,fio,12', '1.5,2,fio,13', '2.5,3,fio,14'];
const whole = stacks + counted(pointHeader, pointLines) + counted(stackHeader, []);

describe('a whole file', () => {
  test('without counts is read from header to header', async () => {
    const lines = whole.trimEnd().split('\n');
    const without = lines.map((line) => {
      if (!line.startsWith('{')) return line;
      const { records: _, bytes: __, ...rest } = JSON.parse(line) as SectionHeader;
      return JSON.stringify(rest);
    });
    for (const blockSize of [1, 2, 3, 10, 1000]) {
      const found = await readAll(textFile(`${without.join('\n')}\n`), blockSize);
      expect(found).toEqual(await readAll(textFile(whole)));
      expect(found.map((records) => records.length)).toEqual([3, 3, 0]);
    }
  });

  test('two files one behind the other are one', async () => {
    expect((await readAll(textFile(whole + whole))).map((records) => records.length)).toEqual([3, 3, 0, 3, 3, 0]);
  });

  test('of an older make, written by hand', async () => {
    const path = textFile(
      '{"marple":1,"interface":"mine","datatype":"datapoint","start":"2026-03-01T09:30:00Z","end":null,"extra":[1]}\n1,2.50,\n-1E3,0.0,a\\, b\n',
    );
    const file = await openDataFile(path);
    expect(file.sections[0]!.header['extra']).toEqual([1]);
    expect(await readRecords(file.sections[0]!)).toEqual([
      { x: 1, y: 2.5, info: [''] },
      { x: -1000, y: 0, info: ['a, b'] },
    ]);
    await file.close();
  });
});

/** What a change of the whole file gives: the line that is named, and the reason. */
const damages: [string, (text: string) => string | Buffer, number, RegExp][] = [
  ['empty', () => '', 1, /the file is empty/],
  ['one newline', () => '\n', 1, /no MARPLE data file/],
  ['a record only', () => '1#a\n', 1, /no MARPLE data file/],
  ['a binary', () => Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0xff]), 1, /no MARPLE data file/],
  ['other JSON', () => '{"a":1}\n', 1, /no key 'marple'/],
  ['JSON over several lines', () => '{\n"marple":1\n}\n', 1, /no header of a MARPLE data file/],
  ['a binary that begins with a brace', () => Buffer.from([0x7b, 0xff, 0x0a, 0x00]), 1, /not valid UTF-8/],
  ['gzip', () => Buffer.from([0x1f, 0x8b, 8, 0]), 1, /compressed by gzip/],
  ["perf's file", () => 'PERFILE2xxxxxxxx', 1, /perf's own file/],
  ['a byte order mark', (text) => `\ufeff${text}`, 1, /byte order mark/],
  ['a newer version', (text) => text.replace('"marple":1', '"marple":2'), 1, /format version 2/],
  ['a newer section', (text) => text.replace(/("marple":)1(?=[^}]*datapoint)/, '$12'), 5, /format version 2/],
  ['CRLF', (text) => text.replaceAll('\n', '\r\n'), 1, /carriage return/],
  [
    'CRLF in the records only',
    (text) => text.replace(/^(\d.*)\n/gm, '$1\r\n'),
    1,
    /the header counts 17 bytes of records, but 20 follow/,
  ],
  ['a carriage return in place of a byte', (text) => text.replace('3#a;b', '3#a;\r'), 2, /carriage return/],
  ['a control character', (text) => text.replace('fio,13', 'f\x1bo,13'), 7, /control character \\x1B/],
  ['a DEL', (text) => text.replace('fio,13', 'f\x7fo,13'), 7, /control character \\x7F/],
  [
    'a byte that is not UTF-8',
    (text) => Buffer.from(text.replace('fio,14', 'f\x01o,14'), 'utf8').map((b) => (b === 1 ? 0xe9 : b)) as Buffer,
    8,
    /not valid UTF-8/,
  ],
  ['a lost field', (text) => text.replace('fio,13', 'fiox13'), 7, /1 fields, where the header has 2/],
  ['one field more', (text) => text.replace('fio,14', 'f,o,14'), 8, /3 fields, where the header has 2/],
  ['a number that is none', (text) => text.replace('1.5,2', '1x5,2'), 7, /x is no number: "1x5"/],
  ['an escape that is none', (text) => text.replace('fio,12', 'f\\o,12'), 6, /is no escape/],
  ['a weight that is none', (text) => text.replace('2#a', 'x#a'), 3, /weight is no integer/],
  ['an empty line in place of two bytes', (text) => text.replace('3#a;b\n', '3#a\n\n\n'), 3, /a stack is weight#/],
  ['a line less', (text) => text.replace('1#c\n', ''), 1, /the header counts 17 bytes of records, but 13 follow/],
  [
    'a line more',
    (text) => text.replace('1#c\n', '1#c\n1#d\n'),
    1,
    /the header counts 17 bytes of records, but 21 follow/,
  ],
  ['lines joined', (text) => text.replace('2#a;ü\n1#c', '2#a;ü;1#c'), 1, /the header counts 3 records, but 2 follow/],
  ['lines split', (text) => text.replace('2#a;ü', '2#a\n4#'), 1, /the header counts 3 records, but 4 follow/],
  [
    'a header lost',
    (text) => text.replace(/^.*datapoint.*\n/m, ''),
    1,
    /the header counts 17 bytes of records, but 56 follow/,
  ],
  ['something behind', (text) => `${text}more\n`, 9, /the header counts 0 bytes of records, but 5 follow/],
  ['the last newline lost', (text) => text.slice(0, -1), 9, /the header is cut off/],
  ['cut in the last header', (text) => text.slice(0, -20), 9, /the header is cut off/],
  [
    'a header of another kind',
    (text) => text.replace('"datatype":"datapoint"', '"datatype":"datapoints"'),
    5,
    /'datatype' is wrong/,
  ],
  [
    'a count of records that is wrong',
    (text) => text.replace('"records":3', '"records":4'),
    1,
    /the header counts 4 records, but 3 follow/,
  ],
];

describe.each([1, 7, 64, 1024 * 1024])('damage, with blocks of %i bytes', (blockSize) => {
  test.each(damages)('%s is named with its line', async (_, change, line, problem) => {
    const path = textFile(change(whole));
    const error = await damage(readAll(path, blockSize));
    expect(error.message).toMatch(problem);
    expect(error.where).toBe(`${path}:${line}`);
    expect(error.hint).toBeDefined();
  });

  test('by columns it is the same as by records', async () => {
    for (const [, change, line, problem] of damages.filter(([, , line]) => line > 5 && line < 9)) {
      const path = textFile(change(whole));
      const file = await openDataFile(path, { blockSize });
      const section = file.sections[1]!;
      // Fields that nobody asked for are looked at too.
      for (const read of [() => readColumns(section), () => readTimes(section)]) {
        const error = await damage(read());
        expect(error.message).toMatch(problem);
        expect(error.where).toBe(`${path}:${line}`);
      }
      await file.close();
    }
  });
});

test('cut off at any place, a whole file is damaged, and never read as if it were whole', async () => {
  const bytes = Buffer.from(whole);
  const boundaries = new Set(
    [stacks, stacks + counted(pointHeader, pointLines), whole].map((text) => Buffer.byteLength(text)),
  );
  for (let length = 0; length < bytes.length; length++) {
    const path = textFile(bytes.subarray(0, length));
    if (boundaries.has(length)) {
      // What is cut between two sections cannot be known.
      await readAll(path);
      continue;
    }
    const error = await damage(readAll(path));
    const lines = bytes.subarray(0, length).toString('latin1').split('\n').length;
    const last = bytes[length - 1] === 0x0a ? lines - 1 : lines;
    expect(error.where, `cut at ${length}`).toBe(`${path}:${Math.max(last, 1)}`);
  }
});

test('a changed byte is found, or another text is read; nothing else is thrown', async () => {
  const bytes = Buffer.from(whole);
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 0, max: 255 }), async (at, byte) => {
      const changed = Buffer.from(bytes);
      changed[at] = byte;
      const path = textFile(changed);
      try {
        expect((await readAll(path)).map((records) => records.length)).toEqual([3, 3, 0]);
      } catch (error) {
        expect(error).toBeInstanceOf(DamagedFileError);
        expect((error as DamagedFileError).where).toMatch(/:[1-9]$/);
      }
    }),
    { numRuns: 500 },
  );
});

test('a line too long to be held is damage', async () => {
  const path = textFile(`${JSON.stringify(stackHeader)}\n1#a\n`);
  truncateSync(path, 70 * 1024 * 1024);
  const error = await damage(readAll(path));
  expect(error.message).toMatch(/cut off|longer than/);
  const long = textFile(
    Buffer.concat([
      Buffer.from(`${JSON.stringify(stackHeader)}\n1#a\n1#`),
      Buffer.alloc(65 * 1024 * 1024, 'a'),
      Buffer.from('\n'),
    ]),
  );
  expect(await damage(readAll(long))).toMatchObject({
    where: `${long}:3`,
    problem: expect.stringMatching(/longer than/),
  });
});

test('a file that is not there, and what is no file', async () => {
  const missing = join(tempFolder(), 'x.marple');
  await expect(openDataFile(missing)).rejects.toThrow(UsageError);
  await expect(openDataFile(missing)).rejects.toThrow(`there is no file ${missing}`);
  await expect(openDataFile(tempFolder())).rejects.toThrow(/is a folder, and no data file/);
  await expect(openDataFile('/dev/null')).rejects.toThrow(/is no regular file/);
  const pipe = join(tempFolder(), 'pipe');
  execFileSync('mkfifo', [pipe]);
  await expect(openDataFile(pipe)).rejects.toThrow(/is no regular file/);
  await expect(openDataFile(`${textFile('x')}/y`)).rejects.toThrow(/a part of its path is no folder/);
});

test('a file that shrinks while it is read', async () => {
  const path = textFile(whole);
  const file = await openDataFile(path);
  truncateSync(path, 10);
  const error = await damage(readRecords(file.sections[1]!));
  expect(error.message).toMatch(/became shorter while it was read/);
  await file.close();
});

describe('a partial folder', () => {
  const header = JSON.stringify({ ...pointHeader, end: null, records: null, bytes: null });
  const section = `${header}   \n${pointLines.join('\n')}\n`;

  function partialFolder(files: Readonly<Record<string, string | Uint8Array>>): string {
    const folder = join(tempFolder(), 'x.marple.partial');
    mkdirSync(folder);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return folder;
  }

  test('has its sections in the order of their numbers; other files are none', async () => {
    const named = (name: string): string => section.replace('"interface":"test"', `"interface":"${name}"`);
    const folder = partialFolder({
      '100-c-datapoint.section': named('c'),
      '20-b-datapoint.section': named('b'),
      '03-a-datapoint.section': named('a'),
      'run.json': '{}',
      joined: 'rest of a join',
    });
    const file = await openDataFile(folder);
    expect(file).toMatchObject({ path: folder, partial: true, warnings: [expect.stringContaining('cut off')] });
    expect(file.sections.map((found) => [found.number, found.header.interface, found.header.records])).toEqual([
      [1, 'a', null],
      [2, 'b', null],
      [3, 'c', null],
    ]);
    expect(await readRecords(file.sections[2]!)).toHaveLength(3);
    await file.close();
  });

  test('cut off at any place, it has the whole lines, and says what was cut', async () => {
    const bytes = Buffer.from(section);
    const headerEnd = bytes.indexOf('\n') + 1;
    for (let length = 0; length <= bytes.length; length++) {
      const folder = partialFolder({
        '00-a-stack.section': stacks,
        '01-test-datapoint.section': bytes.subarray(0, length),
      });
      const name = join(folder, '01-test-datapoint.section');
      const file = await openDataFile(folder, { blockSize: 16 });
      const kept = bytes.subarray(headerEnd, length).toString().split('\n').length - 1;
      const warning = file.warnings[1];
      if (length < headerEnd) {
        expect(file.sections).toHaveLength(1);
        expect(warning).toBe(`${name}: the run was cut off before the section's header was written`);
      } else {
        expect(await readRecords(file.sections[1]!)).toHaveLength(kept);
        expect((await readColumns(file.sections[1]!)).records).toHaveLength(kept);
        const isCut = bytes[length - 1] !== 0x0a;
        expect(warning).toBe(isCut ? `${name}: the last line was cut off, and is left out` : undefined);
      }
      await file.close();
    }
  });

  test('damage names the file of the section, and its line', async () => {
    const folder = partialFolder({ '01-test-datapoint.section': section.replace('1.5,2', 'x,2') });
    const error = await damage(readAll(folder));
    expect(error.where).toBe(`${join(folder, '01-test-datapoint.section')}:3`);
  });

  test('cut off before any header', async () => {
    for (const files of [{}, { 'run.json': '{}' }, { '00-a-stack.section': '{"mar' }]) {
      const folder = partialFolder(files);
      const error = await damage(openDataFile(folder));
      expect(error.message).toBe(`${folder}: the run was cut off before anything was recorded`);
    }
  });
});

test('memory stays bounded where a file is much larger than what is read at once', async () => {
  const path = join(tempFolder(), 'x.marple');
  const lines = '123456#process;main;a_function_with_quite_a_long_name;another_one_that_is_called\n'.repeat(10_000);
  writeFileSync(path, `${JSON.stringify(stackHeader)}\n`);
  for (let i = 0; i < 200; i++) writeFileSync(path, `1#a_function_of_its_own_${i}\n${lines}`, { flag: 'a' });
  const file = await openDataFile(path);
  // All frames are kept, as a view keeps them in its tree: that must not keep the text around them.
  const frames = new Set<string>();
  let records = 0;
  let batches = 0;
  const before = heldBytes();
  let most = 0;
  for await (const batch of file.sections[0]!.batches('stack')) {
    for (const { stack } of batch) for (const frame of stack) frames.add(frame);
    records += batch.length;
    if (batches++ % 20 === 0) most = Math.max(most, heldBytes());
  }
  expect(records).toBe(2_000_200);
  expect(frames.size).toBe(204);
  expect(batches).toBeGreaterThan(100);
  expect(Math.max(most, heldBytes()) - before).toBeLessThan(0.1 * statSync(path).size);
  await file.close();
});
