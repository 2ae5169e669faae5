import type { Report } from '../common/section.ts';
import { readSetting } from './perf-recording.ts';
import type { PerfFrame, PerfSample } from './perf-script.ts';

/** Above this share of stacks it is worth a word. */
const NOTABLE_SHARE = 0.1;

/** What a stack may be, as bits; all have one. */
const STACK = 1;
const BARE = 2;
const CUT = 4;
const WITH_USER = 8;
const BROKEN = 16;
const NAMELESS = 32;
/** Numbered stacks whose bits are remembered. */
const MOST_KNOWN = 1 << 20;

/** Counts the stacks that are less than they should be. */
export class StackQuality {
  readonly #deepest: number;
  /** By the bits that they have. */
  readonly #counts = new Float64Array(64);
  /** The bits of stacks, by their numbers. */
  #known = new Uint8Array(1024);

  /** `isOwn`: the stacks are of this machine, whose settings say why they are as they are. */
  constructor(private readonly isOwn = true) {
    this.#deepest = Number((isOwn ? readSetting('perf_event_max_stack') : undefined) ?? 127);
  }

  /** `frames` and `stack` as samples have them. */
  judge({ frames, stack = MOST_KNOWN }: Pick<PerfSample, 'frames' | 'stack'>): void {
    const known = stack < this.#known.length ? this.#known[stack]! : 0;
    const bits = known === 0 ? this.#bitsOf(frames) : known;
    this.#counts[bits]!++;
    if (known !== 0 || stack >= MOST_KNOWN) return;
    if (stack >= this.#known.length) {
      const larger = new Uint8Array(2 * stack);
      larger.set(this.#known);
      this.#known = larger;
    }
    this.#known[stack] = bits;
  }

  #bitsOf(frames: readonly PerfFrame[]): number {
    const depth = kernelDepth(frames);
    const state = userPart(frames, depth);
    return (
      STACK |
      (frames.length === 0 ? BARE : 0) |
      (frames.length >= this.#deepest ? CUT : 0) |
      (state === 'none' ? 0 : WITH_USER) |
      (state === 'broken' ? BROKEN : 0) |
      (isNameless(frames, depth) ? NAMELESS : 0)
    );
  }

  #count(bit: number): number {
    return this.#counts.reduce((sum, count, bits) => ((bits & bit) === 0 ? sum : sum + count), 0);
  }

  /** `advice` is what helps where callers were not found. */
  report(report: Report, advice = 'try --call-graph dwarf'): void {
    const [all, bare, cut] = [this.#count(STACK), this.#count(BARE), this.#count(CUT)];
    const [withUser, broken, nameless] = [this.#count(WITH_USER), this.#count(BROKEN), this.#count(NAMELESS)];
    if (bare > 0) report.warn(`${bare} samples have no frames: they count for their process alone`);
    if (cut > 0) {
      report.warn(
        `${cut} samples ${this.isOwn ? 'are' : 'may be'} cut: the kernel keeps ${this.#deepest} frames (sudo sysctl kernel.perf_event_max_stack=512)`,
      );
    }
    if (broken > NOTABLE_SHARE * withUser) {
      report.warn(
        `${percent(broken, withUser)} of the stacks with user code look broken: their callers were not found, ` +
          `since the program or a library was built without frame pointers (${advice})`,
      );
    }
    if (nameless > NOTABLE_SHARE * all) {
      const share = percent(nameless, all);
      report.warn(
        `${share} of the samples have kernel functions without a name${this.isOwn ? `: ${whyNameless()}` : ''}`,
      );
    }
  }
}

function whyNameless(): string {
  const setting = readSetting('kptr_restrict') ?? '?';
  if (setting !== '0') return `kernel.kptr_restrict is ${setting} (sudo sysctl kernel.kptr_restrict=0)`;
  // Without CAP_SYSLOG addresses are shown only to who may sample the kernel (kernel/ksyms_common.c, kallsyms_show_value).
  const paranoid = Number(readSetting('perf_event_paranoid') ?? Number.NaN);
  return process.geteuid?.() !== 0 && paranoid > 1
    ? `kernel.perf_event_paranoid is ${paranoid}, so that /proc/kallsyms shows no addresses to who lacks CAP_SYSLOG (sudo sysctl kernel.perf_event_paranoid=1)`
    : '/proc/kallsyms does not know them';
}

function percent(part: number, whole: number): string {
  return `${Math.round((100 * part) / whole)} %`;
}

/** Where the stack of a thread may begin; what begins elsewhere as a single frame has lost its callers. */
const ENTRY_POINTS = new Set([
  '_start',
  '_dl_start',
  '_dl_start_user',
  'main',
  '__libc_start_main',
  '__libc_start_call_main',
  'start_thread',
  'clone',
  'clone3',
  '__clone',
  '__clone3',
  'runtime.goexit',
  'runtime.goexit.abi0',
  'runtime.mstart',
  'runtime.rt0_go',
]);

/**
 * Whether the part of a stack (innermost frame first) that is in user space looks whole. It looks broken where its
 * outermost frame has no name, or where it is a single frame in which no thread begins.
 */
export function userPart(frames: readonly PerfFrame[], depth = kernelDepth(frames)): 'none' | 'whole' | 'broken' {
  if (frames.length === depth) return 'none';
  const { symbol } = frames[frames.length - 1]!;
  if (symbol === '[unknown]') return 'broken';
  if (frames.length - depth > 1 || ENTRY_POINTS.has(symbol)) return 'whole';
  return ENTRY_POINTS.has(symbol.replace(/\+0x[\da-f]+$/, '').replace(/@.*$/, '')) ? 'whole' : 'broken';
}

/** Whether a kernel function in the stack has no name. */
function isNameless(frames: readonly PerfFrame[], depth = kernelDepth(frames)): boolean {
  for (let i = 0; i < depth; i++) if (frames[i]!.symbol === '[unknown]') return true;
  return false;
}

/**
 * How many of the innermost frames are the kernel's, whose addresses are in the upper half of the address space on all
 * machines of 64 bits. Behind a user frame they are none: that is what a broken frame pointer led to.
 */
function kernelDepth(frames: readonly PerfFrame[]): number {
  let depth = 0;
  while (depth < frames.length && isKernelAddress(frames[depth]!.address)) depth++;
  return depth;
}

function isKernelAddress(address: string): boolean {
  return address.length >= 16 && address.charCodeAt(0) >= 0x38;
}
