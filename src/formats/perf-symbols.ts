import { AddressSpace, type Mapping } from './address-space.ts';
import { type CallChain, isMark, partAfter, toAddress } from './call-chain.ts';
import { ChainTable } from './chain-table.ts';
import { Demangler } from './demangler.ts';
import { FrameTable } from './frame-table.ts';
import { isJitMemory, MachineModules, type Module, type ModuleSource } from './modules.ts';
import type { FileExit, FileFork, FileMapping, FileName, FileSample } from './perf-file.ts';
import type { PerfFrame } from './perf-script.ts';
import type { NumberedStack } from './stack-lines.ts';
import { addressText } from './symbols.ts';

/*
 * Names for the addresses in a recording's stacks: those of the kernel from /proc/kallsyms, those of programs from the
 * symbols of the files that were mapped where they point to (modules.ts).
 */

/** A task, as far as the records so far tell. */
interface KnownTask {
  readonly pid: number;
  comm: string;
}

const UNKNOWN = '[unknown]';
const MANGLED = /^_+[ZR]/;

/** A frame whose name may yet become readable. */
interface NamedFrame extends PerfFrame {
  symbol: string;
}
/** Tasks that have ended are known until so many others have: what they did last comes behind the record of their end. */
const ENDED_KEPT = 1000;

/** A task that has ended, and the code of its process where it was the last of it. */
interface EndedTask {
  readonly tid: number;
  readonly pid: number;
  readonly task: KnownTask | undefined;
  readonly space: AddressSpace | undefined;
}

/** All frames that were made, and all stacks. */
let frameCount = 0;
let stackCount = 0;

/** Follows which task is which and what code its process has where, and names the frames of samples. */
export class PerfSymbols {
  /** Mangled names that were met before, and what they are then. */
  readonly #demangled: Map<string, string>;
  readonly #modules: Map<string, Module>;
  readonly #source: ModuleSource;
  readonly #tasks = new Map<number, KnownTask>();
  readonly #spaces = new Map<number, AddressSpace>();
  /** Tasks of a process that were seen to begin and not to end; the process's first is not among them. */
  readonly #threads = new Map<number, number>();
  #ended: EndedTask[] = [];
  #kernel: Module | undefined;
  readonly #kernelFrames = new FrameTable();
  readonly #stacks = new ChainTable<NumberedStack>();
  /** Frames with mangled names, for demangle(). */
  #mangled: NamedFrame[] = [];

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

  /** Whether frames were met since the last demangle() whose names it would make readable. */
  get isMangled(): boolean {
    return this.#mangled.length > 0;
  }

  /**
   * Demangles the C++ and Rust names that were met: the frames that were given out have the readable ones from here on.
   * @returns how many stay as they are since there is no c++filt.
   */
  async demangle(demangler: Demangler): Promise<number> {
    const frames = this.#mangled;
    this.#mangled = [];
    const names = [...new Set(frames.map(({ symbol }) => symbol))].filter((name) => !this.#demangled.has(name));
    const readable = names.length === 0 ? [] : await demangler.demangle(names);
    for (const [i, name] of names.entries()) this.#demangled.set(name, readable?.[i] ?? name);
    for (const frame of frames) frame.symbol = this.#demangled.get(frame.symbol) ?? frame.symbol;
    return readable === undefined ? names.length : 0;
  }

  /** The same of all names at once: again() has them. */
  async demangleAll(): Promise<number> {
    const demangler = new Demangler();
    try {
      return await this.demangle(demangler);
    } finally {
      await demangler.close();
    }
  }

  name({ pid, tid, comm, isExec }: FileName): void {
    this.#tasks.set(tid, { pid, comm });
    if (!isExec) return;
    this.#spaces.set(pid, this.#spaceOf(pid).afterExec());
  }

  fork({ pid, tid, parentPid, parentTid }: FileFork): void {
    const parent = this.#tasks.get(parentTid) ?? this.#tasks.get(parentPid);
    this.#tasks.set(tid, { pid, comm: parent?.comm ?? `:${tid}` });
    if (pid === parentPid) {
      this.#threads.set(pid, (this.#threads.get(pid) ?? 0) + 1);
      return;
    }
    const space = this.#spaces.get(parentPid);
    if (space === undefined) this.#spaces.delete(pid);
    else this.#spaces.set(pid, space.copy());
  }

  /** Forgets the task, and its process with its last task, after a while: there may be very many. */
  exit({ pid, tid }: FileExit): void {
    const threads = this.#threads.get(pid) ?? 0;
    if (tid !== pid && threads > 1) this.#threads.set(pid, threads - 1);
    else if (tid !== pid) this.#threads.delete(pid);
    // A process whose first task ends before its threads keeps its code.
    const space = tid === pid && threads === 0 ? this.#spaces.get(pid) : undefined;
    this.#ended.push({ tid, pid, task: this.#tasks.get(tid), space });
    if (this.#ended.length < 2 * ENDED_KEPT) return;
    for (const ended of this.#ended.slice(0, ENDED_KEPT)) this.#forget(ended);
    this.#ended = this.#ended.slice(ENDED_KEPT);
  }

  /** Unless another has its number by now. */
  #forget({ tid, pid, task, space }: EndedTask): void {
    if (this.#tasks.get(tid) === task) this.#tasks.delete(tid);
    if (space !== undefined && this.#spaces.get(pid) === space) this.#spaces.delete(pid);
  }

  mapping({ pid, start, length, offset, path, inode, buildId }: FileMapping): void {
    // The kernel's own are in its symbols.
    if (start < 0 || length <= 0) return;
    const module = this.#module(path, inode, pid, buildId);
    this.#spaceOf(pid).add({ start, end: start + length, offset, module });
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
  frames(sample: Pick<FileSample, 'pid' | 'chain'>): readonly PerfFrame[] {
    return this.stack(sample).frames;
  }

  /** The stack of a sample: mostly the same object for equal ones. */
  stack({ pid, chain }: Pick<FileSample, 'pid' | 'chain'>): NumberedStack {
    const space = this.#spaceOf(pid);
    if (space.isChanging) return this.#stackOf(space, chain);
    const { generation } = space;
    let stack = this.#stacks.get(generation, chain);
    if (stack === undefined) {
      stack = this.#stackOf(space, chain);
      this.#stacks.add(generation, chain, stack);
    }
    return stack;
  }

  #stackOf(space: AddressSpace, { view, start, end, begins }: CallChain): NumberedStack {
    // As many as there can be, so that it need not grow.
    const frames = new Array<PerfFrame>((end - start) / 8);
    let count = 0;
    let part = begins;
    let innermost: number | undefined;
    for (let at = start; at < end; at += 8) {
      const low = view.getInt32(at, true);
      const high = view.getInt32(at + 4, true);
      if (isMark(low, high)) part = partAfter(low);
      else if (part === 'kernel') frames[count++] = this.#kernelFrames.get(low, high) ?? this.#meetKernel(low, high);
      else if (part === 'user') {
        innermost ??= toAddress(low, high);
        frames[count++] = space.frame(low, high, this.#nameFrame);
      }
    }
    frames.length = count;
    if (innermost !== undefined) space.runs(innermost);
    return { frames, number: stackCount++ };
  }

  #spaceOf(pid: number): AddressSpace {
    let space = this.#spaces.get(pid);
    if (space === undefined) {
      space = new AddressSpace();
      this.#spaces.set(pid, space);
    }
    return space;
  }

  #meetKernel(low: number, high: number): PerfFrame {
    const address = toAddress(low, high);
    this.#kernel ??= this.#source.kernel();
    const symbol = this.#kernel.nameAt(address, address) ?? UNKNOWN;
    const frame = { address: addressText(address), symbol, module: this.#kernel.name, number: frameCount++ };
    this.#kernelFrames.set(low, high, frame);
    return frame;
  }

  readonly #nameFrame = (address: number, mapping: Mapping | undefined): PerfFrame => {
    const text = addressText(address);
    if (mapping === undefined) return { address: text, symbol: UNKNOWN, module: UNKNOWN, number: frameCount++ };
    const { module, offset, start } = mapping;
    const symbol = module.nameAt(address - start + offset, address) ?? UNKNOWN;
    const known = this.#demangled.get(symbol);
    const frame = { address: text, symbol: known ?? symbol, module: module.name, number: frameCount++ };
    if (known === undefined && MANGLED.test(symbol)) this.#mangled.push(frame);
    return frame;
  };

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
