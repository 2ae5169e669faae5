import type { StackColumns } from '../common/column-data.ts';
import type { StackData } from '../common/datatypes.ts';
import { batchesOf, type HeldStacks } from '../common/held-section.ts';
import type { Batch } from '../common/section.ts';
import { StackTrie } from '../common/stack-trie.ts';

/**
 * Unique stacks with their total weights, numbered in the order in which they were first seen. Stacks that begin alike
 * share their beginning, so memory goes with the size of the call tree.
 */
export class StackTable implements HeldStacks {
  protected readonly trie = new StackTrie();
  /** By node: the number of the stack that ends there, and one more. */
  #numbers = new Int32Array(1024);
  readonly #ends: number[] = [];
  readonly #weights: number[] = [];

  get size(): number {
    return this.#ends.length;
  }

  /** Adds a stack, root first, and gives its number. */
  add(stack: readonly string[], weight: number): number {
    return this.addAt(this.trie.add(stack), weight);
  }

  /** Adds the stack that ends at a node. */
  protected addAt(node: number, weight: number): number {
    if (node >= this.#numbers.length) this.#grow();
    if (this.#numbers[node] === 0) {
      this.#weights.push(0);
      this.#numbers[node] = this.#ends.push(node);
    }
    const number = this.#numbers[node]! - 1;
    this.#weights[number]! += weight;
    return number;
  }

  #grow(): void {
    const larger = new Int32Array(2 * this.trie.size);
    larger.set(this.#numbers);
    this.#numbers = larger;
  }

  /** Takes what a stack weighs more than that away, and gives how many stacks did. */
  limit(most: number): number {
    let limited = 0;
    for (const [number, weight] of this.#weights.entries()) {
      if (weight <= most) continue;
      this.#weights[number] = most;
      limited++;
    }
    return limited;
  }

  /** All stacks, in the order of their numbers. */
  *stacks(): Generator<StackData> {
    for (const [number, end] of this.#ends.entries()) {
      yield { weight: this.#weights[number]!, stack: this.trie.stackOf(end) };
    }
  }

  /** The same as columns. */
  *columns(): Generator<StackColumns> {
    const { parents, frames: frameOf, names } = this.trie;
    /** The nodes of the last stack, root first, and by node how deep it was when it was in the last stack; the root is at 1. */
    const path: number[] = [];
    const depths = new Int32Array(parents.length);
    for (let start = 0; start < this.size; start += CHUNK) {
      const length = Math.min(CHUNK, this.size - start);
      const shared = new Int32Array(length);
      const ends = new Int32Array(length);
      const frames: number[] = [];
      for (let i = 0; i < length; i++) {
        const added: number[] = [];
        let node = this.#ends[start + i]!;
        let depth = depths[node]!;
        while (node !== 0 && (depth === 0 || path[depth - 1] !== node)) {
          added.push(node);
          node = parents[node]!;
          depth = depths[node]!;
        }
        path.length = depth;
        shared[i] = depth;
        for (let at = added.pop(); at !== undefined; at = added.pop()) {
          depths[at] = path.push(at);
          frames.push(frameOf[at]!);
        }
        ends[i] = frames.length;
      }
      const weight = Float64Array.from(this.#weights.slice(start, start + length));
      yield { length, weight, shared, ends, frames: Int32Array.from(frames), names };
    }
  }
}

/** Stacks in a chunk of columns. */
const CHUNK = 4096;

/** Stacks as batches of a section. */
export function* stackBatches(section: number, stacks: Iterable<StackData>): Generator<Batch> {
  for (const records of batchesOf(stacks)) yield { section, records };
}
