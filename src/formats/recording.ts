import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DamagedFileError } from '../common/errors.ts';
import type { Scope, Task } from '../common/scope.ts';
import type { Batch, Report } from '../common/section.ts';
import type { ModuleSource } from './modules.ts';

/**
 * What decoding needs to know of the run: `run.json` in NAME.partial, written at the start and again when the user's
 * command has started (its pid is then the scope's root).
 */
export interface RunInfo {
  /** CLOCK_MONOTONIC at the origin of the file's times, nanoseconds, as decimal text. */
  readonly origin: string;
  readonly scope: Scope;
  /** Tasks of the machine at the start. */
  readonly tasks: readonly Task[];
  /** Boot id of the machine: symbols can be resolved only there, or with those that were kept. */
  readonly bootId: string;
  /** Where the names of functions come from, where that is not this machine; not in run.json. */
  readonly modules?: ModuleSource;
}

/**
 * A raw recording of a tool, decoded only at the end of a run: a folder `recordings/<interface>/` in NAME.partial with
 * the tool's files and `recording.json`. Reading a partial directory decodes it too.
 */
export interface Recording {
  /** Which decoder reads it, `perf-callstack` for one. */
  readonly format: string;
  readonly interface: string;
  /** Whatever the decoder of this format needs besides. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** Reads the recording in `dir` and yields the records of the interface's sections, each section in its final order. */
export type Decoder = (dir: string, recording: Recording, run: RunInfo, report: Report) => AsyncIterable<Batch>;

export const RECORDING_FILE = 'recording.json';

/** A description of a recording that cannot be read: `recording.json` in its folder, one line. */
export function damagedRecording(dir: string, problem: string, cause?: unknown, hint?: string): DamagedFileError {
  return new DamagedFileError(`${join(dir, RECORDING_FILE)}:1`, problem, hint, cause === undefined ? {} : { cause });
}

export async function writeRecording(dir: string, recording: Recording): Promise<void> {
  await writeFile(join(dir, RECORDING_FILE), `${JSON.stringify(recording)}\n`, { mode: 0o600 });
}

export async function readRecording(dir: string): Promise<Recording> {
  return JSON.parse(await readFile(join(dir, RECORDING_FILE), 'utf8')) as Recording;
}
