import { decodeBytes } from '../../common/decode-bytes.ts';
import { errorCode } from '../../common/errors.ts';
import { readProcFile } from './files.ts';

/** What MARPLE needs of /proc/PID/stat and /proc/PID/task/TID/stat (proc_pid_stat(5)). */
export interface TaskStat {
  readonly id: number;
  readonly comm: string;
  /** One letter; `Z` is a zombie. */
  readonly state: string;
  /** Parent of the process, also in the stat of a thread. */
  readonly parent: number;
  readonly isKernelThread: boolean;
  /** Clock ticks (USER_HZ) of CPU time, user and system: its own, and of the children that it has waited for. */
  readonly ownTicks: number;
  readonly childTicks: number;
  /** Ticks since boot: together with the pid it names a process, for pids are used again. */
  readonly startTime: number;
  readonly residentPages: number;
}

/** PF_KTHREAD, include/linux/sched.h. */
const KERNEL_THREAD = 0x00200000;

// 954 (my prog) S 1 954 954 0 -1 4194560 353 4209 0 3 1 0 2 6 20 0 1 0 1180 8019968 929 18446744073709551615 ...
/**
 * Reads a stat line. The comm may hold anything but NUL, parentheses and newlines too: it ends at the last `)`.
 * @returns undefined where it is no stat line.
 */
export function parseStat(bytes: Buffer): TaskStat | undefined {
  const open = bytes.indexOf(' (');
  const close = bytes.lastIndexOf(')');
  if (open < 1 || close < open) return undefined;
  const rest = bytes.toString('latin1', close + 2).split(' ');
  if (rest.length < 22) return undefined;
  // rest[0] is the third field of the manual page's list.
  const field = (number: number): number => Number(rest[number - 3]);
  return {
    id: Number(bytes.toString('latin1', 0, open)),
    comm: decodeBytes(bytes.subarray(open + 2, close)),
    state: rest[0] as string,
    parent: field(4),
    isKernelThread: (field(9) & KERNEL_THREAD) !== 0,
    ownTicks: field(14) + field(15),
    childTicks: field(16) + field(17),
    startTime: field(22),
    residentPages: field(24),
  };
}

/** The stat of a task, by its path below /proc (`12`, `12/task/13`); undefined where it is gone or may not be read. */
export function readStat(task: string | number): TaskStat | undefined {
  try {
    const stat = parseStat(readProcFile(`/proc/${task}/stat`));
    // Some kernels write a newline and a backslash of a comm as `\n` and `\\` here, others do not; comm is always raw.
    if (stat?.comm.includes('\\') !== true) return stat;
    return { ...stat, comm: decodeBytes(readProcFile(`/proc/${task}/comm`).subarray(0, -1)) };
  } catch (error) {
    if (isGone(error) || isDenied(error)) return undefined;
    throw error;
  }
}

/** Whether reading failed since the process has ended (or, with ESRCH, has no memory): never an error. */
export function isGone(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOENT' || code === 'ESRCH';
}

export function isDenied(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'EACCES' || code === 'EPERM';
}
