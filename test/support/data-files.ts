import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { onTestFinished } from 'vitest';
import type {
  Datapoint,
  Datatype,
  EventData,
  MarpleRecord,
  NewRecord,
  RecordOf,
  StackData,
} from '../../src/common/datatypes.ts';
import type { SectionHeader } from '../../src/common/header.ts';
import type { SectionReader, StackColumns } from '../../src/common/reader.ts';
import { DataFileWriter } from '../../src/common/writer.ts';

/** A folder that goes with the test. */
export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'marple-test-data-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A file with the text, in a folder of its own that goes with the test. */
export function textFile(text: string | Uint8Array, name = 'x.marple'): string {
  const path = join(tempFolder(), name);
  writeFileSync(path, text);
  return path;
}

/** The record that comes of it in a file. */
export function asRead(record: NewRecord): MarpleRecord {
  return 'datum' in record ? { time: record.time, type: record.type, datum: record.datum.map(String) } : record;
}

export function headerOf(datatype: Datatype, more: Partial<SectionHeader> = {}): SectionHeader {
  return {
    marple: 1,
    interface: 'test',
    datatype,
    start: '2026-03-01T09:30:00.000Z',
    end: null,
    records: null,
    bytes: null,
    ...more,
  };
}

export interface TestSection {
  readonly header: SectionHeader;
  readonly records: readonly MarpleRecord[];
}

export async function writeFile(path: string, sections: readonly TestSection[], batch = 1000): Promise<void> {
  const writer = await DataFileWriter.create(path, { force: true, tempDir: tmpdir() });
  const writers = sections.map(({ header }, order) => writer.section(structuredClone(header), order));
  for (const [i, { records }] of sections.entries()) {
    for (let from = 0; from < records.length; from += batch) await writers[i]!.write(records.slice(from, from + batch));
  }
  await writer.finish();
}

export async function readRecords(section: SectionReader): Promise<MarpleRecord[]> {
  const records: MarpleRecord[] = [];
  for await (const batch of section.batches(section.header.datatype)) for (const record of batch) records.push(record);
  return records;
}

/** Characters that the format treats in some special way, and some that it does not. */
const HOSTILE = [...',;\\#{}"nrx09aA\n\r\t\0\x1b\x7f\x80\x9b\u2028\ufeff\ufffdé€😀'];

/** Text as it is in memory: any characters, and bytes that are not valid UTF-8 as U+DC80 .. U+DCFF. */
export const anyText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...HOSTILE) },
      { weight: 2, arbitrary: fc.integer({ min: 0xdc80, max: 0xdcff }).map((code) => String.fromCharCode(code)) },
      { weight: 2, arbitrary: fc.string({ unit: 'grapheme-ascii', maxLength: 8 }) },
      { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 4 }) },
    ),
    { maxLength: 8 },
  )
  .map((pieces) => pieces.join(''));

/** Any number that a datapoint can hold; many are seconds or milliseconds made of nanoseconds. */
export const anyNumber: fc.Arbitrary<number> = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.maxSafeInteger(),
  fc.integer({ min: -100, max: 100 }),
  fc.integer({ min: 0, max: 2 ** 40 }).map((ns) => ns / 1e9),
  fc.integer({ min: 0, max: 2 ** 40 }).map((ns) => ns / 1e6),
  fc.constantFrom(0, -0, 1e-6, 1e-7, 1e21, 1e22, 5e-324, Number.MAX_VALUE, 0.1 + 0.2, 999_999.999_999_999, 1e6),
);

const anyTexts = (count: number): fc.Arbitrary<string[]> => fc.array(anyText, { minLength: count, maxLength: count });

export function anyDatapoint(fields: number): fc.Arbitrary<Datapoint> {
  return fc.record({ x: anyNumber, y: anyNumber, info: anyTexts(fields) });
}

export function anyEvent(fields: number): fc.Arbitrary<EventData> {
  return fc.record({ time: fc.maxSafeInteger(), type: anyText, datum: anyTexts(fields) });
}

export const anyStack: fc.Arbitrary<StackData> = fc.record({
  weight: fc.maxSafeNat(),
  stack: fc.array(anyText, { minLength: 1, maxLength: 6 }),
});

/** A record of each datatype, with the number of fields that its header has. */
export const anyRecord: fc.Arbitrary<{ datatype: Datatype; fields: number; record: MarpleRecord }> = fc.oneof(
  fc
    .integer({ min: 1, max: 4 })
    .chain((fields) => anyDatapoint(fields).map((record) => kind('datapoint', fields, record))),
  fc.integer({ min: 0, max: 4 }).chain((fields) => anyEvent(fields).map((record) => kind('event', fields, record))),
  anyStack.map((record) => kind('stack', 0, record)),
);

function kind<D extends Datatype>(datatype: D, fields: number, record: RecordOf[D]) {
  return { datatype: datatype as Datatype, fields, record };
}

export const fieldNames = (count: number): string[] => Array.from({ length: count }, (_, i) => `f${i}`);

/** A section of any datatype with some records. */
export const anySection: fc.Arbitrary<TestSection> = fc.oneof(
  fc.integer({ min: 1, max: 4 }).chain((count) => section('datapoint', fieldNames(count), anyDatapoint(count))),
  fc.integer({ min: 0, max: 4 }).chain((count) => section('event', fieldNames(count), anyEvent(count))),
  section('stack', undefined, anyStack),
);

function section(
  datatype: Datatype,
  fields: string[] | undefined,
  record: fc.Arbitrary<MarpleRecord>,
): fc.Arbitrary<TestSection> {
  const header = headerOf(datatype, fields === undefined ? {} : { fields });
  return fc.array(record, { maxLength: 30 }).map((records) => ({ header, records }));
}

/** The stacks that chunks of columns tell of. */
export async function stacksOf(chunks: AsyncIterable<StackColumns> | Iterable<StackColumns>): Promise<StackData[]> {
  const stacks: StackData[] = [];
  let stack: string[] = [];
  for await (const { length, weight, shared, ends, frames, names } of chunks) {
    for (let i = 0; i < length; i++) {
      const own = frames.subarray(i === 0 ? 0 : ends[i - 1]!, ends[i]!);
      stack = [...stack.slice(0, shared[i]!), ...Array.from(own, (frame) => names[frame]!)];
      stacks.push({ weight: weight[i]!, stack });
    }
  }
  return stacks;
}
