import { EXIT, MarpleError } from '../../common/errors.ts';
import type { Batch } from '../../common/section.ts';
import { type PerfDetails, perfDataFile } from '../../formats/perf-recording.ts';
import { findPerf } from '../../formats/perf-tool.ts';
import { writeRecording } from '../../formats/recording.ts';
import type { CollectRun } from '../collecter.ts';
import { type PerfRecording, type PlanOption, startRecording } from './record.ts';

/** What an interface records with perf, and what decodes it. */
export interface PerfCollection {
  readonly interface: string;
  /** Name of the decoder in formats/decoders.ts. */
  readonly format: string;
  /** In order of preference: the next one is taken where the kernel does not permit one. */
  readonly plans: readonly PlanOption[];
  /** Effective settings, for the header. */
  readonly options: Readonly<Record<string, unknown>>;
  /** What the decoder needs beside perfDetailsSchema; a function is called when perf records. */
  readonly details?:
    | Readonly<Record<string, unknown>>
    | ((dir: string) => Readonly<Record<string, unknown>> | Promise<Readonly<Record<string, unknown>>>);
  /** Ring buffer per CPU in pages; perf's default where it is missing. */
  readonly mmapPages?: number;
  /** Works beside the recording, for one to keep an eye on it; it has to end when `over` aborts. */
  beside?(recording: PerfRecording, dir: string, over: AbortSignal): Promise<void>;
}

/**
 * Records with perf until the run is to end, then decodes it. What was recorded before a failure is decoded all the same,
 * and the failure thrown after it.
 * @throws UnavailableError where no plan works; MarpleError where perf failed on the way; what the decoder throws.
 */
export async function* collectPerf(run: CollectRun<unknown>, what: PerfCollection): AsyncIterable<Batch> {
  const dir = await run.recordingDir();
  const perf = await findPerf();
  const recording = await startRecording({
    perf,
    plans: what.plans,
    output: perfDataFile(dir),
    stop: run.stop,
    ...(what.mmapPages === undefined ? {} : { mmapPages: what.mmapPages }),
  });
  if (recording === undefined) return;
  const details: PerfDetails = {
    tool: { name: 'perf', version: perf.version, command: [...recording.command] },
    options: { ...what.options },
    warnings: [...recording.warnings],
    ...(recording.writer === undefined ? {} : { writer: { ...recording.writer } }),
  };
  const more = typeof what.details === 'function' ? await what.details(dir) : what.details;
  const recordingDetails = { ...details, ...more };
  await writeRecording(dir, { format: what.format, interface: what.interface, details: recordingDetails });
  run.started();
  const over = new AbortController();
  const beside = what.beside?.(recording, dir, over.signal);
  const { failure, hint } = await recording.finish(run.stop);
  over.abort();
  await beside;
  yield* run.decode(dir);
  if (failure !== undefined) throw new MarpleError(failure, EXIT.someFailed, hint);
}
