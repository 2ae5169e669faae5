import { toAddress } from './call-chain.ts';
import { FrameTable } from './frame-table.ts';
import type { Module } from './modules.ts';
import type { PerfFrame } from './perf-script.ts';

export interface Mapping {
  readonly start: number;
  readonly end: number;
  readonly offset: number;
  readonly module: Module;
}

/** Addresses that broken frame pointers lead to are all different: so many are remembered. */
const MOST_UNKNOWN = 100_000;

/** All generations that there were. */
let generations = 0;

/** What code a process has where, and the frames that were met in it. */
export class AddressSpace {
  /** In the order of their addresses. */
  #mappings: readonly Mapping[];
  /** Those of the program before, until the new one is seen to run: samples in between are of the old one's execve(). */
  #before: readonly Mapping[];
  #known = new FrameTable();
  /** Frames at addresses where nothing is mapped. */
  #unknown = new FrameTable();
  /** Whether both are those of another process too, which has the same mappings. */
  #isShared = false;
  #generation = generations++;

  constructor(mappings: readonly Mapping[] = [], before: readonly Mapping[] = []) {
    this.#mappings = mappings;
    this.#before = before;
  }

  get mappings(): readonly Mapping[] {
    return this.#mappings;
  }

  /** The same number: the same frames at all addresses, unless it is changing. It is another one when an address may have another frame. */
  get generation(): number {
    return this.#generation;
  }

  /** What a new process has of it. */
  copy(): AddressSpace {
    const copy = new AddressSpace(this.#mappings, this.#before);
    copy.#known = this.#known;
    copy.#unknown = this.#unknown;
    copy.#generation = this.#generation;
    copy.#isShared = true;
    this.#isShared = true;
    return copy;
  }

  /** What is there once another program runs. */
  afterExec(): AddressSpace {
    return new AddressSpace([], this.#mappings);
  }

  /** Whether another program was put in its place, and what runs is not yet seen. */
  get isChanging(): boolean {
    return this.#before.length > 0;
  }

  add(mapping: Mapping): void {
    this.#generation = generations++;
    const { start, end } = mapping;
    const isCovering = this.#mappings.some((old) => old.start < end && old.end > start);
    this.#mappings = insert(this.#mappings, mapping);
    if (this.#isShared || isCovering || this.#before.length > 0) this.#forget();
    // What was not known may be in it.
    else if (this.#unknown.size > 0) this.#unknown = new FrameTable();
  }

  /** The program at an address is seen to run. */
  runs(address: number): void {
    if (this.#before.length === 0 || mappingAt(this.#mappings, address) === undefined) return;
    this.#before = [];
    this.#forget();
  }

  #forget(): void {
    this.#generation = generations++;
    this.#known = new FrameTable();
    this.#unknown = new FrameTable();
    this.#isShared = false;
  }

  /** The frame at an address, in two halves. `name` makes it where it was not met before. */
  frame(low: number, high: number, name: (address: number, mapping: Mapping | undefined) => PerfFrame): PerfFrame {
    const met = this.#known.get(low, high) ?? this.#unknown.get(low, high);
    if (met !== undefined) return met;
    const address = toAddress(low, high);
    const mapping = mappingAt(this.#mappings, address) ?? mappingAt(this.#before, address);
    const frame = name(address, mapping);
    if (mapping !== undefined) this.#known.set(low, high, frame);
    else if (this.#unknown.size < MOST_UNKNOWN) this.#unknown.set(low, high, frame);
    return frame;
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
