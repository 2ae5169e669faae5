import { UsageError } from '../common/errors.ts';
import type { Importer, ImportInput, ImportSink } from './importer.ts';
import { IoImport } from './io-import.ts';
import { plainLines } from './lines.ts';

/*
 * The output of iosnoop (iosnoop(8), perf-tools), as it is collected and as it is imported.
 */

/** One row of `iosnoop -ts`. Times are in the clock of the global trace, nanoseconds (the tool prints microseconds). */
export interface IosnoopRow {
  readonly start: number;
  readonly end: number;
  /** First 12 characters of the issuer's name. */
  readonly comm: string;
  /** Thread that was on the CPU when the I/O was issued. */
  readonly tid: number;
  readonly op: string;
  /** `MAJ,MIN` */
  readonly dev: string;
  /** Undefined where the tool printed no number. */
  readonly sector: number | undefined;
  readonly bytes: number;
}

// STARTs          ENDs            COMM         PID    TYPE DEV      BLOCK        BYTES     LATms
// 4871.919496     4871.919706     fio          11096  RS   254,0    29947720     4096       0.21
/** The columns stand left, but a name may hold spaces: what follows it is found from the right. */
const COLUMNS =
  '(?<comm>.*?) +(?<tid>\\d+) +(?<op>[A-Z]+) +(?<dev>\\d+,\\d+) +(?<block>\\S+) +(?<bytes>\\d+) +(?<latency>-?\\d+\\.\\d+) *$';
const TIME = '\\d+\\.\\d+) +';
const ROW = new RegExp(`^(?<start>${TIME}(?<end>${TIME}${COLUMNS}`, 'u');
/** By the options: -ts, -s, -t. */
const ROWS = new Map([
  ['STARTs ENDs', ROW],
  ['STARTs', new RegExp(`^(?<start>${TIME}${COLUMNS}`, 'u')],
  ['ENDs', new RegExp(`^(?<end>${TIME}${COLUMNS}`, 'u')],
]);

/** The title line of -ts: from here on the tool traces. */
export function isTitle(line: string): boolean {
  return /^STARTs +ENDs +COMM/u.test(line);
}

/** Reads one line of iosnoop's output with both times; undefined where it is no row. */
export function parseRow(line: string): IosnoopRow | undefined {
  return readRow(line, ROW);
}

function readRow(line: string, pattern: RegExp): IosnoopRow | undefined {
  const row = pattern.exec(line)?.groups as (Partial<Record<string, string>> & Record<RowColumn, string>) | undefined;
  if (row === undefined) return undefined;
  const latency = Math.round(Number(row.latency) * 1e6);
  const start = row['start'] === undefined ? nanoseconds(row['end'] ?? '') - latency : nanoseconds(row['start']);
  return {
    start,
    end: row['end'] === undefined ? start + latency : nanoseconds(row['end']),
    comm: row.comm,
    tid: Number(row.tid),
    op: row.op,
    dev: row.dev,
    sector: /^\d+$/u.test(row.block) ? Number(row.block) : undefined,
    bytes: Number(row.bytes),
  };
}

type RowColumn = 'comm' | 'tid' | 'op' | 'dev' | 'block' | 'bytes' | 'latency';

/** Whether it is a flush alone; `FWS` is a write with one before it. */
export function isFlush({ op }: IosnoopRow): boolean {
  return /^F(?![WRDNZ])/u.test(op);
}

/** Exact: `4871.919496` has no exact double, its nanoseconds have. */
function nanoseconds(text: string): number {
  const [seconds, fraction = ''] = text.split('.');
  return Number(`${seconds}${fraction.padEnd(9, '0').slice(0, 9)}`);
}

/** Looks at rows as they come, for the sign that iosnoop reads the wrong columns. */
export class Plausibility {
  #rows = 0;
  #withoutSector = 0;
  #withoutBytes = 0;

  add(row: IosnoopRow): void {
    // It has neither.
    if (isFlush(row)) return;
    this.#rows++;
    if (row.sector === undefined) this.#withoutSector++;
    if (row.bytes === 0) this.#withoutBytes++;
  }

  /** What is wrong with the rows so far, in a sentence; undefined where nothing is. */
  verdict(): string | undefined {
    if (this.#rows === 0 || (this.#withoutSector < this.#rows && this.#withoutBytes < this.#rows)) return undefined;
    return (
      'iosnoop reads the wrong columns on this kernel, whose block events have an I/O priority in their text: ' +
      'no row has a block and a size, issues and completions are joined wrongly and I/Os are missing'
    );
  }
}

/** Why the rows of iosnoop cannot be believed; undefined where they can. */
export function isImplausible(rows: Iterable<IosnoopRow>): string | undefined {
  const plausibility = new Plausibility();
  for (const row of rows) plausibility.add(row);
  return plausibility.verdict();
}

// STARTs          ENDs            COMM         PID    TYPE DEV      BLOCK        BYTES     LATms
const ANY_TITLE = /^(?<times>(?:STARTs +)?(?:ENDs +)?)COMM +PID +TYPE +DEV +BLOCK +BYTES +LATms *$/u;
/** What the tool says of itself. */
const OWN_WORDS = /^(?:Tracing block I\/O|Ending tracing\.\.\.)/u;

export const iosnoopImporter: Importer = {
  format: 'iosnoop',
  summary: 'output of iosnoop -ts, -s or -t (perf-tools)',
  detects: (head) =>
    head
      .toString('latin1')
      .split(/\r?\n/u)
      .some((line) => ANY_TITLE.test(line)),
  run: importIosnoop,
};

async function importIosnoop(input: ImportInput, sink: ImportSink): Promise<void> {
  let ios: IoImport | undefined;
  let row = ROW;
  const plausibility = new Plausibility();
  for await (const lines of plainLines(input.chunks())) {
    for (const line of lines) {
      const title = ANY_TITLE.exec(line);
      if (title !== null) {
        row = rowOf(title.groups?.['times'] ?? '', input.name);
        ios ??= new IoImport(sink);
        continue;
      }
      const read = readRow(line, row);
      if (read === undefined) {
        if (line !== '' && !OWN_WORDS.test(line)) sink.skipped(line);
        continue;
      }
      plausibility.add(read);
      const { start, end, comm, tid, op, dev, sector, bytes } = read;
      ios ??= new IoImport(sink);
      ios.add({ issued: start, nanoseconds: end - start, comm, pid: undefined, tid, op, dev, sector, bytes });
    }
    await ios?.flush();
  }
  await ios?.finish();
  const implausible = plausibility.verdict();
  if (implausible !== undefined) sink.distrust(implausible);
}

/** @throws UsageError (2) where the rows have no times: a datapoint is one in time. */
function rowOf(times: string, name: string): RegExp {
  const row = ROWS.get(times.trim().replace(/ +/gu, ' '));
  if (row !== undefined) return row;
  throw new UsageError(`the rows of ${name} have no times, which disk latencies need`, 'record them with: iosnoop -ts');
}
