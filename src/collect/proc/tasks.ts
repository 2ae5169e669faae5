import { readdirSync } from 'node:fs';
import type { Task } from '../../common/scope.ts';
import { readProcFile } from './files.ts';
import { isDenied, isGone, readStat } from './stat.ts';

/** All threads of the machine that this user may see. What ends while it is read is left out. */
export function readTasks(): Task[] {
  const tasks: Task[] = [];
  for (const pid of numbersIn('/proc')) {
    for (const tid of numbersIn(`/proc/${pid}/task`)) {
      const stat = readStat(`${pid}/task/${tid}`);
      if (stat !== undefined) tasks.push({ tid, pid, parent: stat.parent, comm: stat.comm });
    }
  }
  return tasks;
}

/** Names this boot of this machine (random(4)); empty where the kernel does not tell. */
export function bootId(): string {
  try {
    return readProcFile('/proc/sys/kernel/random/boot_id').toString('latin1').trim();
  } catch {
    return '';
  }
}

/** The numbers among a folder's names: pids of /proc, tids of /proc/PID/task. None where the folder is gone. */
export function numbersIn(folder: string): number[] {
  try {
    return readdirSync(folder).map(Number).filter(Number.isInteger);
  } catch (error) {
    if (isGone(error) || isDenied(error)) return [];
    throw error;
  }
}
