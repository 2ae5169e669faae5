import type { EventData } from '../common/datatypes.ts';
import { isSystemWide, ScopeFilter, TaskTable } from '../common/scope.ts';
import type { Batch, Report } from '../common/section.ts';
import {
  BLOCK_EVENT_TYPES,
  type BlockEvent,
  type BlockRecord,
  blockDetailsSchema,
  deviceName,
  reportDiskstats,
  TASK_EVENTS,
  traceEventOf,
} from './block-records.ts';
import { detailsOf, openBlockSource } from './block-source.ts';
import { IoPairs } from './io-pairs.ts';
import type { Recording, RunInfo } from './recording.ts';
import type { Maker } from './waiting-requests.ts';

/** The events that a diskblockrq recording holds. */
export const BLOCKRQ_EVENTS = [...BLOCK_EVENT_TYPES.map(traceEventOf), ...TASK_EVENTS] as const;

/**
 * Decodes a diskblockrq recording: one event per step of a request's life, sorted by time (ns since the origin). `type` is
 * insert, issue, requeue or complete; fields `dev`, `sector` (of 512 bytes), `bytes`, `op` (rwbs as the kernel prints it),
 * `comm`, `pid`, `tid` (who made it: who inserted it, or issued it where it waited in no queue; empty where neither was
 * seen), `error` (errno of a completion that failed, else empty). Scope goes by that process too.
 */
export async function* decode(dir: string, recording: Recording, run: RunInfo, report: Report): AsyncIterable<Batch> {
  const details = detailsOf(dir, recording, blockDetailsSchema);
  const source = await openBlockSource(dir, recording, run, report);
  const requests = new Requests(run, details.devices);
  for await (const batch of source.records()) {
    const records = batch.map((record) => requests.eventOf(record)).filter((event) => event !== undefined);
    if (records.length > 0) yield { section: 0, records };
    // The pairs are for who made what; they themselves are disklat's.
    requests.pairs.take();
  }
  if (requests.ownerless > 0) {
    const fate = requests.isWhole ? 'they are in the data, without one' : 'they are not in the data';
    report.note(
      `${requests.ownerless} completions and requeues belong to no process that is known (the request was issued before ` +
        `the run or in a hole of the trace, is a command to the device, or only asked for a flush): ${fate}`,
    );
  }
  reportDiskstats(dir, requests.pairs.completions, details, source.reportLoss(report), report);
}

/** From the block events to those in scope, each with the process that made the request. */
class Requests {
  /** For who made what is issued and completes. */
  readonly pairs = new IoPairs();
  /** Completions and requeues without an issue. */
  ownerless = 0;
  /** Whether nobody is out of scope but MARPLE itself. */
  readonly isWhole: boolean;
  readonly #tasks: TaskTable;
  readonly #filter: ScopeFilter;

  constructor(
    { scope, tasks }: RunInfo,
    private readonly devices: Readonly<Record<string, string>>,
  ) {
    this.#tasks = new TaskTable(tasks);
    this.#filter = new ScopeFilter(scope, this.#tasks);
    this.isWhole = isSystemWide(scope);
  }

  /** The record as an event of the section; undefined where it is none, or not in scope. */
  eventOf(record: BlockRecord): EventData | undefined {
    switch (record.kind) {
      case 'block':
        return this.#request(record);
      case 'fork':
        this.#tasks.fork(record.tid, record.creator, record.isThread, record.comm);
        return undefined;
      case 'rename':
        this.#tasks.rename(record.tid, record.comm);
        return undefined;
      case 'gap':
        if (record.edge === 'begin') this.pairs.gapStart();
        else this.pairs.gapEnd(record.time);
        return undefined;
    }
  }

  #request(event: BlockEvent): EventData | undefined {
    const { dev, sector, sectors, bytes, op, time } = event;
    switch (event.type) {
      case 'insert': {
        const maker = this.#makerBy(event);
        this.pairs.insert(event, maker);
        return this.#event(event, maker);
      }
      case 'issue': {
        const maker = this.pairs.makerOf(event) ?? this.#makerBy(event);
        this.pairs.issue({ issued: time, dev, sector, sectors, bytes, op }, maker);
        return this.#event(event, maker);
      }
      case 'requeue':
        return this.#event(event, this.pairs.requeue(event));
      case 'complete': {
        return this.#event(event, this.pairs.complete(time, dev, sector, sectors, op, event.error !== 0));
      }
    }
  }

  /** The thread that ran. */
  #makerBy({ comm, tid, pid = this.#tasks.pidOf(tid) }: BlockEvent): Maker {
    return { comm, tid, pid, kept: this.#filter.keeps(tid, comm) };
  }

  #event({ type, time, dev, sector, bytes, op, error }: BlockEvent, by: Maker | undefined): EventData | undefined {
    if (by === undefined) this.ownerless++;
    if (!(by?.kept ?? this.isWhole)) return undefined;
    const who = by === undefined ? ['', '', ''] : [by.comm, `${by.pid}`, `${by.tid}`];
    const errno = error === 0 ? '' : `${Math.abs(error)}`;
    return { time, type, datum: [deviceName(dev, this.devices), `${sector}`, `${bytes}`, op, ...who, errno] };
  }
}
