import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import * as z from 'zod';
import type { NewEvent, StackData } from '../common/datatypes.ts';
import { errorMessage } from '../common/errors.ts';
import { ScopeFilter, TaskTable } from '../common/scope.ts';
import type { Batch, Report } from '../common/section.ts';
import { countedSwitches, reportMissingSwitches } from './context-switches.ts';
import { parseFormat, type RawRecord } from './event-format.ts';
import { beginsBlock, type OffCpuReason, OffCpuTimes, reasonOf, withoutTracing } from './off-cpu.ts';
import { PerfFile } from './perf-file.ts';
import { checkBoot, describePerf, openPerfData, perfDetailsSchema } from './perf-recording.ts';
import { type NamedSwitch, perfSamples, type TimedSample } from './perf-samples.ts';
import type { PerfSample } from './perf-script.ts';
import { damagedRecording, type Recording, type RunInfo } from './recording.ts';
import { SampleStacks } from './sample-stacks.ts';
import { stateReader } from './sched.ts';
import { StackQuality } from './stack-quality.ts';
import { stackBatches } from './stack-table.ts';

const detailsSchema = perfDetailsSchema.extend({
  /** Text of the format file of sched_switch. */
  format: z.string(),
  /** Switches that the scheduler had counted at the start. */
  switches: z.number().optional(),
  maxMbPerS: z.number(),
});

/**
 * What was done to keep the recording within its budget, and when (CLOCK_MONOTONIC, nanoseconds): stacks were left out
 * (`without-event`) and recorded again, the recording was ended, or perf did not do what it was told.
 */
const guardSchema = z.array(
  z.object({ at: z.string(), step: z.enum(['without-event', 'with-event', 'ended', 'unanswered']) }),
);
export type GuardLog = z.infer<typeof guardSchema>;

/** Where the guard's log is, where it had to do anything. */
export function guardFile(dir: string): string {
  return join(dir, 'guard.json');
}

/** Sections of offcpu, by index. */
const STACKS = 0;
const EVENTS = 1;
/** Records that are handled between two rests, so that what else runs has its turns. */
const SLICE = 20_000;
type Frames = Pick<PerfSample, 'frames' | 'stack'>;
const NOT_RECORDED = '[stack not recorded]';
const NO_STACK: Frames = { frames: [{ address: '', symbol: NOT_RECORDED, module: '' }] };

/**
 * Decodes an offcpu recording: sched_switch with stacks, and the switches as perf notes them by itself. Section 0: each
 * unique stack once (process name, reason, then the outermost frame first) with the nanoseconds off the CPU.
 * Section 1: one event per time that a task in scope left its CPU, sorted by that time (ns since the origin), `type` the
 * reason, fields `stack` (0-based number of the stack's line), `cpu`, `pid`, `tid`, `weight` (ns until it came to a CPU
 * again). What is left out or cut is said in the report.
 * @throws UnavailableError where the recording is not of this machine since it was booted; DamagedFileError where it is
 *   none that can be read here.
 */
export async function* decode(dir: string, recording: Recording, run: RunInfo, report: Report): AsyncIterable<Batch> {
  const parsed = detailsSchema.safeParse(recording.details);
  if (!parsed.success) {
    throw damagedRecording(dir, 'not a description of an offcpu recording');
  }
  const details = parsed.data;
  describePerf(details, report);
  checkBoot(run);
  const state = readState(dir, details.format, report);
  const path = await openPerfData(dir, details, report);
  if (path === undefined) return;

  const times = await readTimes(path, BigInt(run.origin));
  const guard = readGuard(dir);
  const decoder = new OffCpuDecoder(times, state, endsWithoutStacks(guard), run);
  for await (const records of perfSamples(path, BigInt(run.origin), report, {
    modules: run.modules,
  })) {
    for (const record of records) {
      if (record.kind === 'sample') decoder.sample(record);
      else if (record.kind === 'switch') decoder.switched(record);
      else if (record.kind === 'fork') decoder.fork(record.tid, record.pid, record.parentPid, record.comm);
      else if (record.kind === 'lost') decoder.lost += record.count;
    }
    yield { section: EVENTS, records: decoder.take() };
  }
  yield* stackBatches(STACKS, decoder.stacks());
  decoder.report(report);
  // Of single processes only theirs are in the file.
  const isWhole = details.tool.command.includes('-a') && !guard.some(({ step }) => step === 'ended');
  if (isWhole) reportMissingSwitches(decoder.switches + decoder.lost, countedSwitches(dir, details.switches), report);
  reportGuard(guard, BigInt(run.origin), details.maxMbPerS, report);
}

/** The first reading: how long each task was off its CPU. */
async function readTimes(path: string, origin: bigint): Promise<OffCpuTimes> {
  const times = new OffCpuTimes();
  const file = new PerfFile(path, origin);
  try {
    let rest = SLICE;
    for (const record of file.records()) {
      times.add(record);
      if (--rest > 0) continue;
      rest = SLICE;
      await yieldToOthers();
    }
  } finally {
    file.close();
  }
  times.finish();
  return times;
}

function readState(dir: string, formatText: string, report: Report): (event: RawRecord) => string {
  try {
    return stateReader(parseFormat(formatText), formatText, report);
  } catch (error) {
    throw damagedRecording(dir, errorMessage(error), error);
  }
}

/** The second reading: gives each block its stack and its reason. */
class OffCpuDecoder {
  lost = 0;
  /** Of all tasks, idle ones too. */
  switches = 0;
  readonly #tasks: TaskTable;
  readonly #filter: ScopeFilter;
  readonly #table = new SampleStacks();
  readonly #quality: StackQuality;
  /** The last sched_switch of each CPU: the switch that perf notes right behind it is the same. */
  readonly #leaving = new Map<number, TimedSample | undefined>();
  #events: NewEvent[] = [];
  /** CPUs whose recording has begun; some begin moments before others. */
  readonly #begun = new Set<number>();
  #early = 0;
  #block = 0;
  #stackless = 0;
  #stacklessTime = 0;

  constructor(
    readonly times: OffCpuTimes,
    readonly state: (event: RawRecord) => string,
    /** Whether stacks were left out at the end. */
    readonly endsWithoutStacks: boolean,
    run: RunInfo,
  ) {
    this.#quality = new StackQuality(run.modules === undefined);
    this.#tasks = new TaskTable(run.tasks);
    this.#filter = new ScopeFilter(run.scope, this.#tasks);
  }

  sample(sample: TimedSample): void {
    const { cpu } = sample.sample;
    if (cpu === undefined) return;
    this.#begun.add(cpu);
    this.#leaving.set(cpu, sample);
  }

  fork(tid: number, pid: number, parentPid: number, comm: string): void {
    const isThread = pid !== tid;
    this.#tasks.fork(tid, isThread ? pid : parentPid, isThread, comm);
  }

  switched(record: NamedSwitch): void {
    const { cpu, time } = record;
    if (record.isOut) this.switches++;
    if (this.#begun.size === 0 || !beginsBlock(record) || cpu === undefined || time === undefined) return;
    const weight = this.times.timeOf(this.#block++);
    const sample = this.#leaving.get(cpu);
    this.#leaving.set(cpu, undefined);
    const { pid, tid, comm } = record;
    if (weight === undefined || !this.#filter.keeps(pid, comm)) return;
    if (!this.#begun.has(cpu)) {
      this.#early++;
      return;
    }
    const leaving = sample?.sample.tid === tid ? sample : undefined;
    const reason = leaving?.raw === undefined ? unseenReason(record) : reasonOf(this.state(leaving.raw));
    if (reason === undefined) return;
    const found = leaving === undefined ? this.#noFrames(record, time, weight) : this.#frames(leaving);
    if (found === undefined) return;
    const { frames, stack: known } = found;
    const stack = this.#table.addSample({ comm, pid, tid, frames, stack: known }, weight, `[${reason}]`);
    this.#events.push({ time, type: reason, datum: [stack, cpu, pid, tid, weight] });
  }

  /** Without what belongs to the tracing itself. */
  #frames({ sample }: TimedSample): Frames {
    const found = { frames: withoutTracing(sample.frames), stack: sample.stack };
    this.#quality.judge(found);
    return found;
  }

  /** Undefined where the recording of the CPU had ended. */
  #noFrames({ cpu }: NamedSwitch, time: number, weight: number): Frames | undefined {
    if (!this.endsWithoutStacks && !this.times.isSampledAfter(cpu ?? 0, time)) return undefined;
    this.#stackless++;
    this.#stacklessTime += weight;
    return NO_STACK;
  }

  /** The events since the last call. */
  take(): NewEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  stacks(): Iterable<StackData> {
    return this.#table.stacks();
  }

  report(report: Report): void {
    const { cut, cutTime, unpaired } = this.times;
    const early = this.times.early + this.#early;
    if (cut > 0) {
      report.note(
        `${cut} tasks of the machine were off their CPU when the recording ended: their time counts until then (${seconds(cutTime)} in all)`,
      );
    }
    if (early > 0) {
      report.note(
        `${early} times a task of the machine came to a CPU and had left its own before the recording began, or when records were lost: that time is not in the data, since its stack was not seen`,
      );
    }
    if (unpaired > 0) {
      report.warn(
        `${unpaired} times a task came to a CPU or left it twice in a row: what was between is missing in perf's file, and is not in the data`,
      );
    }
    if (this.#stackless > 0) {
      report.warn(
        `${this.#stackless} times off a CPU have no stack (${seconds(this.#stacklessTime)} in all): they count for their process, under ${NOT_RECORDED}`,
      );
    }
    if (this.lost > 0) {
      report.lost(this.lost);
      report.warn(
        `${this.lost} records were lost: perf could not write as fast as they came; who was off a CPU then is not in the data`,
      );
    }
    this.#quality.report(report, 'the function that waits is shown, who called it is not');
  }
}

/** Without sched_switch only perf's own note is there, which knows whether the task could have gone on. */
function unseenReason({ isPreempted }: NamedSwitch): OffCpuReason {
  return isPreempted ? 'runnable' : 'blocked';
}

function readGuard(dir: string): GuardLog {
  try {
    return guardSchema.parse(JSON.parse(readFileSync(guardFile(dir), 'utf8')));
  } catch {
    return [];
  }
}

function endsWithoutStacks(log: GuardLog): boolean {
  return log.findLast(({ step }) => step === 'without-event' || step === 'with-event')?.step === 'without-event';
}

const SHOWN_GAPS = 5;

/** Says what the guard did, and when. */
function reportGuard(log: GuardLog, origin: bigint, maxMbPerS: number, report: Report): void {
  const since = (time: string): string => seconds(Number(BigInt(time) - origin));
  const gaps: string[] = [];
  for (const [i, { at, step }] of log.entries()) {
    const next = log[i + 1];
    if (step === 'without-event')
      gaps.push(next === undefined ? `from ${since(at)} on` : `${since(at)} to ${since(next.at)}`);
    if (step === 'ended') {
      report.warn(
        `the machine's switches are too many for ${maxMbPerS} MB a second (max_mb_per_s) even without stacks: the recording was ended at ${since(at)} (--tool offcpu=bpftrace has no such limit)`,
      );
    }
    if (step === 'unanswered')
      report.warn(`perf did not answer at ${since(at)}, when it was told to leave out stacks or to record them again`);
  }
  if (gaps.length === 0) return;
  const more = gaps.length > SHOWN_GAPS ? `, and ${gaps.length - SHOWN_GAPS} times more` : '';
  report.warn(
    `stacks came faster than ${maxMbPerS} MB a second (max_mb_per_s) and were not recorded all the time: ` +
      `they are missing ${gaps.slice(0, SHOWN_GAPS).join(', ')}${more}`,
  );
}

function seconds(nanoseconds: number): string {
  return `${(nanoseconds / 1e9).toFixed(2)} s`;
}
