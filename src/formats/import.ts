import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { DamagedFileError, errorCode, UsageError } from '../common/errors.ts';
import { FORMAT_VERSION, type SectionHeader } from '../common/header.ts';
import { HeaderReport } from '../common/report.ts';
import { systemReason } from '../common/system-reason.ts';
import { VERSION } from '../common/version.ts';
import { DataFileWriter, type SectionWriter } from '../common/writer.ts';
import type { ImportInput, ImportOptions, ImportSink } from './importer.ts';
import { detectImporter, findImporter } from './importers.ts';

export interface ImportRequest extends ImportOptions {
  /** A path, or `-` for `stdin`. */
  readonly input: string;
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

/**
 * Reads a file of another format into a data file.
 * @throws UsageError (2), DamagedFileError (65); nothing is left under the output's name then.
 */
export async function importFile(request: ImportRequest): Promise<ImportResult> {
  const { path, name } = await spooled(request);
  const head = await headOf(path);
  const importer = request.format === undefined ? detectImporter(head, name) : findImporter(request.format);
  const writer = await DataFileWriter.create(request.output, { force: request.force, tempDir: request.tempDir });
  const report = new HeaderReport();
  const sections: SectionWriter[] = [];
  try {
    await importer.run(inputOf(path, name), sinkOf(writer, sections, report, importer.format), request);
    if (sections.length === 0)
      throw new DamagedFileError(name, `there is nothing of the format ${importer.format} in it`);
    for (const { header } of sections) {
      report.applyTo(header);
      header.end ??= header.start;
    }
    await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
  return {
    format: importer.format,
    sections: sections.map(({ header, records }) => ({
      interface: header.interface,
      datatype: header.datatype,
      records,
    })),
    skipped: report.skippedCount,
    warnings: report.warnings,
  };
}

function sinkOf(writer: DataFileWriter, sections: SectionWriter[], report: HeaderReport, format: string): ImportSink {
  const start = new Date().toISOString();
  return {
    section: (given) => {
      const header: SectionHeader = {
        marple: FORMAT_VERSION,
        start,
        end: null,
        records: null,
        bytes: null,
        tool: { name: `import of ${format}`, version: VERSION, command: [] },
        ...given,
      };
      const section = writer.section(header, sections.length);
      sections.push(section);
      return section;
    },
    skipped: (line) => report.skipped(line),
    warn: (sentence) => report.warn(sentence),
  };
}

function inputOf(path: string, name: string): ImportInput {
  return { name, file: async () => path, chunks: () => createReadStream(path, { highWaterMark: 1 << 20 }) };
}

/** What is on stdin, in a pipe or compressed is put into a file first: detection reads the beginning twice. */
async function spooled({ input, stdin, tempDir }: ImportRequest): Promise<{ path: string; name: string }> {
  const name = input === '-' ? 'stdin' : input;
  try {
    let path = input;
    const found = input === '-' ? undefined : await stat(input);
    if (found?.isDirectory()) return { path, name };
    if (found?.isFile() !== true)
      path = await copied(input === '-' ? stdin : createReadStream(input), tempDir, 'stream');
    if (!isGzip(await headOf(path))) return { path, name };
    return { path: await unzipped(path, name, tempDir), name };
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
  try {
    return await copied(createReadStream(path).pipe(createGunzip()), tempDir, 'unzipped');
  } catch (error) {
    throw new DamagedFileError(
      name,
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

/** The first bytes of a file; none of a folder. */
async function headOf(path: string): Promise<Buffer> {
  const found = await stat(path);
  if (found.isDirectory()) return Buffer.alloc(0);
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(HEAD), 0, HEAD, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
