import { Quantiles } from '../quantiles.ts';

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
}

/** Values of one of many groups that are kept as they are: many groups must fit into memory together. */
const KEPT_OF_GROUP = 4096;

/** Gathers values for a Summary, in bounded memory. */
export class Summariser {
  readonly #quantiles: Quantiles;
  #sum = 0;

  /** @param of the whole section, whose quantiles are as exact as those of the views, or one group of many. */
  constructor(of: 'all' | 'group') {
    this.#quantiles = of === 'all' ? new Quantiles() : new Quantiles(KEPT_OF_GROUP);
  }

  get count(): number {
    return this.#quantiles.count;
  }

  get sum(): number {
    return this.#sum;
  }

  add(value: number): void {
    this.#quantiles.add(value);
    this.#sum += value;
  }

  summary(): Summary {
    const { count, min, max } = this.#quantiles;
    if (count === 0) {
      return { count: 0, sum: 0, min: null, mean: null, p50: null, p90: null, p99: null, p999: null, max: null };
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
    };
  }
}
