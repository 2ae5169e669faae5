import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { MarpleError } from '../common/errors.ts';
import type { Report } from '../common/section.ts';
import { type BlockEvent, type BlockRecord, blockReader, type RecordReader } from './block-records.ts';
import { type EventFormat, parseFormat } from './event-format.ts';
import { preparePerfData } from './perf-data.ts';
import { checkBoot } from './perf-recording.ts';
import { perfSamples, type TimedRecord } from './perf-samples.ts';
import type { PerfSample } from './perf-script.ts';
import type { RunInfo } from './recording.ts';

/*
 * Who called for each I/O: perf records the issues once more, with their callers, beside the tool that records everything
 * else (TRAPS 1: perf misses completions, but no issues).
 */

/** What the recording of the callers tells; a file of its own in the recording's folder. */
const stacksSchema = z.object({
  command: z.array(z.string()),
  version: z.string(),
  warnings: z.array(z.string()),
  writer: z.object({ pid: z.number(), startTime: z.number() }).optional(),
  /** Text of the format file of the issues. */
  format: z.string(),
  /** Where it was ended since so many I/Os a second would have cost too much: when, nanoseconds since the origin. */
  ended: z.object({ time: z.number(), rate: z.number(), limit: z.number() }).optional(),
});
export type StacksDetails = z.infer<typeof stacksSchema>;

export function stacksFile(dir: string): string {
  return join(dir, 'stacks.json');
}

export function stacksDataFile(dir: string): string {
  return join(dir, 'stacks.data');
}

/**
 * Both records of one issue are made in the same moment, one behind the other: they are no further apart than this,
 * nanoseconds, even where the machine that this one runs on takes its time.
 */
const APART_NS = 2e6;

/** The callers of each issue, where they were recorded; says why not where they should have been. */
export async function openIssuerStacks(dir: string, run: RunInfo, report: Report): Promise<IssuerStacks | undefined> {
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
    return new IssuerStacks(dir, details, run, report);
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

/** Joins the issues of a trace with perf's records of them, by thread, device, place, size and time. */
export class IssuerStacks {
  /** perf's records that may yet be needed, by what they are of and in the order of their times. */
  readonly #waiting = new Map<string, Candidate[]>();
  #candidates: Candidate[] = [];
  #until = Number.NEGATIVE_INFINITY;
  #lost = 0;
  readonly #format: EventFormat;
  readonly #reader: RecordReader;

  /** @throws Error where the description of the event lacks a field. */
  constructor(
    private readonly dir: string,
    private readonly details: StacksDetails,
    private readonly run: RunInfo,
    private readonly report: Report,
  ) {
    this.#format = parseFormat(details.format);
    this.#reader = blockReader('issue', this.#format);
    for (const warning of details.warnings) report.warn(warning);
    report.option('stacks_tool', `perf ${details.version}: ${details.command.join(' ')}`);
  }

  /** The same records; issues have the sample that perf took of them, where it did. */
  async *join(records: AsyncIterable<readonly BlockRecord[]>): AsyncGenerator<readonly BlockRecord[]> {
    const samples = perfSamples(stacksDataFile(this.dir), BigInt(this.run.origin), this.report, {
      modules: this.run.modules,
    });
    try {
      for await (const batch of records) {
        const last = batch.at(-1)?.time ?? Number.NEGATIVE_INFINITY;
        while (this.#until < last + APART_NS) await this.#pull(samples);
        yield batch.map((record) => (record.kind === 'block' && record.type === 'issue' ? this.#find(record) : record));
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
    const { raw, since, sample } = record;
    if (raw === undefined || raw.length < this.#format.size || since === undefined) return;
    const issue = this.#reader({ ...raw, time: since });
    if (issue.kind !== 'block') return;
    this.#until = issue.time;
    const key = keyOf(issue);
    const candidate = { time: issue.time, key, sample, used: false };
    const others = this.#waiting.get(key);
    if (others === undefined) this.#waiting.set(key, [candidate]);
    else others.push(candidate);
    this.#candidates.push(candidate);
  }

  /** The nearest in time of what perf recorded of the same I/O; each is taken once. */
  #find(issue: BlockEvent): BlockEvent {
    let best: Candidate | undefined;
    let apart = APART_NS;
    for (const candidate of this.#waiting.get(keyOf(issue)) ?? []) {
      const distance = Math.abs(candidate.time - issue.time);
      if (candidate.time > issue.time + APART_NS) break;
      if (candidate.used || distance > apart) continue;
      best = candidate;
      apart = distance;
    }
    if (best === undefined) return issue;
    best.used = true;
    return { ...issue, sample: best.sample };
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

function keyOf({ tid, dev, sector, sectors, op }: BlockEvent): string {
  return `${tid} ${dev} ${sector} ${sectors} ${op}`;
}
