import type { FileRecord, FileSwitch } from './perf-file.ts';
import type { PerfFrame } from './perf-script.ts';

/** Why a task is off its CPU: for the frame below its process, and as the type of an event. */
export type OffCpuReason = 'sleeping' | 'disk' | 'runnable' | 'stopped' | 'blocked';

/**
 * The reason behind a state as the kernel prints it (include/trace/events/sched.h); undefined where the task has ended. A task
 * that could go on is runnable; D is a wait that no signal ends, which is mostly one for a disk.
 */
export function reasonOf(state: string): OffCpuReason | undefined {
  if (/[XZ]/.test(state)) return undefined;
  if (state.startsWith('R')) return 'runnable';
  if (state.includes('D')) return 'disk';
  if (/[Tt]/.test(state)) return 'stopped';
  return 'sleeping';
}

/** Frames of the tracing itself, which are the innermost where several listen to sched_switch. */
const TRACING = /^(__traceiter_|perf_trace_|trace_event_raw_)/;

/** The frames of a task that leaves its CPU, innermost first, without what belongs to the tracing. */
export function withoutTracing(frames: readonly PerfFrame[]): readonly PerfFrame[] {
  const traced = frames.findIndex(({ symbol }) => !TRACING.test(symbol));
  return traced > 0 ? frames.slice(traced) : frames;
}

const IDLE = 0;

/** Whether a block begins here: a task leaves its CPU. What the idle task does is none. */
export function beginsBlock({ tid, time, isOut }: FileSwitch): boolean {
  return isOut && tid > IDLE && time !== undefined;
}

/** Marks the time of a block that is left out: its end is not known, or it has none. */
const LEFT_OUT = -1;

/** Numbers in the order in which they came; 8 bytes each. */
class Numbers {
  #values = new Float64Array(1024);
  length = 0;

  push(value: number): number {
    if (this.length === this.#values.length) {
      const larger = new Float64Array(2 * this.length);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.length] = value;
    return this.length++;
  }

  at(index: number): number {
    return this.#values[index]!;
  }

  set(index: number, value: number): void {
    this.#values[index] = value;
  }
}

interface TaskState {
  /** The block that it is in, and when that began. */
  block: number;
  since: number;
  isEnding: boolean;
  /** It has begun, and was not on a CPU yet. */
  isFresh: boolean;
  /** It was on a CPU: one that comes and is neither fresh nor was seen had left before. */
  isSeen: boolean;
}

/** The number of no block. */
const NONE = -1;
const UNSEEN: Readonly<TaskState> = { block: NONE, since: 0, isEnding: false, isFresh: false, isSeen: false };

/**
 * How long each task was off its CPU, from a first reading of a recording: a block begins where a task leaves and ends where
 * it comes again, perhaps much later, while the records of blocks stand in the order of their beginnings. Blocks are
 * numbered in that order.
 */
export class OffCpuTimes {
  /** Blocks that had not ended when the recording did: they count until then. */
  cut = 0;
  cutTime = 0;
  /** Times that a task came to a CPU and had left its own before the recording began, or in a hole of it. */
  early = 0;
  /** Blocks of which an end is missing in the records. */
  unpaired = 0;
  readonly #times = new Numbers();
  readonly #tasks = new Map<number, TaskState>();
  readonly #lastSamples = new Map<number, number>();
  #last = 0;

  /** Records in the order of their times. What is before the first sample is not looked at: perf notes switches a while earlier. */
  add(record: FileRecord): void {
    if (this.#lastSamples.size === 0 && record.kind !== 'sample') return;
    if ('time' in record && record.time !== undefined && record.time > this.#last) this.#last = record.time;
    switch (record.kind) {
      case 'sample':
        if (record.cpu !== undefined && record.time !== undefined) this.#lastSamples.set(record.cpu, record.time);
        return;
      case 'switch':
        if (record.time === undefined || record.tid <= IDLE) return;
        if (record.isOut) this.#leave(record.tid, record.time);
        else this.#come(record.tid, record.time);
        return;
      case 'fork':
        this.#tasks.set(record.tid, { ...UNSEEN, isFresh: true });
        return;
      case 'exit':
        this.#task(record.tid).isEnding = true;
        return;
      case 'lost':
        // Any of them may have ended in the hole.
        for (const task of this.#tasks.values()) {
          if (task.block !== NONE) this.unpaired++;
          task.block = NONE;
          task.isSeen = false;
        }
        return;
      default:
    }
  }

  /** To be called when all records were added. */
  finish(): void {
    for (const task of this.#tasks.values()) {
      const { block, since, isEnding } = task;
      task.block = NONE;
      if (block === NONE || isEnding) continue;
      this.cut++;
      this.cutTime += this.#last - since;
      this.#times.set(block, this.#last - since);
    }
  }

  /** Whether samples of a CPU came later still: where none do its recording had ended, though switches are still noted. */
  isSampledAfter(cpu: number, time: number): boolean {
    return (this.#lastSamples.get(cpu) ?? 0) > time;
  }

  /** Nanoseconds that a block lasts; undefined where it is left out. */
  timeOf(block: number): number | undefined {
    const time = this.#times.at(block);
    return time === LEFT_OUT ? undefined : time;
  }

  #leave(tid: number, time: number): void {
    const task = this.#task(tid);
    if (task.block !== NONE) this.unpaired++;
    task.isSeen = true;
    task.block = this.#times.push(LEFT_OUT);
    task.since = time;
  }

  #come(tid: number, time: number): void {
    const task = this.#task(tid);
    if (task.block !== NONE) this.#times.set(task.block, Math.max(0, time - task.since));
    else if (task.isSeen) this.unpaired++;
    else if (!task.isFresh) this.early++;
    task.block = NONE;
    task.isFresh = false;
    task.isSeen = true;
  }

  #task(tid: number): TaskState {
    let task = this.#tasks.get(tid);
    if (task === undefined) {
      task = { ...UNSEEN };
      this.#tasks.set(tid, task);
    }
    return task;
  }
}
