import { readdirSync } from 'node:fs';
import { beOptimized } from '../common/engine.ts';
import { runningTools } from '../common/process.ts';
import { isShortage } from '../common/system-reason.ts';
import { rounded } from '../common/util/rounded.ts';
import { readProcFile } from './proc/files.ts';
import { readStat } from './proc/stat.ts';

/** What a run itself cost the machine, for the headers. CPU time is user and system time together. */
export interface Overhead {
  readonly cpu_seconds: number;
  readonly peak_rss_mib: number;
  /** The tools that ran, with their descendants; the peak is that of all that ran at one time. */
  readonly tools: { readonly cpu_seconds: number; readonly peak_rss_mib: number };
}

export interface OverheadMeter {
  stop(): Overhead;
}

/** Between two samples: a tenth of the time that has passed, within these bounds. */
const SHORTEST_MS = 250;
const LONGEST_MS = 1000;
/** USER_HZ, the unit of times in /proc/PID/stat: 100 on all that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Of one core, over this time or more, milliseconds: MARPLE that uses as much gains by code that is optimized. */
const BUSY = 1 / 10;
const BUSY_MS = 1000;

/** Begins to measure MARPLE and the tools that it runs, not the user's command, where there is one. */
export function startOverheadMeter(run: { readonly hasCommand: boolean }): OverheadMeter {
  const start = process.cpuUsage();
  const tools = new ToolCosts(run.hasCommand);
  const began = performance.now();
  const ownWork = new OwnWork();
  let timer: NodeJS.Timeout;
  const wait = (): void => {
    const ms = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, (performance.now() - began) / 10));
    timer = setTimeout(() => {
      tools.sample();
      ownWork.look();
      wait();
    }, ms).unref();
  };
  wait();
  return {
    stop: () => {
      clearTimeout(timer);
      tools.sample();
      const { user, system } = process.cpuUsage(start);
      return {
        cpu_seconds: rounded((user + system) / 1e6, 3),
        // maxRSS is in KiB (getrusage(2)).
        peak_rss_mib: rounded(process.resourceUsage().maxRSS / 1024, 3),
        tools: { cpu_seconds: rounded(tools.cpuSeconds(), 3), peak_rss_mib: rounded(tools.peakKilobytes / 1024, 3) },
      };
    },
  };
}

/** Has the code optimized when this process turns out to have much to do, which it is not for a start (common/engine.ts). */
class OwnWork {
  #since = performance.now();
  #before = process.cpuUsage();

  look(): void {
    const now = performance.now();
    if (now - this.#since < BUSY_MS) return;
    const { user, system } = process.cpuUsage(this.#before);
    if ((user + system) / 1000 > BUSY * (now - this.#since)) beOptimized();
    this.#since = now;
    this.#before = process.cpuUsage();
  }
}

/**
 * The kernel adds the CPU time of a child that has ended to its parent's (cutime, cstime): exact, and short runs of a
 * tool between two samples are in it. But the user's command is a child too, and cannot be told from the tools in that
 * sum. So with a command what the samples saw of each tool counts: low by what it took after the last.
 */
class ToolCosts {
  readonly #endedBefore = endedTicks();
  /** Ticks of each tool and its descendants when last seen. */
  readonly #seen = new Map<number, number>();
  #peak = 0;

  constructor(readonly hasCommand: boolean) {}

  get peakKilobytes(): number {
    return this.#peak;
  }

  /** Where the system refuses to tell (too many files are open), the sample before counts. */
  sample(): void {
    try {
      this.#sample();
    } catch (error) {
      if (!isShortage(error)) throw error;
    }
  }

  #sample(): void {
    let resident = 0;
    for (const tool of runningTools()) {
      let ticks = 0;
      for (const pid of familyOf(tool)) {
        const stat = readStat(pid);
        if (stat === undefined) continue;
        ticks += stat.ownTicks + stat.childTicks;
        resident += peakResident(pid);
      }
      this.#seen.set(tool, Math.max(ticks, this.#seen.get(tool) ?? 0));
    }
    this.#peak = Math.max(this.#peak, resident);
  }

  cpuSeconds(): number {
    const sum = (ticks: Iterable<number>): number => [...ticks].reduce((total, one) => total + one, 0);
    if (this.hasCommand) return sum(this.#seen.values()) / TICKS_PER_SECOND;
    const alive = runningTools().map((tool) => this.#seen.get(tool) ?? 0);
    return (endedTicks() - this.#endedBefore + sum(alive)) / TICKS_PER_SECOND;
  }
}

/** CPU time of the children of this process that have ended. */
function endedTicks(): number {
  return readStat(process.pid)?.childTicks ?? 0;
}

/** A process and its descendants. */
function familyOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(familyOf)];
}

// 10411 10412
/** The children of all threads of a process, from /proc/PID/task/TID/children; none where the process is gone. */
function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((tid) => {
      const text = readProcFile(`/proc/${pid}/task/${tid}/children`).toString('latin1').trim();
      return text === '' ? [] : text.split(' ').map(Number);
    });
  } catch {
    return [];
  }
}

/** VmHWM of /proc/PID/status, kB; 0 where the process is gone. */
function peakResident(pid: number): number {
  try {
    const status = readProcFile(`/proc/${pid}/status`).toString('latin1');
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
  } catch {
    return 0;
  }
}
