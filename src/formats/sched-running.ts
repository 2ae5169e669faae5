/** What is known of one CPU. */
interface CpuState {
  /** The task that runs on it; undefined where that is not known. */
  tid: number | undefined;
  /** While it idles: the tasks that were put on its run queue, and when. The first of them runs at once. */
  readonly queued: Map<number, number>;
  /** The earliest of those times, while records from then on are held. */
  heldFrom: number;
}

const IDLE = 0;
/** So many records are held at most; a missing switch that shows later than that gets the earliest time that is left. */
const HELD_MOST = 100_000;

/**
 * Which task runs on which CPU, by the switches between tasks and by who is seen to run. A kernel may leave out the switch
 * from idle to a task: a task that then runs on a CPU that should idle gives it away, often much later. The missing switch
 * belongs to the moment in which the task was put on the CPU's run queue, since an idle CPU takes it at once. So that it
 * can be put there, records are held from that moment until the CPU is seen to do something.
 *
 * Records are added in the order of their times and come out sorted.
 */
export class RunningTasks<Record extends { readonly time: number }> {
  /** By its number, which may be any where the recording is damaged. */
  readonly #cpus = new Map<number, CpuState>();
  #queue: Record[] = [];
  /** Time of the last record that was given out. */
  #given = Number.NEGATIVE_INFINITY;

  /**
   * `infer` makes the record of a missing switch between two tasks; none where it is not wanted. `surprise` is told of a
   * CPU that runs another task than it should, when nothing tells since when.
   */
  constructor(
    readonly infer: (cpu: number, time: number, from: number, to: number) => Record | undefined,
    readonly surprise: (expected: number, tid: number) => void,
  ) {}

  /**
   * A task came to a CPU just now, as another source than the trace tells: where the trace has no such switch it is put in,
   * whatever ran before.
   */
  came(cpu: number, time: number, tid: number): void {
    const state = this.#cpu(cpu);
    if (state.tid === undefined || state.tid === tid) return;
    this.#inferSwitch(state, cpu, time, tid);
    this.#runs(state, tid);
  }

  /** A task is seen to run on a CPU. */
  sees(cpu: number, time: number, tid: number): void {
    const state = this.#cpu(cpu);
    if (state.tid === tid) return;
    if (state.tid === IDLE) this.#inferSwitch(state, cpu, state.queued.get(tid) ?? time, tid);
    else if (state.tid !== undefined) this.surprise(state.tid, tid);
    this.#runs(state, tid);
  }

  /** A switch is recorded. */
  switched(cpu: number, time: number, from: number, to: number): void {
    this.sees(cpu, time, from);
    this.#runs(this.#cpu(cpu), to);
  }

  /** A task was put on the run queue of a CPU. */
  queued(cpu: number, time: number, tid: number): void {
    const state = this.#cpus.get(cpu);
    if (state?.tid !== IDLE || tid === IDLE) return;
    state.queued.set(tid, time);
    state.heldFrom = Math.min(state.heldFrom, time);
  }

  /** A task was taken from the run queue of a CPU. */
  taken(cpu: number, tid: number): void {
    const state = this.#cpus.get(cpu);
    if (state?.queued.delete(tid) === true)
      state.heldFrom = Math.min(Number.POSITIVE_INFINITY, ...state.queued.values());
  }

  /** The task that runs on a CPU has another id now. */
  renumbered(cpu: number, from: number, to: number): void {
    const state = this.#cpu(cpu);
    if (state.tid === from) state.tid = to;
  }

  /** What ran on a CPU is not known any more. */
  forget(cpu: number): void {
    this.#runs(this.#cpu(cpu), undefined);
  }

  add(record: Record): void {
    this.#queue.push(record);
    if (this.#queue.length > HELD_MOST)
      for (const state of this.#cpus.values()) state.heldFrom = Number.POSITIVE_INFINITY;
  }

  /** How many records can be given out. */
  get ready(): number {
    const from = this.#heldFrom();
    return from === Number.POSITIVE_INFINITY ? this.#queue.length : this.#position(from);
  }

  take(): Record[] {
    return this.#give(this.ready);
  }

  /** All that is held: nothing comes any more. */
  end(): Record[] {
    return this.#give(this.#queue.length);
  }

  #give(count: number): Record[] {
    const given = this.#queue.slice(0, count);
    this.#queue = this.#queue.slice(count);
    this.#given = given.at(-1)?.time ?? this.#given;
    return given;
  }

  #inferSwitch(state: CpuState, cpu: number, time: number, tid: number): void {
    const record = this.infer(cpu, Math.max(time, this.#given), state.tid ?? IDLE, tid);
    state.heldFrom = Number.POSITIVE_INFINITY;
    if (record !== undefined) this.#queue.splice(this.#position(record.time, true), 0, record);
  }

  #runs(state: CpuState, tid: number | undefined): void {
    state.tid = tid;
    if (state.queued.size === 0) return;
    state.queued.clear();
    state.heldFrom = Number.POSITIVE_INFINITY;
  }

  /** Index of the first record at or (`behind`) after a time. */
  #position(time: number, behind = false): number {
    let low = 0;
    let high = this.#queue.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#queue[middle]!.time;
      if (other < time || (behind && other === time)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #heldFrom(): number {
    let from = Number.POSITIVE_INFINITY;
    for (const state of this.#cpus.values()) if (state.heldFrom < from) from = state.heldFrom;
    return from;
  }

  #cpu(cpu: number): CpuState {
    let state = this.#cpus.get(cpu);
    if (state === undefined) {
      state = { tid: undefined, queued: new Map(), heldFrom: Number.POSITIVE_INFINITY };
      this.#cpus.set(cpu, state);
    }
    return state;
  }
}
