import * as z from 'zod';
import type { Batch, SectionSpec } from '../common/section.ts';
import { SCHED_EVENTS, SCHED_FIELDS } from '../formats/sched.ts';
import { Collecter, type CollecterDescription } from './collecter.ts';
import { collectTrace } from './ftrace/collect.ts';
import { readFormats } from './ftrace/formats.ts';
import { probeEvents } from './ftrace/record.ts';
import { collectPerf } from './perf/collect.ts';
import { probePerf } from './perf/probe.ts';
import { pagesOf, type RecordPlan } from './perf/record-args.ts';
import { noteSwitches, readContextSwitches } from './proc/context-switches.ts';
import { aborted } from './waiting.ts';

const options = z.strictObject({
  /** Trace buffer of each CPU, KiB; it holds what comes in 0.1 s, and while MARPLE is kept from running. */
  buffer_kb: z.coerce.number().int().min(64).max(1_048_576).default(16_384),
});
type Options = z.infer<typeof options>;

/** Every event, and the switches as perf notes them by itself: none of those is missing out of idle. */
const PERF_PLAN: Omit<RecordPlan, 'target'> = {
  events: SCHED_EVENTS,
  sampling: { period: 1 },
  extra: ['--switch-events', '--no-buildid'],
};

const section: SectionSpec = { datatype: 'event', fields: SCHED_FIELDS };

/** What the scheduler does: who runs where and when, who wakes whom, and why tasks leave their CPU. */
export class CpuScheduling extends Collecter<Options> {
  static readonly description: CollecterDescription<Options> = {
    interface: 'cpusched',
    area: 'cpu',
    kind: 'sched',
    isDefaultKind: true,
    summary: 'what the scheduler does: switches, wakeups, migrations, new tasks',
    sections: [section],
    options,
    tools: [
      { name: 'ftrace', probe: () => probeEvents('cpusched', SCHED_EVENTS) },
      // Wakers and woken are seldom in one scope, so the whole machine is recorded.
      { name: 'perf', probe: ({ tempDir }) => probePerf({ scope: { own: process.pid }, tempDir }, PERF_PLAN) },
    ],
  };

  override async *collect(): AsyncIterable<Batch> {
    if (this.run.tool === 'perf') yield* this.#perf();
    else yield* this.#trace();
  }

  #trace(): AsyncIterable<Batch> {
    return collectTrace(this.run, {
      interface: 'cpusched',
      format: 'ftrace-cpusched',
      events: SCHED_EVENTS,
      bufferKb: this.run.options.buffer_kb,
      details: async () => ({ switches: await readContextSwitches() }),
      onStopping: noteSwitches,
    });
  }

  async *#perf(): AsyncIterable<Batch> {
    const { run } = this;
    run.report.warn(
      'perf does not see what happens in an interrupt while a CPU idles: wakeups by timers and devices are missing there',
    );
    const formats = await readFormats(SCHED_EVENTS);
    yield* collectPerf(run, {
      interface: 'cpusched',
      format: 'perf-cpusched',
      plans: [{ plan: () => ({ ...PERF_PLAN, target: 'all' }) }],
      options: { buffer_kb: run.options.buffer_kb },
      details: async () => ({ formats, switches: await readContextSwitches() }),
      beside: async (_, dir, over) => {
        await aborted(AbortSignal.any([run.stop, over]));
        await noteSwitches(dir);
      },
      mmapPages: pagesOf(run.options.buffer_kb),
    });
  }
}
