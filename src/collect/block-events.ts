import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorMessage, MarpleError } from '../common/errors.ts';
import type { Batch } from '../common/section.ts';
import { type BlockDetails, diskstatsFile, TASK_EVENTS } from '../formats/block-records.ts';
import { countsBetween, isTooFew } from '../formats/diskstats.ts';
import { PerfFile } from '../formats/perf-file.ts';
import { findPerf } from '../formats/perf-tool.ts';
import { collectBpftraceBlocks } from './bpftrace/block.ts';
import type { CollectRun, Probe, ProbeRequest } from './collecter.ts';
import { writeToDisk } from './disk-activity.ts';
import { collectTrace } from './ftrace/collect.ts';
import { readFormats } from './ftrace/formats.ts';
import { collectPerf } from './perf/collect.ts';
import { startRecording } from './perf/record.ts';
import { pagesOf, type RecordPlan } from './perf/record-args.ts';
import { blockDeviceName, blockDevices, readDiskstats } from './proc/block-devices.ts';

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

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

const COMPLETE = 'block:block_rq_complete';
/** So many that the missing of one in twenty is seen; each waits for the disk, so that CPUs idle. */
const WRITES = 100;

/**
 * Records some I/O of our own with perf and counts its completions. perf may lose, without a word, what comes in an interrupt
 * while a CPU is idle (seen on Linux 6.18), and the block layer knows how many there were.
 */
export async function probePerfBlocks({ tempDir }: ProbeRequest, events: readonly string[]): Promise<Probe> {
  try {
    const perf = await findPerf();
    const output = join(tempDir, `probe-block-${process.pid}-${probes++}.data`);
    const never = new AbortController().signal;
    const recording = await startRecording({ perf, plans: [{ plan: () => blockPlan(events) }], output, stop: never });
    const before = readDiskstats();
    await writeToDisk(tempDir, WRITES);
    const after = readDiskstats();
    const end = await recording?.finish(AbortSignal.abort());
    if (end?.failure !== undefined) return { usable: false, why: end.failure };
    const seen = countCompletions(output);
    const counted = blockDevices().requestBased.map((device) => ({
      device,
      requests: countsBetween(before, after, device).requests,
    }));
    const made = counted.reduce((sum, { requests }) => sum + requests, 0);
    if (!isTooFew(seen, made) && seen > 0) return { usable: true, version: perf.version };
    const names = counted.filter(({ requests }) => requests > 0).map(({ device }) => blockDeviceName(device));
    return {
      usable: false,
      why: `perf recorded ${seen} of the ${made} completions of I/Os that were made on ${names.join(', ') || 'a disk'} to try it: it loses those that come while a CPU is idle`,
      hint: 'use ftrace: sudo marple collect --disk --tool disklat=ftrace',
    };
  } catch (error) {
    const hint = error instanceof MarpleError ? error.hint : undefined;
    return { usable: false, why: errorMessage(error), ...(hint === undefined ? {} : { hint }) };
  }
}

let probes = 0;

function countCompletions(path: string): number {
  const file = new PerfFile(path, 0n);
  try {
    let count = 0;
    for (const record of file.records()) if (record.kind === 'sample' && record.event.name === COMPLETE) count++;
    return count;
  } finally {
    file.close();
  }
}
