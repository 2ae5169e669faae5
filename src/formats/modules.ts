import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { readRegular } from '../common/regular-file.ts';
import { openKept } from './byte-source.ts';
import { type ElfSymbols, parseElf, readElf, symbolsIn } from './elf.ts';
import type { FileMapping } from './perf-file.ts';
import { parseKallsyms, parsePerfMap, type SymbolTable } from './symbols.ts';

/*
 * Where the names of functions come from. They are looked up on the machine that was recorded, before it is booted again, or
 * in what `marple collect --raw` kept of its files: another machine's names would be wrong.
 */

/** Code that has names: a file, the kernel, or what a process compiled at run time. */
export interface Module {
  /** As perf prints it: a path, `[kernel.kallsyms]`, `[vdso]`, `/tmp/perf-PID.map`, `[unknown]`. */
  readonly name: string;
  /** The symbol at an offset of the file, or at the address where the module has no file. */
  nameAt(offset: number, address: number): string | undefined;
}

/** What a process has mapped. */
export type MappedFile = Pick<FileMapping, 'path' | 'inode' | 'pid' | 'buildId'>;

/** Where names are looked up. */
export interface ModuleSource {
  /** The folder of files that were kept of another machine. */
  readonly kept?: string | undefined;
  kernel(): Module;
  module(mapped: MappedFile): Module;
}

/** Memory without a file, in which code can only have been compiled at run time. */
const JIT_MEMORY = /^(\/\/anon|\/dev\/zero|\/anon_hugepage|\[stack|\[heap\]|\/SYSV)/;

export function isJitMemory(path: string): boolean {
  return JIT_MEMORY.test(path);
}

export const KERNEL_NAME = '[kernel.kallsyms]';
export const VDSO_NAME = '[vdso]';
export const KALLSYMS = '/proc/kallsyms';

/** The map that a process may write of the code that it compiled (perf's jit-interface.txt). */
export function perfMapPath(pid: number): string {
  return `/tmp/perf-${pid}.map`;
}

/** A map of more is not read. */
const LARGEST_MAP = 256 * 2 ** 20;

/**
 * The map of a process on this machine. Anybody can write to /tmp: that of a process which still runs is its own user's, or
 * root's. Throws where there is none that can be trusted.
 */
export function readPerfMap(pid: number): Buffer {
  const user = statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid;
  return readRegular(perfMapPath(pid), LARGEST_MAP, ({ uid }) => uid === 0 || user === undefined || uid === user);
}

/** The distribution's debug file has more symbols; where it is goes by the build id (gdb's manual, "Debugging Information in Separate Files"). */
export function debugFilePath(buildId: string): string {
  return `/usr/lib/debug/.build-id/${buildId.slice(0, 2)}/${buildId.slice(2)}.debug`;
}

/** A path of a machine, whatever it holds, within a folder. */
export function within(folder: string, path: string): string {
  return join(folder, posix.normalize(`/${path}`));
}

/** The files of this machine, or those that were kept of another in a folder, each at its own path. */
export class MachineModules implements ModuleSource {
  constructor(readonly kept?: string) {}

  kernel(): Module {
    const table = attempt(() => parseKallsyms(readFileSync(this.#path(KALLSYMS))));
    return { name: KERNEL_NAME, nameAt: (address) => table?.nameAt(address) };
  }

  module({ path, inode, pid, buildId }: MappedFile): Module {
    if (isJitMemory(path)) return this.#jit(pid);
    return path === VDSO_NAME
      ? elfModule(path, () => this.#vdso())
      : elfModule(path, () => this.#file(path, inode, buildId));
  }

  #path(path: string): string {
    return this.kept === undefined ? path : within(this.kept, path);
  }

  /** A program or library. */
  #file(path: string, inode: number, buildId: string | undefined): ElfSymbols | undefined {
    if (this.kept === undefined && inode !== 0 && wasReplaced(path, inode)) return undefined;
    const own = this.#elf(path);
    if (buildId !== undefined && own?.buildId !== buildId) return undefined;
    const id = own?.buildId;
    const debug = id === undefined ? undefined : attempt(() => this.#elf(debugFilePath(id)));
    // What is loaded from where only the file itself tells: the other one has none of its contents.
    return own === undefined || debug === undefined ? own : { ...own, table: debug.table };
  }

  #elf(path: string): ElfSymbols | undefined {
    return this.kept === undefined ? readElf(path) : symbolsIn(openKept(within(this.kept, path)));
  }

  /** The kernel maps the same vdso into every process of its kind: ours is read. */
  #vdso(): ElfSymbols | undefined {
    return parseElf(this.kept === undefined ? ownVdso() : readFileSync(within(this.kept, VDSO_NAME)));
  }

  #perfMap(pid: number): Buffer {
    return this.kept === undefined ? readPerfMap(pid) : readFileSync(within(this.kept, perfMapPath(pid)));
  }

  #jit(pid: number): Module {
    const name = perfMapPath(pid);
    let table: SymbolTable | null | undefined;
    return {
      name,
      nameAt: (_, address) => {
        if (table === undefined) table = attempt(() => parsePerfMap(this.#perfMap(pid).toString('latin1'))) ?? null;
        return table?.nameAt(address);
      },
    };
  }
}

/** Its symbols are read when the first address in it is met. */
function elfModule(name: string, read: () => ElfSymbols | undefined): Module {
  let symbols: ElfSymbols | null | undefined;
  return {
    name,
    nameAt: (offset) => {
      if (symbols === undefined) symbols = attempt(read) ?? null;
      const address = symbols?.addressOf(offset);
      return address === undefined ? undefined : symbols?.table.nameAt(address);
    },
  };
}

/** Undefined where a file is gone, or may not be read: the frames have no name then, which is counted. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Another file has the path now: its names would be wrong. */
export function wasReplaced(path: string, inode: number): boolean {
  return statSync(path).ino !== inode;
}

// 7ffd1a5f2000-7ffd1a5f4000 r-xp 00000000 00:00 0                          [vdso]
/** The bytes of the vdso in this process. */
export function ownVdso(): Buffer {
  const line = /^([\da-f]+)-([\da-f]+) .*\[vdso\]$/m.exec(readFileSync('/proc/self/maps', 'latin1'));
  if (line === null) throw new Error('this process has no vdso');
  const [start, end] = [Number.parseInt(line[1] as string, 16), Number.parseInt(line[2] as string, 16)];
  const memory = openSync('/proc/self/mem', 'r');
  try {
    const bytes = Buffer.alloc(end - start);
    readSync(memory, bytes, 0, bytes.length, start);
    return bytes;
  } finally {
    closeSync(memory);
  }
}
