import { Random } from '../../analysis/random.ts';
import type { Named } from '../../analysis/scheduling.ts';
import { SpanRows, TASK_WAITED, TaskNumbers, type TaskSpans } from './task-spans.ts';

/** Bins at first: about as many as a screen has pixels across. They can be halved. */
const BINS = 2048;
/** More CPUs than any kernel can have. */
const CPUS = 2 ** 14;
const DOINGS = 3;
/** Stretches of time that keep their longest wait: so few that quantiles hardly change. */
const STRETCHES = 32;

/** A wait for a CPU that had one at the end; nanoseconds. */
interface Wait {
  readonly task: Named;
  readonly since: number;
  readonly until: number;
  readonly isPicked: boolean;
}

/**
 * What tasks did, added up in bins of a range of time: there are too many spans to be kept one by one. Where even the sums are more
 * than `most`, the bins become twice as wide. Of waits for a CPU one of `every` is kept, by chance, and the longest of each of some
 * stretches: how long most of them took cannot be told from sums.
 */
export class SpanSums {
  readonly #from: number;
  readonly #to: number;
  #width: number;
  /** By bin: nanoseconds, by what of whom they are. */
  #bins: Map<number, number>[] = Array.from({ length: BINS }, () => new Map());
  #size = 0;
  readonly #numbers = new TaskNumbers();
  readonly #random = new Random(1);
  #waits = 0;
  #chosen = 0;
  readonly #picked: Wait[] = [];
  readonly #longest: (Wait | undefined)[] = Array.from({ length: STRETCHES });

  /** Seconds since the origin. */
  constructor(
    range: { readonly from: number; readonly to: number },
    readonly most: number,
    readonly every: number,
  ) {
    this.#from = range.from * 1e9;
    this.#to = range.to * 1e9;
    this.#width = (this.#to - this.#from) / BINS;
  }

  /** A span, as spanSink() tells of it; what is outside of the range is left out. */
  add(task: Named, what: number, cpu: number, since: number, until: number, comes: boolean): void {
    if (comes) this.#wait(task, since, until);
    const key = (this.#numbers.of(task) * DOINGS + what) * CPUS + cpu + 1;
    const end = Math.min(until, this.#to);
    let at = Math.max(since, this.#from);
    for (let bin = this.#binOf(at); at < end; bin++) {
      const next = bin === this.#bins.length - 1 ? end : Math.min(end, this.#from + (bin + 1) * this.#width);
      const sums = this.#bins[bin]!;
      const sum = sums.get(key);
      if (sum === undefined) this.#size++;
      sums.set(key, (sum ?? 0) + next - at);
      at = next;
    }
    if (this.#size > this.most && this.#bins.length > 1) this.#widen();
  }

  /** The sums as spans. */
  spans(cpus: number): TaskSpans {
    const rows = new SpanRows(this.#size + this.#picked.length + STRETCHES);
    for (const [bin, sums] of this.#bins.entries()) {
      const start = this.#from + bin * this.#width;
      for (const [key, sum] of sums) {
        const cpu = (key % CPUS) - 1;
        const rest = Math.floor(key / CPUS);
        rows.add(this.#numbers.tasks[Math.floor(rest / DOINGS)]!, rest % DOINGS, cpu, start, start + sum, false);
      }
    }
    const beside = this.#longest.filter((wait) => wait !== undefined && !wait.isPicked);
    for (const { task, since, until } of [...this.#picked, ...(beside as Wait[])]) {
      rows.add(task, TASK_WAITED, -1, since, until, true);
    }
    return { ...rows.spans(cpus), bins: this.#bins.length, waits: this.#waits };
  }

  #wait({ pid, comm }: Named, since: number, until: number): void {
    if (until < this.#from || until > this.#to) return;
    const place = this.#waits++ % this.every;
    if (place === 0) this.#chosen = this.#random.integer(this.every);
    const wait = { task: { pid, comm }, since, until, isPicked: place === this.#chosen };
    if (wait.isPicked) this.#picked.push(wait);
    const share = (until - this.#from) / (this.#to - this.#from);
    const stretch = Math.min(STRETCHES - 1, Math.floor(share * STRETCHES));
    const longest = this.#longest[stretch];
    if (longest === undefined || until - since > longest.until - longest.since) this.#longest[stretch] = wait;
  }

  #binOf(time: number): number {
    return Math.min(this.#bins.length - 1, Math.floor((time - this.#from) / this.#width));
  }

  #widen(): void {
    const halved: Map<number, number>[] = [];
    this.#size = 0;
    for (let bin = 0; bin < this.#bins.length; bin += 2) {
      const sums = this.#bins[bin]!;
      for (const [key, sum] of this.#bins[bin + 1] ?? []) sums.set(key, (sums.get(key) ?? 0) + sum);
      halved.push(sums);
      this.#size += sums.size;
    }
    this.#bins = halved;
    this.#width *= 2;
  }
}
