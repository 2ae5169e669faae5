import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, MarpleError } from '../../common/errors.ts';
import { patience, type ToolProcess } from '../../common/process.ts';
import type { Batch, Report } from '../../common/section.ts';
import { type LeakReport, MemleakParser } from '../../formats/bcc-stacks.ts';
import { plainLines } from '../../formats/lines.ts';
import { stackBatches } from '../../formats/stack-table.ts';
import type { CollectRun, Probe, ProbeRequest } from '../collecter.ts';
import { unusable } from '../unusable.ts';
import { allocate } from './mallocstacks.ts';
import { namedPids, refusedScope, Targets } from './target.ts';
import { type BccRun, bccFailure, bccVersion, startBcc, startForEach } from './tool.ts';

const NAME = 'memleak';
/** All stacks, young blocks too, a report each second. */
const OPTIONS = ['-T', '1000000000', '-o', '0', '1'] as const;
/** The sizes of its tables of stacks and of blocks. */
const STACK_SLOTS = 10_240;
const MOST_BLOCKS = 1_000_000;
const POLL_MS = 20;
/** How long the last report is waited for. */
const PATIENCE_MS = 30_000;

/**
 * Runs BCC's memleak for each process. It prints each second what is outstanding: the first report that begins behind
 * the end of the run counts.
 */
export async function* collectMemleak(run: CollectRun<unknown>): AsyncIterable<Batch> {
  const { report } = run;
  const targets = new Targets(namedPids(run.scope.pids));
  const tools = await startForEach(targets.pids, (pid) => new Memleak(pid, report, run.stop));
  try {
    const [first] = tools;
    report.tool({ name: 'bcc memleak', version: run.toolVersion, command: first?.tool.argv ?? [] });
    if (tools.length > 1) report.note(`it ran ${tools.length} times, once for each process`);
    run.started();
    while (!run.stop.aborted && tools.every((tool) => !tool.ended)) await sleep(POLL_MS);
    targets.look();
    const reports = await Promise.all(tools.map((tool) => tool.lastReport()));
    if (reports.every((last) => last === undefined)) {
      throw new MarpleError(
        "BCC's memleak printed no report",
        EXIT.someFailed,
        'take another tool: marple collect --tool memleak=bpftrace',
      );
    }
    const comm = run.scope.comm === undefined ? undefined : new RegExp(run.scope.comm, 'u');
    for (const [index, pid] of targets.pids.entries()) {
      const last = reports[index];
      if (last === undefined) report.warn(`BCC's memleak was too busy to report on process ${pid}`);
      else {
        targets.add(pid, last.stacks, comm);
        reportLimits(last, pid, report);
      }
    }
    yield* stackBatches(0, targets.table.stacks());
    report.note(
      "BCC's memleak does not tell of blocks whose stack found no room in its table, and shows the callers of blocks of " +
        '128 KiB and more only where the C library has frame pointers (marple collect --tool memleak=bpftrace finds them)',
    );
    targets.report(report);
  } finally {
    await Promise.all(tools.map(({ tool }) => tool.stop()));
  }
}

class Memleak implements BccRun {
  readonly tool: ToolProcess;
  readonly attached: Promise<void>;
  ended = false;
  readonly #parser: MemleakParser;

  constructor(pid: number, report: Pick<Report, 'skipped'>, stop: AbortSignal) {
    this.tool = startBcc(NAME, ['-p', `${pid}`, ...OPTIONS], stop);
    this.#parser = new MemleakParser((line) => report.skipped(line));
    void this.#read();
    // It says that it attaches before it does; by its first report it has. Whoever waits is told; nobody need wait.
    this.attached = this.#hasBegun(1, Number.POSITIVE_INFINITY);
    this.attached.catch(() => undefined);
    void this.tool.exit.then(() => (this.ended = true));
  }

  /** Waits for the beginning of the report of that number, so many milliseconds at most. */
  async #hasBegun(number: number, atMost: number): Promise<void> {
    const deadline = performance.now() + atMost;
    while (this.#parser.begun < number && performance.now() < deadline) {
      if (this.ended) throw bccFailure(NAME, await this.tool.exit, this.tool.stderr());
      await sleep(POLL_MS);
    }
  }

  /** The next report, which is complete when the one behind it begins; else the last one that is complete. */
  async lastReport(): Promise<LeakReport | undefined> {
    await this.#hasBegun(this.#parser.begun + 2, patience(PATIENCE_MS));
    await this.tool.stop();
    return this.#parser.complete;
  }

  async #read(): Promise<void> {
    for await (const lines of plainLines(this.tool.stdout as AsyncIterable<Buffer>)) {
      for (const line of lines) this.#parser.push(line);
    }
  }
}

function reportLimits({ stacks, blocks }: LeakReport, pid: number, report: Report): void {
  const advice = '(marple collect --tool memleak=bpftrace says how many)';
  if (stacks.length > STACK_SLOTS / 10) {
    report.warn(
      `process ${pid} has so many stacks that some of them found no room in the ${STACK_SLOTS} slots of BCC's table ${advice}`,
    );
  }
  if (blocks >= MOST_BLOCKS) {
    report.warn(`process ${pid} has more blocks outstanding than the ${MOST_BLOCKS} that BCC keeps ${advice}`);
  }
}

/** Runs it on this process for a moment, in which this process asks malloc for memory. */
export async function probeMemleak(request: ProbeRequest): Promise<Probe> {
  const refused = refusedScope(request);
  if (refused !== undefined) return refused;
  try {
    const never = new AbortController().signal;
    const start = (pid: number): Memleak => new Memleak(pid, { skipped: () => undefined }, never);
    const [memleak] = (await startForEach([process.pid], start)) as [Memleak];
    try {
      allocate();
      const report = await memleak.lastReport();
      if (report === undefined || report.stacks.length === 0)
        return { usable: false, why: "BCC's memleak ran, but saw no memory being allocated" };
      return { usable: true, version: await bccVersion() };
    } finally {
      await memleak.tool.stop();
    }
  } catch (error) {
    return unusable(error);
  }
}
