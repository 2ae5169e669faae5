import * as z from 'zod';
import { runTool } from '../../common/process.ts';
import type { Batch } from '../../common/section.ts';
import type { PerfStacksDetails, StackWeight } from '../../formats/perf-stacks.ts';
import type { CollectRun, Probe, ProbeRequest } from '../collecter.ts';
import { reportMallocCost } from '../malloc-cost.ts';
import { findAllocators } from '../proc/allocators.ts';
import { collectPerf } from './collect.ts';
import { ownPlanOptions } from './plans.ts';
import { probePerf } from './probe.ts';
import { pagesOf, type RecordPlan } from './record-args.ts';
import { endAtSize } from './size-limit.ts';
import { Uprobes } from './uprobes.ts';

/** Settings of what records calls of malloc with perf. */
export const mallocProbeOptions = z.strictObject({
  /** The recording ends when perf has written so much, MB. */
  max_mb: z.coerce.number().positive().max(1_000_000).default(500),
  /** Buffer of each CPU, KiB. */
  buffer_kb: z.coerce.number().int().min(64).max(1_048_576).default(8192),
});
export type MallocProbeOptions = z.infer<typeof mallocProbeOptions>;

/**
 * What the probe records: malloc's argument, and where it returns to, by the machine's calling convention (System V ABI,
 * AMD64 supplement; Procedure Call Standard for the Arm 64-bit Architecture).
 */
const ARGUMENTS: Partial<Record<NodeJS.Architecture, string>> = {
  x64: 'size=%di:u64 caller=+0(%sp):u64',
  arm64: 'size=%x0:u64 caller=%x30:u64',
};

/** Records each call of malloc in scope with its size and callers, and yields a section of stacks for each weight. */
export async function* collectMallocCalls(
  run: CollectRun<MallocProbeOptions>,
  what: { readonly interface: string; readonly weights: readonly StackWeight[] },
): AsyncIterable<Batch> {
  const { max_mb: maxMb, buffer_kb: bufferKb } = run.options;
  const probes = await probeMalloc(what.interface, run.scope.pids);
  try {
    if (run.scope.root === undefined) reportMallocCost(run);
    const details: PerfStacksDetails = {
      weights: [...what.weights],
      eventFrame: false,
      formats: probes.formats(),
    };
    yield* collectPerf(run, {
      interface: what.interface,
      format: 'perf-stacks',
      plans: ownPlanOptions(run.scope, plan(probes)),
      options: { max_mb: maxMb, buffer_kb: bufferKb },
      details,
      mmapPages: pagesOf(bufferKb),
      beside: (recording, dir, over) => endAtSize(recording, dir, maxMb, run.report, over),
    });
  } finally {
    probes.remove();
  }
}

/** Puts the probe for a moment, in which a program that calls malloc is run. */
export async function probeMallocCalls(request: ProbeRequest): Promise<Probe> {
  const probes = await probeMalloc('probe', undefined);
  try {
    const [probe] = await Promise.all([probePerf(request, plan(probes)), runTool(['ls', '/'])]);
    return probe;
  } finally {
    probes.remove();
  }
}

function plan(probes: Uprobes): Omit<RecordPlan, 'target'> {
  return { events: probes.events, sampling: { period: 1 }, callGraph: 'fp', extra: ['--no-buildid'] };
}

function probeMalloc(name: string, pids: readonly number[] | undefined): Promise<Uprobes> {
  const places = findAllocators(pids, []).map(({ path, functions }) => ({
    path,
    offset: functions.get('malloc') as number,
  }));
  return Uprobes.create(name, places, ARGUMENTS[process.arch] ?? (ARGUMENTS.x64 as string));
}
