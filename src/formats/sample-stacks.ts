import { type FoldingOptions, frameNames, rootFrame } from './folding.ts';
import type { PerfFrame, PerfSample } from './perf-script.ts';
import { StackTable } from './stack-table.ts';

/** Frames whose names are remembered: those with numbers up to the first, and so many others. */
const MOST_NUMBERED = 1 << 22;
const REMEMBERED = 200_000;

/** The names of frames, by their numbers in a trie. */
class FrameNames {
  /** By the number of the frame: that of its name and one more, where it has one name. */
  #singles = new Int32Array(1024);
  readonly #others = new Map<PerfFrame, readonly number[]>();
  /** By symbol: the module that it was in last. Most symbols are at many addresses. */
  readonly #symbols = new Map<string, { readonly module: string; readonly names: readonly number[] }>();

  /** The one name of a numbered frame; -1 where it has several, or is not known. */
  single(frame: number): number {
    return frame < this.#singles.length ? this.#singles[frame]! - 1 : -1;
  }

  of(frame: PerfFrame): readonly number[] | undefined {
    return this.#others.get(frame);
  }

  /** Those of a frame at another address of the same symbol, where they are known. */
  ofSymbol({ symbol, module }: PerfFrame): readonly number[] | undefined {
    const last = this.#symbols.get(symbol);
    return last?.module === module ? last.names : undefined;
  }

  putSymbol({ symbol, module }: PerfFrame, names: readonly number[]): void {
    if (this.#symbols.size === REMEMBERED) this.#symbols.clear();
    this.#symbols.set(symbol, { module, names });
  }

  put(frame: PerfFrame, names: readonly number[]): void {
    const { number } = frame;
    if (number !== undefined && number < MOST_NUMBERED && names.length === 1) {
      if (number >= this.#singles.length) this.#singles = grown(this.#singles, 2 * number);
      this.#singles[number] = names[0]! + 1;
      return;
    }
    if (this.#others.size === REMEMBERED) this.#others.clear();
    this.#others.set(frame, names);
  }
}

/** Tasks whose last stacks are remembered. */
const MOST_TASKS = 4096;
/** Numbered stacks of which it is remembered where they end; a power of two. */
const MOST_STACKS = 1 << 17;
/** Of so few a small table is enough: there may be thousands of profiles. */
const FEW_STACKS = 1 << 6;

/** The nodes at which numbered stacks end: of those that share a place the last one is known. */
class StackEnds {
  /** By place: the number of the stack, the node on which it stands, and that at which it ends; 0 is none. */
  #places = new Int32Array(4 * FEW_STACKS);
  #puts = 0;

  /** 0 where it is not known. */
  get(base: number, stack: number): number {
    const places = this.#places;
    const at = placeOf(places, base, stack);
    return places[at] === stack && places[at + 1] === base ? places[at + 2]! : 0;
  }

  put(base: number, stack: number, end: number): void {
    // What is lost with the small table is found once more.
    if (++this.#puts === FEW_STACKS) this.#places = new Int32Array(4 * MOST_STACKS);
    const places = this.#places;
    const at = placeOf(places, base, stack);
    places[at] = stack;
    places[at + 1] = base;
    places[at + 2] = end;
  }
}

function placeOf(places: Int32Array, base: number, stack: number): number {
  return 4 * ((Math.imul(base, 0x9e3779b1) + stack) & (places.length / 4 - 1));
}

/** The last stack of a task: what the next one begins with as well is at the same nodes. */
interface LastStack {
  comm: string;
  pid: number | undefined;
  below: string | undefined;
  root: string;
  /** The node of the root, or of what is right above it. */
  base: number;
  /** Innermost first. */
  frames: readonly PerfFrame[];
  /** The node of each frame, from the outermost inwards. */
  nodes: Int32Array;
}

/**
 * The stacks of samples, folded as foldSample() does. What a frame is called is worked out once for each frame object:
 * readers of recordings give equal frames as the same one.
 */
export class SampleStacks extends StackTable {
  readonly #options: FoldingOptions;
  readonly #amend: (frame: PerfFrame) => PerfFrame;
  /** Numbers of the names; those of Java programs are other ones. */
  readonly #names = { java: new FrameNames(), other: new FrameNames() };

  readonly #last = new Map<number, LastStack>();
  readonly #ends = new StackEnds();

  /** `amend` gives the frame that stands for one. */
  constructor(options: FoldingOptions = {}, amend: (frame: PerfFrame) => PerfFrame = (frame) => frame) {
    super();
    this.#options = options;
    this.#amend = amend;
  }

  /** Adds the stack of a sample, and gives its number. `below` is a frame between its process and the others. */
  addSample(
    sample: Pick<PerfSample, 'comm' | 'pid' | 'tid' | 'frames' | 'stack'>,
    weight: number,
    below?: string,
  ): number {
    const { stack } = sample;
    const last = this.#lastOf(sample, below);
    const known = stack === undefined ? 0 : this.#ends.get(last.base, stack);
    if (known !== 0) return this.addAt(known, weight);
    const end = this.#endOf(sample.frames, last);
    if (stack !== undefined) this.#ends.put(last.base, stack, end);
    return this.addAt(end, weight);
  }

  /** The node at which frames end. */
  #endOf(frames: readonly PerfFrame[], last: LastStack): number {
    const { trie } = this;
    const { root, frames: before } = last;
    const names = this.#names[root.startsWith('java') ? 'java' : 'other'];
    const depth = frames.length;
    const most = Math.min(depth, before.length);
    let shared = 0;
    while (shared < most && frames[depth - 1 - shared] === before[before.length - 1 - shared]) shared++;
    if (depth > last.nodes.length) last.nodes = grown(last.nodes, 2 * depth);
    const { nodes } = last;
    let node = shared === 0 ? last.base : nodes[shared - 1]!;
    for (let i = shared; i < depth; i++) {
      const frame = frames[depth - 1 - i]!;
      const name = frame.number === undefined ? -1 : names.single(frame.number);
      if (name >= 0) node = trie.child(node, name);
      else for (const each of names.of(frame) ?? this.#name(frame, root, names)) node = trie.child(node, each);
      nodes[i] = node;
    }
    last.frames = frames;
    return node;
  }

  #lastOf(sample: Pick<PerfSample, 'comm' | 'pid' | 'tid'>, below: string | undefined): LastStack {
    const { comm, pid, tid } = sample;
    const last = this.#last.get(tid);
    if (last !== undefined && last.comm === comm && last.pid === pid && last.below === below) return last;
    const { trie } = this;
    const root = rootFrame(sample, this.#options);
    let base = trie.child(0, trie.nameId(root));
    if (below !== undefined) base = trie.child(base, trie.nameId(below));
    const begun = { comm, pid, below, root, base, frames: [], nodes: last?.nodes ?? new Int32Array(64) };
    if (this.#last.size >= MOST_TASKS) this.#last.clear();
    this.#last.set(tid, begun);
    return begun;
  }

  #name(frame: PerfFrame, root: string, names: FrameNames): readonly number[] {
    // Only with addresses in them names differ between those.
    const known = this.#options.addrs === true ? undefined : names.ofSymbol(frame);
    const ids = known ?? frameNames(this.#amend(frame), root, this.#options).map((name) => this.trie.nameId(name));
    if (known === undefined) names.putSymbol(frame, ids);
    names.put(frame, ids);
    return ids;
  }
}

function grown(nodes: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(length);
  longer.set(nodes);
  return longer;
}
