import { isUtf8 } from 'node:buffer';
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeRecord } from './codec.ts';
import type { Column, ColumnRequest, EventColumns, Part, PointColumns, StackColumns } from './column-data.ts';
import { type Chunk, COLUMNS } from './column-task.ts';
import { ColumnParser, RecordParser, StackColumnParser } from './columns.ts';
import type { Datatype, RecordOf } from './datatypes.ts';
import { DamagedFileError, errorCode, errorMessage, UsageError } from './errors.ts';
import { HEADER_START, parseHeader, type SectionHeader } from './header.ts';
import { JoinedTexts } from './joined-texts.ts';
import { isPartialFolder, sectionFiles } from './partial.ts';
import { systemReason } from './system-reason.ts';
import { type FilePart, freeThreads, inOrder, MANY_PARTS, PART_SIZE } from './threads.ts';
import { fill } from './util/fill.ts';

export type { Column, ColumnRequest, EventColumns, Part, PointColumns, StackColumns } from './column-data.ts';

/** An open data file, or the partial folder of a run that was cut off. */
export interface DataFile {
  /** Of the file or folder, as messages name it. */
  readonly path: string;
  readonly partial: boolean;
  readonly sections: readonly SectionReader[];
  /** What a person should know before trusting the data: one sentence each. */
  readonly warnings: readonly string[];
  close(): Promise<void>;
}

/**
 * One section of an open file. Each of the ways to read it streams the records in file order, in bounded memory;
 * they may be used more than once, and at the same time. All throw DamagedFileError (65) with path and line.
 */
export interface SectionReader {
  /** Its place in the file, from 1. */
  readonly number: number;
  readonly header: SectionHeader;
  /** The records as objects. */
  batches<D extends Datatype>(datatype: D): AsyncIterable<readonly RecordOf[D][]>;
  /** Datapoints as typed arrays, at most 65,536 rows at a time; only those of a part where one is named. */
  points(want: readonly ColumnRequest[], part?: Part): AsyncIterable<PointColumns>;
  /** Events as typed arrays, likewise. */
  events(want: readonly ColumnRequest[], part?: Part): AsyncIterable<EventColumns>;
  /** Stacks as typed arrays, at most 65,536 at a time. */
  stacks(): AsyncIterable<StackColumns>;
}

/** The same records as a section of another number, and where it is given with another header. */
export function renumbered(section: SectionReader, number: number, header = section.header): SectionReader {
  return {
    number,
    header,
    batches: (datatype) => section.batches(datatype),
    points: (want, part) => section.points(want, part),
    events: (want, part) => section.events(want, part),
    stacks: () => section.stacks(),
  };
}

const NEWLINE = 0x0a;
/** Bytes read at once. */
const BLOCK = 1024 * 1024;
/** So many different texts a column may begin with where several threads are to read on; more, if they are a small share of the rows. */
const MANY_TEXTS = 1000;
const MOST_TEXTS = 1 / 8;
/** Bytes in which a line mostly ends. */
const LINE_PIECE = 4096;
/** No tool writes a longer line, and a line has to be held in memory whole. */
const LONGEST_LINE = 64 * 1024 * 1024;
/** Records given at once. */
const BATCH = 8192;

const DAMAGE_HINT = 'the file was changed or cut off after it was written: take an unchanged copy, or collect again';

export interface OpenOptions {
  /** What messages call the file, where it is not its path. */
  readonly name?: string;
  /** Bytes read at once, 1 MiB. */
  readonly blockSize?: number;
  /** How many threads read points or events of a large section (else those that are free), and the bytes of a part for one. */
  readonly threads?: number;
  readonly partSize?: number;
  /** The partial folder is of a run that ended by itself. */
  readonly isEnded?: boolean;
}

/**
 * Opens a whole data file, or the partial folder of one as far as its sections are written as they came.
 * @throws UsageError (2) where it cannot be opened; DamagedFileError (65) where it is none, or its headers are damaged.
 */
export async function openDataFile(path: string, options: OpenOptions = {}): Promise<DataFile> {
  const { name = path, isEnded = false } = options;
  const reading = { blockSize: BLOCK, partSize: PART_SIZE, ...options };
  const found = await stat(path).catch((error: unknown) => {
    throw cannotOpen(name, error);
  });
  if (found.isDirectory()) return openPartial(path, name, reading, isEnded);
  const file = await TextFile.open(path, name, reading);
  try {
    const sections = await readSections(file);
    return { path: name, partial: false, sections, warnings: [], close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openPartial(path: string, name: string, reading: Reading, isEnded: boolean): Promise<DataFile> {
  const sections: FileSection[] = [];
  const warnings = isEnded
    ? []
    : [`${name} is what a run had written when it was cut off (or has written so far, where it still goes on)`];
  const files: TextFile[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(files.map((file) => file.close()));
  };
  try {
    const names = await readdir(path);
    if (!isPartialFolder(name, names)) {
      throw new UsageError(`${name} is a folder, and no data file`, 'name a file in it: marple display -i FILE');
    }
    for (const entry of sectionFiles(names)) {
      const file = await TextFile.open(join(path, entry), join(name, entry), reading);
      files.push(file);
      const section = await readCutSection(file, sections.length + 1, warnings);
      if (section !== undefined) sections.push(section);
    }
    if (sections.length === 0) {
      throw new DamagedFileError(name, 'the run was cut off before anything was recorded', `remove it: rm -r ${name}`);
    }
    return { path: name, partial: true, sections, warnings, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The sections of a whole file: from header to header. */
async function readSections(file: TextFile): Promise<FileSection[]> {
  await checkKind(file);
  const sections: FileSection[] = [];
  for (let at = 0; at < file.size; ) {
    const { header, end: start } = await readHeader(file, at);
    const end = await sectionEnd(file, header, at, start);
    sections.push(new FileSection(file, sections.length + 1, header, at, start, end));
    at = end;
  }
  return sections;
}

/** The section of a partial folder: its last line, and even its header, may be cut. */
async function readCutSection(file: TextFile, number: number, warnings: string[]): Promise<FileSection | undefined> {
  const end = await lastLineEnd(file);
  if (end === 0) {
    warnings.push(`${file.name}: the run was cut off before the section's header was written`);
    return undefined;
  }
  const { header, end: start } = await readHeader(file, 0);
  if (end < file.size) warnings.push(`${file.name}: the last line was cut off, and is left out`);
  return new FileSection(file, number, header, 0, start, end);
}

/** What is at the start of files that people may take for ours. */
const OTHER_KINDS: readonly { readonly magic: Buffer; readonly what: string; readonly hint: string }[] = [
  { magic: Buffer.from([0x1f, 0x8b]), what: 'compressed by gzip', hint: 'zcat FILE | marple display -i -' },
  {
    magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]),
    what: 'compressed by zstd',
    hint: 'zstdcat FILE | marple display -i -',
  },
  { magic: Buffer.from('PERFILE2'), what: "perf's own file", hint: 'marple import FILE' },
  {
    magic: Buffer.from([0xef, 0xbb, 0xbf]),
    what: 'text with a byte order mark, which a data file never has',
    hint: 'tail -c +4 FILE > REPAIRED',
  },
];

const NO_DATA_FILE_HINT = 'data files are written by: marple collect -o FILE';

/** @throws DamagedFileError where the file does not begin as a data file does. */
async function checkKind(file: TextFile): Promise<void> {
  if (file.size === 0) throw new DamagedFileError(`${file.name}:1`, 'the file is empty', NO_DATA_FILE_HINT);
  const head = await file.read(0, Math.min(8, file.size));
  if (head[0] === HEADER_START) return;
  const other = OTHER_KINDS.find(({ magic }) => head.subarray(0, magic.length).equals(magic));
  throw new DamagedFileError(
    `${file.name}:1`,
    `this is no MARPLE data file${other === undefined ? '' : `: it is ${other.what}`}`,
    other?.hint ?? NO_DATA_FILE_HINT,
  );
}

/** The header line at `at`; `end` is where the next line begins. */
async function readHeader(file: TextFile, at: number): Promise<{ header: SectionHeader; end: number }> {
  const line = await file.line(at);
  if (line === undefined) throw await file.damage(at, 'the header is cut off: its line does not end');
  if (!isUtf8(line)) throw await file.damage(at, 'the header is not valid UTF-8', NO_DATA_FILE_HINT);
  try {
    return { header: parseHeader(line.toString('utf8'), file.name), end: at + line.length + 1 };
  } catch (error) {
    if (!(error instanceof DamagedFileError)) throw error;
    throw await file.damage(at, error.problem, error.hint, error);
  }
}

/**
 * Where the section whose header is at `at`, and whose records begin at `start`, ends: by the header's `bytes` where
 * that leads to another header or the end of the file. Where there are none it is searched for.
 */
async function sectionEnd(file: TextFile, header: SectionHeader, at: number, start: number): Promise<number> {
  const { bytes } = header;
  if (bytes === null || bytes === undefined) {
    const end = await nextHeader(file, start);
    if (end === file.size) await checkLastLine(file);
    return end;
  }
  const end = start + bytes;
  if (end <= file.size) {
    const around = await file.read(end - 1, Math.min(2, file.size - end + 1));
    if (around[0] === NEWLINE && (end === file.size || around[1] === HEADER_START)) return end;
  }
  await checkLastLine(file);
  const found = await nextHeader(file, start);
  if (found === file.size && end > file.size) {
    throw await file.damage(
      found - 1,
      `the file is cut off: ${end - found} bytes of records are missing behind this line`,
    );
  }
  throw await file.damage(at, `the header counts ${bytes} bytes of records, but ${found - start} follow it`);
}

async function checkLastLine(file: TextFile): Promise<void> {
  const last = await file.read(file.size - 1, 1);
  if (last[0] !== NEWLINE) throw await file.damage(file.size - 1, 'the file is cut off: its last line does not end');
}

/** Where the next header from `start` on begins, or the end of the file. */
async function nextHeader(file: TextFile, start: number): Promise<number> {
  let atLineStart = true;
  for await (const { bytes, at } of file.blocks(start, file.size)) {
    if (atLineStart && bytes[0] === HEADER_START) return at;
    const found = bytes.indexOf('\n{');
    if (found >= 0) return at + found + 1;
    atLineStart = bytes.at(-1) === NEWLINE;
  }
  return file.size;
}

/** Where the last whole line ends. */
async function lastLineEnd(file: TextFile): Promise<number> {
  for (let end = file.size; end > 0; ) {
    const start = Math.max(0, end - file.reading.blockSize);
    const found = (await file.read(start, end - start)).lastIndexOf(NEWLINE);
    if (found >= 0) return start + found + 1;
    end = start;
  }
  return 0;
}

/** The bytes of one section in a file. */
class FileSection implements SectionReader {
  constructor(
    readonly file: TextFile,
    readonly number: number,
    readonly header: SectionHeader,
    /** Where its header is, and where its records begin and end. */
    readonly at: number,
    readonly start: number,
    readonly end: number,
  ) {}

  async *batches<D extends Datatype>(datatype: D): AsyncIterable<readonly RecordOf[D][]> {
    this.#expect(datatype);
    const parser = new RecordParser<RecordOf[D]>(this.header);
    let count = 0;
    for await (const { bytes, at } of this.#lines(this.start, this.end)) {
      for (let place = 0; place < bytes.length; ) {
        const records: RecordOf[D][] = [];
        place = parser.parse(bytes, place, BATCH, records);
        if (parser.damaged) throw await this.#lineDamage(bytes, place, at);
        count += records.length;
        yield records;
      }
    }
    await this.#checkCount(count);
  }

  async *points(want: readonly ColumnRequest[], part?: Part): AsyncIterable<PointColumns> {
    this.#expect('datapoint');
    for await (const { length, leading, columns, end } of this.#columns(want, part)) {
      yield { length, x: leading[0]!, y: leading[1]!, columns, end };
    }
  }

  async *events(want: readonly ColumnRequest[], part?: Part): AsyncIterable<EventColumns> {
    this.#expect('event');
    for await (const { length, leading, columns, end } of this.#columns(want, part)) {
      yield { length, time: leading[0]!, type: columns[0]!, columns: columns.slice(1), end };
    }
  }

  async *stacks(): AsyncIterable<StackColumns> {
    this.#expect('stack');
    const { start, end } = this;
    let count = 0;
    for await (const columns of this.#parsed(new StackColumnParser(end - start), start, end)) {
      count += columns.length;
      yield columns;
    }
    await this.#checkCount(count);
  }

  async *#columns(want: readonly ColumnRequest[], part: Part | undefined): AsyncIterable<Chunk> {
    const { start = this.start, end = this.end } = part ?? {};
    const { partSize } = this.file.reading;
    let count = 0;
    const isLarge = end - start >= MANY_PARTS * partSize;
    for await (const columns of isLarge ? this.#manyColumns(want, start, end) : this.#readColumns(want, start, end)) {
      count += columns.length;
      yield columns;
    }
    if (part === undefined) await this.#checkCount(count);
  }

  #readColumns(want: readonly ColumnRequest[], start: number, end: number): AsyncIterable<Chunk> {
    return this.#parsed(new ColumnParser(this.header, want, end - start), start, end, this.file.reading.partSize);
  }

  /** The first part is read by one thread: it shows whether the texts are so many that each thread would have a dictionary of its own. */
  async *#manyColumns(want: readonly ColumnRequest[], start: number, end: number): AsyncIterable<Chunk> {
    const { partSize, threads } = this.file.reading;
    const parser = new ColumnParser(this.header, want, end - start);
    const first = Math.min(end, await this.file.lineEnd(start + partSize));
    let rows = 0;
    let last: Chunk | undefined;
    for await (const chunk of this.#parsed(parser, start, first, partSize)) {
      yield chunk;
      last = chunk;
      rows += chunk.length;
    }
    const most = Math.max(MANY_TEXTS, MOST_TEXTS * rows);
    const isVaried = last?.columns.some(({ dictionary }) => dictionary.length > most) !== false;
    const free = threads ?? freeThreads();
    if (isVaried || free < 2) yield* this.#parsed(parser, first, end, partSize);
    else yield* this.#columnsByThreads(want, first, end, free, last!.columns);
  }

  /** `before` has the dictionaries of what was read before. */
  async *#columnsByThreads(
    want: readonly ColumnRequest[],
    start: number,
    end: number,
    threads: number,
    before: readonly Column[],
  ): AsyncIterable<Chunk> {
    // What is wanted twice, threads hand over once. Before it is the type of events.
    const nameOf = ({ field, as }: ColumnRequest): string => `${as} ${field}`;
    const distinct = new Map(want.map((request) => [nameOf(request), request]));
    const own = this.header.datatype === 'event' ? 1 : 0;
    const places = want.map((request) => own + [...distinct.keys()].indexOf(nameOf(request)));
    const texts = [...distinct.keys()].map((name) => before[own + want.findIndex((one) => nameOf(one) === name)]!);
    const common = [...before.slice(0, own), ...texts].map(({ dictionary }) => new JoinedTexts([...dictionary]));
    const setup = { fd: this.file.handle.fd, header: this.header, want: [...distinct.values()] };
    for await (const { part, thread, result } of inOrder(COLUMNS, setup, this.#parts(start, end), threads)) {
      if (result === undefined) throw await this.#damageIn(want, part);
      for (const { columns, ...chunk } of result) {
        const all = columns.map(({ values, dictionary }, place): Column => {
          if (!(values instanceof Int32Array)) return { values, dictionary };
          return { values: common[place]!.joined(thread, values, dictionary), dictionary: common[place]!.texts };
        });
        yield { ...chunk, columns: [...all.slice(0, own), ...places.map((place) => all[place]!)] };
      }
    }
  }

  /** What reading ends with, of lines that a thread took for damaged. */
  async #damageIn(want: readonly ColumnRequest[], { start, end }: FilePart): Promise<unknown> {
    try {
      for await (const _ of this.#readColumns(want, start, end));
    } catch (error) {
      return error;
    }
    return this.file.damage(start, 'the file was changed while it was read');
  }

  /** What a parser makes of the lines, as it comes. At the end of a part it gives what it has. */
  async *#parsed<Columns>(
    parser: LineParser<Columns>,
    start: number,
    end: number,
    partSize = Number.POSITIVE_INFINITY,
  ): AsyncIterable<Columns & { readonly end: number }> {
    let partEnd = start + partSize;
    for await (const { bytes, at } of this.#lines(start, end)) {
      for (let place = 0; place < bytes.length; ) {
        const isLast = partEnd <= at + bytes.length;
        const piece = isLast ? bytes.subarray(0, bytes.indexOf(NEWLINE, partEnd - at - 1) + 1) : bytes;
        while (place < piece.length) {
          place = parser.parse(piece, place);
          if (parser.damaged) throw await this.#lineDamage(bytes, place, at);
          if (parser.full) yield { ...parser.take(), end: at + place };
        }
        if (!isLast) continue;
        if (parser.length > 0) yield { ...parser.take(), end: at + place };
        partEnd = at + place + partSize;
      }
    }
    if (parser.length > 0) yield { ...parser.take(), end };
  }

  /** Whole lines, so many that a thread has something to do. */
  async *#parts(start: number, end: number): AsyncIterable<FilePart> {
    const { file } = this;
    for (let at = start; at < end; ) {
      const next = Math.min(end, await file.lineEnd(Math.min(end, at + file.reading.partSize)));
      yield { start: at, end: next };
      at = next;
    }
  }

  /** A header of one datatype cannot be read as another: that is a bug of the caller's. */
  #expect(datatype: Datatype): void {
    if (this.header.datatype === datatype) return;
    throw new TypeError(`section ${this.number} is of datatype ${this.header.datatype}, and not ${datatype}`);
  }

  /** The record lines, some whole ones at a time. The bytes are good only until the next are asked for. */
  async *#lines(start: number, end: number): AsyncIterable<Block> {
    const { file } = this;
    /** A line that began in the blocks before. */
    let begun: Buffer[] = [];
    let begunLength = 0;
    for await (const { bytes, at } of file.blocks(start, end)) {
      const cut = bytes.lastIndexOf(NEWLINE) + 1;
      const first = begunLength === 0 ? 0 : bytes.indexOf(NEWLINE) + 1;
      if (first > 0) yield await this.#checked(Buffer.concat([...begun, bytes.subarray(0, first)]), at - begunLength);
      if (first < cut) yield await this.#checked(bytes.subarray(first, cut), at + first);
      if (cut > 0) [begun, begunLength] = [[], 0];
      if (cut < bytes.length) begun.push(Buffer.from(bytes.subarray(cut)));
      begunLength += bytes.length - cut;
      if (begunLength > LONGEST_LINE)
        throw await file.damage(at + cut, `the line is longer than ${LONGEST_LINE} bytes`);
    }
    if (begunLength > 0) throw await file.damage(end - 1, 'the last line does not end');
  }

  async #checked(bytes: Buffer, at: number): Promise<Block> {
    if (isUtf8(bytes)) return { bytes, at };
    let start = 0;
    let end = bytes.indexOf(NEWLINE);
    while (isUtf8(bytes.subarray(start, end))) {
      start = end + 1;
      end = bytes.indexOf(NEWLINE, start);
    }
    throw await this.file.damage(at + start, 'the line is not valid UTF-8');
  }

  /** What is wrong with the line at `place` of a block: decoding it by itself tells. */
  async #lineDamage(bytes: Buffer, place: number, at: number): Promise<DamagedFileError> {
    const line = bytes.toString('utf8', place, bytes.indexOf(NEWLINE, place));
    try {
      decodeRecord(this.header.datatype, line, this.header.fields?.length);
    } catch (error) {
      return this.file.damage(at + place, errorMessage(error));
    }
    throw new Error(`a line was taken for damaged that is not: ${JSON.stringify(line)}`);
  }

  async #checkCount(found: number): Promise<void> {
    const { records } = this.header;
    if (records === null || records === undefined || records === found) return;
    throw await this.file.damage(this.at, `the header counts ${records} records, but ${found} follow it`);
  }
}

interface LineParser<Columns> {
  readonly length: number;
  readonly full: boolean;
  readonly damaged: boolean;
  parse(bytes: Buffer, start: number): number;
  take(): Columns;
}

/** Bytes of a file, and where in the file they are. */
interface Block {
  readonly bytes: Buffer;
  readonly at: number;
}

/** How a file is read: see OpenOptions. */
type Reading = Required<Pick<OpenOptions, 'blockSize' | 'partSize'>> & Pick<OpenOptions, 'threads'>;

/** An open file, and the name that messages call it. */
class TextFile {
  private constructor(
    readonly handle: FileHandle,
    readonly name: string,
    /** When it was opened; a partial file may grow. */
    readonly size: number,
    readonly reading: Reading,
  ) {}

  static async open(path: string, name: string, reading: Reading): Promise<TextFile> {
    try {
      // A pipe without a writer would not open else.
      const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      const found = await handle.stat();
      if (found.isFile()) return new TextFile(handle, name, found.size, reading);
      await handle.close();
    } catch (error) {
      throw cannotOpen(name, error);
    }
    throw new UsageError(`${name} is no regular file`, `cat ${name} | marple display -i -`);
  }

  close(): Promise<void> {
    return this.handle.close();
  }

  /** The bytes at a position: all that were asked for. */
  async read(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length);
    await this.#fill(buffer, position);
    return buffer;
  }

  /** The bytes from `start` to `end` in blocks, the next one of which is read meanwhile. Each is good only until the next is asked for. */
  async *blocks(start: number, end: number): AsyncIterable<Block> {
    const size = Math.max(0, Math.min(this.reading.blockSize, end - start));
    const read = async (buffer: Buffer, at: number): Promise<Block> => {
      const bytes = buffer.subarray(0, Math.min(size, end - at));
      await this.#fill(bytes, at);
      return { bytes, at };
    };
    let [buffer, other] = [Buffer.allocUnsafe(size), Buffer.allocUnsafe(size)];
    let next = read(buffer, start);
    for (let at = start; at < end; at += size) {
      const block = await next;
      [buffer, other] = [other, buffer];
      if (at + size < end) next = read(buffer, at + size);
      // Where nobody waits for it any more.
      next.catch(() => undefined);
      yield block;
    }
  }

  /** The line that begins at a position, without its newline; undefined where it does not end within reason. */
  async line(at: number): Promise<Buffer | undefined> {
    const pieces: Buffer[] = [];
    // Most headers fit into the first read.
    for (
      let from = at, length = Math.min(LINE_PIECE, this.reading.blockSize);
      from < this.size && from - at < LONGEST_LINE;
      from += length, length = this.reading.blockSize
    ) {
      const bytes = await this.read(from, Math.min(length, this.size - from));
      const end = bytes.indexOf(NEWLINE);
      if (end >= 0) return Buffer.concat([...pieces, bytes.subarray(0, end)]);
      pieces.push(bytes);
    }
    return undefined;
  }

  /** Where the line that holds the byte before a position ends; a line that does not end within reason ends somewhere. */
  async lineEnd(position: number): Promise<number> {
    let from = position - 1;
    for (; from < this.size && from - position < LONGEST_LINE; from += LINE_PIECE) {
      const end = (await this.read(from, Math.min(LINE_PIECE, this.size - from))).indexOf(NEWLINE);
      if (end >= 0) return from + end + 1;
    }
    return from;
  }

  /** The error for the line that holds the byte at `position`. Lines are counted only now. */
  async damage(position: number, problem: string, hint = DAMAGE_HINT, cause?: unknown): Promise<DamagedFileError> {
    let line = 1;
    for await (const { bytes } of this.blocks(0, position)) {
      for (let i = bytes.indexOf(NEWLINE); i >= 0; i = bytes.indexOf(NEWLINE, i + 1)) line++;
    }
    return new DamagedFileError(`${this.name}:${line}`, problem, hint, cause === undefined ? {} : { cause });
  }

  async #fill(buffer: Buffer, position: number): Promise<void> {
    const done = await fill(this.handle, buffer, position);
    if (done === buffer.length) return;
    throw new DamagedFileError(`${this.name}: byte ${position + done}`, 'the file became shorter while it was read');
  }
}

function cannotOpen(name: string, error: unknown): UsageError {
  const options = { cause: error };
  if (errorCode(error) === 'ENOENT') {
    return new UsageError(`there is no file ${name}`, 'collect one with: sudo marple collect --stack -t 5', options);
  }
  const hint =
    errorCode(error) === 'EACCES' ? `it may be another user's: ls -l ${name}` : `look at it with: ls -l ${name}`;
  return new UsageError(`${name} cannot be read: ${systemReason(error)}`, hint, options);
}
