import { type FileHandle, open } from 'node:fs/promises';
import type { EventData } from '../common/datatypes.ts';
import { DamagedFileError, EXIT, errorCode, MarpleError, UsageError } from '../common/errors.ts';
import { systemReason } from '../common/system-reason.ts';
import { formatCount } from '../common/text.ts';

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

const VERSION = 1;
const TABLE_NAME = 'FileStrtab';
const TABLE_NAME_BYTES = 64;
const DATUM_FORMAT = '%s';
const TICKS_PER_SECOND = 1_000_000_000;

const STRINGS = 1;
const EVENT_DEFINITIONS = 3;
const TRACK_DEFINITIONS = 4;
const EVENTS = 5;

const EVENT_BYTES = 20;
/** The length of the section has 32 bits. */
export const MOST_EVENTS = Math.floor((2 ** 32 - 1 - TABLE_NAME_BYTES - 8) / EVENT_BYTES);
/** G2 aborts on more event definitions, and gets slow and then crashes on more tracks. */
export const MOST_DEFINITIONS = 100_000;
/** Longer names push G2's drawing out of its window. */
export const LONGEST_NAME = 30;
const LONGEST_DATUM = 250;
/** Datum strings that are remembered, so that equal ones are written once. More need more memory. */
const REMEMBERED = 1 << 17;
/** Offsets have 32 bits. */
const MOST_STRING_BYTES = 2 ** 32 - 8;
/** Events that are sorted in memory where they are out of order. */
const MOST_SORTED = 20_000_000;
const BATCH = 8192;

/** `name(number)`, or the name alone. */
export interface TrackName {
  readonly name: string;
  readonly number: number | undefined;
}

export interface CpelLog {
  /** The events, times in nanoseconds. Called several times, and gives the same each time. */
  events(): AsyncIterable<readonly EventData[]>;
  /** What tells the track of an event from others: a pid, or the number of a CPU. */
  track(event: EventData): number;
  /** Name of that track, without the limits of the format; the last name of a track is the one that is written. */
  trackName(event: EventData): TrackName;
  /** What else is known of the event. */
  datum(event: EventData): string;
  /** Unix seconds. */
  readonly date: number;
  /** Types whose codes are always the same, from 1 on; the others follow by name. */
  readonly firstTypes: readonly string[];
  /** Stands in the string table, where no reader looks. */
  readonly signature: string;
}

/** What will be written, and what had to be changed so that G2 can show it. */
export interface CpelSummary {
  readonly events: number;
  readonly types: number;
  readonly tracks: number;
  /** Names of types and tracks that hold other characters now, or are shorter. */
  readonly changedNames: number;
  /** Events of types, and of tracks, beyond the limit: they share one last definition. */
  readonly mergedTypes: number;
  readonly mergedTracks: number;
  readonly isSorted: boolean;
  /** Nanoseconds from the first event to the last. */
  readonly duration: number;
}

/** Everything that stands before the events, and what the events refer to. */
export interface CpelPlan {
  readonly summary: CpelSummary;
  readonly first: number;
  /** Names in the string table, in order, each once; the datums follow. */
  readonly names: NameTable;
  readonly datumBytes: number;
  readonly types: Definitions<string>;
  readonly tracks: Definitions<number>;
}

/** Definitions in the order of their ids. */
interface Definitions<Key> {
  readonly ids: ReadonlyMap<Key, number>;
  /** The id of what has none of its own. */
  readonly others: number;
  readonly defined: readonly { readonly id: number; readonly name: string }[];
}

/** Name of the definition that stands for all beyond the limit. */
const OTHERS = 'others';

/**
 * Reads all events of a log once, which tells what there is to be written.
 * @throws MarpleError (2) where there are more events or longer strings than the format can hold.
 */
export async function planCpel(log: CpelLog): Promise<CpelPlan> {
  const found = { events: 0, first: Number.POSITIVE_INFINITY, last: Number.NEGATIVE_INFINITY, isSorted: true };
  const [merged, changed] = [{ types: 0, tracks: 0 }, { names: 0 }];
  const types = new Set<string>();
  const tracks = new Map<number, TrackName>();
  const datums = new StringTable();
  let before = Number.NEGATIVE_INFINITY;
  for await (const batch of log.events()) {
    found.events += batch.length;
    for (const event of batch) {
      const { time, type } = event;
      if (time < before) found.isSorted = false;
      before = time;
      if (time < found.first) found.first = time;
      if (time > found.last) found.last = time;
      datums.offsetOf(safeDatum(log.datum(event)));
      // The last definition is that of all others.
      const track = log.track(event);
      if (types.size < MOST_DEFINITIONS - 1) types.add(type);
      else if (!types.has(type)) merged.types++;
      if (tracks.size < MOST_DEFINITIONS - 1 || tracks.has(track)) tracks.set(track, log.trackName(event));
      else merged.tracks++;
    }
  }
  if (found.events > MOST_EVENTS)
    throw tooLarge(`${formatCount(found.events)} events: it holds ${formatCount(MOST_EVENTS)}`);
  const safe = (name: string, suffix: string): string => {
    const shown = safeName(name, suffix);
    if (shown !== name + suffix) changed.names++;
    return shown;
  };
  const typeDefinitions = defineTypes(types, log.firstTypes, merged.types > 0, safe);
  const trackDefinitions = defineTracks(tracks, merged.tracks > 0, safe);
  const names = new NameTable([
    TABLE_NAME,
    log.signature,
    DATUM_FORMAT,
    ...[...typeDefinitions.defined, ...trackDefinitions.defined].map(({ name }) => name),
  ]);
  if (names.bytes + datums.bytes > MOST_STRING_BYTES) throw tooLarge('so long texts: it holds 4 GiB of them');
  return {
    summary: {
      events: found.events,
      types: typeDefinitions.defined.length,
      tracks: trackDefinitions.defined.length,
      changedNames: changed.names,
      mergedTypes: merged.types,
      mergedTracks: merged.tracks,
      isSorted: found.isSorted,
      duration: found.events === 0 ? 0 : found.last - found.first,
    },
    first: found.first,
    names,
    datumBytes: datums.bytes,
    types: typeDefinitions,
    tracks: trackDefinitions,
  };
}

function tooLarge(what: string): MarpleError {
  return new MarpleError(
    `a CPEL file cannot hold ${what}`,
    EXIT.usage,
    'write a part of it: --from SECONDS --to SECONDS, or --pid or --comm',
  );
}

type SafeName = (name: string, suffix: string) => string;

/** Codes count from 1: G2 cannot search for 0. */
function defineTypes(
  types: ReadonlySet<string>,
  first: readonly string[],
  hasOthers: boolean,
  safe: SafeName,
): Definitions<string> {
  const isFirst = new Set(first);
  const rest = [...types].filter((type) => !isFirst.has(type)).sort(compareText);
  const ids = new Map([...first, ...rest].map((type, index) => [type, index + 1]));
  const defined = [...ids].flatMap(([type, id]) => (types.has(type) ? [{ id, name: safe(type, '') }] : []));
  const others = ids.size + 1;
  return { ids, others, defined: hasOthers ? [...defined, { id: others, name: OTHERS }] : defined };
}

/** G2 draws tracks in the order of their ids: tasks by name and then by pid, CPUs by number. */
function defineTracks(tracks: ReadonlyMap<number, TrackName>, hasOthers: boolean, safe: SafeName): Definitions<number> {
  const ordered = [...tracks].sort(
    ([a, one], [b, two]) => (one.number === undefined ? 0 : compareText(one.name, two.name)) || a - b,
  );
  const ids = new Map(ordered.map(([track], id) => [track, id]));
  const defined = ordered.map(([, { name, number }], id) => ({
    id,
    name: safe(name, number === undefined ? '' : `(${number})`),
  }));
  const others = ids.size;
  return { ids, others, defined: hasOthers ? [...defined, { id: others, name: OTHERS }] : defined };
}

/**
 * The bytes of a file, in bounded memory whatever the length of the log: its events are read once for their strings and
 * once for themselves. They are sorted by time (stably), and times count from the first.
 */
export async function* writeCpel(log: CpelLog, plan: CpelPlan): AsyncGenerator<Uint8Array> {
  const { names, datumBytes, types, tracks, summary } = plan;
  const stringBytes = names.bytes + datumBytes;
  const padding = (8 - (stringBytes % 8)) % 8;
  yield words([VERSION * 2 ** 24 + 4, log.date]);
  yield words([STRINGS, stringBytes + padding]);
  yield names.text();
  yield* datumStrings(log);
  yield Buffer.alloc(padding);
  const format = names.offsetOf(DATUM_FORMAT);
  yield* definitions(EVENT_DEFINITIONS, types.defined, ({ id, name }) => [id, names.offsetOf(name), format]);
  yield* definitions(TRACK_DEFINITIONS, tracks.defined, ({ id, name }) => [id, names.offsetOf(name)]);
  yield words([EVENTS, TABLE_NAME_BYTES + 8 + EVENT_BYTES * summary.events]);
  yield tableName();
  yield words([summary.events, TICKS_PER_SECOND]);
  yield* summary.isSorted ? events(log, plan) : sortedEvents(log, plan);
}

function* definitions<Definition>(
  type: number,
  defined: readonly Definition[],
  entry: (definition: Definition) => readonly number[],
): Generator<Uint8Array> {
  const entries = words(defined.flatMap(entry));
  yield words([type, TABLE_NAME_BYTES + 4 + entries.length]);
  yield tableName();
  yield words([defined.length]);
  yield entries;
}

/** Each datum that is new to a StringTable, in the order in which events() will ask for it. */
async function* datumStrings(log: CpelLog): AsyncGenerator<Buffer> {
  const table = new StringTable();
  for await (const batch of log.events()) {
    const fresh: string[] = [];
    for (const event of batch) {
      const datum = safeDatum(log.datum(event));
      const end = table.bytes;
      if (table.offsetOf(datum) === end) fresh.push(datum);
    }
    if (fresh.length > 0) yield Buffer.from(`${fresh.join('\0')}\0`, 'latin1');
  }
}

async function* events(log: CpelLog, { first, names, types, tracks }: CpelPlan): AsyncGenerator<Buffer> {
  const table = new StringTable(names.bytes);
  for await (const batch of log.events()) {
    const bytes = Buffer.allocUnsafe(EVENT_BYTES * batch.length);
    for (const [row, event] of batch.entries()) {
      const at = EVENT_BYTES * row;
      const time = event.time - first;
      bytes.writeUInt32BE(Math.floor(time / 2 ** 32), at);
      bytes.writeUInt32BE(time % 2 ** 32, at + 4);
      bytes.writeUInt32BE(tracks.ids.get(log.track(event)) ?? tracks.others, at + 8);
      bytes.writeUInt32BE(types.ids.get(event.type) ?? types.others, at + 12);
      bytes.writeUInt32BE(table.offsetOf(safeDatum(log.datum(event))), at + 16);
    }
    yield bytes;
  }
}

/** G2 stops drawing at the first event that is out of order. Data files are sorted; what is not is sorted in memory. */
async function* sortedEvents(log: CpelLog, plan: CpelPlan): AsyncGenerator<Buffer> {
  const { events: count } = plan.summary;
  if (count > MOST_SORTED) throw tooLarge(`${formatCount(count)} events that are not sorted by time`);
  const parts: Buffer[] = [];
  for await (const part of events(log, plan)) parts.push(part);
  const all = Buffer.concat(parts);
  const times = Float64Array.from(
    { length: count },
    (_, i) => all.readUInt32BE(EVENT_BYTES * i) * 2 ** 32 + all.readUInt32BE(EVENT_BYTES * i + 4),
  );
  const order = Uint32Array.from({ length: count }, (_, i) => i).sort((a, b) => times[a]! - times[b]! || a - b);
  for (let from = 0; from < count; from += BATCH) {
    const rows = [...order.subarray(from, from + BATCH)];
    yield Buffer.concat(rows.map((row) => all.subarray(EVENT_BYTES * row, EVENT_BYTES * (row + 1))));
  }
}

/** Names, each once, and where they stand. */
class NameTable {
  readonly #offsets = new Map<string, number>();
  bytes = 0;

  constructor(names: readonly string[]) {
    for (const name of names) {
      if (this.#offsets.has(name)) continue;
      this.#offsets.set(name, this.bytes);
      this.bytes += name.length + 1;
    }
  }

  offsetOf(name: string): number {
    return this.#offsets.get(name)!;
  }

  text(): Buffer {
    return Buffer.from(`${[...this.#offsets.keys()].join('\0')}\0`, 'latin1');
  }
}

/** Where texts stand that are asked for in some order. The same order gives the same places, with bounded memory. */
class StringTable {
  readonly #offsets = new Map<string, number>();

  constructor(public bytes = 0) {}

  offsetOf(text: string): number {
    const known = this.#offsets.get(text);
    if (known !== undefined) return known;
    if (this.#offsets.size === REMEMBERED) this.#offsets.clear();
    const offset = this.bytes;
    this.#offsets.set(text, offset);
    this.bytes += text.length + 1;
    return offset;
  }
}

const UNSAFE_IN_NAMES = /[^\x20-\x7e]|%/gu;
const UNSAFE_IN_DATUMS = /[^\x20-\x7e]/u;
const ALL_UNSAFE_IN_DATUMS = /[^\x20-\x7e]/gu;

/**
 * A name that G2 and the tools beside it can show: they use track names as printf formats, know ASCII alone and have no
 * room for long ones. `suffix` is never cut.
 */
export function safeName(name: string, suffix = ''): string {
  const shown = name.replace(UNSAFE_IN_NAMES, (character) => (character === '%' ? '_' : '?'));
  return (shown === '' ? '?' : shown).slice(0, LONGEST_NAME - suffix.length) + suffix;
}

/** Texts of events are never used as formats. An empty one would be taken for a number. */
function safeDatum(text: string): string {
  const cut = text.length <= LONGEST_DATUM ? text : `${text.slice(0, LONGEST_DATUM - 3)}...`;
  const shown = UNSAFE_IN_DATUMS.test(cut) ? cut.replace(ALL_UNSAFE_IN_DATUMS, '?') : cut;
  return shown === '' ? '-' : shown;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function words(values: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, 4 * i);
  return bytes;
}

function tableName(): Buffer {
  return Buffer.from(TABLE_NAME.padEnd(TABLE_NAME_BYTES, '\0'), 'latin1');
}

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

const NO_CPEL_HINT = 'CPEL files are written by: marple display -g2';

/** An open CPEL file, of MARPLE or of another program. */
export class CpelFile {
  #strings: Buffer = Buffer.alloc(0);
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
      if (section.type === 0 || section.type > EVENTS)
        throw this.#damage(at, `there is no section type ${section.type}`);
      if (section.at + section.length > this.size)
        throw this.#damage(at, 'the section goes beyond the end of the file');
      sections.push(section);
    }
    const ofType = (type: number): Section[] => sections.filter((section) => section.type === type);
    for (const { at, length } of ofType(STRINGS)) this.#strings = await this.#read(at, length);
    for (const section of ofType(EVENT_DEFINITIONS)) {
      for (const [code, name, format] of await this.#definitions(section, 3)) {
        // Of two definitions readers keep the first.
        if (this.#types.has(code!)) continue;
        this.#types.set(code!, { name: this.#string(name!, section.at), format: this.#string(format!, section.at) });
      }
    }
    for (const section of ofType(TRACK_DEFINITIONS)) {
      for (const [id, name] of await this.#definitions(section, 2)) {
        if (!this.#tracks.has(id!)) this.#tracks.set(id!, this.#string(name!, section.at));
      }
    }
    // Of several logs readers keep the last.
    const log = ofType(EVENTS).at(-1);
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
    const end = this.#strings.indexOf(0, offset);
    if (end < 0 || offset >= this.#strings.length) throw this.#damage(at, `there is no string at ${offset}`);
    return this.#strings.toString('utf8', offset, end);
  }

  async #read(at: number, length: number): Promise<Buffer> {
    if (at + length > this.size) throw this.#damage(this.size, 'the file is cut off');
    const bytes = Buffer.allocUnsafe(length);
    for (let done = 0; done < length; ) {
      const { bytesRead } = await this.handle.read(bytes, done, length - done, at + done);
      if (bytesRead === 0) throw this.#damage(at + done, 'the file became shorter while it was read');
      done += bytesRead;
    }
    return bytes;
  }

  #damage(at: number, problem: string): DamagedFileError {
    return new DamagedFileError(`${this.path}: byte ${at}`, problem, NO_CPEL_HINT);
  }
}
