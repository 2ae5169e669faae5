import type { Importer, ImportInput, ImportSink } from './importer.ts';
import { IoImport } from './io-import.ts';
import { plainLines } from './lines.ts';

/*
 * The output of biosnoop (biosnoop(8) of BCC; that of libbpf-tools has the same columns), as it is collected and as it is
 * imported.
 */

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
  /** Undefined for a flush, which has none. */
  readonly sector: number | undefined;
  readonly bytes: number;
  /** From issue to completion. */
  readonly nanoseconds: number;
}

// TIME(s)     COMM           PID    DISK    T SECTOR     BYTES   LAT(ms)
// 0.000004    supervise      1950   xvda1   W 13092560   4096       0.74
/**
 * The columns stand left, but a name may hold spaces: what follows it is found from the right. With -Q the time in the
 * queue stands before the latency.
 */
const ROW =
  /^(?<time>\d+\.\d+) +(?<comm>.*?) +(?<pid>\d+) +(?<dev>\S+) +(?<op>[A-Z]+) +(?<sector>-?\d+) +(?<bytes>\d+)(?: +\d+\.\d+)? +(?<latency>\d+\.\d+) *$/u;

/** The title line: from here on the tool traces. */
export function isTitle(line: string): boolean {
  return /^TIME\(s\) +COMM +PID/u.test(line);
}

/** Reads one line of biosnoop's output; undefined where it is no row. */
export function parseRow(line: string): BiosnoopRow | undefined {
  const row = ROW.exec(line)?.groups as Record<string, string> | undefined;
  if (row === undefined) return undefined;
  return {
    end: scaled(row['time'] as string, 9),
    comm: row['comm'] as string,
    pid: Number(row['pid']),
    dev: row['dev'] as string,
    op: row['op'] as string,
    sector: Number(row['sector']) < 0 ? undefined : Number(row['sector']),
    bytes: Number(row['bytes']),
    nanoseconds: scaled(row['latency'] as string, 6),
  };
}

/** A decimal number times 10^digits, exactly. */
function scaled(text: string, digits: number): number {
  const [whole, fraction = ''] = text.split('.');
  return Number(`${whole}${fraction.padEnd(digits, '0').slice(0, digits)}`);
}

export const biosnoopImporter: Importer = {
  format: 'biosnoop',
  summary: 'output of biosnoop (BCC, libbpf-tools)',
  detects: (head) => head.toString('latin1').split(/\r?\n/u).some(isTitle),
  run: importBiosnoop,
};

async function importBiosnoop(input: ImportInput, sink: ImportSink): Promise<void> {
  let ios: IoImport | undefined;
  let queued = false;
  for await (const lines of plainLines(input.chunks())) {
    for (const line of lines) {
      if (isTitle(line)) {
        ios ??= new IoImport(sink);
        queued ||= line.includes('QUE(ms)');
        continue;
      }
      const row = parseRow(line);
      if (row === undefined) {
        if (line !== '') sink.skipped(line);
        continue;
      }
      const { end, nanoseconds, comm, pid, op, dev, sector, bytes } = row;
      ios ??= new IoImport(sink);
      ios.add({ issued: end - nanoseconds, nanoseconds, comm, pid, tid: undefined, op, dev, sector, bytes });
    }
    await ios?.flush();
  }
  await ios?.finish();
  if (queued) sink.warn('the times that I/Os spent in queues (QUE) are not in the data');
}
