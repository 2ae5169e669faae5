import { Random } from '../analysis/random.ts';
import type { Column, ColumnRequest, EventColumns, Part, PointColumns, SectionReader } from '../common/reader.ts';
import { type Range, secondsAt } from './time-index.ts';

/*
 * Some of the records of a section that has too many, so picked that pictures of them are those of all records: of so many
 * moments one each, by chance, with all records of that moment. So what is added up at a moment (the memory of all processes)
 * stays whole, and what comes in turns is not missed. Peaks are what one looks for, so the largest value of each of some stretches
 * of time is kept too: so few that quantiles hardly change.
 */

export interface Thinning {
  /** What is read, piece by piece: texts of one piece alone are held at a time. */
  readonly parts: readonly Part[];
  readonly range: Required<Range>;
  /** Of how many moments one is picked. */
  readonly every: number;
  /** Stretches of the range that keep their largest y; 0 where that is not what one looks for. */
  readonly peaks: number;
}

/** The section with some of the records of a range. The same ones every time. */
export function thinned(section: SectionReader, thinning: Thinning): SectionReader {
  return {
    number: section.number,
    header: section.header,
    batches: (datatype) => section.batches(datatype),
    points: (want) => pick((part) => section.points(want, part), want, thinning, takePoints),
    events: (want) => pick((part) => section.events(want, part), want, thinning, takeEvents),
    stacks: () => section.stacks(),
  };
}

type Chunk = EventColumns | PointColumns;

async function* pick<C extends Chunk>(
  read: (part: Part) => AsyncIterable<C>,
  want: readonly ColumnRequest[],
  { parts, range, every, peaks }: Thinning,
  take: (chunk: C, rows: readonly number[], texts: readonly Texts[]) => C,
): AsyncGenerator<C> {
  const texts = Array.from({ length: want.length + 1 }, () => new Texts());
  const moments = new Moments(every);
  for (const part of parts) {
    for await (const chunk of read(part)) {
      const picked = new Uint8Array(chunk.length);
      for (let row = 0; row < chunk.length; row++) {
        const seconds = secondsAt(chunk, row);
        if (seconds < range.from || seconds > range.to) continue;
        if (moments.isPicked(seconds) || seconds === range.to) picked[row] = 1;
      }
      if (peaks > 0 && 'y' in chunk) markPeaks(chunk, range, peaks, picked);
      const rows: number[] = [];
      for (let row = 0; row < picked.length; row++) if (picked[row] === 1) rows.push(row);
      if (rows.length > 0) yield take(chunk, rows, texts);
    }
  }
}

/** Which moments are picked: one of `every`, by chance. */
class Moments {
  readonly #random = new Random(1);
  #seconds = Number.NaN;
  #place = -1;
  #chosen = 0;

  constructor(readonly every: number) {}

  /** Times come in order. */
  isPicked(seconds: number): boolean {
    if (seconds !== this.#seconds) {
      this.#seconds = seconds;
      this.#place = (this.#place + 1) % this.every;
      if (this.#place === 0) this.#chosen = this.#random.integer(this.every);
    }
    return this.#place === this.#chosen;
  }
}

/** Picks the point with the largest y of each stretch of time, as far as it is in this chunk. */
function markPeaks(
  { length, x, y }: PointColumns,
  { from, to }: Required<Range>,
  peaks: number,
  picked: Uint8Array,
): void {
  let span = -1;
  let peak = -1;
  for (let row = 0; row < length; row++) {
    if (x[row]! < from || x[row]! > to) continue;
    const own = Math.floor(((x[row]! - from) / (to - from)) * peaks);
    if (own !== span) {
      if (peak >= 0) picked[peak] = 1;
      [span, peak] = [own, row];
    } else if (y[row]! > y[peak]!) peak = row;
  }
  if (peak >= 0) picked[peak] = 1;
}

function takePoints(chunk: PointColumns, rows: readonly number[], texts: readonly Texts[]): PointColumns {
  return {
    length: rows.length,
    x: Float64Array.from(rows, (row) => chunk.x[row]!),
    y: Float64Array.from(rows, (row) => chunk.y[row]!),
    columns: chunk.columns.map((column, i) => texts[i]!.take(column, rows)),
  };
}

function takeEvents(chunk: EventColumns, rows: readonly number[], texts: readonly Texts[]): EventColumns {
  return {
    length: rows.length,
    time: Float64Array.from(rows, (row) => chunk.time[row]!),
    type: texts.at(-1)!.take(chunk.type, rows),
    columns: chunk.columns.map((column, i) => texts[i]!.take(column, rows)),
  };
}

/** The texts of one column, as far as they were picked: each piece that is read numbers its own anew. */
class Texts {
  readonly #dictionary: string[] = [];
  readonly #ids = new Map<string, number>();

  take({ values, dictionary }: Column, rows: readonly number[]): Column {
    if (dictionary.length === 0) return { values: Float64Array.from(rows, (row) => values[row]!), dictionary };
    return {
      values: Int32Array.from(rows, (row) => this.#idOf(dictionary[values[row]!]!)),
      dictionary: this.#dictionary,
    };
  }

  #idOf(text: string): number {
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = this.#dictionary.length;
      this.#dictionary.push(text);
      this.#ids.set(text, id);
    }
    return id;
  }
}
