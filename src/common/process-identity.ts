import { readFileSync, readlinkSync } from 'node:fs';

/** A process beyond doubt: pids are used again, a pid with its start time is not. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, field 22 of /proc/PID/stat. */
  readonly startTime: number;
}

/** The identity of a process (our own by default); undefined where there is none with that pid. */
export function processIdentity(pid: number = process.pid): ProcessIdentity | undefined {
  const startTime = startTimeIn(statOf(pid));
  return startTime === undefined ? undefined : { pid, startTime };
}

/**
 * Whether this very process still runs. One that has ended, and that its parent has not asked after (a zombie), does not: in
 * a container there may be nobody who ever will.
 */
export function isAlive({ pid, startTime }: ProcessIdentity): boolean {
  const stat = statOf(pid);
  return startTimeIn(stat) === startTime && !/^[ZX]/.test(behindName(stat));
}

/** The line of /proc/PID/stat; empty where there is no such process. */
function statOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return '';
  }
}

// 954 (my (prog) 2) S 1 954 954 0 -1 4194560 353 4209 0 3 1 0 2 6 20 0 1 0 1180 8019968 929 ...
/** The start time in a line of /proc/PID/stat (proc_pid_stat(5)). */
export function startTimeIn(stat: string): number | undefined {
  const startTime = behindName(stat).split(' ')[22 - 3];
  return startTime !== undefined && /^\d+$/.test(startTime) ? Number(startTime) : undefined;
}

/** From the state on. The name before it may hold blanks and parentheses: it ends at the last one. */
function behindName(stat: string): string {
  return stat.slice(stat.lastIndexOf(')') + 2);
}

/** Number of the pid namespace that the kernel itself counts in (PROC_PID_INIT_INO of include/linux/proc_ns.h). */
const FIRST_PID_NAMESPACE = 0xeffffffc;

/** Whether the kernel's own records give this process the pid that it knows itself by: not in a container. */
export function isPidOfKernel(): boolean {
  return pidNamespace() === FIRST_PID_NAMESPACE;
}

/** Number of our pid namespace: a pid means nothing outside it. 0 where the kernel does not tell. */
export function pidNamespace(): number {
  try {
    return Number(/^pid:\[(\d+)\]$/.exec(readlinkSync('/proc/self/ns/pid'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
