import * as z from 'zod';
import { formatCount, formatShare, formatValue, plural, visible } from '../common/text.ts';
import type { Finding, FindingFilter } from './finding.ts';
import type { SectionStats } from './stats.ts';

/*
 * What stands out in a file, in words: each finding has the number that it rests on, and what to select to see it. Only
 * what the data supports; nothing is guessed.
 */

/** From which number on something is worth a sentence: config section [report]. */
export const findingOptions = z.object({
  /** Share of a CPU's time, percent. */
  cpu_busy: z.coerce.number().min(0).max(100).default(90),
  /** 99th percentile of the time from being ready to run to running, ms. */
  runqueue_p99: z.coerce.number().positive().default(10),
  /** Time that the tasks of a program wait for a CPU, together, percent of the run. */
  cpu_wait: z.coerce.number().positive().default(50),
  /** Share of its time that a program waits for a disk, percent of the run. */
  disk_wait: z.coerce.number().positive().max(100).default(20),
  /** Time that tasks wait for locks, percent of the run. */
  lock_wait: z.coerce.number().positive().default(20),
  /** 99th percentile of the latency of disk I/Os, ms. */
  disk_p99: z.coerce.number().positive().default(20),
  /** How many times the median the slowest percent of the I/Os is. */
  disk_tail: z.coerce.number().positive().default(20),
  /** I/Os that are under way at a device at a time, on the average. */
  disk_queue: z.coerce.number().positive().default(8),
  /** MiB that a program's memory grows each second. */
  memory_growth: z.coerce.number().positive().default(1),
  /** MiB that are allocated and not freed, by memleak. */
  leaked: z.coerce.number().positive().default(1),
  /** Share of all samples, bytes or time in one function itself, percent. */
  hot_function: z.coerce.number().positive().max(100).default(25),
  /** Hosts whose numbers are compared: fewer tell too little of what is usual. */
  outlier_hosts: z.coerce.number().int().min(3).default(5),
  /** Median absolute deviations, scaled to standard deviations, that a host is from the median of all. */
  outlier_score: z.coerce.number().positive().default(3.5),
  /** How many times as much, or as little, its number has to be as well. */
  outlier_ratio: z.coerce.number().min(1).default(1.25),
});
export type FindingOptions = z.infer<typeof findingOptions>;

/** How many programs are named that have to wait for a CPU. */
const WAITING = 3;

/** How many processes and functions of a section are looked at: who waits most may be far from using most. */
export const FINDING_TOP = 1000;

/** The findings of all sections, what makes the data less than it seems last. */
export function findings(all: readonly SectionStats[], options: FindingOptions): Finding[] {
  const found = all.flatMap((stats) => [
    ...schedulingFindings(stats, options),
    ...diskFindings(stats, options),
    ...memoryFindings(stats, options),
    ...waitFindings(stats, options),
    ...stackFindings(stats, options),
  ]);
  return [...found, ...all.flatMap(lossFindings)];
}

function finding(
  stats: SectionStats,
  kind: Finding['kind'],
  sentence: string,
  number: number,
  select: readonly FindingFilter[] = [],
): Finding {
  return { kind, section: stats.section, interface: stats.interface, sentence, number, select };
}

function only(comm: string): FindingFilter[] {
  return [{ kind: 'field', field: 'comm', values: [comm], not: false }];
}

function within(name: string): FindingFilter[] {
  return [{ kind: 'frame', name, not: false }];
}

function schedulingFindings(stats: SectionStats, options: FindingOptions): Finding[] {
  const { scheduling } = stats;
  if (scheduling === undefined) return [];
  const found: Finding[] = [];
  const seconds = scheduling.to - scheduling.from;
  const busy = scheduling.cpus.filter(
    (cpu) => seconds > 0 && (100 * (cpu.busy + cpu.other)) / seconds >= options.cpu_busy,
  );
  if (busy.length > 0) {
    const share = busy.reduce((sum, cpu) => sum + cpu.busy + cpu.other, 0) / (busy.length * seconds);
    const which = busy.length === scheduling.cpus.length ? 'All CPUs' : plural(busy.length, 'CPU');
    const top = scheduling.processes[0];
    // Of a part of the processes nobody knows who of the others ran most.
    const isPart = busy.some((cpu) => cpu.other > 0);
    const most =
      top === undefined
        ? ''
        : isPart
          ? `; ${visible(top.comm)} had ${formatValue(top.cpu_seconds)} s of it`
          : `; most of it was ${visible(top.comm)} (${formatValue(top.cpu_seconds)} s)`;
    found.push(
      finding(
        stats,
        'warning',
        `${which} ran tasks ${formatShare(share, 1)} of the time${most}`,
        100 * share,
        top === undefined ? [] : only(top.comm),
      ),
    );
  }
  const { p99, count } = scheduling.latency;
  if (p99 !== null && p99 >= options.runqueue_p99) {
    const worst = scheduling.processes
      .filter(({ latency }) => latency.p99 !== null)
      .toSorted((a, b) => (b.latency.p99 ?? 0) - (a.latency.p99 ?? 0))[0];
    const who = worst === undefined ? '' : `; ${visible(worst.comm)} had to wait longest`;
    found.push(
      finding(
        stats,
        'warning',
        `1 in 100 of ${formatCount(count)} waits for a CPU took ${formatValue(p99)} ms or more${who}`,
        p99,
        worst === undefined ? [] : only(worst.comm),
      ),
    );
  }
  const waited = (task: (typeof scheduling.processes)[number], wanted: string): number =>
    task.waits.find(({ reason }) => reason === wanted)?.seconds ?? 0;
  const ready = scheduling.processes
    .map((task) => ({ task, time: waited(task, 'runnable') }))
    .filter(({ time }) => seconds > 0 && (100 * time) / seconds >= options.cpu_wait)
    .toSorted((a, b) => b.time - a.time);
  for (const { task, time } of ready.slice(0, WAITING)) {
    const tasks = task.processes === 1 ? '' : ` (${plural(task.processes, 'task')} together)`;
    found.push(
      finding(
        stats,
        'note',
        `${visible(task.comm)} waited ${formatValue(time)} s in ${formatValue(seconds)} s for a CPU${tasks}, and ran ${formatValue(task.cpu_seconds)} s`,
        time,
        only(task.comm),
      ),
    );
  }
  for (const task of scheduling.processes) {
    const disk = waited(task, 'disk');
    if (seconds <= 0 || (100 * disk) / (seconds * task.processes) < options.disk_wait) continue;
    found.push(
      finding(
        stats,
        'note',
        `${visible(task.comm)} waited ${formatValue(disk)} s for a disk (state D)`,
        disk,
        only(task.comm),
      ),
    );
  }
  return found;
}

function diskFindings(stats: SectionStats, options: FindingOptions): Finding[] {
  const { points, seconds } = stats;
  if (stats.interface !== 'disklat' || points === undefined || points.all.p99 === null) return [];
  const { all, processes } = points;
  const slow: FindingFilter = { kind: 'values', interface: stats.interface, from: all.p99!, to: all.max ?? all.p99! };
  const issuer = processes.toSorted((a, b) => b.sum - a.sum)[0];
  const who =
    issuer === undefined
      ? ''
      : `; ${formatShare(issuer.sum, all.sum)} of the time of all I/Os was of ${visible(issuer.comm)}`;
  const found: Finding[] = [];
  if (all.p99! >= options.disk_p99) {
    found.push(
      finding(
        stats,
        'warning',
        `1 in 100 of ${formatCount(all.count)} disk I/Os took ${formatValue(all.p99!)} ms or more${who}`,
        all.p99!,
        [slow],
      ),
    );
  } else if (all.p50! > 0 && all.max! / all.p50! >= options.disk_tail && all.p99! / all.p50! >= options.disk_tail / 4) {
    found.push(
      finding(
        stats,
        'note',
        `The slowest disk I/O took ${formatValue(all.max!)} ms, ${formatCount(all.max! / all.p50!)} times the median (${formatValue(all.p50!)} ms)${who}`,
        all.max!,
        [slow],
      ),
    );
  }
  for (const device of points.by.find(({ field }) => field === 'dev')?.groups ?? []) {
    // Little's law: how many there are at a time is how often they come, times how long they take.
    const queued = seconds === null ? 0 : device.sum / 1000 / seconds;
    if (queued < options.disk_queue) continue;
    found.push(
      finding(
        stats,
        'warning',
        `${formatValue(queued)} I/Os were under way at ${visible(device.name)} at a time, on the average${who}`,
        queued,
        [{ kind: 'field', field: 'dev', values: [device.name], not: false }],
      ),
    );
  }
  return found;
}

function memoryFindings(stats: SectionStats, options: FindingOptions): Finding[] {
  return (stats.trends?.growing ?? [])
    .filter(({ slope, samples, first, last }) => {
      // A peak on the way can tilt the line of what did not grow at all.
      const grew = (last ?? 0) - (first ?? 0) >= options.memory_growth;
      return samples >= 4 && (slope ?? 0) >= options.memory_growth && grew;
    })
    .map((task) =>
      finding(
        stats,
        'warning',
        `The memory of ${visible(task.comm)} grew by ${formatValue(task.slope!)} MiB a second, from ${formatValue(task.first ?? 0)} to ${formatValue(task.last ?? 0)} MiB`,
        task.slope!,
        only(task.comm),
      ),
    );
}

/** Functions in which one waits for a lock that another holds: of glibc, and of the kernel. */
const LOCKS =
  /(^|_)(lll_lock_wait|pthread_(mutex_(timed|clock)?lock|rwlock_(rd|wr)lock)|mutex_lock|rwsem_down_(read|write)_slowpath)(\.\S+)?$/;

/** The frame below the process of stacks with which tasks left their CPUs in state D. */
const DISK = '[disk]';

/** What tasks waited for, by the stacks with which they left their CPUs. */
function waitFindings(stats: SectionStats, options: FindingOptions): Finding[] {
  const { stacks, seconds } = stats;
  if (stacks === undefined || stacks.unit !== 'ns' || seconds === null) return [];
  const found: Finding[] = [];
  const add = (name: string, time: number, what: string): void => {
    const sentence = `Tasks waited ${formatValue(time)} s in ${formatValue(seconds)} s for ${what}`;
    found.push(finding(stats, 'note', sentence, time, within(name)));
  };
  const disk = (stacks.reasons.find(({ name }) => name === DISK)?.weight ?? 0) / 1e9;
  if ((100 * disk) / seconds >= options.disk_wait) add(DISK, disk, 'disks, or for what else no signal ends (state D)');
  // Functions that call each other count the same time; the one with the most has all of it.
  const lock = stacks.by_total.find(({ name }) => LOCKS.test(name));
  const waited = (lock?.total ?? 0) / 1e9;
  if (lock !== undefined && (100 * waited) / seconds >= options.lock_wait) {
    add(lock.name, waited, `locks (${visible(lock.name)})`);
  }
  return found;
}

function stackFindings(stats: SectionStats, options: FindingOptions): Finding[] {
  const { stacks } = stats;
  const [top] = stacks?.by_self ?? [];
  if (stacks === undefined || top === undefined || stacks.total <= 0) return [];
  const share = top.self / stacks.total;
  if (stats.interface === 'memleak') {
    if (stacks.total < options.leaked * 2 ** 20) return [];
    return [
      finding(
        stats,
        'warning',
        `${formatCount(stacks.total)} bytes were allocated and not freed, the most in ${visible(top.name)} (${formatShare(top.self, stacks.total)})`,
        stacks.total,
        within(top.name),
      ),
    ];
  }
  // Of I/Os, waits and faults the innermost function is always the kernel's own.
  if (stats.interface !== 'callstack' || 100 * share < options.hot_function) return [];
  return [
    finding(
      stats,
      'note',
      `${formatShare(top.self, stacks.total)} of the ${visible(stacks.unit)} of ${stats.interface} are in ${visible(top.name)} itself`,
      100 * share,
      within(top.name),
    ),
  ];
}

function lossFindings(stats: SectionStats): Finding[] {
  const found: Finding[] = [];
  const { lost, skipped } = stats;
  if (lost > 0)
    found.push(
      finding(
        stats,
        'warning',
        `${plural(lost, 'record')} of ${stats.interface} were lost by the kernel or the tool`,
        lost,
      ),
    );
  if (skipped > 0)
    found.push(
      finding(
        stats,
        'warning',
        `${plural(skipped, 'line')} of the tool behind ${stats.interface} could not be read`,
        skipped,
      ),
    );
  return found;
}
