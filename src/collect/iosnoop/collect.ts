import { sinceOrigin } from '../../common/clock.ts';
import type { Datapoint } from '../../common/datatypes.ts';
import { ScopeFilter, type Task, TaskTable } from '../../common/scope.ts';
import type { Batch } from '../../common/section.ts';
import { countsBetween, isTooFew } from '../../formats/diskstats.ts';
import type { CollectRun } from '../collecter.ts';
import { blockDeviceName, blockDevices, readDiskstats } from '../proc/block-devices.ts';
import { readTasks } from '../proc/tasks.ts';
import { type IosnoopRow, isFlush, Plausibility, parseRow } from './rows.ts';
import { IosnoopSession } from './session.ts';
import { TraceClock } from './trace-clock.ts';

/** Rows come by completion and are sorted by issue; an I/O that takes longer than this comes too late for its place. */
const LONGEST_IO_NS = 60e9;
const FLUSH_ROWS = 8192;
const MEASURE_ROWS = 1024;

/** Collects disk latencies by iosnoop, in the shape of the interface's section. Ends with `run.stop`. */
export async function* collectIosnoop(run: CollectRun<unknown>): AsyncGenerator<Batch> {
  const session = await IosnoopSession.start();
  let clock: TraceClock | undefined;
  let rows: Rows | undefined;
  let stopping: Promise<void> | undefined;
  let before = '';
  let after = '';
  const stop = (): void => {
    after = readDiskstats();
    stopping = session.stop();
    // Thrown where it is awaited.
    stopping.catch(() => undefined);
  };
  try {
    for (const note of session.notes) run.report.warn(note);
    const clockName = session.clock();
    clock = await TraceClock.of(clockName);
    run.report.tool({ name: 'iosnoop', version: run.toolVersion, command: session.tool.argv });
    rows = new Rows(run, clock);
    const started = (): void => {
      before = readDiskstats();
      run.started();
      if (run.stop.aborted) stop();
      else run.stop.addEventListener('abort', stop, { once: true });
    };
    for await (const line of session.lines(started)) yield* rows.add(line);
    yield* rows.rest();
    await stopping;
    rows.report(before, after);
    run.report.option('trace_clock', clockName);
    run.report.option('time_uncertainty_ns', clock.uncertainty);
    if (session.lost > 0) {
      run.report.lost(session.lost);
      run.report.warn(`${session.lost} trace events were lost: iosnoop could not keep up`);
    }
  } finally {
    run.stop.removeEventListener('abort', stop);
    rows?.close();
    clock?.close();
    await session.close();
  }
}

/** Turns lines into datapoints in the order of issue. */
class Rows {
  readonly #plausibility = new Plausibility();
  readonly #tasks: LiveTasks;
  readonly #devices = new Map<string, string>();
  /** I/Os by `MAJ,MIN`, in scope or not; flushes are not counted. */
  readonly #seen = new Map<string, number>();
  #waiting: Datapoint[] = [];
  #newest = 0;
  #given = Number.NEGATIVE_INFINITY;
  #late = 0;
  #negative = 0;
  #count = 0;

  constructor(
    private readonly run: CollectRun<unknown>,
    private readonly clock: TraceClock,
  ) {
    this.#tasks = new LiveTasks(run);
  }

  *add(line: string): Generator<Batch> {
    const row = parseRow(line);
    if (row === undefined) {
      this.run.report.skipped(line);
      return;
    }
    if (this.#count++ % MEASURE_ROWS === 0) this.clock.measure();
    this.#plausibility.add(row);
    if (!isFlush(row)) this.#seen.set(row.dev, (this.#seen.get(row.dev) ?? 0) + 1);
    if (row.end < row.start) {
      this.#negative++;
      return;
    }
    if (!this.#tasks.keeps(row.tid, row.comm)) return;
    const point = this.#datapoint(row);
    if (point.x < this.#given) {
      this.#late++;
      return;
    }
    this.#waiting.push(point);
    this.#newest = Math.max(this.#newest, point.x);
    if (this.#waiting.length % FLUSH_ROWS === 0) yield* this.#flush(this.#newest - LONGEST_IO_NS / 1e9);
  }

  *rest(): Generator<Batch> {
    yield* this.#flush(Number.POSITIVE_INFINITY);
  }

  /** Says what is wrong with the rows; `before` and `after` are the texts of /proc/diskstats around them. */
  report(before: string, after: string): void {
    const { report } = this.run;
    const implausible = this.#plausibility.verdict();
    if (implausible !== undefined) report.distrust(implausible);
    if (after !== '') this.#compare(before, after);
    if (this.#negative > 0)
      report.distrust(`${this.#negative} I/Os left out that iosnoop says ended before they began`);
    if (this.run.scope.root !== undefined) {
      report.warn(
        'iosnoop does not tell of new processes: I/Os of children of the command that lived less than 0.5 s may be missing',
      );
    }
    if (this.#late > 0) report.warn(`${this.#late} I/Os left out that took longer than ${LONGEST_IO_NS / 1e9} s`);
  }

  close(): void {
    this.#tasks.close();
  }

  /** iosnoop drops I/Os without a word: those of programs whose name has a space, for one. */
  #compare(before: string, after: string): void {
    for (const device of blockDevices().requestBased) {
      // Empty writes that ask for a flush have no row; at most as many flushes were done as were asked for.
      const { requests, flushes } = countsBetween(before, after, device);
      const seen = this.#seen.get(device.replace(':', ',')) ?? 0;
      if (!isTooFew(seen, requests - flushes)) continue;
      this.run.report.distrust(
        `${blockDeviceName(device)}: iosnoop printed ${seen} I/Os, but /proc/diskstats counted ${requests - flushes} or more`,
      );
    }
  }

  *#flush(before: number): Generator<Batch> {
    this.#waiting.sort((a, b) => a.x - b.x);
    const end = this.#waiting.findIndex((point) => point.x >= before);
    const records = end < 0 ? this.#waiting : this.#waiting.slice(0, end);
    this.#waiting = end < 0 ? [] : this.#waiting.slice(end);
    this.#given = records.at(-1)?.x ?? this.#given;
    if (records.length > 0) yield { section: 0, records };
  }

  #datapoint(row: IosnoopRow): Datapoint {
    const issued = sinceOrigin(this.run.clock, this.clock.monotonic(row.start));
    return {
      x: issued / 1e9,
      y: (row.end - row.start) / 1e6,
      info: [
        row.comm,
        `${this.#tasks.pidOf(row.tid)}`,
        `${row.tid}`,
        row.op,
        this.#deviceName(row.dev),
        row.sector === undefined ? '' : `${row.sector}`,
        `${row.bytes}`,
        '',
      ],
    };
  }

  #deviceName(dev: string): string {
    let name = this.#devices.get(dev);
    if (name === undefined) {
      name = blockDeviceName(dev.replace(',', ':'));
      this.#devices.set(dev, name);
    }
    return name;
  }
}

const LOOK_MS = 500;

/** Who is whose thread and child, as /proc shows it from time to time: iosnoop's rows have a thread id alone. */
class LiveTasks {
  readonly #known: Map<number, Task>;
  readonly #timer: NodeJS.Timeout;
  #table = new TaskTable();
  #filter: ScopeFilter | undefined;

  constructor(private readonly run: CollectRun<unknown>) {
    this.#known = new Map(run.info().tasks.map((task) => [task.tid, task]));
    this.#look();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  pidOf(tid: number): number {
    return this.#table.pidOf(tid);
  }

  keeps(tid: number, comm: string): boolean {
    const { scope } = this.run.info();
    // The scope has the pid of the user's command only when that has started.
    if (this.#filter?.scope !== scope) this.#filter = new ScopeFilter(scope, this.#table);
    return this.#filter.keeps(tid, comm);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const task of readTasks()) this.#known.set(task.tid, task);
    this.#table = new TaskTable(this.#known.values());
    this.#filter = undefined;
  }
}
