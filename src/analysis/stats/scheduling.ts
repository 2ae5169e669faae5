import type { SectionHeader } from '../../common/header.ts';
import type { ColumnRequest, EventColumns } from '../../common/reader.ts';
import { type Filter, remember } from '../select.ts';
import { type ByProcess, Groups, largest, OTHERS, ProcessGroup, type ProcessName } from './groups.ts';
import { Summariser, type Summary } from './summary.ts';

/** Where the CPUs' time went, from the events of cpusched. Times are seconds, latencies milliseconds. */
export interface SchedulingStats {
  /** What the times are out of: from the first to the last event, or the range that was asked for. */
  readonly from: number;
  readonly to: number;
  readonly cpus: readonly CpuStats[];
  /** From being ready to run to running: of all tasks but idle ones. */
  readonly latency: Summary;
  /** How long tasks did not run, by what they waited for. */
  readonly waits: readonly Wait[];
  /** Those with the most CPU time first. */
  readonly processes: readonly (ProcessName & ProcessTimes)[];
  /** How often another task left a CPU than the last that had come: switches of MARPLE's own tasks are left out, others are missing. */
  readonly missed: number;
}

export interface CpuStats {
  readonly cpu: number;
  readonly busy: number;
  readonly idle: number;
  /** Of tasks that the filter leaves out. */
  readonly other: number;
  /** Where it cannot be told who ran. */
  readonly unknown: number;
  readonly switches: number;
}

export interface Wait {
  /** `runnable` is waiting for a CPU. */
  readonly reason: string;
  readonly seconds: number;
}

export interface ProcessTimes {
  readonly cpu_seconds: number;
  /** Times that it left a CPU, and those of them at which it could have gone on. */
  readonly switches: number;
  readonly preempted: number;
  readonly latency: Summary;
  readonly waits: readonly Wait[];
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

const RUNNABLE = 'runnable';
const RUNNING = 'running';
/** Stands for the task of a CPU where it is not known. */
const LOST = -1;

class Times {
  cpu = 0;
  switches = 0;
  preempted = 0;
  readonly latency = new Summariser('group');
  readonly waits = new Map<string, number>();
}

interface TaskState {
  comm: string;
  /** Undefined where the filter leaves the task out. */
  group: ProcessGroup<Times> | undefined;
  /** RUNNING, RUNNABLE or another reason to wait; undefined where it is not known. */
  doing: string | undefined;
  /** Nanoseconds. */
  since: number;
}

class Cpu {
  /** Who runs, 0 where it is idle; undefined before the first switch. */
  current: number | undefined;
  since = 0;
  /** When an event last showed that it still runs. */
  seen = 0;
  busy = 0;
  idle = 0;
  other = 0;
  unknown = 0;
  switches = 0;

  constructor(readonly number: number) {}
}

const WANT: readonly ColumnRequest[] = [
  { field: 'cpu', as: 'number' },
  { field: 'pid', as: 'number' },
  { field: 'comm', as: 'text' },
  { field: 'other_pid', as: 'number' },
  { field: 'other_comm', as: 'text' },
  { field: 'state', as: 'text' },
];

/** Whether a section has what it takes. */
export function isScheduling({ datatype, fields }: SectionHeader): boolean {
  return datatype === 'event' && WANT.every(({ field }) => fields?.includes(field) === true);
}

/**
 * Follows every task through switches and wake-ups. It is given all events of the section in the order of time, those
 * outside the filter too: who runs at its beginning is known from what came before.
 */
export class SchedulingCounter {
  readonly want = WANT;
  readonly #from: number;
  readonly #to: number;
  readonly #pids: ReadonlySet<number> | undefined;
  readonly #matches: ((comm: string) => boolean) | undefined;
  readonly #scope: { readonly all: boolean; readonly pids: ReadonlySet<number> };
  readonly #tasks = new Map<number, TaskState>();
  readonly #cpus = new Map<number, Cpu>();
  readonly #groups: Groups<string, ProcessGroup<Times>>;
  readonly #latency = new Summariser('all');
  readonly #waits = new Map<string, number>();
  #comm = '';
  #first: number | undefined;
  #last = 0;
  #missed = 0;

  constructor(
    header: SectionHeader,
    readonly by: ByProcess,
    { from, to, pids, comm }: Filter,
  ) {
    this.#from = from === undefined ? Number.NEGATIVE_INFINITY : from * 1e9;
    this.#to = to === undefined ? Number.POSITIVE_INFINITY : to * 1e9;
    this.#pids = pids === undefined ? undefined : new Set(pids);
    this.#matches = comm === undefined ? undefined : remember(comm);
    this.#scope = scopeOf(header);
    this.#groups = new Groups(
      () => new ProcessGroup(this.#comm, new Times()),
      () => new ProcessGroup(OTHERS, new Times()),
    );
  }

  add({ length, time, type, columns }: EventColumns): void {
    const [cpu, pid, comm, otherPid, otherComm, state] = columns;
    for (let i = 0; i < length; i++) {
      const now = time[i]!;
      if (now > this.#to) return;
      this.#first ??= now;
      this.#last = now;
      const other = { pid: otherPid!.values[i]!, comm: otherComm!.dictionary[otherComm!.values[i]!]! };
      switch (type.dictionary[type.values[i]!]) {
        case 'switch':
          this.#switch(
            now,
            this.#cpu(cpu!.values[i]!),
            { pid: pid!.values[i]!, comm: comm!.dictionary[comm!.values[i]!]! },
            state!.dictionary[state!.values[i]!]!,
            other,
          );
          break;
        case 'wakeup':
        case 'wakeup_new':
          this.#wake(now, other);
          break;
        case 'lost':
          this.#lose(now, this.#cpu(cpu!.values[i]!));
          break;
      }
      const where = this.#cpu(cpu!.values[i]!);
      if (where.current === pid!.values[i]!) where.seen = now;
    }
  }

  #switch(now: number, cpu: Cpu, leaver: Named, state: string, comer: Named): void {
    if (cpu.current === undefined) {
      // It has run since the beginning: had it come later, that switch would be here.
      this.#ran(cpu, this.#inScope(leaver.pid) ? leaver : undefined, this.#first!, now);
    } else if (cpu.current === leaver.pid) {
      this.#ran(cpu, leaver, cpu.since, now);
    } else {
      this.#displaced(cpu, now);
    }
    if (this.#within(now)) cpu.switches++;
    if (leaver.pid !== 0) this.#leave(now, leaver, state);
    if (comer.pid !== 0) this.#come(now, comer);
    cpu.current = comer.pid;
    cpu.since = now;
    cpu.seen = now;
  }

  /** Another task leaves than had come: a switch between them is missing, some time after the first was last seen. */
  #displaced(cpu: Cpu, now: number): void {
    const gone = cpu.current!;
    const task = this.#tasks.get(gone);
    if (gone !== LOST) {
      this.#missed++;
      this.#ran(cpu, { pid: gone, comm: task?.comm ?? '' }, cpu.since, cpu.seen);
    }
    if (task !== undefined && gone > 0) task.doing = undefined;
    this.#ran(cpu, undefined, cpu.seen, now);
  }

  /** From here on events of a CPU are missing: who runs there is unknown until its next switch, and what others do too. */
  #lose(now: number, cpu: Cpu): void {
    this.#end(cpu, now);
    cpu.current = LOST;
    cpu.since = now;
    cpu.seen = now;
    for (const task of this.#tasks.values()) {
      if (task.doing !== RUNNING) this.#waited(task, now);
      task.doing = undefined;
    }
  }

  #ran(cpu: Cpu, who: Named | undefined, since: number, until: number): void {
    const time = this.#clip(since, until);
    if (who === undefined) cpu.unknown += time;
    else if (who.pid === 0) cpu.idle += time;
    else {
      const { group } = this.#task(who);
      if (group === undefined) cpu.other += time;
      else {
        cpu.busy += time;
        group.totals.cpu += time;
      }
    }
  }

  #leave(now: number, leaver: Named, state: string): void {
    const task = this.#task(leaver);
    const reason = REASONS[state[0] ?? ''] ?? (state === '' ? 'unknown' : state);
    if (task.group !== undefined && this.#within(now)) {
      task.group.totals.switches++;
      if (reason === RUNNABLE) task.group.totals.preempted++;
    }
    task.doing = reason;
    task.since = now;
    if (DEAD.test(state)) this.#tasks.delete(leaver.pid);
  }

  #come(now: number, comer: Named): void {
    const task = this.#task(comer);
    if (task.doing === RUNNABLE && this.#within(now) && task.group !== undefined) {
      const milliseconds = (now - task.since) / 1e6;
      this.#latency.add(milliseconds);
      task.group.totals.latency.add(milliseconds);
    }
    this.#waited(task, now);
    task.doing = RUNNING;
    task.since = now;
  }

  #wake(now: number, woken: Named): void {
    const task = this.#task(woken);
    if (task.doing === RUNNING || task.doing === RUNNABLE) return;
    this.#waited(task, now);
    task.doing = RUNNABLE;
    task.since = now;
  }

  #waited({ doing, since, group }: TaskState, now: number): void {
    if (doing === undefined || doing === RUNNING || group === undefined) return;
    const time = this.#clip(since, now);
    if (time === 0) return;
    for (const waits of [this.#waits, group.totals.waits]) waits.set(doing, (waits.get(doing) ?? 0) + time);
  }

  #task({ pid, comm }: Named): TaskState {
    let task = this.#tasks.get(pid);
    if (task === undefined) {
      task = { comm, group: this.#group(pid, comm), doing: undefined, since: 0 };
      this.#tasks.set(pid, task);
    } else if (task.comm !== comm) {
      task.comm = comm;
      task.group = this.#group(pid, comm);
    }
    return task;
  }

  #group(pid: number, comm: string): ProcessGroup<Times> | undefined {
    if (this.#pids?.has(pid) === false || this.#matches?.(comm) === false) return undefined;
    this.#comm = comm;
    const group = this.#groups.of(this.by === 'pid' ? `${pid} ${comm}` : comm);
    group.see(pid);
    return group;
  }

  #cpu(number: number): Cpu {
    let cpu = this.#cpus.get(number);
    if (cpu === undefined) {
      cpu = new Cpu(number);
      this.#cpus.set(number, cpu);
    }
    return cpu;
  }

  /** Whether all switches of a task were recorded: then it has run since the beginning if none was seen. */
  #inScope(pid: number): boolean {
    return this.#scope.all || this.#scope.pids.has(pid);
  }

  #within(now: number): boolean {
    return now >= this.#from && now <= this.#to;
  }

  #clip(since: number, until: number): number {
    return Math.max(0, Math.min(until, this.#to) - Math.max(since, this.#from));
  }

  stats(top: number): SchedulingStats {
    // There may have been no event just at the end of the range that was asked for.
    const end = Math.min(this.#to, this.#last);
    for (const cpu of this.#cpus.values()) this.#end(cpu, end);
    for (const task of this.#tasks.values()) this.#waited(task, end);
    const from = Math.min(end, Math.max(this.#from, this.#first ?? 0));
    return {
      from: from / 1e9,
      to: end / 1e9,
      cpus: [...this.#cpus.values()]
        .sort((a, b) => a.number - b.number)
        .map(({ number, busy, idle, other, unknown, switches }) => ({
          cpu: number,
          busy: busy / 1e9,
          idle: idle / 1e9,
          other: other / 1e9,
          unknown: unknown / 1e9,
          switches,
        })),
      latency: this.#latency.summary(),
      waits: waitsOf(this.#waits),
      processes: largest(this.#groups.all(), top, ({ totals }) => totals.cpu).map(({ name, totals }) => ({
        ...name,
        cpu_seconds: totals.cpu / 1e9,
        switches: totals.switches,
        preempted: totals.preempted,
        latency: totals.latency.summary(),
        waits: waitsOf(totals.waits),
      })),
      missed: this.#missed,
    };
  }

  #end(cpu: Cpu, end: number): void {
    if (cpu.current === undefined) return;
    const task = this.#tasks.get(cpu.current);
    const sure = cpu.current === 0 ? this.#scope.all : this.#inScope(cpu.current) && task !== undefined;
    this.#ran(cpu, sure ? { pid: cpu.current, comm: task?.comm ?? '' } : undefined, cpu.since, end);
    cpu.since = end;
  }
}

interface Named {
  readonly pid: number;
  readonly comm: string;
}

/** Of a run with a scope, only those switches are there that a task in scope takes part in. */
function scopeOf({ scope }: SectionHeader): { all: boolean; pids: ReadonlySet<number> } {
  const pids = Array.isArray(scope?.['pids']) ? scope['pids'].filter((pid) => typeof pid === 'number') : [];
  return { all: scope?.['system_wide'] !== false, pids: new Set(pids) };
}

function waitsOf(waits: ReadonlyMap<string, number>): Wait[] {
  return [...waits].sort(([, a], [, b]) => b - a).map(([reason, time]) => ({ reason, seconds: time / 1e9 }));
}
