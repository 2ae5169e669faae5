import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { DamagedFileError, errorCode, UsageError } from '../common/errors.ts';
import { FORMAT_VERSION, HEADER_START, type SectionHeader } from '../common/header.ts';
import { HeaderReport } from '../common/report.ts';
import { systemReason } from '../common/system-reason.ts';
import { removeAtExit } from '../common/temp.ts';
import { VERSION } from '../common/version.ts';
import { DataFileWriter, type SectionWriter } from '../common/writer.ts';
import type { Importer, ImportHeader, ImportInput, ImportOptions, ImportSection, ImportSink } from './importer.ts';
import { detectImporter, findImporter, isKnown } from './importers.ts';

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
    if (!(error instanceof DamagedFileError) || error.hint !== undefined) throw error;
    const hint = 'take an unchanged copy of the file, or say what it is: marple import FILE --format FORMAT';
    throw new DamagedFileError(error.where, error.problem, hint, { cause: error });
  }
}

async function importInto(request: ImportRequest): Promise<ImportResult> {
  const input = await openInput(request);
  const head = await headOf(await input.file());
  const importer = request.format === undefined ? detectImporter(head, input.name) : findImporter(request.format);
  checkKind(input.name, head === undefined, importer);
  const writer = await DataFileWriter.create(request.output, {
    force: request.force,
    tempDir: request.tempDir,
    // Not NAME.partial: that may be what is imported, and what is left of an import is no cut-off run.
    workDir: `${request.output}.import-${randomBytes(4).toString('hex')}`,
  });
  const sink = new Sink(writer, importer.format);
  const isOver = removeAtExit(writer.partialDir);
  try {
    await importer.run(input, sink, request);
    if (sink.sections.length === 0)
      throw new DamagedFileError(input.name, `there is nothing of the format ${importer.format} in it`);
    for (const { header } of sink.sections) {
      sink.applyTo(header);
      header.end ??= header.start;
    }
    await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  } finally {
    isOver();
  }
  return {
    format: importer.format,
    sections: sink.sections.map(({ header, records }) => ({
      interface: header.interface,
      datatype: header.datatype,
      records,
    })),
    skipped: sink.skippedCount,
    warnings: sink.warnings,
  };
}

/** A data file that was made of another one, alone in its folder. */
export interface ImportedFile {
  readonly path: string;
  readonly warnings: readonly string[];
}

/**
 * A file of another format, known by its content, as a data file in a folder of its own; undefined where it is none of those that
 * are read.
 * @throws DamagedFileError (65)
 */
export async function importForeign(
  path: string,
  name: string,
  options: Pick<ImportOptions, 'only' | 'tempDir'>,
): Promise<ImportedFile | undefined> {
  // Whoever opens it says what is wrong with it.
  const head = await headOf(path).catch(() => undefined);
  if (head === undefined || head[0] === HEADER_START || !isKnown(head)) return undefined;
  const output = join(await mkdtemp(join(options.tempDir, 'imported-')), 'data');
  const fixed = {
    stdin: process.stdin,
    force: false,
    format: undefined,
    event: undefined,
    annotate: new Set<string>(),
  };
  const { warnings } = await importFile({ ...options, ...fixed, input: path, name, output });
  return { path: output, warnings };
}

function checkKind(name: string, isFolder: boolean, { format, readsFolders }: Importer): void {
  if (isFolder === (readsFolders === true)) return;
  throw new UsageError(
    `${name} is ${isFolder ? 'a folder' : 'no folder'}, and the format ${format} is ${isFolder ? 'a file' : 'a folder'}`,
    isFolder ? 'name a file in it: marple import FILE' : 'leave --format out, then it is found by the content',
  );
}

class Sink extends HeaderReport implements ImportSink {
  readonly sections: SectionWriter[] = [];
  readonly #start = new Date().toISOString();

  constructor(
    private readonly writer: DataFileWriter,
    private readonly format: string,
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
    const section = this.writer.section(header, this.sections.length);
    this.sections.push(section);
    return section;
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
      path = await copied(input === '-' ? stdin : createReadStream(input), tempDir, 'stream');
    const head = await headOf(path);
    if (head !== undefined && isGzip(head)) path = await unzipped(path, name, tempDir);
    return {
      name,
      isOriginal: path === input,
      file: async () => path,
      chunks: () => createReadStream(path, { highWaterMark: CHUNK }),
    };
  } catch (error) {
    if (errorCode(error) === undefined || error instanceof DamagedFileError) throw error;
    throw new UsageError(`${name} cannot be read: ${systemReason(error)}`, 'marple import FILE', { cause: error });
  }
}

async function copied(stream: Readable, tempDir: string, name: string): Promise<string> {
  const path = join(await mkdtemp(join(tempDir, 'import-')), name);
  await pipeline(stream, createWriteStream(path, { flags: 'wx', mode: 0o600 }));
  return path;
}

async function unzipped(path: string, name: string, tempDir: string): Promise<string> {
  const gunzip = createGunzip();
  try {
    return await copied(createReadStream(path).pipe(gunzip), tempDir, 'unzipped');
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
