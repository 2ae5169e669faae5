type Numbers = Float64Array | Int32Array | Uint8Array;

/** Numbers of which it is not known how many there will be, in one array of their kind. */
export class Growing<A extends Numbers> {
  #values: A;
  length = 0;

  constructor(readonly make: (length: number) => A) {
    this.#values = make(4096);
  }

  /** All so far: not a copy. */
  get values(): A {
    return this.#values.subarray(0, this.length) as A;
  }

  push(value: number): void {
    if (this.length === this.#values.length) this.#grow(1);
    this.#values[this.length++] = value;
  }

  add(chunk: ArrayLike<number>): void {
    if (this.length + chunk.length > this.#values.length) this.#grow(chunk.length);
    this.#values.set(chunk, this.length);
    this.length += chunk.length;
  }

  #grow(by: number): void {
    const larger = this.make(2 * (this.length + by));
    larger.set(this.values);
    this.#values = larger;
  }
}

export function growingFloats(): Growing<Float64Array> {
  return new Growing((length) => new Float64Array(length));
}
