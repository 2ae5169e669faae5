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
import { Growing, growingFloats } from './growing.ts';

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
  const rows = new SpanRows();
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

/** Gathers spans. */
export class SpanRows {
  readonly #start = growingFloats();
  readonly #end = growingFloats();
  readonly #doing = new Growing((length) => new Uint8Array(length));
  readonly #ran = new Growing((length) => new Uint8Array(length));
  readonly #cpu = new Growing((length) => new Int32Array(length));
  readonly #task = new Growing((length) => new Int32Array(length));
  readonly #numbers = new TaskNumbers();

  /** Times are nanoseconds. */
  add(task: Named, what: number, cpu: number, since: number, until: number, comes: boolean): void {
    this.#start.push(since / 1e9);
    this.#end.push(until / 1e9);
    this.#doing.push(what);
    this.#ran.push(comes ? 1 : 0);
    this.#cpu.push(cpu);
    this.#task.push(this.#numbers.of(task));
  }

  spans(cpus: number): TaskSpans {
    return {
      cpus,
      start: this.#start.values.slice(),
      end: this.#end.values.slice(),
      doing: this.#doing.values.slice(),
      ran: this.#ran.values.slice(),
      cpu: this.#cpu.values.slice(),
      task: this.#task.values.slice(),
      tasks: this.#numbers.tasks,
    };
  }
}
