/** What /proc/diskstats counted for a device since it was there. */
export interface DiskCounts {
  /** Completed requests: reads, writes (the empty ones that ask for a flush too) and discards; merged bios count once. */
  readonly requests: number;
  /** Completed flushes, which are not among the requests. 0 on kernels before 5.5. */
  readonly flushes: number;
}

/** What a device has transferred in one direction; a sector is 512 bytes. */
export interface DiskTransfers {
  readonly requests: number;
  readonly sectors: number;
}

/** All of a device's line that MARPLE uses. */
export interface DiskLine extends DiskCounts {
  readonly name: string;
  readonly read: DiskTransfers;
  readonly write: DiskTransfers;
}

//  254       0 vda 42061 9930 3913506 18840 30394 16914 3133456 6530 0 7352 25976 8312 42 319152 502 2830 102
/** Reads /proc/diskstats, disks and partitions: by `MAJ:MIN`. Columns as in Documentation/admin-guide/iostats.rst. */
export function parseDiskstats(text: string): Map<string, DiskLine> {
  const lines = new Map<string, DiskLine>();
  for (const line of text.split('\n')) {
    const column = line.trim().split(/\s+/u);
    if (column.length < 11) continue;
    const number = (i: number): number => Number(column[i] ?? 0);
    lines.set(`${column[0]}:${column[1]}`, {
      name: column[2] ?? '',
      requests: number(3) + number(7) + number(14),
      flushes: number(18),
      read: { requests: number(3), sectors: number(5) },
      write: { requests: number(7), sectors: number(9) },
    });
  }
  return lines;
}

/** What was counted between two texts of /proc/diskstats, for the device `MAJ:MIN`. */
export function countsBetween(before: string, after: string, device: string): DiskCounts {
  const [from, to] = [before, after].map((text) => parseDiskstats(text).get(device) ?? { requests: 0, flushes: 0 });
  return {
    requests: (to as DiskCounts).requests - (from as DiskCounts).requests,
    flushes: (to as DiskCounts).flushes - (from as DiskCounts).flushes,
  };
}

/** A tool that misses more than this many of a device's I/Os, and more than 1 in 20, is not believed. */
const SLACK = 20;
const SHARE = 0.95;

/** Whether a tool that saw `seen` I/Os where the block layer counted `counted` misses too many. */
export function isTooFew(seen: number, counted: number): boolean {
  return seen < counted * SHARE && counted - seen > SLACK;
}
