import { setImmediate as yieldToOthers } from 'node:timers/promises';
import * as z from 'zod';
import type { Batch, Report } from '../common/section.ts';
import { countedSwitches } from './context-switches.ts';
import { type FileSample, PerfFile } from './perf-file.ts';
import { describePerf, openPerfData, perfDetailsSchema } from './perf-recording.ts';
import { damagedRecording, type Recording, type RunInfo } from './recording.ts';
import { type SchedDecoder, schedDecoder } from './sched.ts';

const detailsSchema = perfDetailsSchema.extend({
  /** Text of events/GROUP/NAME/format by `GROUP:NAME`. */
  formats: z.record(z.string(), z.string()),
  switches: z.number().optional(),
});

const BATCH = 4096;
/** Records between two rests of a decoder that has nothing to give. */
const SLICE = 50_000;
/** perf_event_attr.type of tracepoints; the config is then the event's id. */
const TRACEPOINT = 2;

/**
 * Decodes what perf recorded of the scheduler's events (SCHED_EVENTS) and of the switches that it notes by itself; what
 * comes out is as with ftrace. Where a switch out of idle is missing perf's own note tells its time.
 * @throws DamagedFileError where perf.data or the recording's description is none that can be read here.
 */
export async function* decode(dir: string, recording: Recording, run: RunInfo, report: Report): AsyncIterable<Batch> {
  const parsed = detailsSchema.safeParse(recording.details);
  if (!parsed.success) {
    throw damagedRecording(dir, 'not a description of a recording of the scheduler');
  }
  const details = parsed.data;
  describePerf(details, report);
  const decoder = schedDecoder(dir, details.formats, run, report);
  const path = await openPerfData(dir, details, report);
  if (path === undefined) return;
  const file = new PerfFile(path, BigInt(run.origin));
  let lost = 0;
  try {
    let rest = SLICE;
    for (const record of file.records()) {
      if (record.kind === 'sample') pushSample(decoder, record);
      else if (record.kind === 'switch') {
        const { isOut, cpu, time, tid } = record;
        if (!isOut && cpu !== undefined && time !== undefined) decoder.cameToRun(cpu, time, tid);
      } else if (record.kind === 'lost') {
        lost += record.count;
        // When it began is not told.
        if (record.cpu !== undefined && record.time !== undefined) {
          decoder.lost(record.cpu, record.time);
          decoder.resumed(record.cpu, record.time);
        }
      }
      const records = decoder.take(BATCH);
      if (records.length > 0) {
        yield { section: 0, records };
      } else if (--rest === 0) {
        rest = SLICE;
        await yieldToOthers();
      }
    }
    yield { section: 0, records: decoder.finish() };
    decoder.reportCounts(countedSwitches(dir, details.switches), lost);
    if (file.damaged > 0) report.warn(`${file.damaged} records of perf's file could not be read`);
    if (lost > 0) {
      report.lost(lost);
      report.warn(`${lost} records were lost: perf could not write as fast as they came`);
    }
  } finally {
    file.close();
  }
}

function pushSample(decoder: SchedDecoder, { event, cpu, time, raw }: FileSample): void {
  if (event.type !== TRACEPOINT || cpu === undefined || time === undefined || raw === undefined) return;
  decoder.push({ ...raw, id: event.config, cpu, time });
}
