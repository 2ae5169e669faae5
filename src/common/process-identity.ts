import { readFileSync, readlinkSync } from 'node:fs';

/** A process beyond doubt: pids are used again, a pid with its start time is not. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, field 22 of /proc/PID/stat. */
  readonly startTime: number;
}

/** The identity of a process (our own by default); undefined where there is none with that pid. */
export function processIdentity(pid: number = process.pid): ProcessIdentity | undefined {
  try {
    const startTime = startTimeIn(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    return startTime === undefined ? undefined : { pid, startTime };
  } catch {
    return undefined;
  }
}

/** Whether this very process still runs. */
export function isAlive({ pid, startTime }: ProcessIdentity): boolean {
  return processIdentity(pid)?.startTime === startTime;
}

// 954 (my (prog) 2) S 1 954 954 0 -1 4194560 353 4209 0 3 1 0 2 6 20 0 1 0 1180 8019968 929 ...
/** The start time in a line of /proc/PID/stat (proc_pid_stat(5)). The name may hold blanks and parentheses: it ends at the last one. */
export function startTimeIn(stat: string): number | undefined {
  const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[22 - 3];
  return startTime !== undefined && /^\d+$/.test(startTime) ? Number(startTime) : undefined;
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
