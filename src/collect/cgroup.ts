import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode, UsageError } from '../common/errors.ts';

/** What every folder of a cgroup has, of version 1 and 2 (Documentation/admin-guide/cgroup-v2.rst). */
const PROCESSES = 'cgroup.procs';
/** In a threaded cgroup that cannot be read, and this can. */
const THREADS = 'cgroup.threads';

/**
 * The folder of a cgroup, by its path below the hierarchy, as /proc/PID/cgroup has it (`/system.slice/ssh.service`),
 * or by that of the folder itself.
 * @throws UsageError (2) where there is none.
 */
export function findCgroup(path: string): string {
  const roots = hierarchies();
  const candidates = [...(path.startsWith('/') ? [path] : []), ...roots.map((root) => join(root, path))];
  const found = candidates.find(isCgroup);
  if (found !== undefined) return found;
  const [root] = roots;
  throw new UsageError(
    root === undefined ? `no cgroups are mounted here, so there is no cgroup ${path}` : `there is no cgroup ${path}`,
    root === undefined
      ? 'name the processes themselves: marple collect -p PID,...'
      : `list them with: find ${root} -name ${PROCESSES} (that of a process is in /proc/PID/cgroup)`,
  );
}

// 41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
/** Where cgroups of version 2 are mounted, proc_pid_mountinfo(5), and the folder that they are usually in. */
function hierarchies(): string[] {
  const lines = readOrEmpty('/proc/self/mountinfo').split('\n');
  const mounted = lines
    .filter((line) => line.includes(' - cgroup2 '))
    .map((line) =>
      (line.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))),
    );
  return [...new Set([...mounted, '/sys/fs/cgroup'])].filter((folder) => mounted.length > 0 || isCgroup(folder));
}

function isCgroup(folder: string): boolean {
  return statSync(join(folder, PROCESSES), { throwIfNoEntry: false })?.isFile() === true;
}

/** The processes of a cgroup and of those below it (of threaded ones the threads), sorted. None where it is gone. */
export function cgroupMembers(folder: string): number[] {
  const members = new Set<number>();
  const pending = [folder];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const line of readMembers(next).split('\n')) {
      const pid = Number(line);
      // A process of another pid namespace is 0.
      if (pid > 0) members.add(pid);
    }
    pending.push(...foldersIn(next));
  }
  return [...members].sort((a, b) => a - b);
}

function readMembers(folder: string): string {
  try {
    return readFileSync(join(folder, PROCESSES), 'latin1');
  } catch (error) {
    return errorCode(error) === 'EOPNOTSUPP' || errorCode(error) === 'ENOTSUP'
      ? readOrEmpty(join(folder, THREADS))
      : '';
  }
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(folder, entry.name));
  } catch {
    // It was removed just now.
    return [];
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
