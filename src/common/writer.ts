import { closeSync, existsSync, fsync, openSync, read, write, writeSync } from 'node:fs';
import { mkdir, mkdtemp, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { serialiseHeader } from './codec.ts';
import type { NewRecord } from './datatypes.ts';
import { RecordEncoder } from './encoder.ts';
import { EXIT, errorCode, MarpleError, UsageError } from './errors.ts';
import type { SectionHeader } from './header.ts';
import { PARTIAL, sectionFileName } from './partial.ts';
import { systemHint, systemReason } from './system-reason.ts';

const readBytes = promisify(read);
const writeBytes = promisify(write);
const syncFile = promisify(fsync);

/** Bytes of records that are written at once. */
const BUFFERED = 256 * 1024;
/** Milliseconds after which fewer are: what a kill can lose. */
const FLUSH_MS = 200;
/** Bytes that may wait for a slow disk before those who collect have to wait too. */
const QUEUED = 8 * 1024 * 1024;
/** Bytes copied at once where sections are joined. */
const BLOCK = 1024 * 1024;
/** Space that a header has to grow, in bytes; the first line of a section file is a multiple of ALIGNED. */
const ROOM = 2048;
const ALIGNED = 1024;

export interface WriterOptions {
  /** Overwrite a data file that exists. */
  readonly force: boolean;
  /** Where a file that goes to stdout is put together. */
  readonly tempDir: string;
  /** The folder in which the sections come to be, in place of NAME.partial. It is made, and beside the file. */
  readonly workDir?: string;
  readonly stdout?: Writable;
}

/**
 * Writes a data file. While records come, each section is a file of its own in NAME.partial; finish() joins them and
 * gives the file its name. Under the final name there is only ever a whole file. Files are readable by their owner only.
 */
export class DataFileWriter {
  readonly #sections = new Map<SectionWriter, number>();

  private constructor(
    /** The data file, `-` for stdout. */
    readonly path: string,
    readonly partialDir: string,
    readonly options: WriterOptions,
  ) {}

  /**
   * Makes NAME.partial.
   * @throws UsageError (2) where NAME exists and is not to be overwritten, or the folder cannot be written, or there is a
   *   NAME.partial of another run.
   */
  static async create(path: string, options: WriterOptions): Promise<DataFileWriter> {
    if (path === '-') {
      const folder = await mkdtemp(join(options.tempDir, 'stdout-'));
      return new DataFileWriter(path, folder, options);
    }
    await checkTarget(path, options.force);
    const partialDir = options.workDir ?? `${path}${PARTIAL}`;
    try {
      await mkdir(partialDir, { mode: 0o700 });
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw cannotWrite(path, error);
      throw new UsageError(
        `${partialDir} is there already: of a run that was cut off, or that still goes on`,
        `give another -o, or look at it with: marple display -i ${partialDir}`,
        { cause: error },
      );
    }
    return new DataFileWriter(path, partialDir, options);
  }

  /**
   * Begins a section: its header is in its file when this returns. `order` is its place among the others.
   * @throws UsageError (2) where it cannot be written.
   */
  section(header: SectionHeader, order: number): SectionWriter {
    const section = SectionWriter.create(join(this.partialDir, sectionFileName(header, order)), header);
    this.#sections.set(section, order);
    return section;
  }

  /**
   * Completes the headers, joins the sections in their order and gives the file its name.
   * @throws MarpleError where that is not possible; all that was collected is in NAME.partial then.
   */
  async finish(): Promise<void> {
    const sections = this.#inOrder();
    if (sections.length === 0) throw new Error('a data file has one section or more');
    try {
      await completeAll(sections);
      if (this.path === '-') await this.#toStdout(sections);
      else await this.#toFile(sections);
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
      throw this.#cannotFinish(error);
    } finally {
      for (const section of sections) section.close();
    }
    await rm(this.partialDir, { recursive: true, force: true });
  }

  /**
   * Completes the sections that are not still open, and leaves the folder to `make`, which makes something else of it in the
   * place of the data file.
   * @throws MarpleError where that is not possible; all that was collected is in NAME.partial then.
   */
  async pack(
    isOpen: (section: SectionWriter) => boolean,
    make: (folder: string, output: string | Writable) => Promise<void>,
  ): Promise<void> {
    const sections = this.#inOrder();
    try {
      await completeAll(sections.filter((section) => !isOpen(section)));
      for (const section of sections) if (!section.isWhole) section.saveHeader();
      if (this.path !== '-') await checkTarget(this.path, this.options.force);
      await make(this.partialDir, this.path === '-' ? (this.options.stdout ?? process.stdout) : this.path);
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
      throw this.#cannotFinish(error);
    } finally {
      for (const section of sections) section.close();
    }
    await rm(this.partialDir, { recursive: true, force: true });
  }

  /** Drops everything that was written: for a run that brought nothing. */
  async abandon(): Promise<void> {
    for (const section of this.#sections.keys()) await section.discard();
    await rm(this.partialDir, { recursive: true, force: true });
  }

  #inOrder(): SectionWriter[] {
    return [...this.#sections].sort(([, a], [, b]) => a - b).map(([section]) => section);
  }

  async #toFile(sections: readonly SectionWriter[]): Promise<void> {
    const [first] = sections;
    const isAlone = first !== undefined && sections.length === 1 && first.isWhole;
    const whole = isAlone ? first.path : join(this.partialDir, 'joined');
    if (isAlone) await first.sync();
    else await joinSections(sections, whole);
    await checkTarget(this.path, this.options.force, `; what was collected is in ${this.partialDir}`);
    await rename(whole, this.path);
    await syncFolder(dirname(this.path));
  }

  async #toStdout(sections: readonly SectionWriter[]): Promise<void> {
    const stdout = this.options.stdout ?? process.stdout;
    await pipeline(Readable.from(contents(sections), { objectMode: false }), stdout, { end: false });
  }

  #cannotFinish(error: unknown): MarpleError {
    const reason = systemReason(error);
    if (!existsSync(this.partialDir)) {
      return new MarpleError(
        `${this.path} could not be completed: ${this.partialDir} was taken away while it was written`,
        EXIT.usage,
        'run the same command again',
        { cause: error },
      );
    }
    const [message, hint] =
      this.path === '-'
        ? [`the data could not be written to stdout: ${reason}`, 'write it to a file: -o FILE']
        : [
            `${this.path} could not be completed: ${reason}; what was collected is in ${this.partialDir}`,
            `look at it with: marple display -i ${this.partialDir}`,
          ];
    return new MarpleError(message, EXIT.usage, hint, { cause: error });
  }
}

/** Writes the records of one section into a file of its own, as they come. */
export class SectionWriter {
  /** Records written so far. */
  records = 0;
  /** Bytes of their lines. */
  bytes = 0;
  readonly #encoder: RecordEncoder;
  /** Where the record lines begin. */
  #start = 0;
  #tail: Promise<void> = Promise.resolve();
  #queued = 0;
  #failure: MarpleError | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isWhole = false;
  #isOpen = true;

  private constructor(
    readonly path: string,
    readonly fd: number,
    /** May be completed until the section is. Its datatype and fields stay. */
    readonly header: SectionHeader,
  ) {
    this.#encoder = new RecordEncoder(header);
  }

  /**
   * Makes the file of a section, with its header and no record yet.
   * @throws UsageError (2)
   */
  static create(path: string, header: SectionHeader): SectionWriter {
    try {
      // O_EXCL: it is a new file, whatever links others may have put there.
      const section = new SectionWriter(path, openSync(path, 'wx+', 0o600), header);
      section.#begin();
      return section;
    } catch (error) {
      throw cannotWrite(path, error);
    }
  }

  /** Whether the file holds the completed header in place of the first one. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /**
   * Adds records behind those that are there. The promise, where there is one, is to be waited for: the disk is slower
   * than the records come.
   * @throws MarpleError where the records before could not be written; RangeError where one is none of this section.
   */
  write(records: readonly NewRecord[]): void | Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const encoder = this.#encoder;
    for (const record of records) {
      encoder.add(record);
      this.records++;
      if (encoder.length >= BUFFERED) this.#flush();
    }
    if (encoder.length > 0) this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS).unref();
    if (this.#queued > QUEUED) return this.#tail;
  }

  /** Writes the header as it is now over the one in the file; false where it has become too long for that. */
  saveHeader(): boolean {
    const line = Buffer.from(`${serialiseHeader(this.header)}\n`);
    if (line.length > this.#start) return false;
    const padded = Buffer.alloc(this.#start, ' ');
    line.copy(padded, 0, 0, line.length - 1);
    padded[this.#start - 1] = line[line.length - 1]!;
    writeSync(this.fd, padded, 0, padded.length, 0);
    return true;
  }

  /**
   * Writes all that is waiting, and completes the header.
   * @throws MarpleError where the records could not be written.
   */
  async complete(): Promise<void> {
    this.#flush();
    await this.#tail;
    this.header.records = this.records;
    this.header.bytes = this.bytes;
    this.#isWhole = this.saveHeader();
  }

  /** The completed header and the record lines. Each chunk is a buffer of its own. */
  async *contents(): AsyncGenerator<Buffer> {
    yield Buffer.from(`${serialiseHeader(this.header)}\n`);
    const end = this.#start + this.bytes;
    for (let at = this.#start; at < end; ) {
      const block = Buffer.allocUnsafe(Math.min(BLOCK, end - at));
      const { bytesRead } = await readBytes(this.fd, block, 0, block.length, at);
      if (bytesRead === 0) throw new MarpleError(`${this.path} became shorter while it was written`, EXIT.usage);
      yield block.subarray(0, bytesRead);
      at += bytesRead;
    }
  }

  sync(): Promise<void> {
    return syncFile(this.fd);
  }

  close(): void {
    clearTimeout(this.#timer);
    if (this.#isOpen) closeSync(this.fd);
    this.#isOpen = false;
  }

  /** Waits for what is being written, and closes; nothing more is written. */
  async discard(): Promise<void> {
    await this.#tail.catch(() => undefined);
    this.close();
  }

  #begin(): void {
    const length = Buffer.byteLength(serialiseHeader(this.header)) + 1;
    this.#start = Math.ceil((length + ROOM) / ALIGNED) * ALIGNED;
    this.saveHeader();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const lines = this.#encoder.take();
    if (lines.length === 0) return;
    const position = this.#start + this.bytes;
    this.bytes += lines.length;
    this.#queued += lines.length;
    // Once a write has failed, none of those behind it is done.
    this.#tail = this.#tail.then(() => this.#put(lines, position));
    this.#tail.catch(() => undefined);
  }

  async #put(lines: Buffer, position: number): Promise<void> {
    try {
      await writeAll(this.fd, lines, position);
      this.#queued -= lines.length;
      this.#encoder.reuse(lines);
    } catch (error) {
      this.#failure = new MarpleError(
        `${this.path} cannot be written: ${systemReason(error)}; what came before is in it`,
        EXIT.usage,
        `look at it with: marple display -i ${dirname(this.path)}`,
        { cause: error },
      );
      throw this.#failure;
    }
  }
}

/** Completes all that can be, and throws only then. */
async function completeAll(sections: readonly SectionWriter[]): Promise<void> {
  const outcomes = await Promise.allSettled(sections.map((section) => section.complete()));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function* contents(sections: readonly SectionWriter[]): AsyncGenerator<Buffer> {
  for (const section of sections) yield* section.contents();
}

async function writeAll(fd: number, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await writeBytes(fd, bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** Writes the sections one behind the other into a new file, which is on the disk when this returns. */
async function joinSections(sections: readonly SectionWriter[], path: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const block of contents(sections)) {
      for (let done = 0; done < block.length; ) done += (await file.write(block, done)).bytesWritten;
    }
    await file.sync();
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

/** @throws UsageError where something stands at `path` that must not be overwritten. */
async function checkTarget(path: string, force: boolean, besides = ''): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw cannotWrite(path, error);
  });
  if (found === undefined || (force && found.isFile())) return;
  if (found.isFile()) {
    throw new UsageError(`${path} exists already${besides}`, 'give another -o, or --force to overwrite it');
  }
  throw new UsageError(
    `${path} is no regular file${besides}`,
    found.isDirectory() ? 'name a file in it: -o FILE' : `write to it by way of stdout: -o - > ${path}`,
  );
}

function cannotWrite(path: string, error: unknown): UsageError {
  const hint =
    errorCode(error) === 'ENOENT'
      ? `make its folder first: mkdir -p ${dirname(path)}`
      : (systemHint(error) ?? 'name a file in a folder that can be written: -o FILE');
  return new UsageError(`${path} cannot be written: ${systemReason(error)}`, hint, { cause: error });
}

/** Makes the new name last through a power failure, where the file system can do that. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}
