import { readFileSync } from 'node:fs';
import { decodeBytes } from '../../common/decode-bytes.ts';
import type { FileMapping } from '../../formats/perf-file.ts';
import { isDenied, isGone } from './stat.ts';
import { numbersIn } from './tasks.ts';

// 7f1c5d3f8000-7f1c5d54e000 r-xp 00028000 fe:00 12345                      /usr/lib/x86_64-linux-gnu/libc.so.6
const EXECUTABLE = /^([\da-f]+)-([\da-f]+) ..x. ([\da-f]+) \S+ (\d+) *(.*)$/gm;

/**
 * What code the processes of the machine have where (proc_pid_maps(5)): those that are there at a look, and those that were
 * at an earlier one and have ended since.
 */
export class CodeWatch {
  readonly #mappings = new Map<number, readonly FileMapping[]>();

  /** Reads those that are new, or `all` anew. What ends while it is read is left out. */
  look(all = false): void {
    for (const pid of numbersIn('/proc')) {
      if (!all && this.#mappings.has(pid)) continue;
      try {
        this.#mappings.set(pid, parseCode(pid, readFileSync(`/proc/${pid}/maps`)));
      } catch (error) {
        if (!isGone(error) && !isDenied(error)) throw error;
      }
    }
  }

  get mappings(): FileMapping[] {
    return [...this.#mappings.values()].flat();
  }
}

/** The executable mappings in a /proc/PID/maps. Memory without a file is called as perf calls it. */
export function parseCode(pid: number, maps: Buffer): FileMapping[] {
  return [...maps.toString('latin1').matchAll(EXECUTABLE)].map(
    ([, start = '', end = '', offset = '', inode, name = '']) => ({
      kind: 'mapping',
      pid,
      start: Number.parseInt(start, 16),
      length: Number.parseInt(end, 16) - Number.parseInt(start, 16),
      offset: Number.parseInt(offset, 16),
      path: name === '' ? '//anon' : decodeBytes(Buffer.from(name.replaceAll('\\012', '\n'), 'latin1')),
      inode: Number(inode),
    }),
  );
}
