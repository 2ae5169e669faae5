import { ByteMemo } from '../common/byte-memo.ts';
import { decodeBytes } from '../common/decode-bytes.ts';
import type { HeaderForm, PerfSample, PerfTime } from './perf-script.ts';

/** The first line of a sample, and what stands behind the event's name. */
export type SampleHeader = Omit<PerfSample, 'kind' | 'frames' | 'stack'> & { readonly rest: string };

/** Whose a sample is: what stands before its time. */
type SampleTask = Pick<PerfSample, 'comm' | 'pid' | 'tid' | 'cpu'>;

/** A first line is short (a command has 15 bytes); what is longer holds other text after it, and is cut for reading. */
const LONGEST_HEADER = 4096;
/** Digits of a number that is read here. */
const MOST_DIGITS = 15;
/** A text behind which only a time is missing for a first line, and one. */
const SOME_TIME = '0.000000000: ';

const TAB = 9;
const NEWLINE = 10;
const RETURN = 13;
const SPACE = 32;
const DOT = 46;
const SLASH = 47;
const ZERO = 48;
const COLON = 58;

/**
 * Reads the first lines of samples. Mostly they differ in time and period alone: what stands before the time, and the event,
 * was met before.
 */
export class HeaderReader {
  /** Behind the newline of the line that read() was given last. */
  end = 0;
  readonly #form: HeaderForm;
  readonly #timedForm: RegExp;
  readonly #tasks = new ByteMemo((text) => this.#taskBeforeTime(text));
  /** Names; undefined where the text may hold blanks. */
  readonly #events = new ByteMemo((text) => (/\s/.test(text) ? undefined : text));

  constructor(form: HeaderForm) {
    this.#form = form;
    this.#timedForm = form === 'recorded' ? RECORDED_HEADER : TIMED_HEADER;
  }

  /** The line at `start`, where it has all parts at their usual places. Of any other timed() and inColumnOne() tell. */
  read(bytes: Buffer, start: number): SampleHeader | undefined {
    const colon = this.#endOfTime(bytes, start);
    if (colon < 0) return undefined;
    const dot = skipDigitsBack(bytes, colon) - 1;
    const begin = skipDigitsBack(bytes, dot);
    const task = this.#tasks.at(bytes, start, begin);
    if (task === undefined || dot - begin > MOST_DIGITS) return undefined;
    let at = skipBlanks(bytes, colon + 1);
    let period: number | undefined;
    const periodEnd = skipDigits(bytes, at);
    if (periodEnd > at && isBlank(bytes[periodEnd])) {
      if (periodEnd - at > MOST_DIGITS) return undefined;
      period = numberAt(bytes, at, periodEnd);
      at = skipBlanks(bytes, periodEnd);
    }
    let eventEnd = at;
    while (bytes[eventEnd]! > SPACE) eventEnd++;
    let event: string | undefined;
    if (eventEnd > at) {
      if (bytes[eventEnd - 1] !== COLON || eventEnd === at + 1) return undefined;
      event = this.#events.at(bytes, at, eventEnd - 1);
      if (event === undefined) return undefined;
    }
    const rest = this.#rest(bytes, skipBlanks(bytes, eventEnd));
    if (rest === undefined) return undefined;
    const time = { seconds: numberAt(bytes, begin, dot), nanoseconds: nanosecondsAt(bytes, dot + 1, colon) };
    const { comm, pid, tid, cpu } = task;
    return { comm, pid, tid, cpu, time, period, event, rest };
  }

  /** A first line with a time: what stands before the numbers is the command, whatever it is made of. */
  timed(line: string): SampleHeader | undefined {
    return line.includes(': ') ? parseTimedHeader(line, this.#timedForm) : undefined;
  }

  /** A line that begins with a command. */
  inColumnOne(line: string): SampleHeader | undefined {
    return this.#form === 'recorded' ? parseTimedHeader(line, this.#timedForm) : parseAnyHeader(line);
  }

  /** At the colon of the first time, before a blank; -1 where there is none. */
  #endOfTime(bytes: Buffer, start: number): number {
    const end = Math.min(bytes.length, start + LONGEST_HEADER) - 1;
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!;
      if (byte === NEWLINE) return -1;
      if (byte !== COLON || !isBlank(bytes[i + 1])) continue;
      const dot = skipDigitsBack(bytes, i) - 1;
      const decimals = i - dot - 1;
      if (dot <= start || bytes[dot] !== DOT || decimals === 0 || !isDigit(bytes[dot - 1])) continue;
      if (this.#form === 'any' || decimals === 9) return i;
    }
    return -1;
  }

  /** A time is read where another one would be, and ends there: digits are like digits. */
  #taskBeforeTime(text: string): SampleTask | undefined {
    const line = text + SOME_TIME;
    const header = isBlank(line.charCodeAt(0)) ? this.timed(line) : this.inColumnOne(line);
    if (header?.time === undefined || header.event !== undefined || header.rest !== '') return undefined;
    const { comm, pid, tid, cpu } = header;
    return { comm, pid, tid, cpu };
  }

  /** What is left of the line from a place that is no blank. */
  #rest(bytes: Buffer, start: number): string | undefined {
    const newline = bytes[start] === NEWLINE ? start : bytes.indexOf(NEWLINE, start);
    const end = newline > start && bytes[newline - 1] === RETURN ? newline - 1 : newline;
    this.end = newline + 1;
    if (start === end) return '';
    // There are other blanks than these.
    return bytes[start]! > SPACE && bytes[start]! < 128 ? decodeBytes(bytes.subarray(start, end)) : undefined;
  }
}

// `names 17917/17920 [000]  7585.141866090: cpu-clock:ppp: `
// No command of 15 bytes looks like this, nine decimals and all. Not all recordings know the CPU.
const RECORDED_HEADER = /\s(-?\d+)\/(-?\d+)\s+(?:\[(\d+)\]\s+)?(\d+)\.(\d{9}):\s/;
// `         swapper     0 [000]  7613.369687: cpu-clock:ppp: `
const TIMED_HEADER = /\s(-?\d+)(?:\/(-?\d+))?\s+(?:\[(\d+)\]\s+)?(\d+)\.(\d+):\s/;

/** A first line with a time: what stands before the numbers is the command, whatever it is made of. */
function parseTimedHeader(line: string, form: RegExp): SampleHeader | undefined {
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
function parseAnyHeader(line: string): SampleHeader | undefined {
  const found = line.startsWith(GONE) ? goneTask(line) : firstNumber(line);
  if (found === undefined) return undefined;
  const { comm, first, second, end } = found;
  AFTER_IDS.lastIndex = end;
  const [all, cpu, seconds, fraction] = AFTER_IDS.exec(line) as RegExpExecArray;
  const header: SampleHeader = {
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
    if (!isDigit(line.charCodeAt(i)) || !isBlank(line.charCodeAt(i - 1))) continue;
    let end = digitsEnd(line, i);
    const first = line.slice(i, end);
    let second: string | undefined;
    if (line.charCodeAt(end) === SLASH) {
      const next = digitsEnd(line, end + 1);
      if (next > end + 1) second = line.slice(end + 1, next);
      end = next;
    }
    if (isBlank(line.charCodeAt(end))) return { comm: line.slice(0, i).trimEnd(), first, second, end };
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
function parseEvent(line: string, start: number): Pick<SampleHeader, 'period' | 'event' | 'rest'> {
  EVENT.lastIndex = start;
  const [all, period, event] = EVENT.exec(line) as RegExpExecArray;
  return {
    period: period === undefined ? undefined : Number(period),
    event,
    rest: line.slice(start + all.length),
  };
}

/** `N/M` is pid and tid; a single number is the tid. */
function ids(first: string, second: string | undefined): { pid: number | undefined; tid: number } {
  return second === undefined ? { pid: undefined, tid: Number(first) } : { pid: Number(first), tid: Number(second) };
}

function toTime(seconds: string, fraction: string): PerfTime {
  return { seconds: Number(seconds), nanoseconds: Number(fraction.slice(0, 9).padEnd(9, '0')) };
}

function digitsEnd(line: string, start: number): number {
  let end = start;
  while (isDigit(line.charCodeAt(end))) end++;
  return end;
}

function skipDigits(bytes: Buffer, start: number): number {
  let end = start;
  while (isDigit(bytes[end])) end++;
  return end;
}

/** Where the digits before `end` begin. */
function skipDigitsBack(bytes: Buffer, end: number): number {
  let start = end;
  while (isDigit(bytes[start - 1])) start--;
  return start;
}

function skipBlanks(bytes: Buffer, start: number): number {
  let end = start;
  while (isBlank(bytes[end])) end++;
  return end;
}

/** The whole number in bytes[start, end), which are digits. */
function numberAt(bytes: Buffer, start: number, end: number): number {
  let value = 0;
  for (let i = start; i < end; i++) value = 10 * value + bytes[i]! - ZERO;
  return value;
}

/** Of decimals. */
function nanosecondsAt(bytes: Buffer, start: number, end: number): number {
  let value = 0;
  for (let i = start; i < start + 9; i++) value = 10 * value + (i < end ? bytes[i]! - ZERO : 0);
  return value;
}

function isDigit(code: number | undefined): boolean {
  return code !== undefined && code >= ZERO && code <= ZERO + 9;
}

function isBlank(code: number | undefined): boolean {
  return code === SPACE || code === TAB;
}
