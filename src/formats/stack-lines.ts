import { LineTable, NO_LINE } from './line-table.ts';
import type { PerfFrame } from './perf-script.ts';
import { mixed, RunTable } from './run-table.ts';

/** The frames of a stack, innermost first, and a number that is this stack's alone. */
export interface NumberedStack {
  readonly number: number;
  readonly frames: readonly PerfFrame[];
}

/** Bytes of lines, and of stacks, that are remembered. */
const MOST_BYTES = 32 * 1024 * 1024;
const NEWLINE = 10;
/** In place of a frame: that of a line that was not read yet, and of one that is none. */
const UNREAD = 0;
const NO_FRAME = -1;

/**
 * Stacks in text that has a line for each frame. Most lines and stacks were met before: equal lines are the same frame, and equal
 * stacks the same array of frames.
 */
export class StackLines {
  #lines = new LineTable();
  /** Of the lines, which have their places in here, and one more. */
  #frames: PerfFrame[] = [];
  /** The lines of the stack so far, and their hash. */
  #run = new Int32Array(128);
  #depth = 0;
  #hash = 0;
  #last = NO_LINE;
  #runs = new RunTable();
  #stacks: NumberedStack[] = [];
  #stackCount = 0;
  #frameCount = 0;

  /** `frameOf` reads the line in bytes[start, end), which may end in a newline; `number` is to be that of the frame. */
  constructor(
    private readonly frameOf: (bytes: Buffer, start: number, end: number, number: number) => PerfFrame | undefined,
  ) {}

  /** Begins a stack. */
  begin(): void {
    this.#depth = 0;
    this.#hash = 0;
    this.#last = NO_LINE;
    if (Math.max(this.#lines.size, this.#runs.size) < MOST_BYTES) return;
    this.#lines = new LineTable();
    this.#frames = [];
    this.#runs = new RunTable();
    this.#stacks = [];
  }

  /**
   * Adds the line at `start`, where it is a frame, and gives the place behind its newline; -1 where it is none, or where no more
   * lines can be remembered before the next stack.
   */
  add(bytes: Buffer, start: number): number {
    const lines = this.#lines;
    let line = lines.followerAt(this.#last, bytes, start);
    if (line === NO_LINE) {
      if (lines.size >= MOST_BYTES) return -1;
      const end = bytes.indexOf(NEWLINE, start) + 1;
      line = lines.at(bytes, start, end);
      if (lines.frameOf(line) === UNREAD) lines.setFrame(line, this.#frameIn(bytes, start, end));
      if (lines.frameOf(line) === NO_FRAME) return -1;
      lines.follow(this.#last, line);
    }
    if (this.#depth === this.#run.length) this.#grow();
    this.#run[this.#depth++] = line;
    this.#hash = mixed(this.#hash, line);
    this.#last = line;
    return start + lines.lengthOf(line);
  }

  /** The stack since begin(). */
  end(): NumberedStack {
    const id = this.#runs.idOf(this.#run, this.#depth, this.#hash);
    if (id === this.#stacks.length) {
      const frames: PerfFrame[] = [];
      for (let i = 0; i < this.#depth; i++) frames.push(this.#frames[this.#lines.frameOf(this.#run[i]!) - 1]!);
      this.#stacks.push({ number: this.#stackCount++, frames });
    }
    return this.#stacks[id]!;
  }

  #frameIn(bytes: Buffer, start: number, end: number): number {
    const frame = this.frameOf(bytes, start, end, this.#frameCount);
    if (frame === undefined) return NO_FRAME;
    this.#frameCount++;
    return this.#frames.push(frame);
  }

  #grow(): void {
    const run = new Int32Array(2 * this.#run.length);
    run.set(this.#run);
    this.#run = run;
  }
}
