import { writeFileSync } from 'node:fs';
import * as z from 'zod';
import { monotonicNow } from '../common/clock.ts';
import type { Batch, SectionSpec } from '../common/section.ts';
import { type GuardLog, guardFile } from '../formats/perf-offcpu.ts';
import { perfDataFile } from '../formats/perf-recording.ts';
import { collectBpftraceOffCpu, probeBpftraceOffCpu } from './bpftrace/offcpu.ts';
import { Collecter, type CollecterDescription } from './collecter.ts';
import { readFormats } from './ftrace/formats.ts';
import { collectPerf } from './perf/collect.ts';
import { planOptions } from './perf/plans.ts';
import { probePerf } from './perf/probe.ts';
import { type GuardStep, guardRate } from './perf/rate-guard.ts';
import type { PerfRecording } from './perf/record.ts';
import { pagesOf, type RecordPlan } from './perf/record-args.ts';
import { noteSwitches, readContextSwitches } from './proc/context-switches.ts';
import { aborted } from './waiting.ts';

const options = z.strictObject({
  /** What perf may write a second on the average, in MB; above it stacks are left out for a while. */
  max_mb_per_s: z.coerce.number().min(0.1).max(100_000).default(20),
  /** Buffer of each CPU, KiB. */
  buffer_kb: z.coerce.number().int().min(64).max(1_048_576).default(8192),
  /** bpftrace: how many different stacks, and tasks, are kept. */
  map_keys: z.coerce.number().int().min(1000).max(1_000_000).default(32_768),
});
export type OffCpuOptions = z.infer<typeof options>;

const stacks: SectionSpec = { datatype: 'stack', weight: { label: 'time off the CPU', unit: 'ns' } };
const events: SectionSpec = { datatype: 'event', fields: ['stack', 'cpu', 'pid', 'tid', 'weight'] };

const SWITCH = 'sched:sched_switch';
/** Each switch with the stack of the task that leaves. When it comes back perf notes by itself, out of idle too. */
const PLAN: Omit<RecordPlan, 'target'> = {
  events: [SWITCH],
  sampling: { period: 1 },
  callGraph: 'fp',
  extra: ['--switch-events', '--no-buildid'],
};

/** Where time is spent waiting: the stacks with which tasks left their CPU, and how long until they had one again. */
export class OffCpu extends Collecter<OffCpuOptions> {
  static readonly description: CollecterDescription<OffCpuOptions> = {
    interface: 'offcpu',
    area: 'cpu',
    kind: 'off',
    summary: 'where time is spent off the CPU: stacks of waiting tasks',
    sections: [stacks, events],
    options,
    tools: [
      { name: 'perf', probe: (request) => probePerf(request, PLAN) },
      { name: 'bpftrace', probe: ({ tempDir }) => probeBpftraceOffCpu(tempDir) },
    ],
  };

  override async *collect(): AsyncIterable<Batch> {
    if (this.run.tool === 'bpftrace') yield* this.#bpftrace();
    else yield* this.#perf();
  }

  async *#perf(): AsyncIterable<Batch> {
    const { max_mb_per_s: maxMbPerS, buffer_kb: bufferKb } = this.run.options;
    const formats = await readFormats([SWITCH]);
    yield* collectPerf(this.run, {
      interface: 'offcpu',
      format: 'perf-offcpu',
      plans: planOptions(this.run.scope, PLAN),
      options: { max_mb_per_s: maxMbPerS, buffer_kb: bufferKb },
      details: async () => ({ format: formats[SWITCH], maxMbPerS, switches: await readContextSwitches() }),
      mmapPages: pagesOf(bufferKb),
      beside: async (recording, dir, over) => {
        const counted = aborted(AbortSignal.any([this.run.stop, over])).then(() => noteSwitches(dir));
        await Promise.all([this.#guard(recording, dir, over), counted]);
      },
    });
  }

  #bpftrace(): AsyncIterable<Batch> {
    return collectBpftraceOffCpu(this.run, this.run.options.map_keys);
  }

  /** The log is written as things happen, so that it is there after a kill too. */
  #guard(recording: PerfRecording, dir: string, over: AbortSignal): Promise<void> {
    const steps: GuardLog = [];
    const note = (step: GuardStep): void => {
      steps.push({ at: String(monotonicNow()), step });
      writeFileSync(guardFile(dir), JSON.stringify(steps), { mode: 0o600 });
    };
    const { max_mb_per_s } = this.run.options;
    const output = perfDataFile(dir);
    return guardRate(recording, { bytesPerSecond: max_mb_per_s * 1e6, event: SWITCH, output, onStep: note }, over);
  }
}
