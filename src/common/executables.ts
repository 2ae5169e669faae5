import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UnavailableError } from './errors.ts';
import { installRoot } from './paths.ts';

const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Where tools are looked for: the system's folders, behind those in MARPLE_TOOL_PATH, where that is set. */
export const TOOL_PATH = [process.env['MARPLE_TOOL_PATH'], SYSTEM_PATH].filter((part) => part).join(':');

export function findExecutable(name: string): string;
export function findExecutable(name: string, options: { optional: true }): string | undefined;
/**
 * The path of a program: `name` itself where it has a slash, else the first match in TOOL_PATH.
 * @throws UnavailableError where there is none and it is not optional.
 */
export function findExecutable(name: string, options?: { optional: true }): string | undefined {
  const candidates = name.includes('/') ? [name] : TOOL_PATH.split(':').map((folder) => join(folder, name));
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
  iosnoop: 'perf-tools-unstable',
  mallocstacks: 'bpfcc-tools',
  memleak: 'bpfcc-tools',
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
