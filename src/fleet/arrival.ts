import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { DamagedFileError, EXIT, errorCode, errorMessage, MarpleError } from '../common/errors.ts';
import type { SectionHeader } from '../common/header.ts';
import { randomName } from '../common/random-name.ts';
import { openDataFile } from '../common/reader.ts';
import { systemReason } from '../common/system-reason.ts';
import { removeAtExit } from '../common/temp.ts';
import { giveToUser } from '../common/user.ts';
import { DataFileWriter } from '../common/writer.ts';
import { importFile } from '../formats/import.ts';

/** What the headers of a host's file are given. */
export type Origin = Pick<SectionHeader, 'node' | 'clock_offset'>;

export interface ArrivalOptions {
  /** Folder of the files; it holds them under other names until they have been read. */
  readonly folder: string;
  /** Most bytes of a file, decompressed. */
  readonly mostBytes: number;
  readonly force: boolean;
  readonly tempDir: string;
}

/**
 * The file of one host on its way home: decompressed as it comes, no larger than was allowed, under a name of ours.
 * What comes is hostile: it becomes a data file only by being read as one and written anew.
 */
export class Arrival {
  /** Compressed bytes so far. */
  bytes = 0;
  readonly #gunzip: Writable;
  readonly #written: Promise<void>;
  readonly #path: string;
  readonly #isGone: () => void;
  #failure: Error | undefined;

  constructor(
    readonly node: string,
    readonly kind: 'data' | 'partial',
    readonly options: ArrivalOptions,
  ) {
    this.#path = join(options.folder, `.${node}.${randomName()}`);
    this.#isGone = removeAtExit(this.#path);
    const gunzip = createGunzip();
    this.#gunzip = gunzip;
    const file = createWriteStream(this.#path, { flags: 'wx', mode: 0o600 });
    this.#written = pipeline(gunzip, limited(options.mostBytes), file);
    this.#written.catch((error: unknown) => {
      this.#failure = error as Error;
    });
  }

  /** Takes a line of base64. @throws MarpleError where it cannot be gone on with. */
  async add(base64: string): Promise<void> {
    if (this.#failure !== undefined) throw described(this.#failure);
    const bytes = Buffer.from(base64, 'base64');
    this.bytes += bytes.length;
    if (this.#gunzip.write(bytes)) return;
    const drained = new Promise<void>((resolve) => this.#gunzip.once('drain', resolve));
    await Promise.race([drained, this.#written.catch(() => undefined)]);
  }

  /**
   * Reads what came, to the last record, and writes it to NAME/<node>.marple with `origin` in its headers. What is no
   * data file is left beside, as <node>.damaged.
   * @throws MarpleError
   */
  async complete(origin: Origin): Promise<string> {
    this.#gunzip.end();
    try {
      await this.#written;
    } catch (error) {
      await this.abandon();
      throw described(error as Error);
    }
    const { folder, force, tempDir } = this.options;
    const target = join(folder, `${this.node}.marple`);
    try {
      if (this.kind === 'partial') await this.#unpack();
      await rewrite(this.#path, this.node, target, origin, { force, tempDir });
    } catch (error) {
      if (!(error instanceof DamagedFileError)) throw error;
      const aside = join(folder, `${this.node}.damaged`);
      await rename(this.#path, aside).catch(() => undefined);
      throw new MarpleError(
        `what it sent is no data file that can be read (${error.problem}): it is in ${aside}`,
        EXIT.damaged,
        `less ${aside}`,
        { cause: error },
      );
    } finally {
      await rm(this.#path, { force: true });
      this.#isGone();
    }
    giveToUser(target);
    return target;
  }

  /** Drops what came. */
  async abandon(): Promise<void> {
    this.#gunzip.destroy();
    await this.#written.catch(() => undefined);
    await rm(this.#path, { force: true });
    this.#isGone();
  }

  /** Of the archive of a partial folder a data file is made. */
  async #unpack(): Promise<void> {
    const whole = `${this.#path}.whole`;
    const isOver = removeAtExit(whole);
    const { tempDir } = this.options;
    const none = { event: undefined, annotate: new Set<string>(), stdin: process.stdin };
    await importFile({ ...none, input: this.#path, output: whole, force: false, format: 'raw', tempDir });
    await rename(whole, this.#path);
    isOver();
  }
}

/** Lets so many bytes through. */
function limited(most: number): Transform {
  let size = 0;
  return new Transform({
    transform(chunk: Buffer, _, done) {
      size += chunk.length;
      if (size > most) done(new TooLarge(most));
      else done(undefined, chunk);
    },
  });
}

class TooLarge extends Error {
  constructor(readonly most: number) {
    super(`it sends more than ${most / 1e6} MB`);
  }
}

function described(error: Error): MarpleError {
  if (error instanceof TooLarge) {
    return new MarpleError(error.message, EXIT.damaged, 'allow more in config.txt: [Fleet] max_mb = ...');
  }
  const isGzips = errorCode(error)?.startsWith('Z_') === true;
  return isGzips
    ? new MarpleError('what it sent is damaged: it cannot be decompressed', EXIT.damaged)
    : new MarpleError(`its file cannot be written: ${systemReason(error)}`, EXIT.usage, 'df -h');
}

/** Every record is read and written again: what is here is what this MARPLE can read. */
async function rewrite(
  path: string,
  node: string,
  target: string,
  origin: Origin,
  options: { readonly force: boolean; readonly tempDir: string },
): Promise<void> {
  const file = await openDataFile(path, { name: node });
  const writer = await DataFileWriter.create(target, {
    ...options,
    workDir: `${target}.${randomName()}`,
  });
  const isOver = removeAtExit(writer.partialDir);
  try {
    for (const part of file.sections) {
      const { number, header } = part;
      const section = writer.section({ ...header, ...origin, records: null, bytes: null }, number);
      for await (const records of part.batches(header.datatype)) await section.write(records);
    }
    await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  } finally {
    isOver();
    await file.close();
  }
}

export function reasonOf(error: unknown): { what: string; hint?: string | undefined } {
  return error instanceof MarpleError ? { what: error.message, hint: error.hint } : { what: errorMessage(error) };
}
