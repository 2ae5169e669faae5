import { type FoldingOptions, frameNames, rootFrame } from './folding.ts';
import type { PerfFrame, PerfSample } from './perf-script.ts';
import { StackTable } from './stack-table.ts';

/** Frames whose names are remembered. */
const REMEMBERED = 200_000;

/** Tasks whose last stacks are remembered. */
const MOST_TASKS = 4096;

/** The last stack of a task: what the next one begins with as well is at the same nodes. */
interface LastStack {
  comm: string;
  pid: number | undefined;
  below: string | undefined;
  root: string;
  /** The node of the root, or of what is right below it. */
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
  readonly #names = { java: new Map<PerfFrame, readonly number[]>(), other: new Map<PerfFrame, readonly number[]>() };

  readonly #last = new Map<number, LastStack>();

  /** `amend` gives the frame that stands for one. */
  constructor(options: FoldingOptions = {}, amend: (frame: PerfFrame) => PerfFrame = (frame) => frame) {
    super();
    this.#options = options;
    this.#amend = amend;
  }

  /** Adds the stack of a sample, and gives its number. `below` is a frame between its process and the others. */
  addSample(sample: Pick<PerfSample, 'comm' | 'pid' | 'tid' | 'frames'>, weight: number, below?: string): number {
    const { trie } = this;
    const { frames } = sample;
    const last = this.#lastOf(sample, below);
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
      for (const name of names.get(frame) ?? this.#name(frame, root, names)) node = trie.child(node, name);
      nodes[i] = node;
    }
    last.frames = frames;
    return this.addAt(node, weight);
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

  #name(frame: PerfFrame, root: string, names: Map<PerfFrame, readonly number[]>): readonly number[] {
    if (names.size === REMEMBERED) names.clear();
    const ids = frameNames(this.#amend(frame), root, this.#options).map((name) => this.trie.nameId(name));
    names.set(frame, ids);
    return ids;
  }
}

function grown(nodes: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(length);
  longer.set(nodes);
  return longer;
}
