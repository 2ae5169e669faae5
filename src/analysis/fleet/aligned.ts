import type { Datapoint } from '../../common/datatypes.ts';
import type { PointColumns, SectionReader } from '../../common/reader.ts';

/*
 * Levels that hosts sampled each at its own times, memory for one, at common times: only then can those of all be added up. A sample
 * is moved to the nearest of them, so by half an interval at most, or a little more where the samples were not quite regular.
 */

/** How far from its place in the row a sample may be, intervals: so far they are still taken one by one. */
const DRIFT = 0.75;

/** Sections whose records are samples of levels, several of each time. */
export function isSampled({ header }: SectionReader): boolean {
  return header.datatype === 'datapoint' && (header.interface === 'memtime' || header.interface === 'system');
}

/** The distance of the common times, seconds: the largest of the hosts' usual ones. Undefined where none has two samples. */
export async function commonInterval(sections: readonly SectionReader[]): Promise<number | undefined> {
  let most: number | undefined;
  for (const section of sections) {
    const gaps: number[] = [];
    let last = Number.NaN;
    for await (const { x } of section.points([])) {
      for (const time of x) {
        if (time > last) gaps.push(time - last);
        if (time !== last) last = time;
      }
    }
    const median = gaps.sort((a, b) => a - b)[gaps.length >> 1];
    if (median !== undefined && (most === undefined || median > most)) most = median;
  }
  return most;
}

/** The sample that is moved to each common time; what is left over has none of its own. */
class Ticks {
  /** Samples that were left out, for another one of the host is at that time. */
  dropped = 0;
  #time = Number.NaN;
  #tick = Number.NEGATIVE_INFINITY;
  #isKept = false;

  constructor(readonly interval: number) {}

  /** The common time of a record; undefined where its sample is left out. */
  at(time: number): number | undefined {
    if (time !== this.#time) {
      this.#time = time;
      const place = time / this.interval;
      const next = this.#tick + 1;
      const tick = Math.abs(place - next) <= DRIFT ? next : Math.round(place);
      this.#isKept = tick > this.#tick;
      if (this.#isKept) this.#tick = tick;
      else this.dropped++;
    }
    return this.#isKept ? Math.round(this.#tick * this.interval * 1e9) / 1e9 : undefined;
  }
}

/** The points at common times. */
export async function* alignedPoints(
  chunks: AsyncIterable<PointColumns>,
  interval: number,
): AsyncGenerator<PointColumns> {
  const ticks = new Ticks(interval);
  for await (const { length, x, y, columns } of chunks) {
    const rows: number[] = [];
    const times: number[] = [];
    for (let row = 0; row < length; row++) {
      const time = ticks.at(x[row]!);
      if (time === undefined) continue;
      rows.push(row);
      times.push(time);
    }
    const pick = (values: Float64Array | Int32Array): Float64Array => Float64Array.from(rows, (row) => values[row]!);
    yield {
      length: rows.length,
      x: Float64Array.from(times),
      y: pick(y),
      columns: columns.map(({ values, dictionary }) => ({ values: pick(values), dictionary })),
    };
  }
}

/** The same of records. */
export async function* alignedBatches(
  batches: AsyncIterable<readonly Datapoint[]>,
  interval: number,
): AsyncGenerator<Datapoint[]> {
  const ticks = new Ticks(interval);
  for await (const points of batches) {
    yield points.flatMap((point) => {
      const x = ticks.at(point.x);
      return x === undefined ? [] : [{ ...point, x }];
    });
  }
}
