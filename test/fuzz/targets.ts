import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { parseFailIf } from '../../src/analysis/diff/fail-if.ts';
import { configSections } from '../../src/commands/sections.ts';
import { loadConfig, parseConfig } from '../../src/common/config.ts';
import { parseHeader } from '../../src/common/header.ts';
import { openDataFile, type SectionReader } from '../../src/common/reader.ts';
import { HeaderReport } from '../../src/common/report.ts';
import { runDisplay } from '../../src/display/controller.ts';
import { Arrival } from '../../src/fleet/arrival.ts';
import { Host } from '../../src/fleet/host.ts';
import { LineCutter } from '../../src/fleet/line-cutter.ts';
import { dataLine, hostLine, parseHostLine } from '../../src/fleet/protocol.ts';
import { MemleakParser, parseMallocstacks } from '../../src/formats/bcc-stacks.ts';
import { parseRow as parseBiosnoopRow } from '../../src/formats/biosnoop.ts';
import { parseElf } from '../../src/formats/elf.ts';
import { importFile } from '../../src/formats/import.ts';
import { detectImporter, IMPORTERS } from '../../src/formats/importers.ts';
import { parseRow as parseIosnoopRow } from '../../src/formats/iosnoop.ts';
import { openData } from '../../src/formats/open.ts';
import { perfSamples } from '../../src/formats/perf-samples.ts';
import { parseKallsyms, parsePerfMap } from '../../src/formats/symbols.ts';
import { parseBccRow, parseLibbpfRow } from '../../src/formats/tcptracer.ts';
import { cpelFile, dataFiles, partialFolder, perfDataFile, rawArchives, type Seeds, writeFiles } from './seeds.ts';

/** Something that reads bytes from outside. */
export interface FuzzTarget {
  readonly name: string;
  /** Valid inputs, from which the others are made. */
  readonly seeds: (root: string) => Promise<Seeds>;
  /** Reads one; `folder` is empty, and goes behind it. Throws what the reader throws. */
  readonly run: (bytes: Buffer, folder: string) => Promise<void> | void;
  /** Inputs of the short run: fewer where one takes long. */
  readonly few: number;
}

/** The files in a folder below test/fixtures. */
function fixtures(folder: string, pattern = /\.txt$/): (root: string) => Promise<Seeds> {
  return async (root) => {
    const path = join(root, 'test/fixtures', folder);
    return readdirSync(path)
      .filter((name) => pattern.test(name))
      .map((name) => readFileSync(join(path, name)));
  };
}

/** Seeds of each format that is imported. */
const IMPORT_SEEDS: Readonly<Record<string, (root: string) => Promise<Seeds>>> = {
  'perf-data': async () => [perfDataFile()],
  'perf-script': fixtures('perf-script'),
  folded: async () => [Buffer.from('main;read;vfs_read 12\nmain;write 3\nsh;[unknown] 1\n')],
  iosnoop: fixtures('iosnoop'),
  biosnoop: fixtures('biosnoop'),
  cpel: async () => [await cpelFile()],
  'marple-py': fixtures('marple-py', /\.marple$/),
  raw: rawArchives,
};

/** Reads a file as an import of the format. */
function importTarget(format: string): FuzzTarget {
  const seeds = IMPORT_SEEDS[format];
  if (seeds === undefined) throw new Error(`there are no seeds to fuzz the importer of ${format}`);
  return {
    name: `import-${format}`,
    seeds,
    // Of a file of another machine perf itself is asked for names.
    few: format === 'perf-data' ? 8 : format === 'raw' ? 30 : 80,
    run: async (bytes, folder) => {
      const input = join(folder, 'input');
      writeFileSync(input, bytes);
      await importFile({
        input,
        stdin: Readable.from([]),
        output: join(folder, 'x.marple'),
        force: false,
        format,
        event: undefined,
        annotate: new Set(['pid', 'tid', 'kernel']),
        tempDir: folder,
      });
      // What an import writes is a data file, whatever it has read.
      const file = await openDataFile(join(folder, 'x.marple'));
      await readAll(file.sections);
      await file.close();
    },
  };
}

/** Formats of folders are read by other targets. */
const FOLDERS = IMPORTERS.filter(({ readsFolders }) => readsFolders === true).map(({ format }) => format);

/** Every way of reading a section. */
async function readAll(sections: readonly SectionReader[]): Promise<void> {
  for (const section of sections) {
    const { datatype, fields } = section.header;
    const drain = async (chunks: AsyncIterable<unknown>): Promise<void> => {
      for await (const chunk of chunks) void chunk;
    };
    await drain(section.batches(datatype));
    const want = (fields ?? []).flatMap((field) => [{ field, as: 'text' } as const, { field, as: 'number' } as const]);
    if (datatype === 'datapoint') await drain(section.points(want));
    if (datatype === 'event') await drain(section.events(want));
  }
}

const VIEWS = [
  ['flamegraph', 'svg'],
  ['treemap', 'html'],
  ['heatmap', 'html'],
  ['heatmap', 'txt'],
  ['stackplot', 'html'],
  ['stackplot', 'txt'],
  ['plot', 'html'],
  ['plot', 'txt'],
  ['report', 'html'],
] as const;

/** The files of a recording, one behind the other, so that they are mutated together. */
const BETWEEN = Buffer.from('\n=====\n');

function joined(parts: readonly Buffer[]): Buffer {
  return Buffer.concat(parts.flatMap((part, i) => (i === 0 ? [part] : [BETWEEN, part])));
}

function parted(bytes: Buffer, count: number): Buffer[] {
  const parts: Buffer[] = [];
  let from = 0;
  for (let i = 1; i < count; i++) {
    const end = bytes.indexOf(BETWEEN, from);
    if (end < 0) break;
    parts.push(bytes.subarray(from, end));
    from = end + BETWEEN.length;
  }
  return [...parts, bytes.subarray(from)];
}

export const TARGETS: readonly FuzzTarget[] = [
  {
    name: 'data-file',
    seeds: dataFiles,
    few: 250,
    run: async (bytes, folder) => {
      const path = join(folder, 'x.marple');
      writeFileSync(path, bytes);
      const file = await openDataFile(path, { blockSize: 4096 });
      try {
        await readAll(file.sections);
      } finally {
        await file.close();
      }
    },
  },
  {
    name: 'display',
    seeds: dataFiles,
    few: 60,
    run: async (bytes, folder) => {
      const path = join(folder, 'x.marple');
      writeFileSync(path, bytes);
      const config = loadConfig(configSections(), []);
      for (const [view, format] of VIEWS) {
        const output = join(folder, `${view}.${format}`);
        const options = { inputs: [path], view, output, open: false, force: true, width: 800, height: 400 };
        await runDisplay(options, { config, tempDir: folder }).catch((error: unknown) => {
          // A view that does not fit what is there.
          if (!(error instanceof Error && error.name === 'UsageError')) throw error;
        });
      }
    },
  },
  {
    name: 'arrival',
    seeds: dataFiles,
    few: 60,
    run: async (bytes, folder) => {
      const options = { folder, mostBytes: 10_000_000, force: true, tempDir: folder };
      const arrival = new Arrival('web1', 'data', options);
      await arrival.add(gzipSync(bytes).toString('base64'));
      await arrival.complete({ node: 'web1' }).catch((error: unknown) => {
        // What was wrong with it, by its place.
        throw error instanceof Error && error.cause !== undefined ? error.cause : error;
      });
      const file = await openDataFile(join(folder, 'web1.marple'));
      try {
        await readAll(file.sections);
      } finally {
        await file.close();
      }
    },
  },
  {
    name: 'fleet-lines',
    seeds: async () => [
      Buffer.from(
        [
          hostLine({ is: 'hello', protocol: 1, version: '0.1.0', id: '0123456789abcdef' }),
          hostLine({ is: 'time', round: 1, received: '1700000000000000000', sent: '1700000000000000009', error: 100 }),
          hostLine({
            is: 'ended',
            code: 0,
            result: { seconds: 1, sections: [], failures: [], tools: {}, command_status: null },
          }),
          dataLine(Buffer.from('data')),
        ].join('\n'),
      ),
    ],
    few: 500,
    run: (bytes) => {
      const host = new Host('web1');
      const cutter = new LineCutter((line) => {
        const message = parseHostLine(line);
        if (message?.is === 'ended') host.take(message.result);
      });
      cutter.add(bytes);
      cutter.end();
    },
  },
  {
    name: 'header',
    seeds: async (root) => (await dataFiles(root)).map((file) => file.subarray(0, Math.max(1, file.indexOf('\n')))),
    few: 1000,
    run: (bytes) => void parseHeader(bytes.toString('utf8'), 'x.marple:1'),
  },
  {
    name: 'config',
    seeds: async (root) => [readFileSync(join(root, 'config.txt'))],
    few: 150,
    run: (bytes, folder) => {
      const path = join(folder, 'config.txt');
      writeFileSync(path, bytes);
      parseConfig(bytes.toString('latin1'), path);
      loadConfig(configSections(), [path]);
    },
  },
  {
    name: 'fail-if',
    seeds: async () => [
      Buffer.from('disklat[fio].p99 > 1.2x or callstack{a::b(int)}.self > 500 ms or memtime.total <= 3'),
    ],
    few: 500,
    run: (bytes) => void parseFailIf(bytes.toString('utf8')),
  },
  {
    name: 'detect',
    seeds: async (root) => (await Promise.all(Object.values(IMPORT_SEEDS).map((seeds) => seeds(root)))).flat(),
    few: 500,
    run: (bytes) => void detectImporter(bytes.subarray(0, 65_536), 'input'),
  },
  ...IMPORTERS.filter(({ format }) => !FOLDERS.includes(format)).map(({ format }) => importTarget(format)),
  {
    name: 'partial',
    seeds: async (root) => partialFolder(root).map(({ files }) => joined(files.map(({ bytes }) => bytes))),
    few: 60,
    run: async (bytes, folder) => {
      for (const recorded of partialFolder(ROOT)) {
        const partial = join(folder, `${recorded.name}.marple.partial`);
        const parts = parted(bytes, recorded.files.length);
        if (parts.length !== recorded.files.length) continue;
        writeFiles(
          partial,
          recorded.files.map(({ path }, i) => ({ path, bytes: parts[i]! })),
        );
        const file = await openData(partial, folder);
        try {
          await readAll(file.sections);
        } finally {
          await file.close();
        }
      }
    },
  },
  {
    name: 'perf-file',
    seeds: async () => [perfDataFile()],
    few: 500,
    run: async (bytes, folder) => {
      const path = join(folder, 'perf.data');
      writeFileSync(path, bytes);
      for await (const records of perfSamples(path, 0n, new HeaderReport())) void records;
    },
  },
  {
    name: 'elf',
    seeds: async () => [readFileSync('/bin/true')],
    few: 100,
    run: (bytes) => {
      const symbols = parseElf(bytes);
      for (let at = 0; at < bytes.length; at += 1000) symbols?.table.nameAt(symbols.addressOf(at) ?? 0);
    },
  },
  {
    name: 'symbols',
    seeds: async () => [
      Buffer.from('ffffffff81000000 T _stext\nffffffffc0400000 t init_module\t[virtio_rng]\n'),
      Buffer.from('7f2d3a027240 4c LazyCompile:~parse app.js:12\n0x1 0x2 f\n'),
    ],
    few: 500,
    run: (bytes) => {
      const tables = [parseKallsyms(bytes), parsePerfMap(bytes.toString('latin1'))];
      for (const table of tables) table?.nameAt(2 ** 47);
    },
  },
  {
    name: 'tool-lines',
    seeds: async (root) =>
      (
        await Promise.all(['tcptracer', 'malloc', 'iosnoop', 'biosnoop', 'smem'].map((name) => fixtures(name)(root)))
      ).flat(),
    few: 200,
    run: (bytes) => {
      const lines = bytes.toString('latin1').split('\n');
      const memleak = new MemleakParser(() => undefined);
      for (const line of lines) {
        for (const parse of [parseBccRow, parseLibbpfRow, parseIosnoopRow, parseBiosnoopRow]) parse(line);
        memleak.push(line);
      }
      parseMallocstacks(lines, () => undefined);
    },
  },
];

/** The folder of the project. The long run is a bundle, which is told. */
export const ROOT = process.env['MARPLE_FUZZ_ROOT'] ?? join(import.meta.dirname, '../..');

/** Inputs that once went wrong, by target; they are kept. */
export function keptInputs(name: string): { readonly path: string; readonly bytes: Buffer }[] {
  const folder = join(ROOT, 'test/fuzz/kept', name);
  try {
    return readdirSync(folder).map((file) => ({ path: join(folder, file), bytes: readFileSync(join(folder, file)) }));
  } catch {
    return [];
  }
}

/** Reads an input in a folder of its own. */
export async function runTarget(target: FuzzTarget, bytes: Buffer): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'marple-fuzz-'));
  try {
    await target.run(bytes, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
