/** What decides between symbols of the same address, beside their names. */
export interface SymbolRank {
  readonly isWeak: boolean;
  readonly isGlobal: boolean;
  /** Whether it is known to be a function or data, and not a mere label. */
  readonly isTyped: boolean;
}

interface Candidate extends SymbolRank {
  readonly start: number;
  readonly size: number;
  readonly name: string;
}

/** Names of stretches of addresses, looked up by address. Addresses are numbers, those of the kernel negative (kernelAddress). */
export class SymbolTable {
  private constructor(
    readonly starts: Float64Array,
    readonly ends: Float64Array,
    readonly names: readonly string[],
    /** By symbol: the next one before it that reaches further, -1 where there is none. */
    private readonly around: Int32Array,
  ) {}

  static builder(): SymbolTableBuilder {
    return new SymbolTableBuilder((...parts) => new SymbolTable(...parts));
  }

  /** Index of the symbol that covers an address, -1 where none does. */
  find(address: number): number {
    const { starts } = this;
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (starts[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    let found = low - 1;
    while (found >= 0 && address >= this.ends[found]!) found = this.around[found]!;
    return found;
  }

  nameAt(address: number): string | undefined {
    return this.names[this.find(address)];
  }
}

type Make = (starts: Float64Array, ends: Float64Array, names: readonly string[], around: Int32Array) => SymbolTable;

export class SymbolTableBuilder {
  readonly #make: Make;
  #candidates: Candidate[] = [];

  constructor(make: Make) {
    this.#make = make;
  }

  /** A `size` of 0: up to the next symbol. */
  add(start: number, size: number, name: string, rank: SymbolRank): void {
    this.#candidates.push({ start, size, name, ...rank });
  }

  /** Of several symbols at one address the best is kept, or the one that was added last. */
  build(keep: 'best' | 'last' = 'best'): SymbolTable {
    const sorted = this.#candidates.sort((a, b) => a.start - b.start || (keep === 'best' ? compare(a, b) : 0));
    const rival = keep === 'best' ? -1 : 1;
    const apart = sorted.filter((symbol, i) => symbol.start !== sorted[i + rival]?.start);
    let end = Number.NEGATIVE_INFINITY;
    const chosen = apart.filter(({ start, size }) => {
      // A label within a function is no function of its own.
      const isWithin = size === 0 && start < end;
      end = Math.max(end, start + size);
      return !isWithin;
    });
    const starts = Float64Array.from(chosen, ({ start }) => start);
    const ends = Float64Array.from(chosen, ({ start, size }, i) =>
      size > 0 ? start + size : (starts[i + 1] ?? start + 4096),
    );
    return this.#make(
      starts,
      ends,
      chosen.map(({ name }) => name),
      enclosing(ends),
    );
  }
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

/**
 * Which of two symbols of one address names it: the better first. The order is that of perf (choose_best_symbol() in
 * tools/perf/util/symbol.c), so that both give the same names.
 */
function compare(a: Candidate, b: Candidate): number {
  return (
    Number(b.size > 0) - Number(a.size > 0) ||
    Number(b.isTyped) - Number(a.isTyped) ||
    Number(a.isWeak) - Number(b.isWeak) ||
    Number(b.isGlobal) - Number(a.isGlobal) ||
    underscores(a.name) - underscores(b.name) ||
    b.name.length - a.name.length
  );
}

function underscores(name: string): number {
  let count = 0;
  while (name.charCodeAt(count) === 0x5f) count++;
  return count;
}

const NEWLINE = 10;
const UNRANKED: SymbolRank = { isWeak: false, isGlobal: true, isTyped: true };

// ffffffff81000000 T _stext
// ffffffffc0400000 t init_module	[virtio_rng]
/**
 * The kernel's symbols in the text of /proc/kallsyms. Of aliases the last one names the address, as it does in perf.
 * Undefined where the addresses are hidden (kernel.kptr_restrict).
 */
export function parseKallsyms(text: Buffer): SymbolTable | undefined {
  const builder = SymbolTable.builder();
  let isHidden = true;
  for (let at = 0; at < text.length; ) {
    const newline = text.indexOf(NEWLINE, at);
    const end = newline < 0 ? text.length : newline;
    const line = text.toString('latin1', at, end);
    at = end + 1;
    const type = line[17] ?? '';
    if (!'TtWwDdBb'.includes(type) || type === '') continue;
    const tab = line.indexOf('\t', 19);
    const name = line.slice(19, tab < 0 ? undefined : tab);
    const address = hexAddress(line.slice(0, 16));
    if (address !== 0) isHidden = false;
    if (name === '' || name.startsWith('$')) continue;
    builder.add(address, 0, name, UNRANKED);
  }
  return isHidden ? undefined : builder.build('last');
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
