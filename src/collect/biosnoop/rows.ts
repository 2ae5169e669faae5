/** One row of biosnoop. */
export interface BiosnoopRow {
  /** Completion, nanoseconds since the first I/O that the tool saw completed. */
  readonly end: number;
  /** First 14 characters of the name of the process that made the request. */
  readonly comm: string;
  readonly pid: number;
  readonly dev: string;
  /** `R` or `W` (BCC), or an rwbs text (libbpf-tools). */
  readonly op: string;
  readonly sector: number;
  readonly bytes: number;
  /** From issue to completion. */
  readonly nanoseconds: number;
}

// TIME(s)     COMM           PID    DISK    T SECTOR     BYTES   LAT(ms)
// 0.000004    supervise      1950   xvda1   W 13092560   4096       0.74
/** The columns stand left, but a name may hold spaces: what follows it is found from the right. */
const ROW =
  /^(?<time>\d+\.\d+) +(?<comm>.*?) +(?<pid>\d+) +(?<dev>\S+) +(?<op>[A-Z]+) +(?<sector>\d+) +(?<bytes>\d+) +(?<latency>\d+\.\d+) *$/u;

/** The title line: from here on the tool traces. */
export function isTitle(line: string): boolean {
  return /^TIME\(s\) +COMM +PID/u.test(line);
}

/** Reads one line of biosnoop's output (biosnoop(8), BCC; that of libbpf-tools has the same columns); undefined where it is no row. */
export function parseRow(line: string): BiosnoopRow | undefined {
  const row = ROW.exec(line)?.groups as Record<string, string> | undefined;
  if (row === undefined) return undefined;
  return {
    end: scaled(row['time'] as string, 9),
    comm: row['comm'] as string,
    pid: Number(row['pid']),
    dev: row['dev'] as string,
    op: row['op'] as string,
    sector: Number(row['sector']),
    bytes: Number(row['bytes']),
    nanoseconds: scaled(row['latency'] as string, 6),
  };
}

/** A decimal number times 10^digits, exactly. */
function scaled(text: string, digits: number): number {
  const [whole, fraction = ''] = text.split('.');
  return Number(`${whole}${fraction.padEnd(digits, '0').slice(0, digits)}`);
}
