import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { create } from 'tar';
import { Random } from '../../src/analysis/random.ts';
import { COLLECTERS } from '../../src/collect/registry.ts';
import { serialiseHeader } from '../../src/common/codec.ts';
import type { Datatype, MarpleRecord } from '../../src/common/datatypes.ts';
import type { SectionHeader } from '../../src/common/header.ts';
import { sectionFileName } from '../../src/common/partial.ts';
import { openDataFile } from '../../src/common/reader.ts';
import { HeaderReport } from '../../src/common/report.ts';
import type { SectionSpec } from '../../src/common/section.ts';
import { DataFileWriter } from '../../src/common/writer.ts';
import { cpelExporter } from '../../src/formats/cpel-events.ts';
import { decodeRecording } from '../../src/formats/decoders.ts';
import { exportSources } from '../../src/formats/export.ts';
import { RAW_FOLDER } from '../../src/formats/raw-archive.ts';
import { asRead } from '../support/data-files.ts';
import { numbers, perfFileOf, ROUND, record, sample, trailer } from '../support/perf-file.ts';
import { pick } from './mutate.ts';

export type Seeds = readonly Buffer[];

const START = '2026-03-01T09:30:00.000Z';
const RECORDS = 40;

function headerOf(name: string, spec: SectionSpec): SectionHeader {
  return {
    marple: 1,
    interface: name,
    datatype: spec.datatype,
    start: START,
    end: '2026-03-01T09:30:01.000Z',
    clock: { name: 'CLOCK_MONOTONIC', origin: '1000000000', realtime: START },
    records: null,
    bytes: null,
    ...(spec.x === undefined ? {} : { x: spec.x }),
    ...(spec.y === undefined ? {} : { y: spec.y }),
    ...(spec.weight === undefined ? {} : { weight: spec.weight }),
    ...(spec.fields === undefined ? {} : { fields: [...spec.fields] }),
    ...(spec.links === undefined ? {} : { links: spec.links.map(([from, to]): [string, string] => [from, to]) }),
    tool: { name: 'test', version: '1', command: ['test', '-a'] },
    options: { frequency: 99 },
    warnings: ['a warning'],
  };
}

/** What may stand in a field of the name. */
function fieldOf(random: Random, field: string): string {
  if (/comm$/.test(field)) return pick(random, ['fio', 'sh', 'node (x)', '']);
  if (/pid$|tid$/.test(field)) return `${1 + random.integer(5)}`;
  if (field === 'op') return pick(random, ['R', 'W', 'FF']);
  if (field === 'dev') return pick(random, ['vda', '254,0']);
  if (/addr/.test(field)) return pick(random, ['127.0.0.1', '::1']);
  return `${random.integer(20)}`;
}

function recordOf(random: Random, { datatype, fields = [] }: SectionSpec, at: number): MarpleRecord {
  const values = fields.map((field) => fieldOf(random, field));
  const types: Readonly<Record<Datatype, () => MarpleRecord>> = {
    datapoint: () => ({ x: at / RECORDS, y: random.uniform(), info: fields.length === 0 ? ['text'] : values }),
    event: () => ({
      time: Math.round((at / RECORDS) * 1e9),
      type: pick(random, ['switch', 'wakeup', 'connect', 'accept', 'send', 'close', 'issue', 'complete', 'cpu-clock']),
      datum: values,
    }),
    stack: () => ({
      weight: random.integer(1000),
      stack: ['sh', 'main', pick(random, ['read', 'write', '[unknown]'])],
    }),
  };
  return types[datatype]();
}

/** Writes a data file, and gives its bytes. */
async function written(
  sections: readonly { readonly header: SectionHeader; readonly records: readonly MarpleRecord[] }[],
): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'marple-fuzz-seed-'));
  try {
    const path = join(folder, 'x.marple');
    const writer = await DataFileWriter.create(path, { force: true, tempDir: folder });
    for (const [order, { header, records }] of sections.entries()) await writer.section(header, order).write(records);
    await writer.finish();
    return readFileSync(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A data file of each interface, with what a collecter could write, and one of what was really recorded. */
export async function dataFiles(root: string): Promise<Seeds> {
  const random = new Random(1);
  const seeds: Buffer[] = [];
  for (const { description } of COLLECTERS) {
    const sections = description.sections.map((spec) => ({
      header: headerOf(description.interface, spec),
      records: Array.from({ length: RECORDS }, (_, at) => recordOf(random, spec, at)),
    }));
    seeds.push(await written(sections));
  }
  for (const recorded of partialFolder(root)) seeds.push(await decoded(recorded));
  return seeds;
}

const RUN = { origin: '0', scope: { own: 0 }, tasks: [], bootId: '' } as const;

async function decoded({ name, folder }: Recorded): Promise<Buffer> {
  const { sections } = COLLECTERS.find(({ description }) => description.interface === name)!.description;
  const made = sections.map((spec) => ({ header: headerOf(name, spec), records: [] as MarpleRecord[] }));
  for await (const { section, records } of decodeRecording(folder, RUN, new HeaderReport())) {
    // Some are enough.
    made[section]!.records.push(...records.slice(0, 200 - made[section]!.records.length).map(asRead));
  }
  return written(made);
}

/** The folder NAME.partial of a run that was cut off. */
export interface Recorded {
  /** Of the interface. */
  readonly name: string;
  /** The recording itself. */
  readonly folder: string;
  readonly files: readonly { readonly path: string; readonly bytes: Buffer }[];
}

export function partialFolder(root: string): Recorded[] {
  const recordings = [
    ['cpusched', 'sched'],
    ['disklat', 'ftrace/whole'],
  ] as const;
  return recordings.map(([name, fixture]) => {
    const folder = join(root, 'test/fixtures', fixture);
    const { sections } = COLLECTERS.find(({ description }) => description.interface === name)!.description;
    const files = [
      { path: 'run.json', bytes: Buffer.from(JSON.stringify(RUN)) },
      ...sections.map((spec, order) => {
        const header = headerOf(name, spec);
        return { path: sectionFileName(header, order), bytes: Buffer.from(`${serialiseHeader(header)}\n`) };
      }),
      ...readdirSync(folder)
        .filter((file) => /\.raw$|\.json$|^diskstats$/.test(file))
        .map((file) => ({ path: `recordings/${name}/${file}`, bytes: readFileSync(join(folder, file)) })),
    ];
    return { name, folder, files };
  });
}

/** An archive of what `marple collect --raw` recorded, not compressed. */
export async function rawArchives(root: string): Promise<Seeds> {
  return Promise.all(
    partialFolder(root).map(async ({ files }) => {
      const folder = mkdtempSync(join(tmpdir(), 'marple-fuzz-seed-'));
      try {
        writeFiles(folder, files);
        const pieces: Uint8Array[] = [];
        for await (const piece of create({ cwd: folder, prefix: RAW_FOLDER, portable: true }, ['.']))
          pieces.push(piece);
        return Buffer.concat(pieces);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }),
  );
}

/** Writes files below a folder. */
export function writeFiles(folder: string, files: Recorded['files']): void {
  for (const { path, bytes } of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  }
}

/** A perf.data of some samples. */
export function perfDataFile(): Buffer {
  const lost = record(2, Buffer.concat([numbers(1, 2), trailer(3)]));
  return perfFileOf(sample(1, [1, 2]), ROUND, sample(2), lost, sample(4, [5, 6, 7]));
}

/** An event log of some events. */
export async function cpelFile(): Promise<Buffer> {
  const random = new Random(2);
  const spec = { datatype: 'event', fields: ['comm', 'pid'] } as const;
  const records = Array.from({ length: RECORDS }, (_, at) => recordOf(random, spec, at));
  const folder = mkdtempSync(join(tmpdir(), 'marple-fuzz-seed-'));
  try {
    const path = join(folder, 'x.marple');
    const writer = await DataFileWriter.create(path, { force: true, tempDir: folder });
    await writer.section(headerOf('test', spec), 0).write(records);
    await writer.finish();
    const file = await openDataFile(path);
    try {
      const pieces: Uint8Array[] = [];
      const [source] = exportSources([file], undefined, {}, folder);
      for await (const piece of cpelExporter.run(source!, () => undefined)) pieces.push(piece);
      return Buffer.concat(pieces);
    } finally {
      await file.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
