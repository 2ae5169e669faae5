import {
  type Named,
  RUNNABLE,
  SCHEDULING_COLUMNS,
  type SchedulingState,
  TaskFollower,
} from '../../analysis/scheduling.ts';
import type { SectionHeader } from '../../common/header.ts';
import { type EventTable, eventColumns } from './event-table.ts';

/** What a task does in a span: it runs, is ready to run, or waits for a disk. */
export const TASK_RUNS = 0;
export const TASK_READY = 1;
export const TASK_DISK = 2;

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
  readonly pid: Int32Array;
  /** The CPU that it ran on; -1 where it did not run. */
  readonly cpu: Int32Array;
  /** Places in `comms`. */
  readonly comm: Int32Array;
  readonly comms: readonly string[];
}

/** What tasks did when, from the events of cpusched, as statistics have it. */
export function taskSpans(table: EventTable, header: SectionHeader, state?: SchedulingState): TaskSpans {
  const start: number[] = [];
  const end: number[] = [];
  const doing: number[] = [];
  const ran: number[] = [];
  const pids: number[] = [];
  const cpus: number[] = [];
  const names: number[] = [];
  const comms = new Map<string, number>();
  const add = (task: Named, what: number, cpu: number, since: number, until: number, comes = false): void => {
    const { pid, comm } = task;
    // What had a CPU at once waited too, for no time at all.
    if (pid === 0 || until < since || (until === since && !comes)) return;
    let name = comms.get(comm);
    if (name === undefined) {
      name = comms.size;
      comms.set(comm, name);
    }
    start.push(since / 1e9);
    end.push(until / 1e9);
    doing.push(what);
    ran.push(comes ? 1 : 0);
    pids.push(pid);
    cpus.push(cpu);
    names.push(name);
  };
  const follower = new TaskFollower(
    header,
    {
      ran(cpu, who, since, until) {
        if (who !== undefined) add(who, TASK_RUNS, cpu, since, until);
      },
      waited(task, reason, since, until, comes) {
        if (reason === RUNNABLE) add(task, TASK_READY, -1, since, until, comes);
        else if (reason === 'disk') add(task, TASK_DISK, -1, since, until);
      },
      switched() {},
    },
    state,
  );
  follower.add(eventColumns(table, SCHEDULING_COLUMNS));
  follower.end();
  return {
    cpus: follower.cpus.length,
    start: Float64Array.from(start),
    end: Float64Array.from(end),
    doing: Uint8Array.from(doing),
    ran: Uint8Array.from(ran),
    pid: Int32Array.from(pids),
    cpu: Int32Array.from(cpus),
    comm: Int32Array.from(names),
    comms: [...comms.keys()],
  };
}
