import { errorMessage } from '../common/errors.ts';
import type { Batch, Report } from '../common/section.ts';
import { type Decoder, damagedRecording, type Recording, type RunInfo, readRecording } from './recording.ts';

/** What reads each format of recording, loaded when it is needed. */
const DECODERS = new Map<string, () => Promise<{ readonly decode: Decoder }>>([
  ['ftrace-cpusched', () => import('./ftrace-cpusched.ts')],
  ['perf-cpusched', () => import('./perf-cpusched.ts')],
  ['perf-callstack', () => import('./perf-callstack.ts')],
  ['perf-offcpu', () => import('./perf-offcpu.ts')],
  ['bpftrace-offcpu', () => import('./bpftrace-offcpu.ts')],
  ['perf-stacks', () => import('./perf-stacks.ts')],
  ['bpftrace-stacks', () => import('./bpftrace-stacks.ts')],
  ['ftrace-disklat', () => import('./disklat.ts')],
  ['bpftrace-disklat', () => import('./disklat.ts')],
  ['perf-disklat', () => import('./disklat.ts')],
  ['ftrace-diskblockrq', () => import('./diskblockrq.ts')],
  ['perf-diskblockrq', () => import('./diskblockrq.ts')],
  ['ftrace-ipc', () => import('./ftrace-ipc.ts')],
  ['perf-ipc', () => import('./perf-ipc.ts')],
]);

/**
 * Decodes the recording in `dir`: at the end of a run, and where the partial folder of a run that was cut off is read.
 * @throws DamagedFileError (65) where `recording.json` cannot be read, or names a format that is not known; what the
 *   decoder throws.
 */
export async function* decodeRecording(dir: string, run: RunInfo, report: Report): AsyncIterable<Batch> {
  const recording = await describe(dir);
  const load = DECODERS.get(recording.format);
  if (load === undefined) {
    const known = [...DECODERS.keys()].join(', ');
    throw damagedRecording(dir, `its format is ${JSON.stringify(recording.format)}, and this MARPLE knows ${known}`);
  }
  const { decode } = await load();
  yield* decode(dir, recording, run, report);
}

async function describe(dir: string): Promise<Recording> {
  try {
    return await readRecording(dir);
  } catch (error) {
    throw damagedRecording(dir, `it does not say what was recorded: ${errorMessage(error)}`, error);
  }
}
