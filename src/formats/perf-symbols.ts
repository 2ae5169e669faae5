import { AddressSpace, type Mapping } from './address-space.ts';
import { type CallChain, type ChainPart, isMark, partAfter, toAddress } from './call-chain.ts';
import { Demangler } from './demangler.ts';
import { FrameTable } from './frame-table.ts';
import { isJitMemory, MachineModules, type Module, type ModuleSource } from './modules.ts';
import type { FileExit, FileFork, FileMapping, FileName, FileSample } from './perf-file.ts';
import type { PerfFrame } from './perf-script.ts';
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

/** Tasks whose last chains are remembered. */
const MOST_CHAINS = 4096;

/**
 * The last chain of a task, by its values in two halves of 32 bits, from the outermost inwards: what the next one begins with
 * as well has the same frames.
 */
class LastChain {
  /** Innermost first. */
  #frames: readonly PerfFrame[] = [];
  #values = new Int32Array(128);
  /** Whose addresses each of the values would be, and how many frames there are up to it. */
  #parts: ChainPart[] = [];
  #counts = new Int32Array(64);
  #length = 0;
  #space: AddressSpace | undefined;
  #version = 0;

  /** How many of its values a chain begins with too; none where they may have other frames by now. */
  shared(space: AddressSpace, { view, start, end, begins }: CallChain): number {
    if (this.#space !== space || this.#version !== space.version || space.isChanging) return 0;
    const values = this.#values;
    const most = Math.min(this.#length, (end - start) / 8);
    let count = 0;
    let at = end - 8;
    for (; count < most; at -= 8, count++) {
      if (values[2 * count] !== view.getInt32(at, true) || values[2 * count + 1] !== view.getInt32(at + 4, true)) break;
    }
    if (count === 0) return 0;
    // Whose addresses they are a mark further inwards tells.
    let part = begins;
    for (; at >= start; at -= 8) {
      const low = view.getInt32(at, true);
      if (!isMark(low, view.getInt32(at + 4, true))) continue;
      part = partAfter(low);
      break;
    }
    return part === this.#parts[count - 1] ? count : 0;
  }

  /** The frames of so many values, innermost first. */
  framesOf(count: number): readonly PerfFrame[] {
    return count === 0 ? [] : this.#frames.slice(this.#frames.length - this.#counts[count - 1]!);
  }

  /** Takes over a chain, which has `shared` values in common with the one before. */
  put(
    space: AddressSpace,
    { view, start, end, begins }: CallChain,
    shared: number,
    frames: readonly PerfFrame[],
  ): void {
    this.#space = space;
    this.#version = space.version;
    this.#frames = frames;
    this.#length = (end - start) / 8;
    if (this.#length > this.#counts.length) this.#grow();
    let inner = 0;
    let part = begins;
    for (let at = start, i = this.#length - 1; i >= shared; at += 8, i--) {
      const low = view.getInt32(at, true);
      const high = view.getInt32(at + 4, true);
      this.#values[2 * i] = low;
      this.#values[2 * i + 1] = high;
      this.#parts[i] = part;
      this.#counts[i] = frames.length - inner;
      if (isMark(low, high)) part = partAfter(low);
      else if (part !== 'other') inner++;
    }
  }

  #grow(): void {
    const [values, counts] = [this.#values, this.#counts];
    this.#values = new Int32Array(4 * this.#length);
    this.#counts = new Int32Array(2 * this.#length);
    this.#values.set(values);
    this.#counts.set(counts);
  }
}

/** All frames that were made. */
let frameCount = 0;

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
  readonly #chains = new Map<number, LastChain>();
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
  frames({ pid, tid = pid, chain }: Pick<FileSample, 'pid' | 'chain'> & { readonly tid?: number }): PerfFrame[] {
    const { view, start, end } = chain;
    const space = this.#spaceOf(pid);
    // What a task was called from is mostly what it was called from before.
    const last = this.#lastOf(tid);
    const shared = last.shared(space, chain);
    const outer = last.framesOf(shared);
    const outerStart = end - 8 * shared;
    // As many as there can be, so that it need not grow.
    const frames = new Array<PerfFrame>((outerStart - start) / 8 + outer.length);
    let count = 0;
    let part = chain.begins;
    let innermost: number | undefined;
    for (let at = start; at < outerStart; at += 8) {
      const low = view.getInt32(at, true);
      const high = view.getInt32(at + 4, true);
      if (isMark(low, high)) part = partAfter(low);
      else if (part === 'kernel') frames[count++] = this.#kernelFrames.get(low, high) ?? this.#meetKernel(low, high);
      else if (part === 'user') {
        innermost ??= toAddress(low, high);
        frames[count++] = space.frame(low, high, this.#nameFrame);
      }
    }
    for (let i = 0; i < outer.length; i++) frames[count++] = outer[i]!;
    frames.length = count;
    if (innermost !== undefined) space.runs(innermost);
    last.put(space, chain, shared, frames);
    return frames;
  }

  #lastOf(tid: number): LastChain {
    let last = this.#chains.get(tid);
    if (last === undefined) {
      if (this.#chains.size === MOST_CHAINS) this.#chains.clear();
      last = new LastChain();
      this.#chains.set(tid, last);
    }
    return last;
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
