import { readvSync } from 'node:fs';
import { type FileHandle, open, writeFile } from 'node:fs/promises';
import { endianness, release } from 'node:os';
import { EXIT, errorCode, errorMessage, MarpleError, UnavailableError } from '../../common/errors.ts';
import { systemHint, systemSentence } from '../../common/system-reason.ts';
import {
  type FtraceDetails,
  type FtraceStats,
  type PageLayout,
  pageBytes,
  parseHeaderPage,
  parseStats,
  rawFile,
  statsFile,
} from '../../formats/ftrace.ts';
import type { Probe } from '../collecter.ts';
import { pause } from '../waiting.ts';
import { TraceInstance } from './instance.ts';

export interface RecordOptions {
  /** What the recording is for, part of the instance's name: lower case letters, digits, `_`. */
  readonly name: string;
  /** `GROUP:NAME` each. */
  readonly events: readonly string[];
  /** By event: which of its records are kept, in the kernel's words (Documentation/trace/events.rst, "Event filtering"). */
  readonly filters?: Readonly<Record<string, string>> | undefined;
  readonly guard?: RateGuard | undefined;
  /** Size of the buffer of each CPU, KiB. It holds what comes between two rounds of reading. */
  readonly bufferKb: number;
  /** Folder for the pages, cpu<n>.raw, and the counters at the end, stats.json. */
  readonly dir: string;
  /** Aborts when the recording is to end. */
  readonly stop: AbortSignal;
  /** Called when the events are being recorded; the description is what decoding needs (formats/ftrace.ts). */
  onStarted(started: RecordStarted): void | Promise<void>;
  /** Called right before the recording stops; what it takes is recorded too, so it should be short. */
  onStopping?(): void | Promise<void>;
}

/** Switches events off for good when so much comes that it would cost too much to keep. */
export interface RateGuard {
  readonly events: readonly string[];
  /** Most bytes of trace in a second. */
  readonly bytesPerSecond: number;
  /** Called when they have been switched off. */
  onTripped(): void;
}

export interface RecordStarted {
  readonly details: FtraceDetails;
  /** What was set, for the header of a section. */
  readonly command: readonly string[];
  /** Whether tracefs had to be mounted for this run. */
  readonly mounted: boolean;
  /** Why the buffers are smaller than was asked, where they are. */
  readonly warning: string | undefined;
}

/** Time between two rounds of reading, milliseconds: shorter where the events come so fast that the buffers fill. */
const LONGEST_ROUND_MS = 400;
const SHORTEST_ROUND_MS = 5;
/** For so long at most is kept in memory what was read, milliseconds: to write it costs as much as some rounds do. */
const LONGEST_KEPT_MS = LONGEST_ROUND_MS;
/** What a CPU may begin to write from one moment to the next, bytes per millisecond: its buffer lasts for a round of it. */
const BURST_BYTES_PER_MS = 40 * 1024;
/** Share of a buffer that may fill between two rounds. */
const FULL = 1 / 4;
/**
 * Most that is read from one CPU before others have their turn, bytes: what comes in a round is written at once, for each writing
 * wakes a thread. Where there are many CPUs it is less, so that all of them keep no more than so much.
 */
const SLICE_BYTES = { most: 1 << 20, least: 1 << 18, all: 1 << 23 } as const;
const SMALLEST_BUFFER_KB = 64;
/** Size of the pages of the buffers, KiB, and where it is set (Linux 6.8): a read gives one. Larger ones are not read for less. */
const PAGE_KB = 16;
const PAGE_SIZE_FILE = 'buffer_subbuf_size_kb';

/**
 * Records trace events of all CPUs in an instance of our own, clock CLOCK_MONOTONIC, until `stop`: raw pages are read
 * without blocking and spooled to files. Resolves when everything is in the files and the instance is gone.
 * @throws UnavailableError where it cannot begin; MarpleError where the files cannot be written (what came until then
 *   is in them).
 */
export async function recordEvents(options: RecordOptions): Promise<FtraceStats> {
  const instance = await TraceInstance.create(options.name);
  const spools: Spool[] = [];
  try {
    const { bufferKb, warning } = prepare(instance, options.events, options.bufferKb, options.filters);
    const details = describe(instance, options.events, bufferKb);
    const layout = parseHeaderPage(details.headerPage);
    const slice = sliceBytes(details.cpus.length);
    for (const cpu of details.cpus) {
      const output = await open(rawFile(options.dir, cpu), 'wx', 0o600);
      spools.push(new Spool(instance.openRaw(cpu), output, layout, slice));
    }
    instance.stopWithUs(options.events);
    instance.write('tracing_on', 1);
    const set = options.events.map((event) => {
      const filter = options.filters?.[event];
      return filter === undefined ? event : `${event} if ${filter}`;
    });
    const command = ['ftrace', instance.dir, 'trace_clock=mono', `buffer_size_kb=${bufferKb}`, ...set];
    await options.onStarted({ details, command, mounted: instance.tracefs.mountedHere, warning });
    const longest = Math.min(LONGEST_ROUND_MS, (bufferKb * 1024) / BURST_BYTES_PER_MS);
    let round = longest;
    const watch = options.guard === undefined ? undefined : new RateWatch(options.guard, instance);
    let written = performance.now();
    while (!options.stop.aborted) {
      const read = await readRound(spools, options.stop);
      watch?.look(spools.reduce((sum, spool) => sum + spool.bytes, 0));
      if (performance.now() - written >= LONGEST_KEPT_MS) {
        await writeAll(spools);
        written = performance.now();
      }
      round = nextRound(round, longest, read / (bufferKb * 1024));
      await pause(round / 1000, options.stop);
    }
    await options.onStopping?.();
    instance.write('tracing_on', 0);
    while ((await readRound(spools)) > 0);
    await writeAll(spools);
    const stats = { cpus: details.cpus.map((cpu) => parseStats(cpu, instance.read(`per_cpu/cpu${cpu}/stats`))) };
    await writeFile(statsFile(options.dir), `${JSON.stringify(stats)}\n`, { mode: 0o600 });
    return stats;
  } catch (error) {
    throw error instanceof MarpleError ? error : spoolError(options.dir, error);
  } finally {
    instance.remove();
    await Promise.all(spools.map((spool) => spool.output.close()));
  }
}

/**
 * Tries it for a moment: an instance, its events enabled, a record of our own written and read back as a raw page.
 * Whatever stands in the way is in the answer.
 */
export async function probeEvents(
  name: string,
  events: readonly string[],
  filters?: Readonly<Record<string, string>>,
): Promise<Probe> {
  let instance: TraceInstance | undefined;
  try {
    instance = await TraceInstance.create(`${name}_probe`);
    prepare(instance, events, SMALLEST_BUFFER_KB, filters);
    const layout = parseHeaderPage(instance.read('events/header_page'));
    const fds = instance.cpus().map((cpu) => (instance as TraceInstance).openRaw(cpu));
    instance.write('tracing_on', 1);
    instance.write('trace_marker', 'marple');
    if (!fds.some((fd) => new RawPages(fd, layout, 1).read() > 0)) {
      return { usable: false, why: 'the kernel recorded nothing in a trace instance', hint: 'use another tool' };
    }
    return { usable: true, version: release() };
  } catch (error) {
    const hint = error instanceof UnavailableError ? error.hint : undefined;
    return { usable: false, why: errorMessage(error), ...(hint === undefined ? {} : { hint }) };
  } finally {
    instance?.remove();
  }
}

/** Sets clock, size and events; nothing is recorded yet. */
function prepare(
  instance: TraceInstance,
  events: readonly string[],
  wantedKb: number,
  filters: Readonly<Record<string, string>> = {},
): { bufferKb: number; warning: string | undefined } {
  instance.write('tracing_on', 0);
  instance.write('trace_clock', 'mono');
  const bufferKb = setBufferSize(instance, wantedKb);
  for (const event of events) {
    const filter = filters[event];
    if (filter !== undefined) instance.write(`events/${event.replace(':', '/')}/filter`, filter);
    instance.enable(event);
  }
  const warning =
    bufferKb < wantedKb
      ? `the kernel had no memory for trace buffers of ${wantedKb} KiB per CPU, they have ${bufferKb} KiB`
      : undefined;
  return { bufferKb, warning };
}

/** Pages as large as they should be, else the kernel's own, where there is no memory in such pieces; a smaller buffer at last. */
function setBufferSize(instance: TraceInstance, wantedKb: number): number {
  const pages = instance.has(PAGE_SIZE_FILE) ? [PAGE_KB, Number(instance.read(PAGE_SIZE_FILE))] : [undefined];
  const attempts: { readonly kb: number; readonly pageKb?: number | undefined }[] = pages.map((pageKb) => ({
    kb: wantedKb,
    pageKb,
  }));
  for (let kb = wantedKb; kb > SMALLEST_BUFFER_KB; attempts.push({ kb })) kb = Math.ceil(kb / 2);
  let failure: unknown;
  for (const [i, { kb, pageKb }] of attempts.entries()) {
    try {
      if (pageKb !== undefined) instance.write(PAGE_SIZE_FILE, pageKb);
      instance.write('buffer_size_kb', kb);
      return kb;
    } catch (error) {
      failure = error;
      const noMemory = error instanceof UnavailableError && errorCode(error.cause) === 'ENOMEM';
      // That pages cannot be as large is no reason to do without any.
      if (!noMemory && (i > 0 || pageKb === undefined)) break;
    }
  }
  throw failure;
}

function describe(instance: TraceInstance, events: readonly string[], bufferKb: number): FtraceDetails {
  const format = (event: string): string => instance.read(`events/${event.replace(':', '/')}/format`);
  return {
    byteOrder: endianness(),
    headerPage: instance.read('events/header_page'),
    headerEvent: instance.read('events/header_event'),
    formats: Object.fromEntries(events.map((event) => [event, format(event)])),
    cpus: instance.cpus(),
    bufferKb,
    cut: true,
  };
}

/** Measures, second by second, how much comes. */
class RateWatch {
  #since = performance.now();
  #before = 0;
  #tripped = false;

  constructor(
    readonly guard: RateGuard,
    readonly instance: TraceInstance,
  ) {}

  /** `bytes` is all that has come until now. */
  look(bytes: number): void {
    const seconds = (performance.now() - this.#since) / 1000;
    if (this.#tripped || seconds < 1) return;
    if ((bytes - this.#before) / seconds > this.guard.bytesPerSecond) {
      this.#tripped = true;
      for (const event of this.guard.events) this.instance.write(`events/${event.replace(':', '/')}/enable`, 0);
      this.guard.onTripped();
    }
    this.#since = performance.now();
    this.#before = bytes;
  }
}

function sliceBytes(cpus: number): number {
  const { most, least, all } = SLICE_BYTES;
  return Math.min(most, Math.max(least, Math.floor(all / cpus)));
}

/** The raw pages of one CPU on their way into its file. */
class Spool {
  /** Read until now. */
  bytes = 0;
  readonly #pages: RawPages;

  constructor(
    input: number,
    readonly output: FileHandle,
    layout: PageLayout,
    slice: number,
  ) {
    this.#pages = new RawPages(input, layout, Math.max(1, Math.floor(slice / layout.size)));
  }

  /** Reads what is there, as far as there is room. Returns whether there may be more than that. */
  read(): boolean {
    this.bytes += this.#pages.read();
    return this.#pages.isFull;
  }

  async write(): Promise<void> {
    const { kept } = this.#pages;
    if (kept.length > 0) await this.output.writeFile(kept);
    this.#pages.clear();
  }
}

/** Room for some of the pages that the kernel gives of one CPU. */
class RawPages {
  readonly #bytes: Buffer;
  readonly #places: readonly Buffer[];
  #kept = 0;

  constructor(
    readonly input: number,
    readonly layout: PageLayout,
    count: number,
  ) {
    const { size } = layout;
    const bytes = Buffer.allocUnsafe(count * size);
    this.#bytes = bytes;
    this.#places = Array.from({ length: count }, (_, page) => bytes.subarray(page * size, (page + 1) * size));
  }

  /** What was read since the last clear(): pages, each cut behind its data. */
  get kept(): Buffer {
    return this.#bytes.subarray(0, this.#kept);
  }

  get isFull(): boolean {
    return this.#firstFree === this.#places.length;
  }

  get #firstFree(): number {
    return Math.ceil(this.#kept / this.layout.size);
  }

  clear(): void {
    this.#kept = 0;
  }

  /** Reads until there is no room for a page, or the kernel has no more. Returns the bytes that are kept of it. */
  read(): number {
    const { size } = this.layout;
    const before = this.#kept;
    const start = this.#firstFree * size;
    const end = start + this.#fill(this.#places.slice(this.#firstFree));
    for (let page = start; page < end; page += size) {
      const length = pageBytes(this.#bytes, page, this.layout);
      this.#bytes.copyWithin(this.#kept, page, page + length);
      this.#kept += length;
    }
    return this.#kept - before;
  }

  /** One call for all pages: the kernel gives each a read of its own (do_loop_readv_writev() in fs/read_write.c). */
  #fill(places: readonly Buffer[]): number {
    // The stack of an EAGAIN, which a round has for every CPU without events, would cost most of all.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
      return readvSync(this.input, places);
    } catch (error) {
      if (errorCode(error) !== 'EAGAIN') throw error;
      return 0;
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  }
}

/**
 * Reads all CPUs, slice by slice in turn, until none has more, or `stop`: events may come faster than they are read.
 * Slices that are full are written. Returns the most bytes that one of the CPUs had.
 */
async function readRound(spools: readonly Spool[], stop?: AbortSignal): Promise<number> {
  const before = spools.map((spool) => spool.bytes);
  for (let full = spools; full.length > 0 && stop?.aborted !== true; ) {
    full = full.filter((spool) => spool.read());
    await writeAll(full);
  }
  return Math.max(0, ...spools.map((spool, index) => spool.bytes - (before[index] as number)));
}

async function writeAll(spools: readonly Spool[]): Promise<void> {
  await Promise.all(spools.map((spool) => spool.write()));
}

/** Time until the next round, where in the last one `share` of a buffer had filled. */
function nextRound(round: number, longest: number, share: number): number {
  if (share > FULL) return Math.max(SHORTEST_ROUND_MS, round / 2);
  if (share < FULL / 4) return Math.min(longest, round * 2);
  return round;
}

function spoolError(dir: string, error: unknown): Error {
  if (errorCode(error) === undefined) return error instanceof Error ? error : new Error(String(error));
  return new MarpleError(
    `the trace could not be recorded: ${systemSentence(error)}`,
    EXIT.someFailed,
    systemHint(error) ?? `see ${dir}`,
    { cause: error },
  );
}
