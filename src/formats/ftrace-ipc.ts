import { setImmediate as yieldToOthers } from 'node:timers/promises';
import * as z from 'zod';
import type { Batch, Report } from '../common/section.ts';
import { FtraceReader, ftraceDetailsSchema, GAP_START } from './ftrace.ts';
import { reportTraceLoss } from './ftrace-loss.ts';
import { IpcDecoder, parseIpcDetails } from './ipc.ts';
import { damagedRecording, type Recording, type RunInfo } from './recording.ts';
import { tcpHandlers } from './tcp-trace.ts';

const ftraceSchema = z.object({ ftrace: ftraceDetailsSchema });

const BATCH = 4096;
/** Events between two rests of a decoder that has nothing to give. */
const SLICE = 50_000;

/**
 * Decodes an ftrace recording of TCP events (formats/tcp-trace.ts): one event per connect, accept, close, send and receive with
 * an end in scope, in the order of their times, nanoseconds since the origin.
 * @throws DamagedFileError where the recording's description is none that can be read here.
 */
export async function* decode(dir: string, recording: Recording, run: RunInfo, report: Report): AsyncIterable<Batch> {
  const details = parseIpcDetails(dir, recording);
  const parsed = ftraceSchema.safeParse(recording.details);
  if (!parsed.success) throw damagedRecording(dir, 'not a description of a trace');
  const { ftrace } = parsed.data;
  const reader = new FtraceReader(dir, ftrace, BigInt(run.origin));
  try {
    const decoder = new IpcDecoder(dir, details, run, report);
    const handlers = tcpHandlers(dir, Object.values(ftrace.formats), decoder.trace);
    let rest = SLICE;
    for (let event = reader.next(); event !== undefined; event = reader.next()) {
      if (event.id === GAP_START) decoder.trace.gap();
      else handlers[event.id]?.(event, event.time);
      const records = decoder.take(BATCH);
      if (records.length > 0) yield { section: 0, records };
      else if (--rest === 0) {
        rest = SLICE;
        await yieldToOthers();
      }
    }
    const lost = reportTraceLoss(dir, reader, ftrace.bufferKb, report);
    yield { section: 0, records: decoder.finish(lost) };
  } finally {
    reader.close();
  }
}
