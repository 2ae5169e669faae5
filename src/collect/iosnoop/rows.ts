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
const ROW =
  /^(?<start>\d+\.\d+) +(?<end>\d+\.\d+) +(?<comm>.*?) +(?<tid>\d+) +(?<op>[A-Z]+) +(?<dev>\d+,\d+) +(?<block>\S+) +(?<bytes>\d+) +-?\d+\.\d+ *$/u;

/** The title line: from here on the tool traces. */
export function isTitle(line: string): boolean {
  return /^STARTs +ENDs +COMM/u.test(line);
}

/** Reads one line of iosnoop's output (iosnoop(8), perf-tools); undefined where it is no row. */
export function parseRow(line: string): IosnoopRow | undefined {
  const row = ROW.exec(line)?.groups;
  if (row === undefined) return undefined;
  return {
    start: nanoseconds(row['start'] as string),
    end: nanoseconds(row['end'] as string),
    comm: row['comm'] as string,
    tid: Number(row['tid']),
    op: row['op'] as string,
    dev: row['dev'] as string,
    sector: /^\d+$/u.test(row['block'] as string) ? Number(row['block']) : undefined,
    bytes: Number(row['bytes']),
  };
}

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
