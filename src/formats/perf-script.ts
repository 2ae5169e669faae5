import { ByteMemo } from '../common/byte-memo.ts';
import { decodeBytes } from '../common/decode-bytes.ts';
import { HeaderReader, type SampleHeader } from './perf-header.ts';
import { StackLines } from './stack-lines.ts';

/*
 * Reader of the text that `perf script` prints (perf-script(1)), one line at a time. What a line may look like is in
 * docs/folding.md; what its parts mean for a flame graph is in folding.ts.
 */

/** One frame, as it is printed. `address` is hexadecimal; `module` is a path, `[kernel.kallsyms]`, `[unknown]`, ... */
export interface PerfFrame {
  readonly address: string;
  readonly symbol: string;
  readonly module: string;
  /** A number that is the frame's alone, where its reader gives such: what is known of a frame is found by it at once. */
  readonly number?: number;
}

/** A time as whole seconds and nanoseconds: as one number it would lose digits after 104 days of uptime. */
export interface PerfTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** One sample. What the text did not tell is undefined. */
export interface PerfSample {
  readonly kind: 'sample';
  readonly comm: string;
  readonly pid: number | undefined;
  readonly tid: number;
  readonly cpu: number | undefined;
  readonly time: PerfTime | undefined;
  readonly period: number | undefined;
  /** Name as printed, with modifiers: `cpu-clock:ppp`, `sched:sched_switch`. */
  readonly event: string | undefined;
  /** Innermost first, as they are printed. */
  readonly frames: readonly PerfFrame[];
  /** A number that all samples with these frames have, where their reader gives such. */
  readonly stack?: number | undefined;
}

/** A new task (--show-task-events). For a thread `pid` differs from `tid`. */
export interface PerfFork {
  readonly kind: 'fork';
  readonly pid: number;
  readonly tid: number;
  readonly parentPid: number;
  readonly comm: string;
}

/** `count` records that the kernel had no room for (--show-lost-events). */
export interface PerfLost {
  readonly kind: 'lost';
  readonly count: number;
}

export type PerfRecord = PerfSample | PerfFork | PerfLost;

/**
 * How the first line of a sample is read. `any` is for text from anywhere: the command is the shortest text before
 * white space and a number. `recorded` is for text that was asked for with the fields RECORDED_FIELDS and --ns: only
 * there is it certain where a command such as `worker 12 3` ends.
 */
export type HeaderForm = 'any' | 'recorded';

/** The fields that the form `recorded` reads; it also reads `period`, and does without `cpu`. */
export const RECORDED_FIELDS = 'comm,pid,tid,cpu,time,event,ip,sym,dso';

/**
 * The records in lines of perf script, lazily, in their order. A line that cannot be read goes to `unreadable`; the text
 * of a sample in which it stands is read on.
 */
export function* readPerfScript(
  lines: Iterable<string>,
  unreadable: (line: string) => void,
  form: HeaderForm = 'any',
): Generator<PerfRecord> {
  let records: PerfRecord[] = [];
  const parser = new PerfScriptParser((record) => records.push(record), unreadable, form);
  for (const line of lines) {
    parser.push(Buffer.from(`${line}\n`));
    yield* records;
    records = [];
  }
  parser.end();
  yield* records;
}

/** The same for lines that come bit by bit: each record is given to `take` as soon as it is complete. */
export class PerfScriptParser {
  readonly #take: (record: PerfRecord) => void;
  readonly #unreadable: (line: string) => void;
  readonly #form: HeaderForm;
  readonly #headers: HeaderReader;
  /** Samples with text of their own behind the event's name, as tracepoints have it, which is not read. */
  withText = 0;
  #header: SampleHeader | undefined;
  /** The frames since the last that stood on a line of another form; it and those before it. */
  readonly #lines: StackLines;
  /** What stands behind the addresses of frames; undefined where that is not certain without the address. */
  readonly #places = new ByteMemo((text) => (text.includes(': ') ? undefined : parseFrame(`0${text}`)));
  #before: PerfFrame[] = [];

  constructor(take: (record: PerfRecord) => void, unreadable: (line: string) => void, form: HeaderForm = 'any') {
    this.#take = take;
    this.#unreadable = unreadable;
    this.#form = form;
    this.#headers = new HeaderReader(form);
    this.#lines = new StackLines((bytes, start, end, number) => this.#frame(bytes, start, end, number));
  }

  /** Takes whole lines, each with its newline. */
  push(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) at = this.#line(bytes, at);
  }

  /** Takes the last sample, which need not have a blank line after it. */
  end(): void {
    this.#endSample();
  }

  /** Reads the line at `start`, and gives the place of the next. */
  #line(bytes: Buffer, start: number): number {
    const first = bytes[start];
    if (first === NEWLINE) {
      this.#endSample();
      return start + 1;
    }
    if (first === TAB && this.#header !== undefined) {
      const next = this.#lines.add(bytes, start);
      if (next >= 0) return next;
    }
    // In what was asked for without --header it is a command that begins so.
    if (first === HASH && this.#form === 'any') return bytes.indexOf(NEWLINE, start) + 1;
    const header = this.#headers.read(bytes, start);
    if (header !== undefined) {
      this.#begin(header);
      return this.#headers.end;
    }
    const end = bytes.indexOf(NEWLINE, start);
    const line = decodeBytes(bytes.subarray(start, end));
    this.#other(line.endsWith('\r') ? line.slice(0, -1) : line);
    return end + 1;
  }

  /** The frame in bytes[start, end), where it is one and no first line. */
  #frame(bytes: Buffer, start: number, end: number, number: number): PerfFrame | undefined {
    let from = start;
    while (isSpace(bytes[from]!)) from++;
    let behind = from;
    while (isHex(bytes[behind]!)) behind++;
    // Where behind the address stands what was met before, it is read no more.
    if (behind > from && isSpace(bytes[behind]!)) {
      const place = this.#places.at(bytes, behind, end);
      if (place !== undefined) {
        const { symbol, module } = place;
        return { address: bytes.toString('latin1', from, behind), symbol, module, number };
      }
    }
    const line = decodeBytes(bytes.subarray(start, end));
    const frame = this.#headers.timed(line) === undefined ? parseFrame(line) : undefined;
    return frame === undefined ? undefined : { ...frame, number };
  }

  /** A line that is not like most. */
  #other(line: string): void {
    const isIndented = line === '' || isSpace(line.charCodeAt(0));
    // A command can be empty, and perf script aligns commands to the right where it prints no call chains.
    const header = isIndented ? this.#headers.timed(line) : this.#headers.inColumnOne(line);
    if (header !== undefined) {
      this.#begin(header);
      return;
    }
    const frame = this.#header === undefined ? undefined : parseFrame(line);
    if (frame !== undefined) this.#add(frame);
    else if (line.trim() === '' && isIndented) this.#endSample();
    else this.#unreadable(line);
  }

  #add(frame: PerfFrame): void {
    this.#keep(this.#lines.end().frames);
    this.#before.push(frame);
    this.#lines.begin();
  }

  /** A first line ends the sample before it, even without a blank line between them. */
  #begin(header: SampleHeader): void {
    this.#endSample();
    const record = parseTaskRecord(header);
    if (record !== undefined) {
      if (record !== 'other') this.#take(record);
      return;
    }
    this.#header = header;
    this.#lines.begin();
    if (header.rest === '') return;
    const frame = parseFrame(header.rest);
    if (frame === undefined) this.withText++;
    else this.#add(frame);
  }

  /** They may be more than a call takes as arguments. */
  #keep(frames: readonly PerfFrame[]): void {
    for (const frame of frames) this.#before.push(frame);
  }

  #endSample(): void {
    const header = this.#header;
    if (header === undefined) return;
    this.#header = undefined;
    const { comm, pid, tid, cpu, time, period, event } = header;
    const { frames, number } = this.#lines.end();
    if (this.#before.length === 0) {
      this.#take({ kind: 'sample', comm, pid, tid, cpu, time, period, event, frames, stack: number });
      return;
    }
    this.#keep(frames);
    this.#take({ kind: 'sample', comm, pid, tid, cpu, time, period, event, frames: this.#before });
    this.#before = [];
  }
}

const TAB = 9;
const NEWLINE = 10;
const SPACE = 32;
const HASH = 35;

// `	ffffffff821f4dab pv_native_safe_halt ([kernel.kallsyms])`
// `	    7f2d3a02724a std::operator< <int, (Kind)1> (int) (/usr/lib/libfoo.so (deleted))`
/**
 * A frame line: the module is what stands in the last brackets that follow a space, the symbol is all before them. The
 * ` (deleted)` of a file that is gone belongs to the module. Undefined where the line is none.
 */
export function parseFrame(line: string): PerfFrame | undefined {
  const close = line.lastIndexOf(')');
  if (close < 0) return undefined;
  const before = line.endsWith(DELETED, close) ? close - DELETED.length - 1 : close;
  const open = line.lastIndexOf(' (', before);
  if (open < 0) return undefined;
  let start = 0;
  while (isSpace(line.charCodeAt(start))) start++;
  let end = start;
  while (isHex(line.charCodeAt(end))) end++;
  if (end === start || end > open || !isSpace(line.charCodeAt(end))) return undefined;
  let symbol = end;
  while (symbol < open && isSpace(line.charCodeAt(symbol))) symbol++;
  return { address: line.slice(start, end), symbol: line.slice(symbol, open), module: line.slice(open + 2, close) };
}

const DELETED = ' (deleted)';

// `names 17917/17917 [000]  7585.141781765: PERF_RECORD_FORK(17917:17919):(17917:17917)`
// `ls 17922/17922 [000]  7585.342904654: PERF_RECORD_COMM exec: ls:17922/17922`
// `names 19570/19570 [000]  8059.710209201: PERF_RECORD_LOST lost 2`
const TASK_RECORD = /PERF_RECORD_([A-Z0-9_]+)/;
const FORK = /FORK\((\d+):(\d+)\):\((\d+):/;
const LOST = /LOST lost (\d+)/;

/** What --show-task-events and --show-lost-events add. A command cannot look like one: its 15 bytes are too few. */
function parseTaskRecord({ event, rest, comm }: SampleHeader): PerfFork | PerfLost | 'other' | undefined {
  const text = event?.startsWith('PERF_RECORD_') ? `${event}:${rest}` : rest;
  const match = text.startsWith('PERF_RECORD_') ? TASK_RECORD.exec(text) : null;
  if (match === null) return undefined;
  const fork = FORK.exec(text);
  if (fork !== null) {
    return { kind: 'fork', pid: Number(fork[1]), tid: Number(fork[2]), parentPid: Number(fork[3]), comm };
  }
  const lost = LOST.exec(text);
  return lost === null ? 'other' : { kind: 'lost', count: Number(lost[1]) };
}

function isHex(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 97 && code <= 102) || (code >= 65 && code <= 70);
}

function isSpace(code: number): boolean {
  return code === SPACE || code === TAB;
}
