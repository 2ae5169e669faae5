import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { MarpleError } from '../common/errors.ts';
import type { Report } from '../common/section.ts';
import { type BlockEvent, type BlockRecord, type RecordReader, recordReader } from './block-records.ts';
import { parseFormat } from './event-format.ts';
import { preparePerfData } from './perf-data.ts';
import { checkBoot } from './perf-recording.ts';
import { perfSamples, type TimedRecord } from './perf-samples.ts';
import type { PerfSample } from './perf-script.ts';
import type { RunInfo } from './recording.ts';

/*
 * Who called for each I/O: perf records insertions and issues once more, with their callers, beside the tool that records
 * everything else (TRAPS 1: perf misses completions, but neither of those).
 */

/** What the recording of the callers tells; a file of its own in the recording's folder. */
const stacksSchema = z.preprocess(
  withFormats,
  z.object({
    command: z.array(z.string()),
    version: z.string(),
    warnings: z.array(z.string()),
    writer: z.object({ pid: z.number(), startTime: z.number() }).optional(),
    /** Texts of the events' format files. */
    formats: z.array(z.string()),
    /** Where it was ended since so many I/Os a second would have cost too much: when, nanoseconds since the origin. */
    ended: z.object({ time: z.number(), rate: z.number(), limit: z.number() }).optional(),
  }),
);
export type StacksDetails = z.infer<typeof stacksSchema>;

/** Older recordings are of one event, and have its format alone. */
function withFormats(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('format' in value)) return value;
  return { ...value, formats: [value.format] };
}

export function stacksFile(dir: string): string {
  return join(dir, 'stacks.json');
}

export function stacksDataFile(dir: string): string {
  return join(dir, 'stacks.data');
}

/**
 * Both records of one event are made in the same moment, one behind the other: they are no further apart than this,
 * nanoseconds, even where the machine that this one runs on takes its time.
 */
const APART_NS = 20e6;

/**
 * Tools whose record of an event is made before that of the perf that was started first. ftrace is called after it, as it was
 * registered after it (func_add() in kernel/tracepoint.c); eBPF programs run before perf records anything
 * (perf_trace_run_bpf_submit() in kernel/events/core.c), and of two perfs the later one comes first (perf_trace_add() in
 * kernel/trace/trace_event_perf.c).
 */
const EARLIER_THAN_STACKS: ReadonlySet<string> = new Set(['bpftrace', 'perf']);

/** The callers of each I/O of a tool's recording, where they were recorded; says why not where they should have been. */
export async function openIssuerStacks(
  dir: string,
  tool: string,
  run: RunInfo,
  report: Report,
): Promise<IssuerStacks | undefined> {
  let text: string;
  try {
    text = readFileSync(stacksFile(dir), 'utf8');
  } catch {
    return undefined;
  }
  try {
    const details = stacksSchema.parse(JSON.parse(text));
    checkBoot(run);
    const state = await preparePerfData(stacksDataFile(dir), details.writer);
    if (state === 'missing' || state === 'empty') {
      report.warn('stacks are missing: perf was ended before it had recorded any');
      return undefined;
    }
    if (state === 'repaired') report.warn('perf was killed: the last stacks may be missing');
    return new IssuerStacks(dir, details, run, report, EARLIER_THAN_STACKS.has(tool));
  } catch (error) {
    const why = error instanceof MarpleError ? error.message : 'their description is damaged';
    report.warn(`stacks are missing: ${why}`);
    return undefined;
  }
}

interface Candidate {
  readonly time: number;
  readonly key: string;
  readonly sample: PerfSample;
  used: boolean;
}

/** Joins the insertions and issues of a trace with perf's records of them, by thread, device, place, size and time. */
export class IssuerStacks {
  /** perf's records that may yet be needed, by what they are of and in the order of their times. */
  readonly #waiting = new Map<string, Candidate[]>();
  #candidates: Candidate[] = [];
  #until = Number.NEGATIVE_INFINITY;
  #lost = 0;
  /** By the id of the event. */
  readonly #formats = new Map<number, { readonly size: number; readonly read: RecordReader }>();

  /**
   * `isEarlier`: the trace's record of an event is made before perf's, not after it.
   * @throws Error where the description of an event lacks a field.
   */
  constructor(
    private readonly dir: string,
    private readonly details: StacksDetails,
    private readonly run: RunInfo,
    private readonly report: Report,
    private readonly isEarlier: boolean,
  ) {
    for (const text of details.formats) {
      const format = parseFormat(text);
      const read = recordReader(`block:${format.name}`, format);
      if (read !== undefined) this.#formats.set(format.id, { size: format.size, read });
    }
    for (const warning of details.warnings) report.warn(warning);
    report.option('stacks_tool', `perf ${details.version}: ${details.command.join(' ')}`);
  }

  /** The same records; insertions and issues have the sample that perf took of them, where it did. */
  async *join(records: AsyncIterable<readonly BlockRecord[]>): AsyncGenerator<readonly BlockRecord[]> {
    const samples = perfSamples(stacksDataFile(this.dir), BigInt(this.run.origin), this.report, {
      modules: this.run.modules,
    });
    try {
      for await (const batch of records) {
        const last = batch.at(-1)?.time ?? Number.NEGATIVE_INFINITY;
        while (this.#until < last + APART_NS) await this.#pull(samples);
        yield batch.map((record) => (record.kind === 'block' && isByMaker(record) ? this.#find(record) : record));
        this.#forget(last - APART_NS);
      }
    } finally {
      await samples.return(undefined);
    }
  }

  /** Says how many of the I/Os have no stack, and why. */
  reportCounts(withStack: number, all: number): void {
    const { report, details } = this;
    if (this.#lost > 0) report.warn(`${this.#lost} stacks were lost: perf could not write as fast as they came`);
    if (details.ended !== undefined) {
      const { time, rate, limit } = details.ended;
      report.warn(
        `stacks end ${(time / 1e9).toFixed(1)} s after the start: ${Math.round(rate)} I/Os a second are more than stack_limit (${limit}) in [disklat] of the config allows`,
      );
    }
    if (withStack < all) report.warn(`${withStack} of ${all} I/Os have a stack`);
  }

  /** Takes some more of perf's records. Where they cannot be read there are no more: the I/Os do not depend on them. */
  async #pull(samples: AsyncGenerator<TimedRecord[]>): Promise<void> {
    try {
      const { value, done } = await samples.next();
      if (done === true) this.#until = Number.POSITIVE_INFINITY;
      else for (const record of value) this.#take(record);
    } catch (error) {
      if (!(error instanceof MarpleError)) throw error;
      this.report.warn(`stacks are missing: ${error.message}`);
      this.#until = Number.POSITIVE_INFINITY;
    }
  }

  #take(record: TimedRecord): void {
    if (record.kind === 'lost') this.#lost += record.count;
    if (record.kind !== 'sample') return;
    const { raw, since, sample, config } = record;
    const format = this.#formats.get(config);
    if (format === undefined || raw === undefined || raw.length < format.size || since === undefined) return;
    const event = format.read({ ...raw, time: since });
    if (event.kind !== 'block') return;
    this.#until = event.time;
    const key = keyOf(event);
    const candidate = { time: event.time, key, sample, used: false };
    const others = this.#waiting.get(key);
    if (others === undefined) this.#waiting.set(key, [candidate]);
    else others.push(candidate);
    this.#candidates.push(candidate);
  }

  /**
   * The event with what perf recorded of it. Where a thread does the same again and again, the order tells which record that is:
   * the next one may be nearer in time, where the machine paused between the two of this one.
   */
  #find(event: BlockEvent): BlockEvent {
    const { isEarlier } = this;
    const fits = ({ time, used }: Candidate): boolean => {
      const later = isEarlier ? time - event.time : event.time - time;
      return !used && later >= 0 && later <= APART_NS;
    };
    const candidates = this.#waiting.get(keyOf(event));
    const found = isEarlier ? candidates?.find(fits) : candidates?.findLast(fits);
    if (found === undefined) return event;
    found.used = true;
    return { ...event, sample: found.sample };
  }

  #forget(before: number): void {
    const end = this.#candidates.findIndex(({ time }) => time >= before);
    for (const { key } of this.#candidates.slice(0, end < 0 ? undefined : end)) {
      const others = this.#waiting.get(key);
      if (others === undefined) continue;
      others.shift();
      if (others.length === 0) this.#waiting.delete(key);
    }
    this.#candidates = end < 0 ? [] : this.#candidates.slice(end);
  }
}

/** Whether the thread that runs is, or may be, who made the request. */
function isByMaker({ type }: BlockEvent): boolean {
  return type === 'insert' || type === 'issue';
}

function keyOf({ type, tid, dev, sector, sectors, op }: BlockEvent): string {
  return `${type} ${tid} ${dev} ${sector} ${sectors} ${op}`;
}
