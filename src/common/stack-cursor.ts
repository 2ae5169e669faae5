import type { StackColumns } from './column-data.ts';
import type { StackData } from './datatypes.ts';

/** The stack of columns that is looked at. */
export class StackCursor {
  /** Its frames, root first, as places in the names: so many of them as there are. */
  #frames = new Int32Array(256);
  #names: readonly string[] = [];
  depth = 0;

  /** Goes on to stack `i` of a chunk. */
  move({ shared, ends, frames, names }: StackColumns, i: number): void {
    this.#names = names;
    const start = i === 0 ? 0 : ends[i - 1]!;
    const end = ends[i]!;
    const kept = shared[i]!;
    this.depth = kept + end - start;
    if (this.depth > this.#frames.length) {
      const larger = new Int32Array(2 * this.depth);
      larger.set(this.#frames);
      this.#frames = larger;
    }
    for (let at = start; at < end; at++) this.#frames[kept + at - start] = frames[at]!;
  }

  /** A frame as a place in the names. */
  frameAt(depth: number): number {
    return this.#frames[depth]!;
  }

  /** Its name; undefined where the stack is not so deep. */
  nameAt(depth: number): string | undefined {
    return depth < this.depth ? this.#names[this.#frames[depth]!] : undefined;
  }
}

const CHUNK = 4096;

/** Stacks as columns. */
export function* stackColumns(stacks: Iterable<StackData>): Generator<StackColumns> {
  const names: string[] = [];
  const places = new Map<string, number>();
  const placeOf = (name: string): number => {
    const known = places.get(name);
    if (known !== undefined) return known;
    places.set(name, names.length);
    return names.push(name) - 1;
  };
  let [weight, ends, frames]: number[][] = [[], [], []];
  const chunk = (): StackColumns => {
    const columns = {
      length: weight!.length,
      weight: Float64Array.from(weight!),
      shared: new Int32Array(weight!.length),
      ends: Int32Array.from(ends!),
      frames: Int32Array.from(frames!),
      names,
    };
    [weight, ends, frames] = [[], [], []];
    return columns;
  };
  for (const stack of stacks) {
    weight!.push(stack.weight);
    for (const name of stack.stack) frames!.push(placeOf(name));
    ends!.push(frames!.length);
    if (ends!.length === CHUNK) yield chunk();
  }
  if (ends!.length > 0) yield chunk();
}
