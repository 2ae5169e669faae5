import type { PerfFrame } from './perf-script.ts';

/*
 * Stacks as BCC's mallocstacks and memleak print them. What is not theirs (a first line, warnings of BCC's) is left out.
 */

/** A stack with what it stands for. */
export interface BccStack {
  readonly bytes: number;
  /** Innermost first. None where BCC has no stack for the bytes. */
  readonly frames: readonly PerfFrame[];
}

// WARNING: Linux version for eBPF program is being overridden with: 393664
// Attaching to malloc in pid 18340, Ctrl+C to quit.
const CHATTER = /^(WARNING: |Attaching to |$)/;

/** The line with which mallocstacks says that its probe is in place. */
export function isMallocstacksTitle(line: string): boolean {
  return line.startsWith('Attaching to malloc in pid ');
}

// 100000 bytes allocated at:
// 	__libc_malloc+0x0
// 	main+0x129
const ALLOCATED = /^(\d+) bytes allocated at:$/;

/** The output of mallocstacks, which comes at its end; a line that is none of its goes to `unreadable`. */
export function parseMallocstacks(lines: Iterable<string>, unreadable: (line: string) => void): BccStack[] {
  const stacks: { bytes: number; frames: PerfFrame[] }[] = [];
  for (const line of lines) {
    const bytes = ALLOCATED.exec(line)?.[1];
    const open = stacks.at(-1);
    if (bytes !== undefined) stacks.push({ bytes: Number(bytes), frames: [] });
    else if (open !== undefined && line.startsWith('\t')) open.frames.push(frameOf(line.slice(1)));
    else if (!CHATTER.test(line)) unreadable(line);
  }
  return stacks;
}

/** A report of memleak: what was outstanding at one time. */
export interface LeakReport {
  readonly stacks: readonly BccStack[];
  /** Number of blocks in it. */
  readonly blocks: number;
}

// [21:35:19] Top 1000000 stacks with outstanding allocations:
const REPORT = /^\[\d\d:\d\d:\d\d\] Top \d+ stacks with outstanding allocations:$/;
// 	999 bytes in 3 allocations from stack
const OUTSTANDING = /^\t(\d+) bytes in (\d+) allocations from stack$/;
// 		stack information lost
const LOST = /^\t\t(stack information lost)?$/;

/** Takes memleak's output line by line; the last report that is complete is kept. */
export class MemleakParser {
  /** Reports that have begun. */
  begun = 0;
  /** The last one that the next one stands behind; undefined until then. */
  complete: LeakReport | undefined;
  #stacks: { bytes: number; frames: PerfFrame[] }[] = [];
  #blocks = 0;

  constructor(readonly unreadable: (line: string) => void) {}

  push(line: string): void {
    if (REPORT.test(line)) {
      if (this.begun > 0) this.complete = { stacks: this.#stacks, blocks: this.#blocks };
      this.begun++;
      this.#stacks = [];
      this.#blocks = 0;
      return;
    }
    const [, bytes, blocks] = OUTSTANDING.exec(line) ?? [];
    const open = this.#stacks.at(-1);
    if (bytes !== undefined) {
      this.#stacks.push({ bytes: Number(bytes), frames: [] });
      this.#blocks += Number(blocks);
    } else if (open !== undefined && line.startsWith('\t\t')) {
      if (!LOST.test(line)) open.frames.push(frameOf(line.slice(2)));
    } else if (!CHATTER.test(line)) this.unreadable(line);
  }
}

// 0x00007f135d5e024a	__libc_start_call_main+0x7a [libc.so.6]
// 0x00007f135d5e024a	[unknown] [libc.so.6]
// __libc_malloc+0x0
const FRAME = /^(?:0x([\da-f]+)\t)?(.*?)(?: \[([^[\]]*)\])?$/su;

/** A printed frame: the address in mallocstacks is missing, and the module. */
function frameOf(text: string): PerfFrame {
  const [, address = '0', symbol = text, module = ''] = FRAME.exec(text) ?? [];
  return { address, symbol, module };
}

/**
 * How many stacks found no room in a BPF stack table with `slots` of which `taken` are taken. Each stack has one slot by its
 * hash; one that another has already is not recorded. Of n stacks a share of about exp(-n/slots) of the slots stays free.
 */
export function stacksWithoutSlot(taken: number, slots: number): number {
  if (taken >= slots) return Number.POSITIVE_INFINITY;
  return Math.max(0, Math.round(-slots * Math.log(1 - taken / slots)) - taken);
}
