import type { Datapoint } from '../common/datatypes.ts';
import type { Batch } from '../common/section.ts';
import { countsBetween, isTooFew } from '../formats/diskstats.ts';
import type { CollectRun } from './collecter.ts';
import { blockDeviceName, blockDevices } from './proc/block-devices.ts';
import { LiveTasks } from './proc/live-tasks.ts';

/** A completed I/O as a tool prints it. */
export interface IoRow {
  /** Nanoseconds since the origin. */
  readonly issued: number;
  /** From issue to completion. */
  readonly nanoseconds: number;
  readonly comm: string;
  /** Tools tell one of the two. */
  readonly pid: number | undefined;
  readonly tid: number | undefined;
  readonly op: string;
  readonly dev: string;
  readonly sector: number | undefined;
  readonly bytes: number;
  /** A flush alone, which is no request. */
  readonly isFlush: boolean;
}

/** Rows come by completion and are sorted by issue; an I/O that takes longer than this comes too late for its place. */
const LONGEST_IO_NS = 60e9;
const FLUSH_ROWS = 8192;

/** Turns the rows of a tool into datapoints of disklat, in scope and in the order of issue. */
export class IoRows {
  readonly #tasks: LiveTasks;
  /** I/Os by device, in scope or not; flushes are not counted. */
  readonly #seen = new Map<string, number>();
  #waiting: Datapoint[] = [];
  #newest = 0;
  #given = Number.NEGATIVE_INFINITY;
  #late = 0;
  #negative = 0;

  constructor(
    private readonly run: CollectRun<unknown>,
    private readonly tool: string,
  ) {
    this.#tasks = new LiveTasks(run);
  }

  *add(row: IoRow): Generator<Batch> {
    if (!row.isFlush) this.#seen.set(row.dev, (this.#seen.get(row.dev) ?? 0) + 1);
    if (row.nanoseconds < 0) {
      this.#negative++;
      return;
    }
    if (!this.#tasks.keeps(row.tid ?? row.pid ?? 0, row.comm)) return;
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
    const { report, scope } = this.run;
    if (after !== '') this.#compare(before, after);
    if (this.#negative > 0)
      report.distrust(`${this.#negative} I/Os left out that ${this.tool} says ended before they began`);
    if (scope.root !== undefined) {
      report.warn(
        `${this.tool} does not tell of new processes: I/Os of children of the command that lived less than 0.5 s may be missing`,
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
      const name = blockDeviceName(device);
      const seen = this.#seen.get(name) ?? 0;
      if (!isTooFew(seen, requests - flushes)) continue;
      this.run.report.distrust(
        `${name}: ${this.tool} printed ${seen} I/Os, but /proc/diskstats counted ${requests - flushes} or more`,
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

  #datapoint(row: IoRow): Datapoint {
    const pid = row.pid ?? (row.tid === undefined ? undefined : this.#tasks.pidOf(row.tid));
    return {
      x: row.issued / 1e9,
      y: row.nanoseconds / 1e6,
      info: [row.comm, `${pid ?? ''}`, `${row.tid ?? ''}`, row.op, row.dev, `${row.sector ?? ''}`, `${row.bytes}`, ''],
    };
  }
}
