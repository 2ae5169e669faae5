import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode, UnavailableError } from '../../common/errors.ts';
import { findExecutable } from '../../common/executables.ts';
import { describeExit, runTool, toolEnvironment } from '../../common/process.ts';

/** A kernel file system that is in use. `release` undoes the mount if this process made it and nobody else uses it. */
export interface KernelMount {
  readonly root: string;
  /** Whether it had to be mounted for this run. */
  readonly mountedHere: boolean;
  release(): void;
}

interface Place {
  readonly type: 'tracefs' | 'debugfs';
  /** Where it is mounted if it is not. */
  readonly target: string;
  /** Where it may be found, best first: the folder, and an entry that is there only when it is mounted. */
  readonly roots: readonly string[];
  readonly mark: string;
}

const TRACEFS: Place = {
  type: 'tracefs',
  target: '/sys/kernel/tracing',
  roots: ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'],
  mark: 'instances',
};
const DEBUGFS: Place = {
  type: 'debugfs',
  target: '/sys/kernel/debug',
  roots: ['/sys/kernel/debug'],
  mark: 'tracing/events',
};

/** How often each target that this process mounted is in use. */
const mountedHere = new Map<string, number>();

process.on('exit', () => {
  for (const target of mountedHere.keys()) unmount(target);
});

/**
 * The kernel's tracefs. Where it is not mounted root mounts it for the run, as perf does.
 * @throws UnavailableError that says why there is none, with the command that helps.
 */
export function useTracefs(): Promise<KernelMount> {
  return use(TRACEFS);
}

/** The kernel's debugfs, with tracing in it; otherwise as useTracefs. */
export function useDebugfs(): Promise<KernelMount> {
  return use(DEBUGFS);
}

/** Where tracefs is mounted now; undefined where it is not, or not for this user. Mounts nothing. */
export function mountedTracefs(): string | undefined {
  return TRACEFS.roots.find((root) => access(join(root, TRACEFS.mark)) === 'there');
}

async function use(place: Place): Promise<KernelMount> {
  if (mountedHere.has(place.target)) return counted(place);
  for (const root of place.roots) {
    const found = access(join(root, place.mark));
    if (found === 'there') return { root, mountedHere: false, release: () => undefined };
    if (found === 'denied') throw notPermitted(place);
  }
  if (!existsSync(place.target)) {
    throw new UnavailableError(`this kernel has no ${place.type} (${place.target} is not there)`, 'use another tool');
  }
  if (process.geteuid?.() !== 0) throw notPermitted(place);
  const mount = await runTool(['mount', '-t', place.type, place.type, place.target]);
  if (mount.code !== 0 || access(join(place.target, place.mark)) !== 'there') {
    throw new UnavailableError(
      `${place.type} is not mounted, and mounting it failed (mount ${describeExit(mount, mount.stderr)})`,
      mountCommand(place),
    );
  }
  mountedHere.set(place.target, 0);
  return counted(place);
}

function counted(place: Place): KernelMount {
  const { target } = place;
  mountedHere.set(target, (mountedHere.get(target) ?? 0) + 1);
  let released = false;
  const release = (): void => {
    const uses = mountedHere.get(target);
    if (released || uses === undefined) return;
    released = true;
    if (uses > 1) mountedHere.set(target, uses - 1);
    else unmount(target);
  };
  return { root: target, mountedHere: true, release };
}

/** Plain umount, at once, so that it works on the way out of the process too; EBUSY: another program uses it by now. */
function unmount(target: string): void {
  mountedHere.delete(target);
  const umount = findExecutable('umount');
  // The kernel mounts tracefs in debugfs by itself as soon as somebody looks there.
  const options = { stdio: 'ignore', env: toolEnvironment() } as const;
  if (target === DEBUGFS.target) spawnSync(umount, [join(target, 'tracing')], options);
  spawnSync(umount, [target], options);
}

function access(path: string): 'there' | 'missing' | 'denied' {
  try {
    statSync(path);
    return 'there';
  } catch (error) {
    return errorCode(error) === 'EACCES' || errorCode(error) === 'EPERM' ? 'denied' : 'missing';
  }
}

function notPermitted(place: Place): UnavailableError {
  return new UnavailableError(`${place.type} is for root only`, 'run it as root: sudo marple collect ...');
}

function mountCommand(place: Place): string {
  return `sudo mount -t ${place.type} ${place.type} ${place.target}`;
}
