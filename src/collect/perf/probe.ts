import { join } from 'node:path';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { MarpleError } from '../../common/errors.ts';
import { countSamples, recordedEvents } from '../../formats/perf-data.ts';
import { findPerf } from '../../formats/perf-tool.ts';
import type { Probe, ProbeRequest } from '../collecter.ts';
import { planOptions } from './plans.ts';
import { startRecording } from './record.ts';
import type { RecordPlan } from './record-args.ts';

/** Time that the trial records, during which MARPLE keeps a CPU busy. */
const TRIAL_MS = 50;

/**
 * Records for a moment what the scope asks for, and reads it back. Usable is what gave a perf.data with the event in it;
 * where the whole machine is recorded (so that there is something to see) with a sample of it too.
 */
export async function probePerf(request: ProbeRequest, what: Omit<RecordPlan, 'target'>): Promise<Probe> {
  try {
    const perf = await findPerf();
    const output = join(request.tempDir, `probe-${process.pid}-${trials++}.data`);
    const recording = await startRecording({
      perf,
      plans: planOptions(request.scope, what),
      output,
      stop: new AbortController().signal,
    });
    await keepBusy(TRIAL_MS);
    const end = await recording?.finish(AbortSignal.abort());
    if (end?.failure !== undefined) {
      return { usable: false, why: end.failure, ...(end.hint === undefined ? {} : { hint: end.hint }) };
    }
    const events = await recordedEvents(perf, output);
    const samples = recording?.plan.target === 'all' ? await countSamples(perf, output) : 1;
    if (events.length === 0 || samples === 0) return { usable: false, why: 'perf record ran, but recorded nothing' };
    return { usable: true, version: perf.version };
  } catch (error) {
    if (!(error instanceof MarpleError)) throw error;
    return { usable: false, why: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
  }
}

let trials = 0;

/** Gives perf something to see, and leaves others their turns. */
async function keepBusy(ms: number): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end) await yieldToOthers();
}
