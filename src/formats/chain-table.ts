import type { CallChain, ChainPart } from './call-chain.ts';

/** What is remembered: values of chains, 8 bytes each. */
const MOST_VALUES = 1 << 21;
const SLOTS = 1024;
/** What stands before the values of a chain: whose they are, where they begin, how long they are, and its number. */
const HEAD = 4;
const PARTS: readonly ChainPart[] = ['kernel', 'user', 'other'];

/**
 * What was found for call chains, by their values as they stand in a recording: most stacks come again and again. Open
 * addressing with linear probing. All is forgotten where it becomes too much.
 */
export class ChainTable<Found> {
  /** By slot: the hash of a chain and where it is; 0 is none. */
  #slots = new Int32Array(2 * SLOTS);
  /** Chains one behind the other, their values in halves of 32 bits. */
  #chains = new Int32Array(HEAD * SLOTS);
  #end = 1;
  #found: Found[] = [];

  /** `owner`: whose addresses they are, as a number. Undefined where the chain is not known. */
  get(owner: number, chain: CallChain): Found | undefined {
    const hash = hashOf(owner, chain);
    const slots = this.#slots;
    const mask = slots.length / 2 - 1;
    let slot = hash & mask;
    for (let at = slots[2 * slot + 1]!; at !== 0; at = slots[2 * slot + 1]!) {
      if (slots[2 * slot] === hash && this.#isAt(at, owner, chain)) return this.#found[this.#chains[at + 3]!]!;
      slot = (slot + 1) & mask;
    }
    return undefined;
  }

  #isAt(at: number, owner: number, { view, start, end, begins }: CallChain): boolean {
    const chains = this.#chains;
    if (chains[at] !== owner || PARTS[chains[at + 1]!] !== begins || chains[at + 2] !== end - start) return false;
    for (let i = start, value = at + HEAD; i < end; i += 4, value++) {
      if (chains[value] !== view.getInt32(i, true)) return false;
    }
    return true;
  }

  /** Adds one that is not known. */
  add(owner: number, chain: CallChain, found: Found): void {
    const { view, start, end, begins } = chain;
    const length = HEAD + (end - start) / 4;
    if (this.#end + length > 2 * MOST_VALUES) this.#forget();
    if (this.#end + length > this.#chains.length) {
      const larger = new Int32Array(2 * (this.#end + length));
      larger.set(this.#chains);
      this.#chains = larger;
    }
    const chains = this.#chains;
    const at = this.#end;
    this.#end += length;
    chains[at] = owner;
    chains[at + 1] = PARTS.indexOf(begins);
    chains[at + 2] = end - start;
    chains[at + 3] = this.#found.length;
    for (let i = start, value = at + HEAD; i < end; i += 4, value++) chains[value] = view.getInt32(i, true);
    this.#put(hashOf(owner, chain), at);
    if (4 * this.#found.push(found) > this.#slots.length) this.#grow();
  }

  #put(hash: number, at: number): void {
    const slots = this.#slots;
    const mask = slots.length / 2 - 1;
    let slot = hash & mask;
    while (slots[2 * slot + 1] !== 0) slot = (slot + 1) & mask;
    slots[2 * slot] = hash;
    slots[2 * slot + 1] = at;
  }

  #grow(): void {
    const slots = this.#slots;
    this.#slots = new Int32Array(2 * slots.length);
    for (let slot = 0; slot < slots.length; slot += 2) {
      if (slots[slot + 1] !== 0) this.#put(slots[slot]!, slots[slot + 1]!);
    }
  }

  #forget(): void {
    this.#slots.fill(0);
    this.#end = 1;
    this.#found = [];
  }
}

function hashOf(owner: number, { view, start, end }: CallChain): number {
  let hash = owner;
  // The upper halves are nearly all alike.
  for (let at = start; at < end; at += 8) {
    hash = Math.imul((hash << 5) | (hash >>> 27), 0x9e3779b1) ^ view.getInt32(at, true);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}
