import { readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { DamagedFileError, errorCode, UsageError } from '../common/errors.ts';
import { systemReason } from '../common/system-reason.ts';
import { fill } from '../common/util/fill.ts';

/*
 * CPEL, the event logs of the G2 viewer. Format and its readers: FD.io VPP, src/tools/g2/cpel.{h,c} and
 * src/tools/perftool. Integers are unsigned and big-endian:
 *
 *   file     u8 0x01 (big-endian, version 1), u8 0, u16 sections, u32 date (Unix seconds)
 *   section  u32 type, u32 length of what follows
 *   1 strings  NUL-terminated; the first is the table's own name; padded to a multiple of 8
 *   3 events   char[64] string table, u32 n, n x { u32 code, u32 name, u32 datum format }
 *   4 tracks   char[64] string table, u32 n, n x { u32 id, u32 name }
 *   5 log      char[64] string table, u32 n, u32 ticks per second,
 *              n x { u32 time high, u32 time low, u32 track, u32 code, u32 datum }
 */

export const VERSION = 1;
/** Types of sections. */
export const SECTION_TYPES = { strings: 1, types: 3, tracks: 4, events: 5 } as const;
export const TABLE_NAME_BYTES = 64;
export const EVENT_BYTES = 20;

const BATCH = 8192;

/** One event of a log. */
export interface CpelEvent {
  /** Nanoseconds since the first event. */
  readonly time: number;
  readonly type: string;
  readonly track: string;
  readonly datum: string;
}

interface Section {
  readonly type: number;
  /** Where its data begins, and how long it is. */
  readonly at: number;
  readonly length: number;
}

interface EventDefinition {
  readonly name: string;
  readonly format: string;
}

/** Strings are read so many bytes at once, and so many such pages are held: those of an event mostly stand near the last one's. */
const PAGE = 256 * 1024;
const MOST_PAGES = 64;
const LONGEST_STRING = 1 << 20;

/** The string table in a file, which may be larger than memory. */
class StringSection {
  /** The page that was used last is the last. */
  readonly #pages = new Map<number, Buffer>();
  #latest = -1;

  constructor(
    readonly fd: number,
    readonly at: number,
    readonly length: number,
  ) {}

  /** Undefined where none begins there, or it does not end within reason. */
  textAt(offset: number): string | undefined {
    const pieces: Buffer[] = [];
    for (let place = offset; place < this.length && place - offset < LONGEST_STRING; ) {
      const page = this.#page(Math.floor(place / PAGE));
      const start = place % PAGE;
      const end = page.indexOf(0, start);
      if (end >= 0 && pieces.length === 0) return page.toString('utf8', start, end);
      pieces.push(page.subarray(start, end < 0 ? undefined : end));
      if (end >= 0) return Buffer.concat(pieces).toString('utf8');
      place += page.length - start;
    }
    return undefined;
  }

  #page(number: number): Buffer {
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = Buffer.alloc(Math.min(PAGE, this.length - number * PAGE));
      readSync(this.fd, page, 0, page.length, this.at + number * PAGE);
      const [oldest] = this.#pages.keys();
      if (this.#pages.size === MOST_PAGES && oldest !== undefined) this.#pages.delete(oldest);
    } else if (this.#latest === number) return page;
    else this.#pages.delete(number);
    this.#pages.set(number, page);
    this.#latest = number;
    return page;
  }
}

const NO_CPEL_HINT = 'CPEL files are written by: marple display -g2';

/** An open CPEL file, of MARPLE or of another program. */
export class CpelFile {
  #strings: StringSection | undefined;
  readonly #types = new Map<number, EventDefinition>();
  readonly #tracks = new Map<number, string>();
  #log: { readonly at: number; readonly count: number; readonly ticksPerSecond: number } | undefined;
  /** Unix seconds. */
  date = 0;

  private constructor(
    readonly handle: FileHandle,
    readonly path: string,
    readonly size: number,
  ) {}

  /**
   * Reads all but the events. Messages call it `name`.
   * @throws UsageError (2) where the file cannot be opened; DamagedFileError (65) naming the byte where it is none.
   */
  static async open(path: string, name = path): Promise<CpelFile> {
    let handle: FileHandle;
    try {
      handle = await open(path, 'r');
    } catch (error) {
      throw new UsageError(
        errorCode(error) === 'ENOENT' ? `there is no file ${name}` : `${name} cannot be read: ${systemReason(error)}`,
        `ls -l ${name}`,
        { cause: error },
      );
    }
    try {
      const file = new CpelFile(handle, name, (await handle.stat()).size);
      await file.#readSections();
      return file;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.handle.close();
  }

  /** How many events there are. */
  get events(): number {
    return this.#log?.count ?? 0;
  }

  /** Names of the tracks, in the order of their ids. */
  get tracks(): string[] {
    return [...this.#tracks].sort(([a], [b]) => a - b).map(([, name]) => name);
  }

  /** The events in file order, some at a time. What has no definition is named by its number. */
  async *batches(): AsyncGenerator<CpelEvent[]> {
    if (this.#log === undefined) return;
    const { at, count, ticksPerSecond } = this.#log;
    let first: bigint | undefined;
    for (let done = 0; done < count; done += BATCH) {
      const rows = Math.min(BATCH, count - done);
      const bytes = await this.#read(at + EVENT_BYTES * done, EVENT_BYTES * rows);
      const batch: CpelEvent[] = [];
      for (let place = 0; place < bytes.length; place += EVENT_BYTES) {
        const ticks = bytes.readBigUInt64BE(place);
        first ??= ticks;
        const definition = this.#types.get(bytes.readUInt32BE(place + 12));
        const track = bytes.readUInt32BE(place + 8);
        batch.push({
          time: Number(((ticks - first) * 1_000_000_000n) / BigInt(ticksPerSecond)),
          type: definition?.name ?? String(bytes.readUInt32BE(place + 12)),
          track: this.#tracks.get(track) ?? String(track),
          datum: this.#datum(
            definition?.format ?? '%d',
            bytes.readUInt32BE(place + 16),
            at + EVENT_BYTES * done + place,
          ),
        });
      }
      yield batch;
    }
  }

  async #readSections(): Promise<void> {
    const head = await this.#read(0, Math.min(8, this.size));
    if (head.length < 8 || head[0] !== VERSION) {
      const what = head[0] === VERSION + 128 ? 'it is little-endian, which no reader takes' : 'this is no CPEL file';
      throw this.#damage(0, what);
    }
    const sections: Section[] = [];
    const count = head.readUInt16BE(2);
    this.date = head.readUInt32BE(4);
    for (let at = 8; sections.length < count; at += 8 + sections.at(-1)!.length) {
      const bytes = await this.#read(at, 8);
      const section = { type: bytes.readUInt32BE(0), at: at + 8, length: bytes.readUInt32BE(4) };
      if (section.type === 0 || section.type > SECTION_TYPES.events)
        throw this.#damage(at, `there is no section type ${section.type}`);
      if (section.at + section.length > this.size)
        throw this.#damage(at, 'the section goes beyond the end of the file');
      sections.push(section);
    }
    const ofType = (type: number): Section[] => sections.filter((section) => section.type === type);
    for (const { at, length } of ofType(SECTION_TYPES.strings)) {
      this.#strings = new StringSection(this.handle.fd, at, length);
    }
    for (const section of ofType(SECTION_TYPES.types)) {
      for (const [code, name, format] of await this.#definitions(section, 3)) {
        // Of two definitions readers keep the first.
        if (this.#types.has(code!)) continue;
        this.#types.set(code!, { name: this.#string(name!, section.at), format: this.#string(format!, section.at) });
      }
    }
    for (const section of ofType(SECTION_TYPES.tracks)) {
      for (const [id, name] of await this.#definitions(section, 2)) {
        if (!this.#tracks.has(id!)) this.#tracks.set(id!, this.#string(name!, section.at));
      }
    }
    // Of several logs readers keep the last.
    const log = ofType(SECTION_TYPES.events).at(-1);
    if (log === undefined) return;
    const counts = await this.#read(log.at + TABLE_NAME_BYTES, 8);
    this.#log = {
      at: log.at + TABLE_NAME_BYTES + 8,
      count: this.#checkCount(log, counts.readUInt32BE(0), 8, EVENT_BYTES),
      ticksPerSecond: counts.readUInt32BE(4),
    };
    if (this.#log.ticksPerSecond === 0) throw this.#damage(log.at, 'the clock has 0 ticks a second');
  }

  async #definitions(section: Section, words: number): Promise<number[][]> {
    const head = await this.#read(section.at + TABLE_NAME_BYTES, 4);
    const count = this.#checkCount(section, head.readUInt32BE(0), 4, 4 * words);
    const bytes = await this.#read(section.at + TABLE_NAME_BYTES + 4, 4 * words * count);
    return Array.from({ length: count }, (_, entry) =>
      Array.from({ length: words }, (_, word) => bytes.readUInt32BE(4 * (entry * words + word))),
    );
  }

  #checkCount({ at, length }: Section, count: number, head: number, entryBytes: number): number {
    if (TABLE_NAME_BYTES + head + count * entryBytes <= length) return count;
    throw this.#damage(at, `the section counts ${count} entries, more than it holds`);
  }

  #datum(format: string, value: number, at: number): string {
    if (format.includes('%s')) return format.replace('%s', () => this.#string(value, at));
    return format.replace(/%[-+ #0-9.]*[hlq]*([diuxX])/, (_, kind: string) =>
      kind === 'x' || kind === 'X' ? value.toString(16) : String(kind === 'u' ? value : value | 0),
    );
  }

  #string(offset: number, at: number): string {
    const text = this.#strings?.textAt(offset);
    if (text === undefined) throw this.#damage(at, `there is no string at ${offset}`);
    return text;
  }

  async #read(at: number, length: number): Promise<Buffer> {
    if (at + length > this.size) throw this.#damage(this.size, 'the file is cut off');
    const bytes = Buffer.allocUnsafe(length);
    const done = await fill(this.handle, bytes, at);
    if (done < length) throw this.#damage(at + done, 'the file became shorter while it was read');
    return bytes;
  }

  #damage(at: number, problem: string): DamagedFileError {
    return new DamagedFileError(`${this.path}: byte ${at}`, problem, NO_CPEL_HINT);
  }
}
