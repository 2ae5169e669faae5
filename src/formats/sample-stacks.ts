import { type FoldingOptions, frameNames, rootFrame } from './folding.ts';
import type { PerfFrame, PerfSample } from './perf-script.ts';
import { StackTable } from './stack-table.ts';

/** Frames whose names are remembered. */
const REMEMBERED = 200_000;

/**
 * The stacks of samples, folded as foldSample() does. What a frame is called is worked out once for each frame object:
 * readers of recordings give equal frames as the same one.
 */
export class SampleStacks extends StackTable {
  readonly #options: FoldingOptions;
  readonly #amend: (frame: PerfFrame) => PerfFrame;
  /** Numbers of the names; those of Java programs are other ones. */
  readonly #names = { java: new Map<PerfFrame, readonly number[]>(), other: new Map<PerfFrame, readonly number[]>() };

  /** `amend` gives the frame that stands for one. */
  constructor(options: FoldingOptions = {}, amend: (frame: PerfFrame) => PerfFrame = (frame) => frame) {
    super();
    this.#options = options;
    this.#amend = amend;
  }

  /** Adds the stack of a sample, and gives its number. `below` is a frame between its process and the others. */
  addSample(sample: Pick<PerfSample, 'comm' | 'pid' | 'tid' | 'frames'>, weight: number, below?: string): number {
    const { trie } = this;
    const root = rootFrame(sample, this.#options);
    const names = this.#names[root.startsWith('java') ? 'java' : 'other'];
    const { frames } = sample;
    let node = trie.child(0, trie.nameId(root));
    if (below !== undefined) node = trie.child(node, trie.nameId(below));
    for (let i = frames.length - 1; i >= 0; i--) {
      const frame = frames[i]!;
      for (const name of names.get(frame) ?? this.#name(frame, root, names)) node = trie.child(node, name);
    }
    return this.addAt(node, weight);
  }

  #name(frame: PerfFrame, root: string, names: Map<PerfFrame, readonly number[]>): readonly number[] {
    if (names.size === REMEMBERED) names.clear();
    const ids = frameNames(this.#amend(frame), root, this.#options).map((name) => this.trie.nameId(name));
    names.set(frame, ids);
    return ids;
  }
}
