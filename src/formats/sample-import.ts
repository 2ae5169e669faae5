import type { NewEvent } from '../common/datatypes.ts';
import { UsageError } from '../common/errors.ts';
import type { SectionHeader } from '../common/header.ts';
import { sampleWeight } from './folding.ts';
import type { ImportOptions, ImportSection, ImportSink } from './importer.ts';
import { InOrder } from './in-order.ts';
import { withoutModifiers } from './perf-data.ts';
import type { PerfFrame, PerfSample } from './perf-script.ts';
import { SampleStacks } from './sample-stacks.ts';
import { StackQuality } from './stack-quality.ts';

const EVENT_FIELDS = ['stack', 'cpu', 'pid', 'tid', 'weight'];
const WINDOW = 4096;
const BATCH = 256;
/** Names of events in a message. */
const LISTED = 20;

/** The sections of one event. */
interface Profile {
  readonly event: string;
  /** What its event records are called. */
  readonly type: string;
  readonly stacks: ImportSection;
  readonly table: SampleStacks;
  /** Where the samples have times. */
  readonly events: ImportSection | undefined;
  ready: Held[];
  /** Whether some sample weighs something else than 1. */
  isWeighted: boolean;
}

/** The event of a sample. */
interface Held extends NewEvent {
  readonly profile: Profile;
  /** That of the sample until it is taken. */
  time: number;
}

/**
 * Makes the sections of imported samples: for each event, in the order in which they are first seen, its stacks with
 * their total weights and, where there are times, an event for each sample, all of the interface callstack. Times
 * count from the first sample.
 */
export class SampleImport {
  readonly #profiles = new Map<string, Profile>();
  /** Names of events that are left out since another was asked for, with their samples. */
  readonly #others = new Map<string, number>();
  readonly #quality: StackQuality;
  readonly #order: InOrder<Held>;
  /** Time of the first sample, in the times that add() is given. */
  #origin: number | undefined;
  #last = 0;
  #timeless = 0;
  #tooHeavy = 0;
  #ready = 0;

  /**
   * `isOwn`: the samples are of this machine. `window`: so many samples are held until others came after them, should they
   * not be in order.
   */
  constructor(
    private readonly sink: ImportSink,
    private readonly options: ImportOptions,
    { isOwn = false, window = WINDOW }: { readonly isOwn?: boolean; readonly window?: number } = {},
  ) {
    this.#quality = new StackQuality(isOwn);
    this.#order = new InOrder<Held>(
      window,
      ({ time }) => time,
      (held, time) => ({ ...held, time }),
    );
  }

  /** Samples of all events that were added. */
  samples = 0;

  /** When the first sample was taken, and how long after it the last, nanoseconds. */
  get times(): { readonly origin: number; readonly duration: number } | undefined {
    return this.#origin === undefined ? undefined : { origin: this.#origin, duration: this.#last };
  }

  /** `time` in nanoseconds since some moment that is always the same. */
  add(sample: PerfSample, time: number | undefined): void {
    this.samples++;
    const event = sample.event ?? '';
    if (!this.#isWanted(event)) {
      this.#others.set(event, (this.#others.get(event) ?? 0) + 1);
      return;
    }
    const weight = sampleWeight(sample);
    if (!Number.isSafeInteger(weight)) {
      this.#tooHeavy++;
      return;
    }
    this.#quality.judge(sample);
    const profile = this.#profiles.get(event) ?? this.#begin(event, time !== undefined);
    const stack = profile.table.addSample(sample, weight);
    if (weight !== 1) profile.isWeighted = true;
    if (profile.events === undefined) return;
    if (time === undefined || !Number.isSafeInteger(time)) {
      this.#timeless++;
      return;
    }
    const { cpu, pid, tid } = sample;
    const datum = [stack, cpu ?? '', pid ?? '', tid, weight];
    for (const held of this.#order.add({ time, type: profile.type, datum, profile })) this.#take(held);
  }

  /** Writes what is ready. Memory is bounded where this is called now and then. */
  async flush(atLeast = BATCH): Promise<void> {
    if (this.#ready < atLeast) return;
    for (const profile of this.#profiles.values()) {
      const records = profile.ready;
      profile.ready = [];
      if (records.length > 0) await profile.events?.write(records);
    }
    this.#ready = 0;
  }

  /**
   * Writes the rest, and says what was left out.
   * @throws UsageError (2) where the event that was asked for is not among those that there are.
   */
  async finish(): Promise<void> {
    const { sink, options } = this;
    if (this.#profiles.size === 0 && this.#others.size > 0) {
      const names = [...this.#others.keys()];
      const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
      throw new UsageError(
        `there are no samples of the event ${options.event}`,
        `use one of: ${names.slice(0, LISTED).join(', ')}${more}`,
      );
    }
    for (const held of this.#order.rest()) this.#take(held);
    await this.flush(1);
    for (const profile of this.#profiles.values()) {
      profile.stacks.header.weight = this.#weightOf(profile);
      const limited = profile.table.limit(Number.MAX_SAFE_INTEGER);
      if (limited > 0) {
        sink.warn(
          `${limited} stacks of ${profile.event}: each weighs more than a data file can hold, and has the most that there is`,
        );
      }
      await profile.stacks.writeStacks(profile.table);
    }
    const others = [...this.#others.values()].reduce((sum, count) => sum + count, 0);
    const sentences: [number, string][] = [
      [others, `samples of other events than ${options.event} are left out`],
      [this.#timeless, 'samples have no time, or one that a data file cannot hold: they are in the stacks alone'],
      [this.#order.late, 'samples came out of order, and their times were moved to the nearest that keeps the order'],
      [this.#tooHeavy, 'samples are left out, since their period is more than a data file can hold'],
    ];
    for (const [count, sentence] of sentences) if (count > 0) sink.warn(`${count} ${sentence}`);
    this.#quality.report(sink);
  }

  /** Adds to the headers of all its sections. */
  describe(header: Partial<SectionHeader>): void {
    for (const { stacks, events } of this.#profiles.values()) {
      Object.assign(stacks.header, header);
      if (events !== undefined) Object.assign(events.header, header);
    }
  }

  #isWanted(event: string): boolean {
    const { event: wanted } = this.options;
    return wanted === undefined || event === wanted || withoutModifiers(event) === wanted;
  }

  #begin(event: string, isTimed: boolean): Profile {
    const { sink } = this;
    const { annotate, only } = this.options;
    const options = event === '' ? {} : { options: { event } };
    const stacks = sink.section({ interface: 'callstack', datatype: 'stack', ...options });
    const events =
      isTimed && only !== 'stack'
        ? sink.section({ interface: 'callstack', datatype: 'event', fields: EVENT_FIELDS, ...options })
        : undefined;
    const table = new SampleStacks(
      {
        pid: annotate.has('pid'),
        tid: annotate.has('tid'),
        kernel: annotate.has('kernel'),
        jit: annotate.has('jit'),
        addrs: annotate.has('addrs'),
      },
      asToolsRead,
    );
    const type = withoutModifiers(event) || 'sample';
    const profile: Profile = { event, type, stacks, table, events, ready: [], isWeighted: false };
    this.#profiles.set(event, profile);
    return profile;
  }

  #take(held: Held): void {
    this.#origin ??= held.time;
    const since = held.time - this.#origin;
    if (!Number.isSafeInteger(since)) {
      this.#timeless++;
      return;
    }
    this.#last = since;
    held.time = since;
    held.profile.ready.push(held);
    this.#ready++;
  }

  /** What the weights count: samples, or what the periods are in. */
  #weightOf({ event, isWeighted }: Profile): { label: string; unit: string } {
    const name = withoutModifiers(event);
    if (!isWeighted || name === '') {
      return { label: name === '' ? 'samples' : `samples of ${name}`, unit: 'samples' };
    }
    return { label: name, unit: CLOCKS.has(name) ? 'ns' : 'events' };
  }
}

const DELETED = ' (deleted)';

/**
 * The frame as flame graph tools read it, so that an import has their names: where a file is gone, they take the
 * ` (deleted)` behind it for the module, and the file for a part of the symbol.
 */
function asToolsRead(frame: PerfFrame): PerfFrame {
  const { address, symbol, module } = frame;
  if (!module.endsWith(DELETED)) return frame;
  return { address, symbol: `${symbol} (${module.slice(0, -DELETED.length)}`, module: 'deleted)' };
}

/** Software events that count nanoseconds. */
const CLOCKS = new Set(['cpu-clock', 'task-clock']);
