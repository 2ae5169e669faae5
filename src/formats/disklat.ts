import type { Datapoint } from '../common/datatypes.ts';
import { ScopeFilter, TaskTable } from '../common/scope.ts';
import type { Batch, Report, SectionSpec } from '../common/section.ts';
import {
  type BlockEvent,
  type BlockRecord,
  blockDetailsSchema,
  deviceName,
  reportDiskstats,
  TASK_EVENTS,
} from './block-records.ts';
import { detailsOf, openBlockSource, toolOf } from './block-source.ts';
import { foldSample } from './folding.ts';
import { type BlockIo, IoPairs } from './io-pairs.ts';
import { openIssuerStacks } from './issuer-stacks.ts';
import type { Recording, RunInfo } from './recording.ts';
import { StackQuality } from './stack-quality.ts';
import { StackTable, stackBatches } from './stack-table.ts';
import type { Maker } from './waiting-requests.ts';

/** The events that a disklat recording holds. */
export const DISKLAT_EVENTS = [
  'block:block_rq_insert',
  'block:block_rq_issue',
  'block:block_rq_complete',
  'block:block_rq_requeue',
  ...TASK_EVENTS,
] as const;

/** What the points of disklat are. */
export const DISKLAT_POINTS = {
  datatype: 'datapoint',
  x: { label: 'time', unit: 's' },
  y: { label: 'latency', unit: 'ms' },
  fields: ['comm', 'pid', 'tid', 'op', 'dev', 'sector', 'bytes', 'stack'],
} satisfies SectionSpec;

/** Sections of disklat, by index. */
const POINTS = 0;
const STACKS = 1;
const BATCH = 4096;

/**
 * Decodes a disklat recording. Section 0: one datapoint per completed I/O in scope, in the order of issue. x is its issue in
 * seconds since the origin, y the time to its completion in ms, both with the kernel's nanoseconds; fields `comm`, `pid`, `tid`
 * (who made it: who inserted it into a queue, or issued it where it waited in none), `op` (rwbs as the kernel prints it), `dev`, `sector` (of 512 bytes), `bytes`, `stack` (the 0-based
 * number of the line in section 1, empty where it is not known). Section 1: each unique stack once, with the number of
 * its I/Os in section 0. What is left out is counted in the report, by kind.
 */
export async function* decode(dir: string, recording: Recording, run: RunInfo, report: Report): AsyncIterable<Batch> {
  const details = detailsOf(dir, recording, blockDetailsSchema);
  const source = await openBlockSource(dir, recording, run, report);
  const stacks = await openIssuerStacks(dir, toolOf(recording), run, report);
  if (!source.hasTasks) {
    report.warn('the recording has no task events: the pid of a thread that began during it may be its thread id');
  }
  const latencies = new Latencies(run, details.devices);
  const records = source.records();
  for await (const batch of stacks?.join(records) ?? records) {
    for (const record of batch) latencies.add(record);
    if (latencies.ready >= BATCH) yield* latencies.take();
  }
  yield* latencies.finish();
  reportPairs(latencies.pairs, report);
  stacks?.reportCounts(latencies.withStack, latencies.given);
  latencies.quality.report(report, 'gcc and others keep them with -fno-omit-frame-pointer');
  const lost = source.reportLoss(report);
  reportDiskstats(dir, latencies.pairs.completions, details, lost, report);
}

/** From the block events to the I/Os and their stacks. */
class Latencies {
  readonly pairs = new IoPairs();
  /** I/Os that were given out, and how many of them have a stack. */
  given = 0;
  withStack = 0;
  readonly quality: StackQuality;
  readonly #tasks: TaskTable;
  readonly #filter: ScopeFilter;
  readonly #stacks = new StackTable();

  constructor(
    run: RunInfo,
    private readonly devices: Readonly<Record<string, string>>,
  ) {
    this.quality = new StackQuality(run.modules === undefined);
    this.#tasks = new TaskTable(run.tasks);
    this.#filter = new ScopeFilter(run.scope, this.#tasks);
  }

  /** I/Os that can be given out. */
  get ready(): number {
    return this.pairs.ready;
  }

  add(record: BlockRecord): void {
    switch (record.kind) {
      case 'block':
        this.#block(record);
        break;
      case 'fork':
        this.#tasks.fork(record.tid, record.creator, record.isThread, record.comm);
        break;
      case 'rename':
        this.#tasks.rename(record.tid, record.comm);
        break;
      case 'gap':
        if (record.edge === 'begin') this.pairs.gapStart();
        else this.pairs.gapEnd(record.time);
    }
  }

  /** All that can be given out, in batches. */
  *take(): Generator<Batch> {
    for (let ios = this.pairs.take(BATCH); ios.length > 0; ios = this.pairs.take(BATCH)) {
      yield { section: POINTS, records: ios.map((io) => this.#datapoint(io)) };
    }
  }

  /** What is left of the I/Os, and the stacks. */
  *finish(): Generator<Batch> {
    this.pairs.finish();
    yield* this.take();
    yield* stackBatches(STACKS, this.#stacks.stacks());
  }

  #block(event: BlockEvent): void {
    const { type, time, dev, sector, sectors, bytes, op } = event;
    switch (type) {
      case 'insert':
        this.pairs.insert(event, this.#makerBy(event));
        break;
      case 'issue': {
        const maker = this.pairs.makerOf(event) ?? this.#makerBy(event);
        this.pairs.issue({ issued: time, dev, sector, sectors, bytes, op }, maker);
        break;
      }
      case 'complete':
        this.pairs.complete(time, dev, sector, sectors, op, event.error !== 0);
        break;
      case 'requeue':
        this.pairs.requeue(event);
    }
  }

  /** The thread that ran, and where it was. */
  #makerBy({ comm, tid, pid = this.#tasks.pidOf(tid), sample }: BlockEvent): Maker {
    const kept = this.#filter.keeps(tid, comm);
    if (!kept || sample === undefined) return { comm, tid, pid, kept };
    this.quality.judge(sample);
    // The name as this event has it, so that both sections have the same.
    return { comm, tid, pid, kept, stack: foldSample({ ...sample, comm }) };
  }

  #datapoint(io: BlockIo): Datapoint {
    this.given++;
    if (io.stack !== undefined) this.withStack++;
    // Here, not at the issue: an I/O that never completes is no point, and its stack would weigh nothing.
    const stack = io.stack === undefined ? '' : `${this.#stacks.add(io.stack, 1)}`;
    return {
      x: io.issued / 1e9,
      y: (io.completed - io.issued) / 1e6,
      info: [
        io.comm,
        `${io.pid}`,
        `${io.tid}`,
        io.op,
        deviceName(io.dev, this.devices),
        `${io.sector}`,
        `${io.bytes}`,
        stack,
      ],
    };
  }
}

/** Says what the pairing left out, by kind. */
function reportPairs(pairs: IoPairs, report: Report): void {
  const { counts } = pairs;
  const kinds: [number, string][] = [
    [counts.before, 'under way when the recording began'],
    [counts.after, 'under way when it ended'],
    [counts.passthrough, 'commands to a device, which have no sector'],
  ];
  const usual = kinds.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  if (usual.length > 0) {
    report.note(
      `as usual, I/Os of which only one end can be seen are not in the data (of the whole machine: ${usual.join(', ')})`,
    );
  }
  if (counts.inGap > 0) {
    report.warn(
      `I/Os of which ${counts.inGap} ends were seen are not in the data because they were under way while trace events were lost`,
    );
  }
  if (counts.unissued + counts.uncompleted + counts.negative > 0) {
    report.warn(
      `the trace has holes that nothing explains: ${counts.unissued} I/Os completed without having been issued, ` +
        `${counts.uncompleted} were issued and never completed, ${counts.negative} ended before they began; they are not in the data`,
    );
  }
  if (counts.requeued > 0) {
    report.note(
      `as usual under load, I/Os went back to their queue (${counts.requeued} times); their latency counts from when they were issued again`,
    );
  }
  if (counts.overlapping > 0) {
    report.warn(
      `${counts.overlapping} I/Os ran at the same time as another one of the same kind and place; the kernel does not tell which of them ended first, so they are paired in the order of issue`,
    );
  }
  if (counts.failed > 0) report.warn(`${counts.failed} I/Os of the machine ended with an error; they are in the data`);
}
