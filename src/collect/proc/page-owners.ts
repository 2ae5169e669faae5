import { closeSync, openSync, readSync } from 'node:fs';
import { type Mapping, readMappings } from './mappings.ts';
import { PAGE, PAGE_USES } from './page-flags.ts';
import type { Owner, Ram } from './ram.ts';
import type { Slices } from './slices.ts';
import { isDenied, isGone } from './stat.ts';

/** A process whose pages are looked for. */
export interface PageOwner {
  readonly pid: number;
  /** A number of its own; those with the same one are one owner. */
  readonly process: number;
  readonly comm: string;
  /** How it is called in a stack. */
  readonly title: string;
  /** Whether its mappings are told apart. */
  readonly detailed: boolean;
}

/** What came out of the walk, for the report. */
export interface WalkResult {
  /** Pages that had got into use, or into another, after their flags had been read. */
  changed: number;
  /** By how many pages each class has grown by these, or shrunk. */
  readonly shift: Float64Array;
  denied: number;
  /** Mappings that are mostly empty and too large to be looked through to the end. */
  unfinished: number;
}

/** Entries of 8 bytes per page that one read takes: 64 KiB, at most about a millisecond of the kernel's time. */
const ENTRIES = 8192;
/** Of a mapping no more pages are looked at than this: 1 TiB of 4 KiB pages, which take about 2 s. */
const MOST_PAGES = 2 ** 28;

/** Bits of an entry of /proc/PID/pagemap, in its high word (Documentation/admin-guide/mm/pagemap.rst). */
const PRESENT = 2 ** 31;
const FILE_OR_SHARED = 1 << 29;
const PAGE_NUMBER_HIGH = (1 << 23) - 1;

/** Classes that agree with being mapped by a process; others were read before the page came into this use. */
const MAPPABLE: ReadonlySet<number> = new Set([
  PAGE.anonymous,
  PAGE.anonymousHuge,
  PAGE.shared,
  PAGE.mappedCache,
  PAGE.hugetlb,
  PAGE.driver,
]);
/** Classes that no process makes its own by mapping a page: the kernel's clock page is in all of them. */
const NOBODYS: ReadonlySet<number> = new Set([PAGE.image, PAGE.reserved, PAGE.firmware, PAGE.offline, PAGE.bad]);

/** Finds the processes and mappings that each page of RAM belongs to, by the page tables of all processes. */
export class PageWalk {
  readonly result: WalkResult = { changed: 0, shift: new Float64Array(PAGE_USES.length), denied: 0, unfinished: 0 };
  readonly #buffer = Buffer.alloc(8 * ENTRIES);
  readonly #words = new Uint32Array(this.#buffer.buffer, this.#buffer.byteOffset, 2 * ENTRIES);

  constructor(
    readonly ram: Ram,
    readonly pageSize: number,
    readonly slices: Slices,
  ) {}

  /** Walks one process. One that ends meanwhile is left as far as it was seen. */
  async add(owner: PageOwner): Promise<void> {
    let pagemap: number | undefined;
    try {
      const mappings = await this.slices.aside(readMappings(owner.pid, this.pageSize));
      pagemap = openSync(`/proc/${owner.pid}/pagemap`, 'r');
      for (const mapping of mappings) await this.#walk(pagemap, mapping, owner);
    } catch (error) {
      if (isDenied(error)) this.result.denied++;
      else if (!isGone(error)) throw error;
    } finally {
      if (pagemap !== undefined) closeSync(pagemap);
    }
  }

  async #walk(pagemap: number, { start, end, name, residentPages }: Mapping, owner: PageOwner): Promise<void> {
    // [vsyscall] is the kernel's, and beyond what a file offset can say.
    if (residentPages === 0 || end * 8 > Number.MAX_SAFE_INTEGER) return;
    const frames = owner.detailed ? [owner.title, name] : [owner.title];
    const number = this.ram.owners.add({ process: owner.process, comm: owner.comm, frames } satisfies Owner);
    const last = Math.min(end, start + MOST_PAGES);
    let found = 0;
    for (let page = start; page < last; ) {
      const bytes = readSync(pagemap, this.#buffer, 0, Math.min(ENTRIES, last - page) * 8, page * 8);
      if (bytes === 0) return;
      found += this.#take(bytes / 8, number);
      if (residentPages !== undefined && found >= residentPages) return;
      page += bytes / 8;
      await this.slices.breathe();
    }
    if (last < end) this.result.unfinished++;
  }

  /** Gives the pages of the entries just read to their owner; returns how many there are. */
  #take(entries: number, owner: number): number {
    const { ram } = this;
    let found = 0;
    for (let i = 0; i < entries; i++) {
      const high = this.#words[2 * i + 1]!;
      if (high < PRESENT) continue;
      found++;
      const index = ram.indexOf((high & PAGE_NUMBER_HIGH) * 2 ** 32 + this.#words[2 * i]!);
      if (index < 0 || NOBODYS.has(ram.classes[index]!)) continue;
      this.#correct(index, (high & FILE_OR_SHARED) !== 0);
      ram.own(index, owner);
    }
    return found;
  }

  /** A page that had another use when the flags were read has come into this one since. */
  #correct(index: number, isFile: boolean): void {
    const { classes } = this.ram;
    const before = classes[index]!;
    if (MAPPABLE.has(before)) return;
    const now = before === PAGE.hugetlbPool ? PAGE.hugetlb : isFile ? PAGE.mappedCache : PAGE.anonymous;
    classes[index] = now;
    this.result.changed++;
    this.result.shift[before]!--;
    this.result.shift[now]!++;
  }
}
