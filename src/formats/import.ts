import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { NewRecord, StackData } from '../common/datatypes.ts';
import { beSpacious } from '../common/engine.ts';
import { DamagedFileError, errorCode, UsageError } from '../common/errors.ts';
import { FORMAT_VERSION, HEADER_START, type SectionHeader } from '../common/header.ts';
import { batchesOf, type HeldStacks, heldStacks, listedStacks } from '../common/held-section.ts';
import { randomName } from '../common/random-name.ts';
import { type DataFile, openDataFile } from '../common/reader.ts';
import { HeaderReport } from '../common/report.ts';
import { systemReason } from '../common/system-reason.ts';
import { removeAtExit } from '../common/temp.ts';
import { VERSION } from '../common/version.ts';
import { DataFileWriter, type SectionWriter } from '../common/writer.ts';
import type { Importer, ImportHeader, ImportInput, ImportOptions, ImportSection, ImportSink } from './importer.ts';
import { detectImporter, findImporter, knownFormat } from './importers.ts';

export interface ImportRequest extends ImportOptions {
  /** A path, or `-` for `stdin`. */
  readonly input: string;
  /** What messages call it, where it is not its path. */
  readonly name?: string;
  readonly stdin: Readable;
  readonly output: string;
  readonly force: boolean;
  /** Undefined: found by content. */
  readonly format: string | undefined;
}

export interface ImportResult {
  readonly format: string;
  readonly sections: readonly { readonly interface: string; readonly datatype: string; readonly records: number }[];
  readonly skipped: number;
  readonly warnings: readonly string[];
}

/** Bytes that detection looks at. */
const HEAD = 64 * 1024;
/** Bytes that are read at once. */
const CHUNK = 1 << 20;

/**
 * Reads a file of another format into a data file.
 * @throws UsageError (2), DamagedFileError (65); nothing is left under the output's name then.
 */
export async function importFile(request: ImportRequest): Promise<ImportResult> {
  try {
    return await importInto(request);
  } catch (error) {
    throw withHint(error);
  }
}

function withHint(error: unknown): unknown {
  if (!(error instanceof DamagedFileError) || error.hint !== undefined) return error;
  const hint = 'take an unchanged copy of the file, or say what it is: marple import FILE --format FORMAT';
  return new DamagedFileError(error.where, error.problem, hint, { cause: error });
}

async function importInto(request: ImportRequest): Promise<ImportResult> {
  const { format, sink } = await runImporter(request, true);
  return {
    format,
    sections: sink.sections.map(({ header, records }) => ({
      interface: header.interface,
      datatype: header.datatype,
      records,
    })),
    skipped: sink.skippedCount,
    // What is decoded tells of each section.
    warnings: [...new Set([sink.warnings, ...sink.sections.map(({ header }) => header.warnings ?? [])].flat())],
  };
}

/** `isToFile`: all is written, however little. */
async function runImporter(request: ImportRequest, isToFile: boolean): Promise<{ format: string; sink: Sink }> {
  const input = await openInput(request);
  const head = await headOf(await input.file());
  const importer = request.format === undefined ? detectImporter(head, input.name) : findImporter(request.format);
  const { format } = importer;
  checkKind(input.name, head === undefined, importer);
  if (!isToFile) beSpacious();
  const sink = new Sink(format, request);
  if (isToFile) await sink.toFile();
  try {
    await importer.run(input, sink, request);
    if (sink.sections.length === 0)
      throw new DamagedFileError(input.name, `there is nothing of the format ${format} in it`);
    await sink.finish();
  } catch (error) {
    await sink.abandon();
    throw error;
  }
  return { format, sink };
}

/**
 * A file of another format, known by its content, as a data file; undefined where it is none of those that are read. Where stacks alone
 * are asked for, and they are not very many, no file is written.
 * @throws DamagedFileError (65)
 */
export async function importForeign(
  path: string,
  name: string,
  options: Pick<ImportOptions, 'only' | 'tempDir'>,
): Promise<DataFile | undefined> {
  // Whoever opens it says what is wrong with it.
  const head = await headOf(path).catch(() => undefined);
  const format = head === undefined || head[0] === HEADER_START ? undefined : knownFormat(head);
  if (format === undefined) return undefined;
  const folder = await mkdtemp(join(options.tempDir, 'imported-'));
  const request: ImportRequest = {
    ...options,
    stdin: process.stdin,
    force: false,
    format,
    event: undefined,
    annotate: new Set<string>(),
    input: path,
    name,
    output: join(folder, 'data'),
  };
  try {
    const { sink } = await runImporter(request, options.only !== 'stack');
    const file = await sink.open(name);
    return {
      ...file,
      warnings: sink.warnings,
      close: async () => {
        await file.close();
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    throw withHint(error);
  }
}

function checkKind(name: string, isFolder: boolean, { format, readsFolders }: Importer): void {
  if (isFolder === (readsFolders === true)) return;
  throw new UsageError(
    `${name} is ${isFolder ? 'a folder' : 'no folder'}, and the format ${format} is ${isFolder ? 'a file' : 'a folder'}`,
    isFolder ? 'name a file in it: marple import FILE' : 'leave --format out, then it is found by the content',
  );
}

/** Records that are held at most: of so few no file is written, only to be read again. Whoever has stacks anyway may have more. */
const MOST_HELD = 65_536;

/** A section whose records are in a file, or held as long as there is none. */
class Section implements ImportSection {
  file: SectionWriter | undefined;
  #records: StackData[] = [];
  /** In place of records. */
  #whole: HeldStacks | undefined;

  constructor(
    readonly header: SectionHeader,
    private readonly toFile: () => Promise<void>,
  ) {}

  get records(): number {
    return this.file?.records ?? this.held.size;
  }

  /** As long as there is no file. */
  get held(): HeldStacks {
    return this.#whole ?? listedStacks(this.#records);
  }

  async write(records: readonly NewRecord[]): Promise<void> {
    if (this.file !== undefined) return this.file.write(records);
    const isHeld = this.header.datatype === 'stack' && this.#whole === undefined;
    if (isHeld && this.#records.length + records.length <= MOST_HELD) {
      for (const record of records) this.#records.push(record as StackData);
      return;
    }
    await this.toFile();
    return this.write(records);
  }

  async writeStacks(stacks: HeldStacks): Promise<void> {
    if (this.file === undefined && this.records === 0) this.#whole = stacks;
    else for (const records of batchesOf(stacks.stacks())) await this.write(records);
  }

  /** From now on in this file, with what was held. */
  async moveTo(file: SectionWriter): Promise<void> {
    for (const records of batchesOf(this.held.stacks())) await file.write(records);
    this.file = file;
    this.#records = [];
    this.#whole = undefined;
  }
}

/** The sections of an import: held while they are few stacks, and then in a file. */
class Sink extends HeaderReport implements ImportSink {
  readonly sections: Section[] = [];
  readonly #start = new Date().toISOString();
  #writer: DataFileWriter | undefined;
  #stopCleaning = (): void => undefined;

  constructor(
    private readonly format: string,
    private readonly request: ImportRequest,
  ) {
    super();
  }

  section(given: ImportHeader): ImportSection {
    const header: SectionHeader = {
      marple: FORMAT_VERSION,
      start: this.#start,
      end: null,
      records: null,
      bytes: null,
      tool: { name: `import of ${this.format}`, version: VERSION, command: [] },
      ...given,
    };
    const section = new Section(header, () => this.toFile());
    section.file = this.#writer?.section(header, this.sections.length);
    this.sections.push(section);
    return section;
  }

  /**
   * From now on in a file, and so are those that were held.
   * @throws UsageError (2) where it cannot be made.
   */
  async toFile(): Promise<void> {
    const { output, force, tempDir } = this.request;
    // Not NAME.partial: that may be what is imported, and what is left of an import is no cut-off run.
    const workDir = `${output}.import-${randomName()}`;
    this.#writer = await DataFileWriter.create(output, { force, tempDir, workDir });
    this.#stopCleaning = removeAtExit(this.#writer.partialDir);
    for (const [order, section] of this.sections.entries()) {
      await section.moveTo(this.#writer.section(section.header, order));
    }
  }

  /** Completes the headers, and the file where there is one. */
  async finish(): Promise<void> {
    if (this.#writer === undefined && this.sections.some(({ header }) => header.datatype !== 'stack'))
      await this.toFile();
    for (const { header, records } of this.sections) {
      this.applyTo(header);
      header.end ??= header.start;
      header.records = records;
    }
    await this.#writer?.finish();
    this.#stopCleaning();
  }

  async abandon(): Promise<void> {
    await this.#writer?.abandon();
    this.#stopCleaning();
  }

  /** What was finished. */
  async open(name: string): Promise<DataFile> {
    if (this.#writer !== undefined) return openDataFile(this.request.output, { name });
    const sections = this.sections.map(({ header, held }, i) => heldStacks(i + 1, header, held));
    return { path: name, partial: false, sections, warnings: [], close: async () => undefined };
  }
}

/** What is on stdin, in a pipe or compressed is put into a file first: detection reads the beginning twice. */
async function openInput(request: ImportRequest): Promise<ImportInput> {
  const { input, stdin, tempDir } = request;
  const { name = input === '-' ? 'stdin' : input } = request;
  try {
    let path = input;
    const found = input === '-' ? undefined : await stat(input);
    if (!(found?.isFile() || found?.isDirectory()))
      path = await copied(() => (input === '-' ? stdin : createReadStream(input)), tempDir, 'stream');
    const head = await headOf(path);
    if (head !== undefined && isGzip(head)) path = await unzipped(path, name, tempDir);
    return {
      name,
      isOriginal: path === input,
      file: async () => path,
      chunks: () => chunksOf(path),
    };
  } catch (error) {
    if (errorCode(error) === undefined || error instanceof DamagedFileError) throw error;
    throw new UsageError(`${name} cannot be read: ${systemReason(error)}`, 'marple import FILE', { cause: error });
  }
}

/** The bytes of a file, by two buffers: while one is looked at, the other is filled. */
async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  const file = await open(path);
  let [next, other] = [Buffer.allocUnsafeSlow(CHUNK), Buffer.allocUnsafeSlow(CHUNK)];
  const fill = (buffer: Buffer): ReturnType<typeof file.read<Buffer>> => {
    const filling = file.read(buffer, 0, CHUNK);
    // Whoever waits for it is told.
    filling.catch(() => undefined);
    return filling;
  };
  let filling = fill(next);
  try {
    for (;;) {
      const { bytesRead, buffer } = await filling;
      if (bytesRead === 0) return;
      [next, other] = [other, next];
      filling = fill(next);
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await filling.catch(() => undefined);
    await file.close();
  }
}

/** `open` begins what is copied: only then is there somebody who is told where that fails. */
async function copied(open: () => Readable, tempDir: string, name: string): Promise<string> {
  const path = join(await mkdtemp(join(tempDir, 'import-')), name);
  await pipeline(open(), createWriteStream(path, { flags: 'wx', mode: 0o600 }));
  return path;
}

async function unzipped(path: string, name: string, tempDir: string): Promise<string> {
  const gunzip = createGunzip();
  try {
    return await copied(() => createReadStream(path).pipe(gunzip), tempDir, 'unzipped');
  } catch (error) {
    if (errorCode(error)?.startsWith('Z_') !== true) throw error;
    throw new DamagedFileError(
      `${name}: byte ${gunzip.bytesWritten}`,
      'it is compressed by gzip, and the compressed data is damaged or cut off',
      undefined,
      {
        cause: error,
      },
    );
  }
}

function isGzip(head: Buffer): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
}

/** The first bytes of a file; undefined for a folder. */
async function headOf(path: string): Promise<Buffer | undefined> {
  const found = await stat(path);
  if (found.isDirectory()) return undefined;
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(HEAD), 0, HEAD, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
