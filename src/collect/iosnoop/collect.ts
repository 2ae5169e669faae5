import { sinceOrigin } from '../../common/clock.ts';
import type { Batch } from '../../common/section.ts';
import { isFlush, Plausibility, parseRow } from '../../formats/iosnoop.ts';
import type { CollectRun } from '../collecter.ts';
import { IoRows } from '../io-rows.ts';
import { blockDeviceName, readDiskstats } from '../proc/block-devices.ts';
import { IosnoopSession } from './session.ts';
import { TraceClock } from './trace-clock.ts';

const MEASURE_ROWS = 1024;

/** Collects disk latencies by iosnoop, in the shape of the interface's section. Ends with `run.stop`. */
export async function* collectIosnoop(run: CollectRun<unknown>): AsyncGenerator<Batch> {
  const session = await IosnoopSession.start(run.stop);
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
  readonly #rows: IoRows;
  readonly #devices = new Map<string, string>();
  #count = 0;

  constructor(
    private readonly run: CollectRun<unknown>,
    private readonly clock: TraceClock,
  ) {
    this.#rows = new IoRows(run, 'iosnoop');
  }

  *add(line: string): Generator<Batch> {
    const row = parseRow(line);
    if (row === undefined) {
      this.run.report.skipped(line);
      return;
    }
    if (this.#count++ % MEASURE_ROWS === 0) this.clock.measure();
    this.#plausibility.add(row);
    const issued = sinceOrigin(this.run.clock, this.clock.monotonic(row.start));
    yield* this.#rows.add({
      issued,
      nanoseconds: row.end - row.start,
      comm: row.comm,
      pid: undefined,
      tid: row.tid,
      op: row.op,
      dev: this.#deviceName(row.dev),
      sector: row.sector,
      bytes: row.bytes,
      isFlush: isFlush(row),
    });
  }

  rest(): Generator<Batch> {
    return this.#rows.rest();
  }

  /** Says what is wrong with the rows; `before` and `after` are the texts of /proc/diskstats around them. */
  report(before: string, after: string): void {
    const implausible = this.#plausibility.verdict();
    if (implausible !== undefined) this.run.report.distrust(implausible);
    this.#rows.report(before, after);
  }

  close(): void {
    this.#rows.close();
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
