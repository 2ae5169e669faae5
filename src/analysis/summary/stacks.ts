import type { StackColumns } from '../../common/column-data.ts';
import type { StackData } from '../../common/datatypes.ts';
import { StackPath, WeightedTrie } from '../../common/stack-trie.ts';
import { isIdleStack } from '../select.ts';
import { OTHER } from './other.ts';

/** Stacks of one host or of many, added up. */
export class StackSummary {
  /** Different stacks that were added, at the most: those of several hosts may be the same. */
  added = 0;
  readonly #trie = new WeightedTrie();

  /** Adds the stacks of a section. */
  async addAll(stacks: AsyncIterable<StackColumns>): Promise<void> {
    const path = new StackPath(this.#trie);
    for await (const columns of stacks) {
      for (let i = 0; i < columns.length; i++) {
        path.move(columns, i);
        const weight = columns.weight[i]!;
        if (weight > 0) this.#trie.addWeightAt(path.end(), weight);
      }
      this.added += columns.length;
    }
  }

  add(stack: readonly string[], weight: number): void {
    if (weight <= 0) return;
    this.#trie.addWeight(stack, weight);
    this.added++;
  }

  /**
   * The stacks of the frames that have at least `minShare` (0 .. 1) of the weight that is not idle, with all that was called from
   * them. What is lighter is added up under the frame that called it, as OTHER: no frame is given weight of its own that
   * it does not have, and every total stays.
   */
  fold(minShare: number): FoldedStacks {
    const trie = this.#trie;
    const { names, parents, frames, self } = trie;
    const { length } = parents;
    const total = self.slice();
    for (let node = length - 1; node > 0; node--) total[parents[node]!]! += total[node]!;
    let idle = 0;
    for (let node = 1; node < length; node++) {
      if (parents[node] === 0 && isIdleStack([names[frames[node]!]!])) idle += total[node]!;
    }
    const least = (trie.total - idle) * minShare;
    const isKept = new Uint8Array(length);
    isKept[0] = 1;
    // What was folded before stays so.
    for (let node = 1; node < length; node++) {
      const keeps = isKept[parents[node]!] === 1 && total[node]! >= least && names[frames[node]!] !== OTHER;
      if (keeps) isKept[node] = 1;
    }
    const rest = new Float64Array(length);
    let folded = 0;
    for (let node = 1; node < length; node++) {
      if (isKept[node] === 1 || isKept[parents[node]!] === 0) continue;
      rest[parents[node]!]! += total[node]!;
      folded += total[node]!;
    }
    const stacks: StackData[] = [];
    for (let node = 0; node < length; node++) {
      if (isKept[node] === 0) continue;
      const stack = trie.stackOf(node);
      if (node > 0 && self[node]! > 0) stacks.push({ weight: self[node]!, stack });
      if (rest[node]! > 0) stacks.push({ weight: rest[node]!, stack: [...stack, OTHER] });
    }
    return { stacks, total: trie.total, folded };
  }
}

export interface FoldedStacks {
  readonly stacks: readonly StackData[];
  /** Weight of all, and of what is under OTHER. */
  readonly total: number;
  readonly folded: number;
}
