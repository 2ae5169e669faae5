import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { EXIT, MarpleError } from '../common/errors.ts';
import type { SectionHeader } from '../common/header.ts';
import { PARTIAL, sectionFileName } from '../common/partial.ts';
import { type DataFile, openDataFile, renumbered } from '../common/reader.ts';
import { systemReason } from '../common/system-reason.ts';
import { SectionWriter } from '../common/writer.ts';
import { decodeInto, type Recorded, recordingsIn } from './partial-recordings.ts';

export interface OpenDataOptions {
  readonly stdin?: Readable;
  /** What messages call it, where it is not its path. */
  readonly name?: string;
  /** Makes a data file of one that is of another format. */
  readonly convert?: (path: string, name: string) => Promise<DataFile | undefined>;
}

/**
 * Opens what a user may name as data: a data file; `-` (stdin) or a pipe; the partial folder of a run that was cut off, or
 * the name that its file would have had. Streams and decoded recordings are kept in `tempDir` until it is closed.
 * @throws UsageError (2), DamagedFileError (65)
 */
export async function openData(path: string, tempDir: string, options: OpenDataOptions = {}): Promise<DataFile> {
  const { stdin = process.stdin, name = path, convert } = options;
  if (path === '-') return openStream(() => stdin, 'stdin', tempDir, convert);
  const found = await stat(path).catch(() => undefined);
  if (found?.isFIFO() || found?.isCharacterDevice())
    return openStream(() => createReadStream(path), name, tempDir, convert);
  if (found?.isDirectory()) return openPartial(withoutSlash(path), withoutSlash(name), tempDir);
  const partial = `${path}${PARTIAL}`;
  if (found === undefined && (await isFolder(partial))) return openPartial(partial, `${name}${PARTIAL}`, tempDir);
  return openFile(path, name, convert);
}

async function openFile(path: string, name: string, convert: OpenDataOptions['convert']): Promise<DataFile> {
  return (await convert?.(path, name)) ?? openDataFile(path, { name });
}

/** The path of a folder as it is named. */
export function withoutSlash(path: string): string {
  return path.replace(/(?<=.)\/+$/, '');
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** Reading goes back and forth in a file, so a stream is put into one first. */
async function openStream(
  open: () => Readable,
  name: string,
  tempDir: string,
  convert: OpenDataOptions['convert'],
): Promise<DataFile> {
  const folder = await mkdtemp(join(tempDir, 'stream-'));
  const path = join(folder, 'data');
  try {
    await pipeline(open(), createWriteStream(path, { flags: 'wx', mode: 0o600 }));
  } catch (error) {
    throw new MarpleError(
      `${name} could not be read into ${folder}: ${systemReason(error)}`,
      EXIT.usage,
      'put it into a file, and name that: marple display -i FILE',
      { cause: error },
    );
  }
  return withFolder(await openFile(path, name, convert), folder);
}

/** The same file, which takes a temporary folder with it when it is closed. */
function withFolder(file: DataFile, folder: string): DataFile {
  return {
    ...file,
    close: async () => {
      await file.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The sections that were written as they came, and in place of those of a raw recording what it decodes to. */
async function openPartial(path: string, name: string, tempDir: string): Promise<DataFile> {
  const plain = await openDataFile(path, { name });
  const opened = [plain];
  const close = async (): Promise<void> => {
    await Promise.all(opened.map((file) => file.close()));
  };
  try {
    const sections = [...plain.sections];
    const warnings = [...plain.warnings];
    for (const recorded of await recordingsIn(path, plain.sections)) {
      const { file, headers, problem } = await decodeSections(path, recorded, tempDir);
      opened.push(file);
      for (const [i, { number }] of recorded.sections.entries()) {
        sections[number - 1] = renumbered(file.sections[i]!, number, headers[i]);
      }
      if (problem !== undefined) warnings.push(`${recorded.interface}: ${problem}`);
    }
    return { path: name, partial: true, sections, warnings, close };
  } catch (error) {
    await close();
    throw error;
  }
}

interface DecodedSections {
  readonly file: DataFile;
  /** Those of the sections, with what the decoder had to say. */
  readonly headers: readonly SectionHeader[];
  /** What kept the recording from being decoded to its end. */
  readonly problem: string | undefined;
}

/** Decodes a recording into section files of their own. */
async function decodeSections(
  partial: string,
  { folder, sections }: Recorded,
  tempDir: string,
): Promise<DecodedSections> {
  const decoded = await mkdtemp(join(tempDir, 'decoded-'));
  const writers = sections.map(({ header }, i) =>
    SectionWriter.create(join(decoded, sectionFileName(header, i)), { ...header }),
  );
  let problem: string | undefined;
  try {
    problem = await decodeInto(partial, folder, writers);
    for (const writer of writers) await writer.complete();
  } finally {
    for (const writer of writers) await writer.discard();
  }
  const file = withFolder(await openDataFile(decoded), decoded);
  return { file, headers: writers.map(({ header }) => header), problem };
}
