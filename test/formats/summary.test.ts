import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostMetrics } from '../../src/analysis/fleet/outliers.ts';
import { repeatedPoints } from '../../src/analysis/repeated.ts';
import type { SectionStats } from '../../src/analysis/stats.ts';
import type { Datapoint, MarpleRecord, StackData } from '../../src/common/datatypes.ts';
import type { SectionHeader } from '../../src/common/header.ts';
import { type Column, openDataFile } from '../../src/common/reader.ts';
import { exportSources, joinedSource } from '../../src/formats/export.ts';
import { summaryExporter } from '../../src/formats/summary.ts';
import { statsOfFile } from '../analysis/stats/sections.ts';
import { headerOf, readRecords, type TestSection, tempFolder, writeFile } from '../support/data-files.ts';
import { SECTION, SOME } from '../support/exports.ts';
import { anyHistory } from '../support/scheduler.ts';

const END = '2026-03-01T09:30:10.000Z';

interface Summed {
  readonly path: string;
  readonly sections: readonly { readonly header: SectionHeader; readonly records: readonly MarpleRecord[] }[];
  readonly warnings: readonly string[];
}

/** The summary of data files. */
async function summaryOfFiles(paths: readonly string[]): Promise<Summed> {
  const files = await Promise.all(paths.map((path) => openDataFile(path)));
  const warnings: string[] = [];
  const pieces: Uint8Array[] = [];
  const source = joinedSource(exportSources(files, undefined, {}, tempFolder()));
  for await (const piece of summaryExporter.run(source, (sentence) => warnings.push(sentence))) pieces.push(piece);
  await Promise.all(files.map((file) => file.close()));
  const path = join(tempFolder(), 'summary.marple');
  writeFileSync(path, Buffer.concat(pieces));
  const file = await openDataFile(path);
  const sections = [];
  for (const section of file.sections) {
    sections.push({ header: section.header, records: await readRecords(section) });
  }
  await file.close();
  return { path, sections, warnings };
}

async function fileOf(sections: readonly TestSection[]): Promise<string> {
  const path = join(tempFolder(), 'x.marple');
  await writeFile(path, sections);
  return path;
}

async function summaryOf(...files: readonly (readonly TestSection[])[]): Promise<Summed> {
  return summaryOfFiles(await Promise.all(files.map(fileOf)));
}

function statsOf(path: string): Promise<SectionStats[]> {
  return statsOfFile(path, { top: 1000 });
}

function latencies(records: readonly Datapoint[]): TestSection {
  return {
    header: headerOf('datapoint', {
      interface: 'disklat',
      end: END,
      x: { label: 'time', unit: 's' },
      y: { label: 'latency', unit: 'ms' },
      fields: ['comm', 'pid', 'op', 'dev', 'sector'],
    }),
    records,
  };
}

function stacks(records: readonly StackData[]): TestSection {
  const weight = { label: 'samples', unit: 'samples' };
  return { header: headerOf('stack', { interface: 'callstack', end: END, weight }), records };
}

const anyIos: fc.Arbitrary<Datapoint[]> = fc
  .array(
    fc.record({
      x: fc.double({ min: 0, max: 9.9, noNaN: true }),
      // Nanoseconds to hours, and none at all.
      exponent: fc.oneof({ weight: 9, arbitrary: fc.double({ min: -6, max: 7, noNaN: true }) }, fc.constant(-Infinity)),
      comm: fc.constantFrom('fio', 'db', 'kworker/0:1'),
      op: fc.constantFrom('R', 'W'),
    }),
    { minLength: 1, maxLength: 300 },
  )
  .map((ios) =>
    ios
      .sort((a, b) => a.x - b.x)
      .map(({ x, exponent, comm, op }) => ({ x, y: 10 ** exponent, info: [comm, '7', op, 'vda', '8'] })),
  );

describe('latencies', () => {
  it('every quantile is within the stated accuracy, and every count is right', async () => {
    await fc.assert(
      fc.asyncProperty(anyIos, async (ios) => {
        const file = await fileOf([latencies(ios)]);
        const { path, sections } = await summaryOfFiles([file]);
        expect(sections[0]!.header.summary).toMatchObject({ of: ios.length, hosts: 1, relative_accuracy: 0.01 });
        const [[exact], [summed]] = [await statsOf(file), await statsOf(path)];
        expect(summed!.records).toBe(exact!.records);
        const [a, b] = [exact!.points!, summed!.points!];
        for (const key of ['min', 'p50', 'p90', 'p99', 'p999', 'max', 'mean', 'sum'] as const) {
          expect(Math.abs(b.all[key]! - a.all[key]!)).toBeLessThanOrEqual(a.all[key]! * 0.01001);
        }
        const counts = ({ by }: typeof a) =>
          by.map(({ field, groups }) => [field, groups.map(({ name, count }) => [name, count]).sort()]);
        expect(counts(b)).toEqual(counts(a));
      }),
      { numRuns: 50 },
    );
  });

  it('the summary of summaries is that of all: nothing is lost by adding up', async () => {
    await fc.assert(
      fc.asyncProperty(anyIos, anyIos, async (some, others) => {
        const both = await summaryOf([latencies(some)], [latencies(others)]);
        const [one, other] = [await summaryOf([latencies(some)]), await summaryOf([latencies(others)])];
        const added = await summaryOfFiles([one.path, other.path]);
        const inOrder = ({ sections }: Summed) => sections[0]!.records.map((record) => JSON.stringify(record)).sort();
        expect(inOrder(added)).toEqual(inOrder(both));
        expect(added.sections[0]!.header.summary).toMatchObject({ of: some.length + others.length, hosts: 2 });
      }),
      { numRuns: 50 },
    );
  });

  it('are repeated for what counts one by one; of too many one stands for some', async () => {
    const io = (x: number, y: number): Datapoint => ({ x, y, info: ['fio', '7', 'R', 'vda', '8'] });
    const { path } = await summaryOf([
      latencies([...Array.from({ length: 30 }, () => io(0, 1)), ...Array.from({ length: 10 }, () => io(1, 9))]),
    ]);
    const file = await openDataFile(path);
    const repeatedBy = async (most: number) => {
      const { chunks, records } = await repeatedPoints(
        file.sections[0]!,
        [{ field: 'comm', as: 'text' }],
        'count',
        {},
        most,
      );
      const points: [number, string][] = [];
      for await (const { length, x, columns } of chunks) {
        const [{ values, dictionary }] = columns as [Column];
        for (let i = 0; i < length; i++) points.push([x[i]!, dictionary[values[i]!]!]);
      }
      return { early: points.filter(([x]) => x === 0).length, all: points.length, records };
    };
    expect(await repeatedBy(1000)).toEqual({ early: 30, all: 40, records: undefined });
    expect(await repeatedBy(20)).toEqual({ early: 15, all: 20, records: 40 });
    await file.close();
  });

  it('are by slices of time, process, operation and device; processes with little are one', async () => {
    const io = (x: number, y: number, comm: string): Datapoint => ({ x, y, info: [comm, '7', 'R', 'vda', '8'] });
    const many = Array.from({ length: 2000 }, () => io(0.5, 2, 'fio'));
    const { sections, warnings } = await summaryOf([latencies([...many, io(3.2, 0, 'rare')])]);
    expect(warnings).toEqual([]);
    expect(sections[0]!.header.fields).toEqual(['comm', 'op', 'dev', 'count']);
    expect(sections[0]!.records).toEqual([
      { x: 0, y: expect.closeTo(2, 1), info: ['fio', 'R', 'vda', '2000'] },
      { x: 3, y: 0, info: ['[other]', 'R', 'vda', '1'] },
    ]);
  });
});

describe('stacks', () => {
  it('what is light is under its caller as [other]: totals and what a function has itself stay', async () => {
    const { sections } = await summaryOf([
      stacks([
        { weight: 9000, stack: ['swapper/0', 'idle'] },
        { weight: 700, stack: ['app', 'main'] },
        { weight: 2, stack: ['app', 'main', 'work'] },
        { weight: 298, stack: ['app', 'main', 'work', 'deep'] },
        ...Array.from({ length: 3 }, (_, i) => ({ weight: 1, stack: ['app', 'main', 'work', `leaf${i}`] })),
        { weight: 1, stack: ['little', 'main'] },
      ]),
    ]);
    const [{ header, records }] = sections as [Summed['sections'][number]];
    const byWeight = (records as StackData[]).toSorted((a, b) => b.weight - a.weight);
    expect(byWeight).toEqual([
      { weight: 9000, stack: ['swapper/0', 'idle'] },
      { weight: 700, stack: ['app', 'main'] },
      { weight: 298, stack: ['app', 'main', 'work', 'deep'] },
      { weight: 3, stack: ['app', 'main', 'work', '[other]'] },
      { weight: 2, stack: ['app', 'main', 'work'] },
      { weight: 1, stack: ['[other]'] },
    ]);
    expect(header.notes).toEqual(['a summary: what has less than 0.1 % is under [other], <0.1 % in all']);
  });

  it('nothing of the weight is lost, however often it is summed', async () => {
    const anyStacks = fc.array(
      fc.record({
        weight: fc.oneof(fc.nat({ max: 5 }), fc.nat({ max: 100_000 })),
        stack: fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 6 }),
      }),
      { minLength: 1, maxLength: 60 },
    );
    await fc.assert(
      fc.asyncProperty(anyStacks, anyStacks, async (some, others) => {
        const [one, other] = [await summaryOf([stacks(some)]), await summaryOf([stacks(others)])];
        const added = await summaryOfFiles([one.path, other.path]);
        const again = await summaryOfFiles([added.path]);
        const total = (records: readonly MarpleRecord[]) =>
          (records as StackData[]).reduce((sum, { weight }) => sum + weight, 0);
        const all = total(some) + total(others);
        expect([total(added.sections[0]!.records), total(again.sections[0]!.records)]).toEqual([all, all]);
        expect(again.sections[0]!.records).toEqual(added.sections[0]!.records);
        for (const { stack } of added.sections[0]!.records as StackData[]) {
          expect(stack.indexOf('[other]')).toBeOneOf([-1, stack.length - 1]);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('look broken no more than before', async () => {
    const section = stacks([
      { weight: 5000, stack: ['app', '_start', 'main'] },
      { weight: 1, stack: ['app', '_start', 'rare'] },
      { weight: 1, stack: ['app', 'entry_SYSCALL_64'] },
    ]);
    const { path } = await summaryOf([section]);
    expect((await statsOf(path))[0]!.stacks!.broken).toEqual({ unique: 0, weight: 0 });
  });
});

describe('scheduler events', () => {
  it('are times by process and what it did, and waits for a CPU', async () => {
    const header = { ...SOME[SECTION.cpusched - 1]!.header };
    await fc.assert(
      fc.asyncProperty(anyHistory, async (records) => {
        const file = await fileOf([{ header, records }]);
        const { path, sections } = await summaryOfFiles([file]);
        const exact = (await statsOf(file))[0]!.scheduling!;
        const [times, waits] = sections;
        // Nobody is little enough to be another.
        const named = (times!.records as StackData[]).filter(({ stack }) => stack[0] !== '[other]');
        for (const { comm, cpu_seconds: seconds } of exact.processes) {
          const ran = named.find(({ stack }) => stack[0] === comm && stack[1] === 'running');
          if (ran !== undefined) expect(ran.weight / 1e9).toBeCloseTo(seconds, 9);
        }
        const counted = (waits!.records as Datapoint[]).reduce((sum, { info }) => sum + Number(info.at(-1)), 0);
        expect(counted).toBe(exact.latency.count);
        const summed = (await statsOf(path)).find(({ points }) => points !== undefined)!.points!.all;
        const [a, b] = [exact.latency.p99 ?? 0, summed.p99 ?? 0];
        expect(Math.abs(a - b)).toBeLessThanOrEqual(a * 0.0101);
      }),
      { numRuns: 50 },
    );
  });
});

it('hosts are compared by what is meant', async () => {
  const { path } = await summaryOf([SOME[SECTION.cpusched - 1]!]);
  const metrics = (await statsOf(path)).flatMap(hostMetrics).map(({ what, unit }) => `${what} (${unit})`);
  expect(metrics).toEqual([
    'CPU time (s)',
    'wait for a CPU, median (ms)',
    'wait for a CPU, 99th percentile (ms)',
    'wait for a CPU, how often (a second)',
  ]);
});

describe('levels, connections, events', () => {
  const only = (number: number) => [SOME[number - 1]!];

  it('of memory are means of processes of one name; who is not there has 0', async () => {
    const header = { ...SOME[SECTION.memtime - 1]!.header };
    const level = (x: number, y: number, comm: string, pid: string): Datapoint => ({ x, y, info: [comm, pid] });
    const records = [
      level(1, 10, 'app', '1'),
      level(1, 5, 'app', '2'),
      level(1.5, 20, 'app', '1'),
      level(1.5, 8, 'db', '3'),
      level(2, 7, 'app', '1'),
    ];
    const one = [{ header, records }];
    expect((await summaryOf(one)).sections[0]!.records).toEqual([
      { x: 1, y: 17.5, info: ['app'] },
      { x: 1, y: 4, info: ['db'] },
      { x: 2, y: 7, info: ['app'] },
    ]);
    expect((await summaryOf(one, one)).sections[0]!.records).toContainEqual({ x: 1, y: 35, info: ['app'] });
  });

  it('that are shares are means of the hosts, however they were summed before', async () => {
    const header = {
      ...SOME[SECTION.system - 1]!.header,
      y: { label: 'time waited', unit: '%' },
      fields: ['resource'],
    };
    const host = (y: number) => [{ header, records: [{ x: 1, y, info: ['cpu'] }] }];
    const all = await summaryOf(host(10), host(20), host(60));
    const two = await summaryOf(host(10), host(20));
    const added = await summaryOfFiles([two.path, (await summaryOf(host(60))).path]);
    expect(all.sections[0]!.records).toEqual([{ x: 1, y: 30, info: ['cpu'] }]);
    expect(added.sections[0]!.records).toEqual(all.sections[0]!.records);
  });

  it('of sockets are connections and bytes by both ends', async () => {
    const { sections } = await summaryOf(only(SECTION.ipc));
    expect(sections.map(({ header, records }) => [header.weight?.label, records])).toEqual([
      ['connections', [{ weight: 1, stack: ['fio', 'web server:80'] }]],
      ['bytes', [{ weight: 100, stack: ['fio', 'web server:80', 'to the server'] }]],
    ]);
  });

  it('of block requests are counts by process, type, operation and device', async () => {
    const header = headerOf('event', { interface: 'diskblockrq', end: END, fields: ['dev', 'op', 'comm'] });
    const event = (type: string, comm: string) => ({ time: 1, type, datum: ['vda', 'R', comm] });
    const { sections } = await summaryOf([
      { header, records: [event('issue', 'fio'), event('issue', 'fio'), event('complete', '')] },
    ]);
    expect(sections[0]!.records).toEqual([
      { weight: 2, stack: ['fio', 'issue', 'R', 'vda'] },
      { weight: 1, stack: ['[no process]', 'complete', 'R', 'vda'] },
    ]);
  });

  it('samples are left to the stacks that have them all; what has no sum is told', async () => {
    const address = headerOf('datapoint', {
      interface: 'memmap',
      end: END,
      x: { label: 'physical address', unit: 'GiB' },
      y: { label: 'RAM in use', unit: 'MiB' },
      fields: ['use'],
    });
    const { sections, warnings } = await summaryOf([
      ...SOME.slice(SECTION.stacks - 1, SECTION.samples),
      { header: address, records: [{ x: 0, y: 1, info: ['free'] }] },
    ]);
    expect(sections.map(({ header }) => [header.interface, header.datatype])).toEqual([['callstack', 'stack']]);
    expect(warnings).toEqual(['section 3 (memmap) has nothing that adds up, and is left out']);
  });
});

const OFFSET = { clock_offset: { reference: 'laptop', start: { ns: 5, uncertainty_ns: 1 } } };

it('of several hosts says how many, and whose it is only of one', async () => {
  const host = (name: string) => [
    {
      ...stacks([{ weight: 1, stack: ['app'] }]),
      header: { ...stacks([]).header, host: name, cpus: 4, lost: 3, ...OFFSET },
    },
  ];
  const [one, both] = [await summaryOf(host('a')), await summaryOf(host('a'), host('b'))];
  expect(one.sections[0]!.header).toMatchObject({ host: 'a', cpus: 4, lost: 3, ...OFFSET, summary: { hosts: 1 } });
  expect(both.sections[0]!.header).toMatchObject({ cpus: 8, lost: 6, summary: { of: 2, hosts: 2 } });
  for (const key of ['host', 'clock_offset']) expect(both.sections[0]!.header).not.toHaveProperty(key);
});
