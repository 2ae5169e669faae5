import type { ColumnRequest, EventColumns } from '../common/column-data.ts';
import type { SectionHeader } from '../common/header.ts';
import { hostOfCpu, hostOfPid } from '../common/host-keys.ts';
import { parseRanges } from '../common/ranges.ts';
import { TASKS_IN_SCOPE } from '../common/scope.ts';

/*
 * What tasks and CPUs did, from the events of cpusched: statistics count it and the timeline draws it, so that both say
 * the same. What the events mean is told in docs/interfaces.md.
 */

/** The columns that a TaskFollower is given. */
export const SCHEDULING_COLUMNS: readonly ColumnRequest[] = [
  { field: 'cpu', as: 'number' },
  { field: 'pid', as: 'number' },
  { field: 'comm', as: 'text' },
  { field: 'other_pid', as: 'number' },
  { field: 'other_comm', as: 'text' },
  { field: 'state', as: 'text' },
];

/** Whether a section has what it takes. */
export function isScheduling({ datatype, fields }: SectionHeader): boolean {
  return datatype === 'event' && SCHEDULING_COLUMNS.every(({ field }) => fields?.includes(field) === true);
}

/** Letters of sched_switch's prev_state (include/trace/events/sched.h), and what they mean for one who waits. */
const REASONS: Readonly<Record<string, string>> = {
  R: 'runnable',
  S: 'sleeping',
  D: 'disk',
  I: 'idle',
  T: 'stopped',
  t: 'traced',
  P: 'parked',
};
/** The task has ended. */
const DEAD = /^[XZ]/;

/** Waiting for a CPU. */
export const RUNNABLE = 'runnable';
const RUNNING = 'running';
/** Stands for the task of a CPU where it is not known. */
const LOST = -1;

export interface Named {
  readonly pid: number;
  readonly comm: string;
}

/** Is told of each span of time when it ends; times are nanoseconds. */
export interface SpanSink {
  /** What ran on a CPU: a task, or the idle task (pid 0). Undefined where it cannot be told. */
  ran(cpu: number, who: Named | undefined, since: number, until: number): void;
  /** A task did not run, and why: RUNNABLE, or what it slept for. `comes`: it ran then. */
  waited(task: Named, reason: string, since: number, until: number, comes: boolean): void;
  /** A task (or idle) left a CPU for another. Undefined where not every switch of it is known. */
  switched(cpu: number, leaver: Named | undefined, reason: string, now: number): void;
}

interface TaskState {
  readonly pid: number;
  comm: string;
  /** RUNNING, RUNNABLE or another reason to wait; undefined where it is not known. */
  doing: string | undefined;
  since: number;
}

interface CpuState {
  readonly cpu: number;
  /** Who runs, 0 where it is idle; undefined before the first switch. */
  current: number | undefined;
  since: number;
  /** When an event last showed that it still runs. */
  seen: number;
}

/** When there were events of a host. What it does between them says nothing of another one. */
interface HostTimes {
  readonly first: number;
  last: number;
}

/** What is known at some moment, the beginning of a part of a section. Plain JSON. */
export interface SchedulingState {
  /** Where the part ends, when there are events behind it: what goes on at its last event goes on until then. Nanoseconds. */
  readonly until?: number;
  readonly first: number | undefined;
  readonly tasks: readonly TaskState[];
  readonly cpus: readonly CpuState[];
}

/**
 * Follows every task through switches and wake-ups. It is given all events of a section in the order of time: who runs at
 * the beginning of a range is known from what came before.
 */
export class TaskFollower {
  /** How often another task left a CPU than the last that had come. */
  missed = 0;
  /** Time of the first event, and of the last so far; undefined and 0 before there is any. */
  first: number | undefined;
  last = 0;
  #until = 0;
  /** How many events it was given before the one that a span ends with. */
  row = 0;
  readonly #sink: SpanSink;
  readonly #scope: SwitchScope;
  readonly #tasks = new Map<number, TaskState>();
  readonly #cpus = new Map<number, CpuState>();
  /** Of a section of several hosts. */
  readonly #hosts: Map<number, HostTimes> | undefined;

  /** @param state what was known before the first event that will be given. */
  constructor(header: SectionHeader, sink: SpanSink, state?: SchedulingState) {
    this.#sink = sink;
    this.#scope = scopeOf(header);
    this.#hosts = header.hosts === undefined ? undefined : new Map();
    this.first = state?.first;
    this.#until = state?.until ?? 0;
    for (const task of state?.tasks ?? []) this.#tasks.set(task.pid, { ...task });
    for (const cpu of state?.cpus ?? []) this.#cpus.set(cpu.cpu, { ...cpu });
  }

  /** Until when it is known what tasks and CPUs do: the last event, or the end of a part of a section. */
  get finish(): number {
    return Math.max(this.last, this.#until);
  }

  get state(): SchedulingState {
    return {
      first: this.first,
      tasks: [...this.#tasks.values()].map((task) => ({ ...task })),
      cpus: [...this.#cpus.values()].map((cpu) => ({ ...cpu })),
    };
  }

  /**
   * Takes events with SCHEDULING_COLUMNS, up to a time or `before` it.
   * @returns false where there was one that is later.
   */
  add(
    { length, time, type, columns }: EventColumns,
    to = Number.POSITIVE_INFINITY,
    bound: 'until' | 'before' = 'until',
  ): boolean {
    const [cpu, pid, comm, otherPid, otherComm, state] = columns;
    for (let i = 0; i < length; i++, this.row++) {
      const now = time[i]!;
      if (now > to || (bound === 'before' && now === to)) {
        // No event came between the last and this one.
        this.#until = to;
        return false;
      }
      this.first ??= now;
      this.last = now;
      if (this.#hosts !== undefined) this.#see(hostOfCpu(cpu!.values[i]!), now);
      const where = this.#cpu(cpu!.values[i]!);
      const other = { pid: otherPid!.values[i]!, comm: otherComm!.dictionary[otherComm!.values[i]!]! };
      switch (type.dictionary[type.values[i]!]) {
        case 'switch': {
          const leaver = { pid: pid!.values[i]!, comm: comm!.dictionary[comm!.values[i]!]! };
          this.#switch(now, where, leaver, state!.dictionary[state!.values[i]!]!, other);
          break;
        }
        case 'wakeup':
        case 'wakeup_new':
          this.#wake(now, other);
          break;
        case 'lost':
          this.#lose(now, where);
          break;
      }
      if (where.current === pid!.values[i]!) where.seen = now;
    }
    return true;
  }

  /** Ends all spans that have no end yet, at `finish`; those of one of several hosts where its events end. */
  end(): void {
    const now = this.finish;
    const endOf = (host: number): number => Math.max(this.#hosts?.get(host)?.last ?? now, this.#until);
    for (const cpu of this.#cpus.values()) this.#end(cpu, this.#hosts === undefined ? now : endOf(hostOfCpu(cpu.cpu)));
    for (const task of this.#tasks.values()) {
      this.#waited(task, this.#hosts === undefined ? now : endOf(hostOfPid(task.pid)), false);
    }
  }

  #see(host: number, now: number): void {
    const times = this.#hosts!.get(host);
    if (times === undefined) this.#hosts!.set(host, { first: now, last: now });
    else times.last = now;
  }

  /** The CPUs that there were events of. */
  get cpus(): number[] {
    return [...this.#cpus.keys()];
  }

  #switch(now: number, cpu: CpuState, leaver: Named, state: string, comer: Named): void {
    if (cpu.current === undefined) {
      // It has run since the beginning: had it come later, that switch would be here.
      const first = this.#hosts?.get(hostOfCpu(cpu.cpu))?.first ?? this.first!;
      this.#sink.ran(cpu.cpu, this.#scope.isComplete(leaver.pid) ? leaver : undefined, first, now);
    } else if (cpu.current === leaver.pid) {
      this.#sink.ran(cpu.cpu, this.#scope.mayBeComplete(leaver.pid) ? leaver : undefined, cpu.since, now);
    } else {
      this.#displaced(cpu, now);
    }
    const reason = REASONS[state[0] ?? ''] ?? (state === '' ? 'unknown' : state);
    this.#sink.switched(cpu.cpu, this.#scope.mayBeComplete(leaver.pid) ? leaver : undefined, reason, now);
    if (leaver.pid !== 0) this.#leave(now, leaver, state, reason);
    if (comer.pid !== 0) this.#come(now, comer);
    cpu.current = comer.pid;
    cpu.since = now;
    cpu.seen = now;
  }

  /** Another task leaves than had come: a switch between them is missing, some time after the first was last seen. */
  #displaced(cpu: CpuState, now: number): void {
    const gone = cpu.current!;
    const task = this.#tasks.get(gone);
    if (gone !== LOST && this.#scope.mayBeComplete(gone)) {
      this.missed++;
      this.#sink.ran(cpu.cpu, { pid: gone, comm: task?.comm ?? '' }, cpu.since, cpu.seen);
      this.#sink.ran(cpu.cpu, undefined, cpu.seen, now);
    } else {
      this.#sink.ran(cpu.cpu, undefined, cpu.since, now);
    }
    if (task !== undefined && gone > 0) task.doing = undefined;
  }

  /** From here on events of a CPU are missing: who runs there is unknown until its next switch, and what others do too. */
  #lose(now: number, cpu: CpuState): void {
    this.#end(cpu, now);
    cpu.current = LOST;
    cpu.since = now;
    cpu.seen = now;
    const host = hostOfCpu(cpu.cpu);
    for (const task of this.#tasks.values()) {
      if (this.#hosts !== undefined && hostOfPid(task.pid) !== host) continue;
      this.#waited(task, now, false);
      task.doing = undefined;
    }
  }

  #leave(now: number, leaver: Named, state: string, reason: string): void {
    const task = this.#task(leaver);
    // What a task out of scope does next is not recorded.
    task.doing = this.#scope.mayBeComplete(leaver.pid) ? reason : undefined;
    task.since = now;
    if (DEAD.test(state)) this.#tasks.delete(leaver.pid);
  }

  #come(now: number, comer: Named): void {
    const task = this.#task(comer);
    this.#waited(task, now, true);
    task.doing = RUNNING;
    task.since = now;
  }

  #wake(now: number, woken: Named): void {
    if (!this.#scope.mayBeComplete(woken.pid)) return;
    const task = this.#task(woken);
    if (task.doing === RUNNING || task.doing === RUNNABLE) return;
    this.#waited(task, now, false);
    task.doing = RUNNABLE;
    task.since = now;
  }

  #waited(task: TaskState, now: number, comes: boolean): void {
    const { doing, since } = task;
    if (doing !== undefined && doing !== RUNNING) this.#sink.waited(task, doing, since, now, comes);
  }

  #end(cpu: CpuState, end: number): void {
    if (cpu.current === undefined) return;
    const task = this.#tasks.get(cpu.current);
    const isSure = this.#scope.isComplete(cpu.current) && (cpu.current === 0 || task !== undefined);
    this.#sink.ran(cpu.cpu, isSure ? { pid: cpu.current, comm: task?.comm ?? '' } : undefined, cpu.since, end);
    cpu.since = end;
  }

  #task({ pid, comm }: Named): TaskState {
    let task = this.#tasks.get(pid);
    if (task === undefined) {
      task = { pid, comm, doing: undefined, since: 0 };
      this.#tasks.set(pid, task);
    }
    task.comm = comm;
    return task;
  }

  #cpu(number: number): CpuState {
    let cpu = this.#cpus.get(number);
    if (cpu === undefined) {
      cpu = { cpu: number, current: undefined, since: 0, seen: 0 };
      this.#cpus.set(number, cpu);
    }
    return cpu;
  }
}

/**
 * What is known of a part of a section before its first event: who runs there, and what for tasks wait; and whether it goes on
 * behind the part. `from` and `to` are seconds.
 * @param known where the section is read only from some event on: the state before that.
 * @returns undefined where the section does not tell, or the part is all of it.
 */
export async function stateBefore(
  section: { readonly header: SectionHeader; events(want: readonly ColumnRequest[]): AsyncIterable<EventColumns> },
  { from = 0, to = Number.POSITIVE_INFINITY }: { readonly from?: number; readonly to?: number },
  known?: SchedulingState,
): Promise<SchedulingState | undefined> {
  if (!isScheduling(section.header) || (from <= 0 && to === Number.POSITIVE_INFINITY)) return undefined;
  const follower = new TaskFollower(section.header, NO_SINK, known);
  let isBefore = true;
  for await (const events of section.events(SCHEDULING_COLUMNS)) {
    isBefore &&= follower.add(events, from * 1e9, 'before');
    if (!isBefore && events.time[events.length - 1]! > to * 1e9) return { ...follower.state, until: to * 1e9 };
  }
  return follower.state;
}

const NO_SINK: SpanSink = { ran() {}, waited() {}, switched() {} };

/** Of which tasks (0: of idle ones) a section holds every switch. Of a run with a scope, only those are there that a task in scope takes part in. */
interface SwitchScope {
  /** Surely. */
  isComplete(pid: number): boolean;
  /** As far as the section tells. */
  mayBeComplete(pid: number): boolean;
}

function scopeOf({ scope, options }: SectionHeader): SwitchScope {
  if (scope?.['system_wide'] !== false) return { isComplete: () => true, mayBeComplete: () => true };
  const tasks = options?.[TASKS_IN_SCOPE];
  const isInScope = typeof tasks === 'string' ? parseRanges(tasks) : undefined;
  if (isInScope !== undefined) return { isComplete: isInScope, mayBeComplete: isInScope };
  const pids = new Set(Array.isArray(scope['pids']) ? scope['pids'] : []);
  return { isComplete: (pid) => pids.has(pid), mayBeComplete: () => true };
}
