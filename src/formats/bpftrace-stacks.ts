import { createReadStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import * as z from 'zod';
import { isSystemWide, ScopeFilter, TaskTable } from '../common/scope.ts';
import type { Batch, Report } from '../common/section.ts';
import { CallChain } from './call-chain.ts';
import { foldSample } from './folding.ts';
import { linesOf } from './lines.ts';
import { type FileRecord, PerfFile } from './perf-file.ts';
import { checkBoot, describePerf, openPerfData, perfDetailsSchema } from './perf-recording.ts';
import type { PerfFrame } from './perf-script.ts';
import { FRAME_POINTERS } from './perf-stacks.ts';
import { PerfSymbols } from './perf-symbols.ts';
import { damagedRecording, type Recording, type RunInfo } from './recording.ts';
import { StackQuality } from './stack-quality.ts';
import { StackTable, stackBatches } from './stack-table.ts';

/*
 * Stacks that bpftrace added up in the kernel, as it prints its maps at its end, with the names that perf's records of
 * tasks and code give them (collect/bpftrace/malloc.ts).
 */

/** Bytes asked for, or asked for and not given back. */
export const STACK_MAP_KINDS = ['requested', 'outstanding'] as const;
export type StackMapKind = (typeof STACK_MAP_KINDS)[number];

const detailsSchema = perfDetailsSchema.extend({
  kind: z.enum(STACK_MAP_KINDS),
  /** Keys that the maps can hold. */
  most: z.number(),
  /** CLOCK_MONOTONIC when the probes were in place, nanoseconds, as decimal text. */
  began: z.string(),
});
export type BpftraceStacksDetails = z.infer<typeof detailsSchema>;

/** Where what bpftrace printed is kept. */
export function mapsFile(dir: string): string {
  return join(dir, 'bpftrace.txt');
}

/** One key of the map with its value. */
export interface MappedStack {
  readonly pid: number;
  /** When the process began to run the program that the stack is of, as bpftrace's nsecs; 0: before the probes were there. */
  readonly image: bigint;
  /** Where the function returns to, where that is recorded. */
  readonly caller: number | undefined;
  /** Addresses, innermost first; names where bpftrace has looked them up. None where the kernel had no room for the stack. */
  readonly frames: readonly (number | string)[];
  readonly bytes: number;
}

export interface StackMaps {
  readonly stacks: readonly MappedStack[];
  /** What is running in which process at the end, as `image` of a stack. */
  readonly images: ReadonlyMap<number, bigint>;
  /** Sum over all stacks, those included that no longer fitted into the map. */
  readonly total: number;
  /** Bytes in blocks that were not kept. */
  readonly dropped: number;
}

// @bytes[21119, 0, 94747308941006,
//     0x561e3bd6628e
//     0x561e3bd665c5
// ]: 100000
const KEY = /^@bytes\[(\d+), (\d+),(?: (\d+),)? ?(\]: (-?\d+))?$/;
const FRAME = /^ {4}(?:0x([\da-f]+)|(.+))$/;
const END = /^\]: (-?\d+)$/;
// @image[21136]: 4159855561491
const IMAGE = /^@image\[(\d+)\]: (\d+)$/;
// @total: 4711
const NUMBER = /^@(total|dropped): (-?\d+)$/;
/** How many probes there are, our own marks, and empty lines between maps. */
const CHATTER = /^(Attaching \d+ probes?\.\.\.|marple (first|last)|)$/;

interface OpenStack {
  readonly key: Omit<MappedStack, 'frames' | 'bytes'>;
  readonly frames: (number | string)[];
}

/** Reads the maps; a line that is none of theirs goes to `unreadable`, as does a stack that is cut off. */
export class StackMapParser {
  readonly #stacks: MappedStack[] = [];
  readonly #images = new Map<number, bigint>();
  readonly #numbers = { total: 0, dropped: 0 };
  #open: OpenStack | undefined;

  constructor(readonly unreadable: (line: string) => void) {}

  push(line: string): void {
    if (this.#open !== undefined && this.#within(line, this.#open)) return;
    const key = KEY.exec(line);
    if (key !== null) {
      const [, pid, image = '0', caller, , bytes] = key;
      const open = {
        pid: Number(pid),
        image: BigInt(image),
        caller: caller === undefined ? undefined : Number(caller),
      };
      if (bytes === undefined) this.#open = { key: open, frames: [] };
      else this.#stacks.push({ ...open, frames: [], bytes: Number(bytes) });
      return;
    }
    const image = IMAGE.exec(line);
    const number = NUMBER.exec(line);
    if (image !== null) this.#images.set(Number(image[1]), BigInt(image[2] as string));
    else if (number !== null) this.#numbers[number[1] as 'total' | 'dropped'] = Number(number[2]);
    else if (!CHATTER.test(line)) this.unreadable(line);
  }

  /** Whether the line belongs to the stack that has begun. */
  #within(line: string, { key, frames }: OpenStack): boolean {
    const end = END.exec(line);
    const frame = FRAME.exec(line);
    if (end !== null) {
      this.#stacks.push({ ...key, frames, bytes: Number(end[1]) });
      this.#open = undefined;
    } else if (frame !== null) {
      frames.push(frame[1] === undefined ? (frame[2] as string) : Number.parseInt(frame[1], 16));
    } else if (line !== '') {
      this.unreadable(`@bytes[${key.pid}, ...`);
      this.#open = undefined;
      return false;
    }
    return true;
  }

  finish(): StackMaps {
    if (this.#open !== undefined) this.unreadable(`@bytes[${this.#open.key.pid}, ...`);
    return { stacks: this.#stacks, images: this.#images, ...this.#numbers };
  }
}

/** Records that are handled between two rests. */
const SLICE = 20_000;
const NO_STACK = '[stack not recorded]';

/**
 * Decodes what bpftrace added up: each unique stack of the processes in scope once (process name, then the outermost frame
 * first) with its bytes. What is left out is counted in the report.
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
  checkBoot(run);
  const path = await openPerfData(dir, details, report);
  if (path === undefined) return;
  if (!existsSync(mapsFile(dir))) {
    report.warn('bpftrace was ended before it had printed anything');
    return;
  }
  const parser = new StackMapParser((line) => report.skipped(line));
  for await (const lines of linesOf(createReadStream(mapsFile(dir)))) for (const line of lines) parser.push(line);
  const maps = parser.finish();

  const symbols = PerfSymbols.create(run.modules);
  await new Naming(maps, details, run, symbols).read(path);
  const mangled = await symbols.demangleAll();
  if (mangled > 0)
    report.warn(`${mangled} C++ names are as the compiler made them: c++filt (binutils) is not installed`);
  const naming = new Naming(maps, details, run, symbols.again());
  await naming.read(path);
  yield* stackBatches(0, naming.table.stacks());
  naming.report(report);
}

/** Puts the caller behind the function, where it is missing. */
function withCaller(frames: MappedStack['frames'], caller: number | undefined): MappedStack['frames'] {
  if (caller === undefined || frames[1] === caller) return frames;
  return [...frames.slice(0, 1), caller, ...frames.slice(1)];
}

/** The stacks of one program in one process. */
interface ImageStacks {
  /** When it began to run, nanoseconds since the origin. */
  readonly since: number;
  readonly isLast: boolean;
  readonly stacks: MappedStack[];
}

/** Goes through perf's records and gives the stacks their names when their program was running. */
class Naming {
  readonly table = new StackTable();
  readonly #origin: bigint;
  readonly #waiting = new Map<number, ImageStacks[]>();
  readonly #ended = new Set<number>();
  readonly #tasks: TaskTable;
  readonly #filter: ScopeFilter;
  readonly #quality: StackQuality;
  #missing = { stacks: 0, bytes: 0 };
  #over = { processes: new Set<number>(), bytes: 0 };

  constructor(
    readonly maps: StackMaps,
    readonly details: BpftraceStacksDetails,
    readonly run: RunInfo,
    readonly symbols: PerfSymbols,
  ) {
    this.#origin = BigInt(run.origin);
    this.#quality = new StackQuality(run.modules === undefined);
    this.#tasks = new TaskTable(run.tasks);
    this.#filter = new ScopeFilter(run.scope, this.#tasks);
    const began = BigInt(details.began);
    for (const stack of maps.stacks) {
      const since = Number((stack.image === 0n ? began : stack.image) - this.#origin);
      const images = this.#waiting.get(stack.pid) ?? [];
      this.#waiting.set(stack.pid, images);
      const known = images.find((image) => image.since === since);
      if (known !== undefined) known.stacks.push(stack);
      else {
        const isLast = stack.image === (maps.images.get(stack.pid) ?? 0n);
        images.push({ since, isLast, stacks: [stack] });
      }
    }
  }

  async read(path: string): Promise<void> {
    const file = new PerfFile(path, this.#origin);
    try {
      let rest = SLICE;
      for (const record of file.records()) {
        this.#follow(record);
        if (--rest > 0) continue;
        rest = SLICE;
        await yieldToOthers();
      }
    } finally {
      file.close();
    }
    for (const pid of this.#waiting.keys()) this.#settle(pid, Number.POSITIVE_INFINITY);
  }

  #follow(record: FileRecord): void {
    switch (record.kind) {
      case 'name':
        if (record.isExec && record.time !== undefined) this.#settle(record.pid, record.time);
        this.symbols.name(record);
        break;
      case 'mapping':
        this.symbols.mapping(record);
        break;
      case 'fork': {
        const { pid, tid, parentPid } = record;
        const isThread = pid !== tid;
        if (!isThread) this.#ended.delete(pid);
        this.#tasks.fork(tid, isThread ? pid : parentPid, isThread, this.symbols.commOf(parentPid));
        this.symbols.fork(record);
        break;
      }
      case 'exit':
        if (record.pid === record.tid) this.#ended.add(record.pid);
        break;
      default:
    }
  }

  /** Names the stacks of a process whose program was running before `time`, nanoseconds since the origin. */
  #settle(pid: number, time: number): void {
    const images = this.#waiting.get(pid) ?? [];
    this.#waiting.set(
      pid,
      images.filter(({ since }) => since >= time),
    );
    for (const image of images) if (image.since < time) this.#name(pid, image);
  }

  #name(pid: number, { isLast, stacks }: ImageStacks): void {
    const comm = this.symbols.commOf(pid);
    if (!this.#filter.keeps(pid, comm)) return;
    const isOutstanding = this.details.kind === 'outstanding';
    // execve() gives all memory back.
    if (isOutstanding && !isLast) return;
    const isOver = isOutstanding && this.#ended.has(pid) && isSystemWide(this.run.scope);
    for (const stack of stacks) {
      if (stack.bytes <= 0) continue;
      if (isOver) {
        this.#over.processes.add(pid);
        this.#over.bytes += stack.bytes;
      } else this.#add(pid, comm, stack);
    }
  }

  #add(pid: number, comm: string, { caller, frames, bytes }: MappedStack): void {
    if (frames.length === 0) {
      this.#missing.stacks++;
      this.#missing.bytes += bytes;
    }
    const named = withCaller(frames, caller).map((frame): PerfFrame => {
      if (typeof frame === 'string') return { address: '0', symbol: frame, module: '' };
      return this.symbols.frames({ pid, chain: CallChain.of({ user: [frame] }) })[0] as PerfFrame;
    });
    if (frames.length > 0) this.#quality.judge({ frames: named });
    const sample = { kind: 'sample', comm, pid, tid: pid, frames: named } as const;
    const stack = foldSample({ ...sample, cpu: undefined, time: undefined, period: undefined, event: undefined });
    if (frames.length === 0) stack.splice(1, 0, NO_STACK);
    this.table.add(stack, bytes);
  }

  report(report: Report): void {
    const { maps, details } = this;
    if (this.#missing.stacks > 0) {
      report.warn(
        `of ${this.#missing.bytes} bytes the callers are missing: the kernel's table of stacks had no room for theirs`,
      );
    }
    const unkept = maps.total - maps.stacks.reduce((sum, { bytes }) => sum + bytes, 0);
    if (unkept > 0) {
      const option = details.kind === 'requested' ? 'max_stacks' : 'max_blocks';
      report.warn(
        `${unkept} bytes are left out: their stacks were more than the ${details.most} that are kept apart (raise ${option})`,
      );
    }
    if (maps.dropped > 0) {
      report.warn(
        `${maps.dropped} bytes are left out: more than ${details.most} blocks were outstanding at one time (raise max_blocks)`,
      );
    }
    const { processes, bytes } = this.#over;
    if (bytes > 0) {
      report.note(`${bytes} bytes of ${processes.size} processes that ended are left out: they have it no longer`);
    }
    this.#quality.report(report, FRAME_POINTERS);
  }
}
