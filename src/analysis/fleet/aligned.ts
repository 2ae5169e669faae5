import type { Datapoint } from '../../common/datatypes.ts';
import type { SectionHeader } from '../../common/header.ts';
import type { PointColumns, SectionReader } from '../../common/reader.ts';

/*
 * Levels that hosts sampled each at its own times, memory for one, at common times: only then can those of all be added up. A sample
 * is moved to the nearest of them, so by half an interval at most, or a little more where the samples were not quite regular.
 */

/** How far from its place in the row a sample may be, intervals: so far they are still taken one by one. */
const DRIFT = 0.75;

/** Sections whose records are samples of levels, several of each time. */
export function isSampled({ datatype, interface: name }: SectionHeader): boolean {
  return datatype === 'datapoint' && (name === 'memtime' || name === 'system');
}

/** Common times: one every `interval` seconds, and one of them is `phase`. */
export interface CommonTimes {
  readonly interval: number;
  readonly phase: number;
  /** The first and the last that are shown, counted from `phase`: those at which all hosts have samples that have any about there. */
  readonly first: number;
  readonly last: number;
}

/** Intervals by which hosts may begin or end earlier than others in the same run. */
const EDGE = 2;

/** The largest of the hosts' usual intervals, and when most of them sample. Undefined where none has two samples. */
export async function commonTimes(sections: readonly SectionReader[]): Promise<CommonTimes | undefined> {
  let most: number | undefined;
  const [firsts, lasts]: [number[], number[]] = [[], []];
  for (const section of sections) {
    const gaps: number[] = [];
    let last = Number.NaN;
    for await (const { x } of section.points([])) {
      for (const time of x) {
        if (Number.isNaN(last)) firsts.push(time);
        if (time > last) gaps.push(time - last);
        if (time !== last) last = time;
      }
    }
    if (!Number.isNaN(last)) lasts.push(last);
    const median = gaps.sort((a, b) => a - b)[gaps.length >> 1];
    if (median !== undefined && (most === undefined || median > most)) most = median;
  }
  if (most === undefined) return undefined;
  const interval = most;
  const phase = meanPhase(firsts, interval);
  const ticks = (times: readonly number[]): number[] => times.map((time) => Math.round((time - phase) / interval));
  const [begins, ends] = [ticks(firsts), ticks(lasts)];
  const [begin, end] = [Math.min(...begins), Math.max(...ends)];
  // What would be a sum of some hosts alone looks as if the others had had nothing.
  return {
    interval,
    phase,
    first: Math.max(...begins.filter((tick) => tick <= begin + EDGE)),
    last: Math.min(...ends.filter((tick) => tick >= end - EDGE)),
  };
}

/** The mean of times around a clock of one interval: those of hosts that sample at about the same moment are close to it. */
function meanPhase(times: readonly number[], interval: number): number {
  let [x, y] = [0, 0];
  for (const time of times) {
    const angle = (2 * Math.PI * time) / interval;
    x += Math.cos(angle);
    y += Math.sin(angle);
  }
  const share = Math.atan2(y, x) / (2 * Math.PI);
  return interval * (share < 0 ? share + 1 : share);
}

/** The sample that is moved to each common time; what is left over has none of its own. */
class Ticks {
  #time = Number.NaN;
  #tick = Number.NEGATIVE_INFINITY;
  #isKept = false;

  constructor(readonly times: CommonTimes) {}

  /** The common time of a record; undefined where its sample is left out. */
  at(time: number): number | undefined {
    const { interval, phase, first, last } = this.times;
    if (time !== this.#time) {
      this.#time = time;
      const place = (time - phase) / interval;
      const next = this.#tick + 1;
      const tick = Math.abs(place - next) <= DRIFT ? next : Math.round(place);
      this.#isKept = tick > this.#tick;
      if (this.#isKept) this.#tick = tick;
    }
    const isShown = this.#isKept && this.#tick >= first && this.#tick <= last;
    return isShown ? Math.round((phase + this.#tick * interval) * 1e9) / 1e9 : undefined;
  }
}

/** The points at common times. */
export async function* alignedPoints(
  chunks: AsyncIterable<PointColumns>,
  times: CommonTimes,
): AsyncGenerator<PointColumns> {
  const ticks = new Ticks(times);
  for await (const { length, x, y, columns } of chunks) {
    const rows: number[] = [];
    const moved: number[] = [];
    for (let row = 0; row < length; row++) {
      const time = ticks.at(x[row]!);
      if (time === undefined) continue;
      rows.push(row);
      moved.push(time);
    }
    const pick = (values: Float64Array | Int32Array): Float64Array => Float64Array.from(rows, (row) => values[row]!);
    yield {
      length: rows.length,
      x: Float64Array.from(moved),
      y: pick(y),
      columns: columns.map(({ values, dictionary }) => ({ values: pick(values), dictionary })),
    };
  }
}

/** The same of records. */
export async function* alignedBatches(
  batches: AsyncIterable<readonly Datapoint[]>,
  times: CommonTimes,
): AsyncGenerator<Datapoint[]> {
  const ticks = new Ticks(times);
  for await (const points of batches) {
    yield points.flatMap((point) => {
      const x = ticks.at(point.x);
      return x === undefined ? [] : [{ ...point, x }];
    });
  }
}
