import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import * as z from 'zod';
import type { NewRecord } from '../common/datatypes.ts';
import { EXIT, errorCode, errorMessage, MarpleError } from '../common/errors.ts';
import type { SectionHeader } from '../common/header.ts';
import { PARTIAL, sectionFileName } from '../common/partial.ts';
import { type DataFile, openDataFile, renumbered, type SectionReader } from '../common/reader.ts';
import { HeaderReport } from '../common/report.ts';
import type { Batch } from '../common/section.ts';
import { systemReason } from '../common/system-reason.ts';
import { SectionWriter } from '../common/writer.ts';
import { decodeRecording } from './decoders.ts';
import { MachineModules } from './modules.ts';
import { SYMBOLS_FOLDER } from './raw-archive.ts';
import { damagedRecording, RECORDING_FILE, type RunInfo } from './recording.ts';

export interface OpenDataOptions {
  readonly stdin?: Readable;
  /** What messages call it, where it is not its path. */
  readonly name?: string;
  /** A partial folder is of a run that ended by itself, as in an archive. */
  readonly isEnded?: boolean;
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
  if (found?.isDirectory())
    return openPartial(withoutSlash(path), withoutSlash(name), tempDir, options.isEnded === true);
  const partial = `${path}${PARTIAL}`;
  if (found === undefined && (await isFolder(partial))) return openPartial(partial, `${name}${PARTIAL}`, tempDir);
  return openFile(path, name, convert);
}

async function openFile(path: string, name: string, convert: OpenDataOptions['convert']): Promise<DataFile> {
  return (await convert?.(path, name)) ?? openDataFile(path, { name });
}

function withoutSlash(path: string): string {
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
async function openPartial(path: string, name: string, tempDir: string, isEnded = false): Promise<DataFile> {
  const plain = await openDataFile(path, { name, isEnded });
  const opened = [plain];
  const close = async (): Promise<void> => {
    await Promise.all(opened.map((file) => file.close()));
  };
  try {
    const sections = [...plain.sections];
    const warnings = [...plain.warnings];
    for (const recorded of await recordedInterfaces(path)) {
      // A section with its records counted was complete before the run was cut off.
      const own = sections.filter(({ header }) => header.interface === recorded && typeof header.records !== 'number');
      if (own.length === 0) continue;
      const recording = join(path, 'recordings', recorded);
      const { file, headers, problem } = await decodeSections(path, recording, own, tempDir);
      opened.push(file);
      for (const [i, { number }] of own.entries()) {
        sections[number - 1] = renumbered(file.sections[i]!, number, headers[i]);
      }
      if (problem !== undefined) warnings.push(`${recorded}: ${problem}`);
    }
    return { path: name, partial: true, sections, warnings, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Interfaces whose raw recording had begun. */
async function recordedInterfaces(partial: string): Promise<string[]> {
  const names = await readdir(join(partial, 'recordings')).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  });
  const begun: string[] = [];
  for (const name of names.sort()) {
    if ((await readdir(join(partial, 'recordings', name))).includes(RECORDING_FILE)) begun.push(name);
  }
  return begun;
}

interface DecodedSections {
  readonly file: DataFile;
  /** Those of the sections, with what the decoder had to say. */
  readonly headers: readonly SectionHeader[];
  /** What kept the recording from being decoded to its end. */
  readonly problem: string | undefined;
}

/** Decodes the recording of one interface into section files of their own. */
async function decodeSections(
  partial: string,
  recording: string,
  sections: readonly SectionReader[],
  tempDir: string,
): Promise<DecodedSections> {
  const folder = await mkdtemp(join(tempDir, 'decoded-'));
  const report = new HeaderReport();
  const writers = sections.map(({ header }, i) =>
    SectionWriter.create(join(folder, sectionFileName(header, i)), { ...header }),
  );
  let problem: string | undefined;
  const onProblem = (reason: string): void => {
    problem = `its recording could not be decoded to the end: ${reason}`;
    report.warn(problem);
  };
  try {
    const headers = writers.map(({ header }) => header);
    const batches = decodePartial(partial, recording, headers, report);
    for await (const { section, records } of untilDamaged(batches, onProblem)) await writers[section]!.write(records);
    for (const writer of writers) {
      report.applyTo(writer.header);
      await writer.complete();
    }
  } finally {
    for (const writer of writers) await writer.discard();
  }
  const file = withFolder(await openDataFile(folder), folder);
  return { file, headers: writers.map(({ header }) => header), problem };
}

async function* decodePartial(
  partial: string,
  recording: string,
  headers: readonly SectionHeader[],
  report: HeaderReport,
): AsyncGenerator<Batch> {
  const run = await readRun(join(partial, 'run.json'));
  const symbols = join(partial, SYMBOLS_FOLDER);
  const modules = (await isFolder(symbols)) ? { modules: new MachineModules(symbols) } : {};
  for await (const batch of decodeRecording(recording, { ...run, ...modules }, report)) {
    const [first] = batch.records;
    if (first !== undefined && !fits(first, headers[batch.section])) {
      throw damagedRecording(recording, 'what it describes is the recording of another interface');
    }
    yield batch;
  }
}

/** Whether a record can stand in a section. */
function fits(record: NewRecord, header: SectionHeader | undefined): boolean {
  if ('stack' in record) return header?.datatype === 'stack';
  const values = 'x' in record ? record.info : record.datum;
  const isKind = header?.datatype === ('x' in record ? 'datapoint' : 'event');
  return isKind && values.length === (header.fields?.length ?? values.length);
}

/** What comes before an error of the data; the error is told. Others are bugs, and thrown. */
async function* untilDamaged(
  batches: AsyncIterable<Batch>,
  onProblem: (reason: string) => void,
): AsyncGenerator<Batch> {
  try {
    yield* batches;
  } catch (error) {
    if (!(error instanceof MarpleError) && errorCode(error) === undefined) throw error;
    onProblem(errorMessage(error));
  }
}

const runSchema = z.object({
  origin: z.string().regex(/^\d+$/),
  scope: z.object({
    own: z.number(),
    root: z.number().optional(),
    command: z.number().optional(),
    pids: z.array(z.number()).optional(),
    comm: z.string().optional(),
    members: z.array(z.number()).optional(),
  }),
  tasks: z.array(z.object({ tid: z.number(), pid: z.number(), parent: z.number(), comm: z.string() })),
  bootId: z.string(),
});

// {"origin":"8123456789012","scope":{"own":4242},"tasks":[{"tid":1,"pid":1,"parent":0,"comm":"systemd"}],"bootId":"6f..."}
async function readRun(path: string): Promise<RunInfo> {
  try {
    return runSchema.parse(JSON.parse(await readFile(path, 'utf8'))) as RunInfo;
  } catch (error) {
    const reason = errorCode(error) === undefined ? 'it is not whole' : systemReason(error);
    throw new MarpleError(`${path} cannot be read: ${reason}`, EXIT.damaged, undefined, { cause: error });
  }
}
