import { Quantiles } from '../quantiles.ts';
import { Random } from '../random.ts';

/** Some values in numbers. All but count and sum are null where there is no value. */
export interface Summary {
  readonly count: number;
  readonly sum: number;
  readonly min: number | null;
  readonly mean: number | null;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
  readonly max: number | null;
  /** Some of the values, drawn at random, or all; only where they were asked for. */
  readonly sample?: readonly number[];
}

/** Values of one of many groups that are kept as they are: many groups must fit into memory together. */
const KEPT_OF_GROUP = 4096;

/** Gathers values for a Summary, in bounded memory. */
export class Summariser {
  readonly #quantiles: Quantiles;
  readonly #sample: Reservoir | undefined;
  #sum = 0;

  /**
   * @param of the whole section, whose quantiles are as exact as those of the views, or one group of many.
   * @param sampled how many values of the whole are kept for the sample; of a group a tenth of that.
   */
  constructor(of: 'all' | 'group', sampled = 0) {
    this.#quantiles = of === 'all' ? new Quantiles() : new Quantiles(KEPT_OF_GROUP);
    if (sampled > 0) this.#sample = new Reservoir(of === 'all' ? sampled : Math.ceil(sampled / 10));
  }

  get count(): number {
    return this.#quantiles.count;
  }

  get sum(): number {
    return this.#sum;
  }

  add(value: number, times = 1): void {
    this.#quantiles.add(value, times);
    this.#sum += value * times;
    this.#sample?.add(value, times);
  }

  summary(): Summary {
    const { count, min, max } = this.#quantiles;
    const sample = this.#sample === undefined ? {} : { sample: this.#sample.values };
    if (count === 0) {
      return {
        count: 0,
        sum: 0,
        min: null,
        mean: null,
        p50: null,
        p90: null,
        p99: null,
        p999: null,
        max: null,
        ...sample,
      };
    }
    const at = (p: number) => this.#quantiles.at(p);
    return {
      count,
      sum: this.#sum,
      min,
      mean: this.#sum / count,
      p50: at(0.5),
      p90: at(0.9),
      p99: at(0.99),
      p999: at(0.999),
      max,
      ...sample,
    };
  }
}

/** Some of the values of a stream, each as likely as any other (algorithm R, Vitter 1985); the same each time. */
class Reservoir {
  readonly values: number[] = [];
  readonly #random = new Random(1);
  #seen = 0;

  constructor(readonly size: number) {}

  add(value: number, times: number): void {
    for (let i = 0; i < times; i++) this.#addOne(value);
  }

  #addOne(value: number): void {
    const place = this.#seen < this.size ? this.#seen : this.#random.integer(this.#seen + 1);
    if (place < this.size) this.values[place] = value;
    this.#seen++;
  }
}
