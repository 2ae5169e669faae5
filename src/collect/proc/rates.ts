import { rounded } from '../../common/util/rounded.ts';
import type { Sample } from './counters.ts';

/** Some drivers count in 32 bits. */
const WRAP = 2 ** 32;

/**
 * Makes rates of counters that are read again and again. Counters may come and go; one gives no rate until it has been
 * there twice, nor while it has never counted anything.
 */
export class Rates {
  #last = new Map<string, number>();
  #at: bigint | undefined;
  /** Devices whose counters began anew. */
  readonly reset = new Set<string>();

  /**
   * `scale`: units of y in one count. A `steady` counter only grows but for small corrections, which count as nothing; one
   * of a `device` can be of 32 bits and wrap, or begin anew when the device does.
   */
  constructor(
    readonly scale: number,
    readonly kind: 'steady' | 'device',
  ) {}

  /** The mean rates a second since the reading before; `at` is the time of this one, CLOCK_MONOTONIC in ns. */
  add(samples: readonly Sample[], at: bigint): Sample[] {
    const seconds = this.#at === undefined ? 0 : Number(at - this.#at) / 1e9;
    const current = new Map<string, number>();
    const rates: Sample[] = [];
    for (const { info, value } of samples) {
      const key = info.join('\0');
      current.set(key, value);
      const last = this.#last.get(key);
      if (last === undefined || value === 0 || seconds <= 0) continue;
      const count = this.#difference(last, value);
      if (count === undefined) this.reset.add(info[0]!);
      else rates.push({ info, value: rounded((count * this.scale) / seconds, 6) });
    }
    this.#last = current;
    this.#at = at;
    return rates;
  }

  /** What was counted from one value to the next; undefined where the counter began anew. */
  #difference(last: number, value: number): number | undefined {
    if (value >= last) return value - last;
    if (this.kind === 'steady') return 0;
    const wrapped = value + WRAP - last;
    return last < WRAP && wrapped < WRAP / 2 ? wrapped : undefined;
  }
}
