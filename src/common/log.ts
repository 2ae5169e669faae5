import {
  closeSync,
  constants,
  createWriteStream,
  fstatSync,
  lstatSync,
  openSync,
  renameSync,
  type WriteStream,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Logger } from 'winston';
import { errorCode } from './errors.ts';
import { logFile } from './paths.ts';
import { systemReason } from './system-reason.ts';
import { giveToUser, makeUserFolder } from './user.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

interface Entry {
  readonly time: string;
  readonly pid: number;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

type Winston = typeof import('winston');

/** Where a log is as large as this, the next line begins a new one; marple1.log and marple2.log are the ones before. */
const MAX_BYTES = 1024 * 1024;
const OLDER_LOGS = 2;

let waiting: Entry[] = [];
let loading: Promise<void> | undefined;
let winston: Winston | undefined;
let current: OpenLog | undefined;
let closing: Promise<void>[] = [];
let failed = false;
let tellFailure: (sentence: string) => void = () => undefined;

/**
 * Adds a line to marple.log. It returns at once: the logging library is loaded at the first call. A log that cannot be
 * written never breaks a run.
 */
export function log(level: LogLevel, message: string, fields: Readonly<Record<string, unknown>> = {}): void {
  if (failed) return;
  const time = new Date().toISOString();
  waiting.push({ time, pid: process.pid, level, message, ...(Object.keys(fields).length > 0 ? { fields } : {}) });
  if (winston === undefined) loading ??= load();
  else write(winston);
}

/** Sets who is told, once, that the log cannot be written. */
export function onLogFailure(tell: (sentence: string) => void): void {
  tellFailure = tell;
}

/** Writes what is still waiting and closes the log. A later log() opens it anew. */
export async function closeLog(): Promise<void> {
  await loading;
  if (current !== undefined) closing.push(current.close());
  await Promise.all(closing);
  current = undefined;
  closing = [];
  failed = false;
}

async function load(): Promise<void> {
  try {
    winston = await import('winston');
    write(winston);
  } catch (error) {
    fail(error);
  }
}

function write(library: Winston): void {
  const entries = waiting;
  waiting = [];
  try {
    for (const entry of entries) {
      if (current?.isFull) {
        closing.push(current.close());
        current = undefined;
        // What it has not written yet goes to the file under its new name.
        rotate(logFile());
      }
      current ??= new OpenLog(library, logFile());
      current.write(entry);
    }
  } catch (error) {
    fail(error);
  }
}

function fail(error: unknown): void {
  if (failed) return;
  failed = true;
  tellFailure(`no log is written: ${systemReason(error)}`);
}

/**
 * One marple.log, until it is full. The library writes to a stream of ours: its own file transport follows links, says
 * nothing of what it cannot write, and drops lines that come faster than the disk takes them.
 */
class OpenLog {
  readonly #stream: WriteStream;
  readonly #logger: Logger;
  readonly #closed: Promise<void>;
  readonly #before: number;

  constructor({ createLogger, format, transports }: Winston, path: string) {
    makeUserFolder(dirname(path));
    if ((lstatSync(path, { throwIfNoEntry: false })?.size ?? 0) >= MAX_BYTES) rotate(path);
    const { fd, size } = openLogFile(path);
    this.#before = size;
    this.#stream = createWriteStream(path, { fd });
    this.#stream.on('error', fail);
    this.#closed = new Promise((resolve) => this.#stream.once('close', resolve));
    const transport = new transports.Stream({ stream: this.#stream });
    transport.once('finish', () => this.#stream.end());
    this.#logger = createLogger({ level: 'debug', format: format.json(), transports: [transport] });
  }

  get isFull(): boolean {
    return this.#before + this.#stream.bytesWritten + this.#stream.writableLength >= MAX_BYTES;
  }

  write(entry: Entry): void {
    this.#logger.log(entry);
  }

  close(): Promise<void> {
    this.#logger.end();
    return this.#closed;
  }
}

/** Neither a link nor a pipe is opened: the one could lead anywhere, the other wait for ever. */
function openLogFile(path: string): { fd: number; size: number } {
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;
  const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  const status = fstatSync(fd);
  if (!status.isFile()) {
    closeSync(fd);
    throw new Error(`${path} is not a file`);
  }
  giveToUser(path);
  return { fd, size: status.size };
}

/** marple1.log becomes marple2.log, marple.log becomes marple1.log. */
function rotate(path: string): void {
  const numbered = (number: number): string => (number === 0 ? path : path.replace(/\.log$/, `${number}.log`));
  for (let number = OLDER_LOGS; number > 0; number--) {
    try {
      renameSync(numbered(number - 1), numbered(number));
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  }
}
