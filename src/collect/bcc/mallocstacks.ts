import { setTimeout as sleep } from 'node:timers/promises';
import type { Batch } from '../../common/section.ts';
import { isMallocstacksTitle, parseMallocstacks, stacksWithoutSlot } from '../../formats/bcc-stacks.ts';
import { plainLines } from '../../formats/lines.ts';
import { stackBatches } from '../../formats/stack-table.ts';
import type { CollectRun, Probe, ProbeRequest } from '../collecter.ts';
import { readStat } from '../proc/stat.ts';
import { unusable } from '../unusable.ts';
import { aborted } from '../waiting.ts';
import { namedPids, refusedScope, Targets } from './target.ts';
import { type BccRun, bccFailure, bccVersion, startBcc, startForEach } from './tool.ts';

const NAME = 'mallocstacks';
/** Its other table, of bytes by stack, is of this size: more places for stacks than these are only to keep them apart. */
const MOST_COUNTED = 10_240;
const MOST_SLOTS = 65_536;
/** Characters: a tenth of it is much for so many stacks. */
const MOST_PRINTED = 256 * 1024 * 1024;

/** Runs BCC's mallocstacks for each process: it prints what it has seen when it is interrupted. */
export async function* collectMallocstacks(run: CollectRun<unknown>, most: number): AsyncIterable<Batch> {
  const { report, stop } = run;
  const targets = new Targets(namedPids(run.scope.pids));
  const slots = Math.min(most, MOST_SLOTS);
  const tools = await startForEach(targets.pids, (pid) => startMallocstacks(pid, slots, stop));
  try {
    const [first] = tools;
    report.tool({ name: 'bcc mallocstacks', version: run.toolVersion, command: first?.tool.argv ?? [] });
    if (tools.length > 1) report.note(`it ran ${tools.length} times, once for each process`);
    report.option('max_stacks', slots);
    run.started();
    await Promise.race([aborted(stop), ...tools.map(({ tool }) => tool.exit)]);
    const gone = targets.look();
    await Promise.all(tools.map(({ tool }) => tool.stop()));
    for (const [index, pid] of targets.pids.entries()) {
      const { lines, tool } = tools[index] as Mallocstacks;
      const exit = await tool.exit;
      if (exit.code !== 0) throw bccFailure(NAME, exit, tool.stderr());
      const stacks = parseMallocstacks(await lines, (line) => report.skipped(line));
      targets.add(pid, stacks, run.scope.comm === undefined ? undefined : new RegExp(run.scope.comm, 'u'));
      const without = stacksWithoutSlot(stacks.length, slots);
      if (stacks.length >= MOST_COUNTED || without > 0) {
        report.warn(
          `bytes are missing: of the stacks of process ${pid} about ${Math.min(without, slots)} or more found no room in BCC's ` +
            'tables (marple collect --tool mallocstacks=bpftrace has larger ones)',
        );
      }
      if (gone.includes(pid)) {
        report.warn(
          `process ${pid} ended before the run did, and BCC looks up the names of functions only at the end ` +
            '(marple collect --tool mallocstacks=bpftrace finds them)',
        );
      }
    }
    yield* stackBatches(0, targets.table.stacks());
    targets.report(report);
  } finally {
    await Promise.all(tools.map(({ tool }) => tool.stop()));
  }
}

interface Mallocstacks extends BccRun {
  /** All that it printed, when it has ended. */
  readonly lines: Promise<readonly string[]>;
}

function startMallocstacks(pid: number, most: number, stop: AbortSignal): Mallocstacks {
  const tool = startBcc(NAME, [`${pid}`, `${most}`], stop);
  let attached: () => void = () => undefined;
  const isAttached = new Promise<void>((resolve) => (attached = resolve)).then(() => untilAsleep(tool.pid));
  const read = async (): Promise<readonly string[]> => {
    const lines: string[] = [];
    let length = 0;
    for await (const group of plainLines(tool.stdout as AsyncIterable<Buffer>)) {
      if (group.some(isMallocstacksTitle)) attached();
      for (const line of group) {
        length += line.length;
        if (length <= MOST_PRINTED) lines.push(line);
      }
      if (length > MOST_PRINTED) void tool.stop();
    }
    return lines;
  };
  const failed = tool.exit.then((exit) => Promise.reject(bccFailure(NAME, exit, tool.stderr())));
  const race = Promise.race([isAttached, failed]);
  // Whoever waits is told; nobody need wait.
  race.catch(() => undefined);
  failed.catch(() => undefined);
  return { tool, attached: race, lines: read() };
}

const LOOK_MS = 10;
const LOOKS = 3;

/** Until it sleeps, the signal that is to end it would end it without a word. */
async function untilAsleep(pid: number): Promise<void> {
  for (let looks = 0; looks < LOOKS; ) {
    const state = readStat(pid)?.state;
    if (state === undefined) return;
    looks = state === 'S' ? looks + 1 : 0;
    await sleep(LOOK_MS);
  }
}

/** Runs it on this process for a moment, in which this process asks malloc for memory. */
export async function probeMallocstacks(request: ProbeRequest): Promise<Probe> {
  const refused = refusedScope(request);
  if (refused !== undefined) return refused;
  try {
    const never = new AbortController().signal;
    const [{ tool, lines }] = (await startForEach([process.pid], (pid) => startMallocstacks(pid, 1024, never))) as [
      Mallocstacks,
    ];
    try {
      allocate();
      await tool.stop();
      const stacks = parseMallocstacks(await lines, () => undefined);
      if (stacks.length === 0) return { usable: false, why: "BCC's mallocstacks ran, but saw no call of malloc" };
      return { usable: true, version: await bccVersion() };
    } finally {
      await tool.stop();
    }
  } catch (error) {
    return unusable(error);
  }
}

/** What Node has outside of its own heap is malloc's. */
export function allocate(): void {
  for (let i = 0; i < 100; i++) Buffer.allocUnsafeSlow(100_000 + i);
}
