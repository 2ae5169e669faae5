import { BufferSource, type ByteSource, type FilePart, FileSource } from './byte-source.ts';
import { SymbolTable, type SymbolTableBuilder } from './symbols.ts';

/*
 * Symbols of ELF files (elf(5), the System V ABI's "Object Files"), 64 bits, little endian: what all machines are that
 * this runs on. A file is hostile input: every offset and count is checked against its size.
 */

/** A stretch of the file that is loaded to `address`. */
interface Segment {
  readonly offset: number;
  readonly size: number;
  readonly address: number;
}

interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly entrySize: number;
}

interface ElfSymbol {
  /** Where its name is. */
  readonly name: number;
  readonly address: number;
  readonly size: number;
  /** STT_FUNC, ... and STB_GLOBAL, ... */
  readonly type: number;
  readonly binding: number;
}

/** The symbols of a program or library, and where its file is loaded. */
export interface ElfSymbols {
  readonly table: SymbolTable;
  /** Build id in hexadecimal, where the file has one. */
  readonly buildId: string | undefined;
  /** The address, as symbols have it, of what is at `offset` in the file; undefined where nothing is loaded from there. */
  addressOf(offset: number): number | undefined;
}

const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const SECTION_HEADER_BYTES = 64;
const SYMBOL_BYTES = 24;
const MAX_SECTIONS = 100_000;

const PT_LOAD = 1;
const SHT_SYMTAB = 2;
const SHT_RELA = 4;
const SHT_NOTE = 7;
const SHT_DYNSYM = 11;
const SHF_ALLOC = 2;
const SHF_EXECINSTR = 4;
const SHN_UNDEF = 0;
const SHN_LORESERVE = 0xff00;
const NT_GNU_BUILD_ID = 3;

const STT = { notype: 0, object: 1, func: 2, gnuIfunc: 10 } as const;
const STV_HIDDEN = 2;

/** Reads a file's symbols; undefined where it is no ELF file of 64 bits, or is damaged. Throws what FileSource does. */
export function readElf(path: string): ElfSymbols | undefined {
  return symbolsIn(new FileSource(path));
}

/** The same of bytes that are elsewhere, which are closed. */
export function symbolsIn(source: ByteSource): ElfSymbols | undefined {
  try {
    return new ElfFile(source).read();
  } finally {
    source.close();
  }
}

/** Symbols of a file that is in memory, as the vdso is. */
export function parseElf(bytes: Buffer): ElfSymbols | undefined {
  return symbolsIn(new BufferSource(bytes));
}

/**
 * Where in the file each of these functions begins, by name; one that the file does not define is missing. None where it
 * is no ELF file of 64 bits, or is damaged. Throws what FileSource does.
 */
export function functionOffsets(path: string, names: readonly string[]): Map<string, number> {
  const source = new FileSource(path);
  try {
    return new ElfFile(source).functionOffsets(names);
  } finally {
    source.close();
  }
}

/** The parts that symbolsIn() reads; undefined where it is no ELF file of 64 bits. */
export function symbolParts(source: ByteSource): FilePart[] | undefined {
  return new ElfFile(source).symbolParts();
}

class ElfFile {
  constructor(private readonly source: ByteSource) {}

  read(): ElfSymbols | undefined {
    const header = this.#header();
    if (header === undefined) return undefined;
    const segments = this.#segments(header);
    const sections = this.#sections(header);
    const symbols =
      sections.find(({ type }) => type === SHT_SYMTAB) ?? sections.find(({ type }) => type === SHT_DYNSYM);
    const names = this.#namesOf(symbols, sections);
    const builder = SymbolTable.builder((place) => textAt(names, place));
    for (const { name, address, size, type, binding } of this.#symbols(symbols, names, sections)) {
      builder.add(address, size, name, {
        isWeak: binding === 2,
        isGlobal: binding === 1,
        isTyped: type !== STT.notype,
      });
    }
    this.#addPlt(sections, builder);
    return {
      table: builder.build(),
      buildId: this.#buildId(sections),
      addressOf: (offset) => {
        const segment = segments.find((each) => offset >= each.offset && offset < each.offset + each.size);
        return segment === undefined ? undefined : offset - segment.offset + segment.address;
      },
    };
  }

  symbolParts(): FilePart[] | undefined {
    const header = this.#header();
    if (header === undefined) return undefined;
    const sections = this.#sections(header);
    const wanted = new Set<Section | undefined>([sections[header.readUInt16LE(62)]]);
    for (const section of sections) {
      const { type, name, link } = section;
      if (type === SHT_NOTE) wanted.add(section);
      if (type !== SHT_SYMTAB && type !== SHT_DYNSYM && name !== '.rela.plt') continue;
      for (const needed of [section, sections[link], sections[sections[link]?.link ?? 0]]) wanted.add(needed);
    }
    const parts = [...wanted].flatMap((section) =>
      section === undefined ? [] : [{ offset: section.offset, length: section.size }],
    );
    parts.push({ offset: 0, length: HEADER_BYTES });
    parts.push({ offset: toNumber(header, 32), length: header.readUInt16LE(56) * PROGRAM_HEADER_BYTES });
    parts.push({ offset: toNumber(header, 40), length: sections.length * SECTION_HEADER_BYTES });
    return parts;
  }

  functionOffsets(wanted: readonly string[]): Map<string, number> {
    const offsets = new Map<string, number>();
    const header = this.#header();
    if (header === undefined) return offsets;
    const segments = this.#segments(header);
    const sections = this.#sections(header);
    for (const section of sections.filter(({ type }) => type === SHT_SYMTAB || type === SHT_DYNSYM)) {
      const names = this.#namesOf(section, sections);
      for (const { name: place, address, type } of this.#symbols(section, names, sections)) {
        const name = type === STT.func ? textAt(names, place) : '';
        if (!wanted.includes(name)) continue;
        const segment = segments.find((each) => address >= each.address && address < each.address + each.size);
        if (segment !== undefined) offsets.set(name, address - segment.address + segment.offset);
      }
    }
    return offsets;
  }

  /** Undefined where it is none of ours. */
  #header(): Buffer | undefined {
    const header = this.#bytes(0, HEADER_BYTES);
    // 7f 45 4c 46: the magic; 2: 64 bits; 1: little endian.
    return header?.readUInt32BE(0) === 0x7f454c46 && header[4] === 2 && header[5] === 1 ? header : undefined;
  }

  #segments(header: Buffer): Segment[] {
    const count = header.readUInt16LE(56);
    const table = this.#bytes(toNumber(header, 32), count * PROGRAM_HEADER_BYTES);
    if (table === undefined || header.readUInt16LE(54) !== PROGRAM_HEADER_BYTES) return [];
    const segments: Segment[] = [];
    for (let at = 0; at < table.length; at += PROGRAM_HEADER_BYTES) {
      if (table.readUInt32LE(at) !== PT_LOAD) continue;
      segments.push({
        offset: toNumber(table, at + 8),
        address: toNumber(table, at + 16),
        size: toNumber(table, at + 32),
      });
    }
    return segments;
  }

  #sections(header: Buffer): Section[] {
    const start = toNumber(header, 40);
    if (start === 0 || header.readUInt16LE(58) !== SECTION_HEADER_BYTES) return [];
    const first = this.#bytes(start, SECTION_HEADER_BYTES);
    if (first === undefined) return [];
    // With very many sections their number and that of the names are in the first one (elf(5), e_shnum, e_shstrndx).
    const count = header.readUInt16LE(60) || toNumber(first, 32);
    const namesIndex = header.readUInt16LE(62) === 0xffff ? first.readUInt32LE(40) : header.readUInt16LE(62);
    if (count > MAX_SECTIONS) return [];
    const table = this.#bytes(start, count * SECTION_HEADER_BYTES);
    if (table === undefined) return [];
    const names = this.#content(table, namesIndex) ?? Buffer.alloc(0);
    return Array.from({ length: count }, (_, i): Section => {
      const at = i * SECTION_HEADER_BYTES;
      return {
        name: textAt(names, table.readUInt32LE(at)),
        type: table.readUInt32LE(at + 4),
        flags: table.readUInt32LE(at + 8),
        address: toNumber(table, at + 16),
        offset: toNumber(table, at + 24),
        size: toNumber(table, at + 32),
        link: table.readUInt32LE(at + 40),
        info: table.readUInt32LE(at + 44),
        entrySize: toNumber(table, at + 56),
      };
    });
  }

  #content(table: Buffer, index: number): Buffer | undefined {
    const at = index * SECTION_HEADER_BYTES;
    if (at + SECTION_HEADER_BYTES > table.length) return undefined;
    return this.#bytes(toNumber(table, at + 24), toNumber(table, at + 32));
  }

  /** The text that the names of a section's symbols are in. */
  #namesOf(section: Section | undefined, sections: readonly Section[]): Buffer {
    const strings = section === undefined ? undefined : sections[section.link];
    return (strings === undefined ? undefined : this.#bytes(strings.offset, strings.size)) ?? Buffer.alloc(0);
  }

  /** Code and data that the file itself defines. */
  *#symbols(section: Section | undefined, names: Buffer, sections: readonly Section[]): Generator<ElfSymbol> {
    const symbols = section === undefined ? undefined : this.#bytes(section.offset, section.size);
    if (symbols === undefined) return;
    for (let at = 0; at + SYMBOL_BYTES <= symbols.length; at += SYMBOL_BYTES) {
      const info = symbols[at + 4]!;
      const [type, binding] = [info & 15, info >>> 4];
      const home = symbols.readUInt16LE(at + 6);
      const isReserved = home === SHN_UNDEF || home >= SHN_LORESERVE;
      if (isReserved || !isCodeOrData(type, symbols[at + 5]! & 3, sections[home])) continue;
      const name = symbols.readUInt32LE(at);
      if (name >= names.length || names[name] === 0) continue;
      const [address, size] = [toNumber(symbols, at + 8), toNumber(symbols, at + 16)];
      yield { name, address, size, type, binding };
    }
  }

  /**
   * Names for the entries of the procedure linkage table, `malloc@plt`: its first entry is for the linker, the others
   * are in the order of their relocations (System V ABI, AMD64 supplement, "Procedure Linkage Table").
   */
  #addPlt(sections: readonly Section[], builder: SymbolTableBuilder): void {
    const plt = sections.find(({ name }) => name === '.plt');
    const relocations = sections.find(({ name, type }) => name === '.rela.plt' && type === SHT_RELA);
    const dynamic = relocations === undefined ? undefined : sections[relocations.link];
    const strings = dynamic === undefined ? undefined : sections[dynamic.link];
    if (plt === undefined || relocations === undefined || dynamic === undefined || strings === undefined) return;
    const [table, symbols, names] = [relocations, dynamic, strings].map(({ offset, size }) =>
      this.#bytes(offset, size),
    );
    if (table === undefined || symbols === undefined || names === undefined) return;
    const entry = plt.entrySize > 0 ? plt.entrySize : 16;
    for (let i = 0; (i + 1) * 24 <= table.length; i++) {
      const symbol = table.readUInt32LE(i * 24 + 12) * SYMBOL_BYTES;
      const address = plt.address + (i + 1) * entry;
      if (symbol + SYMBOL_BYTES > symbols.length || address >= plt.address + plt.size) continue;
      const name = textAt(names, symbols.readUInt32LE(symbol));
      if (name === '') continue;
      builder.add(address, entry, `${name}@plt`, { isWeak: false, isGlobal: false, isTyped: true });
    }
  }

  #buildId(sections: readonly Section[]): string | undefined {
    for (const { type, offset, size } of sections) {
      const note = type === SHT_NOTE ? this.#bytes(offset, size) : undefined;
      const buildId = note === undefined ? undefined : buildIdOf(note);
      if (buildId !== undefined) return buildId;
    }
    return undefined;
  }

  #bytes(offset: number, length: number): Buffer | undefined {
    return this.source.bytes(offset, length);
  }
}

/**
 * What perf takes for a symbol: functions and data, and in code also labels without a type that are not hidden
 * (elf_sym__filter() and elf_sym__is_label() in tools/perf/util/symbol-elf.c).
 */
function isCodeOrData(type: number, visibility: number, section: Section | undefined): boolean {
  if (section === undefined || (section.flags & SHF_ALLOC) === 0) return false;
  if (type === STT.func || type === STT.gnuIfunc || type === STT.object) return true;
  return type === STT.notype && visibility !== STV_HIDDEN && (section.flags & SHF_EXECINSTR) !== 0;
}

/** An unsigned number of 64 bits; those above 2^53 come rounded, and then lie outside of any file. */
function toNumber(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at + 4) * 2 ** 32 + bytes.readUInt32LE(at);
}

function textAt(bytes: Buffer, start: number): string {
  const end = bytes.indexOf(0, start);
  return start < bytes.length ? bytes.toString('latin1', start, end < 0 ? bytes.length : end) : '';
}

/** The build id that the first note of a section, or of /sys/kernel/notes, tells, in hexadecimal. */
export function buildIdOf(notes: Buffer): string | undefined {
  if (notes.length < 16 || notes.readUInt32LE(8) !== NT_GNU_BUILD_ID) return undefined;
  const start = 12 + Math.ceil(notes.readUInt32LE(0) / 4) * 4;
  return notes.toString('hex', start, start + notes.readUInt32LE(4));
}
