import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive, pidNamespace, processIdentity } from './process-identity.ts';

/** marple-<pid>-<its start time>-<its pid namespace>-<random> */
const NAME = /^marple-(?<pid>\d+)-(?<startTime>\d+)-(?<namespace>\d+)-[^/]+$/;

const made = new Set<string>();

process.on('exit', () => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});

/** Makes a private temporary folder (mode 0700). It is removed when the process exits. */
export function makeTempDir(): string {
  const startTime = processIdentity()?.startTime ?? 0;
  const folder = mkdtempSync(join(tmpdir(), `marple-${process.pid}-${startTime}-${pidNamespace()}-`));
  made.add(folder);
  return folder;
}

/**
 * Removes the temporary folders whose MARPLE was killed. Only what is ours beyond doubt is touched: a real folder of our
 * own, named after a process of our pid namespace that does not run any more.
 * @returns how many were removed.
 */
export function clearStaleTempDirs(): number {
  let removed = 0;
  for (const name of readdirSync(tmpdir())) {
    const { pid, startTime, namespace } = NAME.exec(name)?.groups ?? {};
    if (pid === undefined || Number(namespace) !== pidNamespace()) continue;
    if (isAlive({ pid: Number(pid), startTime: Number(startTime) })) continue;
    const folder = join(tmpdir(), name);
    const status = lstatSync(folder, { throwIfNoEntry: false });
    if (!status?.isDirectory() || status.uid !== process.geteuid?.()) continue;
    rmSync(folder, { recursive: true, force: true });
    removed++;
  }
  return removed;
}
