import type { SchedulingState } from '../analysis/scheduling.ts';

/** So many are kept at most: each names all tasks. */
const MOST = 128;

/** What tasks and CPUs did at some places of a section of scheduler events, so that it can be followed from there on. */
export class Checkpoints {
  #known: { readonly end: number; readonly state: SchedulingState }[] = [];
  #every = 1;
  #count = 0;

  /** The state behind the next stretch of the section, which ends at byte `end`. */
  add(end: number, state: () => SchedulingState): void {
    if (this.#count++ % this.#every !== 0) return;
    this.#known.push({ end, state: state() });
    if (this.#known.length < MOST) return;
    this.#known = this.#known.filter((_, i) => i % 2 === 0);
    this.#every *= 2;
  }

  /** The last place that is not behind byte `start`; undefined: the beginning of the section. */
  before(start: number | undefined): { readonly end: number; readonly state: SchedulingState } | undefined {
    return start === undefined ? undefined : this.#known.findLast(({ end }) => end <= start);
  }
}
