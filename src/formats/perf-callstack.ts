import * as z from 'zod';
import type { NewEvent } from '../common/datatypes.ts';
import { ScopeFilter, TaskTable } from '../common/scope.ts';
import type { Batch, Report } from '../common/section.ts';
import { InOrder } from './in-order.ts';
import {
  isNoDummy,
  isUserOnly,
  recordedEvents,
  type ScriptEnd,
  scriptText,
  unreadable,
  withoutModifiers,
} from './perf-data.ts';
import { PerfFile } from './perf-file.ts';
import { checkBoot, describePerf, openPerfData, perfDetailsSchema, readSetting } from './perf-recording.ts';
import { perfSamples, type TimedRecord } from './perf-samples.ts';
import { type PerfFork, type PerfRecord, type PerfSample, PerfScriptParser, RECORDED_FIELDS } from './perf-script.ts';
import { findPerf } from './perf-tool.ts';
import { damagedRecording, type Recording, type RunInfo } from './recording.ts';
import { SampleStacks } from './sample-stacks.ts';
import { StackQuality } from './stack-quality.ts';
import { stackBatches } from './stack-table.ts';

/** What a callstack recording tells beside perf.data. */
const detailsSchema = perfDetailsSchema.extend({
  /** The event that was asked for; perf takes another where the machine does not have it. */
  event: z.string(),
});
export type CallStackDetails = z.infer<typeof detailsSchema>;

/** Sections of callstack, by index. */
const STACKS = 0;
const EVENTS = 1;
/** Events that are given at once. */
const EVENT_BATCH = 256;

/**
 * Decodes a callstack recording. Section 0: each unique stack once (process name first, then the outermost frame) with the
 * number of its samples. Section 1: one event per sample in scope, sorted by time (ns since the origin), `type` the
 * sampled event, fields `stack` (0-based number of the stack's line), `cpu`, `pid`, `tid`, `weight` (1). What is left
 * out is counted in the report.
 * @throws UnavailableError where the recording is not of this machine since it was booted, or perf is missing;
 *   DamagedFileError where perf cannot read it.
 */
export async function* decode(dir: string, recording: Recording, run: RunInfo, report: Report): AsyncIterable<Batch> {
  const details = parseDetails(dir, recording);
  describePerf(details, report);
  checkBoot(run);
  const path = await openPerfData(dir, details, report);
  if (path === undefined) return;

  const needsPerf = details.options['call_graph'] !== 'fp';
  // The reader of the file puts its records in order, as far as the rounds in which perf wrote them are true.
  const decoder = new CallStackDecoder(run, report, needsPerf ? WINDOW : DIRECT_WINDOW);
  const end = yield* needsPerf
    ? throughPerf(path, details, run, decoder, report)
    : direct(path, details, run, decoder, report);
  decoder.finish();
  yield* decoder.take(1);
  yield* decoder.stacks();
  if (end?.problem !== undefined) {
    if (decoder.samples === 0) throw unreadable(path, end, end.problem);
    report.warn(`the recording could not be read to its end: ${end.problem}`);
  }
  decoder.reportCounts(end?.lostChunks ?? 0);
}

/** Reads the file here: a fraction of what perf script costs. */
async function* direct(
  path: string,
  details: CallStackDetails,
  run: RunInfo,
  decoder: CallStackDecoder,
  report: Report,
): AsyncGenerator<Batch, undefined> {
  const file = new PerfFile(path, 0n);
  file.close();
  reportEvents(file.events.map(({ name }) => name).filter(isNoDummy), details, run, report);
  for await (const records of perfSamples(path, BigInt(run.origin), report, { modules: run.modules })) {
    for (const record of records) decoder.add(record);
    yield* decoder.take(EVENT_BATCH);
  }
}

/** Stacks that were copied or are the CPU's own records: only perf can tell them. */
async function* throughPerf(
  path: string,
  details: CallStackDetails,
  run: RunInfo,
  decoder: CallStackDecoder,
  report: Report,
): AsyncGenerator<Batch, ScriptEnd | undefined> {
  const perf = await findPerf();
  reportEvents(await recordedEvents(perf, path), details, run, report);
  let end: ScriptEnd | undefined;
  for await (const bytes of scriptText(perf, path, (ended) => (end = ended), RECORDED_FIELDS, run.modules?.kept)) {
    decoder.push(bytes);
    yield* decoder.take(EVENT_BATCH);
  }
  return end;
}

function parseDetails(dir: string, recording: Recording): CallStackDetails {
  const parsed = detailsSchema.safeParse(recording.details);
  if (!parsed.success) throw damagedRecording(dir, 'not a description of a callstack recording');
  return parsed.data;
}

function reportEvents(events: readonly string[], details: CallStackDetails, run: RunInfo, report: Report): void {
  const taken = events.map(withoutModifiers).find((event) => event !== details.event);
  if (taken !== undefined) {
    report.substitute({
      for: details.event,
      why: `this machine gives no hardware performance counters, so perf sampled ${taken}, a timer`,
    });
  }
  if (events.some(isUserOnly)) {
    const paranoid = readSetting('perf_event_paranoid', run.modules?.kept) ?? '?';
    report.warn(
      `what ran in the kernel is missing: kernel.perf_event_paranoid is ${paranoid}, which allows it only to root ` +
        '(sudo sysctl kernel.perf_event_paranoid=1)',
    );
  }
}

/** Events are held until so many came after them, should they not be in order: as perf prints them, and as they are read here. */
const WINDOW = 4096;
const DIRECT_WINDOW = 64;

/** From the lines of perf script to the records of both sections. */
export class CallStackDecoder {
  readonly #parser: PerfScriptParser;
  readonly #tasks: TaskTable;
  readonly #filter: ScopeFilter;
  readonly #table = new SampleStacks();
  readonly #origin: { seconds: number; nanoseconds: number };
  readonly #quality: StackQuality;
  /** What is too late for its place gets the nearest time that keeps the section sorted. */
  readonly #order: InOrder<NewEvent>;
  #ready: NewEvent[] = [];
  /** What events are called, by the names of perf. */
  readonly #types = new Map<string, string>();
  #lost = 0;
  #early = 0;
  #timeless = 0;
  /** Samples of all, in scope or not. */
  samples = 0;

  constructor(
    run: RunInfo,
    readonly report: Report,
    window = WINDOW,
  ) {
    this.#order = new InOrder<NewEvent>(
      window,
      ({ time }) => time,
      (event, time) => ({ ...event, time }),
    );
    this.#parser = new PerfScriptParser(
      (record) => this.#record(record),
      (line) => report.skipped(line),
      'recorded',
    );
    this.#quality = new StackQuality(run.modules === undefined);
    this.#tasks = new TaskTable(run.tasks);
    this.#filter = new ScopeFilter(run.scope, this.#tasks);
    const origin = BigInt(run.origin);
    this.#origin = { seconds: Number(origin / 1_000_000_000n), nanoseconds: Number(origin % 1_000_000_000n) };
  }

  /** Takes whole lines of perf script, each with its newline. */
  push(bytes: Buffer): void {
    this.#parser.push(bytes);
  }

  add(record: TimedRecord): void {
    if (record.kind === 'sample') this.#sample(record.sample, record.since);
    else if (record.kind === 'fork' || record.kind === 'lost') this.#record(record);
  }

  finish(): void {
    this.#parser.end();
    this.#give(this.#order.rest());
  }

  /** The events that are ready, where they are so many at least. */
  *take(atLeast: number): Generator<Batch> {
    if (this.#ready.length < atLeast) return;
    yield { section: EVENTS, records: this.#ready };
    this.#ready = [];
  }

  stacks(): Generator<Batch> {
    return stackBatches(STACKS, this.#table.stacks());
  }

  #since({ time }: PerfSample): number | undefined {
    if (time === undefined) return undefined;
    return (time.seconds - this.#origin.seconds) * 1e9 + (time.nanoseconds - this.#origin.nanoseconds);
  }

  #record(record: PerfRecord): void {
    if (record.kind === 'sample') this.#sample(record, this.#since(record));
    else if (record.kind === 'lost') this.#lost += record.count;
    else this.#fork(record);
  }

  #fork({ pid, tid, parentPid, comm }: PerfFork): void {
    const isThread = pid !== tid;
    this.#tasks.fork(tid, isThread ? pid : parentPid, isThread, comm);
  }

  #sample(sample: PerfSample, since: number | undefined): void {
    this.samples++;
    const { tid, cpu } = sample;
    const pid = sample.pid ?? tid;
    if (!this.#filter.keeps(pid, sample.comm)) return;
    if (since === undefined) {
      this.#timeless++;
      return;
    }
    if (since < 0) {
      this.#early++;
      return;
    }
    this.#quality.judge(sample);
    const stack = this.#table.addSample(sample, 1);
    const type = this.#typeOf(sample.event ?? '');
    this.#give(this.#order.add({ time: since, type, datum: [stack, cpu ?? '', pid, tid, 1] }));
  }

  #typeOf(event: string): string {
    let type = this.#types.get(event);
    if (type === undefined) {
      type = withoutModifiers(event);
      this.#types.set(event, type);
    }
    return type;
  }

  #give(events: readonly NewEvent[]): void {
    for (const event of events) this.#ready.push(event);
  }

  reportCounts(lostChunks: number): void {
    const { report } = this;
    // A chunk is a run of lost records. It is counted by its own record, where the kernel could write one.
    const lost = Math.max(this.#lost, lostChunks);
    if (lost > 0) {
      report.lost(lost);
      report.warn(`${lost} records were lost: perf could not write as fast as they came (lower the frequency with -F)`);
    }
    const sentences: [number, string][] = [
      [this.#early, 'samples were taken before the run began and are left out'],
      [this.#timeless, 'samples have no time and are left out'],
      [this.#order.late, 'samples came out of order, and their times were moved to the nearest that keeps the order'],
    ];
    for (const [count, sentence] of sentences) if (count > 0) report.warn(`${count} ${sentence}`);
    this.#quality.report(report);
  }
}
