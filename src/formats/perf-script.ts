import { ByteStrings } from '../common/byte-strings.ts';
import { decodeBytes } from '../common/decode-bytes.ts';

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

/** The first line of a sample without its frames. */
type Header = Omit<PerfSample, 'kind' | 'frames'> & { readonly rest: string };

const NONE: readonly PerfRecord[] = [];

/** A first line is short (a command has 15 bytes); what is longer holds other text after it, and is cut for reading. */
const LONGEST_HEADER = 4096;

/**
 * The records in lines of perf script, lazily, in their order. A line that cannot be read goes to `unreadable`; the text
 * of a sample in which it stands is read on.
 */
export function* readPerfScript(
  lines: Iterable<string>,
  unreadable: (line: string) => void,
  form: HeaderForm = 'any',
): Generator<PerfRecord> {
  const parser = new PerfScriptParser(unreadable, form);
  for (const line of lines) yield* parser.push(line);
  yield* parser.end();
}

/** Bytes of frame lines that are remembered. */
const REMEMBERED = 32 * 1024 * 1024;

/** The same for lines that come bit by bit. */
export class PerfScriptParser {
  readonly #unreadable: (line: string) => void;
  readonly #form: HeaderForm;
  readonly #timedForm: RegExp;
  /** Samples with text of their own behind the event's name, as tracepoints have it, which is not read. */
  withText = 0;
  #header: Header | undefined;
  #frames: PerfFrame[] = [];
  /** Lines of call chains that were met, and their frames: the same few come again and again. */
  #known = new ByteStrings();
  #knownFrames: (PerfFrame | undefined)[] = [];

  constructor(unreadable: (line: string) => void, form: HeaderForm = 'any') {
    this.#unreadable = unreadable;
    this.#form = form;
    this.#timedForm = form === 'recorded' ? RECORDED_HEADER : TIMED_HEADER;
  }

  /** Takes one line, without its newline, and gives what it completes: mostly nothing, two records at most. */
  push(text: string): readonly PerfRecord[] {
    const line = text.endsWith('\r') ? text.slice(0, -1) : text;
    if (line === '') return this.#endSample();
    const first = line.charCodeAt(0);
    if (first === SPACE || first === TAB) return this.#indented(line);
    // In what was asked for without --header it is a command that begins so.
    if (first === HASH && this.#form === 'any') return NONE;
    return this.#columnOne(line);
  }

  /** Takes whole lines, without the last newline. Equal lines of call chains are the same frame. */
  pushBytes(bytes: Buffer): PerfRecord[] {
    const records: PerfRecord[] = [];
    for (let start = 0; start <= bytes.length; ) {
      const found = bytes.indexOf(NEWLINE, start);
      const end = found < 0 ? bytes.length : found;
      const frame = this.#header !== undefined && bytes[start] === TAB ? this.#frameAt(bytes, start, end) : undefined;
      if (frame !== undefined) this.#frames.push(frame);
      else records.push(...this.push(end === start ? '' : decodeBytes(bytes.subarray(start, end))));
      start = end + 1;
    }
    return records;
  }

  /** The frame that a line is, undefined where it is something else. */
  #frameAt(bytes: Buffer, start: number, end: number): PerfFrame | undefined {
    if (this.#known.size > REMEMBERED) {
      this.#known = new ByteStrings();
      this.#knownFrames = [];
    }
    const id = this.#known.idAt(bytes, start, end);
    if (id === this.#knownFrames.length) {
      const line = decodeBytes(bytes.subarray(start, end));
      this.#knownFrames.push(this.#timedHeader(line) === undefined ? parseFrame(line) : undefined);
    }
    return this.#knownFrames[id];
  }

  /** Gives the last sample, which need not have a blank line after it. */
  end(): readonly PerfRecord[] {
    return this.#endSample();
  }

  #indented(line: string): readonly PerfRecord[] {
    // A command can be empty, and perf script aligns commands to the right where it prints no call chains.
    const timed = this.#timedHeader(line);
    if (timed !== undefined) return this.#begin(timed);
    const frame = this.#header === undefined ? undefined : parseFrame(line);
    if (frame !== undefined) this.#frames.push(frame);
    else if (line.trim() === '') return this.#endSample();
    else this.#unreadable(line);
    return NONE;
  }

  #timedHeader(line: string): Header | undefined {
    return line.includes(': ') ? parseTimedHeader(line, this.#timedForm) : undefined;
  }

  #columnOne(line: string): readonly PerfRecord[] {
    const header = this.#form === 'recorded' ? parseTimedHeader(line, this.#timedForm) : parseAnyHeader(line);
    if (header !== undefined) return this.#begin(header);
    const frame = parseFrame(line);
    if (frame !== undefined && this.#header !== undefined) this.#frames.push(frame);
    else this.#unreadable(line);
    return NONE;
  }

  /** A first line ends the sample before it, even without a blank line between them. */
  #begin(header: Header): readonly PerfRecord[] {
    const before = this.#endSample();
    const record = parseTaskRecord(header);
    if (record === undefined) {
      this.#header = header;
      const frame = header.rest === '' ? undefined : parseFrame(header.rest);
      if (frame !== undefined) this.#frames.push(frame);
      else if (header.rest !== '') this.withText++;
      return before;
    }
    return record === 'other' ? before : [...before, record];
  }

  #endSample(): readonly PerfRecord[] {
    const header = this.#header;
    if (header === undefined) return NONE;
    const { comm, pid, tid, cpu, time, period, event } = header;
    const sample: PerfSample = { kind: 'sample', comm, pid, tid, cpu, time, period, event, frames: this.#frames };
    this.#header = undefined;
    this.#frames = [];
    return [sample];
  }
}

const TAB = 9;
const NEWLINE = 10;
const SPACE = 32;
const HASH = 35;
const SLASH = 47;

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

// `names 17917/17920 [000]  7585.141866090: cpu-clock:ppp: `
// No command of 15 bytes looks like this, nine decimals and all. Not all recordings know the CPU.
const RECORDED_HEADER = /\s(-?\d+)\/(-?\d+)\s+(?:\[(\d+)\]\s+)?(\d+)\.(\d{9}):\s/;
// `         swapper     0 [000]  7613.369687: cpu-clock:ppp: `
const TIMED_HEADER = /\s(-?\d+)(?:\/(-?\d+))?\s+(?:\[(\d+)\]\s+)?(\d+)\.(\d+):\s/;

/** A first line with a time: what stands before the numbers is the command, whatever it is made of. */
function parseTimedHeader(line: string, form: RegExp): Header | undefined {
  const head = line.slice(0, LONGEST_HEADER);
  const match = form.exec(head);
  if (match === null) return undefined;
  const [all, first, second, cpu, seconds, fraction] = match;
  const comm = head.slice(0, match.index).trim();
  const time = toTime(seconds as string, fraction as string);
  const after = parseEvent(line, match.index + all.length - 1);
  return { comm, ...ids(first as string, second), cpu: cpu === undefined ? undefined : Number(cpu), time, ...after };
}

// `V8 WorkerThread 25607 4794564.109216: 104345 cycles:`
// `java 24636/25607 [000] 4794564.109216: 1 cycles:`
/** A first line of any form: a command and a number (or two) are there, the rest may be missing. */
function parseAnyHeader(line: string): Header | undefined {
  const found = line.startsWith(GONE) ? goneTask(line) : firstNumber(line);
  if (found === undefined) return undefined;
  const { comm, first, second, end } = found;
  AFTER_IDS.lastIndex = end;
  const [all, cpu, seconds, fraction] = AFTER_IDS.exec(line) as RegExpExecArray;
  const header: Header = {
    comm,
    ...ids(first, second),
    cpu: cpu === undefined ? undefined : Number(cpu),
    time: seconds === undefined ? undefined : toTime(seconds, fraction as string),
    ...parseEvent(line, end + all.length),
  };
  if (header.time !== undefined || header.event !== undefined) return header;
  // The number may have been part of the command: what comes after it is then further on.
  return { ...header, ...parseTimedHeader(line, TIMED_HEADER), comm, ...ids(first, second) };
}

/** The beginning of a first line: a command and the numbers behind it, and where they end. */
interface HeaderStart {
  readonly comm: string;
  readonly first: string;
  readonly second: string | undefined;
  readonly end: number;
}

/** The shortest text before white space and a number. */
function firstNumber(line: string): HeaderStart | undefined {
  const length = Math.min(line.length, LONGEST_HEADER);
  for (let i = 1; i < length; i++) {
    if (!isDigit(line.charCodeAt(i)) || !isSpace(line.charCodeAt(i - 1))) continue;
    let end = skipDigits(line, i);
    const first = line.slice(i, end);
    let second: string | undefined;
    if (line.charCodeAt(end) === SLASH) {
      const next = skipDigits(line, end + 1);
      if (next > end + 1) second = line.slice(end + 1, next);
      end = next;
    }
    if (isSpace(line.charCodeAt(end))) return { comm: line.slice(0, i).trimEnd(), first, second, end };
  }
  return undefined;
}

// `:-1 28350/-1    [000] 12738.216117:    1003009 cpu-clock:ppp: `
/** What perf calls a task that had ended when it was sampled. No other has numbers below 0. */
const GONE = ':-1';
const GONE_TASK = /^:-1\s+(-?\d+)(?:\/(-?\d+))?(?=\s)/;

function goneTask(line: string): HeaderStart | undefined {
  const match = GONE_TASK.exec(line);
  return match === null ? undefined : { comm: GONE, first: match[1]!, second: match[2], end: match[0].length };
}

const AFTER_IDS = /\s*(?:\[(\d+)\])?\s*(?:(\d+)\.(\d+):)?/y;
const EVENT = /\s*(?:(\d+)\s+)?(?:(\S+):(?:\s+|$))?/y;

/** From `start` on: an optional period, the event's name and a colon, and whatever follows it. */
function parseEvent(line: string, start: number): Pick<Header, 'period' | 'event' | 'rest'> {
  EVENT.lastIndex = start;
  const [all, period, event] = EVENT.exec(line) as RegExpExecArray;
  return {
    period: period === undefined ? undefined : Number(period),
    event,
    rest: line.slice(start + all.length),
  };
}

// `names 17917/17917 [000]  7585.141781765: PERF_RECORD_FORK(17917:17919):(17917:17917)`
// `ls 17922/17922 [000]  7585.342904654: PERF_RECORD_COMM exec: ls:17922/17922`
// `names 19570/19570 [000]  8059.710209201: PERF_RECORD_LOST lost 2`
const TASK_RECORD = /PERF_RECORD_([A-Z0-9_]+)/;
const FORK = /FORK\((\d+):(\d+)\):\((\d+):/;
const LOST = /LOST lost (\d+)/;

/** What --show-task-events and --show-lost-events add. A command cannot look like one: its 15 bytes are too few. */
function parseTaskRecord({ event, rest, comm }: Header): PerfFork | PerfLost | 'other' | undefined {
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

/** `N/M` is pid and tid; a single number is the tid. */
function ids(first: string, second: string | undefined): { pid: number | undefined; tid: number } {
  return second === undefined ? { pid: undefined, tid: Number(first) } : { pid: Number(first), tid: Number(second) };
}

function toTime(seconds: string, fraction: string): PerfTime {
  return { seconds: Number(seconds), nanoseconds: Number(fraction.slice(0, 9).padEnd(9, '0')) };
}

function skipDigits(line: string, start: number): number {
  let end = start;
  while (isDigit(line.charCodeAt(end))) end++;
  return end;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function isHex(code: number): boolean {
  return isDigit(code) || (code >= 97 && code <= 102) || (code >= 65 && code <= 70);
}

function isSpace(code: number): boolean {
  return code === SPACE || code === TAB;
}
