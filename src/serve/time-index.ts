import type { EventColumns, Part, PointColumns, SectionReader } from '../common/reader.ts';

type Chunk = EventColumns | PointColumns;

/** Seconds since the origin of a row of a chunk. */
export function secondsAt(chunk: Chunk, row: number): number {
  return 'time' in chunk ? chunk.time[row]! / 1e9 : chunk.x[row]!;
}

/** A range of time, seconds since the origin. All of it where a bound is left out. */
export interface Range {
  readonly from?: number;
  readonly to?: number;
}

/** A stretch of a section, as it was read. */
interface Mark {
  /** Times of its first and last record, seconds. */
  readonly first: number;
  readonly last: number;
  /** The byte of the file behind it. */
  readonly end: number;
  /** Records up to there. */
  readonly records: number;
}

/**
 * Where in a section which time is: an entry for every chunk. It is made while the section is read for the first time,
 * and lets a range be read without what is around it. Where the records are not in the order of time, every range is all of them.
 */
export class TimeIndex {
  readonly #marks: Mark[] = [];
  #inOrder = true;

  /** Takes the chunks of the whole section, one after the other. */
  add(chunk: Chunk): void {
    const { length, end } = chunk;
    if (length === 0 || end === undefined) return;
    let before = this.last;
    for (let row = 0; row < length; row++) {
      const seconds = secondsAt(chunk, row);
      if (seconds < before) this.#inOrder = false;
      before = seconds;
    }
    this.#marks.push({ first: secondsAt(chunk, 0), last: before, end, records: this.records + length });
  }

  get records(): number {
    return this.#marks.at(-1)?.records ?? 0;
  }

  /** Time of the last record, seconds. */
  get last(): number {
    return this.#marks.at(-1)?.last ?? Number.NEGATIVE_INFINITY;
  }

  /** What holds all records of a range, and the first behind it. */
  part(range: Range): Part {
    const [low, high] = this.#stretches(range);
    return { start: this.#marks[low - 1]?.end, end: this.#marks[high]?.end };
  }

  /** The same in pieces that follow each other. */
  parts(range: Range): Part[] {
    const [low, high] = this.#stretches(range);
    return this.#marks.slice(low, high + 1).map(({ end }, i) => ({ start: this.#marks[low + i - 1]?.end, end }));
  }

  /** How many records are in a range. Of the section itself no more than two stretches are read. */
  async count(section: SectionReader, range: Range): Promise<number> {
    const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = range;
    let count = 0;
    for (const [i, { first, last, end, records }] of this.#marks.entries()) {
      if (this.#inOrder && (last < from || first > to)) continue;
      const before = this.#marks[i - 1];
      if (this.#inOrder && first >= from && last <= to) {
        count += records - (before?.records ?? 0);
        continue;
      }
      for await (const chunk of readPart(section, { start: before?.end, end })) {
        for (let row = 0; row < chunk.length; row++) {
          const seconds = secondsAt(chunk, row);
          if (seconds >= from && seconds <= to) count++;
        }
      }
    }
    return count;
  }

  /** The first and the last stretch that are needed for a range. */
  #stretches({ from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY }: Range): [low: number, high: number] {
    const marks = this.#marks;
    if (!this.#inOrder) return [0, marks.length - 1];
    const low = marks.findIndex(({ last }) => last >= from);
    const high = marks.findIndex(({ last }) => last > to);
    return [low < 0 ? marks.length : low, high < 0 ? marks.length - 1 : high];
  }
}

function readPart(section: SectionReader, part: Part): AsyncIterable<Chunk> {
  return section.header.datatype === 'event' ? section.events([], part) : section.points([], part);
}

/** The section, which tells of every chunk that is read of it. */
export function watched(section: SectionReader, onChunk: (chunk: Chunk) => void): SectionReader {
  async function* tell<C extends Chunk>(chunks: AsyncIterable<C>): AsyncGenerator<C> {
    for await (const chunk of chunks) {
      onChunk(chunk);
      yield chunk;
    }
  }
  return {
    number: section.number,
    header: section.header,
    batches: (datatype) => section.batches(datatype),
    points: (want, part) => tell(section.points(want, part)),
    events: (want, part) => tell(section.events(want, part)),
    stacks: () => section.stacks(),
  };
}

/** The section with the records of one part alone. */
export function within(section: SectionReader, part: Part): SectionReader {
  return {
    number: section.number,
    header: section.header,
    batches: (datatype) => section.batches(datatype),
    points: (want) => section.points(want, part),
    events: (want) => section.events(want, part),
    stacks: () => section.stacks(),
  };
}
