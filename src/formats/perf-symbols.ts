import { findExecutable } from '../common/executables.ts';
import { runTool } from '../common/process.ts';
import { isJitMemory, MachineModules, type Module, type ModuleSource } from './modules.ts';
import type { FileFork, FileMapping, FileName, FileSample } from './perf-file.ts';
import type { PerfFrame } from './perf-script.ts';
import { addressText } from './symbols.ts';

/*
 * Names for the addresses in a recording's stacks: those of the kernel from /proc/kallsyms, those of programs from the
 * symbols of the files that were mapped where they point to (modules.ts).
 */

interface Mapping {
  readonly start: number;
  readonly end: number;
  readonly offset: number;
  readonly module: Module;
  readonly frames: Map<number, PerfFrame>;
}

/** What code a process has where. */
interface AddressSpace {
  /** In the order of their addresses. */
  readonly mappings: readonly Mapping[];
  /** Those of the program before, until the new one is seen to run: samples in between are of the old one's execve(). */
  readonly before?: readonly Mapping[];
}

/** A task, as far as the records so far tell. */
interface KnownTask {
  readonly pid: number;
  comm: string;
}

const UNKNOWN = '[unknown]';

/** Follows which task is which and what code its process has where, and names the frames of samples. */
export class PerfSymbols {
  /** Names that need demangling, and what they are then. */
  readonly #demangled: Map<string, string>;
  readonly #modules: Map<string, Module>;
  readonly #source: ModuleSource;
  readonly #tasks = new Map<number, KnownTask>();
  readonly #spaces = new Map<number, AddressSpace>();
  #kernel: Module | undefined;
  readonly #kernelFrames = new Map<number, PerfFrame>();
  readonly #unknownFrames = new Map<number, PerfFrame>();
  /** Mangled names that were met, for demangle(). */
  readonly #mangled = new Set<string>();

  private constructor(source: ModuleSource, shared?: PerfSymbols) {
    this.#source = source;
    this.#demangled = shared?.demangled ?? new Map();
    this.#modules = shared?.modules ?? new Map();
    this.#kernel = shared?.kernel;
  }

  /** `source`: where names are looked up; this machine's own files where it is not given. */
  static create(source: ModuleSource = new MachineModules()): PerfSymbols {
    return new PerfSymbols(source);
  }

  private get demangled(): Map<string, string> {
    return this.#demangled;
  }

  private get modules(): Map<string, Module> {
    return this.#modules;
  }

  private get kernel(): Module | undefined {
    return this.#kernel;
  }

  /** For another pass over the same recording: files and names that are known, tasks and mappings as at the start. */
  again(): PerfSymbols {
    return new PerfSymbols(this.#source, this);
  }

  /**
   * Demangles the C++ and Rust names that were met, in one run of c++filt (binutils); again() has them.
   * @returns how many stay as they are since there is no c++filt.
   */
  async demangle(): Promise<number> {
    const names = [...this.#mangled].filter((name) => !this.#demangled.has(name));
    if (names.length === 0) return 0;
    if (findExecutable('c++filt', { optional: true }) === undefined) return names.length;
    const { code, stdout } = await runTool(['c++filt', '-p'], { input: `${names.join('\n')}\n` });
    const lines = stdout.split('\n');
    if (code !== 0 || lines.length < names.length) return names.length;
    for (const [i, name] of names.entries()) this.#demangled.set(name, lines[i] as string);
    return 0;
  }

  name({ pid, tid, comm, isExec }: FileName): void {
    this.#tasks.set(tid, { pid, comm });
    if (!isExec) return;
    const before = this.#spaces.get(pid)?.mappings;
    this.#spaces.set(pid, { mappings: [], ...(before === undefined ? {} : { before }) });
  }

  fork({ pid, tid, parentPid, parentTid }: FileFork): void {
    const parent = this.#tasks.get(parentTid) ?? this.#tasks.get(parentPid);
    this.#tasks.set(tid, { pid, comm: parent?.comm ?? `:${tid}` });
    if (pid === parentPid) return;
    const space = this.#spaces.get(parentPid);
    if (space === undefined) this.#spaces.delete(pid);
    else this.#spaces.set(pid, { ...space });
  }

  mapping({ pid, start, length, offset, path, inode, buildId }: FileMapping): void {
    // The kernel's own are in its symbols.
    if (start < 0 || length <= 0) return;
    const mapping: Mapping = {
      start,
      end: start + length,
      offset,
      module: this.#module(path, inode, pid, buildId),
      frames: new Map(),
    };
    const space = this.#spaces.get(pid);
    this.#spaces.set(pid, { ...space, mappings: insert(space?.mappings ?? [], mapping) });
  }

  /** What a process has mapped. */
  modulesOf(pid: number): Module[] {
    return this.#spaces.get(pid)?.mappings.map(({ module }) => module) ?? [];
  }

  /** The command of a sample's task; `:TID` where it is not known. */
  commOf(tid: number): string {
    return tid === 0 ? 'swapper' : (this.#tasks.get(tid)?.comm ?? `:${tid}`);
  }

  /** The frames of a sample, innermost first. Equal frames are the same objects. */
  frames({ pid, kernel, user }: Pick<FileSample, 'pid' | 'kernel' | 'user'>): PerfFrame[] {
    const frames: PerfFrame[] = [];
    for (const address of kernel) frames.push(this.#kernelFrame(address));
    const space = this.#spaces.get(pid);
    for (const address of user) frames.push(this.#userFrame(space, address));
    if (space?.before !== undefined && user.length > 0 && mappingAt(space.mappings, user[0]!) !== undefined) {
      this.#spaces.set(pid, { mappings: space.mappings });
    }
    return frames;
  }

  #kernelFrame(address: number): PerfFrame {
    let frame = this.#kernelFrames.get(address);
    if (frame === undefined) {
      this.#kernel ??= this.#source.kernel();
      const symbol = this.#kernel.nameAt(address, address);
      frame = { address: addressText(address), symbol: symbol ?? UNKNOWN, module: this.#kernel.name };
      this.#kernelFrames.set(address, frame);
    }
    return frame;
  }

  #userFrame(space: AddressSpace | undefined, address: number): PerfFrame {
    const mapping =
      space === undefined ? undefined : (mappingAt(space.mappings, address) ?? mappingAt(space.before ?? [], address));
    const frames = mapping?.frames ?? this.#unknownFrames;
    let frame = frames.get(address);
    if (frame === undefined) {
      frame = { address: addressText(address), symbol: UNKNOWN, module: UNKNOWN };
      if (mapping !== undefined) {
        const { module, offset, start } = mapping;
        const symbol = module.nameAt(address - start + offset, address);
        frame = { ...frame, symbol: symbol === undefined ? UNKNOWN : this.#readable(symbol), module: module.name };
      }
      // Addresses that broken frame pointers lead to are all different.
      if (mapping !== undefined || frames.size < 100_000) frames.set(address, frame);
    }
    return frame;
  }

  #readable(symbol: string): string {
    if (!/^_+[ZR]/.test(symbol)) return symbol;
    const known = this.#demangled.get(symbol);
    if (known === undefined) this.#mangled.add(symbol);
    return known ?? symbol;
  }

  #module(path: string, inode: number, pid: number, buildId?: string): Module {
    const key = isJitMemory(path) ? `jit:${pid}` : `${path}\0${buildId ?? inode}`;
    let module = this.#modules.get(key);
    if (module === undefined) {
      module = this.#source.module({ path, inode, pid, ...(buildId === undefined ? {} : { buildId }) });
      this.#modules.set(key, module);
    }
    return module;
  }
}

/** Adds a mapping; what it covers of others is theirs no longer. */
function insert(space: readonly Mapping[], added: Mapping): Mapping[] {
  const result: Mapping[] = [];
  let isIn = false;
  for (const old of space) {
    if (old.start >= added.end && !isIn) {
      result.push(added);
      isIn = true;
    }
    if (old.end <= added.start || old.start >= added.end) {
      result.push(old);
      continue;
    }
    if (old.start < added.start) result.push({ ...old, end: added.start });
    if (old.end > added.end) {
      if (!isIn) result.push(added);
      isIn = true;
      result.push({ ...old, start: added.end, offset: old.offset + added.end - old.start });
    }
  }
  if (!isIn) result.push(added);
  return result;
}

function mappingAt(space: readonly Mapping[], address: number): Mapping | undefined {
  let low = 0;
  let high = space.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (space[middle]!.start <= address) low = middle + 1;
    else high = middle;
  }
  const found = space[low - 1];
  return found !== undefined && address < found.end ? found : undefined;
}
