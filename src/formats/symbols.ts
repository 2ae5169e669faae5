import { orderOf } from './run-order.ts';

/** What decides between symbols of the same address, beside their names. */
export interface SymbolRank {
  readonly isWeak: boolean;
  readonly isGlobal: boolean;
  /** Whether it is known to be a function or data, and not a mere label. */
  readonly isTyped: boolean;
}

/** The name at a place of the text that names are in: only those that are asked for are made. */
type NameAt = (place: number) => string;

/** Names of stretches of addresses, looked up by address. Addresses are numbers, those of the kernel negative (kernelAddress). */
export class SymbolTable {
  /** By symbol: the next one before it that reaches further, -1 where there is none. */
  readonly #around: Int32Array;

  constructor(
    readonly starts: Float64Array,
    readonly ends: Float64Array,
    private readonly places: Float64Array,
    private readonly nameOf: NameAt,
  ) {
    this.#around = enclosing(ends);
  }

  /** `nameAt`: for symbols that are added with the place of their name. */
  static builder(nameAt?: NameAt): SymbolTableBuilder {
    return new SymbolTableBuilder(nameAt);
  }

  get names(): string[] {
    return Array.from(this.places, this.nameOf);
  }

  /** Index of the symbol that covers an address, -1 where none does. */
  find(address: number): number {
    const { starts, ends } = this;
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (starts[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    let found = low - 1;
    while (found >= 0 && address >= ends[found]!) found = this.#around[found]!;
    return found;
  }

  nameAt(address: number): string | undefined {
    const found = this.find(address);
    return found < 0 ? undefined : this.nameOf(this.places[found]!);
  }
}

/** Bytes of the last symbol where its size is not known. */
const LAST_BYTES = 4096;

/** Symbols as they are added; programs have very many. */
export class SymbolTableBuilder {
  readonly #starts: number[] = [];
  readonly #sizes: number[] = [];
  /** A lower one is better. */
  readonly #ranks: number[] = [];
  /** Where the names are: those that came as texts by negative numbers. */
  readonly #places: number[] = [];
  readonly #texts: string[] = [];
  readonly #nameAt: NameAt;

  constructor(nameAt: NameAt = () => '') {
    this.#nameAt = (place) => (place < 0 ? this.#texts[-place - 1]! : nameAt(place));
  }

  /** A `size` of 0: up to the next symbol. `name`: itself, or its place. */
  add(start: number, size: number, name: string | number, rank: SymbolRank): void {
    this.#starts.push(start);
    this.#sizes.push(size);
    this.#ranks.push(rankOf(rank, size));
    this.#places.push(typeof name === 'number' ? name : -this.#texts.push(name));
  }

  /** Of several symbols at one address the best is kept, or the one that was added last. */
  build(keep: 'best' | 'last' = 'best'): SymbolTable {
    const apart = this.#apart(keep);
    const starts = new Float64Array(apart.length);
    const ends = new Float64Array(apart.length);
    const places = new Float64Array(apart.length);
    let count = 0;
    let end = Number.NEGATIVE_INFINITY;
    for (const symbol of apart) {
      const [start, size] = [this.#starts[symbol]!, this.#sizes[symbol]!];
      const isWithin = size === 0 && start < end;
      end = Math.max(end, start + size);
      // A label within a function is no function of its own.
      if (isWithin) continue;
      if (count > 0 && ends[count - 1] === starts[count - 1]) ends[count - 1] = start;
      starts[count] = start;
      ends[count] = start + size;
      places[count++] = this.#places[symbol]!;
    }
    if (count > 0 && ends[count - 1] === starts[count - 1]) ends[count - 1]! += LAST_BYTES;
    return new SymbolTable(starts.subarray(0, count), ends.subarray(0, count), places.subarray(0, count), this.#nameAt);
  }

  /** One symbol of each address, in the order of their addresses. */
  #apart(keep: 'best' | 'last'): number[] {
    const apart: number[] = [];
    let last = Number.NaN;
    for (const symbol of orderOf(new Float64Array(this.#starts))) {
      const start = this.#starts[symbol]!;
      if (start !== last) apart.push(symbol);
      else if (keep === 'last' || this.#isBetter(symbol, apart.at(-1)!)) apart[apart.length - 1] = symbol;
      last = start;
    }
    return apart;
  }

  /**
   * Which of two symbols of one address names it. The order is that of perf (choose_best_symbol() in
   * tools/perf/util/symbol.c), so that both give the same names.
   */
  #isBetter(a: number, b: number): boolean {
    const apart = this.#ranks[b]! - this.#ranks[a]!;
    if (apart !== 0) return apart > 0;
    const [nameA, nameB] = [this.#nameAt(this.#places[a]!), this.#nameAt(this.#places[b]!)];
    const fewer = underscores(nameB) - underscores(nameA);
    return fewer === 0 ? nameA.length > nameB.length : fewer > 0;
  }
}

function rankOf({ isWeak, isGlobal, isTyped }: SymbolRank, size: number): number {
  return (size > 0 ? 0 : 8) + (isTyped ? 0 : 4) + (isWeak ? 2 : 0) + (isGlobal ? 0 : 1);
}

/** Symbols can lie within others: by symbol, the nearest before it with a later end. */
function enclosing(ends: Float64Array): Int32Array {
  const around = new Int32Array(ends.length);
  for (let i = 0; i < ends.length; i++) {
    let before = i - 1;
    while (before >= 0 && ends[before]! <= ends[i]!) before = around[before]!;
    around[i] = before;
  }
  return around;
}

function underscores(name: string): number {
  let count = 0;
  while (name.charCodeAt(count) === 0x5f) count++;
  return count;
}

const NEWLINE = 10;
const TAB = 9;
const DOLLAR = 0x24;
const UNRANKED: SymbolRank = { isWeak: false, isGlobal: true, isTyped: true };
/** Types of the kernel's symbols that are functions or data, and where their columns are. */
const KALLSYMS_TYPES = Buffer.from('TtWwDdBb');
const KALLSYMS_AT = { type: 17, name: 19 } as const;

// ffffffff81000000 T _stext
// ffffffffc0400000 t init_module	[virtio_rng]
/**
 * The kernel's symbols in the text of /proc/kallsyms. Of aliases the last one names the address, as it does in perf.
 * Undefined where the addresses are hidden (kernel.kptr_restrict).
 */
export function parseKallsyms(text: Buffer): SymbolTable | undefined {
  const isEnd = (at: number): boolean => at >= text.length || text[at] === NEWLINE || text[at] === TAB;
  const builder = SymbolTable.builder((place) => {
    let end = place;
    while (!isEnd(end)) end++;
    return text.toString('latin1', place, end);
  });
  let isHidden = true;
  for (let at = 0, end = 0; at < text.length; at = end + 1) {
    const newline = text.indexOf(NEWLINE, at);
    end = newline < 0 ? text.length : newline;
    const name = at + KALLSYMS_AT.name;
    if (name >= end || !KALLSYMS_TYPES.includes(text[at + KALLSYMS_AT.type]!)) continue;
    const address = hexNumber(text, at) * 2 ** 32 + (hexNumber(text, at + 8) >>> 0);
    if (address !== 0) isHidden = false;
    if (isEnd(name) || text[name] === DOLLAR) continue;
    builder.add(address, 0, name, UNRANKED);
  }
  return isHidden ? undefined : builder.build('last');
}

/** The number that 8 hexadecimal digits in lower case stand for, with the sign of its highest bit. */
function hexNumber(text: Buffer, at: number): number {
  let value = 0;
  for (let i = at; i < at + 8; i++) {
    const code = text[i]!;
    value = (value << 4) | ((code & 0xf) + (code > 0x39 ? 9 : 0));
  }
  return value;
}

/** The number of a hexadecimal address of 64 bits: two's complement, so that those of the kernel are negative and exact. */
export function hexAddress(text: string): number {
  const high = Number.parseInt(text.padStart(16, '0').slice(0, -8), 16) | 0;
  return high * 2 ** 32 + Number.parseInt(text.slice(-8), 16);
}

/** The address as perf prints it. */
export function addressText(address: number): string {
  return BigInt.asUintN(64, BigInt(address)).toString(16);
}

// 7f2d3a027240 4c LazyCompile:~parse app.js:12
/** A map of code that was compiled at run time: Documentation of the kernel, tools/perf/Documentation/jit-interface.txt. */
export function parsePerfMap(text: string): SymbolTable {
  const builder = SymbolTable.builder();
  for (const line of text.split('\n')) {
    const match = /^(?:0x)?([\da-f]{1,16}) +(?:0x)?([\da-f]{1,16}) +(.+)$/i.exec(line);
    if (match === null) continue;
    const [, start = '', size = '', name = ''] = match;
    builder.add(hexAddress(start), Number.parseInt(size, 16), name, UNRANKED);
  }
  return builder.build();
}
