import * as z from 'zod';
import type { Batch, SectionSpec } from '../common/section.ts';
import { Collecter, type CollecterDescription } from './collecter.ts';
import { collectPerf } from './perf/collect.ts';
import { planOptions } from './perf/plans.ts';
import { probePerf } from './perf/probe.ts';
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
    const { frequency, call_graph: callGraph } = this.run.options;
    yield* collectPerf(this.run, {
      interface: 'callstack',
      format: 'perf-callstack',
      plans: planOptions(this.run.scope, { sampling: { frequency }, callGraph }),
      options: { frequency, call_graph: callGraph },
      details: { event: EVENT },
    });
  }
}
