/**
 * Puts records that come nearly in the order of time into that order. Memory is bounded: a record is given out when so
 * many came after it, and one that comes later than that can only follow what was given out.
 */
export class InOrder<Item> {
  /** Records that came too late for their place. */
  late = 0;
  #waiting: Item[] = [];
  #isSorted = true;
  /** Time of the last one that came, and of the last that was given out. */
  #last = Number.NEGATIVE_INFINITY;
  #given = Number.NEGATIVE_INFINITY;

  /** `moved` gives what stands for a record that is too late: it is told the earliest time that keeps the order. */
  constructor(
    private readonly window: number,
    private readonly timeOf: (item: Item) => number,
    private readonly moved: (item: Item, earliest: number) => Item = (item) => item,
  ) {}

  /** Takes one, and gives those that it makes ready: mostly none. */
  add(item: Item): readonly Item[] {
    const time = this.timeOf(item);
    if (time < this.#last) this.#isSorted = false;
    this.#last = time;
    this.#waiting.push(item);
    return this.#waiting.length >= 2 * this.window ? this.#release(this.window) : [];
  }

  /** Gives what is left. */
  rest(): readonly Item[] {
    return this.#release(this.#waiting.length);
  }

  #release(count: number): readonly Item[] {
    if (!this.#isSorted) {
      this.#waiting.sort((a, b) => this.timeOf(a) - this.timeOf(b));
      this.#isSorted = true;
    }
    const ready = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    for (const [i, item] of ready.entries()) {
      const time = this.timeOf(item);
      if (time >= this.#given) this.#given = time;
      else {
        this.late++;
        ready[i] = this.moved(item, this.#given);
      }
    }
    const end = this.#waiting.at(-1);
    if (end !== undefined) this.#last = this.timeOf(end);
    return ready;
  }
}
