import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { UnavailableError } from '../../common/errors.ts';
import { functionOffsets } from '../../formats/elf.ts';
import { numbersIn } from './tasks.ts';

/** A program or library that has a malloc() of its own. */
export interface Allocator {
  /** As this process can open it, without blanks. */
  readonly path: string;
  /** Where in the file the functions begin that were asked for and that it has; malloc is one of them. */
  readonly functions: ReadonlyMap<string, number>;
}

/** Libraries that are looked into system-wide; of processes that are named, every file is. */
const LIBRARY = /^(libc[.-]|ld-musl-|libjemalloc|libtcmalloc|libmimalloc|libsnmalloc|libhoard|lib[atl]san)/;
/** The dynamic linker's own malloc is for itself. */
const LINKER = /^ld(-linux|-\d|\.so)/;
/** Each is one more probe. */
const MOST = 64;

/**
 * What the processes `pids` (all that run now, where it is undefined) call when they call malloc: their C library, an
 * allocator that stands before it, their own program where that is linked statically.
 * @throws UnavailableError where there is none.
 */
export function findAllocators(pids: readonly number[] | undefined, names: readonly string[]): Allocator[] {
  const found = new Map<string, Allocator | undefined>();
  let isSome = false;
  for (const pid of pids ?? numbersIn('/proc')) {
    const files = mappedFiles(pid);
    const libraries = files.filter(({ path }) => LIBRARY.test(basename(path)));
    const candidates = pids === undefined ? (libraries.length > 0 ? libraries : programOf(pid, files)) : files;
    for (const file of candidates) {
      const key = `${file.device}:${file.inode}`;
      if (!found.has(key)) found.set(key, allocatorIn(pid, file, names));
      isSome ||= found.get(key) !== undefined;
    }
  }
  const allocators = [...found.values()].filter((each) => each !== undefined).slice(0, MOST);
  if (isSome) return allocators;
  throw new UnavailableError(
    pids === undefined
      ? 'no program here has a malloc that could be probed'
      : `no malloc was found in ${pids.length === 1 ? `the process ${pids[0]}` : 'these processes'}: a program that ` +
          'brings an allocator of its own (Go does), or whose symbols were removed, cannot be probed',
    'see where its CPU time goes instead: marple collect callstack',
  );
}

interface MappedFile {
  /** `start-end`, as /proc/PID/map_files has it: without leading zeros. */
  readonly range: string;
  readonly device: string;
  readonly inode: number;
  /** As the process sees it. */
  readonly path: string;
}

// 7f62c3c26000-7f62c3d7b000 r-xp 00026000 fe:00 23423                      /usr/lib/x86_64-linux-gnu/libc.so.6
const LINE = /^0*([\da-f]+)-0*([\da-f]+) r-xp [\da-f]+ ([\da-f]+:[\da-f]+) (\d+) +(\/.*)$/gm;

/** The files that a process runs code of, each once (proc_pid_maps(5)); none where it is gone, or may not be looked into. */
function mappedFiles(pid: number): MappedFile[] {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/maps`, 'utf8');
  } catch {
    return [];
  }
  const files = new Map<string, MappedFile>();
  for (const [, start, end, device = '', inode, path = ''] of text.matchAll(LINE)) {
    files.set(`${device}:${inode}`, { range: `${start}-${end}`, device, inode: Number(inode), path });
  }
  return [...files.values()];
}

function programOf(pid: number, files: readonly MappedFile[]): MappedFile[] {
  try {
    const program = readlinkSync(`/proc/${pid}/exe`);
    return files.filter(({ path }) => path === program);
  } catch {
    return [];
  }
}

function allocatorIn(pid: number, file: MappedFile, names: readonly string[]): Allocator | undefined {
  if (LINKER.test(basename(file.path))) return undefined;
  try {
    const path = openablePath(pid, file);
    const functions = functionOffsets(path, ['malloc', ...names]);
    return functions.has('malloc') ? { path, functions } : undefined;
  } catch {
    // It is gone by now.
    return undefined;
  }
}

/** The path, where it is that file for this process too; else the kernel's own link to it: it may be in a container, or deleted. */
function openablePath(pid: number, { path, inode, range }: MappedFile): string {
  const isSame = statSync(path, { throwIfNoEntry: false })?.ino === inode;
  return isSame && !/[\s\\"]/.test(path) ? path : `/proc/${pid}/map_files/${range}`;
}
