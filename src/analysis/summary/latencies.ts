import { DDSketch } from '@datadog/sketches-js';
import type { Datapoint } from '../../common/datatypes.ts';
import { namesAbove, OTHER } from './other.ts';

/** Names that are told apart while they are counted; of more, the later ones are OTHER. */
const MOST_NAMES = 200;

/** The latencies of one slice of time and one set of labels. */
interface Cell {
  readonly slice: number;
  readonly labels: readonly string[];
  readonly sketch: DDSketch;
}

/**
 * Latencies by slice of time and by labels, each set of them as a DDSketch (Masson, Rim, Lee: "DDSketch: a fast and
 * fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019): buckets of a fixed relative width, the same ones
 * everywhere, so that adding up those of many hosts loses nothing.
 */
export class LatencySummary {
  count = 0;
  readonly #cells = new Map<string, Cell>();
  /** By the first label. */
  readonly #counts = new Map<string, number>();

  /**
   * @param interval seconds of a slice.
   * @param accuracy how far a value may be off, as a share of it.
   */
  constructor(
    readonly interval: number,
    readonly accuracy: number,
  ) {}

  /**
   * Adds `count` latencies of one value, 0 or more.
   * @param labels the first one is what there may be many of (a process).
   */
  add(seconds: number, labels: readonly string[], value: number, count = 1): void {
    const [name = '', ...others] = labels;
    const isKnown = this.#counts.has(name) || this.#counts.size < MOST_NAMES;
    const label = isKnown ? name : OTHER;
    this.#counts.set(label, (this.#counts.get(label) ?? 0) + count);
    this.count += count;
    const slice = Math.floor(seconds / this.interval) * this.interval;
    this.#sketchOf(this.#cells, slice, [label, ...others]).accept(value, count);
  }

  #sketchOf(cells: Map<string, Cell>, slice: number, labels: readonly string[]): DDSketch {
    const key = [slice, ...labels].join('\0');
    let cell = cells.get(key);
    if (cell === undefined) {
      cell = { slice, labels, sketch: new DDSketch({ relativeAccuracy: this.accuracy }) };
      cells.set(key, cell);
    }
    return cell.sketch;
  }

  /** A point for each bucket: where its slice begins, its value, the labels and the count. Those with less than `minShare` of all are OTHER. */
  points(minShare: number): Datapoint[] {
    const nameOf = namesAbove(this.#counts, minShare);
    const merged = new Map<string, Cell>();
    for (const { slice, labels, sketch } of this.#cells.values()) {
      const [name = '', ...others] = labels;
      this.#sketchOf(merged, slice, [nameOf(name), ...others]).merge(sketch);
    }
    return [...merged.values()]
      .sort((a, b) => a.slice - b.slice)
      .flatMap(({ slice, labels, sketch }) =>
        buckets(sketch).map(([value, count]) => ({ x: slice, y: value, info: [...labels, String(count)] })),
      );
  }
}

/** The value of each bucket that holds something, and how many are in it. */
function buckets({ store, mapping, zeroCount }: DDSketch): [value: number, count: number][] {
  const found: [number, number][] = zeroCount > 0 ? [[0, zeroCount]] : [];
  if (store.count === 0) return found;
  for (let key = store.minKey; key <= store.maxKey; key++) {
    const count = store.bins[key - store.offset] ?? 0;
    // Five digits are within the bucket still: it is two hundredths wide.
    if (count > 0) found.push([Number(mapping.value(key).toPrecision(5)), count]);
  }
  return found;
}
