import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { type EventFormat, parseFields, parseFormat } from './event-format.ts';
import { damagedRecording } from './recording.ts';

/*
 * Raw pages of the kernel's trace ring buffer, as per_cpu/cpuN/trace_pipe_raw gives them. Sources: the comment on
 * struct ring_buffer_event in include/linux/ring_buffer.h, ring_buffer_read_page() in kernel/trace/ring_buffer.c,
 * Documentation/trace/ftrace.rst and events.rst ("Event formats"). Nothing about a layout is assumed that
 * the recording machine's events/header_page, events/header_event and events/GROUP/NAME/format say.
 * Little endian only; `long` may have 4 or 8 bytes.
 */

/** What a recording of raw pages tells about itself; the pages of CPU n are in the file cpu<n>.raw beside it. */
export const ftraceDetailsSchema = z.object({
  byteOrder: z.enum(['LE', 'BE']),
  /** Text of events/header_page and events/header_event. */
  headerPage: z.string(),
  headerEvent: z.string(),
  /** Text of events/GROUP/NAME/format by `GROUP:NAME`. */
  formats: z.record(z.string(), z.string()),
  cpus: z.array(z.number().int().min(0)),
  /** Size of the buffer of each CPU, KiB. */
  bufferKb: z.number(),
  /** Whether each page ends behind its data, and the next begins there; otherwise all have their whole size. */
  cut: z.boolean().optional(),
});
export type FtraceDetails = z.infer<typeof ftraceDetailsSchema>;

/** Counters of per_cpu/cpuN/stats at the end of a recording. Absent where the recorder was killed. */
export const ftraceStatsSchema = z.object({
  cpus: z.array(
    z.object({
      cpu: z.number(),
      entries: z.number(),
      overrun: z.number(),
      commitOverrun: z.number(),
      dropped: z.number(),
      read: z.number(),
    }),
  ),
});
export type FtraceStats = z.infer<typeof ftraceStatsSchema>;
export type CpuStats = FtraceStats['cpus'][number];

const STATS_FILE = 'stats.json';

export function rawFile(dir: string, cpu: number): string {
  return join(dir, `cpu${cpu}.raw`);
}

export function statsFile(dir: string): string {
  return join(dir, STATS_FILE);
}

/** The counters at the end of the recording in `dir`; undefined where the recorder was killed before it wrote them. */
export function readStats(dir: string): FtraceStats | undefined {
  try {
    return ftraceStatsSchema.parse(JSON.parse(readFileSync(statsFile(dir), 'utf8')));
  } catch {
    return undefined;
  }
}

// entries: 20
// overrun: 0
// commit overrun: 0
// bytes: 1440
// oldest event ts:  4105.631846
// now ts:  4105.941922
// dropped events: 0
// read events: 0
/** Reads the text of a per_cpu/cpuN/stats file. */
export function parseStats(cpu: number, text: string): CpuStats {
  const value = (name: string): number => Number(new RegExp(`^${name}: *(\\d+)$`, 'mu').exec(text)?.[1] ?? 0);
  return {
    cpu,
    entries: value('entries'),
    overrun: value('overrun'),
    commitOverrun: value('commit overrun'),
    dropped: value('dropped events'),
    read: value('read events'),
  };
}

/** Where the parts of a page lie: from events/header_page. Offsets and sizes in bytes. */
export interface PageLayout {
  /** Size of a whole page (a sub-buffer), header and data. */
  readonly size: number;
  readonly dataOffset: number;
  readonly commitOffset: number;
  /** Size of the recording kernel's `long`. */
  readonly longSize: 4 | 8;
}

// 	field: u64 timestamp;	offset:0;	size:8;	signed:0;
// 	field: local_t commit;	offset:8;	size:8;	signed:1;
// 	field: int overwrite;	offset:8;	size:1;	signed:1;
// 	field: char data;	offset:16;	size:4080;	signed:0;
/** Reads the text of events/header_page. @throws Error where it is none, or one that this code cannot read. */
export function parseHeaderPage(text: string): PageLayout {
  const fields = parseFields(text);
  const timestamp = fields.get('timestamp');
  const commit = fields.get('commit');
  const data = fields.get('data');
  if (timestamp?.offset !== 0 || timestamp.size !== 8 || data === undefined) throw new Error('unknown page header');
  if (commit?.size !== 4 && commit?.size !== 8) throw new Error('unknown page header');
  const size = data.offset + data.size;
  if (size > 1 << 24 || size <= data.offset) throw new Error('unknown page size');
  if (commit.offset + commit.size > data.offset) throw new Error('unknown page header');
  return { size, dataOffset: data.offset, commitOffset: commit.offset, longSize: commit.size };
}

// 	type_len    :    5 bits
// 	time_delta  :   27 bits
// 	padding     : type == 29
/** Checks that events/header_event describes the header that this code reads. @throws Error where it is another one. */
export function checkHeaderEvent(text: string): void {
  const expected = [
    'type_len *: *5 bits',
    'time_delta *: *27 bits',
    'padding *: type == 29',
    'time_extend *: type == 30',
  ];
  for (const part of expected) {
    if (!new RegExp(part, 'u').test(text)) throw new Error(`unknown event header: no "${part.replaceAll(' *', ' ')}"`);
  }
}

const PADDING = 29;
const TIME_EXTEND = 30;
const TIME_STAMP = 31;
const SHIFT_27 = 2 ** 27;

/**
 * Flags in a page's commit word (kernel/trace/ring_buffer.c): events were overwritten before this page, and how many is
 * told by a `long` behind its data. The length is below them (as libtraceevent's kbuffer-parse.c has it).
 */
const MISSED_EVENTS = 0x8000_0000;
const MISSED_STORED = 0x4000_0000;
const COMMIT_MASK = 0x07ff_ffff;

/** How much of the page that begins at `page` tells something, bytes: its header, its data, and how many events were missed. */
export function pageBytes(pages: Buffer, page: number, layout: PageLayout): number {
  const commit = pages.readUInt32LE(page + layout.commitOffset);
  const stored = (commit & MISSED_STORED) === 0 ? 0 : layout.longSize;
  return Math.min(layout.size, layout.dataOffset + (commit & COMMIT_MASK) + stored);
}

/** Values of `id` that are no event: the CPU's events of the time between the two are lost. */
export const GAP_START = -1;
export const GAP_END = -2;

const CHUNK_BYTES = 1 << 18;

/** Size of struct trace_entry, which every record begins with. */
const COMMON_BYTES = 8;

/**
 * The events of one CPU, one at a time: `advance` moves to the next. What it shows is valid until then. Memory is
 * one chunk of the file.
 */
export class CpuStream {
  /** Nanoseconds since the origin. */
  time = Number.NEGATIVE_INFINITY;
  /** The event's kind (ID of its format), or GAP_START, GAP_END. */
  id = 0;
  /** The event's record starts here in `view` and `bytes`, and has `length` bytes. */
  offset = 0;
  length = 0;
  view: DataView;
  bytes: Buffer;
  /** Events seen so far. */
  events = 0;
  /** Pages, or ends of pages, that could not be read. */
  damaged = 0;
  /** Events that were overwritten before they were read, as far as the pages tell. */
  missed = 0;

  readonly #fd: number;
  readonly #chunkBytes: number;
  #filled = 0;
  #page = 0;
  /** Where the page behind that one begins. */
  #next = 0;
  #pos = 0;
  #end = 0;
  #inGap = false;
  #pageStamp = 0n;

  constructor(
    readonly cpu: number,
    path: string,
    private readonly layout: PageLayout,
    private readonly origin: bigint,
    /** Smallest record of each kind, by ID; a kind that is not there is known to have the common header. */
    private readonly sizes: ReadonlyMap<number, number> = new Map(),
    /** As in the recording's details. */
    private readonly cut = false,
  ) {
    this.#fd = openSync(path, 'r');
    this.#chunkBytes = Math.max(1, Math.floor(CHUNK_BYTES / layout.size)) * layout.size;
    this.bytes = Buffer.allocUnsafe(this.#chunkBytes);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** Moves to the next event (or gap). False at the end. */
  advance(): boolean {
    if (this.#inGap) return this.#endGap();
    const { view } = this;
    for (;;) {
      if (this.#pos + 4 > this.#end) {
        const next = this.#nextPage();
        if (next === 'page') continue;
        this.id = GAP_START;
        return next === 'gap';
      }
      const pos = this.#pos;
      const word = view.getUint32(pos, true);
      const typeLen = word & 31;
      const delta = word >>> 5;
      if (typeLen > 0 && typeLen < PADDING) {
        this.#pos = pos + 4 + typeLen * 4;
        this.offset = pos + 4;
        this.time += delta;
        if (this.#isWhole()) return true;
      } else if (pos + 8 > this.#end) {
        // A padding event without a time is the end of a page's data.
        if (typeLen !== PADDING || delta !== 0) this.damaged++;
        this.#pos = this.#end;
      } else {
        const second = view.getUint32(pos + 4, true);
        if (typeLen === 0) {
          this.#pos = pos + 4 + Math.ceil(second / 4) * 4;
          this.offset = pos + 8;
          this.time += delta;
          if (this.#isWhole()) return true;
        } else if (typeLen === TIME_EXTEND) {
          this.time += second * SHIFT_27 + delta;
          this.#pos = pos + 8;
        } else if (typeLen === TIME_STAMP) {
          this.time = this.#absolute(BigInt(second) * 134_217_728n + BigInt(delta));
          this.#pos = pos + 8;
        } else if (delta === 0) {
          this.#pos = this.#end;
        } else {
          // A discarded event: the times of those behind it count from it.
          this.time += delta;
          this.#pos = pos + 4 + Math.max(4, Math.ceil(second / 4) * 4);
        }
      }
    }
  }

  /** Whether the record just met lies within its page, has all its fields, and a time that can be; one that does not ends the page. */
  #isWhole(): boolean {
    this.length = this.#pos - this.offset;
    if (this.#pos <= this.#end && this.length >= COMMON_BYTES && Number.isSafeInteger(this.time)) {
      this.id = this.view.getUint16(this.offset, true);
      if (this.length >= (this.sizes.get(this.id) ?? COMMON_BYTES)) {
        this.events++;
        return true;
      }
    }
    this.damaged++;
    this.#pos = this.#end;
    return false;
  }

  /** Absolute times have 59 bits; the upper 5 are those of the page's. */
  #absolute(stamp: bigint): number {
    const upper = (this.#pageStamp >> 59n) << 59n;
    return Number((upper | stamp) - this.origin);
  }

  #endGap(): boolean {
    this.#inGap = false;
    this.id = GAP_END;
    this.time = Number(this.#pageStamp - this.origin);
    return true;
  }

  #nextPage(): 'page' | 'gap' | 'end' {
    if (!this.#findPage()) return 'end';
    const { view, layout } = this;
    const page = this.#page;
    const commit = view.getUint32(page + layout.commitOffset, true);
    this.#pos = page + layout.dataOffset;
    this.#end = this.#pos + (commit & COMMIT_MASK);
    if (this.#end > page + layout.size) {
      this.damaged++;
      this.#end = this.#pos;
    }
    this.#pageStamp = view.getBigUint64(page, true);
    const time = Number(this.#pageStamp - this.origin);
    if (!Number.isSafeInteger(time)) {
      this.damaged++;
      this.#end = this.#pos;
      return 'page';
    }
    this.#inGap = (commit & MISSED_EVENTS) !== 0;
    // Before a gap the time stays at the last event that was seen.
    if (this.#inGap) {
      const stored = this.#end + layout.longSize <= page + layout.size && (commit & MISSED_STORED) !== 0;
      if (stored) this.missed += view.getUint32(this.#end, true);
      return 'gap';
    }
    this.time = time;
    return 'page';
  }

  /** Moves to the next page that is whole. What is left of the file where there is none is damage. */
  #findPage(): boolean {
    this.#page = this.#next;
    if (this.#page + this.layout.size > this.#filled) this.#fill();
    const rest = this.#filled - this.#page;
    const isHeader = rest >= this.layout.dataOffset;
    const length = this.cut && isHeader ? pageBytes(this.bytes, this.#page, this.layout) : this.layout.size;
    this.#next = this.#page + length;
    if (length <= rest) return true;
    this.#next = this.#filled;
    if (rest > 0) this.damaged++;
    return false;
  }

  /** Reads on behind what has not been shown yet. */
  #fill(): void {
    this.bytes.copyWithin(0, this.#page, this.#filled);
    this.#filled -= this.#page;
    this.#page = 0;
    while (this.#filled < this.#chunkBytes) {
      const read = readSync(this.#fd, this.bytes, this.#filled, this.#chunkBytes - this.#filled, null);
      if (read === 0) break;
      this.#filled += read;
    }
  }
}

/**
 * The events of all CPUs of a recording, merged by time; at the same time the lower CPU comes first. Memory is one
 * chunk per CPU, whatever the size of the files.
 */
export class FtraceReader {
  #current: CpuStream | undefined;
  readonly #heap: CpuStream[] = [];
  readonly #streams: CpuStream[] = [];
  readonly #formats = new Map<string, EventFormat>();

  /**
   * Opens the pages in `dir`. `origin` is CLOCK_MONOTONIC at the origin of the times, nanoseconds.
   * @throws DamagedFileError where the recording's description is none that can be read here.
   */
  constructor(
    dir: string,
    readonly details: FtraceDetails,
    origin: bigint,
  ) {
    if (details.byteOrder !== 'LE') {
      throw damagedRecording(dir, 'trace pages of a big endian machine cannot be read');
    }
    let layout: PageLayout;
    const sizes = new Map<number, number>();
    try {
      checkHeaderEvent(details.headerEvent);
      layout = parseHeaderPage(details.headerPage);
      for (const [name, text] of Object.entries(details.formats)) this.#formats.set(name, parseFormat(text));
      for (const format of this.#formats.values()) {
        checkCommonType(format);
        sizes.set(format.id, format.size);
      }
    } catch (error) {
      throw damagedRecording(dir, (error as Error).message, error);
    }
    for (const cpu of details.cpus) {
      const path = rawFile(dir, cpu);
      if (!existsSync(path)) continue;
      const stream = new CpuStream(cpu, path, layout, origin, sizes, details.cut);
      this.#streams.push(stream);
      if (stream.advance()) this.#push(stream);
    }
  }

  /** The format of an event, by `GROUP:NAME`; undefined where the recording does not have it. */
  format(name: string): EventFormat | undefined {
    return this.#formats.get(name);
  }

  /** Moves to the next event of all. What is given is valid until the next call. */
  next(): CpuStream | undefined {
    const current = this.#current;
    if (current !== undefined) {
      if (current.advance()) this.#sink(0);
      else this.#pop();
    }
    this.#current = this.#heap[0];
    return this.#current;
  }

  /** Events read so far. */
  get events(): number {
    return this.#sum((stream) => stream.events);
  }

  /** Pages, or ends of pages, that could not be read. */
  get damaged(): number {
    return this.#sum((stream) => stream.damaged);
  }

  /** Events that were overwritten before they were read, as far as the pages tell. */
  get missed(): number {
    return this.#sum((stream) => stream.missed);
  }

  #sum(pick: (stream: CpuStream) => number): number {
    return this.#streams.reduce((sum, stream) => sum + pick(stream), 0);
  }

  close(): void {
    for (const stream of this.#streams) stream.close();
  }

  #push(stream: CpuStream): void {
    this.#heap.push(stream);
    let child = this.#heap.length - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!isBefore(this.#heap[child]!, this.#heap[parent]!)) break;
      this.#swap(child, parent);
      child = parent;
    }
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #sink(from: number): void {
    const heap = this.#heap;
    let parent = from;
    for (;;) {
      let child = 2 * parent + 1;
      if (child >= heap.length) return;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, heap[parent]!)) return;
      this.#swap(child, parent);
      parent = child;
    }
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap;
    const kept = heap[a]!;
    heap[a] = heap[b]!;
    heap[b] = kept;
  }
}

/** The kind of an event stands at the start of its record (struct trace_entry in include/linux/trace_events.h). */
function checkCommonType(format: EventFormat): void {
  const type = format.fields.get('common_type');
  if (type?.offset !== 0 || type.size !== 2) throw new Error(`${format.name}: unknown common_type`);
}

function isBefore(a: CpuStream, b: CpuStream): boolean {
  return a.time < b.time || (a.time === b.time && a.cpu < b.cpu);
}

export type { EventFormat, Field } from './event-format.ts';
export { numberField, parseFormat, textField } from './event-format.ts';
