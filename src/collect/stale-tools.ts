import { setTimeout as sleep } from 'node:timers/promises';
import { OWNER_VARIABLE } from '../common/process.ts';
import { isAlive, pidNamespace } from '../common/process-identity.ts';
import { readProcFile } from './proc/files.ts';
import { readStat } from './proc/stat.ts';
import { numbersIn } from './proc/tasks.ts';

const OWNER = new RegExp(`(?:^|\\0)${OWNER_VARIABLE}=(?<pid>\\d+)-(?<startTime>\\d+)-(?<namespace>\\d+)(?:\\0|$)`);
/** How long a tool is waited for that was asked to end, and how often it is looked at. */
const PATIENCE_MS = 3_000;
const POLL_MS = 100;

/** What became of tools that had gone on without their MARPLE: how many were ended, and which complete their files. */
export interface StaleTools {
  readonly ended: number;
  readonly busy: readonly number[];
}

/**
 * Ends the tools of MARPLEs that were killed. The kernel has told them to end already, but one may have been stopped, or
 * hang. One that works, so as to complete its file, is left to it.
 */
export async function endStaleTools(): Promise<StaleTools> {
  const stale = staleTools();
  if (stale.length === 0) return { ended: 0, busy: [] };
  for (const pid of stale) {
    signal(pid, 'SIGINT');
    signal(pid, 'SIGCONT');
  }
  let left = stale;
  let before = new Map<number, number>();
  for (let waited = 0; waited < PATIENCE_MS && left.length > 0; waited += POLL_MS) {
    if (waited >= PATIENCE_MS / 2 && before.size === 0) before = cpuTimes(left);
    await sleep(POLL_MS);
    left = left.filter(isStale);
  }
  const now = cpuTimes(left);
  const busy = left.filter((pid) => (now.get(pid) ?? 0) > (before.get(pid) ?? 0));
  for (const pid of left) if (!busy.includes(pid)) signal(pid, 'SIGKILL');
  return { ended: stale.length - busy.length, busy };
}

function staleTools(): number[] {
  return numbersIn('/proc').filter(isStale);
}

/** Whether it is a tool of a MARPLE that is dead. Another user's environment is not for us to read, nor are their tools. */
function isStale(process: number): boolean {
  const { pid, startTime, namespace } = OWNER.exec(environment(process))?.groups ?? {};
  if (pid === undefined || Number(namespace) !== pidNamespace()) return false;
  return !isAlive({ pid: Number(pid), startTime: Number(startTime) });
}

/** `NAME=value` each, between NULs; empty where it is gone, a zombie, or not ours to read. */
function environment(pid: number): string {
  try {
    return readProcFile(`/proc/${pid}/environ`).toString('latin1');
  } catch {
    return '';
  }
}

function cpuTimes(pids: readonly number[]): Map<number, number> {
  return new Map(pids.map((pid) => [pid, readStat(pid)?.ownTicks ?? 0]));
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by now.
  }
}
