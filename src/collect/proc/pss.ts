import { release } from 'node:os';
import { errorMessage } from '../../common/errors.ts';
import type { ScopeFilter } from '../../common/scope.ts';
import type { Probe, Tool } from '../collecter.ts';
import { readProcFile, readProcFileAside } from './files.ts';
import { hasMemory, type ProcessTable } from './process-table.ts';
import type { Slices } from './slices.ts';
import { isDenied, isGone } from './stat.ts';

/**
 * Proportional set size in kB. `none`: the process is gone, a zombie, or a kernel thread, and has no memory.
 * `denied`: only root, or its owner, may read it (ptrace(2), PTRACE_MODE_READ).
 */
export type Pss = number | 'none' | 'denied';

/** One process in one sweep. */
export interface PssReading {
  readonly pid: number;
  readonly comm: string;
  readonly kilobytes: number;
}

/**
 * From so many resident pages on a process is read off the main thread: the kernel walks its page tables, about 2.5 ms
 * for this many (10 ms for a GiB of 4 KiB pages).
 */
const MANY_PAGES = 64 * 1024;

export function readPss(pid: number): Pss {
  try {
    return parsePss(readProcFile(rollup(pid)));
  } catch (error) {
    return failure(error);
  }
}

async function readPssAside(pid: number): Promise<Pss> {
  try {
    return parsePss(await readProcFileAside(rollup(pid)));
  } catch (error) {
    return failure(error);
  }
}

/** Reads every process in scope once. Those without memory are left out, those that may not be read go to `denied`. */
export async function sweepPss(
  table: ProcessTable,
  filter: ScopeFilter,
  slices: Slices,
  denied: Set<number>,
): Promise<PssReading[]> {
  const readings: PssReading[] = [];
  for (const process of table.processes()) {
    const { pid, stat } = process;
    if (!hasMemory(process) || !filter.keeps(pid, stat.comm)) continue;
    const pss = stat.residentPages < MANY_PAGES ? readPss(pid) : await slices.aside(readPssAside(pid));
    if (pss === 'denied') denied.add(pid);
    else if (pss !== 'none' && pss > 0) readings.push({ pid, comm: stat.comm, kilobytes: pss });
    await slices.breathe();
  }
  return readings;
}

export const PROC_PSS: Tool = {
  name: 'proc',
  async probe(): Promise<Probe> {
    try {
      parsePss(readProcFile('/proc/self/smaps_rollup'));
    } catch (error) {
      return { usable: false, why: `/proc/self/smaps_rollup cannot be read: ${errorMessage(error)}` };
    }
    return { usable: true, version: release() };
  },
};

// 55c1d2033000-7ffca4ac2000 ---p 00000000 00:00 0                          [rollup]
// Rss:                1692 kB
// Pss:                 372 kB
/** The Pss line of smaps_rollup (Documentation/ABI/testing/procfs-smaps_rollup), kB; `none` where there is none. */
export function parsePss(bytes: Buffer): Pss {
  const found = /^Pss: +(\d+) kB$/m.exec(bytes.toString('latin1'));
  return found === null ? 'none' : Number(found[1]);
}

function rollup(pid: number): string {
  return `/proc/${pid}/smaps_rollup`;
}

function failure(error: unknown): Pss {
  if (isGone(error)) return 'none';
  if (isDenied(error)) return 'denied';
  throw error;
}
