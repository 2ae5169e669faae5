import type { Datapoint } from '../../common/datatypes.ts';
import { namesAbove } from './other.ts';

interface Level {
  readonly slice: number;
  readonly labels: readonly string[];
  sum: number;
}

/**
 * Levels that were sampled again and again (memory, load): their mean in each slice of time, by labels. What is not there at a
 * time counts as 0.
 */
export class LevelSummary {
  count = 0;
  readonly #cells = new Map<string, Level>();
  readonly #sums = new Map<string, number>();

  /** @param interval seconds of a slice. */
  constructor(readonly interval: number) {}

  /** A section of one host, whose samples come in the order of time. */
  section(): LevelSection {
    return new LevelSection(this.interval, (slice, labels, mean) => this.#add(slice, labels, mean));
  }

  #add(slice: number, labels: readonly string[], mean: number): void {
    const key = [slice, ...labels].join('\0');
    const cell = this.#cells.get(key);
    if (cell === undefined) this.#cells.set(key, { slice, labels, sum: mean });
    else cell.sum += mean;
    this.#sums.set(labels[0] ?? '', (this.#sums.get(labels[0] ?? '') ?? 0) + Math.abs(mean));
  }

  /**
   * A point for each slice and set of labels. Those whose first label has less than `minShare` of all are one.
   * @param hosts what the sums are divided by: 1 where levels of several hosts add up, as memory does.
   */
  points(minShare: number, hosts = 1): Datapoint[] {
    const nameOf = namesAbove(this.#sums, minShare);
    const merged = new Map<string, Level>();
    for (const { slice, labels, sum } of this.#cells.values()) {
      const kept = [nameOf(labels[0] ?? ''), ...labels.slice(1)];
      const key = [slice, ...kept].join('\0');
      const cell = merged.get(key);
      if (cell === undefined) merged.set(key, { slice, labels: kept, sum });
      else cell.sum += sum;
    }
    return [...merged.values()]
      .sort((a, b) => a.slice - b.slice)
      .map(({ slice, labels, sum }) => ({ x: slice, y: Number((sum / hosts).toPrecision(6)), info: labels }));
  }
}

/** Gathers the samples of one section. */
export class LevelSection {
  #slice = Number.NaN;
  #time = Number.NaN;
  #times = 0;
  readonly #sums = new Map<string, { labels: readonly string[]; sum: number }>();

  constructor(
    readonly interval: number,
    readonly give: (slice: number, labels: readonly string[], mean: number) => void,
  ) {}

  add(seconds: number, labels: readonly string[], value: number): void {
    const slice = Math.floor(seconds / this.interval) * this.interval;
    if (slice !== this.#slice) this.end();
    this.#slice = slice;
    if (seconds !== this.#time) this.#times++;
    this.#time = seconds;
    const key = labels.join('\0');
    const found = this.#sums.get(key);
    if (found === undefined) this.#sums.set(key, { labels, sum: value });
    else found.sum += value;
  }

  /** Gives what is left. */
  end(): void {
    for (const { labels, sum } of this.#sums.values()) this.give(this.#slice, labels, sum / this.#times);
    this.#sums.clear();
    this.#times = 0;
    this.#time = Number.NaN;
  }
}
