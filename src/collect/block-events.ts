import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UnavailableError } from '../common/errors.ts';
import type { Batch } from '../common/section.ts';
import { type BlockDetails, diskstatsFile, TASK_EVENTS, traceEventOf } from '../formats/block-records.ts';
import { isTooFew } from '../formats/diskstats.ts';
import { PerfFile } from '../formats/perf-file.ts';
import { findPerf } from '../formats/perf-tool.ts';
import { collectBpftraceBlocks, countWithBpftrace } from './bpftrace/block.ts';
import type { CollectRun, Probe, ProbeRequest } from './collecter.ts';
import { writeToDisk } from './disk-activity.ts';
import { collectTrace } from './ftrace/collect.ts';
import { readFormats } from './ftrace/formats.ts';
import { collectPerf } from './perf/collect.ts';
import { startRecording } from './perf/record.ts';
import { pagesOf, type RecordPlan } from './perf/record-args.ts';
import { blockDevices, completedRequests, readDiskstats } from './proc/block-devices.ts';
import { unusable } from './unusable.ts';
import { aborted } from './waiting.ts';

/** What an interface records of the block layer. */
export interface BlockCollection {
  readonly interface: string;
  /** `GROUP:NAME` each. */
  readonly events: readonly string[];
  /** Buffer of each CPU, KiB. */
  readonly bufferKb: number;
  /** Called when the recording has stopped, before it is decoded. */
  onStopped?(): Promise<void>;
}

/**
 * Records block events of the whole machine with ftrace, perf or bpftrace, as the run says, until it is to end; then decodes
 * them. What was recorded before a failure is decoded all the same, and the failure thrown after it.
 */
export async function* collectBlockEvents(run: CollectRun<unknown>, what: BlockCollection): AsyncIterable<Batch> {
  const { interface: name, events, bufferKb } = what;
  const onStopping = (dir: string): void => writeFileSync(diskstatsFile(dir), readDiskstats(), { mode: 0o600 });
  const onStopped = async (): Promise<void> => what.onStopped?.();
  const format = `${run.tool}-${name}`;
  const common = { interface: name, format, events, bufferKb, onStopping, onStopped };
  if (run.tool === 'bpftrace') yield* collectBpftraceBlocks(run, { ...common, details: blockDetails });
  else if (run.tool === 'perf') yield* throughPerf(run, common);
  else yield* collectTrace(run, { ...common, details: () => ({ ...blockDetails() }) });
}

function blockDetails(): BlockDetails {
  return { ...blockDevices(), diskstats: readDiskstats() };
}

interface PerfBlocks extends BlockCollection {
  readonly format: string;
  onStopping(dir: string): void;
  onStopped(): Promise<void>;
}

async function* throughPerf(run: CollectRun<unknown>, what: PerfBlocks): AsyncIterable<Batch> {
  const plan = blockPlan(what.events);
  const formats = await readFormats(plan.events ?? []);
  yield* collectPerf(run, {
    interface: what.interface,
    format: what.format,
    plans: [{ plan: () => plan }],
    options: { buffer_kb: what.bufferKb },
    details: () => ({ ...blockDetails(), formats }),
    mmapPages: pagesOf(what.bufferKb),
    beside: async (_, dir, over) => {
      await aborted(AbortSignal.any([run.stop, over]));
      what.onStopping(dir);
      await what.onStopped();
    },
  });
}

/** perf tells of tasks by itself. */
function blockPlan(events: readonly string[]): RecordPlan {
  const isTask = (event: string): boolean => (TASK_EVENTS as readonly string[]).includes(event);
  return { target: 'all', events: events.filter((event) => !isTask(event)), sampling: { period: 1 } };
}

/** So many that the missing of one in twenty is seen; each waits for the disk, so that CPUs idle. */
const WRITES = 100;

/** Records some I/O of our own with perf, and looks whether its completions are there. */
export function probePerfBlocks({ tempDir }: ProbeRequest, events: readonly string[]): Promise<Probe> {
  return probeCompletions('perf', tempDir, async (activity) => {
    const perf = await findPerf();
    const output = join(tempDir, `probe-block-${process.pid}-${probes++}.data`);
    const never = new AbortController().signal;
    const recording = await startRecording({ perf, plans: [{ plan: () => blockPlan(events) }], output, stop: never });
    await activity();
    const end = await recording?.finish(AbortSignal.abort());
    if (end?.failure !== undefined) throw new UnavailableError(end.failure);
    return { completions: countCompletions(output), version: perf.version };
  });
}

/** The same with bpftrace. */
export function probeBpftraceBlocks({ tempDir }: ProbeRequest): Promise<Probe> {
  return probeCompletions('bpftrace', tempDir, (activity) => countWithBpftrace(tempDir, activity));
}

/**
 * Some kernels give perf and eBPF programs not all that comes in an interrupt, without a word: what comes while a CPU is idle,
 * for one (seen on Linux 6.18). The block layer knows how many requests completed. `count` tells how many of those of the
 * activity a tool has.
 */
async function probeCompletions(
  tool: string,
  tempDir: string,
  count: (activity: () => Promise<void>) => Promise<{ readonly completions: number; readonly version: string }>,
): Promise<Probe> {
  let made = 0;
  try {
    const { completions, version } = await count(async () => {
      const before = completedRequests();
      await writeToDisk(tempDir, WRITES);
      made = completedRequests() - before;
    });
    if (completions > 0 && !isTooFew(completions, made)) return { usable: true, version };
    return {
      usable: false,
      why: `${tool} saw ${completions} of ${made} completions of I/Os that were made to try it: what comes in an interrupt is not all given to it here`,
      hint: 'use ftrace: sudo marple collect --disk --tool disklat=ftrace',
    };
  } catch (error) {
    return unusable(error);
  }
}

let probes = 0;

function countCompletions(path: string): number {
  const file = new PerfFile(path, 0n);
  try {
    let count = 0;
    for (const record of file.records()) {
      if (record.kind === 'sample' && record.event.name === traceEventOf('complete')) count++;
    }
    return count;
  } finally {
    file.close();
  }
}
