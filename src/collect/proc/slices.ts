import { setImmediate } from 'node:timers/promises';

/** Longer than this no slice goes on: the same event loop empties the ring buffers of other collecters. */
const SLICE_MS = 5;

/**
 * Work that gives way to the event loop every few milliseconds, and knows what it has cost. The cost of a slice is its
 * CPU time as the whole process has it, but no more than its wall time: other threads of MARPLE may be at work too.
 */
export class Slices {
  #wall = 0;
  #cpu = 0;
  #cost = 0;

  constructor() {
    this.#begin();
  }

  /** To be called after every small piece of work. */
  async breathe(): Promise<void> {
    if (performance.now() - this.#wall < SLICE_MS) return;
    this.#end();
    await setImmediate();
    this.#begin();
  }

  /** CPU seconds since it was made or reset, the waiting left out. */
  cost(): number {
    this.#end();
    this.#begin();
    return this.#cost;
  }

  /** Waits for work that is done elsewhere, by a tool or another thread; it costs the time that it takes. */
  async aside<T>(work: Promise<T>): Promise<T> {
    this.#end();
    const start = performance.now();
    try {
      return await work;
    } finally {
      this.#cost += (performance.now() - start) / 1000;
      this.#begin();
    }
  }

  reset(): void {
    this.#cost = 0;
    this.#begin();
  }

  #begin(): void {
    this.#wall = performance.now();
    this.#cpu = cpuSeconds();
  }

  #end(): void {
    this.#cost += Math.min(cpuSeconds() - this.#cpu, (performance.now() - this.#wall) / 1000);
  }
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
