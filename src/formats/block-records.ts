import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import type { Report } from '../common/section.ts';
import { countsBetween, isTooFew } from './diskstats.ts';
import { type EventFormat, numberField, type RawRecord, textField } from './event-format.ts';
import type { PerfSample } from './perf-script.ts';

/*
 * What happens to block requests, and to the tasks that make them, whatever tool recorded it: ftrace and perf give the
 * kernel's own records, bpftrace prints them. Sources: include/trace/events/block.h and task.h, as each kernel describes
 * them in its format files.
 */

export const BLOCK_EVENT_TYPES = ['insert', 'issue', 'requeue', 'complete'] as const;
export type BlockEventType = (typeof BLOCK_EVENT_TYPES)[number];

/** The trace event of each type. */
export function traceEventOf(type: BlockEventType): string {
  return `block:block_rq_${type}`;
}

export const TASK_EVENTS = ['task:task_newtask', 'task:task_rename'] as const;

/** A request came into a queue, went to its device or back, or a part of it completed. A sector has 512 bytes. */
export interface BlockEvent {
  readonly kind: 'block';
  readonly type: BlockEventType;
  /** Nanoseconds since the origin. */
  readonly time: number;
  /** The thread that ran: the issuer, but for requeues and completions whoever was on that CPU. */
  readonly tid: number;
  /** Its process, where the tool tells; else it is known from the tasks. */
  readonly pid?: number;
  /** Name of the thread; empty for requeues and completions. */
  readonly comm: string;
  /** The kernel's device number. */
  readonly dev: number;
  readonly sector: number;
  readonly sectors: number;
  readonly bytes: number;
  /** rwbs text of the tracepoint: see blk_fill_rwbs() in kernel/trace/blktrace.c. */
  readonly op: string;
  /** Of a completion: 0, or a negative errno. */
  readonly error: number;
  /** What was running, with its callers, where that was recorded too. */
  readonly sample?: PerfSample;
}

/** A new task. A thread shares its creator's pid. */
export interface NewTask {
  readonly kind: 'fork';
  readonly time: number;
  readonly tid: number;
  readonly creator: number;
  readonly isThread: boolean;
  readonly comm: string;
}

export interface NewName {
  readonly kind: 'rename';
  readonly time: number;
  readonly tid: number;
  readonly comm: string;
}

/** Records between a `begin` and its `end` are missing; there can be several such gaps at a time, one per CPU. */
export interface Gap {
  readonly kind: 'gap';
  readonly edge: 'begin' | 'end';
  readonly time: number;
}

export type BlockRecord = BlockEvent | NewTask | NewName | Gap;

/** A recording of block events, with what its tool says of it at the end. */
export interface BlockSource {
  /** In the order of their times. */
  records(): AsyncGenerator<readonly BlockRecord[]>;
  /** Whether it tells of new tasks and names. */
  readonly hasTasks: boolean;
  /** Says what was lost or could not be read; gives the number of events that are known to be lost. */
  reportLoss(report: Report): number;
}

/** An event as ftrace and perf record it. */
type TracedEvent = RawRecord & { readonly time: number };
export type RecordReader = (event: TracedEvent) => BlockRecord;

/** What reads the events of a format, by its name. @throws Error where the format lacks a field. */
export function recordReader(name: string, format: EventFormat): RecordReader | undefined {
  switch (name) {
    case 'task:task_newtask':
      return forkReader(format);
    case 'task:task_rename':
      return renameReader(format);
  }
  const type = BLOCK_EVENT_TYPES.find((candidate) => traceEventOf(candidate) === name);
  return type === undefined ? undefined : blockReader(type, format);
}

/** What reads the trace event of a type. @throws Error where the format lacks a field. */
function blockReader(type: BlockEventType, format: EventFormat): RecordReader {
  const tid = numberField(format, 'common_pid');
  const dev = numberField(format, 'dev');
  const sector = numberField(format, 'sector');
  const sectors = numberField(format, 'nr_sector');
  const bytes = format.fields.has('bytes') ? numberField(format, 'bytes') : (e: RawRecord) => sectors(e) * 512;
  const op = textField(format, 'rwbs');
  const isByIssuer = type === 'insert' || type === 'issue';
  const comm = isByIssuer ? textField(format, 'comm') : () => '';
  // Named `errors` before Linux 5.16.
  const errorName = ['error', 'errors'].find((name) => type === 'complete' && format.fields.has(name));
  const error = errorName === undefined ? () => 0 : numberField(format, errorName);
  return (e) => ({
    kind: 'block',
    type,
    time: e.time,
    tid: tid(e),
    comm: comm(e),
    dev: dev(e),
    sector: sector(e),
    sectors: sectors(e),
    bytes: bytes(e),
    op: op(e),
    error: error(e),
  });
}

const CLONE_THREAD = 0x10000;

function forkReader(format: EventFormat): RecordReader {
  const creator = numberField(format, 'common_pid');
  const child = numberField(format, 'pid');
  const flags = numberField(format, 'clone_flags');
  const comm = textField(format, 'comm');
  return (e) => ({
    kind: 'fork',
    time: e.time,
    tid: child(e),
    creator: creator(e),
    isThread: makesThread(flags(e)),
    comm: comm(e),
  });
}

/** Whether flags of clone(2) make a thread. They may have 64 bits; CLONE_THREAD is in the lower half. */
export function makesThread(flags: number): boolean {
  return ((flags % 2 ** 32) & CLONE_THREAD) !== 0;
}

function renameReader(format: EventFormat): RecordReader {
  const tid = numberField(format, 'pid');
  const comm = textField(format, 'newcomm');
  return (e) => ({ kind: 'rename', time: e.time, tid: tid(e), comm: comm(e) });
}

/** What each recording of block events tells: the block devices, and the kernel's own counters. */
export const blockDetailsSchema = z.object({
  /** Names by `MAJ:MIN`. */
  devices: z.record(z.string(), z.string()),
  /** Those that have a request queue: I/Os of others (dm, md, zram) never become requests of their own. */
  requestBased: z.array(z.string()),
  /** Text of /proc/diskstats at the start; that of the end is in a file, see diskstatsFile. */
  diskstats: z.string(),
});
export type BlockDetails = z.infer<typeof blockDetailsSchema>;

/** Where the text of /proc/diskstats at the end of the recording is. */
export function diskstatsFile(dir: string): string {
  return join(dir, 'diskstats');
}

const MINOR_BITS = 20;

/** Name of a device by its number (the kernel's dev_t, include/linux/kdev_t.h); MAJ:MIN where it has none. */
export function deviceName(dev: number, devices: Readonly<Record<string, string>>): string {
  const number = `${Math.floor(dev / 2 ** MINOR_BITS)}:${dev % 2 ** MINOR_BITS}`;
  return devices[number] ?? number;
}

/** The kernel's number of the device `MAJ:MIN`. */
export function deviceNumber(name: string): number {
  const [major, minor] = name.split(':');
  return Number(major) * 2 ** MINOR_BITS + Number(minor);
}

/**
 * Compares the completed requests of each device with what the block layer counted in the meantime. Too few are not to be
 * believed, unless events are known to be lost, which explains it.
 */
export function reportDiskstats(
  dir: string,
  completions: ReadonlyMap<number, number>,
  details: BlockDetails,
  lost: number,
  report: Report,
): void {
  let after: string;
  try {
    after = readFileSync(diskstatsFile(dir), 'utf8');
  } catch {
    return;
  }
  for (const number of details.requestBased) {
    const { requests } = countsBetween(details.diskstats, after, number);
    const seen = completions.get(deviceNumber(number)) ?? 0;
    if (!isTooFew(seen, requests)) continue;
    const sentence = `${details.devices[number] ?? number}: the trace has ${seen} completed I/Os, but /proc/diskstats counted ${requests}`;
    if (lost > 0) report.warn(sentence);
    else report.distrust(sentence);
  }
}
