import { readFile } from 'node:fs/promises';
import { decodeBytes } from '../../common/decode-bytes.ts';

/** A mapping of a process's address space: pages from `start` up to, not including, `end`. */
export interface Mapping {
  readonly start: number;
  readonly end: number;
  /** Path of the file, `[heap]`, `[stack]`, ...; `[anon]` where the kernel gives none. */
  readonly name: string;
  /** Pages of it that are in RAM, where that is known. */
  readonly residentPages: number | undefined;
}

/** A process with a mapping of so many bytes has mostly reserved them only: it is asked which are empty. */
const RESERVATION = 2 ** 30;

// 7f1c5d3d0000-7f1c5d3f8000 r--p 00000000 fe:00 12345                      /usr/lib/x86_64-linux-gnu/libc.so.6
// Rss:                 160 kB
/** /proc/PID/maps or, with the size in RAM too, /proc/PID/smaps (proc_pid_maps(5), proc_pid_smaps(5)). */
export function parseMappings(bytes: Buffer, pageSize: number): Mapping[] {
  const mappings: { start: number; end: number; name: string; residentPages: number | undefined }[] = [];
  // The paths are bytes: latin1 keeps them apart until they are decoded.
  for (const line of bytes.toString('latin1').split('\n')) {
    const found = /^([0-9a-f]+)-([0-9a-f]+) \S{4} \S+ \S+ \d+ *(.*)$/.exec(line);
    if (found !== null) {
      const [, start, end, name] = found;
      mappings.push({
        start: Number.parseInt(start!, 16) / pageSize,
        end: Number.parseInt(end!, 16) / pageSize,
        name: mappingName(name!),
        residentPages: undefined,
      });
      continue;
    }
    const resident = /^Rss: +(\d+) kB$/.exec(line)?.[1];
    const last = mappings.at(-1);
    if (resident !== undefined && last !== undefined) last.residentPages = (Number(resident) * 1024) / pageSize;
  }
  return mappings;
}

/**
 * The mappings of a process. Those of a process with large ones come with their sizes in RAM, which takes longer but
 * spares looking through terabytes of addresses without a page.
 */
export async function readMappings(pid: number, pageSize: number): Promise<Mapping[]> {
  const mappings = parseMappings(await readFile(`/proc/${pid}/maps`), pageSize);
  if (mappings.every(({ start, end }) => (end - start) * pageSize < RESERVATION)) return mappings;
  return parseMappings(await readFile(`/proc/${pid}/smaps`), pageSize);
}

/** The kernel writes a newline in a path as `\012`. */
function mappingName(text: string): string {
  if (text === '') return '[anon]';
  return decodeBytes(Buffer.from(text, 'latin1')).replaceAll('\\012', '\n');
}
