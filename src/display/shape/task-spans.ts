import {
  type Named,
  RUNNABLE,
  SCHEDULING_COLUMNS,
  type SchedulingState,
  type SpanSink,
  TaskFollower,
} from '../../analysis/scheduling.ts';
import type { SectionHeader } from '../../common/header.ts';
import { type EventTable, eventColumns } from './event-table.ts';

/** What a task does in a span: it runs, is ready to run, or waits for a disk. */
export const TASK_RUNS = 0;
export const TASK_READY = 1;
export const TASK_DISK = 2;
/** Where spans are sums: one wait for a CPU, beside the sum that it is in. */
export const TASK_WAITED = 3;

/** Spans of time in which tasks ran or were kept from it, but the idle task. One entry a span, in about the order of their ends. */
export interface TaskSpans {
  /** How many CPUs there were events of. */
  readonly cpus: number;
  /** Seconds since the origin. */
  readonly start: Float64Array;
  readonly end: Float64Array;
  readonly doing: Uint8Array;
  /** 1 where it ran then: of a wait for a CPU, that it had one at the end. */
  readonly ran: Uint8Array;
  /** The CPU that it ran on; -1 where it did not run. */
  readonly cpu: Int32Array;
  /** Places in `tasks`. */
  readonly task: Int32Array;
  readonly tasks: readonly Named[];
  /**
   * Where they are sums: in how many bins of the same width. What a task did in a bin, on one CPU, is one span then, at the
   * beginning of the bin and as long as all of it together.
   */
  readonly bins?: number;
  /** Where they are sums: how many waits for a CPU had one at the end. Of these some were picked, and the longest. */
  readonly waits?: number;
}

/** What tasks did when, from the events of cpusched, as statistics have it. */
export function taskSpans(table: EventTable, header: SectionHeader, state?: SchedulingState): TaskSpans {
  // Hardly any event begins more than one.
  const rows = new SpanRows(Math.ceil(1.3 * table.length));
  const follower = new TaskFollower(
    header,
    spanSink((task, what, cpu, since, until, comes) => rows.add(task, what, cpu, since, until, comes)),
    state,
  );
  follower.add(eventColumns(table, SCHEDULING_COLUMNS));
  follower.end();
  return rows.spans(follower.cpus.length);
}

/**
 * Is told what a task does (TASK_RUNS and so on), on which CPU, -1 where it does not run, when (nanoseconds), and of a wait for a CPU
 * whether it had one at the end.
 */
type OnSpan = (task: Named, what: number, cpu: number, since: number, until: number, comes: boolean) => void;

/** What a TaskFollower finds, as far as it is a span. */
export function spanSink(onSpan: OnSpan): SpanSink {
  const tell: OnSpan = (task, what, cpu, since, until, comes) => {
    // What had a CPU at once waited too, for no time at all.
    if (task.pid === 0 || until < since || (until === since && !comes)) return;
    onSpan(task, what, cpu, since, until, comes);
  };
  return {
    ran(cpu, who, since, until) {
      if (who !== undefined) tell(who, TASK_RUNS, cpu, since, until, false);
    },
    waited(task, reason, since, until, comes) {
      if (reason === RUNNABLE) tell(task, TASK_READY, -1, since, until, comes);
      else if (reason === 'disk') tell(task, TASK_DISK, -1, since, until, false);
    },
    switched() {},
  };
}

/** Numbers tasks by pid and name, which a task may change. */
export class TaskNumbers {
  readonly tasks: Named[] = [];
  readonly #ids = new Map<string, number>();
  /** The number that a pid had last: a task seldom changes its name. */
  readonly #lastIds = new Map<number, number>();

  of({ pid, comm }: Named): number {
    const last = this.#lastIds.get(pid);
    if (last !== undefined && this.tasks[last]!.comm === comm) return last;
    const name = `${pid} ${comm}`;
    let id = this.#ids.get(name);
    if (id === undefined) {
      id = this.tasks.length;
      this.#ids.set(name, id);
      this.tasks.push({ pid, comm });
    }
    this.#lastIds.set(pid, id);
    return id;
  }
}

/** Gathers spans. There are very many, so their room is known beforehand, more or less. */
export class SpanRows {
  #length = 0;
  #start: Float64Array;
  #end: Float64Array;
  #doing: Uint8Array;
  #ran: Uint8Array;
  #cpu: Int32Array;
  #task: Int32Array;
  readonly #numbers = new TaskNumbers();

  /** @param room for how many, at first. */
  constructor(room: number) {
    this.#start = new Float64Array(room);
    this.#end = new Float64Array(room);
    this.#doing = new Uint8Array(room);
    this.#ran = new Uint8Array(room);
    this.#cpu = new Int32Array(room);
    this.#task = new Int32Array(room);
  }

  /** Times are nanoseconds. */
  add(task: Named, what: number, cpu: number, since: number, until: number, comes: boolean): void {
    if (this.#length === this.#start.length) this.#grow();
    const row = this.#length++;
    this.#start[row] = since / 1e9;
    this.#end[row] = until / 1e9;
    this.#doing[row] = what;
    this.#ran[row] = comes ? 1 : 0;
    this.#cpu[row] = cpu;
    this.#task[row] = this.#numbers.of(task);
  }

  spans(cpus: number): TaskSpans {
    return {
      cpus,
      start: this.#start.subarray(0, this.#length),
      end: this.#end.subarray(0, this.#length),
      doing: this.#doing.subarray(0, this.#length),
      ran: this.#ran.subarray(0, this.#length),
      cpu: this.#cpu.subarray(0, this.#length),
      task: this.#task.subarray(0, this.#length),
      tasks: this.#numbers.tasks,
    };
  }

  #grow(): void {
    const room = 2 * this.#length + 64;
    const larger = <A extends Float64Array | Int32Array | Uint8Array>(made: A, old: A): A => {
      made.set(old);
      return made;
    };
    this.#start = larger(new Float64Array(room), this.#start);
    this.#end = larger(new Float64Array(room), this.#end);
    this.#doing = larger(new Uint8Array(room), this.#doing);
    this.#ran = larger(new Uint8Array(room), this.#ran);
    this.#cpu = larger(new Int32Array(room), this.#cpu);
    this.#task = larger(new Int32Array(room), this.#task);
  }
}
