import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { NewRecord } from '../common/datatypes.ts';
import { EXIT, errorCode, errorMessage, MarpleError } from '../common/errors.ts';
import type { SectionHeader } from '../common/header.ts';
import type { SectionReader } from '../common/reader.ts';
import { HeaderReport } from '../common/report.ts';
import type { Batch } from '../common/section.ts';
import { systemReason } from '../common/system-reason.ts';
import { decodeRecording } from './decoders.ts';
import { MachineModules } from './modules.ts';
import { SYMBOLS_FOLDER } from './raw-archive.ts';
import { damagedRecording, RECORDING_FILE, type RunInfo } from './recording.ts';

/*
 * The recordings in the partial folder of a run: what tools recorded, from which sections are still to be made.
 */

/** A recording, and the sections that it is for. */
export interface Recorded {
  readonly interface: string;
  readonly folder: string;
  readonly sections: readonly SectionReader[];
}

/** What takes the records of a section. Its header is completed with what the decoder has to say. */
export interface DecodedSection {
  readonly header: SectionHeader;
  write(records: readonly NewRecord[]): void | Promise<void>;
}

/** The recordings of a partial folder that sections of it are still to be made from. */
export async function recordingsIn(partial: string, sections: readonly SectionReader[]): Promise<Recorded[]> {
  const recordings = (await recordedInterfaces(partial)).map((name) => ({
    interface: name,
    folder: join(partial, 'recordings', name),
    // A section with its records counted was complete before the run was cut off.
    sections: sections.filter(({ header }) => header.interface === name && typeof header.records !== 'number'),
  }));
  return recordings.filter(({ sections }) => sections.length > 0);
}

/** Interfaces whose recording had begun. */
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

/**
 * Decodes the recording in `folder` into its sections.
 * @returns what kept it from being decoded to its end, undefined where nothing did.
 */
export async function decodeInto(
  partial: string,
  folder: string,
  sections: readonly DecodedSection[],
): Promise<string | undefined> {
  const report = new HeaderReport();
  let problem: string | undefined;
  const onProblem = (reason: string): void => {
    problem = `its recording could not be decoded to the end: ${reason}`;
    report.warn(problem);
  };
  const headers = sections.map(({ header }) => header);
  const batches = decodePartial(partial, folder, headers, report);
  for await (const { section, records } of untilDamaged(batches, onProblem)) await sections[section]!.write(records);
  for (const header of headers) report.applyTo(header);
  return problem;
}

async function* decodePartial(
  partial: string,
  recording: string,
  headers: readonly SectionHeader[],
  report: HeaderReport,
): AsyncGenerator<Batch> {
  const run = await readRun(join(partial, 'run.json'));
  const symbols = join(partial, SYMBOLS_FOLDER);
  const hasSymbols = (await stat(symbols).catch(() => undefined))?.isDirectory() === true;
  const modules = hasSymbols ? { modules: new MachineModules(symbols) } : {};
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
