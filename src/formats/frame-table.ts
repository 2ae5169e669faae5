import type { PerfFrame } from './perf-script.ts';

/** Frames by their addresses, in two halves of 32 bits: open addressing with linear probing. */
export class FrameTable {
  /** Both halves, by slot. */
  #keys = new Int32Array(2 * SLOTS);
  #frames = new Array<PerfFrame | undefined>(SLOTS).fill(undefined);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(low: number, high: number): PerfFrame | undefined {
    return this.#frames[this.#slotOf(low, high)];
  }

  set(low: number, high: number, frame: PerfFrame): void {
    this.#put(low, high, frame);
    if (2 * this.#size > this.#frames.length) this.#grow();
  }

  /** Where it is, or where it belongs. */
  #slotOf(low: number, high: number): number {
    const keys = this.#keys;
    const frames = this.#frames;
    const mask = frames.length - 1;
    let slot = hashOf(low, high) & mask;
    while (frames[slot] !== undefined && (keys[2 * slot] !== low || keys[2 * slot + 1] !== high))
      slot = (slot + 1) & mask;
    return slot;
  }

  #put(low: number, high: number, frame: PerfFrame): void {
    const slot = this.#slotOf(low, high);
    if (this.#frames[slot] === undefined) this.#size++;
    this.#keys[2 * slot] = low;
    this.#keys[2 * slot + 1] = high;
    this.#frames[slot] = frame;
  }

  #grow(): void {
    const [keys, frames] = [this.#keys, this.#frames];
    this.#keys = new Int32Array(2 * keys.length);
    this.#frames = new Array<PerfFrame | undefined>(2 * frames.length).fill(undefined);
    this.#size = 0;
    for (const [slot, frame] of frames.entries()) {
      if (frame !== undefined) this.#put(keys[2 * slot]!, keys[2 * slot + 1]!, frame);
    }
  }
}

const SLOTS = 64;

function hashOf(low: number, high: number): number {
  const mixed = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}
