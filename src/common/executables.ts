import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UnavailableError, UsageError } from './errors.ts';
import { installRoot } from './paths.ts';

const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

let path: string | undefined;

/**
 * Where tools are looked for: the system's folders, behind those in MARPLE_TOOL_PATH, where that is set.
 * @throws UsageError where root would run what others can put there.
 */
export function toolPath(): string {
  if (path === undefined) {
    const own = process.env['MARPLE_TOOL_PATH']?.split(':').filter((folder) => folder !== '') ?? [];
    if (process.geteuid?.() === 0) for (const folder of own) checkIsRoots(folder);
    path = [...own, SYSTEM_PATH].join(':');
  }
  return path;
}

function checkIsRoots(folder: string): void {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found === undefined || (found.uid === 0 && (found.mode & 0o022) === 0)) return;
  throw new UsageError(
    `MARPLE_TOOL_PATH names ${folder}, which others than root can write to: root runs no tools from there`,
    `sudo chown root: ${folder} && sudo chmod go-w ${folder}`,
  );
}

export function findExecutable(name: string): string;
export function findExecutable(name: string, options: { optional: true }): string | undefined;
/**
 * The path of a program: `name` itself where it has a slash, else the first match in toolPath().
 * @throws UnavailableError where there is none and it is not optional.
 */
export function findExecutable(name: string, options?: { optional: true }): string | undefined {
  const candidates = name.includes('/')
    ? [name]
    : toolPath()
        .split(':')
        .map((folder) => join(folder, name));
  const found = candidates.find(isExecutable);
  if (found === undefined && options === undefined) {
    throw new UnavailableError(`${name} is not installed`, installHint(name));
  }
  return found;
}

/** Debian's packages of what MARPLE runs. */
const PACKAGES: Readonly<Record<string, string>> = {
  'flamegraph.pl': 'libdevel-nytprof-perl',
  biosnoop: 'bpfcc-tools',
  bpftrace: 'bpftrace',
  clush: 'clustershell',
  iosnoop: 'perf-tools-unstable',
  mallocstacks: 'bpfcc-tools',
  memleak: 'bpfcc-tools',
  nodeset: 'clustershell',
  perf: 'linux-perf',
  perl: 'perl',
  setpriv: 'util-linux',
  smem: 'smem',
  stdbuf: 'coreutils',
  tcptracer: 'bpfcc-tools libbpf-tools',
  umount: 'mount',
};

/** The command that brings a tool: setup.sh where MARPLE was installed by it, else the distribution's. */
export function installHint(name: string): string {
  if (existsSync(join(installRoot(), 'setup.sh'))) return './setup.sh';
  const packages = PACKAGES[name];
  return packages === undefined ? `install ${name}, and put it on the PATH` : `sudo apt-get install ${packages}`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
