import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorCode, UsageError } from './errors.ts';
import { isAlive, pidNamespace, processIdentity } from './process-identity.ts';
import { systemReason } from './system-reason.ts';

/** marple-<pid>-<its start time>-<its pid namespace>-<random> */
const NAME = /^marple-(?<pid>\d+)-(?<startTime>\d+)-(?<namespace>\d+)-[^/]+$/;

const made = new Set<string>();

process.on('exit', () => {
  for (const path of made) rmSync(path, { recursive: true, force: true });
});

/** A file or folder is removed when the process exits, until what this gives is called. */
export function removeAtExit(path: string): () => void {
  made.add(path);
  return () => made.delete(path);
}

/**
 * Makes a private temporary folder (mode 0700). It is removed when the process exits.
 * @throws UsageError (2)
 */
export function makeTempDir(): string {
  const folder = makeLastingTempDir();
  removeAtExit(folder);
  return folder;
}

/** The same, but it stays until it is removed, or the next run clears it. */
export function makeLastingTempDir(): string {
  const startTime = processIdentity()?.startTime ?? 0;
  return madeIn(tmpdir(), `marple-${process.pid}-${startTime}-${pidNamespace()}-`);
}

function madeIn(parent: string, prefix: string): string {
  try {
    return mkdtempSync(join(parent, prefix));
  } catch (error) {
    throw new UsageError(
      `no temporary folder can be made in ${parent}: ${systemReason(error)}`,
      'name another folder: TMPDIR=/var/tmp marple ...',
      { cause: error },
    );
  }
}

/**
 * The temporary folders whose MARPLE was killed. Only what is ours beyond doubt: a real folder of our own, named after a
 * process of our pid namespace that does not run any more.
 */
export function staleTempDirs(): string[] {
  const stale: string[] = [];
  for (const name of readdirSync(tmpdir())) {
    const { pid, startTime, namespace } = NAME.exec(name)?.groups ?? {};
    if (pid === undefined || Number(namespace) !== pidNamespace()) continue;
    if (isAlive({ pid: Number(pid), startTime: Number(startTime) })) continue;
    const folder = join(tmpdir(), name);
    const status = lstatSync(folder, { throwIfNoEntry: false });
    if (status?.isDirectory() && status.uid === process.geteuid?.()) stale.push(folder);
  }
  return stale;
}

/** A file of such a name in a temporary folder of a MARPLE that was killed says what has to be undone before the folder goes. */
export const UNDO = 'undo-';

/** Removes the temporary folders whose MARPLE was killed, but those where something is to be undone. Returns how many. */
export function clearStaleTempDirs(): number {
  const done = staleTempDirs().filter((folder) => namesToUndo(folder).length === 0);
  for (const folder of done) rmSync(folder, { recursive: true, force: true });
  return done.length;
}

/** What is to be undone before a folder goes: names of files in it. None where another run has removed it meanwhile. */
export function namesToUndo(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.startsWith(UNDO));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
