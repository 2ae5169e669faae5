import { lstatSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { SingleBar } from 'cli-progress';
import { EXIT, errorCode, MarpleError, UsageError } from './errors.ts';
import { log, onLogFailure } from './log.ts';
import { logFile } from './paths.ts';
import { randomName } from './random-name.ts';
import { systemReason } from './system-reason.ts';
import { shorten } from './text.ts';
import { giveToUser } from './user.ts';

/** Bidirectional controls (Unicode TR 9) and line separators: they change how the text around them reads. */
const MISLEADING = '\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069';
const UNSAFE = new RegExp(`[\\x00-\\x1f\\x7f-\\x9f${MISLEADING}\\ud800-\\udfff]`, 'gu');
const UNSAFE_IN_JSON = new RegExp(`[\\x7f-\\x9f${MISLEADING}]`, 'gu');

/** Between two lines of progress where there is no terminal, seconds. */
const PLAIN_INTERVAL = 10;

export type OutputStream = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };

export interface OutputSettings {
  /** Nothing but errors and results. */
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly stdin?: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout?: OutputStream;
  readonly stderr?: OutputStream;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** What is running, for a bar or for lines. Times are in seconds. */
export interface Progress {
  /** @param seconds undefined where the end is not known. */
  start(run: { readonly seconds: number | undefined; readonly what: string }): void;
  update(state: { readonly elapsed: number; readonly records: number }): void;
  /** Removes the bar; may be called more than once. */
  stop(): void;
}

/** Some lines at the foot of the terminal that change in place. */
export interface Board {
  show(lines: readonly string[]): void;
  /** Removes them; may be called more than once. */
  stop(): void;
}

/**
 * Makes text from outside safe to show on one line: control characters (newlines too), bidirectional controls and bytes
 * that are no UTF-8 (U+DC80 .. U+DCFF, as data files have them) are written out, as `\n`, `\x1b`, `\u202e`.
 */
export function terminalSafe(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const named = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }[character];
    if (named !== undefined) return named;
    const code = character.charCodeAt(0);
    const byte = code >= 0xdc80 && code <= 0xdcff ? code - 0xdc00 : code;
    return byte <= 0xff ? `\\x${byte.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/**
 * The one place that writes to the terminal: messages to stderr, results to stdout; the messages go to the log as well.
 * A reader that goes away (`| head`) is no error: what would have been written is dropped, and the run goes on.
 */
export class Output {
  readonly #settings: OutputSettings;
  readonly #stdout: Sink;
  readonly #stderr: Sink;
  readonly #coloured: boolean;
  #live: Live | undefined;

  constructor(settings: OutputSettings = {}) {
    const env = settings.env ?? process.env;
    this.#settings = settings;
    this.#stdout = new Sink(settings.stdout ?? process.stdout, 'stdout');
    this.#stderr = new Sink(settings.stderr ?? process.stderr, 'stderr');
    this.#coloured = this.#stderr.isTerminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
    onLogFailure((sentence) => this.warn(sentence));
  }

  /** What happens, for a person. */
  info(sentence: string): void {
    log('info', sentence);
    if (!this.#settings.quiet) this.#say(terminalSafe(sentence));
  }

  /** Shown with --verbose only. */
  detail(sentence: string): void {
    log('debug', sentence);
    if (this.#settings.verbose && !this.#settings.quiet) this.#say(terminalSafe(sentence));
  }

  /** Something that makes the result less than it seems. */
  warn(sentence: string): void {
    log('warn', sentence);
    if (!this.#settings.quiet) this.#say(`${this.#paint('33', 'warning:')} ${terminalSafe(sentence)}`);
  }

  error(error: MarpleError): void {
    log('error', error.message, { hint: error.hint, exitCode: error.exitCode });
    this.#say(`${this.#paint('31', 'marple:')} ${terminalSafe(error.message)}`);
    if (error.hint !== undefined) this.#say(`${this.#paint('36', 'hint:')} ${terminalSafe(error.hint)}`);
  }

  /** A line that belongs to an error, such as one of a table. */
  errorLine(line: string): void {
    log('error', line);
    this.#say(terminalSafe(line));
  }

  /** An error of MARPLE's own, with its stack trace. */
  bug(stack: string): void {
    this.#say(`${this.#paint('31', 'marple:')} this is a bug of MARPLE:\n${safeLines(stack)}`);
    this.#say(`${this.#paint('36', 'hint:')} please report it, with the end of ${terminalSafe(logFile())}`);
  }

  /** Something that was asked for, to stdout. It may have several lines. */
  result(text: string): void {
    this.#between(() => this.#stdout.write(`${safeLines(text)}\n`));
  }

  /**
   * One JSON object.
   * @param file where it goes; `-` is stdout. A file is replaced in one step.
   * @throws UsageError where the file cannot be written.
   */
  json(value: unknown, file = '-'): void {
    const text = JSON.stringify(value, undefined, 2).replace(
      UNSAFE_IN_JSON,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
    if (file === '-') this.#between(() => this.#stdout.write(`${text}\n`));
    else writeWhole(file, `${text}\n`);
  }

  /**
   * Shows how a run goes on: a bar on a terminal, lines elsewhere, nothing with -q.
   * @param options.bar false where something else writes to the terminal during the run.
   */
  progress(options: { readonly bar?: boolean } = {}): Progress {
    if (this.#settings.quiet) return new Silence();
    if (!this.#stderr.isTerminal || options.bar === false) return new Lines((sentence) => this.info(sentence));
    const bar = new Bar(this.#stderr.stream);
    this.#live = bar;
    return bar;
  }

  /** Lines that change in place; undefined where there is no terminal, or with -q. */
  board(): Board | undefined {
    if (this.#settings.quiet || !this.#stderr.isTerminal) return undefined;
    const board = new LineBoard(this.#stderr.stream);
    this.#live = board;
    return board;
  }

  /** Asks on the terminal; where there is none, or with -q, the answer is no. */
  async confirm(question: string): Promise<boolean> {
    // Made when it is first asked for, which takes a while.
    const { quiet, stdin = process.stdin } = this.#settings;
    if (quiet || !stdin.isTTY || !this.#stderr.isTerminal) return false;
    // Not in raw mode: Ctrl-C stays a signal.
    const lines = createInterface({ input: stdin, output: this.#stderr.stream, terminal: false });
    try {
      const closed = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
      const answer = await Promise.race([lines.question(`${terminalSafe(question)} [y/N] `), closed]);
      log('info', question, { answer });
      return /^\s*y(es)?\s*$/i.test(answer);
    } finally {
      lines.close();
    }
  }

  /** Waits until everything is written. Returns an error where some of the results could not be (a full disk). */
  async flush(): Promise<MarpleError | undefined> {
    await Promise.all([this.#stdout.flush(), this.#stderr.flush()]);
    return this.#stdout.failure;
  }

  #say(text: string): void {
    this.#between(() => this.#stderr.write(`${text}\n`));
  }

  /** Keeps the bar out of the way of a line. */
  #between(write: () => void): void {
    if (this.#live === undefined) write();
    else this.#live.aside(write);
  }

  #paint(colour: string, word: string): string {
    return this.#coloured ? `\x1b[1;${colour}m${word}\x1b[0m` : word;
  }
}

/** A stream that may break at any time. */
class Sink {
  readonly stream: OutputStream;
  readonly #name: string;
  #broken = false;
  #failure: MarpleError | undefined;

  constructor(stream: OutputStream, name: string) {
    this.stream = stream;
    this.#name = name;
    stream.on('error', (error) => this.#break(error));
  }

  get isTerminal(): boolean {
    return this.stream.isTTY === true;
  }

  /** Why something could not be written, where that is not just the reader's having gone. */
  get failure(): MarpleError | undefined {
    return this.#failure;
  }

  write(text: string): void {
    if (!this.#broken) this.stream.write(text);
  }

  async flush(): Promise<void> {
    if (this.#broken) return;
    await new Promise<void>((resolve) => this.stream.write('', () => resolve()));
    // The stream tells of an error after it has called back.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  #break(error: Error): void {
    this.#broken = true;
    const code = errorCode(error);
    // A closed pipe, a terminal that has hung up: nobody is left to be told.
    if (code === 'EPIPE' || code === 'EIO' || code === 'ERR_STREAM_DESTROYED') return;
    this.#failure ??= new MarpleError(
      `${this.#name} cannot be written: ${systemReason(error)}`,
      EXIT.usage,
      'make room, or write to another place',
      { cause: error },
    );
  }
}

/** What is redrawn in place. */
interface Live {
  /** Takes it away while something else is written. */
  aside(write: () => void): void;
}

class LineBoard implements Board, Live {
  readonly #stream: OutputStream;
  #lines: readonly string[] = [];
  #shown = 0;

  constructor(stream: OutputStream) {
    this.#stream = stream;
  }

  show(lines: readonly string[]): void {
    this.#lines = lines;
    const width = (this.#stream.columns ?? 80) - 1;
    const text = lines.map((line) => `${shorten(terminalSafe(line), width)}\n`).join('');
    this.#stream.write(this.#away() + text);
    this.#shown = lines.length;
  }

  stop(): void {
    this.show([]);
  }

  aside(write: () => void): void {
    const lines = this.#lines;
    this.show([]);
    write();
    this.show(lines);
  }

  /** Up to the first of them, and all below it away. */
  #away(): string {
    return this.#shown === 0 ? '' : `\x1b[${this.#shown}A\x1b[J`;
  }
}

class Silence implements Progress {
  start(): void {}
  update(): void {}
  stop(): void {}
}

class Lines implements Progress {
  readonly #say: (sentence: string) => void;
  #total = '';
  #next = PLAIN_INTERVAL;

  constructor(say: (sentence: string) => void) {
    this.#say = say;
  }

  start({ seconds, what }: { seconds: number | undefined; what: string }): void {
    this.#total = seconds === undefined ? '' : ` of ${seconds} s`;
    this.#say(`recording ${what}${seconds === undefined ? '' : ` for ${seconds} s`}`);
  }

  update({ elapsed, records }: { elapsed: number; records: number }): void {
    if (elapsed < this.#next) return;
    this.#next = (Math.floor(elapsed / PLAIN_INTERVAL) + 1) * PLAIN_INTERVAL;
    this.#say(`${Math.floor(elapsed)} s${this.#total}, ${records} records`);
  }

  stop(): void {}
}

// ████████████░░░░░░░░░░░░  3 s left | 1520 records | callstack (perf), disklat (ftrace)
class Bar implements Progress, Live {
  readonly #stream: OutputStream;
  #bar: SingleBar | undefined;
  #seconds: number | undefined;
  #what = '';
  #elapsed = 0;
  #records = 0;

  constructor(stream: OutputStream) {
    this.#stream = stream;
  }

  start({ seconds, what }: { seconds: number | undefined; what: string }): void {
    this.stop();
    this.#seconds = seconds;
    this.#what = terminalSafe(what);
    this.#elapsed = 0;
    this.#records = 0;
    this.#draw();
  }

  update({ elapsed, records }: { elapsed: number; records: number }): void {
    this.#elapsed = elapsed;
    this.#records = records;
    this.#bar?.update(this.#position(), this.#payload());
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }

  aside(write: () => void): void {
    const shown = this.#bar !== undefined;
    this.stop();
    write();
    if (shown) this.#draw();
  }

  #draw(): void {
    this.#bar = new SingleBar({
      format: `${this.#seconds === undefined ? '' : '{bar} '}{time} | {records} records | {what}`,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: 24,
      stream: this.#stream,
      clearOnComplete: true,
      // The line is cut to the terminal's width; the terminal's own setting stays as it is.
      linewrap: true,
    });
    this.#bar.start(this.#seconds ?? 1, this.#position(), this.#payload());
  }

  #position(): number {
    return Math.min(this.#elapsed, this.#seconds ?? 0);
  }

  #payload(): Record<string, string | number> {
    const left = this.#seconds === undefined ? undefined : Math.max(0, Math.ceil(this.#seconds - this.#elapsed));
    const time = left === undefined ? `${Math.floor(this.#elapsed)} s` : `${left} s left`;
    return { time, records: this.#records, what: this.#what };
  }
}

function safeLines(text: string): string {
  return text.split('\n').map(terminalSafe).join('\n');
}

/** Folders of root's, whose links lead where they say: /dev/stdout. */
const SYSTEM_LINKS = /^\/(?:dev|proc)\//;

/**
 * A file is replaced in one step, readable by its owner only; so is a link, which could lead anywhere. What is neither (a
 * device, a named pipe) is written to.
 */
function writeWhole(path: string, text: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  const whole = found === undefined || found.isFile() || (found.isSymbolicLink() && !SYSTEM_LINKS.test(path));
  const target = whole ? `${path}.${randomName()}` : path;
  try {
    writeFileSync(target, text, whole ? { flag: 'wx', mode: 0o600 } : {});
    if (!whole) return;
    giveToUser(target);
    renameSync(target, path);
  } catch (error) {
    if (whole && errorCode(error) !== 'EEXIST') rmSync(target, { force: true });
    throw new UsageError(`${path} cannot be written: ${systemReason(error)}`, 'name another file: --json=FILE', {
      cause: error,
    });
  }
}
