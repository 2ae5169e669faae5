import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { answerable, groupSections, type SectionGroup } from '../../src/analysis/select.ts';
import { type SectionStats, sectionStats } from '../../src/analysis/stats.ts';
import { type DataFile, openDataFile, type SectionReader } from '../../src/common/reader.ts';
import { packSection } from '../../src/display/page.ts';
import { reportOptions } from '../../src/display/report.ts';
import { Packer, unpack } from '../../src/display/shape/packing.ts';
import type { PageSection } from '../../src/display/shape/page.ts';
import { TASK_DISK, TASK_READY, TASK_RUNS, TASK_WAITED, taskSpans } from '../../src/display/shape/task-spans.ts';
import { type PackedPage, ServedReport } from '../../src/serve/served-report.ts';
import { lastingFolder } from '../support/folder.ts';
import { LARGE_SECONDS, writeLargeFile } from '../support/large-file.ts';

/** Records of a section that are given at once. */
const MOST = 40_000;
const NEVER = new AbortController().signal;

let path: string;
let file: DataFile;
let groups: SectionGroup[];
let report: ServedReport;
beforeAll(async () => {
  path = join(lastingFolder(), 'x.marple');
  await writeLargeFile(path, { events: 300_000, ios: 150_000, samples: 150_000 });
  file = await openDataFile(path);
  groups = groupSections(file.sections);
  const settings = { name: 'x.marple', options: reportOptions.parse({}), most: MOST, version: 'v' };
  report = await ServedReport.open(await openDataFile(path), settings, () => undefined, NEVER);
  return async () => {
    await file.close();
    await report.close();
  };
}, 60_000);

function find(name: string, datatype: string): { group: SectionGroup; section: SectionReader } {
  for (const group of groups) {
    const section = group.all.find(({ header }) => header.interface === name && header.datatype === datatype);
    if (section !== undefined) return { group, section };
  }
  throw new Error(`there is no ${name}`);
}

/** A section of a page with its numbers. */
class Given {
  readonly #bytes: Uint8Array;

  constructor(
    page: PackedPage,
    readonly section: PageSection,
  ) {
    this.#bytes = inflateRawSync(page.packed);
    expect(this.#bytes).toHaveLength(page.manifest.bytes);
  }

  static of(page: PackedPage, name: string, datatype: string): Given {
    const found = page.manifest.sections.find(
      ({ header }) => header.interface === name && header.datatype === datatype,
    );
    expect(found, `${name} ${datatype}`).toBeDefined();
    return new Given(page, found!);
  }

  get rows(): number {
    return this.section.columns[0]?.values.count ?? 0;
  }

  /** The values of a column, texts as such. */
  column(name: string): readonly (number | string)[] {
    const { values, texts } = this.section.columns.find((column) => column.name === name)!;
    const numbers = [...unpack(this.#bytes, values)];
    return texts === undefined ? numbers : numbers.map((value) => texts[value]!);
  }

  numbers(name: string): Float64Array {
    return unpack(this.#bytes, this.section.columns.find((column) => column.name === name)!.values);
  }

  get weights(): number[] {
    return [...unpack(this.#bytes, this.section.weights ?? this.section.stacks!.weights)];
  }

  /** Milliseconds of the waits for a CPU that were picked. */
  get waits(): Float64Array {
    const { start, end, doing } = this.section.spans!;
    const [from, to, what] = [start, end, doing].map((column) => unpack(this.#bytes, column));
    return from!.map((at, i) => (to![i]! - at) * 1e3).filter((_, i) => what![i] === TASK_WAITED);
  }

  /** Seconds of all tasks of a name, by what they did. */
  seconds(comm: string, doing: number): number {
    const spans = this.section.spans!;
    const [start, end, what, tasks] = [spans.start, spans.end, spans.doing, spans.task].map((c) =>
      unpack(this.#bytes, c),
    );
    let sum = 0;
    for (let i = 0; i < start!.length; i++) {
      if (what![i] === doing && spans.tasks[tasks![i]!]!.comm === comm) sum += end![i]! - start![i]!;
    }
    return sum;
  }
}

/** The same of the file itself, read from its beginning to its end. */
async function direct(name: string, datatype: string, range: { from?: number; to?: number }): Promise<Given> {
  const { group, section } = find(name, datatype);
  const packer = new Packer();
  const packed = await packSection(group, section, answerable(group, section, range), packer);
  const bytes = packer.bytes();
  const { deflateRawSync } = await import('node:zlib');
  const manifest = { ...report.whole.manifest, bytes: bytes.length };
  return new Given({ manifest, packed: deflateRawSync(bytes) }, packed);
}

async function stats(name: string, datatype: string, range: { from?: number; to?: number }): Promise<SectionStats> {
  const { group, section } = find(name, datatype);
  return sectionStats(group, section, { filter: range, by: 'comm', top: 100 });
}

const waitOf = (waits: readonly { reason: string; seconds: number }[], reason: string): number =>
  waits.find((wait) => wait.reason === reason)?.seconds ?? 0;

async function expectSums(given: Given, range: { from?: number; to?: number }): Promise<void> {
  const { scheduling, records } = await stats('cpusched', 'event', range);
  expect(given.section.records).toBe(records);
  expect(given.rows).toBe(0);
  expect(scheduling!.processes.length).toBe(6);
  for (const { comm, cpu_seconds, waits } of scheduling!.processes) {
    expect(given.seconds(comm, TASK_RUNS)).toBeCloseTo(cpu_seconds, 5);
    expect(given.seconds(comm, TASK_READY)).toBeCloseTo(waitOf(waits, 'runnable'), 5);
    expect(given.seconds(comm, TASK_DISK)).toBeCloseTo(waitOf(waits, 'disk'), 5);
  }
}

describe('the page of a whole file that is too large for one', () => {
  test('has some of the records, everywhere, and says how many there are', async () => {
    for (const [name, datatype, time] of [
      ['disklat', 'datapoint', 'x'],
      ['callstack', 'event', 'time'],
    ] as const) {
      const given = Given.of(report.whole, name, datatype);
      expect(given.section.records).toBe(150_000);
      expect(given.rows).toBeGreaterThan(MOST / 2);
      // Few peaks are kept beside them, and the last moment.
      expect(given.rows).toBeLessThan(MOST + 200);
      const seconds = given.numbers(time);
      expect(seconds).toEqual(seconds.toSorted());
      for (let second = 0; second < LARGE_SECONDS; second++) {
        const count = seconds.filter((at) => Math.floor(at) === second).length;
        expect(count).toBeGreaterThan(given.rows / LARGE_SECONDS / 1.2);
        expect(count).toBeLessThan((given.rows / LARGE_SECONDS) * 1.2);
      }
    }
    expect(Given.of(report.whole, 'disklat', 'datapoint').column('y')).toContain(500);
  });

  test('has what tasks did, added up', async () => {
    await expectSums(Given.of(report.whole, 'cpusched', 'event'), {});
  });

  test('has quantiles that are about those of all', async () => {
    const { points } = await stats('disklat', 'datapoint', {});
    const latencies = Given.of(report.whole, 'disklat', 'datapoint').numbers('y').sort();
    const { scheduling } = await stats('cpusched', 'event', {});
    const waits = Given.of(report.whole, 'cpusched', 'event').waits.sort();
    expect(waits.length).toBeGreaterThan(10_000);
    for (const [values, summary] of [
      [latencies, points!.all],
      [waits, scheduling!.latency],
    ] as const) {
      for (const [share, of] of [
        [0.5, summary.p50],
        [0.99, summary.p99],
      ] as const) {
        expect(Math.abs(values[Math.ceil(share * values.length) - 1]! / of! - 1)).toBeLessThan(0.05);
      }
      expect(values.at(-1)).toBeCloseTo(summary.max!, 5);
    }
    expect(Given.of(report.whole, 'cpusched', 'event').section.spans!.waits).toBe(scheduling!.latency.count);
  });

  test('has the weights of all stacks', async () => {
    const given = Given.of(report.whole, 'callstack', 'stack');
    expect(given.weights).toEqual((await direct('callstack', 'stack', {})).weights);
    expect(given.weights.reduce((a, b) => a + b)).toBe(150_000);
  });

  test('says what stands out in all of it', () => {
    expect(report.whole.manifest.findings.map(({ sentence }) => sentence).join()).toContain('took 500 ms');
    expect(report.whole.manifest.served).toEqual({ version: 'v', most: MOST, time: { from: 0, to: LARGE_SECONDS } });
  });
});

describe.each([
  [12.3, 14.6],
  [0, 1],
  [59.5, 60],
  [31.123456789, 31.2],
])('a range of time that has room, from %d to %d s', (from, to) => {
  let part: PackedPage;
  beforeAll(async () => {
    part = await report.range({ from, to }, NEVER);
  });

  test.each([
    ['disklat', 'datapoint'],
    ['callstack', 'event'],
    ['cpusched', 'event'],
  ])('has all records of %s', async (name, datatype) => {
    const [given, expected] = [Given.of(part, name, datatype), await direct(name, datatype, { from, to })];
    expect(given.section.records).toBeUndefined();
    expect(given.rows).toBe((await stats(name, datatype, { from, to })).records);
    expect(given.rows).toBeGreaterThan(10);
    expect(given.section.columns.map((column) => column.name)).toEqual(
      expected.section.columns.map((column) => column.name),
    );
    for (const column of expected.section.columns)
      expect(given.column(column.name)).toEqual(expected.column(column.name));
  });

  test('has what was known of tasks before', async () => {
    const [given, expected] = [Given.of(part, 'cpusched', 'event'), await direct('cpusched', 'event', { from, to })];
    const spansOf = (side: Given) => {
      const columns = new Map(
        side.section.columns.map(({ name, texts }) => [name, { values: side.numbers(name), texts }] as const),
      );
      const time = side.numbers('time').map((seconds) => Math.round(seconds * 1e9));
      const table = { length: time.length, time, type: columns.get('type')!, columns };
      return taskSpans(table, side.section.header, side.section.before);
    };
    const [own, whole] = [spansOf(given), spansOf(expected)];
    expect(own.start.length).toBeGreaterThan(10);
    expect(own).toEqual(whole);
  });

  test('has what stacks weigh in it', async () => {
    const given = Given.of(part, 'callstack', 'stack');
    expect(given.section.stacks).toBeUndefined();
    expect(given.weights).toEqual((await direct('callstack', 'stack', { from, to })).weights);
  });
});

describe.each([
  [5, 55],
  [20.5, 45.25],
])('a range of time that has no room either, from %d to %d s', (from, to) => {
  let part: PackedPage;
  beforeAll(async () => {
    part = await report.range({ from, to }, NEVER);
  });

  test('has sums and weights of all records in it', async () => {
    await expectSums(Given.of(part, 'cpusched', 'event'), { from, to });
    expect(Given.of(part, 'callstack', 'stack').weights).toEqual(
      (await direct('callstack', 'stack', { from, to })).weights,
    );
  });

  test('has some of the records in it', async () => {
    const given = Given.of(part, 'disklat', 'datapoint');
    expect(given.section.records).toBe((await stats('disklat', 'datapoint', { from, to })).records);
    const seconds = given.numbers('x');
    expect(seconds[0]).toBeGreaterThanOrEqual(from);
    expect(seconds.at(-1)).toBeLessThanOrEqual(to);
    expect(given.column('y')).toContain(500);
  });
});

test('of a range of time one section alone can be asked for', async () => {
  const { section } = find('cpusched', 'event');
  const part = await report.range({ from: 12.3, to: 14.6, section: section.number }, NEVER);
  expect(part.manifest.sections.map(({ number }) => number)).toEqual([section.number]);
  expect(Given.of(part, 'cpusched', 'event').rows).toBe(
    (await stats('cpusched', 'event', { from: 12.3, to: 14.6 })).records,
  );
});

test('a range of time before or behind everything has nothing', async () => {
  for (const range of [
    { from: -5, to: -1 },
    { from: 100, to: 200 },
  ]) {
    const part = await report.range(range, NEVER);
    for (const { columns } of part.manifest.sections) for (const { values } of columns) expect(values.count).toBe(0);
    expect(Given.of(part, 'callstack', 'stack').weights.every((weight) => weight === 0)).toBe(true);
  }
});

test('who does not wait any more is not read for', async () => {
  const stop = new AbortController();
  stop.abort();
  await expect(report.range({ from: 1, to: 50 }, stop.signal)).rejects.toThrow(/abort/);
});

test('a file that fits has nothing more to ask for', async () => {
  const settings = { name: 'x.marple', options: reportOptions.parse({}), most: 1_000_000, version: 'v' };
  const shares: number[] = [];
  const small = await ServedReport.open(await openDataFile(path), settings, (share) => shares.push(share), NEVER);
  for (const section of small.whole.manifest.sections) expect(section.records).toBeUndefined();
  expect(Given.of(small.whole, 'cpusched', 'event').rows).toBe((await stats('cpusched', 'event', {})).records);
  expect((await small.range({ from: 1, to: 2 }, NEVER)).manifest.sections).toEqual([]);
  expect(shares).toEqual(shares.toSorted((a, b) => a - b));
  expect(shares.at(-1)).toBe(1);
  await small.close();
});
