import { ByteStrings } from '../common/byte-strings.ts';
import type { PerfFrame } from './perf-script.ts';

/** The frames of a stack, innermost first, and a number that is this stack's alone. */
export interface NumberedStack {
  readonly number: number;
  readonly frames: readonly PerfFrame[];
}

/** Bytes of lines, and of stacks, that are remembered. */
const MOST_BYTES = 32 * 1024 * 1024;
const NEWLINE = 10;
/** In place of the line before the first. */
const NO_LINE = 0;

/**
 * Stacks in text that has a line for each frame. Most lines and stacks were met before: equal lines are the same frame, and equal
 * stacks the same array of frames.
 */
export class StackLines {
  #lines = new ByteStrings();
  /** By the number of a line, from 1 on: its frame, undefined where it is none, and the line that came behind it last. */
  #frames: (PerfFrame | undefined)[] = [undefined];
  #followers: number[] = [NO_LINE];
  /** The lines of the stack so far, as numbers and as their bytes. */
  #run = new Int32Array(128);
  #runBytes = Buffer.from(this.#run.buffer);
  #depth = 0;
  /** Stacks are strings of such bytes. */
  #runs = new ByteStrings();
  #stacks: NumberedStack[] = [];
  #count = 0;

  /** `frameOf` reads the line in bytes[start, end), which may end in a newline. */
  constructor(private readonly frameOf: (bytes: Buffer, start: number, end: number) => PerfFrame | undefined) {}

  /** Begins a stack. */
  begin(): void {
    this.#depth = 0;
    if (Math.max(this.#lines.size, this.#runs.size) < MOST_BYTES) return;
    this.#lines = new ByteStrings();
    this.#frames = [undefined];
    this.#followers = [NO_LINE];
    this.#runs = new ByteStrings();
    this.#stacks = [];
  }

  /**
   * Adds the line at `start`, where it is a frame, and gives the place behind its newline; -1 where it is none, or where no more
   * lines can be remembered before the next stack.
   */
  add(bytes: Buffer, start: number): number {
    const before = this.#depth === 0 ? NO_LINE : this.#run[this.#depth - 1]!;
    const likely = this.#followers[before]!;
    let end = likely === NO_LINE ? -1 : this.#lines.endAt(likely - 1, bytes, start);
    let line = likely;
    if (end < 0) {
      if (this.#lines.size >= MOST_BYTES) return -1;
      end = bytes.indexOf(NEWLINE, start) + 1;
      line = this.#lines.idAt(bytes, start, end) + 1;
      if (line === this.#frames.length) {
        this.#frames.push(this.frameOf(bytes, start, end));
        this.#followers.push(NO_LINE);
      }
      if (this.#frames[line] === undefined) return -1;
      this.#followers[before] = line;
    }
    if (this.#depth === this.#run.length) this.#grow();
    this.#run[this.#depth++] = line;
    return end;
  }

  /** The stack since begin(). */
  end(): NumberedStack {
    const id = this.#runs.idAt(this.#runBytes, 0, Int32Array.BYTES_PER_ELEMENT * this.#depth);
    if (id === this.#stacks.length) {
      const frames: PerfFrame[] = [];
      for (let i = 0; i < this.#depth; i++) frames.push(this.#frames[this.#run[i]!]!);
      this.#stacks.push({ number: this.#count++, frames });
    }
    return this.#stacks[id]!;
  }

  #grow(): void {
    const run = new Int32Array(2 * this.#run.length);
    run.set(this.#run);
    this.#run = run;
    this.#runBytes = Buffer.from(run.buffer);
  }
}
