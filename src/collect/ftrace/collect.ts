import type { Batch } from '../../common/section.ts';
import { writeRecording } from '../../formats/recording.ts';
import type { CollectRun } from '../collecter.ts';
import { type RateGuard, recordEvents } from './record.ts';

/** What an interface records with ftrace, and what decodes it. */
export interface TraceCollection {
  readonly interface: string;
  /** Name of the decoder in formats/decoders.ts. */
  readonly format: string;
  /** `GROUP:NAME` each. */
  readonly events: readonly string[];
  /** As in RecordOptions. */
  readonly filters?: Readonly<Record<string, string>>;
  /** As in RecordOptions; `onTripped` is given the recording's folder. */
  readonly guard?: (Omit<RateGuard, 'onTripped'> & { onTripped(dir: string): void }) | undefined;
  /** Trace buffer of each CPU, KiB. */
  readonly bufferKb: number;
  /** What the decoder needs beside the description of the trace, which it finds as `ftrace` in the recording's details. */
  details?(dir: string): Readonly<Record<string, unknown>> | Promise<Readonly<Record<string, unknown>>>;
  /** Called right before the recording stops, with its folder; what it takes is recorded too, so it should be short. */
  onStopping?(dir: string): void | Promise<void>;
  /** Called when it has stopped, before it is decoded. */
  onStopped?(): Promise<void>;
}

/**
 * Records trace events in an instance of our own until the run is to end, then decodes them. What was recorded before a
 * failure is decoded all the same, and the failure thrown after it.
 * @throws UnavailableError where the recording cannot begin; what the decoder throws.
 */
export async function* collectTrace(run: CollectRun<unknown>, what: TraceCollection): AsyncIterable<Batch> {
  const dir = await run.recordingDir();
  let started = false;
  let failure: unknown;
  try {
    await recordEvents({
      name: what.interface,
      events: what.events,
      filters: what.filters,
      guard: what.guard && { ...what.guard, onTripped: () => what.guard?.onTripped(dir) },
      bufferKb: what.bufferKb,
      dir,
      stop: run.stop,
      onStarted: async ({ details: ftrace, command, mounted, warning }) => {
        const details = { ftrace, ...(await what.details?.(dir)) };
        await writeRecording(dir, { format: what.format, interface: what.interface, details });
        run.report.tool({ name: 'ftrace', version: run.toolVersion, command });
        run.report.option('buffer_kb', ftrace.bufferKb);
        if (mounted) run.report.option('tracefs', 'mounted for this run');
        if (warning !== undefined) run.report.warn(warning);
        started = true;
        run.started();
      },
      onStopping: () => what.onStopping?.(dir),
    });
  } catch (error) {
    if (!started) throw error;
    failure = error;
  }
  await what.onStopped?.();
  yield* run.decode(dir);
  if (failure !== undefined) throw failure;
}
