import type { PageRange, RamArea } from './iomem.ts';
import { PAGE, PAGE_USES, type PageClass } from './page-flags.ts';
import type { Slices } from './slices.ts';
import type { Zone } from './zoneinfo.ts';

/** Pages of RAM that follow each other and are of one zone and one owner (kernel or firmware). */
export interface Segment extends RamArea {
  /** Where its first page stands in the arrays. */
  readonly index: number;
  /** Undefined for what is in none: the firmware's, and what is not in use. */
  readonly zone: Zone | undefined;
}

/** Whose a page is: what follows its use in the stack. */
export interface Owner {
  /** The process, by a number; those who share a page have none. */
  readonly process: number | undefined;
  readonly frames: readonly string[];
  /** Name of the process. */
  readonly comm: string;
}

/** So many pages of one zone, use and owner. */
export interface Tally {
  readonly zone: Zone | undefined;
  readonly class: PageClass;
  readonly owner: Owner | undefined;
  readonly pages: number;
}

/** All pages of RAM, added up. */
export interface Survey {
  readonly tallies: readonly Tally[];
  /** Pages by class, for each bucket of physical addresses that has RAM. */
  readonly buckets: ReadonlyMap<number, Float64Array>;
}

const CLASSES = PAGE_USES.length;

/** What a page is called that several processes, or several mappings of one, have. */
export const SHARED = 'shared';
export const SEVERAL_MAPPINGS = '[several mappings]';

/** Cuts areas of RAM where a zone begins or ends. */
export function segmentsOf(areas: readonly RamArea[], zones: readonly Zone[]): Segment[] {
  const segments: Segment[] = [];
  let index = 0;
  for (const area of areas) {
    const edges = area.firmware ? [] : zones.flatMap(({ start, spanned }) => [start, start + spanned]);
    const cuts = [area.start, ...edges.filter((edge) => edge > area.start && edge < area.end), area.end];
    const sorted = [...new Set(cuts)].sort((a, b) => a - b);
    for (const [i, start] of sorted.slice(0, -1).entries()) {
      const zone = area.firmware
        ? undefined
        : zones.find((candidate) => candidate.start <= start && start < candidate.start + candidate.spanned);
      const end = sorted[i + 1]!;
      segments.push({ ...area, start, end, index, zone });
      index += end - start;
    }
  }
  return segments;
}

/** Owners by number, each once; 0 is nobody. */
export class Owners {
  readonly #owners: (Owner | undefined)[] = [undefined];
  readonly #numbers = new Map<string, number>();
  readonly #merged = new Map<number, number>();

  get(number: number): Owner | undefined {
    return this.#owners[number];
  }

  /** The number of an owner. */
  add(owner: Owner): number {
    const key = `${owner.process}\0${owner.comm}\0${owner.frames.join('\0')}`;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#owners.push(owner) - 1;
      this.#numbers.set(key, number);
    }
    return number;
  }

  /** The owner of a page that two owners have. */
  merge(one: number, other: number): number {
    if (one === other || other === 0) return one;
    if (one === 0) return other;
    const key = one * 2 ** 26 + other;
    let number = this.#merged.get(key);
    if (number === undefined) {
      number = this.add(merged(this.#owners[one]!, this.#owners[other]!));
      this.#merged.set(key, number);
    }
    return number;
  }
}

function merged(one: Owner, other: Owner): Owner {
  const mappings = [one, other].flatMap(({ frames }) => frames.slice(1));
  const mapping = mappings.every((name) => name === mappings[0]) ? mappings.slice(0, 1) : [SEVERAL_MAPPINGS];
  if (one.process !== undefined && one.process === other.process)
    return { ...one, frames: [one.frames[0]!, ...mapping] };
  const sameName = one.comm !== '' && one.comm === other.comm;
  return {
    process: undefined,
    comm: sameName ? one.comm : '',
    frames: [sameName ? `${one.comm} (${SHARED})` : SHARED, ...mapping],
  };
}

/** The class and the owner of every page of the installed RAM: 5 bytes a page. */
export class Ram {
  readonly classes: Uint8Array;
  readonly owners = new Owners();
  /** Of every page; the kernel gives no memory for the parts that stay 0. */
  readonly #owners: Uint32Array;
  readonly pages: number;
  #last: Segment | undefined;

  constructor(readonly segments: readonly Segment[]) {
    this.pages = segments.reduce((sum, { start, end }) => sum + end - start, 0);
    this.classes = new Uint8Array(this.pages);
    this.#owners = new Uint32Array(this.pages);
    for (const { index, start, end, firmware, zone, name } of segments) {
      if (zone !== undefined) continue;
      this.classes.fill(firmware ? PAGE.firmware : PAGE.offline, index, index + end - start);
      if (firmware) {
        const owner = this.owners.add({ process: undefined, comm: '', frames: [name] });
        this.#owners.fill(owner, index, index + end - start);
      }
    }
  }

  /** Where a physical page stands in the arrays; -1 where it is no RAM. */
  indexOf(page: number): number {
    let segment = this.#last;
    if (segment === undefined || page < segment.start || page >= segment.end) {
      segment = this.segments.find(({ start, end }) => start <= page && page < end);
      if (segment === undefined) return -1;
      this.#last = segment;
    }
    return segment.index + page - segment.start;
  }

  /** Says that a page is (also) this owner's. */
  own(index: number, owner: number): void {
    this.#owners[index] = this.owners.merge(this.#owners[index]!, owner);
  }

  /** Names the pages that were set aside at boot by what the System RAM is said to hold. */
  nameReserved(ranges: readonly PageRange[]): void {
    for (const { start, end, name } of ranges) {
      const owner = this.owners.add({ process: undefined, comm: '', frames: [name] });
      for (let page = start; page < end; page++) {
        const index = this.indexOf(page);
        if (index < 0 || this.classes[index] !== PAGE.reserved) continue;
        if (name.startsWith('Kernel ')) this.classes[index] = PAGE.image;
        this.#owners[index] = owner;
      }
    }
  }

  /**
   * Tells apart the pages whose descriptors the kernel has not set up yet. Some kernels put that off until memory runs
   * short (deferred_init=lazy): the flags of such a page are 0, it is in no zone's lists, but MemTotal and MemFree count
   * it. They are the last of a zone, at most as many as it has beside the managed and the reserved ones.
   * @returns how many they are, by zone
   */
  markUninitialised(): Map<Zone, number> {
    const found = new Map<Zone, number>();
    const reserved = new Map<Zone, number>();
    for (const { zone, index, start, end } of this.segments) {
      if (zone === undefined) continue;
      const count = countOf(this.classes.subarray(index, index + end - start), PAGE.reserved);
      reserved.set(zone, (reserved.get(zone) ?? 0) + count);
    }
    const ended = new Set<Zone>();
    for (const { zone, index, start, end } of [...this.segments].reverse()) {
      if (zone === undefined || ended.has(zone)) continue;
      const most = zone.present - zone.managed - (reserved.get(zone) ?? 0) - (found.get(zone) ?? 0);
      const first = index + Math.max(0, end - start - most);
      let at = index + end - start;
      while (at > first && this.classes[at - 1] === PAGE.unmarked) at--;
      this.classes.fill(PAGE.uninitialised, at, index + end - start);
      const pages = index + end - start - at;
      if (pages > 0) found.set(zone, (found.get(zone) ?? 0) + pages);
      if (at > index) ended.add(zone);
    }
    return found;
  }

  /** Adds all pages up, by zone, class and owner, and by class in each bucket of so many pages. */
  async survey(bucketPages: number, slices: Slices): Promise<Survey> {
    const zones = new Map<Zone | undefined, Map<number, number>>();
    const buckets = new Map<number, Float64Array>();
    for (const { start, end, index, zone } of this.segments) {
      const ofZone = zones.get(zone) ?? new Map<number, number>();
      zones.set(zone, ofZone);
      for (let from = start; from < end; ) {
        const bucket = Math.floor(from / bucketPages);
        const to = Math.min(end, (bucket + 1) * bucketPages);
        const classes = buckets.get(bucket) ?? new Float64Array(CLASSES);
        buckets.set(bucket, classes);
        for (const [key, pages] of this.#count(index + from - start, index + to - start)) {
          ofZone.set(key, (ofZone.get(key) ?? 0) + pages);
          classes[key % CLASSES]! += pages;
        }
        from = to;
        await slices.breathe();
      }
    }
    const tallies = [...zones].flatMap(([zone, counts]) =>
      [...counts].map(([key, pages]) => ({
        zone,
        class: (key % CLASSES) as PageClass,
        owner: this.owners.get(Math.floor(key / CLASSES)),
        pages,
      })),
    );
    return { tallies, buckets };
  }

  /** Counts the pages of each owner and class; the key holds both. */
  #count(from: number, to: number): Map<number, number> {
    const counts = new Map<number, number>();
    // Neighbours are mostly alike: the map is asked once for a run of them.
    let first = from;
    for (let i = from; i < to; i++) {
      const key = this.#owners[i]! * CLASSES + this.classes[i]!;
      const isLast = i + 1 === to || this.#owners[i + 1]! * CLASSES + this.classes[i + 1]! !== key;
      if (!isLast) continue;
      counts.set(key, (counts.get(key) ?? 0) + i + 1 - first);
      first = i + 1;
    }
    return counts;
  }
}

function countOf(classes: Uint8Array, wanted: PageClass): number {
  let count = 0;
  for (const one of classes) if (one === wanted) count++;
  return count;
}
