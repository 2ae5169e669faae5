import { monotonicNow, sinceOrigin } from '../../common/clock.ts';
import type { Batch } from '../../common/section.ts';
import { parseRow } from '../../formats/biosnoop.ts';
import type { CollectRun } from '../collecter.ts';
import { writeToDisk } from '../disk-activity.ts';
import { IoRows } from '../io-rows.ts';
import { readDiskstats } from '../proc/block-devices.ts';
import { startBiosnoop } from './tool.ts';

const WRITES = 20;

/** Collects disk latencies by biosnoop, in the shape of the interface's points. Ends with `run.stop`. */
export async function* collectBiosnoop(run: CollectRun<unknown>): AsyncGenerator<Batch> {
  const { name, tool, lines } = await startBiosnoop(run.stop);
  let before = '';
  let after = '';
  const stop = (): void => {
    after = readDiskstats();
    void tool.stop();
  };
  const rows = new BiosnoopRows(run);
  try {
    run.report.tool({ name, version: run.toolVersion, command: tool.argv });
    const begin = async (): Promise<void> => {
      // The first rows, of I/O of our own, show what the tool's times are in ours.
      await writeToDisk(run.tempDir, WRITES);
      before = readDiskstats();
      rows.begin();
      run.started();
      if (run.stop.aborted) stop();
      else run.stop.addEventListener('abort', stop, { once: true });
    };
    const begun = begin();
    for await (const group of lines) {
      const arrived = sinceOrigin(run.clock, monotonicNow());
      for (const line of group) yield* rows.add(line, arrived);
    }
    await begun;
    yield* rows.rest();
    rows.report(before, after);
  } finally {
    run.stop.removeEventListener('abort', stop);
    rows.close();
    await tool.stop();
  }
}

/**
 * Turns lines into datapoints. The tool's times count from the first I/O that it saw: a row cannot arrive before its I/O
 * completed, so the least that one was late tells where they began, about.
 */
export class BiosnoopRows {
  readonly #rows: IoRows;
  /** Nanoseconds from the origin of ours to that of the tool's. */
  #offset = Number.POSITIVE_INFINITY;
  #begun = false;

  constructor(private readonly run: CollectRun<unknown>) {
    this.#rows = new IoRows(run, 'biosnoop');
  }

  /** What comes from now on is data, and the clocks' difference is settled. */
  begin(): void {
    this.#begun = true;
    this.run.report.warn(
      'the times of biosnoop count from the first I/O that it saw: they are placed by when its lines came, to about a millisecond',
    );
  }

  /** `arrived` in nanoseconds since the origin. */
  *add(line: string, arrived: number): Generator<Batch> {
    const row = parseRow(line);
    if (row === undefined) {
      if (line !== '') this.run.report.skipped(line);
      return;
    }
    const { end, nanoseconds, comm, pid, op, dev, sector, bytes } = row;
    if (!this.#begun || this.#offset === Number.POSITIVE_INFINITY) this.#offset = Math.min(this.#offset, arrived - end);
    const issued = this.#offset + end - nanoseconds;
    if (!this.#begun || issued < 0) return;
    const isFlush = op.startsWith('F') && bytes === 0;
    yield* this.#rows.add({ issued, nanoseconds, comm, pid, tid: undefined, op, dev, sector, bytes, isFlush });
  }

  rest(): Generator<Batch> {
    return this.#rows.rest();
  }

  report(before: string, after: string): void {
    this.#rows.report(before, after);
  }

  close(): void {
    this.#rows.close();
  }
}
