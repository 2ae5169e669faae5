import type { Column, ColumnRequest } from '../../common/column-data.ts';
import { isHostKey, keyOf, keyText } from '../../common/host-keys.ts';

/*
 * Records of several hosts in the order of time, as columns: what each host's section gives is taken from whichever is earliest.
 */

/** Some records of one host: numbers that every record has, the first of which is the time, and columns. */
export interface MergeChunk {
  readonly length: number;
  readonly leading: readonly Float64Array[];
  readonly columns: readonly Column[];
}

/** The records of one host. */
export interface MergeSource {
  /** Its place among the hosts. */
  readonly host: number;
  /** The line of the joined section at which its stacks begin. */
  readonly firstStack: number;
  readonly chunks: AsyncIterable<MergeChunk>;
}

/** Records that are given at once. */
const ROWS = 65_536;

/** The field that names the host. */
export const HOST_FIELD = 'host';

/**
 * Merges the records of hosts. `want` is what the columns of the chunks are; a column of HOST_FIELD is not in the chunks, and added.
 * @param isKeyed whether pids and CPUs become numbers that no other host has (host-keys.ts).
 */
export async function* mergeChunks(
  sources: readonly MergeSource[],
  want: readonly ColumnRequest[],
  hosts: readonly string[],
  isKeyed: boolean,
): AsyncGenerator<MergeChunk> {
  const outputs = want.map((request) => new Output(request, hosts, isKeyed));
  const all = sources.map((source) => new Head(source, outputs));
  try {
    yield* merged(all, outputs);
  } finally {
    await Promise.all(all.map((head) => head.end()));
  }
}

async function* merged(all: readonly Head[], outputs: readonly Output[]): AsyncGenerator<MergeChunk> {
  const heads: Head[] = [];
  for (const head of all) if (await head.next()) heads.push(head);
  for (let i = (heads.length >> 1) - 1; i >= 0; i--) sift(heads, i);
  let leading: Float64Array[] = [];
  let length = 0;
  const take = (): MergeChunk => {
    const chunk = {
      length,
      leading: leading.map((values) => values.subarray(0, length)),
      columns: outputs.map((output) => output.take(length)),
    };
    length = 0;
    return chunk;
  };
  while (heads.length > 0) {
    const [head] = heads as [Head];
    if (length === 0) leading = head.chunk.leading.map(() => new Float64Array(ROWS));
    const to = head.until(soonest(heads[1], heads[2]), ROWS - length);
    const { chunk, row } = head;
    // Of many hosts most runs are a record long: iterators and views of arrays would cost more than the copying.
    for (let i = 0; i < leading.length; i++) copyRows(chunk.leading[i]!, row, to, leading[i]!, length);
    for (let i = 0; i < outputs.length; i++) outputs[i]!.add(head, i, to, length);
    length += to - row;
    head.row = to;
    if (to === chunk.length && !(await head.next())) {
      const last = heads.pop()!;
      if (heads.length > 0) heads[0] = last;
    }
    if (heads.length > 0) sift(heads, 0);
    if (length === ROWS) yield take();
  }
  if (length > 0) yield take();
}

function copyRows(from: Float64Array, row: number, to: number, into: Float64Array, at: number): void {
  for (let i = row, j = at; i < to; i++, j++) into[j] = from[i]!;
}

/** Of one time the record of the first host comes first. */
function isBefore(one: Head, other: Head): boolean {
  return one.time < other.time || (one.time === other.time && one.source.host < other.source.host);
}

function soonest(one: Head | undefined, other: Head | undefined): Head | undefined {
  return one === undefined || other === undefined || isBefore(one, other) ? one : other;
}

/** A heap by time. */
function sift(heads: Head[], from: number): void {
  const head = heads[from]!;
  let at = from;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heads.length) break;
    if (child + 1 < heads.length && isBefore(heads[child + 1]!, heads[child]!)) child++;
    if (!isBefore(heads[child]!, head)) break;
    heads[at] = heads[child]!;
    at = child;
  }
  heads[at] = head;
}

/** The next record of one host. */
class Head {
  chunk: MergeChunk = { length: 0, leading: [], columns: [] };
  row = 0;
  /** By output, and by place in the dictionary of the host's column: the place in that of all. */
  readonly places: Int32Array[];
  readonly known: number[];
  readonly #chunks: AsyncIterator<MergeChunk>;

  constructor(
    readonly source: MergeSource,
    outputs: readonly unknown[],
  ) {
    this.#chunks = source.chunks[Symbol.asyncIterator]();
    this.places = outputs.map(() => new Int32Array(64));
    this.known = outputs.map(() => 0);
  }

  get time(): number {
    return this.chunk.leading[0]![this.row]!;
  }

  /** Goes on to the next chunk that has records; false where there is none. */
  async next(): Promise<boolean> {
    for (;;) {
      const { done, value } = await this.#chunks.next();
      if (done === true) return false;
      if (value.length === 0) continue;
      this.chunk = value;
      this.row = 0;
      return true;
    }
  }

  /** Nothing is read of it any more. */
  async end(): Promise<void> {
    await this.#chunks.return?.();
  }

  /** The row behind those that come before the next record of all other hosts; one at least, `most` at most. */
  until(next: Head | undefined, most: number): number {
    const times = this.chunk.leading[0]!;
    const end = Math.min(this.chunk.length, this.row + most);
    if (next === undefined) return end;
    const { time } = next;
    const isFirst = this.source.host < next.source.host;
    let to = this.row + 1;
    while (to < end && (times[to]! < time || (isFirst && times[to] === time))) to++;
    return to;
  }
}

/** One column of all hosts. */
class Output {
  readonly dictionary: string[] = [];
  readonly #places = new Map<string, number>();
  readonly #isText: boolean;
  readonly #field: string;
  readonly #isHost: boolean;
  readonly #isKey: boolean;
  #values: Float64Array | Int32Array;

  constructor({ field, as }: ColumnRequest, hosts: readonly string[], isKeyed: boolean) {
    this.#field = field;
    this.#isHost = field === HOST_FIELD;
    this.#isKey = isKeyed && isHostKey(field);
    this.#isText = as === 'text';
    this.#values = this.#room();
    // The place of a host is its number everywhere.
    if (field === HOST_FIELD && this.#isText) this.dictionary.push(...hosts);
  }

  #room(): Float64Array | Int32Array {
    return this.#isText ? new Int32Array(ROWS) : new Float64Array(ROWS);
  }

  /** Adds the rows of a head up to `to`, from the place `at` on. `column` is its own place among the outputs. */
  add(head: Head, column: number, to: number, at: number): void {
    const { source, row, chunk } = head;
    const values = this.#values;
    if (this.#isHost) {
      const host = this.#isText ? source.host : Number.NaN;
      for (let j = at, end = at + to - row; j < end; j++) values[j] = host;
      return;
    }
    const own = chunk.columns[column]!;
    if (this.#isText) {
      const places = this.#placesOf(head, column, own.dictionary);
      for (let i = row, j = at; i < to; i++, j++) values[j] = places[own.values[i]!]!;
    } else {
      const isKey = this.#isKey && source.host > 0;
      const add = this.#field === 'stack' ? source.firstStack : 0;
      for (let i = row, j = at; i < to; i++, j++) {
        const value = own.values[i]! + add;
        values[j] = isKey ? keyOf(this.#field, source.host, value) : value;
      }
    }
  }

  #placesOf(head: Head, column: number, dictionary: readonly string[]): Int32Array {
    let places = head.places[column]!;
    if (head.known[column] === dictionary.length) return places;
    if (dictionary.length > places.length) {
      const larger = new Int32Array(2 * dictionary.length);
      larger.set(places);
      places = larger;
      head.places[column] = places;
    }
    for (let i = head.known[column]!; i < dictionary.length; i++) {
      places[i] = this.#placeOf(this.#textOf(head.source, dictionary[i]!));
    }
    head.known[column] = Math.max(head.known[column]!, dictionary.length);
    return places;
  }

  #textOf({ host, firstStack }: MergeSource, text: string): string {
    if (this.#field === 'stack') return text === '' ? '' : String(Number(text) + firstStack);
    return this.#isKey ? keyText(this.#field, host, text) : text;
  }

  #placeOf(text: string): number {
    let place = this.#places.get(text);
    if (place === undefined) {
      place = this.dictionary.push(text) - 1;
      this.#places.set(text, place);
    }
    return place;
  }

  take(length: number): Column {
    const values = this.#values.subarray(0, length);
    this.#values = this.#room();
    return { values, dictionary: this.dictionary };
  }
}
