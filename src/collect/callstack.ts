import { z } from 'zod';
import { EXIT, MarpleError } from '../common/errors.ts';
import type { Batch, SectionSpec } from '../common/section.ts';
import { decodeRecording } from '../formats/decoders.ts';
import { type CallStackDetails, perfDataFile } from '../formats/perf-callstack.ts';
import { findPerf } from '../formats/perf-tool.ts';
import { writeRecording } from '../formats/recording.ts';
import { Collecter, type CollecterDescription, type CollectRun } from './collecter.ts';
import { planOptions } from './perf/plans.ts';
import { probePerf } from './perf/probe.ts';
import { type PerfRecording, startRecording } from './perf/record.ts';
import { CALL_GRAPHS, type RecordPlan } from './perf/record-args.ts';

const options = z.strictObject({
  /** Samples per second and CPU. 99 and not 100, so as not to march in step with what happens a hundred times a second. */
  frequency: z.coerce.number().int().min(1).max(1_000_000).default(99),
  /** How callers are found: frame pointers, debug information, or the CPU's branch records. */
  call_graph: z.enum(CALL_GRAPHS).default('fp'),
});
export type CallStackOptions = z.infer<typeof options>;

const stacks: SectionSpec = { datatype: 'stack', weight: { label: 'samples', unit: 'samples' } };
const events: SectionSpec = { datatype: 'event', fields: ['stack', 'cpu', 'pid', 'tid', 'weight'] };

/** perf counts this where it is not told what to; without a PMU it takes a timer, cpu-clock. */
const EVENT = 'cycles';
/** The probe samples faster than usual: it is over in a moment. */
const PROBE: Omit<RecordPlan, 'target'> = { sampling: { frequency: 999 }, callGraph: 'fp' };

/** What the CPUs are doing: at a fixed rate, the call stack of what each of them runs. */
export class CallStack extends Collecter<CallStackOptions> {
  static readonly description: CollecterDescription<CallStackOptions> = {
    interface: 'callstack',
    area: 'cpu',
    kind: 'stacks',
    summary: 'where CPU time goes: sampled call stacks',
    sections: [stacks, events],
    options,
    tools: [{ name: 'perf', probe: (request) => probePerf(request, PROBE) }],
  };

  override async *collect(): AsyncIterable<Batch> {
    const { run } = this;
    const dir = await run.recordingDir();
    const { frequency, call_graph: callGraph } = run.options;
    const perf = await findPerf();
    const recording = await startRecording({
      perf,
      plans: planOptions(run.scope, { sampling: { frequency }, callGraph }),
      output: perfDataFile(dir),
      stop: run.stop,
    });
    if (recording === undefined) return;
    const details = describe(recording, perf.version, run);
    await writeRecording(dir, { format: 'perf-callstack', interface: 'callstack', details: { ...details } });
    run.started();
    const { failure } = await recording.finish(run.stop);
    // What was recorded before a failure is still data.
    yield* decodeRecording(dir, run.info(), run.report);
    if (failure !== undefined) throw new MarpleError(failure, EXIT.someFailed);
  }
}

function describe(
  recording: PerfRecording,
  version: string,
  { options: { frequency, call_graph } }: CollectRun<CallStackOptions>,
): CallStackDetails {
  const { command, warnings, writer } = recording;
  return {
    tool: { name: 'perf', version, command: [...command] },
    event: EVENT,
    options: { frequency, call_graph },
    warnings: [...warnings],
    ...(writer === undefined ? {} : { writer: { ...writer } }),
  };
}
