import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNow } from '../../common/clock.ts';
import { EXIT, MarpleError } from '../../common/errors.ts';
import { describeExit, runTool, startTool, type ToolProcess } from '../../common/process.ts';
import type { Batch } from '../../common/section.ts';
import { bpftraceFile, missesFile, parseLine } from '../../formats/bpftrace-block.ts';
import { decodeRecording } from '../../formats/decoders.ts';
import { writeRecording } from '../../formats/recording.ts';
import type { CollectRun } from '../collecter.ts';

const INTERVAL_MS = 50;

/**
 * One line per event, read by formats/bpftrace-block.ts; now and then the time, which says that everything is attached, and
 * how far the printing is. print() flushes what printf() wrote before it.
 */
const PROGRAM = `
tracepoint:block:block_rq_issue {
  printf("I %llu %d %d %d %llu %u %u %s %r\\n", nsecs, pid, tid, args->dev, args->sector, args->nr_sector, args->bytes,
    args->rwbs, buf(comm, 16));
}
tracepoint:block:block_rq_complete {
  printf("C %llu %d %d %llu %u %d %s\\n", nsecs, tid, args->dev, args->sector, args->nr_sector, args->error, args->rwbs);
}
tracepoint:block:block_rq_requeue {
  printf("R %llu %d %d %llu %u %s\\n", nsecs, tid, args->dev, args->sector, args->nr_sector, args->rwbs);
}
tracepoint:task:task_newtask {
  printf("F %llu %d %d %llu %r\\n", nsecs, tid, args->pid, args->clone_flags, buf(args->comm, 16));
}
tracepoint:task:task_rename {
  printf("N %llu %d %r\\n", nsecs, args->pid, buf(args->newcomm, 16));
}
interval:ms:${INTERVAL_MS} {
  print(nsecs);
}
`;
/** Pages of the buffer of each CPU; bpftrace's default are 64. */
const PAGES = 1024;
const GRACE_MS = 10_000;
const POLL_MS = 20;

export interface BpftraceCollection {
  readonly interface: string;
  /** Name of the decoder in formats/decoders.ts. */
  readonly format: string;
  details(): Readonly<Record<string, unknown>>;
  onStopping(dir: string): void;
  onStopped(): Promise<void>;
}

/** Keeps what bpftrace prints of block events until the run is to end, then decodes it. */
export async function* collectBpftraceBlocks(run: CollectRun<unknown>, what: BpftraceCollection): AsyncIterable<Batch> {
  const dir = await run.recordingDir();
  const output = bpftraceFile(dir);
  const tool = launch(output);
  const stop = (): void => {
    what.onStopping(dir);
    void stopBehind(tool, dir, monotonicNow());
  };
  try {
    if (!(await isAttached(tool, output))) throw failure(tool, await tool.exit);
    const details = {
      ...what.details(),
      tool: { name: 'bpftrace', version: run.toolVersion, command: [...tool.argv] },
    };
    await writeRecording(dir, { format: what.format, interface: what.interface, details });
    run.started();
    if (run.stop.aborted) stop();
    else run.stop.addEventListener('abort', stop, { once: true });
    const exit = await tool.exit;
    await what.onStopped();
    yield* decodeRecording(dir, run.info(), run.report);
    if (!run.stop.aborted) throw failure(tool, exit);
  } finally {
    run.stop.removeEventListener('abort', stop);
    await tool.stop();
  }
}

/**
 * Runs the program while `activity` goes on; gives the number of completions that it printed, and the tool's version.
 * @throws MarpleError where it does not run.
 */
export async function countWithBpftrace(
  tempDir: string,
  activity: () => Promise<void>,
): Promise<{ readonly completions: number; readonly version: string }> {
  const output = join(tempDir, `probe-bpftrace-${process.pid}-${probes++}.txt`);
  const tool = launch(output);
  try {
    if (!(await isAttached(tool, output))) throw failure(tool, await tool.exit);
    await activity();
    await hasPrinted(tool, output, monotonicNow(), GRACE_MS);
  } finally {
    await tool.stop();
  }
  const records = readFileSync(output, 'latin1').split('\n');
  const completions = records.filter((line) => {
    const record = parseLine(line, 0n);
    return typeof record === 'object' && record.kind === 'block' && record.type === 'complete';
  });
  const { stdout } = await runTool(['bpftrace', '--version']);
  return { completions: completions.length, version: stdout.trim().replace(/^bpftrace v?/u, '') };
}

let probes = 0;

/**
 * Its output goes to a file and not through a pipe: where the signal that ends it comes while it waits for the pipe's reader,
 * that write fails and nothing more is printed (seen with bpftrace 0.17: 139 of 400 I/Os, and exit status 0).
 */
function launch(output: string): ToolProcess {
  const tool = startTool(['bpftrace', '-o', output, '-e', PROGRAM], {
    stopSignal: 'SIGINT',
    graceMs: GRACE_MS,
    env: { BPFTRACE_PERF_RB_PAGES: `${PAGES}` },
  });
  tool.stdout.resume();
  return tool;
}

/** Whether it came to run; false where it ended before. */
function isAttached(tool: ToolProcess, output: string): Promise<boolean> {
  return hasPrinted(tool, output, 0n, Number.POSITIVE_INFINITY);
}

/** Ends it when it has printed what came until `time`: it throws away what is in its buffers then. */
async function stopBehind(tool: ToolProcess, dir: string, time: bigint): Promise<void> {
  await hasPrinted(tool, bpftraceFile(dir), time, GRACE_MS);
  // The buffers of other CPUs are read in the same round.
  await sleep(INTERVAL_MS);
  writeFileSync(missesFile(dir), `${countMisses(tool.pid)}\n`, { mode: 0o600 });
  await tool.stop();
}

/**
 * Events that the kernel did not give to the program, since a program was running on their CPU already: those of each of
 * the process's programs (bpf_prog_show_fdinfo() in kernel/bpf/syscall.c).
 */
function countMisses(pid: number): number {
  let misses = 0;
  const folder = `/proc/${pid}/fdinfo`;
  try {
    for (const fd of readdirSync(folder)) {
      misses += Number(/^recursion_misses:\s*(\d+)$/mu.exec(readFileSync(join(folder, fd), 'latin1'))?.[1] ?? 0);
    }
  } catch {
    // It has ended by itself.
  }
  return misses;
}

/** Waits, but no longer than `patience` ms, for a time of the program at or behind `time`; false where none comes. */
async function hasPrinted(tool: ToolProcess, output: string, time: bigint, patience: number): Promise<boolean> {
  let ended = false;
  void tool.exit.then(() => (ended = true));
  const deadline = performance.now() + patience;
  while (!ended && performance.now() < deadline) {
    const printed = lastTime(output);
    if (printed !== undefined && printed >= time) return true;
    await sleep(POLL_MS);
  }
  return false;
}

/** More than a line, and than what is printed in a moment. */
const TAIL_BYTES = 1 << 20;

function lastTime(path: string): bigint | undefined {
  if (!existsSync(path)) return undefined;
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(TAIL_BYTES);
    const from = Math.max(0, fstatSync(file).size - TAIL_BYTES);
    const text = bytes.toString('latin1', 0, readSync(file, bytes, 0, TAIL_BYTES, from));
    const time = [...text.matchAll(/^\d+$/gmu)].at(-1)?.[0];
    return time === undefined ? undefined : BigInt(time);
  } finally {
    closeSync(file);
  }
}

function failure(tool: ToolProcess, exit: Awaited<ToolProcess['exit']>): MarpleError {
  return new MarpleError(`bpftrace ${describeExit(exit, tool.stderr())}`, EXIT.someFailed);
}
