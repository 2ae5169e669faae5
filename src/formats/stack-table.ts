import type { StackData } from '../common/datatypes.ts';

/**
 * Unique stacks with their total weights, numbered in the order in which they were first seen. Stacks that begin alike
 * share their beginning, so memory goes with the size of the call tree.
 */
export class StackTable {
  readonly #frameIds = new Map<string, number>();
  readonly #frames: string[] = [];
  /** Children by parent node and frame: `parent * 2^26 + frame` (both stay below 2^26). */
  readonly #children = new Map<number, number>();
  readonly #parents: number[] = [-1];
  readonly #nodeFrames: number[] = [-1];
  /** Number of the stack that ends at a node, by node. */
  readonly #stackOfNode = new Map<number, number>();
  readonly #ends: number[] = [];
  readonly #weights: number[] = [];

  get size(): number {
    return this.#ends.length;
  }

  /** Adds a stack, root first, and gives its number. */
  add(stack: readonly string[], weight: number): number {
    let node = 0;
    for (const frame of stack) node = this.#child(node, this.#frameId(frame));
    let number = this.#stackOfNode.get(node);
    if (number === undefined) {
      number = this.#ends.length;
      this.#stackOfNode.set(node, number);
      this.#ends.push(node);
      this.#weights.push(0);
    }
    this.#weights[number]! += weight;
    return number;
  }

  /** All stacks, in the order of their numbers. */
  *stacks(): Generator<StackData> {
    for (let number = 0; number < this.#ends.length; number++) {
      const stack: string[] = [];
      for (let node = this.#ends[number]!; node !== 0; node = this.#parents[node]!) {
        stack.push(this.#frames[this.#nodeFrames[node]!]!);
      }
      yield { weight: this.#weights[number]!, stack: stack.reverse() };
    }
  }

  #frameId(frame: string): number {
    let id = this.#frameIds.get(frame);
    if (id === undefined) {
      id = this.#frames.length;
      this.#frames.push(frame);
      this.#frameIds.set(frame, id);
    }
    return id;
  }

  #child(parent: number, frame: number): number {
    const key = parent * 2 ** 26 + frame;
    let node = this.#children.get(key);
    if (node === undefined) {
      node = this.#parents.length;
      this.#parents.push(parent);
      this.#nodeFrames.push(frame);
      this.#children.set(key, node);
    }
    return node;
  }
}
