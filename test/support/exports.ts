import type { Filter } from '../../src/analysis/select.ts';
import { openDataFile } from '../../src/common/reader.ts';
import { exportSources } from '../../src/formats/export.ts';
import type { Exporter } from '../../src/formats/exporter.ts';
import { type TestSection, tempFolder, writeFile } from './data-files.ts';

export interface ExportSettings {
  readonly pick?: readonly number[];
  readonly filter?: Filter;
}

export interface Exported {
  readonly bytes: Buffer;
  readonly text: string;
  readonly warnings: readonly string[];
}

/** A data file in the format of an exporter. */
export async function exportPath(
  exporter: Exporter,
  path: string,
  { pick, filter = {} }: ExportSettings = {},
): Promise<Exported> {
  const file = await openDataFile(path, { name: 'x.marple' });
  try {
    const warnings: string[] = [];
    const pieces: Uint8Array[] = [];
    const [source] = exportSources([file], pick, filter, tempFolder());
    for await (const piece of exporter.run(source!, (sentence) => warnings.push(sentence))) pieces.push(piece);
    const bytes = Buffer.concat(pieces);
    return { bytes, text: bytes.toString(), warnings };
  } finally {
    await file.close();
  }
}

/** Sections, as a data file, in the format of an exporter. */
export async function exportSections(
  exporter: Exporter,
  sections: readonly TestSection[],
  settings: ExportSettings = {},
): Promise<Exported> {
  const path = `${tempFolder()}/x.marple`;
  await writeFile(path, sections);
  return exportPath(exporter, path, settings);
}

const seconds = { label: 'time', unit: 's' };
const start = '2026-03-01T09:30:00.000Z';
const end = '2026-03-01T09:30:04.000Z';

/** A little of each kind of section. Two processes called fio (10, 11) and one called web server (20). */
export const SOME: readonly TestSection[] = [
  {
    header: {
      marple: 1,
      interface: 'cpusched',
      datatype: 'event',
      start,
      end,
      fields: ['cpu', 'pid', 'comm', 'other_pid', 'other_comm', 'state'],
    },
    records: [
      { time: 1000, type: 'wakeup', datum: ['0', '0', 'swapper/0', '10', 'fio', ''] },
      { time: 2000, type: 'switch', datum: ['0', '0', 'swapper/0', '10', 'fio', 'R'] },
      { time: 2_000_005_001, type: 'switch', datum: ['0', '10', 'fio', '0', 'swapper/0', 'D'] },
      { time: 3_000_000_000, type: 'switch', datum: ['0', '0', 'swapper/0', '20', 'web server', 'R'] },
      { time: 3_500_000_000, type: 'switch', datum: ['0', '20', 'web server', '10', 'fio', 'R'] },
    ],
  },
  {
    header: {
      marple: 1,
      interface: 'callstack',
      datatype: 'stack',
      start,
      end,
      weight: { label: 'samples', unit: 'samples' },
      options: { frequency: 100 },
    },
    records: [
      { weight: 3, stack: ['fio', 'main', 'read'] },
      { weight: 1, stack: ['web_server', 'main', 'parse<int, "x">'] },
      { weight: 4, stack: ['fio', 'main', 'write'] },
    ],
  },
  {
    header: {
      marple: 1,
      interface: 'callstack',
      datatype: 'event',
      start,
      end,
      fields: ['stack', 'cpu', 'pid', 'tid', 'weight'],
      options: { frequency: 100 },
    },
    records: [
      { time: 500_000_000, type: 'cpu-clock', datum: ['0', '0', '10', '10', '3'] },
      { time: 1_500_000_000, type: 'cpu-clock', datum: ['1', '1', '20', '20', '1'] },
      { time: 2_500_000_000, type: 'cpu-clock', datum: ['2', '0', '10', '12', '1'] },
      { time: 3_500_000_000, type: 'cpu-clock', datum: ['2', '1', '11', '11', '3'] },
    ],
  },
  {
    header: {
      marple: 1,
      interface: 'disklat',
      datatype: 'datapoint',
      start,
      end,
      x: seconds,
      y: { label: 'latency', unit: 'ms' },
      fields: ['comm', 'pid', 'tid', 'op', 'dev', 'sector', 'bytes', 'stack'],
    },
    records: [
      { x: 0.5, y: 1.25, info: ['fio', '10', '10', 'R', 'vda', '8', '4096', '1'] },
      { x: 0.500001, y: 2, info: ['fio', '10', '12', 'W', 'vda', '16', '8192', ''] },
      { x: 2.5, y: 9, info: ['=cmd|calc', '20', '20', 'R', 'vdb', '0', '512', '0'] },
    ],
  },
  {
    header: {
      marple: 1,
      interface: 'disklat',
      datatype: 'stack',
      start,
      end,
      weight: { label: 'I/Os', unit: 'I/Os' },
    },
    records: [
      { weight: 1, stack: ['=cmd|calc', 'read'] },
      { weight: 1, stack: ['fio', 'pread'] },
    ],
  },
  {
    header: {
      marple: 1,
      interface: 'memtime',
      datatype: 'datapoint',
      start,
      end,
      x: seconds,
      y: { label: 'PSS', unit: 'MiB' },
      fields: ['comm', 'pid'],
    },
    records: [
      { x: 1, y: 5.5, info: ['fio', '10'] },
      { x: 1, y: 7, info: ['web server', '20'] },
      { x: 2, y: 6, info: ['fio', '10'] },
    ],
  },
  {
    header: {
      marple: 1,
      interface: 'system',
      datatype: 'datapoint',
      start,
      end,
      x: seconds,
      y: { label: 'disk throughput', unit: 'MiB/s' },
      fields: ['device', 'direction'],
    },
    records: [
      { x: 1, y: 0.5, info: ['vda', 'read'] },
      { x: 1, y: 2, info: ['vda', 'write'] },
      { x: 2, y: 1, info: ['vda', 'read'] },
    ],
  },
  {
    header: {
      marple: 1,
      interface: 'ipc',
      datatype: 'event',
      start,
      end,
      fields: ['pid', 'comm', 'addr', 'port', 'other_pid', 'other_comm', 'other_addr', 'other_port', 'bytes'],
      links: [['pid', 'other_pid']],
    },
    records: [
      { time: 1_000_000, type: 'connect', datum: ['10', 'fio', 'A', '5000', '20', 'web server', 'B', '80', ''] },
      { time: 1_100_000, type: 'accept', datum: ['20', 'web server', 'B', '80', '10', 'fio', 'A', '5000', ''] },
      { time: 1_200_000, type: 'send', datum: ['10', 'fio', 'A', '5000', '20', 'web server', 'B', '80', '100'] },
      { time: 1_300_000, type: 'recv', datum: ['20', 'web server', 'B', '80', '10', 'fio', 'A', '5000', '100'] },
    ],
  },
];

/** Sections of SOME by number, from 1. */
export const SECTION = {
  cpusched: 1,
  stacks: 2,
  samples: 3,
  disklat: 4,
  ioStacks: 5,
  memtime: 6,
  system: 7,
  ipc: 8,
} as const;
