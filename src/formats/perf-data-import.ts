import { closeSync, copyFileSync, fstatSync, ftruncateSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DamagedFileError, UsageError } from '../common/errors.ts';
import type { SectionHeader } from '../common/header.ts';
import type { Importer, ImportInput, ImportOptions, ImportSink } from './importer.ts';
import { preparePerfData, type ScriptEnd, scriptText, unreadable } from './perf-data.ts';
import { type FileMapping, PerfFile } from './perf-file.ts';
import { KERNEL, ownKernelBuildId, type PerfMachine, readMachine, whyForeign } from './perf-machine.ts';
import { perfSamples } from './perf-samples.ts';
import { type PerfFrame, type PerfRecord, type PerfSample, PerfScriptParser, RECORDED_FIELDS } from './perf-script.ts';
import { findPerf } from './perf-tool.ts';
import { SampleImport } from './sample-import.ts';

export const perfDataImporter: Importer = {
  format: 'perf-data',
  summary: 'perf.data of this machine, or of one whose files perf finds here',
  detects: (head) => head.toString('latin1', 0, MAGIC.length) === MAGIC,
  run: importPerfData,
};

const MAGIC = 'PERFILE2';
/** perf record -o - writes a header of these bytes alone; others have 104 (struct perf_file_header). */
const PIPE_HEADER_BYTES = 16;
const HEADER_BYTES = 104;
const DATA_SIZE_AT = 48;
/** u32 type, u16 misc, u16 size of the whole record (struct perf_event_header). */
const RECORD_HEADER_BYTES = 8;
const PERF_TYPE_TRACEPOINT = 2;
const DIRECT_WINDOW = 64;

async function importPerfData(input: ImportInput, sink: ImportSink, options: ImportOptions): Promise<void> {
  const original = await input.file();
  const path = await openable(original, input, sink, options.tempDir);
  const recording = examine(path);
  if (recording === undefined) throw new DamagedFileError(input.name, 'perf had not recorded anything in it');
  const { machine } = recording;
  const foreign = whyForeign(machine, recording.kernel, recording.last);
  // Addresses are printed as perf has them, relative to the file.
  const isDirect = foreign === undefined && !recording.needsPerf && !options.annotate.has('addrs');
  // The reader puts its records in order, as far as the rounds in which perf wrote them are true.
  const window = isDirect ? { window: DIRECT_WINDOW } : {};
  const samples = new SampleImport(sink, options, { isOwn: foreign === undefined, ...window });
  if (isDirect) await readDirectly(path, recording, samples, sink);
  else await readThroughPerf(path, input.name, recording, foreign, samples, sink);
  await samples.finish();
  samples.describe(headerOf(machine, recording.first, samples, input.isOriginal ? original : undefined));
}

/**
 * The file itself where it is whole. One that is not is copied and the copy mended: the user's own is not touched.
 * @throws DamagedFileError (65) where it is no perf.data; UsageError (2) for what perf wrote to a pipe.
 */
async function openable(
  path: string,
  { name, isOriginal }: ImportInput,
  sink: ImportSink,
  tempDir: string,
): Promise<string> {
  const header = Buffer.alloc(HEADER_BYTES);
  const file = openSync(path, 'r');
  let length: number;
  try {
    length = readSync(file, header, 0, HEADER_BYTES, 0);
  } finally {
    closeSync(file);
  }
  if (header.toString('latin1', 0, MAGIC.length) !== MAGIC)
    throw new DamagedFileError(`${name}: byte 0`, 'this is no perf.data');
  if (header.readBigUInt64LE(8) === BigInt(PIPE_HEADER_BYTES)) {
    throw new UsageError(
      `${name} is what perf record wrote to a pipe, which does not say where it was recorded`,
      `print it on the machine that recorded it: perf script -i ${name} | marple import -`,
    );
  }
  if (length < HEADER_BYTES) throw new DamagedFileError(`${name}: byte ${length}`, 'the file is cut off in its header');
  const { size } = statSync(path);
  const [offset, dataSize] = [header.readBigUInt64LE(40), header.readBigUInt64LE(DATA_SIZE_AT)];
  if (offset > BigInt(size)) throw new DamagedFileError(`${name}: byte 40`, 'its records are beyond its end');
  const missing = dataSize === 0n ? 0n : offset + dataSize - BigInt(size);
  if (dataSize !== 0n && missing <= 0n) return path;
  const copy = isOriginal ? join(tempDir, 'perf.data') : path;
  if (isOriginal) copyFileSync(path, copy);
  sink.warn(
    missing > 0n
      ? `the file is cut off: ${missing} bytes of its records are missing, and all that is behind them`
      : 'perf was killed: what it had not yet written to its file is lost',
  );
  cutToRecords(copy, Number(offset));
  const state = await preparePerfData(copy, undefined);
  if (state === 'empty') throw new DamagedFileError(name, 'perf had not recorded anything in it');
  return copy;
}

/** Ends the file behind its last whole record, which perf insists on, and leaves it as a perf that is killed does. */
function cutToRecords(path: string, offset: number): void {
  const file = openSync(path, 'r+');
  try {
    const { size } = fstatSync(file);
    const head = Buffer.alloc(RECORD_HEADER_BYTES);
    let end = offset;
    while (readSync(file, head, 0, head.length, end) === head.length) {
      const length = head.readUInt16LE(6);
      if (length < head.length || end + length > size) break;
      end += length;
    }
    ftruncateSync(file, end);
    writeSync(file, Buffer.alloc(8), 0, 8, DATA_SIZE_AT);
  } finally {
    closeSync(file);
  }
}

/** What has to be known of a file before it is read. */
interface Recording {
  readonly machine: PerfMachine;
  readonly needsPerf: boolean;
  /** Of perf script, for the form `recorded`; undefined where that needs more than there is. */
  readonly fields: string | undefined;
  /** By the names of events. */
  readonly periods: Periods;
  /** Mappings of the kernel's own code. */
  readonly kernel: readonly FileMapping[];
  /** When the first and the last sample were taken, nanoseconds of the clock of the samples; 0 where that is not told. */
  readonly first: bigint;
  readonly last: bigint;
}

function examine(path: string): Recording | undefined {
  const file = new PerfFile(path, 0n);
  try {
    const { samples, times, kernel } = file.overview();
    if (samples === 0 && file.compressed === 0) return undefined;
    const told = RECORDED_FIELDS.split(',').filter((field) => field !== 'cpu' || file.tells('cpu'));
    if (file.tells('period')) told.push('period');
    return {
      machine: readMachine(file),
      needsPerf: file.needsPerf,
      fields: file.tells('time') ? told.join(',') : undefined,
      periods: new Map(
        file.events.map(({ name, type, fixedPeriod }) => [name, type === PERF_TYPE_TRACEPOINT ? 0 : fixedPeriod]),
      ),
      kernel,
      first: BigInt(Math.floor(times?.first ?? 0)),
      last: BigInt(Math.floor(times?.last ?? 0)),
    };
  } finally {
    file.close();
  }
}

/** Reads the file here: a fraction of what perf script costs. */
async function readDirectly(
  path: string,
  { first, periods }: Recording,
  samples: SampleImport,
  sink: ImportSink,
): Promise<void> {
  for await (const records of perfSamples(path, first, sink)) {
    for (const record of records) {
      if (record.kind === 'lost') sink.lost(record.count);
      if (record.kind === 'sample') samples.add(weighed(record.sample, periods), record.since);
    }
    await samples.flush();
  }
}

/** Through perf, which unwinds copies of stacks, unpacks, and finds files by their build ids. */
async function readThroughPerf(
  path: string,
  name: string,
  { fields, first, machine, periods }: Recording,
  foreign: string | undefined,
  samples: SampleImport,
  sink: ImportSink,
): Promise<void> {
  const perf = await findPerf();
  const names = new TrustedNames(foreign === undefined ? undefined : machine);
  const take = (record: PerfRecord): void => {
    if (record.kind === 'lost') sink.lost(record.count);
    if (record.kind !== 'sample') return;
    const { time } = record;
    const since =
      time === undefined ? undefined : Number(BigInt(time.seconds) * 1_000_000_000n + BigInt(time.nanoseconds) - first);
    samples.add(names.of(weighed(record, periods)), since);
  };
  const form = fields === undefined ? 'any' : 'recorded';
  const parser = new PerfScriptParser(take, (line) => sink.skipped(line), form);
  let end: ScriptEnd | undefined;
  for await (const bytes of scriptText(perf, path, (ended) => (end = ended), fields ?? '+pid')) {
    parser.push(bytes);
    await samples.flush();
  }
  parser.end();
  if (end?.problem !== undefined) {
    if (samples.samples === 0) throw unreadable(name, end, end.problem);
    sink.warn(`the file could not be read to its end: ${end.problem}`);
  }
  if (foreign !== undefined) names.report(foreign, name, sink);
}

/** What perf prints as the period of an event's samples: 0 for none, undefined for that of the sample. */
type Periods = ReadonlyMap<string, number | undefined>;

/** With the period that perf prints: none for tracepoints, and the fixed one where samples have none of their own. */
function weighed(sample: PerfSample, periods: Periods): PerfSample {
  const fixed = periods.get(sample.event ?? '');
  if (fixed === undefined || (fixed > 0 && sample.period !== undefined)) return sample;
  // Written out: there are very many.
  const { kind, comm, pid, tid, cpu, time, event, frames, stack } = sample;
  return { kind, comm, pid, tid, cpu, time, period: fixed, event, frames, stack };
}

/** Files in a message. */
const LISTED = 5;

/** Takes names away that may be of another machine's files, and counts what has none. */
class TrustedNames {
  readonly #missing = new Map<string, number>();
  readonly #trusted = new Map<string, boolean>();

  /** `machine`: that of a file that is not of this one. */
  constructor(private readonly machine: PerfMachine | undefined) {}

  of(sample: PerfSample): PerfSample {
    return this.machine === undefined
      ? sample
      : { ...sample, frames: sample.frames.map((frame) => this.#frame(frame)) };
  }

  report(why: string, name: string, sink: ImportSink): void {
    if (this.#missing.size === 0) return;
    const files = [...this.#missing].sort(([, a], [, b]) => b - a).map(([module]) => module);
    const more = files.length > LISTED ? ` and ${files.length - LISTED} more` : '';
    const frames = [...this.#missing.values()].reduce((sum, count) => sum + count, 0);
    sink.warn(
      `names of functions are missing (in ${frames} frames), those of ${files.slice(0, LISTED).join(', ')}${more}: ${why} ` +
        `(print it there: perf script -i ${name} | marple import -)`,
    );
  }

  #frame(frame: PerfFrame): PerfFrame {
    const { module, symbol } = frame;
    if (module === '[unknown]' || module === 'inlined') return frame;
    const isTrusted = this.#isTrusted(module);
    if (isTrusted && symbol !== '[unknown]') return frame;
    this.#missing.set(module, (this.#missing.get(module) ?? 0) + 1);
    return isTrusted ? frame : { ...frame, symbol: '[unknown]' };
  }

  /**
   * Where the recording has a file's build id, perf takes no file with another one. The kernel's addresses change from boot
   * to boot: only those of another kernel than this one can have come from what perf keeps of it.
   */
  #isTrusted(module: string): boolean {
    let trusted = this.#trusted.get(module);
    if (trusted === undefined) {
      const buildId = this.machine?.buildIds.get(module.startsWith(KERNEL) ? KERNEL : module);
      trusted =
        buildId !== undefined && !(module.startsWith('[') && module !== '[vdso]' && buildId === ownKernelBuildId());
      this.#trusted.set(module, trusted);
    }
    return trusted;
  }
}

const CLOCK_NAMES = new Map([
  [0, 'CLOCK_REALTIME'],
  [1, 'CLOCK_MONOTONIC'],
  [4, 'CLOCK_MONOTONIC_RAW'],
  [7, 'CLOCK_BOOTTIME'],
]);

/** Where, when and by what it was recorded, as far as the file tells; else when the file was last changed. */
function headerOf(
  { hostname, release, cpus, perfVersion, command, clock }: PerfMachine,
  first: bigint,
  samples: SampleImport,
  original: string | undefined,
): Partial<SectionHeader> {
  const header: Partial<SectionHeader> = {
    ...(hostname === undefined ? {} : { host: hostname }),
    ...(release === undefined ? {} : { kernel: release }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(perfVersion === undefined ? {} : { tool: { name: 'perf', version: perfVersion, command: [...command] } }),
  };
  const { origin, duration } = samples.times ?? { origin: 0, duration: 0 };
  const iso = (milliseconds: number): string => new Date(milliseconds).toISOString();
  const name = CLOCK_NAMES.get(clock?.id ?? -1);
  if (clock !== undefined && name !== undefined) {
    const begin = first + BigInt(origin);
    const start = Number((clock.wall + begin - clock.time) / 1_000_000n);
    return {
      ...header,
      start: iso(start),
      end: iso(start + duration / 1e6),
      clock: { name, origin: String(begin), realtime: iso(start) },
    };
  }
  if (original === undefined) return header;
  const end = statSync(original).mtimeMs;
  return { ...header, start: iso(end - duration / 1e6), end: iso(end) };
}
