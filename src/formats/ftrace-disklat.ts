import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { z } from 'zod';
import type { Datapoint } from '../common/datatypes.ts';
import { DamagedFileError, errorMessage } from '../common/errors.ts';
import { ScopeFilter, TaskTable } from '../common/scope.ts';
import type { Batch, Report } from '../common/section.ts';
import { countsBetween, isTooFew } from './diskstats.ts';
import {
  type CpuStats,
  type CpuStream,
  type EventFormat,
  FtraceReader,
  ftraceDetailsSchema,
  GAP_END,
  GAP_START,
  numberField,
  readStats,
  textField,
} from './ftrace.ts';
import { type BlockIo, IoPairs } from './io-pairs.ts';
import type { Recording, RunInfo } from './recording.ts';

/** The events that a disklat recording holds. */
export const DISKLAT_EVENTS = [
  'block:block_rq_issue',
  'block:block_rq_complete',
  'block:block_rq_requeue',
  'task:task_newtask',
  'task:task_rename',
] as const;

/** What a disklat recording tells beside the trace: names of block devices by `MAJ:MIN`, and the kernel's own counters. */
const detailsSchema = z.object({
  ftrace: ftraceDetailsSchema,
  devices: z.record(z.string(), z.string()),
  /** Those that have a request queue: I/Os of others (dm, md, zram) never become requests of their own. */
  requestBased: z.array(z.string()),
  /** Text of /proc/diskstats at the start; that of the end is in a file, see diskstatsFile. */
  diskstats: z.string(),
});
export type DisklatDetails = z.infer<typeof detailsSchema>;

/** Where the text of /proc/diskstats at the end of the recording is. */
export function diskstatsFile(dir: string): string {
  return join(dir, 'diskstats');
}

const BATCH = 4096;
/** Events between two rests of a decoder that has nothing to give. */
const SLICE = 50_000;
const CLONE_THREAD = 0x10000;
const MINOR_BITS = 20;

/**
 * Decodes a disklat recording: one datapoint per completed I/O in scope, in the order of issue. x is its issue in
 * seconds since the origin, y the time to its completion in ms, both with the kernel's nanoseconds; fields `comm`, `pid`, `tid`
 * (who issued it), `op` (rwbs as the kernel prints it), `dev`, `sector` (of 512 bytes), `bytes`, `stack` (empty).
 * What is left out is counted in the report, by kind.
 */
export async function* decode(dir: string, recording: Recording, run: RunInfo, report: Report): AsyncIterable<Batch> {
  const parsed = detailsSchema.safeParse(recording.details);
  if (!parsed.success) throw new DamagedFileError(join(dir, 'recording.json'), 'not a description of a disk trace');
  const details = parsed.data;
  const reader = new FtraceReader(dir, details.ftrace, BigInt(run.origin));
  try {
    const tasks = new TaskTable(run.tasks);
    const pairs = new IoPairs();
    const filter = new ScopeFilter(run.scope, tasks);
    const handlers = eventHandlers(dir, reader, pairs, tasks, filter, report);
    const toDatapoint = (io: BlockIo): Datapoint => ({
      x: io.issued / 1e9,
      y: (io.completed - io.issued) / 1e6,
      info: [
        io.comm,
        `${io.pid}`,
        `${io.tid}`,
        io.op,
        deviceName(io.dev, details.devices),
        `${io.sector}`,
        `${io.bytes}`,
        '',
      ],
    });
    let rest = SLICE;
    for (let event = reader.next(); event !== undefined; event = reader.next()) {
      handlers[event.id + GAPS]?.(event);
      if (pairs.ready >= BATCH) {
        yield* batches(pairs, toDatapoint);
      } else if (--rest === 0) {
        rest = SLICE;
        await yieldToOthers();
      }
    }
    pairs.finish();
    yield* batches(pairs, toDatapoint);
    reportPairs(pairs, report);
    reportLoss(dir, reader, pairs, details, report);
  } finally {
    reader.close();
  }
}

/** All that can be given out, in batches. */
function* batches(pairs: IoPairs, toDatapoint: (io: BlockIo) => Datapoint): Generator<Batch> {
  for (let ios = pairs.take(BATCH); ios.length > 0; ios = pairs.take(BATCH)) {
    yield { section: 0, records: ios.map(toDatapoint) };
  }
}

/** Handlers are in an array by id; the two ids of gaps are negative. */
const GAPS = -GAP_END;

type Handler = (event: CpuStream) => void;

/** One function per kind of event, by id + GAPS. */
function eventHandlers(
  dir: string,
  reader: FtraceReader,
  pairs: IoPairs,
  tasks: TaskTable,
  filter: ScopeFilter,
  report: Report,
): (Handler | undefined)[] {
  const handlers: (Handler | undefined)[] = [];
  handlers[GAP_START + GAPS] = () => pairs.gapStart();
  handlers[GAP_END + GAPS] = (e) => pairs.gapEnd(e.time);
  const on = (name: string, handler: (format: EventFormat) => Handler): boolean => {
    const format = reader.format(name);
    if (format === undefined) return false;
    try {
      handlers[format.id + GAPS] = handler(format);
    } catch (error) {
      throw new DamagedFileError(dir, errorMessage(error), undefined, { cause: error });
    }
    return true;
  };
  on('block:block_rq_issue', (format) => issueHandler(format, pairs, tasks, filter));
  on('block:block_rq_complete', (format) => completeHandler(format, pairs));
  on('block:block_rq_requeue', (format) => requeueHandler(format, pairs));
  const forks = on('task:task_newtask', (format) => forkHandler(format, tasks));
  const names = on('task:task_rename', (format) => renameHandler(format, tasks));
  if (!forks || !names) {
    report.warn('the recording has no task events: the pid of a thread that began during it may be its thread id');
  }
  return handlers;
}

function issueHandler(format: EventFormat, pairs: IoPairs, tasks: TaskTable, filter: ScopeFilter): Handler {
  const tid = numberField(format, 'common_pid');
  const dev = numberField(format, 'dev');
  const sector = numberField(format, 'sector');
  const sectors = numberField(format, 'nr_sector');
  const bytes = format.fields.has('bytes') ? numberField(format, 'bytes') : (e: CpuStream) => sectors(e) * 512;
  const op = textField(format, 'rwbs');
  const comm = textField(format, 'comm');
  return (e) => {
    const issuer = tid(e);
    const name = comm(e);
    pairs.issue({
      issued: e.time,
      dev: dev(e),
      sector: sector(e),
      sectors: sectors(e),
      bytes: bytes(e),
      op: op(e),
      comm: name,
      tid: issuer,
      pid: tasks.pidOf(issuer),
      kept: filter.keeps(issuer, name),
    });
  };
}

function completeHandler(format: EventFormat, pairs: IoPairs): Handler {
  const dev = numberField(format, 'dev');
  const sector = numberField(format, 'sector');
  const sectors = numberField(format, 'nr_sector');
  const op = textField(format, 'rwbs');
  // Named `errors` before Linux 5.16.
  const errorName = ['error', 'errors'].find((name) => format.fields.has(name));
  const error = errorName === undefined ? () => 0 : numberField(format, errorName);
  return (e) => pairs.complete(e.time, dev(e), sector(e), sectors(e), op(e), error(e) !== 0);
}

function requeueHandler(format: EventFormat, pairs: IoPairs): Handler {
  const dev = numberField(format, 'dev');
  const sector = numberField(format, 'sector');
  const op = textField(format, 'rwbs');
  return (e) => pairs.requeue(dev(e), sector(e), op(e));
}

function forkHandler(format: EventFormat, tasks: TaskTable): Handler {
  const creator = numberField(format, 'common_pid');
  const child = numberField(format, 'pid');
  const flags = numberField(format, 'clone_flags');
  const comm = textField(format, 'comm');
  // clone_flags may have 64 bits; CLONE_THREAD is in the lower half.
  return (e) => tasks.fork(child(e), creator(e), ((flags(e) % 2 ** 32) & CLONE_THREAD) !== 0, comm(e));
}

function renameHandler(format: EventFormat, tasks: TaskTable): Handler {
  const tid = numberField(format, 'pid');
  const comm = textField(format, 'newcomm');
  return (e) => tasks.rename(tid(e), comm(e));
}

/** Says what the pairing left out, by kind. */
function reportPairs(pairs: IoPairs, report: Report): void {
  const { counts } = pairs;
  const kinds: [number, string][] = [
    [counts.before, 'under way when the recording began'],
    [counts.after, 'under way when it ended'],
    [counts.passthrough, 'commands to a device, which have no sector'],
  ];
  const usual = kinds.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  if (usual.length > 0) {
    report.note(
      `as usual, I/Os of which only one end can be seen are not in the data (of the whole machine: ${usual.join(', ')})`,
    );
  }
  if (counts.inGap > 0) {
    report.warn(
      `I/Os of which ${counts.inGap} ends were seen are not in the data because they were under way while trace events were lost`,
    );
  }
  if (counts.unissued + counts.uncompleted + counts.negative > 0) {
    report.warn(
      `the trace has holes that nothing explains: ${counts.unissued} I/Os completed without having been issued, ` +
        `${counts.uncompleted} were issued and never completed, ${counts.negative} ended before they began; they are not in the data`,
    );
  }
  if (counts.requeued > 0) {
    report.note(
      `as usual under load, I/Os went back to their queue (${counts.requeued} times); their latency counts from when they were issued again`,
    );
  }
  if (counts.overlapping > 0) {
    report.warn(
      `${counts.overlapping} I/Os ran at the same time as another one of the same kind and place; the kernel does not tell which of them ended first, so they are paired in the order of issue`,
    );
  }
  if (counts.failed > 0) report.warn(`${counts.failed} I/Os of the machine ended with an error; they are in the data`);
}

/** Compares what was decoded with the ring buffer's counters and with those of the block layer. */
function reportLoss(dir: string, reader: FtraceReader, pairs: IoPairs, details: DisklatDetails, report: Report): void {
  if (reader.damaged > 0) {
    const pages = reader.damaged === 1 ? '1 page of the trace was' : `${reader.damaged} pages of the trace were`;
    report.warn(`${pages} cut or could not be read to ${reader.damaged === 1 ? 'its' : 'their'} end`);
  }
  const stats = readStats(dir);
  if (stats === undefined) {
    report.lost(reader.missed);
    const lost =
      reader.missed > 0 ? `at least ${reader.missed} trace events were lost` : 'no trace event is known to be lost';
    report.warn(`the recording was cut off: ${lost}`);
    return;
  }
  const { cpus } = stats;
  const sum = (pick: (cpu: CpuStats) => number): number => cpus.reduce((total, cpu) => total + pick(cpu), 0);
  const lost = sum((cpu) => cpu.overrun + cpu.commitOverrun + cpu.dropped);
  if (lost > 0) {
    report.lost(lost);
    report.warn(
      `${lost} trace events were lost: the buffers of ${details.ftrace.bufferKb} KiB per CPU (buffer_kb) were too small`,
    );
  }
  const read = sum((cpu) => cpu.read);
  if (read !== reader.events) {
    report.warn(`the kernel counted ${read} trace events that were read, but ${reader.events} could be decoded`);
  }
  reportDiskstats(dir, pairs, details, lost, report);
}

function reportDiskstats(dir: string, pairs: IoPairs, details: DisklatDetails, lost: number, report: Report): void {
  let after: string;
  try {
    after = readFileSync(diskstatsFile(dir), 'utf8');
  } catch {
    return;
  }
  for (const number of details.requestBased) {
    const { requests } = countsBetween(details.diskstats, after, number);
    const seen = pairs.completions.get(deviceNumber(number)) ?? 0;
    if (!isTooFew(seen, requests)) continue;
    const sentence = `${details.devices[number] ?? number}: the trace has ${seen} completed I/Os, but /proc/diskstats counted ${requests}`;
    if (lost > 0) report.warn(sentence);
    else report.distrust(sentence);
  }
}

function deviceNumber(name: string): number {
  const [major, minor] = name.split(':');
  return Number(major) * 2 ** MINOR_BITS + Number(minor);
}

/** Name of a device by its number (the kernel's dev_t, include/linux/kdev_t.h); MAJ:MIN where it has none. */
function deviceName(dev: number, devices: Readonly<Record<string, string>>): string {
  const number = `${Math.floor(dev / 2 ** MINOR_BITS)}:${dev % 2 ** MINOR_BITS}`;
  return devices[number] ?? number;
}
