/** Values in a call chain that say whose addresses follow: from here up none is an address (enum perf_callchain_context). */
const MARK_MIN = -4095;
const MARK = { kernel: -128, user: -512 } as const;

/** Whose addresses they are; a guest's are `other`. */
export type ChainPart = 'kernel' | 'user' | 'other';

/**
 * The addresses of a stack, innermost first, as the kernel writes them into a sample: numbers of 64 bits, with marks between
 * those of the kernel and those of the program (include/uapi/linux/perf_event.h). They are read where they stand, in two
 * halves of 32 bits: there may be very many.
 */
export class CallChain {
  constructor(
    readonly view: DataView,
    readonly start: number,
    readonly end: number,
    /** Of the addresses before the first mark. */
    readonly begins: ChainPart,
  ) {}

  /** Of addresses as numbers, as in symbols.ts. */
  static of({
    kernel = [],
    user,
  }: {
    readonly kernel?: readonly number[];
    readonly user: readonly number[];
  }): CallChain {
    const values = [...(kernel.length === 0 ? [] : [MARK.kernel, ...kernel]), MARK.user, ...user];
    const view = new DataView(new ArrayBuffer(8 * values.length));
    for (const [i, value] of values.entries()) view.setBigInt64(8 * i, BigInt(value), true);
    return new CallChain(view, 0, view.byteLength, 'other');
  }

  get kernel(): number[] {
    return this.#addresses('kernel');
  }

  get user(): number[] {
    return this.#addresses('user');
  }

  /** Whether it ends in what is no address: a frame pointer that was something else. */
  get isCut(): boolean {
    const { view, start, end } = this;
    for (let at = start; at < end; at += 8) {
      const low = view.getInt32(at, true);
      if (isMark(low, view.getInt32(at + 4, true)) && partAfter(low) === 'other') return true;
    }
    return false;
  }

  #addresses(wanted: ChainPart): number[] {
    const { view, start, end } = this;
    const addresses: number[] = [];
    let part = this.begins;
    for (let at = start; at < end; at += 8) {
      const [low, high] = [view.getInt32(at, true), view.getInt32(at + 4, true)];
      if (isMark(low, high)) part = partAfter(low);
      else if (part === wanted) addresses.push(toAddress(low, high));
    }
    return addresses;
  }
}

export function isMark(low: number, high: number): boolean {
  return high === -1 && low < 0 && low >= MARK_MIN;
}

/** Whose addresses follow a mark. */
export function partAfter(low: number): ChainPart {
  return low === MARK.kernel ? 'kernel' : low === MARK.user ? 'user' : 'other';
}

/** An address: two's complement, so that those of the kernel are exact. */
export function toAddress(low: number, high: number): number {
  return high * 2 ** 32 + (low >>> 0);
}
