import { setImmediate as yieldToOthers } from 'node:timers/promises';
import * as z from 'zod';
import type { Batch, Report } from '../common/section.ts';
import { IpcDecoder, parseIpcDetails } from './ipc.ts';
import { PerfFile } from './perf-file.ts';
import { describePerf, openPerfData, perfDetailsSchema } from './perf-recording.ts';
import { damagedRecording, type Recording, type RunInfo } from './recording.ts';
import { tcpHandlers } from './tcp-trace.ts';

const detailsSchema = perfDetailsSchema.extend({
  /** Text of events/GROUP/NAME/format by `GROUP:NAME`. */
  formats: z.record(z.string(), z.string()),
});

const BATCH = 4096;
/** Records between two rests of a decoder that has nothing to give. */
const SLICE = 50_000;
/** perf_event_attr.type of tracepoints; the config is then the event's id. */
const TRACEPOINT = 2;

/**
 * Decodes what perf recorded of TCP events (formats/tcp-trace.ts); what comes out is as with ftrace.
 * @throws DamagedFileError where perf.data or the recording's description is none that can be read here.
 */
export async function* decode(dir: string, recording: Recording, run: RunInfo, report: Report): AsyncIterable<Batch> {
  const parsed = detailsSchema.safeParse(recording.details);
  if (!parsed.success) throw damagedRecording(dir, 'not a description of a TCP recording');
  describePerf(parsed.data, report);
  const decoder = new IpcDecoder(dir, parseIpcDetails(dir, recording), run, report);
  const handlers = tcpHandlers(dir, Object.values(parsed.data.formats), decoder.trace);
  const path = await openPerfData(dir, parsed.data, report);
  if (path === undefined) return;
  const file = new PerfFile(path, BigInt(run.origin));
  let lost = 0;
  try {
    let rest = SLICE;
    for (const record of file.records()) {
      if (record.kind === 'sample') {
        const { event, time, raw } = record;
        if (event.type === TRACEPOINT && time !== undefined && raw !== undefined) handlers[event.config]?.(raw, time);
      } else if (record.kind === 'lost') {
        lost += record.count;
        decoder.trace.gap();
      }
      const records = decoder.take(BATCH);
      if (records.length > 0) yield { section: 0, records };
      else if (--rest === 0) {
        rest = SLICE;
        await yieldToOthers();
      }
    }
    if (lost > 0) {
      report.lost(lost);
      report.warn(`${lost} records were lost: perf could not write as fast as they came`);
    }
    yield { section: 0, records: decoder.finish(lost) };
    if (file.damaged > 0) report.warn(`${file.damaged} records of perf's file could not be read`);
  } finally {
    file.close();
  }
}
