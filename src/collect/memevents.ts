import { existsSync } from 'node:fs';
import * as z from 'zod';
import type { Batch, SectionSpec } from '../common/section.ts';
import type { PerfStacksDetails } from '../formats/perf-stacks.ts';
import { Collecter, type CollecterDescription, type Probe, type ProbeRequest } from './collecter.ts';
import { collectPerf } from './perf/collect.ts';
import { ownPlanOptions } from './perf/plans.ts';
import { probePerf } from './perf/probe.ts';
import { pagesOf, type RecordPlan } from './perf/record-args.ts';
import { endAtSize } from './perf/size-limit.ts';

const options = z.strictObject({
  /** Samples per second and CPU of loads and stores. */
  frequency: z.coerce.number().int().min(1).max(1_000_000).default(99),
  /** The recording ends when perf has written so much, MB. */
  max_mb: z.coerce.number().positive().max(1_000_000).default(500),
  /** Buffer of each CPU, KiB. */
  buffer_kb: z.coerce.number().int().min(64).max(1_048_576).default(8192),
});
export type MemEventsOptions = z.infer<typeof options>;

const stacks: SectionSpec = { datatype: 'stack', weight: { label: 'samples', unit: 'samples' } };

const DEVICES = '/sys/bus/event_source/devices';
/** Kinds of PMU that can tell which instruction loaded or stored (perf-mem(1)), each with its events. */
const PMUS: readonly { readonly file: string; readonly events: readonly string[] }[] = [
  { file: 'cpu/events/mem-loads', events: ['cpu/mem-loads/P', 'cpu/mem-stores/P'] },
  { file: 'cpu_core/events/mem-loads', events: ['cpu_core/mem-loads/P', 'cpu_core/mem-stores/P'] },
  // AMD's samples are of any instruction, loads and stores among them.
  { file: 'ibs_op', events: ['ibs_op//'] },
];
const ACCESSES = 'memory loads and stores';
const NO_PMU = `${DEVICES} has no PMU that samples ${ACCESSES} (on a virtual machine the host can pass its own on)`;

/** Software events of the kernel (perf_event_open(2)): a fault that needed no I/O, and one that did. */
const FAULT_PLAN: Omit<RecordPlan, 'target'> = {
  events: ['minor-faults', 'major-faults'],
  sampling: { period: 1 },
  callGraph: 'fp',
  extra: ['--no-buildid'],
};

/** Which code touches memory: sampled loads and stores, or, where the machine cannot tell these, every page fault. */
export class MemEvents extends Collecter<MemEventsOptions> {
  static readonly description: CollecterDescription<MemEventsOptions> = {
    interface: 'memevents',
    area: 'mem',
    kind: 'events',
    summary: 'memory loads and stores by stack (without a PMU: page faults)',
    sections: [stacks],
    options,
    tools: [
      { name: 'perf', probe: probeAccesses },
      { name: 'page-faults', probe: (request) => probePerf(request, FAULT_PLAN) },
    ],
  };

  override collect(): AsyncIterable<Batch> {
    return this.run.tool === 'perf' ? this.#accesses() : this.#faults();
  }

  #accesses(): AsyncIterable<Batch> {
    const { frequency } = this.run.options;
    return this.#record(accessPlan(accessEvents() ?? ['mem-loads', 'mem-stores'], frequency), { frequency });
  }

  #faults(): AsyncIterable<Batch> {
    const why =
      accessEvents() === undefined ? NO_PMU : 'page faults were asked for, or perf could not sample loads and stores';
    return this.#record(FAULT_PLAN, {}, { for: ACCESSES, why: `${why}; these are page faults, every one of them` });
  }

  #record(
    plan: Omit<RecordPlan, 'target'>,
    settings: Readonly<Record<string, unknown>>,
    substitute?: { for: string; why: string },
  ): AsyncIterable<Batch> {
    const { run } = this;
    const { max_mb: maxMb, buffer_kb: bufferKb } = run.options;
    const details: PerfStacksDetails = {
      weights: ['samples'],
      eventFrame: true,
      formats: [],
      ...(substitute === undefined ? {} : { substitute }),
    };
    return collectPerf(run, {
      interface: 'memevents',
      format: 'perf-stacks',
      plans: ownPlanOptions(run.scope, plan),
      options: { ...settings, max_mb: maxMb, buffer_kb: bufferKb },
      details,
      mmapPages: pagesOf(bufferKb),
      beside: (recording, dir, over) => endAtSize(recording, dir, maxMb, run.report, over),
    });
  }
}

function accessEvents(): readonly string[] | undefined {
  return PMUS.find(({ file }) => existsSync(`${DEVICES}/${file}`))?.events;
}

function accessPlan(events: readonly string[], frequency: number): Omit<RecordPlan, 'target'> {
  return { events, sampling: { frequency }, callGraph: 'fp', extra: ['-d', '--no-buildid'] };
}

function probeAccesses(request: ProbeRequest): Promise<Probe> {
  const events = accessEvents();
  return events === undefined
    ? Promise.resolve({ usable: false, why: NO_PMU })
    : probePerf(request, accessPlan(events, 999));
}
