import { readdirSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { UnavailableError } from '../common/errors.ts';
import { findExecutable } from '../common/executables.ts';
import { runTool } from '../common/process.ts';

/** A perf that was seen to run. */
export interface Perf {
  readonly path: string;
  readonly version: string;
}

let found: Promise<Perf> | undefined;

/**
 * The perf of this machine, looked for once: the one in the path, else one of those below /usr/lib/linux-tools*. Ubuntu's
 * /usr/bin/perf is a script that may have no perf for the running kernel behind it, so each is run.
 * @throws UnavailableError where none runs.
 */
export function findPerf(): Promise<Perf> {
  found ??= firstThatRuns(perfCandidates()).catch((error: unknown) => {
    found = undefined;
    throw error;
  });
  return found;
}

/** Runs `perf --version` of each path until one answers. */
export async function firstThatRuns(paths: readonly string[]): Promise<Perf> {
  for (const path of paths) {
    const version = await perfVersion(path);
    if (version !== undefined) return { path, version };
  }
  throw new UnavailableError(
    paths.length === 0
      ? 'perf is not installed'
      : `perf is not installed for this kernel: ${paths.join(' and ')} did not run`,
    `sudo apt-get install ${paths.length === 0 ? 'linux-perf (Debian) or ' : ''}linux-tools-${release()} (Ubuntu)`,
  );
}

/** `perf version 6.1.187` as `6.1.187`; undefined where it does not run. */
async function perfVersion(path: string): Promise<string | undefined> {
  try {
    const { code, stdout } = await runTool([path, '--version'], { timeoutMs: 10_000 });
    return code === 0 ? /^perf version (\S+)/.exec(stdout)?.[1] : undefined;
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
    return undefined;
  }
}

function perfCandidates(): string[] {
  const installed = findExecutable('perf', { optional: true });
  const others = linuxTools('/usr/lib', release()).filter((path) => findExecutable(path, { optional: true }));
  return installed === undefined ? others : [installed, ...others];
}

/**
 * Where Ubuntu keeps its perfs: LIB/linux-tools/KERNEL/perf, LIB/linux-tools-VERSION/perf. That of the running kernel
 * comes first, then the newest; an older or newer one mostly works too.
 */
export function linuxTools(lib: string, kernel: string): string[] {
  const folders = namesIn(lib)
    .filter((name) => name.startsWith('linux-tools-'))
    .map((name) => join(lib, name));
  for (const name of namesIn(join(lib, 'linux-tools'))) folders.push(join(lib, 'linux-tools', name));
  const own = (folder: string): number => (folder.endsWith(kernel) ? 1 : 0);
  const version = (folder: string): string => folder.slice(lib.length).replace(/^\/linux-tools[-/]/, '');
  return folders
    .sort((a, b) => own(b) - own(a) || version(b).localeCompare(version(a), 'en', { numeric: true }))
    .map((folder) => join(folder, 'perf'));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
