import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, errorMessage, MarpleError } from '../../common/errors.ts';
import { describeExit, runTool, startTool, type ToolProcess } from '../../common/process.ts';
import type { Batch } from '../../common/section.ts';
import { bpftraceFile, parseLine } from '../../formats/bpftrace-block.ts';
import { decodeRecording } from '../../formats/decoders.ts';
import { writeRecording } from '../../formats/recording.ts';
import type { CollectRun, Probe } from '../collecter.ts';
import { writeToDisk } from '../disk-activity.ts';

/**
 * One line per event, read by formats/bpftrace-block.ts; a `tick` says that everything is attached. print() flushes what
 * printf() wrote before it.
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
interval:ms:50 {
  print("tick");
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
    void tool.stop();
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

/** Runs the program for a moment with some I/O of our own, and looks for its beginning and its end. */
export async function probeBpftraceBlocks(tempDir: string): Promise<Probe> {
  const output = join(tempDir, `probe-bpftrace-${process.pid}-${probes++}.txt`);
  let tool: ToolProcess | undefined;
  try {
    tool = launch(output);
    if (!(await isAttached(tool, output))) return { usable: false, why: failure(tool, await tool.exit).message };
    await writeToDisk(tempDir, 5);
    await tool.stop();
    const records = readFileSync(output, 'latin1')
      .split('\n')
      .map((line) => parseLine(line, 0n));
    const has = (type: string): boolean =>
      records.some((record) => typeof record === 'object' && record.kind === 'block' && record.type === type);
    if (!has('issue') || !has('complete')) {
      return { usable: false, why: 'bpftrace printed nothing of disk I/O that was made to try it' };
    }
    const { stdout } = await runTool(['bpftrace', '--version']);
    return { usable: true, version: stdout.trim().replace(/^bpftrace v?/u, '') };
  } catch (error) {
    const hint = error instanceof MarpleError ? error.hint : undefined;
    return { usable: false, why: errorMessage(error), ...(hint === undefined ? {} : { hint }) };
  } finally {
    await tool?.stop();
  }
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

/** Whether it came to run, which the first tick tells; false where it ended before. */
async function isAttached(tool: ToolProcess, output: string): Promise<boolean> {
  let ended = false;
  void tool.exit.then(() => (ended = true));
  while (!ended) {
    if (existsSync(output) && /^tick$/mu.test(readFileSync(output, 'latin1'))) return true;
    await sleep(POLL_MS);
  }
  return false;
}

function failure(tool: ToolProcess, exit: Awaited<ToolProcess['exit']>): MarpleError {
  return new MarpleError(`bpftrace ${describeExit(exit, tool.stderr())}`, EXIT.someFailed);
}
