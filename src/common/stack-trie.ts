import type { StackColumns } from './column-data.ts';
import type { StackData } from './datatypes.ts';

/** Children of a node that are found by looking at one after the other; a hash table finds the others. */
const LISTED = 8;

/**
 * Stacks merged from the root into a tree of typed arrays: some 20 bytes a node, so that a million unique stacks fit.
 * Node 0 is above all; the parent of a node has a lower number. Most nodes have a child or two, which are found without
 * a look into a table that is too large for any cache.
 */
export class StackTrie {
  /** Every frame once; nodes refer to them by number. */
  readonly names: string[] = [];
  readonly #ids = new Map<string, number>();
  #parents: Int32Array<ArrayBuffer>;
  #frames: Int32Array<ArrayBuffer>;
  /** By node: the first of its listed children, and the next one of its own parent's; 0 where there is none. */
  #firsts: Int32Array<ArrayBuffer>;
  #nexts: Int32Array<ArrayBuffer>;
  #size = 1;
  /** The nodes that are not listed, by parent and frame: open addressing, 0 is free. */
  #slots = new Int32Array(256);
  #hashed = 0;

  /** `nodes`: so many are expected. Memory is used as they come; arrays that have to grow are copied. */
  constructor(nodes = 1024) {
    this.#parents = new Int32Array(nodes);
    this.#frames = new Int32Array(nodes);
    this.#firsts = new Int32Array(nodes);
    this.#nexts = new Int32Array(nodes);
  }

  /** Number of nodes, node 0 included. */
  get size(): number {
    return this.#size;
  }

  /** The parent of each node. */
  get parents(): Int32Array {
    return this.#parents.subarray(0, this.#size);
  }

  /** The frame of each node, as a place in `names`. */
  get frames(): Int32Array {
    return this.#frames.subarray(0, this.#size);
  }

  /** The node at which a stack, root first, ends. */
  add(stack: readonly string[]): number {
    let node = 0;
    for (const frame of stack) node = this.child(node, this.nameId(frame));
    return node;
  }

  /** The number of a frame's name. */
  nameId(name: string): number {
    let id = this.#ids.get(name);
    if (id === undefined) {
      id = this.names.length;
      this.names.push(name);
      this.#ids.set(name, id);
    }
    return id;
  }

  /** The node of a frame on its parent. */
  child(parent: number, frame: number): number {
    const frames = this.#frames;
    let last = 0;
    let listed = 0;
    for (let node = this.#firsts[parent]!; node !== 0; node = this.#nexts[node]!) {
      if (frames[node] === frame) return node;
      last = node;
      listed++;
    }
    if (listed === LISTED) return this.#hashedChild(parent, frame);
    const node = this.#insert(parent, frame);
    if (last === 0) this.#firsts[parent] = node;
    else this.#nexts[last] = node;
    return node;
  }

  #hashedChild(parent: number, frame: number): number {
    const mask = this.#slots.length - 1;
    let slot = place(parent, frame) & mask;
    for (let node = this.#slots[slot]!; node !== 0; node = this.#slots[slot]!) {
      if (this.#parents[node] === parent && this.#frames[node] === frame) return node;
      slot = (slot + 1) & mask;
    }
    const node = this.#insert(parent, frame);
    this.#slots[slot] = node;
    if (2 * ++this.#hashed > this.#slots.length) this.#rehash();
    return node;
  }

  /** The stack that ends at a node, root first. */
  stackOf(node: number): string[] {
    const stack: string[] = [];
    for (let at = node; at !== 0; at = this.#parents[at]!) stack.push(this.names[this.#frames[at]!]!);
    return stack.reverse();
  }

  #insert(parent: number, frame: number): number {
    const node = this.#size++;
    if (node === this.#parents.length) {
      this.#parents = grown(this.#parents);
      this.#frames = grown(this.#frames);
      this.#firsts = grown(this.#firsts);
      this.#nexts = grown(this.#nexts);
    }
    this.#parents[node] = parent;
    this.#frames[node] = frame;
    return node;
  }

  #rehash(): void {
    const slots = new Int32Array(4 * this.#slots.length);
    const mask = slots.length - 1;
    for (const node of this.#slots) {
      if (node === 0) continue;
      let slot = place(this.#parents[node]!, this.#frames[node]!) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = node;
    }
    this.#slots = slots;
  }
}

/** The stack that is being read, of chunks of columns, and its way into a trie: only what is new of it is looked up. */
export class StackPath {
  /** The frames of the stack, root first, as names of the trie. */
  #frames = new Int32Array(256);
  /** The nodes at which the first #known of them end. */
  #nodes = new Int32Array(256);
  #depth = 0;
  #known = 0;
  /** By number in the chunks: the number of the trie, and one more; 0 where it is not known yet. */
  #ids = new Int32Array(4096);

  /** `nameOf` gives the name that a frame has in the trie. */
  constructor(
    readonly trie: StackTrie,
    private readonly nameOf: (frame: string) => string = (frame) => frame,
  ) {}

  /** The process, or whatever is the outermost frame. */
  get root(): string {
    return this.#depth === 0 ? '' : this.trie.names[this.#frames[0]!]!;
  }

  /** The frame after the outermost one. */
  get second(): string {
    return this.#depth < 2 ? '' : this.trie.names[this.#frames[1]!]!;
  }

  /** Goes on to stack `i` of a chunk. */
  move({ shared, ends, frames, names }: StackColumns, i: number): void {
    let depth = shared[i]!;
    if (this.#known > depth) this.#known = depth;
    const end = ends[i]!;
    for (let at = i === 0 ? 0 : ends[i - 1]!; at < end; at++) {
      if (depth === this.#frames.length) {
        this.#frames = grown(this.#frames);
        this.#nodes = grown(this.#nodes);
      }
      this.#frames[depth++] = this.#nameId(frames[at]!, names);
    }
    this.#depth = depth;
  }

  /** The node at which the stack ends. */
  end(): number {
    let node = this.#known === 0 ? 0 : this.#nodes[this.#known - 1]!;
    for (let depth = this.#known; depth < this.#depth; depth++) {
      node = this.trie.child(node, this.#frames[depth]!);
      this.#nodes[depth] = node;
    }
    this.#known = this.#depth;
    return node;
  }

  /** The node at which it ends when the innermost frame comes first. A trie holds stacks of one direction. */
  reversedEnd(): number {
    let node = 0;
    for (let depth = this.#depth - 1; depth >= 0; depth--) node = this.trie.child(node, this.#frames[depth]!);
    return node;
  }

  #nameId(frame: number, names: readonly string[]): number {
    while (frame >= this.#ids.length) this.#ids = grown(this.#ids);
    const known = this.#ids[frame]!;
    if (known > 0) return known - 1;
    const id = this.trie.nameId(this.nameOf(names[frame]!));
    this.#ids[frame] = id + 1;
    return id;
  }
}

/** Stacks with their weights. A weight of 0 leaves no trace. */
export class WeightedTrie extends StackTrie {
  #self: Float64Array;
  #total = 0;
  #count = 0;

  constructor(nodes = 1024) {
    super(nodes);
    this.#self = new Float64Array(nodes);
  }

  /** Weight of all stacks. */
  get total(): number {
    return this.#total;
  }

  /** Number of different stacks. */
  get count(): number {
    return this.#count;
  }

  /** The weight that ends at each node. */
  get self(): Float64Array {
    this.#reserve();
    return this.#self.subarray(0, this.size);
  }

  addWeight(stack: readonly string[], weight: number): void {
    if (weight > 0) this.addWeightAt(this.add(stack), weight);
  }

  /** Adds to the weight that ends at a node. `weight` is more than 0. */
  addWeightAt(node: number, weight: number): void {
    this.#reserve();
    if (this.#self[node] === 0) this.#count++;
    this.#self[node]! += weight;
    this.#total += weight;
  }

  #reserve(): void {
    if (this.size <= this.#self.length) return;
    const larger = new Float64Array(2 * this.size);
    larger.set(this.#self);
    this.#self = larger;
  }

  /** The stacks, each once. */
  *stacks(): Generator<StackData> {
    for (let node = 1; node < this.size; node++) {
      const weight = this.#self[node] ?? 0;
      if (weight > 0) yield { weight, stack: this.stackOf(node) };
    }
  }
}

/** Adds stacks that come as columns. `nameOf` gives the name that a frame has in the trie. */
export async function addStacks(
  trie: WeightedTrie,
  stacks: AsyncIterable<StackColumns>,
  nameOf?: (frame: string) => string,
): Promise<void> {
  const path = new StackPath(trie, nameOf);
  for await (const columns of stacks) {
    for (let i = 0; i < columns.length; i++) {
      path.move(columns, i);
      const weight = columns.weight[i]!;
      if (weight > 0) trie.addWeightAt(path.end(), weight);
    }
  }
}

function place(parent: number, frame: number): number {
  const mixed = Math.imul(Math.imul(parent, 0x9e3779b1) ^ frame, 0x85ebca6b);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

function grown(values: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * values.length);
  larger.set(values);
  return larger;
}
