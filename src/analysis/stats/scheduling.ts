import type { EventColumns } from '../../common/column-data.ts';
import type { SectionHeader } from '../../common/header.ts';
import { cpuOf, hostOfCpu } from '../../common/host-keys.ts';
import { largest } from '../largest.ts';
import { type Named, RUNNABLE, SCHEDULING_COLUMNS, type SpanSink, TaskFollower } from '../scheduling.ts';
import { type Filter, remember } from '../select.ts';
import { type ByProcess, Groups, OTHERS, ProcessGroup, type ProcessName } from './groups.ts';
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
  /** Where there are several hosts. */
  readonly host?: string;
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

class Times {
  cpu = 0;
  switches = 0;
  preempted = 0;
  readonly latency: Summariser;
  readonly waits = new Map<string, number>();

  constructor(sampled: number) {
    this.latency = new Summariser('group', sampled);
  }
}

class CpuTimes {
  busy = 0;
  idle = 0;
  other = 0;
  unknown = 0;
  switches = 0;

  constructor(readonly number: number) {}
}

/** A task as the filter sees it. */
interface TaskGroup {
  readonly comm: string;
  /** Undefined where the filter leaves the task out. */
  readonly group: ProcessGroup<Times> | undefined;
}

/** Counts what a TaskFollower finds. It is given all events of the section in the order of time, those outside the filter too. */
export class SchedulingCounter implements SpanSink {
  readonly want = SCHEDULING_COLUMNS;
  readonly #from: number;
  readonly #to: number;
  readonly #pids: ReadonlySet<number> | undefined;
  readonly #matches: ((comm: string) => boolean) | undefined;
  readonly #follower: TaskFollower;
  readonly #tasks = new Map<number, TaskGroup>();
  readonly #cpus = new Map<number, CpuTimes>();
  readonly #groups: Groups<string, ProcessGroup<Times>>;
  readonly #latency: Summariser;
  readonly #waits = new Map<string, number>();
  #comm = '';

  constructor(
    readonly header: SectionHeader,
    readonly by: ByProcess,
    { from, to, pids, comm }: Filter,
    sampled = 0,
  ) {
    this.#latency = new Summariser('all', sampled);
    this.#from = from === undefined ? Number.NEGATIVE_INFINITY : from * 1e9;
    this.#to = to === undefined ? Number.POSITIVE_INFINITY : to * 1e9;
    this.#pids = pids === undefined ? undefined : new Set(pids);
    this.#matches = comm === undefined ? undefined : remember(comm);
    this.#follower = new TaskFollower(header, this);
    this.#groups = new Groups(
      () => new ProcessGroup(this.#comm, new Times(sampled)),
      () => new ProcessGroup(OTHERS, new Times(sampled)),
    );
  }

  add(events: EventColumns): void {
    this.#follower.add(events, this.#to);
  }

  ran(number: number, who: Named | undefined, since: number, until: number): void {
    const cpu = this.#cpu(number);
    const time = this.#clip(since, until);
    if (who === undefined) cpu.unknown += time;
    else if (who.pid === 0) cpu.idle += time;
    else {
      const group = this.#groupOf(who);
      if (group === undefined) cpu.other += time;
      else {
        cpu.busy += time;
        group.totals.cpu += time;
      }
    }
  }

  switched(number: number, leaver: Named | undefined, reason: string, now: number): void {
    if (!this.#within(now)) return;
    this.#cpu(number).switches++;
    const group = leaver === undefined || leaver.pid === 0 ? undefined : this.#groupOf(leaver);
    if (group === undefined) return;
    group.totals.switches++;
    if (reason === RUNNABLE) group.totals.preempted++;
  }

  waited(task: Named, reason: string, since: number, until: number, comes: boolean): void {
    const group = this.#groupOf(task);
    if (group === undefined) return;
    if (comes && reason === RUNNABLE && this.#within(until)) {
      const milliseconds = (until - since) / 1e6;
      this.#latency.add(milliseconds);
      group.totals.latency.add(milliseconds);
    }
    const time = this.#clip(since, until);
    if (time === 0) return;
    for (const waits of [this.#waits, group.totals.waits]) waits.set(reason, (waits.get(reason) ?? 0) + time);
  }

  #groupOf({ pid, comm }: Named): ProcessGroup<Times> | undefined {
    let task = this.#tasks.get(pid);
    if (task === undefined || task.comm !== comm) {
      task = { comm, group: this.#group(pid, comm) };
      this.#tasks.set(pid, task);
    }
    return task.group;
  }

  #group(pid: number, comm: string): ProcessGroup<Times> | undefined {
    if (this.#pids?.has(pid) === false || this.#matches?.(comm) === false) return undefined;
    this.#comm = comm;
    const group = this.#groups.of(this.by === 'pid' ? `${pid} ${comm}` : comm);
    group.see(pid);
    return group;
  }

  #cpu(number: number): CpuTimes {
    let cpu = this.#cpus.get(number);
    if (cpu === undefined) {
      cpu = new CpuTimes(number);
      this.#cpus.set(number, cpu);
    }
    return cpu;
  }

  #within(now: number): boolean {
    return now >= this.#from && now <= this.#to;
  }

  #clip(since: number, until: number): number {
    return Math.max(0, Math.min(until, this.#to) - Math.max(since, this.#from));
  }

  stats(top: number): SchedulingStats {
    const { first = 0, finish: end, cpus } = this.#follower;
    this.#follower.end();
    const from = Math.min(end, Math.max(this.#from, first));
    return {
      from: from / 1e9,
      to: end / 1e9,
      cpus: cpus
        .map((number) => this.#cpu(number))
        .sort((a, b) => a.number - b.number)
        .map(({ number, busy, idle, other, unknown, switches }) => ({
          cpu: cpuOf(number),
          ...(this.header.hosts === undefined ? {} : { host: this.header.hosts[hostOfCpu(number)] ?? '' }),
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
      missed: this.#follower.missed,
    };
  }
}

function waitsOf(waits: ReadonlyMap<string, number>): Wait[] {
  return [...waits].sort(([, a], [, b]) => b - a).map(([reason, time]) => ({ reason, seconds: time / 1e9 }));
}
