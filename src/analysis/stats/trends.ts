import type { SectionHeader } from '../../common/header.ts';
import type { ColumnRequest, PointColumns } from '../../common/reader.ts';
import { largest } from '../largest.ts';
import { type ByProcess, ProcessGroups, type ProcessName } from './groups.ts';

/** How a quantity went on over time. All but samples are null where there was none. */
export interface Trend {
  /** Times at which it was measured. */
  readonly samples: number;
  readonly first: number | null;
  readonly last: number | null;
  readonly max: number | null;
  /** By how much it grew each second: the slope of the line of least squares; null with fewer than two samples. */
  readonly slope: number | null;
}

/** The levels that were sampled again and again: memory of processes. */
export interface TrendStats {
  readonly label: string;
  readonly unit: string;
  /** Of all processes together. */
  readonly all: Trend;
  /** Those with the highest maximum first. */
  readonly processes: readonly (ProcessName & Trend)[];
  /** Those that grew fastest first, where they grew at all. */
  readonly growing: readonly (ProcessName & Trend)[];
}

/** One quantity: the values of one time are added up, and times follow each other. */
class Series {
  samples = 0;
  #first = 0;
  #last = 0;
  #max = Number.NEGATIVE_INFINITY;
  #time = 0;
  #pending: number | undefined;
  /** Where x of the fit begins, so that its squares stay small. */
  #zero = 0;
  #x = 0;
  #y = 0;
  #xx = 0;
  #xy = 0;

  add(time: number, value: number): void {
    if (this.#pending !== undefined && time === this.#time) {
      this.#pending += value;
      return;
    }
    this.#flush();
    this.#time = time;
    this.#pending = value;
  }

  #flush(): void {
    const value = this.#pending;
    if (value === undefined) return;
    if (this.samples === 0) {
      this.#first = value;
      this.#zero = this.#time;
    }
    this.samples++;
    this.#last = value;
    this.#max = Math.max(this.#max, value);
    const x = this.#time - this.#zero;
    this.#x += x;
    this.#y += value;
    this.#xx += x * x;
    this.#xy += x * value;
    this.#pending = undefined;
  }

  trend(): Trend {
    this.#flush();
    const n = this.samples;
    if (n === 0) return { samples: 0, first: null, last: null, max: null, slope: null };
    const spread = n * this.#xx - this.#x * this.#x;
    const slope = spread > 0 ? (n * this.#xy - this.#x * this.#y) / spread : null;
    return { samples: n, first: this.#first, last: this.#last, max: this.#max, slope };
  }
}

/** Gathers TrendStats, chunk by chunk, of points in the order of time. */
export class TrendCounter {
  readonly want: readonly ColumnRequest[];
  readonly #all = new Series();
  readonly #processes: ProcessGroups<Series>;
  count = 0;

  constructor(
    readonly header: SectionHeader,
    by: ByProcess,
  ) {
    this.#processes = new ProcessGroups(header.fields ?? [], by, () => new Series());
    this.want = this.#processes.want;
  }

  add({ length, x, y, columns }: PointColumns): void {
    this.count += length;
    for (let i = 0; i < length; i++) {
      this.#all.add(x[i]!, y[i]!);
      this.#processes.of(columns, i).totals.add(x[i]!, y[i]!);
    }
  }

  stats(top: number): TrendStats {
    const processes = this.#processes.all().map(({ name, totals }) => ({ ...name, ...totals.trend() }));
    const growing = processes.filter(({ slope }) => slope !== null && slope > 0);
    return {
      label: this.header.y?.label ?? 'y',
      unit: this.header.y?.unit ?? '',
      all: this.#all.trend(),
      processes: largest(processes, top, ({ max }) => max ?? 0),
      growing: largest(growing, top, ({ slope }) => slope ?? 0),
    };
  }
}
