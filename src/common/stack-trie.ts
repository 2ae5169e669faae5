/**
 * Stacks merged from the root into a tree of typed arrays: some 20 bytes a node, so that a million unique stacks fit.
 * Node 0 is above all; the parent of a node has a lower number.
 */
export class StackTrie {
  /** Every frame once; nodes refer to them by number. */
  readonly names: string[] = [];
  readonly #ids = new Map<string, number>();
  #parents = new Int32Array(1024);
  #frames = new Int32Array(1024);
  #size = 1;
  /** Nodes by parent and frame: open addressing, 0 is free. */
  #slots = new Int32Array(4096);

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
    const mask = this.#slots.length - 1;
    let slot = place(parent, frame) & mask;
    for (let node = this.#slots[slot]!; node !== 0; node = this.#slots[slot]!) {
      if (this.#parents[node] === parent && this.#frames[node] === frame) return node;
      slot = (slot + 1) & mask;
    }
    return this.#insert(parent, frame, slot);
  }

  /** The stack that ends at a node, root first. */
  stackOf(node: number): string[] {
    const stack: string[] = [];
    for (let at = node; at !== 0; at = this.#parents[at]!) stack.push(this.names[this.#frames[at]!]!);
    return stack.reverse();
  }

  #insert(parent: number, frame: number, slot: number): number {
    const node = this.#size++;
    if (node === this.#parents.length) {
      this.#parents = grown(this.#parents);
      this.#frames = grown(this.#frames);
    }
    this.#parents[node] = parent;
    this.#frames[node] = frame;
    this.#slots[slot] = node;
    if (2 * this.#size > this.#slots.length) this.#rehash();
    return node;
  }

  #rehash(): void {
    const slots = new Int32Array(2 * this.#slots.length);
    const mask = slots.length - 1;
    for (let node = 1; node < this.#size; node++) {
      let slot = place(this.#parents[node]!, this.#frames[node]!) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = node;
    }
    this.#slots = slots;
  }
}

/** Stacks with their weights. A weight of 0 leaves no trace. */
export class WeightedTrie extends StackTrie {
  #self = new Float64Array(1024);
  #total = 0;

  /** Weight of all stacks. */
  get total(): number {
    return this.#total;
  }

  /** The weight that ends at each node. */
  get self(): Float64Array {
    return this.#self.subarray(0, this.size);
  }

  addWeight(stack: readonly string[], weight: number): void {
    if (weight <= 0) return;
    const node = this.add(stack);
    if (this.size > this.#self.length) {
      const larger = new Float64Array(2 * this.size);
      larger.set(this.#self);
      this.#self = larger;
    }
    this.#self[node]! += weight;
    this.#total += weight;
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
