import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { release } from 'node:os';
import { errorMessage } from '../../common/errors.ts';
import type { Probe, Tool } from '../collecter.ts';
import { pageSize } from './auxv.ts';
import { parseIomem } from './iomem.ts';
import { parseMappings } from './mappings.ts';
import { PageClassifier } from './page-flags.ts';
import type { Ram } from './ram.ts';
import type { Slices } from './slices.ts';
import { isDenied } from './stat.ts';

const FLAGS = '/proc/kpageflags';

/** Pages that one read takes: 64 KiB of flags, a millisecond or two of the kernel's time. */
const BLOCK = 8192;

/** Reads the flags of all pages that the kernel has, and gives each page its class. */
export async function readPageFlags(ram: Ram, hugePages: number, slices: Slices): Promise<void> {
  const buffer = Buffer.alloc(8 * BLOCK);
  const file = openSync(FLAGS, 'r');
  try {
    for (const { start, end, index, zone } of ram.segments) {
      if (zone === undefined) continue;
      const classifier = new PageClassifier(hugePages);
      for (let page = start; page < end; ) {
        const bytes = readSync(file, buffer, 0, 8 * Math.min(BLOCK, end - page), 8 * page);
        // Beyond its last page the kernel has nothing to say.
        if (bytes === 0) break;
        classifier.add(new Uint32Array(buffer.buffer, buffer.byteOffset, bytes / 4), ram.classes, index + page - start);
        page += bytes / 8;
        await slices.breathe();
      }
    }
  } finally {
    closeSync(file);
  }
}

const SUDO = 'run the same command with sudo';

/** Whether what tells the use of every page may be read, tried on a page of this process. */
function probePages(): Probe {
  try {
    const page = ownPage();
    if (page === 0 || parseIomem(readFileSync('/proc/iomem', 'latin1')).every(({ end }) => end <= 1)) {
      return {
        usable: false,
        why: 'the numbers of physical pages are hidden from this user: they are for root (CAP_SYS_ADMIN) only',
        hint: SUDO,
      };
    }
    const file = openSync(FLAGS, 'r');
    try {
      if (readSync(file, Buffer.alloc(8), 0, 8, 8 * page) !== 8) return { usable: false, why: `${FLAGS} is empty` };
    } finally {
      closeSync(file);
    }
    return { usable: true, version: release() };
  } catch (error) {
    return {
      usable: false,
      why: `what the pages of RAM are used for cannot be read: ${errorMessage(error)}`,
      ...(isDenied(error) ? { hint: SUDO } : {}),
    };
  }
}

/** The number of a physical page of this process; 0 where the kernel hides it. */
function ownPage(): number {
  const stack = parseMappings(readFileSync('/proc/self/maps'), pageSize()).find(({ name }) => name === '[stack]');
  if (stack === undefined) return 0;
  const entry = Buffer.alloc(8);
  const file = openSync('/proc/self/pagemap', 'r');
  try {
    readSync(file, entry, 0, 8, 8 * (stack.end - 1));
  } finally {
    closeSync(file);
  }
  return Number(entry.readBigUInt64LE() & 0x7f_ffff_ffff_ffffn);
}

/** All that tells the use of the RAM lies in /proc. */
export const PROC_PAGES: Tool = { name: 'proc', probe: async () => probePages() };
