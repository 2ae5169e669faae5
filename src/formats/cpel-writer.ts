import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { EventData } from '../common/datatypes.ts';
import { EXIT, MarpleError } from '../common/errors.ts';
import { formatCount } from '../common/text.ts';
import { fill } from '../common/util/fill.ts';
import { EVENT_BYTES, SECTION_TYPES, TABLE_NAME_BYTES, VERSION } from './cpel.ts';

/*
 * Writes CPEL files, whose form is told in cpel.ts. The names stand before the events, and are known only when all events have
 * been read: what is written of these waits in files until then, so that memory is bounded whatever the length of the log.
 */

const TABLE_NAME = 'FileStrtab';
const DATUM_FORMAT = '%s';
const TICKS_PER_SECOND = 1_000_000_000;

/** The length of the section has 32 bits. */
const MOST_EVENTS = Math.floor((2 ** 32 - 1 - TABLE_NAME_BYTES - 8) / EVENT_BYTES);
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
  /** The events, times in nanoseconds. */
  events(): AsyncIterable<readonly EventData[]>;
  /** What tells the track of an event from others: a pid, or the number of a CPU. */
  track(event: EventData): number;
  /** Name of that track, without the limits of the format; the last name of a track is the one that is written. */
  trackName(event: EventData): TrackName;
  /** Gives what tells where the text stands that says what else is known of an event; `offsetOf` tells that of a text, which is slow. */
  datums(offsetOf: (text: string) => number): (event: EventData) => number;
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

/** A log that has been read, ready to be written. */
export interface CpelDraft {
  /** Of what was put aside; it goes when the file has been written. */
  readonly folder: string;
  readonly summary: CpelSummary;
  readonly date: number;
  readonly first: number;
  /** Names in the string table, in order, each once; the datums follow. */
  readonly names: NameTable;
  readonly types: Definitions;
  readonly tracks: Definitions;
  readonly datums: Aside;
  /** DRAFT_BYTES each: time as it came, places of track and type, offset of the datum among the datums. */
  readonly events: Aside;
}

/** Definitions in the order of their ids. */
interface Definitions {
  /** By their place, the order in which they were first seen. Those beyond the limit share a place of their own. */
  readonly ids: Uint32Array;
  readonly defined: readonly { readonly id: number; readonly name: string }[];
}

/** Name of the definition that stands for all beyond the limit, and its place. */
const OTHERS = 'others';
const OTHERS_PLACE = MOST_DEFINITIONS - 1;

const DRAFT_BYTES = 20;

/**
 * Reads all events of a log, and puts aside in `tempDir` what is to be written of them.
 * @throws MarpleError (2) where there are more events or longer strings than the format can hold.
 */
export async function draftCpel(log: CpelLog, tempDir: string): Promise<CpelDraft> {
  const folder = await mkdtemp(join(tempDir, 'cpel-'));
  const datums = await Aside.create(join(folder, 'datums'));
  const events = await Aside.create(join(folder, 'events'));
  const found = { first: Number.POSITIVE_INFINITY, last: Number.NEGATIVE_INFINITY, isSorted: true };
  const merged = { types: 0, tracks: 0 };
  const types = new Map<string, number>();
  const tracks = new Map<number, Track>();
  const table = new DatumTable();
  const datumOf = log.datums((text) => table.offsetOf(text));
  let count = 0;
  try {
    for await (const batch of log.events()) {
      const rows = new DataView(new ArrayBuffer(DRAFT_BYTES * batch.length));
      for (let row = 0; row < batch.length; row++) {
        const event = batch[row]!;
        const { time, type } = event;
        if (time < found.last) found.isSorted = false;
        else found.last = time;
        if (time < found.first) found.first = time;
        const typePlace = placeOf(types, type);
        if (typePlace === OTHERS_PLACE) merged.types++;
        const trackPlace = placeOfTrack(tracks, log.track(event), log.trackName(event));
        if (trackPlace === OTHERS_PLACE) merged.tracks++;
        const at = DRAFT_BYTES * row;
        rows.setFloat64(at, time);
        rows.setUint32(at + 8, trackPlace);
        rows.setUint32(at + 12, typePlace);
        rows.setUint32(at + 16, datumOf(event));
      }
      count += batch.length;
      if (count > MOST_EVENTS) throw tooLarge(`more than ${formatCount(MOST_EVENTS)} events`);
      if (table.bytes > MOST_STRING_BYTES) throw tooLarge('so long texts: it holds 4 GiB of them');
      await events.add(Buffer.from(rows.buffer));
      await datums.add(table.takeNew());
    }
  } finally {
    await Promise.all([events.close(), datums.close()]);
  }
  let changedNames = 0;
  const safe = (name: string, suffix: string): string => {
    const shown = safeName(name, suffix);
    if (shown !== name + suffix) changedNames++;
    return shown;
  };
  const typeDefinitions = defineTypes([...types.keys()], log.firstTypes, merged.types > 0, safe);
  const trackNames = Array.from(tracks, ([number, { name }]) => [number, name] as const);
  const trackDefinitions = defineTracks(trackNames, merged.tracks > 0, safe);
  const names = new NameTable([
    TABLE_NAME,
    log.signature,
    DATUM_FORMAT,
    ...[...typeDefinitions.defined, ...trackDefinitions.defined].map(({ name }) => name),
  ]);
  if (names.bytes + datums.bytes > MOST_STRING_BYTES) throw tooLarge('so long texts: it holds 4 GiB of them');
  return {
    folder,
    summary: {
      events: count,
      types: typeDefinitions.defined.length,
      tracks: trackDefinitions.defined.length,
      changedNames,
      mergedTypes: merged.types,
      mergedTracks: merged.tracks,
      isSorted: found.isSorted,
      duration: count === 0 ? 0 : found.last - found.first,
    },
    date: log.date,
    first: found.first,
    names,
    types: typeDefinitions,
    tracks: trackDefinitions,
    datums,
    events,
  };
}

/** The place of a key in the order in which they were first seen; OTHERS_PLACE where there are too many. */
function placeOf<Key>(places: Map<Key, number>, key: Key): number {
  const known = places.get(key);
  if (known !== undefined) return known;
  const place = places.size;
  if (place >= OTHERS_PLACE) return OTHERS_PLACE;
  places.set(key, place);
  return place;
}

interface Track {
  readonly place: number;
  /** The last. */
  name: TrackName;
}

/** The same for a track, which has a name from now on. */
function placeOfTrack(tracks: Map<number, Track>, number: number, name: TrackName): number {
  const known = tracks.get(number);
  if (known !== undefined) {
    known.name = name;
    return known.place;
  }
  const place = tracks.size;
  if (place >= OTHERS_PLACE) return OTHERS_PLACE;
  tracks.set(number, { place, name });
  return place;
}

function tooLarge(what: string): MarpleError {
  return new MarpleError(
    `a CPEL file cannot hold ${what}`,
    EXIT.usage,
    'write a part of it: --from SECONDS --to SECONDS, or --pid or --comm',
  );
}

type SafeName = (name: string, suffix: string) => string;

/** Codes count from 1: G2 cannot search for 0. The types are given by place. */
function defineTypes(
  types: readonly string[],
  first: readonly string[],
  hasOthers: boolean,
  safe: SafeName,
): Definitions {
  const isFirst = new Set(first);
  const isThere = new Set(types);
  const rest = types.filter((type) => !isFirst.has(type)).sort(compareText);
  const codes = new Map([...first, ...rest].map((type, index) => [type, index + 1]));
  const defined = [...codes].flatMap(([type, id]) => (isThere.has(type) ? [{ id, name: safe(type, '') }] : []));
  return withOthers(
    types.map((type) => codes.get(type)!),
    defined,
    hasOthers ? codes.size + 1 : undefined,
  );
}

/** G2 draws tracks in the order of their ids: tasks by name and then by pid, CPUs by number. The tracks are given by place. */
function defineTracks(
  tracks: readonly (readonly [number, TrackName])[],
  hasOthers: boolean,
  safe: SafeName,
): Definitions {
  const places = tracks
    .map((_, place) => place)
    .sort((a, b) => {
      const [[numberA, one], [numberB, two]] = [tracks[a]!, tracks[b]!];
      return (one.number === undefined ? 0 : compareText(one.name, two.name)) || numberA - numberB;
    });
  const ids: number[] = [];
  const defined = places.map((place, id) => {
    ids[place] = id;
    const { name, number } = tracks[place]![1];
    return { id, name: safe(name, number === undefined ? '' : `(${number})`) };
  });
  return withOthers(ids, defined, hasOthers ? places.length : undefined);
}

function withOthers(ids: readonly number[], defined: Definitions['defined'], others: number | undefined): Definitions {
  if (others === undefined) return { ids: Uint32Array.from(ids), defined };
  const all = new Uint32Array(OTHERS_PLACE + 1);
  all.set(ids);
  all[OTHERS_PLACE] = others;
  return { ids: all, defined: [...defined, { id: others, name: OTHERS }] };
}

/** The bytes of a file. Its events are sorted by time (stably), and times count from the first. */
export async function* writeCpel(draft: CpelDraft): AsyncGenerator<Uint8Array> {
  const { names, datums, types, tracks, summary } = draft;
  const stringBytes = names.bytes + datums.bytes;
  const padding = (8 - (stringBytes % 8)) % 8;
  yield words([VERSION * 2 ** 24 + 4, draft.date]);
  yield words([SECTION_TYPES.strings, stringBytes + padding]);
  yield names.text();
  yield* datums.blocks(BLOCK);
  yield Buffer.alloc(padding);
  const format = names.offsetOf(DATUM_FORMAT);
  yield* definitions(SECTION_TYPES.types, types.defined, ({ id, name }) => [id, names.offsetOf(name), format]);
  yield* definitions(SECTION_TYPES.tracks, tracks.defined, ({ id, name }) => [id, names.offsetOf(name)]);
  yield words([SECTION_TYPES.events, TABLE_NAME_BYTES + 8 + EVENT_BYTES * summary.events]);
  yield tableName();
  yield words([summary.events, TICKS_PER_SECOND]);
  yield* summary.isSorted ? events(draft) : sortedEvents(draft);
  await rm(draft.folder, { recursive: true });
}

const BLOCK = 256 * 1024;

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

async function* events({ first, names, types, tracks, events: drafts }: CpelDraft): AsyncGenerator<Buffer> {
  for await (const { buffer, byteOffset, length } of drafts.blocks(DRAFT_BYTES * BATCH)) {
    const rows = new DataView(buffer, byteOffset, length);
    const count = length / DRAFT_BYTES;
    const written = new DataView(new ArrayBuffer(EVENT_BYTES * count));
    for (let row = 0; row < count; row++) {
      const from = DRAFT_BYTES * row;
      const to = EVENT_BYTES * row;
      const time = rows.getFloat64(from) - first;
      written.setUint32(to, Math.floor(time / 2 ** 32));
      written.setUint32(to + 4, time % 2 ** 32);
      written.setUint32(to + 8, tracks.ids[rows.getUint32(from + 8)]!);
      written.setUint32(to + 12, types.ids[rows.getUint32(from + 12)]!);
      written.setUint32(to + 16, names.bytes + rows.getUint32(from + 16));
    }
    yield Buffer.from(written.buffer);
  }
}

/** G2 stops drawing at the first event that is out of order. Data files are sorted; what is not is sorted in memory. */
async function* sortedEvents(draft: CpelDraft): AsyncGenerator<Buffer> {
  const { events: count } = draft.summary;
  if (count > MOST_SORTED) throw tooLarge(`${formatCount(count)} events that are not sorted by time`);
  const parts: Buffer[] = [];
  for await (const part of events(draft)) parts.push(part);
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

/** Bytes that wait in a file. */
class Aside {
  bytes = 0;
  #written: Promise<void> = Promise.resolve();

  private constructor(
    readonly path: string,
    readonly handle: FileHandle,
  ) {}

  static async create(path: string): Promise<Aside> {
    return new Aside(path, await open(path, 'wx', 0o600));
  }

  /** Waits for what came before, and writes this while more is made. */
  async add(bytes: Buffer): Promise<void> {
    await this.#written;
    this.bytes += bytes.length;
    this.#written = this.#write(bytes);
    // Who waits for it is told then.
    this.#written.catch(() => undefined);
  }

  /** To be called when all are there, or no more will come. */
  async close(): Promise<void> {
    try {
      await this.#written;
    } finally {
      await this.handle.close();
    }
  }

  async #write(bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length; ) done += (await this.handle.write(bytes, done)).bytesWritten;
  }

  /** All of them, so many at once. Each block is a buffer of its own. */
  async *blocks(size: number): AsyncGenerator<Buffer> {
    const handle = await open(this.path);
    try {
      for (let at = 0; at < this.bytes; at += size) {
        const block = Buffer.allocUnsafeSlow(Math.min(size, this.bytes - at));
        await fill(handle, block, at);
        yield block;
      }
    } finally {
      await handle.close();
    }
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

/** Where datums stand among the datums, made safe. Equal ones are written once, as far as they are remembered. */
class DatumTable {
  bytes = 0;
  readonly #offsets = new Map<string, number>();
  #new: string[] = [];

  offsetOf(text: string): number {
    const known = this.#offsets.get(text);
    if (known !== undefined) return known;
    if (this.#offsets.size === REMEMBERED) this.#offsets.clear();
    const offset = this.bytes;
    const shown = safeDatum(text);
    this.#offsets.set(text, offset);
    this.#new.push(shown);
    this.bytes += shown.length + 1;
    return offset;
  }

  /** What has come since the last time, with a NUL behind each. */
  takeNew(): Buffer {
    const bytes = Buffer.from(this.#new.map((text) => `${text}\0`).join(''), 'latin1');
    this.#new = [];
    return bytes;
  }
}

const UNSAFE_IN_NAMES = /[^\x20-\x7e]|%/gu;
const UNSAFE_IN_DATUMS = /[^\x20-\x7e]/gu;

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
  return cut.replace(UNSAFE_IN_DATUMS, '?') || '-';
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
