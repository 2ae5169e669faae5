import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ColumnRequest } from '../../src/common/column-data.ts';
import type { Datapoint, EventData, MarpleRecord } from '../../src/common/datatypes.ts';
import { DamagedFileError } from '../../src/common/errors.ts';
import { type OpenOptions, openDataFile, type SectionReader } from '../../src/common/reader.ts';
import { freeThreads, inOrder } from '../../src/common/threads.ts';
import { headerOf, tempFolder, textFile, writeFile } from '../support/data-files.ts';

/** Parts of a few lines, and lines that are longer than a part. */
const ONE: OpenOptions = { threads: 1, partSize: 1000 };
const THREE: OpenOptions = { threads: 3, partSize: 1000 };

const WANT: ColumnRequest[] = [
  { field: 'comm', as: 'text' },
  { field: 'pid', as: 'number' },
  { field: 'comm', as: 'number' },
  { field: 'what', as: 'text' },
  { field: 'comm', as: 'text' },
  { field: 'pid', as: 'number' },
];
const FIELDS = ['comm', 'pid', 'what'];

/** Other commands come in the course of the file, and some texts have escapes. */
function fieldsOf(i: number): string[] {
  const what = i % 97 === 0 ? `${'long '.repeat(500)}${i}` : `a,b\n${i % 13}`;
  return [`task${(i * i) % (5 + (i >> 8))}`, String(100 + (i % 7)), what];
}

const points = Array.from(
  { length: 5000 },
  (_, i): Datapoint => ({ x: i / 1000, y: (i * 7919) % 1009, info: fieldsOf(i) }),
);
const events = Array.from(
  { length: 5000 },
  (_, i): EventData => ({ time: i * 1000, type: `e${i % 5}`, datum: fieldsOf(i) }),
);

async function fileOf(datatype: 'datapoint' | 'event', records: readonly MarpleRecord[]): Promise<string> {
  const path = join(tempFolder(), 'x.marple');
  await writeFile(path, [{ header: headerOf(datatype, { fields: FIELDS }), records }]);
  return path;
}

interface Columns {
  readonly rows: unknown[][];
  readonly dictionaries: readonly (readonly string[])[];
  readonly ends: (number | undefined)[];
}

async function columnsOf(
  section: SectionReader,
  part?: { start: number | undefined; end: number | undefined },
): Promise<Columns> {
  const rows: unknown[][] = [];
  const ends: (number | undefined)[] = [];
  let dictionaries: readonly (readonly string[])[] = [];
  const take = (
    length: number,
    leading: readonly Float64Array[],
    columns: { values: ArrayLike<number>; dictionary: readonly string[] }[],
  ) => {
    for (let i = 0; i < length; i++) {
      rows.push([
        ...leading.map((values) => values[i]),
        ...columns.map(({ values, dictionary }) => (values instanceof Int32Array ? dictionary[values[i]!] : values[i])),
      ]);
    }
    dictionaries = columns.map(({ dictionary }) => dictionary);
  };
  if (section.header.datatype === 'event') {
    for await (const { length, time, type, columns, end } of section.events(WANT, part)) {
      take(length, [time], [type, ...columns]);
      ends.push(end);
    }
  } else {
    for await (const { length, x, y, columns, end } of section.points(WANT, part)) {
      take(length, [x, y], [...columns]);
      ends.push(end);
    }
  }
  return { rows, dictionaries, ends };
}

async function read(path: string, options: OpenOptions): Promise<Columns> {
  const file = await openDataFile(path, options);
  try {
    return await columnsOf(file.sections[0]!);
  } finally {
    await file.close();
  }
}

function threadsNow(): number {
  return readdirSync('/proc/self/task').length;
}

describe('a large section is read by several threads', () => {
  test.each([
    ['datapoint', points],
    ['event', events],
  ] as const)('as by one: %s', async (datatype, records) => {
    const path = await fileOf(datatype, records);
    const [one, three] = [await read(path, ONE), await read(path, THREE)];
    expect(one.rows.length).toBe(records.length);
    expect(three.rows).toEqual(one.rows);
    expect(three.dictionaries).toEqual(one.dictionaries);
    expect(three.ends).toEqual(one.ends);
    expect(three.ends.length).toBeGreaterThan(100);
  });

  test('as by one where parts fill whole chunks', async () => {
    const header = JSON.stringify(headerOf('event', { fields: FIELDS }));
    const partSize = 1_300_000;
    const lines = Array.from({ length: 900_000 }, (_, i) => `${i},e,c${i >> 12},${i % 7},w`);
    const path = textFile(`${header}\n${lines.join('\n')}\n`);
    const [one, two] = [await read(path, { threads: 1, partSize }), await read(path, { threads: 2, partSize })];
    expect(two.rows.length).toBe(900_000);
    expect(two.ends).toEqual(one.ends);
    expect(two.ends.length).toBeGreaterThan(10);
    // To compare them all by expect() takes a minute.
    expect(two.rows.findIndex((row, i) => row.some((value, k) => !Object.is(value, one.rows[i]![k])))).toBe(-1);
    expect(two.dictionaries).toEqual(one.dictionaries);
  });

  test('and the ends of chunks are where others can begin', async () => {
    const path = await fileOf('datapoint', points);
    const { rows, ends } = await read(path, THREE);
    const file = await openDataFile(path, THREE);
    const [first, second] = [ends[40], ends[80]];
    const before = await columnsOf(file.sections[0]!, { start: undefined, end: first });
    const between = await columnsOf(file.sections[0]!, { start: first, end: second });
    const after = await columnsOf(file.sections[0]!, { start: second, end: undefined });
    await file.close();
    expect([...before.rows, ...between.rows, ...after.rows]).toEqual(rows);
  });

  test.each([
    ['a line that is none', 'x,y'],
    ['a line that is no UTF-8', '1,2,\xff,3,a'],
    ['a number that is none', '1e,2,a,3,b'],
  ])('and damage is told as by one: %s', async (_, line) => {
    const lines = points.slice(0, 4000).map(({ x, y }) => `${x},${y},a,1,b`);
    const header = JSON.stringify(headerOf('datapoint', { fields: FIELDS }));
    const text = Buffer.from(`${[header, ...lines, line, ...lines].join('\n')}\n`, 'latin1');
    const path = textFile(text);
    const errorOf = (options: OpenOptions) => read(path, options).catch((error: unknown) => error);
    const [one, three] = [await errorOf(ONE), await errorOf(THREE)];
    expect(three).toBeInstanceOf(DamagedFileError);
    expect((three as DamagedFileError).message).toBe((one as DamagedFileError).message);
    expect((three as DamagedFileError).message).toContain(':4002');
  });

  test('which end when nobody reads on', async () => {
    const path = await fileOf('datapoint', points);
    const file = await openDataFile(path, THREE);
    const free = freeThreads();
    const counts: number[] = [];
    for (let i = 0; i < 3; i++) {
      let most = 0;
      let chunks = 0;
      for await (const _ of file.sections[0]!.points(WANT)) {
        // The first part is read by the one that asks.
        expect(freeThreads()).toBe(chunks === 0 ? free : Math.max(0, free - 3));
        most = Math.max(most, threadsNow());
        if (++chunks === 3) break;
      }
      counts.push(threadsNow());
      expect(most).toBeGreaterThanOrEqual(counts[0]! + 1);
    }
    await file.close();
    expect(counts[2]).toBe(counts[1]);
    expect(freeThreads()).toBe(free);
  });

  test('but by one where the texts are mostly different ones', async () => {
    const varied = Array.from({ length: 20_000 }, (_, i): Datapoint => ({ x: i, y: i, info: [`c${i}`, '1', 'w'] }));
    const file = await openDataFile(await fileOf('datapoint', varied), { threads: 3, partSize: 25_000 });
    const free = freeThreads();
    const names: string[] = [];
    for await (const { columns, length } of file.sections[0]!.points([{ field: 'comm', as: 'text' }])) {
      expect(freeThreads()).toBe(free);
      for (let i = 0; i < length; i++) names.push(columns[0]!.dictionary[columns[0]!.values[i]!]!);
    }
    await file.close();
    expect(names).toEqual(varied.map(({ info }) => info[0]));
  });

  test('and what goes wrong in one is thrown', async () => {
    const task = { name: 'no such task', begin: () => () => ({ result: 0, transfer: [] }) };
    const parts = (async function* () {
      yield { start: 0, end: 1 };
    })();
    await expect(
      (async () => {
        for await (const _ of inOrder(task, {}, parts, 2));
      })(),
    ).rejects.toThrow(TypeError);
  });
});
