import { setImmediate as yieldToOthers } from 'node:timers/promises';
import * as z from 'zod';
import type { Batch, Report } from '../common/section.ts';
import { countedSwitches } from './context-switches.ts';
import { FtraceReader, ftraceDetailsSchema, GAP_END, GAP_START } from './ftrace.ts';
import { reportTraceLoss } from './ftrace-loss.ts';
import { damagedRecording, type Recording, type RunInfo } from './recording.ts';
import { schedDecoder } from './sched.ts';

const detailsSchema = z.object({ ftrace: ftraceDetailsSchema, switches: z.number().optional() });

const BATCH = 4096;
/** Events between two rests of a decoder that has nothing to give. */
const SLICE = 50_000;

/**
 * Decodes a trace of the scheduler (SCHED_EVENTS): one event per record in scope, sorted by time (ns since the origin), as
 * SchedDecoder has it. Where events of a CPU were lost there is a `lost` before and a `resume` behind the hole.
 * @throws DamagedFileError where the recording's description is none that can be read here.
 */
export async function* decode(dir: string, recording: Recording, run: RunInfo, report: Report): AsyncIterable<Batch> {
  const parsed = detailsSchema.safeParse(recording.details);
  if (!parsed.success) throw damagedRecording(dir, 'not a description of a scheduler trace');
  const { ftrace, switches } = parsed.data;
  const reader = new FtraceReader(dir, ftrace, BigInt(run.origin));
  try {
    const decoder = schedDecoder(dir, ftrace.formats, run, report);
    let rest = SLICE;
    for (let event = reader.next(); event !== undefined; event = reader.next()) {
      if (event.id === GAP_START) decoder.lost(event.cpu, event.time);
      else if (event.id === GAP_END) decoder.resumed(event.cpu, event.time);
      else decoder.push(event);
      const records = decoder.take(BATCH);
      if (records.length > 0) {
        yield { section: 0, records };
      } else if (--rest === 0) {
        rest = SLICE;
        await yieldToOthers();
      }
    }
    yield { section: 0, records: decoder.finish() };
    const lost = reportTraceLoss(dir, reader, ftrace.bufferKb, report);
    decoder.reportCounts(countedSwitches(dir, switches), lost);
  } finally {
    reader.close();
  }
}
