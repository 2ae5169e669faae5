import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNow } from '../../common/clock.ts';
import { patience } from '../../common/process.ts';
import type { Batch } from '../../common/section.ts';
import { bpftraceFile, missesFile, parseLine } from '../../formats/bpftrace-block.ts';
import { writeRecording } from '../../formats/recording.ts';
import type { CollectRun } from '../collecter.ts';
import { aborted } from '../waiting.ts';
import { bpftraceVersion, startBpftrace } from './run.ts';

const INTERVAL_MS = 50;

/**
 * One line per event, read by formats/bpftrace-block.ts; now and then the time, which tells how far the printing is. print()
 * flushes what printf() wrote before it.
 */
const PROGRAM = `
tracepoint:block:block_rq_insert {
  printf("Q %llu %d %d %d %llu %u %u %s %r\\n", nsecs, pid, tid, args->dev, args->sector, args->nr_sector, args->bytes,
    args->rwbs, buf(comm, 16));
}
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
/** How long it may lag behind. */
const PATIENCE_MS = 10_000;
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
  const running = await startBpftrace(program(output), run.stop);
  if (running === undefined) return;
  const { tool } = running;
  let failure: unknown;
  try {
    const details = {
      ...what.details(),
      tool: { name: 'bpftrace', version: run.toolVersion, command: [...tool.argv] },
    };
    await writeRecording(dir, { format: what.format, interface: what.interface, details });
    run.started();
    await Promise.race([aborted(run.stop), tool.exit]);
    what.onStopping(dir);
    await hasPrinted(output, monotonicNow(), tool.exit);
    // The buffers of other CPUs are read in the same round.
    await sleep(INTERVAL_MS);
    writeFileSync(missesFile(dir), `${countMisses(tool.pid)}\n`, { mode: 0o600 });
  } finally {
    await running.stop().catch((error: unknown) => (failure = error));
  }
  await what.onStopped();
  yield* run.decode(dir);
  if (failure !== undefined) throw failure;
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
  const running = await startBpftrace(program(output), new AbortController().signal);
  try {
    await activity();
    await hasPrinted(output, monotonicNow(), running!.tool.exit);
  } finally {
    await running?.stop();
  }
  const completions = readFileSync(output, 'latin1')
    .split('\n')
    .filter((line) => {
      const record = parseLine(line, 0n);
      return typeof record === 'object' && record.kind === 'block' && record.type === 'complete';
    });
  return { completions: completions.length, version: await bpftraceVersion() };
}

let probes = 0;

function program(output: string) {
  return { text: PROGRAM, hidden: [], mapKeys: 16, output, userSymbols: false, bufferPages: PAGES };
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

/**
 * Waits until the program has printed a time at or behind `time`, with all that came before it: what is in its buffers
 * when it is ended is lost. It may end by itself, and its patience has an end.
 */
async function hasPrinted(output: string, time: bigint, exit: Promise<unknown>): Promise<void> {
  let ended = false;
  void exit.then(() => (ended = true));
  const deadline = performance.now() + patience(PATIENCE_MS);
  while (!ended && lastTime(output) < time && performance.now() < deadline) await sleep(POLL_MS);
}

/** More than a line, and than what is printed in a moment. */
const TAIL_BYTES = 1 << 20;

function lastTime(path: string): bigint {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(TAIL_BYTES);
    const from = Math.max(0, fstatSync(file).size - TAIL_BYTES);
    const text = bytes.toString('latin1', 0, readSync(file, bytes, 0, TAIL_BYTES, from));
    return BigInt([...text.matchAll(/^\d+$/gmu)].at(-1)?.[0] ?? 0);
  } finally {
    closeSync(file);
  }
}
