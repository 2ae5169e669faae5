import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { decodeBytes } from '../common/decode-bytes.ts';
import { DamagedFileError } from '../common/errors.ts';
import { CallChain, toAddress } from './call-chain.ts';
import type { RawRecord } from './event-format.ts';
import { orderOf } from './run-order.ts';

/*
 * Records of a perf.data, in the order of their times. Sources: tools/perf/Documentation/perf.data-file-format.txt, and
 * the comments on enum perf_event_type and struct perf_event_attr in include/uapi/linux/perf_event.h. Little endian.
 * A file is hostile input: no size in it is believed without a check.
 */

/** One of the events that a file holds samples of. */
export interface PerfEvent {
  /** As perf names it, with modifiers: `cpu-clock:ppp`, `sched:sched_switch`; `event <type>/<config>` where the file does not say. */
  readonly name: string;
  /** perf_event_attr.type and .config: a tracepoint has type 2 and its id. */
  readonly type: number;
  readonly config: number;
  readonly sampleType: number;
  /** After so many events one was sampled; undefined where that changed, so as to keep a frequency. */
  readonly fixedPeriod: number | undefined;
}

/** Times are nanoseconds since the origin that the reader was given. Addresses are as in symbols.ts. */
export interface FileSample {
  readonly kind: 'sample';
  readonly event: PerfEvent;
  /** Undefined where times are not recorded. */
  readonly time: number | undefined;
  /** -1 where the task is gone already. */
  readonly pid: number;
  readonly tid: number;
  readonly cpu: number | undefined;
  readonly period: number | undefined;
  readonly chain: CallChain;
  /** The tracepoint's own record. */
  readonly raw: RawRecord | undefined;
}

/** Code was mapped into a process; for the kernel and its modules `pid` is -1. */
export interface FileMapping {
  readonly kind: 'mapping';
  readonly pid: number;
  readonly start: number;
  readonly length: number;
  /** Where in the file the mapping begins. */
  readonly offset: number;
  readonly path: string;
  /** 0 where it is not recorded. */
  readonly inode: number;
  /** Of the file, in hexadecimal, where it is recorded in place of the inode. */
  readonly buildId?: string;
}

/** A task has a new name; `isExec`: its process runs another program. */
export interface FileName {
  readonly kind: 'name';
  readonly pid: number;
  readonly tid: number;
  readonly comm: string;
  readonly isExec: boolean;
  /** Missing for tasks that were there before the recording. */
  readonly time?: number;
}

/** A new task. For a thread `pid` is `parentPid`. */
export interface FileFork {
  readonly kind: 'fork';
  readonly pid: number;
  readonly tid: number;
  readonly parentPid: number;
  readonly parentTid: number;
}

export interface FileExit {
  readonly kind: 'exit';
  readonly pid: number;
  readonly tid: number;
}

/** Recorded when there was room again; time and CPU as far as the records say them. */
export interface FileLost {
  readonly kind: 'lost';
  readonly count: number;
  readonly time: number | undefined;
  readonly cpu: number | undefined;
}

/** A task came to its CPU or left it (perf record --switch-events). Unlike sched_switch none is missing out of idle. */
export interface FileSwitch {
  readonly kind: 'switch';
  readonly time: number | undefined;
  readonly pid: number;
  readonly tid: number;
  readonly cpu: number | undefined;
  readonly isOut: boolean;
  /** It left although it could have gone on. */
  readonly isPreempted: boolean;
}

export type FileRecord = FileSample | FileMapping | FileName | FileFork | FileExit | FileLost | FileSwitch;

export interface FileOverview {
  readonly samples: number;
  /** Missing where no sample has a time. */
  readonly times?: { readonly first: number; readonly last: number };
  /** Mappings of the kernel's own code. */
  readonly kernel: readonly FileMapping[];
}

const SAMPLE = {
  ip: 1 << 0,
  tid: 1 << 1,
  time: 1 << 2,
  addr: 1 << 3,
  read: 1 << 4,
  callchain: 1 << 5,
  id: 1 << 6,
  cpu: 1 << 7,
  period: 1 << 8,
  streamId: 1 << 9,
  raw: 1 << 10,
  branchStack: 1 << 11,
  regsUser: 1 << 12,
  stackUser: 1 << 13,
  identifier: 1 << 16,
} as const;

/** Types of records (enum perf_event_type), and of those that perf itself adds (tools/perf/util/event.h). */
const RECORD = {
  mmap: 1,
  lost: 2,
  comm: 3,
  exit: 4,
  fork: 7,
  sample: 9,
  mmap2: 10,
  lostSamples: 13,
  switch: 14,
  switchCpuWide: 15,
  finishedRound: 68,
  compressed: 81,
} as const;
const FIRST_USER_TYPE = 64;

/** What records that are no samples have behind them. */
interface Trailer {
  readonly pid?: number | undefined;
  readonly tid?: number | undefined;
  readonly time?: number | undefined;
  readonly cpu?: number | undefined;
}

/** Where the parts of a trailer are, counted from its start, and how long it is, in bytes. */
interface TrailerPlaces {
  readonly length: number;
  readonly ids?: number;
  readonly time?: number;
  readonly cpu?: number;
}

/** pid and tid, time, ids and CPU follow in this order where the events ask for it (sample_id_all). */
function trailerPlaces({ sampleType, sampleIdAll }: Attribute): TrailerPlaces {
  const order = [SAMPLE.tid, SAMPLE.time, SAMPLE.id, SAMPLE.streamId, SAMPLE.cpu, SAMPLE.identifier];
  const parts = sampleIdAll ? order.filter((bit) => (sampleType & bit) !== 0) : [];
  const place = (bit: number): number => 8 * parts.indexOf(bit);
  return {
    length: 8 * parts.length,
    ...(parts.includes(SAMPLE.tid) ? { ids: place(SAMPLE.tid) } : {}),
    ...(parts.includes(SAMPLE.time) ? { time: place(SAMPLE.time) } : {}),
    ...(parts.includes(SAMPLE.cpu) ? { cpu: place(SAMPLE.cpu) } : {}),
  };
}

const MISC = {
  cpumode: 7,
  kernel: 1,
  user: 2,
  commExec: 1 << 13,
  mmapData: 1 << 13,
  switchOut: 1 << 13,
  mmapBuildId: 1 << 14,
  switchOutPreempt: 1 << 14,
} as const;

/** Bits of perf_event_attr behind read_format. */
const FLAG = { excludeKernel: 1 << 5, freq: 1 << 10, sampleIdAll: 1 << 18 } as const;

const HEADER_BYTES = 104;
/** Features that a file may have behind its data (HEADER_* in tools/perf/util/header.h). */
export const FEATURE = {
  buildId: 2,
  hostname: 3,
  osRelease: 4,
  version: 5,
  cpuCount: 7,
  commandLine: 11,
  eventDesc: 12,
  compressed: 27,
  clockData: 29,
} as const;
/** Larger ones are not believed. */
const MOST_FEATURE_BYTES = 1 << 26;
const ATTR_BYTES_MIN = 64;
const BLOCK = 1 << 20;
const RECORD_HEADER = 8;
/** Records that have room from the start. */
const WAITING = 4096;

interface Attribute extends PerfEvent {
  readonly readFormat: number;
  readonly sampleIdAll: boolean;
  readonly places: SamplePlaces;
}

/** Where the parts of a sample are, counted from its start, in bytes; -1 for one that it does not have. */
interface SamplePlaces {
  readonly ip: number;
  readonly tid: number;
  readonly time: number;
  readonly id: number;
  readonly cpu: number;
  readonly period: number;
  /** Where the parts begin that are not equally long in all. */
  readonly rest: number;
}

function samplePlaces(sampleType: number): SamplePlaces {
  const parts = FIXED.filter((bit) => (sampleType & bit) !== 0);
  const place = (bit: number): number => (parts.includes(bit) ? RECORD_HEADER + 8 * parts.indexOf(bit) : -1);
  return {
    ip: place(SAMPLE.ip),
    tid: place(SAMPLE.tid),
    time: place(SAMPLE.time),
    id: parts.includes(SAMPLE.identifier) ? place(SAMPLE.identifier) : place(SAMPLE.id),
    cpu: place(SAMPLE.cpu),
    period: place(SAMPLE.period),
    rest: RECORD_HEADER + 8 * parts.length,
  };
}

/** Records as they stand in the file, and the same bytes as numbers are read of them. */
interface Block {
  readonly bytes: Buffer;
  readonly view: DataView;
}

function blockOf(bytes: Buffer): Block {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) };
}

const NOWHERE = blockOf(Buffer.alloc(0));

/** Where records are: there may be very many. */
class Places {
  times = new Float64Array(WAITING);
  at = new Int32Array(WAITING);
  /** By record, the place of its block in `held`. */
  blocks = new Int32Array(WAITING);
  held: Block[] = [];
  count = 0;

  add(time: number, block: Block, at: number): void {
    if (this.count === this.times.length) this.#grow();
    if (this.held[this.held.length - 1] !== block) this.held.push(block);
    this.times[this.count] = time;
    this.at[this.count] = at;
    this.blocks[this.count++] = this.held.length - 1;
  }

  clear(): void {
    this.held = [];
    this.count = 0;
  }

  #grow(): void {
    const { times, at, blocks } = this;
    this.times = new Float64Array(2 * times.length);
    this.at = new Int32Array(2 * times.length);
    this.blocks = new Int32Array(2 * times.length);
    this.times.set(times);
    this.at.set(at);
    this.blocks.set(blocks);
  }
}

/** Records that wait for others which may be older. */
class Waiting {
  #waiting = new Places();
  /** Those that were taken last, in #order. */
  #taken = new Places();
  #order: Int32Array = new Int32Array(0);
  #given = 0;

  /** Where the last one that was given is. */
  block = NOWHERE;
  at = 0;
  /** Takes blocks whose records have all been given. */
  readonly #giveBack: (block: Block) => void;

  constructor(giveBack: (block: Block) => void) {
    this.#giveBack = giveBack;
  }

  add(time: number, block: Block, at: number): void {
    this.#waiting.add(time, block, at);
  }

  /**
   * Lets those go that are not younger, in the order of their times; of the same time as they came. All that were let go
   * before have been given; what comes next is in `current`.
   */
  release(upTo: number, current: Block): void {
    const [waiting, spare] = [this.#waiting, this.#taken];
    const needed = new Set(waiting.held).add(current);
    for (const block of spare.held) if (!needed.has(block)) this.#giveBack(block);
    const { times, at, blocks, held } = waiting;
    const order = orderOf(times.subarray(0, waiting.count));
    let count = order.length;
    while (count > 0 && times[order[count - 1]!]! > upTo) count--;
    spare.clear();
    // As they came, so that each block is there once.
    for (const i of order.subarray(count).sort()) spare.add(times[i]!, held[blocks[i]!]!, at[i]!);
    this.#waiting = spare;
    this.#taken = waiting;
    this.#order = order.subarray(0, count);
    this.#given = 0;
  }

  /** Goes to the next of those that were let go; false where there is none. */
  next(): boolean {
    if (this.#given === this.#order.length) return false;
    const { at, blocks, held } = this.#taken;
    const number = this.#order[this.#given++]!;
    this.block = held[blocks[number]!]!;
    this.at = at[number]!;
    return true;
  }
}

/** Steps through the records of a file. */
class Cursor {
  /** Where the record is. */
  block = NOWHERE;
  at = 0;
  size = 0;
  /** Whether the records ended before the file did. */
  isDamaged = false;
  /** Of the buffer, in the file. */
  #position: number;

  constructor(
    start: number,
    readonly end: number,
    readonly read: (at: number, length: number, last: Block) => Block | undefined,
  ) {
    this.#position = start;
  }

  /** Goes to the next record; false where there is none. */
  next(): boolean {
    const at = this.at + this.size;
    if (this.#isWhole(at)) return this.#moveTo(at);
    if (this.isDamaged) return false;
    this.#position += at;
    if (this.#position + RECORD_HEADER > this.end) return false;
    const block = this.read(this.#position, Math.min(BLOCK, this.end - this.#position), this.block);
    if (block === undefined) return false;
    this.block = block;
    if (this.#isWhole(0)) return this.#moveTo(0);
    // The last record is cut off, or no record at all.
    this.isDamaged = true;
    return false;
  }

  #isWhole(at: number): boolean {
    const { view } = this.block;
    if (at + RECORD_HEADER > view.byteLength) return false;
    const size = view.getUint16(at + 6, true);
    if (size < RECORD_HEADER) this.isDamaged = true;
    return !this.isDamaged && at + size <= view.byteLength;
  }

  #moveTo(at: number): boolean {
    this.at = at;
    this.size = this.block.view.getUint16(at + 6, true);
    return true;
  }
}

/** Reads a perf.data that is complete (see preparePerfData). Memory is bounded: perf writes in rounds, two are held. */
export class PerfFile {
  readonly events: readonly PerfEvent[];
  /** Records that could not be read, and those of kinds that this reader does not know how to unpack. */
  damaged = 0;
  /** Whether the file holds compressed records, which are not read here. */
  compressed = 0;
  readonly #fd: number;
  readonly #size: number;
  /** Its upper and lower 32 bits. */
  readonly #origin: readonly [high: number, low: number];
  readonly #attributes: readonly Attribute[];
  readonly #byId = new Map<number, Attribute>();
  /** Where in a sample the id of its event is, a place that is the same for all; -1 where there is one event, or none has ids. */
  readonly #idAt: number;
  /** Where in a sample its time is; undefined where that is not the same for all events. */
  readonly #timeAt: number | undefined;
  readonly #trailerPlaces: TrailerPlaces;
  readonly #data: { readonly start: number; readonly end: number };
  readonly #header: Block;

  /**
   * `origin` is CLOCK_MONOTONIC (or whatever clock was recorded) at the origin of times, nanoseconds.
   * @throws DamagedFileError (65) where it is no perf.data.
   */
  constructor(
    readonly path: string,
    origin: bigint,
  ) {
    this.#origin = [Number(origin >> 32n), Number(origin & 0xffff_ffffn)];
    this.#fd = openSync(path, 'r');
    this.#size = fstatSync(this.#fd).size;
    try {
      const header = this.#read(0, HEADER_BYTES);
      if (header?.toString('latin1', 0, 8) !== 'PERFILE2') throw this.#damage(0, 'this is no perf.data');
      this.#header = blockOf(header);
      const { view } = this.#header;
      const attrs = section(view, 24);
      const data = section(view, 40);
      this.#data = { start: data.offset, end: Math.min(this.#size, data.offset + data.size) };
      this.#attributes = this.#readAttributes(attrs, toNumber(view, 16), this.#names());
      this.events = this.#attributes;
      const [first] = this.#attributes;
      if (first === undefined) throw this.#damage(24, 'the file describes no events');
      this.#trailerPlaces = trailerPlaces(first);
      this.#idAt = this.#attributes.length > 1 ? first.places.id : -1;
      const { time } = first.places;
      this.#timeAt = this.#attributes.every(({ places }) => places.time === time) ? time : undefined;
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** The bytes of one of FEATURE; undefined where the file does not have it. */
  feature(wanted: number): Buffer | undefined {
    const place = this.#featurePlace(wanted);
    return place === undefined || place.size > MOST_FEATURE_BYTES ? undefined : this.#read(place.offset, place.size);
  }

  /** Whether stacks are not yet found, but the memory that they are to be found in, or records that are not read here. */
  get needsPerf(): boolean {
    const copies = SAMPLE.branchStack | SAMPLE.regsUser | SAMPLE.stackUser;
    return this.#declares(FEATURE.compressed) || this.events.some(({ sampleType }) => (sampleType & copies) !== 0);
  }

  /** Whether all samples tell it. */
  tells(part: 'time' | 'cpu' | 'period'): boolean {
    return this.events.every(({ sampleType }) => (sampleType & SAMPLE[part]) !== 0);
  }

  /**
   * What a file has in all: its samples, when the first and the last of them were taken, and the kernel's own code. Nothing
   * is put in order for that.
   */
  overview(): FileOverview {
    this.compressed = 0;
    const kernel: FileMapping[] = [];
    let samples = 0;
    let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    const cursor = this.#cursor((last) => last);
    while (cursor.next()) {
      const { block, at, size } = cursor;
      const type = block.view.getUint32(at, true);
      if (type === RECORD.compressed) this.compressed++;
      if (type === RECORD.mmap || type === RECORD.mmap2) {
        const mapping = this.#mapping(type, block, at, size);
        if (mapping?.pid === -1 && mapping.start < 0) kernel.push(mapping);
      }
      if (type !== RECORD.sample) continue;
      samples++;
      const time = this.#sampleTime(block.view, at, size);
      if (time === undefined) continue;
      if (time < first) first = time;
      if (time > last) last = time;
    }
    return last < first ? { samples, kernel } : { samples, kernel, times: { first, last } };
  }

  /**
   * All records, in the order of their times; those without a time come as they stand. The chain of a sample is there until
   * the next record is asked for. May be called again.
   */
  records(): IterableIterator<FileRecord> {
    this.damaged = 0;
    this.compressed = 0;
    // What tracepoints recorded is kept by those who pair it with other records: V8 frees its blocks after them.
    const isKept = this.events.some(({ sampleType }) => (sampleType & SAMPLE.raw) !== 0);
    const free: Block[] = [];
    const waiting = new Waiting((block) => {
      if (!isKept) free.push(block);
    });
    const cursor = this.#cursor(() => free.pop());
    let flushTo = Number.NEGATIVE_INFINITY;
    let latest = Number.NEGATIVE_INFINITY;
    let isOver = false;
    /** Goes on in the file; gives the record where it has no time. */
    const read = (): FileRecord | undefined => {
      const { block, at, size } = cursor;
      const type = block.view.getUint32(at, true);
      if (type === RECORD.finishedRound) {
        // What was written before the round that has ended cannot be older than what that round began with.
        waiting.release(flushTo, block);
        flushTo = latest;
        return undefined;
      }
      if (type === RECORD.compressed) this.compressed++;
      if (type >= FIRST_USER_TYPE) return undefined;
      const { view } = block;
      const time = type === RECORD.sample ? this.#sampleTime(view, at, size) : this.#trailerTime(view, at, size);
      if (time === undefined) return this.#decode(block, at);
      if (time > latest) latest = time;
      waiting.add(time, block, at);
      return undefined;
    };
    const next = (): FileRecord | undefined => {
      for (;;) {
        while (waiting.next()) {
          const record = this.#decode(waiting.block, waiting.at);
          if (record !== undefined) return record;
        }
        if (isOver) return undefined;
        if (cursor.next()) {
          const record = read();
          if (record !== undefined) return record;
        } else {
          isOver = true;
          if (cursor.isDamaged) this.damaged++;
          waiting.release(Number.POSITIVE_INFINITY, cursor.block);
        }
      }
    };
    // No generator: there may be millions.
    return {
      next: () => {
        const value = next();
        return value === undefined ? { value, done: true } : { value, done: false };
      },
      [Symbol.iterator]() {
        return this;
      },
    };
  }

  /** `spare`: a block that is not needed any more. */
  #cursor(spare: (last: Block) => Block | undefined): Cursor {
    return new Cursor(this.#data.start, this.#data.end, (at, length, last) => {
      const free = spare(last);
      const block = free?.bytes.length === length ? free : blockOf(Buffer.allocUnsafeSlow(length));
      return this.#fill(block.bytes, at) ? block : undefined;
    });
  }

  #decode(block: Block, at: number): FileRecord | undefined {
    const { view } = block;
    const type = view.getUint32(at, true);
    const size = view.getUint16(at + 6, true);
    switch (type) {
      case RECORD.sample:
        return this.#sample(block, at, size);
      case RECORD.mmap:
      case RECORD.mmap2:
        return this.#mapping(type, block, at, size);
      case RECORD.comm:
        return this.#name(block, at, size);
      case RECORD.exit:
        return size < 32
          ? this.#bad()
          : { kind: 'exit', pid: view.getInt32(at + 8, true), tid: view.getInt32(at + 16, true) };
      case RECORD.switch:
      case RECORD.switchCpuWide:
        return this.#switch(view, at, size);
      case RECORD.fork:
        return size < 32
          ? this.#bad()
          : {
              kind: 'fork',
              pid: view.getInt32(at + 8, true),
              parentPid: view.getInt32(at + 12, true),
              tid: view.getInt32(at + 16, true),
              parentTid: view.getInt32(at + 20, true),
            };
      case RECORD.lost:
        return this.#lost(16, view, at, size);
      case RECORD.lostSamples:
        return this.#lost(8, view, at, size);
      default:
        return undefined;
    }
  }

  #bad(): undefined {
    this.damaged++;
    return undefined;
  }

  #sample({ bytes, view }: Block, at: number, size: number): FileSample | undefined {
    const end = at + size;
    const event = this.#attributeOf(view, at, size);
    if (event === undefined) return this.#bad();
    const { sampleType, places } = event;
    let pos = at + places.rest;
    if (pos > end) return this.#bad();
    if ((sampleType & SAMPLE.read) !== 0) pos += readBytes(view, pos, end, event.readFormat);
    // Without callers there is the address alone.
    let [chainStart, chainEnd] = places.ip < 0 ? [pos, pos] : [at + places.ip, at + places.ip + 8];
    if ((sampleType & SAMPLE.callchain) !== 0) {
      if (pos + 8 > end) return this.#bad();
      const count = toNumber(view, pos);
      chainStart = pos + 8;
      if (count > (end - chainStart) / 8) return this.#bad();
      chainEnd = chainStart + 8 * count;
      pos = chainEnd;
    }
    let raw: RawRecord | undefined;
    if ((sampleType & SAMPLE.raw) !== 0) {
      if (pos + 4 > end) return this.#bad();
      const length = view.getUint32(pos, true);
      if (length > end - pos - 4) return this.#bad();
      raw = { view, bytes, offset: pos + 4, length };
    }
    const isKernel = (view.getUint16(at + 4, true) & MISC.cpumode) === MISC.kernel;
    return {
      kind: 'sample',
      event,
      time: places.time < 0 ? undefined : this.#since(view, at + places.time),
      pid: places.tid < 0 ? -1 : view.getInt32(at + places.tid, true),
      tid: places.tid < 0 ? -1 : view.getInt32(at + places.tid + 4, true),
      cpu: places.cpu < 0 ? undefined : view.getUint32(at + places.cpu, true),
      period: places.period < 0 ? undefined : toNumber(view, at + places.period),
      chain: new CallChain(view, chainStart, chainEnd, isKernel ? 'kernel' : 'user'),
      raw,
    };
  }

  /** Undefined where it has none, or is too short. */
  #sampleTime(view: DataView, at: number, size: number): number | undefined {
    const time = this.#timeAt ?? this.#attributeOf(view, at, size)?.places.time ?? -1;
    return time < 0 || time + 8 > size ? undefined : this.#since(view, at + time);
  }

  #mapping(type: number, { bytes, view }: Block, at: number, size: number): FileMapping | undefined {
    const isTwo = type === RECORD.mmap2;
    const head = isTwo ? 72 : 40;
    const misc = view.getUint16(at + 4, true);
    // Mappings of data are recorded on request only; a kernel's name of them is no code.
    if (!isTwo && (misc & MISC.mmapData) !== 0) return undefined;
    if (size <= head) return this.#bad();
    const hasBuildId = isTwo && (misc & MISC.mmapBuildId) !== 0;
    const hasInode = isTwo && !hasBuildId;
    return {
      kind: 'mapping',
      pid: view.getInt32(at + 8, true),
      start: toAddress(view.getInt32(at + 16, true), view.getInt32(at + 20, true)),
      length: toNumber(view, at + 24),
      offset: toNumber(view, at + 32),
      path: textAt(bytes, at + head, at + size),
      inode: hasInode ? toNumber(view, at + 48) : 0,
      ...(hasBuildId ? { buildId: bytes.toString('hex', at + 44, at + 44 + Math.min(bytes[at + 40]!, 20)) } : {}),
    };
  }

  #name({ bytes, view }: Block, at: number, size: number): FileName | undefined {
    if (size <= 16) return this.#bad();
    const time = this.#trailerTime(view, at, size);
    return {
      kind: 'name',
      pid: view.getInt32(at + 8, true),
      tid: view.getInt32(at + 12, true),
      comm: textAt(bytes, at + 16, at + size),
      isExec: (view.getUint16(at + 4, true) & MISC.commExec) !== 0,
      ...(time === undefined ? {} : { time }),
    };
  }

  #switch(view: DataView, at: number, size: number): FileSwitch | undefined {
    const { time, cpu, pid, tid } = this.#trailer(view, at, size);
    if (pid === undefined || tid === undefined) return this.#bad();
    const misc = view.getUint16(at + 4, true);
    const isOut = (misc & MISC.switchOut) !== 0;
    return { kind: 'switch', time, pid, tid, cpu, isOut, isPreempted: (misc & MISC.switchOutPreempt) !== 0 };
  }

  #lost(countAt: number, view: DataView, at: number, size: number): FileLost | undefined {
    if (size < countAt + 8) return this.#bad();
    const { time, cpu } = this.#trailer(view, at, size);
    return { kind: 'lost', count: toNumber(view, at + countAt), time, cpu };
  }

  /** What stands behind a record that is no sample. */
  #trailer(view: DataView, at: number, size: number): Trailer {
    const { length, ids, cpu } = this.#trailerPlaces;
    const start = at + size - length;
    if (start < at + RECORD_HEADER) return {};
    return {
      pid: ids === undefined ? undefined : view.getInt32(start + ids, true),
      tid: ids === undefined ? undefined : view.getInt32(start + ids + 4, true),
      time: this.#trailerTime(view, at, size),
      cpu: cpu === undefined ? undefined : view.getUint32(start + cpu, true),
    };
  }

  #trailerTime(view: DataView, at: number, size: number): number | undefined {
    const { length, time } = this.#trailerPlaces;
    const start = at + size - length;
    if (time === undefined || start < at + RECORD_HEADER) return undefined;
    const [low, high] = [view.getUint32(start + time, true), view.getUint32(start + time + 4, true)];
    // What perf itself writes at the start, about what ran already, has no time.
    if (low === high && (low === 0 || low === 0xffff_ffff)) return undefined;
    return this.#since(view, start + time);
  }

  /** Exact as far as the difference is within 2^53. */
  #since(view: DataView, at: number): number {
    const [high, low] = this.#origin;
    return (view.getUint32(at + 4, true) - high) * 2 ** 32 + (view.getUint32(at, true) - low);
  }

  /** With several events the sample's id tells which one it is of. */
  #attributeOf(view: DataView, at: number, size: number): Attribute | undefined {
    if (this.#idAt < 0) return this.#attributes[0];
    return this.#idAt + 8 > size ? undefined : this.#byId.get(toNumber(view, at + this.#idAt));
  }

  #damage(at: number, problem: string): DamagedFileError {
    return new DamagedFileError(`${this.path}: byte ${at}`, problem);
  }

  #readAttributes(
    { offset, size }: { offset: number; size: number },
    entry: number,
    names: ReadonlyMap<string, string>,
  ): Attribute[] {
    if (entry < ATTR_BYTES_MIN + 16 || entry > 4096) throw this.#damage(24, 'the file describes no events');
    const table = this.#read(offset, size);
    if (table === undefined) throw this.#damage(offset, 'the descriptions of its events are cut off');
    const attributes: Attribute[] = [];
    const { view } = blockOf(table);
    for (let at = 0; at + entry <= table.length; at += entry) {
      const idSection = section(view, at + entry - 16);
      const ids = idSection.size > 1 << 24 ? undefined : this.#read(idSection.offset, idSection.size);
      if (ids === undefined) throw this.#damage(idSection.offset, 'the ids of its events are cut off');
      const [type, config] = [view.getUint32(at, true), toNumber(view, at + 8)];
      const sampleType = view.getUint32(at + 24, true);
      const flags = view.getUint32(at + 40, true);
      const attribute: Attribute = {
        name: (ids.length >= 8 ? names.get(idText(ids, 0)) : undefined) ?? eventName(type, config, flags),
        type,
        config,
        sampleType,
        fixedPeriod: (flags & FLAG.freq) === 0 ? toNumber(view, at + 16) : undefined,
        readFormat: view.getUint32(at + 32, true),
        sampleIdAll: (flags & FLAG.sampleIdAll) !== 0,
        places: samplePlaces(sampleType),
      };
      attributes.push(attribute);
      const { view: idView } = blockOf(ids);
      for (let id = 0; id + 8 <= ids.length; id += 8) this.#byId.set(toNumber(idView, id), attribute);
    }
    return attributes;
  }

  /** Names of the events by each of their ids, from the feature EVENT_DESC; none where the file has no features. */
  #names(): Map<string, string> {
    const names = new Map<string, string>();
    const bytes = this.feature(FEATURE.eventDesc);
    if (bytes === undefined || bytes.length < 8) return names;
    const [count, attrSize] = [bytes.readUInt32LE(0), bytes.readUInt32LE(4)];
    let at = 8;
    for (let i = 0; i < count; i++) {
      at += attrSize;
      if (at + 8 > bytes.length) break;
      const idCount = bytes.readUInt32LE(at);
      const length = bytes.readUInt32LE(at + 4);
      at += 8;
      if (at + length + 8 * idCount > bytes.length) break;
      const name = textAt(bytes, at, at + length);
      at += length;
      for (let id = 0; id < idCount; id++, at += 8) names.set(idText(bytes, at), name);
    }
    return names;
  }

  /** Behind the data is a table with a place for each feature that the header's bits declare, in their order. */
  #featurePlace(wanted: number): { offset: number; size: number } | undefined {
    if (!this.#declares(wanted)) return undefined;
    let index = 0;
    for (let bit = 0; bit < wanted; bit++) if (this.#declares(bit)) index++;
    const data = section(this.#header.view, 40);
    const entry = this.#read(data.offset + data.size + 16 * index, 16);
    return entry === undefined ? undefined : section(blockOf(entry).view, 0);
  }

  #declares(feature: number): boolean {
    return ((this.#header.bytes[72 + (feature >> 3)]! >> (feature & 7)) & 1) === 1;
  }

  #read(offset: number, length: number): Buffer | undefined {
    if (offset + length > this.#size) return undefined;
    const bytes = Buffer.allocUnsafeSlow(length);
    return this.#fill(bytes, offset) ? bytes : undefined;
  }

  /** Reads what is at a place of the file; false where it ends before. */
  #fill(bytes: Buffer, offset: number): boolean {
    for (let read = 0; read < bytes.length; ) {
      const count = readSync(this.#fd, bytes, read, bytes.length - read, offset + read);
      if (count === 0) return false;
      read += count;
    }
    return true;
  }
}

/** Parts of a sample of 8 bytes each, in their order. */
const FIXED = [
  SAMPLE.identifier,
  SAMPLE.ip,
  SAMPLE.tid,
  SAMPLE.time,
  SAMPLE.addr,
  SAMPLE.id,
  SAMPLE.streamId,
  SAMPLE.cpu,
  SAMPLE.period,
];

const READ = { enabled: 1, running: 2, id: 4, group: 8, lost: 16 } as const;

/** Bytes of the counter values in a sample (struct read_format). */
function readBytes(view: DataView, at: number, end: number, format: number): number {
  const has = (bit: number): number => ((format & bit) === 0 ? 0 : 8);
  const times = has(READ.enabled) + has(READ.running);
  const each = 8 + has(READ.id) + has(READ.lost);
  if ((format & READ.group) === 0) return times + each;
  const count = at + 8 <= end ? toNumber(view, at) : 0;
  return 8 + times + Math.min(count, end) * each;
}

const SOFTWARE = [
  'cpu-clock',
  'task-clock',
  'page-faults',
  'context-switches',
  'cpu-migrations',
  'minor-faults',
  'major-faults',
];

/** What perf would call it, with the modifier for user space only. */
function eventName(type: number, config: number, flags: number): string {
  const known = type === 0 && config === 0 ? 'cycles' : type === 1 ? SOFTWARE[config] : undefined;
  return `${known ?? `event ${type}/${config}`}${(flags & FLAG.excludeKernel) === 0 ? '' : ':u'}`;
}

function section(view: DataView, at: number): { offset: number; size: number } {
  return { offset: toNumber(view, at), size: toNumber(view, at + 8) };
}

function idText(bytes: Buffer, at: number): string {
  return bytes.toString('latin1', at, at + 8);
}

function textAt(bytes: Buffer, start: number, end: number): string {
  const nul = bytes.indexOf(0, start);
  return decodeBytes(bytes.subarray(start, nul < 0 || nul > end ? end : nul));
}

/** An unsigned number of 64 bits. Most have only 32, and need no floating point. */
function toNumber(view: DataView, at: number): number {
  const [low, high] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
  return high === 0 ? low : high * 2 ** 32 + low;
}
