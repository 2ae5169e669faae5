import * as z from 'zod';
import { errorMessage } from '../common/errors.ts';
import { ScopeFilter, TaskTable } from '../common/scope.ts';
import type { Batch, Report } from '../common/section.ts';
import { CallChain } from './call-chain.ts';
import { type NumberField, numberField, parseFormat } from './event-format.ts';
import { withoutModifiers } from './perf-data.ts';
import type { FileSample } from './perf-file.ts';
import { checkBoot, describePerf, openPerfData, perfDetailsSchema } from './perf-recording.ts';
import { perfSamples, type TimedSample } from './perf-samples.ts';
import type { PerfFork } from './perf-script.ts';
import { damagedRecording, type Recording, type RunInfo } from './recording.ts';
import { SampleStacks } from './sample-stacks.ts';
import { StackQuality } from './stack-quality.ts';
import { stackBatches } from './stack-table.ts';

/** What a section's stacks are weighted with. */
export const STACK_WEIGHTS = ['samples', 'calls', 'bytes'] as const;
export type StackWeight = (typeof STACK_WEIGHTS)[number];

const detailsSchema = perfDetailsSchema.extend({
  /** Weights of the interface's sections, in their order. */
  weights: z.array(z.enum(STACK_WEIGHTS)),
  /** Whether the event is a frame, the first one under the process. */
  eventFrame: z.boolean(),
  /** Texts of the format files of probes with the fields `size` and `caller`. */
  formats: z.array(z.string()),
  substitute: z.object({ for: z.string(), why: z.string() }).optional(),
});
export type PerfStacksDetails = Omit<z.infer<typeof detailsSchema>, keyof z.infer<typeof perfDetailsSchema>>;

/** No process has more memory to address: what is asked for beyond it is refused, and a mistake of the program. */
export const MOST_BYTES = 2 ** 47;
/** What helps where callers were not found, and there is no other way to find them. */
export const FRAME_POINTERS = 'build it with -fno-omit-frame-pointer';

/**
 * Decodes a recording of events with their stacks: each unique stack of the tasks in scope once (process name, the event
 * where that is asked for, then the outermost frame first), a section for each weight: samples, calls, or bytes asked for.
 * Samples of calls carry the address that the function returns to, which perf's own way of finding callers misses: where
 * the function has only begun its caller's frame is not yet linked. What is left out is counted in the report.
 * @throws UnavailableError where the recording is not of this machine since it was booted; DamagedFileError where it is
 *   none that can be read here.
 */
export async function* decode(dir: string, recording: Recording, run: RunInfo, report: Report): AsyncIterable<Batch> {
  const parsed = detailsSchema.safeParse(recording.details);
  if (!parsed.success) {
    throw damagedRecording(dir, `not a description of a recording of ${recording.interface}`);
  }
  const details = parsed.data;
  describePerf(details, report);
  if (details.substitute !== undefined) report.substitute(details.substitute);
  checkBoot(run);
  const calls = readCallFormats(dir, details.formats);
  const path = await openPerfData(dir, details, report);
  if (path === undefined) return;

  const decoder = new StacksDecoder(details, calls, run);
  const withCaller = (sample: FileSample): FileSample => insertCaller(sample, calls);
  for await (const records of perfSamples(path, BigInt(run.origin), report, {
    modules: run.modules,
    amend: withCaller,
  })) {
    for (const record of records) {
      if (record.kind === 'sample') decoder.sample(record);
      else if (record.kind === 'fork') decoder.fork(record);
      else if (record.kind === 'lost') decoder.lost += record.count;
    }
  }
  for (const [section, table] of decoder.tables.entries()) yield* stackBatches(section, table.stacks());
  decoder.report(report);
}

/** How the probe of a function is read, by its event's id. */
type CallFormats = ReadonlyMap<number, { readonly size: NumberField; readonly caller: NumberField }>;

function readCallFormats(dir: string, texts: readonly string[]): CallFormats {
  try {
    return new Map(
      texts
        .map(parseFormat)
        .map((format) => [format.id, { size: numberField(format, 'size'), caller: numberField(format, 'caller') }]),
    );
  } catch (error) {
    throw damagedRecording(dir, errorMessage(error), error);
  }
}

/** Puts the caller behind the function, where it is missing. */
function insertCaller(sample: FileSample, calls: CallFormats): FileSample {
  const fields = calls.get(sample.event.config);
  if (fields === undefined || sample.raw === undefined) return sample;
  const caller = fields.caller(sample.raw);
  const { kernel, user } = sample.chain;
  const [callee, ...callers] = user;
  if (callee === undefined || callers[0] === caller) return sample;
  return { ...sample, chain: CallChain.of({ kernel, user: [callee, caller, ...callers] }) };
}

class StacksDecoder {
  lost = 0;
  readonly tables: readonly SampleStacks[];
  readonly #tasks: TaskTable;
  readonly #filter: ScopeFilter;
  readonly #quality: StackQuality;
  #early = 0;
  #absurd = 0;

  constructor(
    readonly details: z.infer<typeof detailsSchema>,
    readonly calls: CallFormats,
    run: RunInfo,
  ) {
    this.tables = details.weights.map(() => new SampleStacks());
    this.#quality = new StackQuality(run.modules === undefined);
    this.#tasks = new TaskTable(run.tasks);
    this.#filter = new ScopeFilter(run.scope, this.#tasks);
  }

  fork({ pid, tid, parentPid, comm }: PerfFork): void {
    const isThread = pid !== tid;
    this.#tasks.fork(tid, isThread ? pid : parentPid, isThread, comm);
  }

  sample({ sample, since, raw, config }: TimedSample): void {
    const { details } = this;
    if (!this.#filter.keeps(sample.pid ?? sample.tid, sample.comm)) return;
    if (since !== undefined && since < 0) {
      this.#early++;
      return;
    }
    const size = raw === undefined ? undefined : this.calls.get(config)?.size(raw);
    if (size !== undefined && size > MOST_BYTES) this.#absurd++;
    this.#quality.judge(sample);
    const below = details.eventFrame ? `[${eventLabel(sample.event ?? '')}]` : undefined;
    for (const [section, weight] of details.weights.entries()) {
      this.tables[section]!.addSample(sample, weightOf(weight, size), below);
    }
  }

  report(report: Report): void {
    if (this.lost > 0) {
      report.lost(this.lost);
      report.warn(`${this.lost} records were lost: perf could not write as fast as they came`);
    }
    if (this.#early > 0) report.warn(`${this.#early} samples were taken before the run began and are left out`);
    if (this.#absurd > 0) {
      report.warn(
        `${this.#absurd} calls asked for more bytes than a process can address: they count as calls, not in bytes`,
      );
    }
    this.#quality.report(report, FRAME_POINTERS);
  }
}

/** `minor-faults:u` as `minor-faults`, `cpu/mem-loads/P` as `mem-loads`. */
function eventLabel(event: string): string {
  return /^\w+\/([\w-]+)/.exec(event)?.[1] ?? withoutModifiers(event);
}

function weightOf(weight: StackWeight, size: number | undefined): number {
  if (weight !== 'bytes') return 1;
  return size === undefined || size > MOST_BYTES ? 0 : size;
}
