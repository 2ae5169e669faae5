import type { StackData } from '../common/datatypes.ts';
import type { Batch } from '../common/section.ts';
import { StackTrie } from '../common/stack-trie.ts';

/**
 * Unique stacks with their total weights, numbered in the order in which they were first seen. Stacks that begin alike
 * share their beginning, so memory goes with the size of the call tree.
 */
export class StackTable {
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

  /** All stacks, in the order of their numbers. */
  *stacks(): Generator<StackData> {
    for (const [number, end] of this.#ends.entries()) {
      yield { weight: this.#weights[number]!, stack: this.trie.stackOf(end) };
    }
  }
}

const BATCH = 4096;

/** Stacks as batches of a section. */
export function* stackBatches(section: number, stacks: Iterable<StackData>): Generator<Batch> {
  let records: StackData[] = [];
  for (const stack of stacks) {
    records.push(stack);
    if (records.length < BATCH) continue;
    yield { section, records };
    records = [];
  }
  if (records.length > 0) yield { section, records };
}
