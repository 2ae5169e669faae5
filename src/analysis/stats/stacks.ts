import type { StackColumns } from '../../common/column-data.ts';
import type { SectionHeader } from '../../common/header.ts';
import { StackCursor } from '../../common/stack-cursor.ts';
import { largest } from '../largest.ts';
import { isIdleStack } from '../select.ts';
import { OTHER } from '../summary/other.ts';
import { Groups, OTHERS } from './groups.ts';

export interface Share {
  readonly name: string;
  readonly weight: number;
}

export interface FunctionWeight {
  readonly name: string;
  /** Weight of the stacks that end in it. */
  readonly self: number;
  /** Weight of the stacks that it is in, each counted once. */
  readonly total: number;
}

/** The stacks of a stack section. Idle time (swapper) is only in `idle`. */
export interface StackStats {
  readonly label: string;
  readonly unit: string;
  readonly total: number;
  readonly idle: number;
  /** Different stacks. */
  readonly unique: number;
  /** Stacks that look broken: their user part begins with a function without a name, or is one in which no thread begins. */
  readonly broken: { readonly unique: number; readonly weight: number };
  readonly processes: readonly Share[];
  /** Why tasks were off the CPU; empty in sections that tell no reasons. */
  readonly reasons: readonly Share[];
  readonly by_self: readonly FunctionWeight[];
  readonly by_total: readonly FunctionWeight[];
}

/** What the installed memory is used for, in bytes: of stacks `RAM;zone;use;process;mapping`. */
export interface RamStats {
  readonly unit: string;
  readonly total: number;
  readonly zones: readonly Share[];
  readonly uses: readonly (Share & { readonly zone: string })[];
  readonly processes: readonly Share[];
}

/** So many functions are told apart: more names than that come only from damaged symbols. */
const MOST_FUNCTIONS = 500_000;

interface FunctionTotals {
  readonly name: string;
  self: number;
  total: number;
  /** The last stack that it was counted in. */
  stack: number;
}

/** Interfaces whose events a summary counts as stacks of a process and what it did. */
const COUNTS: ReadonlySet<string> = new Set(['cpusched', 'diskblockrq', 'ipc']);

/** Gathers StackStats. */
export class StackCounter {
  readonly #functions = new Groups<string, FunctionTotals>(newFunction, () => newFunction(OTHERS), MOST_FUNCTIONS);
  /** The same by their places in the names of the columns. */
  readonly #byPlace: (FunctionTotals | undefined)[] = [];
  readonly #cursor = new StackCursor();
  readonly #processes = new Totals();
  readonly #reasons = new Totals();
  /** Where the functions begin: behind the process, and in offcpu behind the reason. */
  readonly #start: number;
  /** Whether the frames are functions. */
  readonly #isOfCode: boolean;
  #total = 0;
  #idle = 0;
  /** Whether the process of the stack is the idle task. */
  #isIdle = false;
  #unique = 0;
  readonly #broken = { unique: 0, weight: 0 };

  constructor(readonly header: SectionHeader) {
    this.#start = header.interface === 'offcpu' ? 2 : 1;
    this.#isOfCode = !COUNTS.has(header.interface);
  }

  get count(): number {
    return this.#unique;
  }

  /** Adds stacks, all of the same names. */
  add(columns: StackColumns): void {
    const cursor = this.#cursor;
    for (let i = 0; i < columns.length; i++) {
      cursor.move(columns, i);
      if (columns.shared[i] === 0) this.#isIdle = isIdleStack([cursor.nameAt(0) ?? '']);
      const weight = columns.weight[i]!;
      if (weight === 0) continue;
      if (this.#isIdle) this.#idle += weight;
      else this.#add(cursor, weight);
    }
  }

  #add(stack: StackCursor, weight: number): void {
    const start = this.#start;
    this.#unique++;
    this.#total += weight;
    this.#processes.add(stack.nameAt(0) ?? '', weight);
    if (start === 2) this.#reasons.add(stack.nameAt(1) ?? '', weight);
    if (this.#isOfCode && looksBroken(stack.nameAt(start), stack.nameAt(start + 1))) {
      this.#broken.unique++;
      this.#broken.weight += weight;
    }
    const { depth } = stack;
    let innermost: FunctionTotals | undefined;
    for (let i = start; i < depth; i++) {
      const place = stack.frameAt(i);
      innermost = place < this.#byPlace.length ? this.#byPlace[place] : undefined;
      if (innermost === undefined) {
        while (this.#byPlace.length <= place) this.#byPlace.push(undefined);
        innermost = this.#functions.of(stack.nameAt(i)!);
        this.#byPlace[place] = innermost;
      }
      if (innermost.stack !== this.#unique) innermost.total += weight;
      innermost.stack = this.#unique;
    }
    if (innermost !== undefined) innermost.self += weight;
  }

  stats(top: number): StackStats {
    const functions = this.#functions.all();
    const weights = (by: 'self' | 'total') =>
      largest(functions, top, (found) => found[by])
        .filter((found) => found[by] > 0)
        .map(({ name, self, total }) => ({ name, self, total }));
    return {
      label: this.header.weight?.label ?? 'samples',
      unit: this.header.weight?.unit ?? 'samples',
      total: this.#total,
      idle: this.#idle,
      unique: this.#unique,
      broken: this.#broken,
      processes: this.#processes.shares(top),
      reasons: this.#reasons.shares(top),
      by_self: weights('self'),
      by_total: weights('total'),
    };
  }
}

function newFunction(name: string): FunctionTotals {
  return { name, self: 0, total: 0, stack: 0 };
}

/** A frame without a symbol is its module in brackets. */
const NAMELESS = /^\[.*\]$/;
/** Functions in which threads begin. */
const ENTRY =
  /^(_start|_dl_start(_user)?|main|__libc_start_\w+|start_thread|_*clone3?|runtime\.(goexit|mstart|rt0_go)(\.abi0)?)$/;
/** Where the kernel is entered: on a system call, a fault or an interrupt, and at the beginning of its own threads. */
const KERNEL_ENTRY =
  /^(entry_\w+|asm_\w+|el\d\w*|ret_from_fork\w*|secondary_startup\w*|do_syscall_64|syscall_return\w*)$/;

/** Names alone tell no user code from the kernel's: where the kernel was not entered, all is taken for user code. */
function looksBroken(outermost: string | undefined, next: string | undefined): boolean {
  if (outermost === undefined) return true;
  // Of a summary: not a function, but what was too little to be told.
  if (outermost === OTHER) return false;
  if (KERNEL_ENTRY.test(outermost)) return false;
  if (NAMELESS.test(outermost)) return true;
  return (next === undefined || KERNEL_ENTRY.test(next)) && !ENTRY.test(outermost);
}

/** Place of the mapping in a stack of memmap. */
const MAPPING = 4;

/** Gathers RamStats. */
export class RamCounter {
  readonly #zones = new Totals();
  readonly #uses = new Groups<string, { name: string; zone: string; weight: number }>(
    (key) => {
      const [zone = '', name = ''] = key.split('\0');
      return { name, zone, weight: 0 };
    },
    () => ({ name: OTHERS, zone: '', weight: 0 }),
  );
  readonly #processes = new Totals();
  readonly #cursor = new StackCursor();
  #total = 0;
  count = 0;

  constructor(readonly header: SectionHeader) {}

  add(columns: StackColumns): void {
    const stack = this.#cursor;
    for (let i = 0; i < columns.length; i++) {
      stack.move(columns, i);
      const weight = columns.weight[i]!;
      if (weight === 0) continue;
      this.count++;
      this.#total += weight;
      const [zone, use] = [stack.nameAt(1) ?? '', stack.nameAt(2) ?? ''];
      this.#zones.add(zone, weight);
      this.#uses.of(`${zone}\0${use}`).weight += weight;
      // Only what belongs to a process has a mapping behind it: the fourth frame of the rest is a finer use.
      if (stack.depth > MAPPING) this.#processes.add(stack.nameAt(3)!, weight);
    }
  }

  stats(top: number): RamStats {
    return {
      unit: this.header.weight?.unit ?? 'bytes',
      total: this.#total,
      zones: this.#zones.shares(Number.POSITIVE_INFINITY),
      uses: largest(this.#uses.all(), Number.POSITIVE_INFINITY, ({ weight }) => weight),
      processes: this.#processes.shares(top),
    };
  }
}

/** Weights by name. */
export class Totals {
  readonly #groups = new Groups<string, { name: string; weight: number }>(
    (name) => ({ name, weight: 0 }),
    () => ({ name: OTHERS, weight: 0 }),
  );

  add(name: string, weight: number): void {
    this.#groups.of(name).weight += weight;
  }

  shares(top: number): Share[] {
    return largest(this.#groups.all(), top, ({ weight }) => weight);
  }
}
