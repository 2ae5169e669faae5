import { readFileSync } from 'node:fs';
import * as z from 'zod';
import type { Datapoint, StackData } from '../common/datatypes.ts';
import { beOptimized } from '../common/engine.ts';
import { ScopeFilter } from '../common/scope.ts';
import type { Batch } from '../common/section.ts';
import { rounded } from '../common/util/rounded.ts';
import { Collecter, type CollecterDescription } from './collecter.ts';
import { pageSize } from './proc/auxv.ts';
import { installedRam, namedRam, parseIomem } from './proc/iomem.ts';
import { PROC_PAGES, readPageFlags } from './proc/kpageflags.ts';
import { readMeminfo } from './proc/meminfo.ts';
import { PAGE, PAGE_USES, type PageClass } from './proc/page-flags.ts';
import { type PageOwner, PageWalk } from './proc/page-owners.ts';
import { hasMemory, type LiveProcess, ProcessTable } from './proc/process-table.ts';
import { Ram, type Survey, segmentsOf, type Tally } from './proc/ram.ts';
import { Slices } from './proc/slices.ts';
import { parseZoneinfo, type Zone } from './proc/zoneinfo.ts';
import { commandStarted, pause } from './waiting.ts';

const optionsSchema = z.strictObject({
  /** Seconds from the start of the run, or of the command, to the snapshot. */
  delay: z.coerce.number().min(0).max(86_400).default(0),
});

export type MemMapOptions = z.infer<typeof optionsSchema>;

/** Buckets of physical addresses that the RAM is shown in, about; a view draws up to 1000 as they are. */
const BUCKETS = 400;

/** Pages that are there to be taken are not in use. */
const NOT_IN_USE: ReadonlySet<number> = new Set<PageClass>([PAGE.free, PAGE.uninitialised]);

/**
 * What the installed RAM is used for, down to the page: one snapshot, as stacks `RAM;zone;use;process;mapping` in bytes
 * that add up to all of it, and as what is in use along the physical addresses. The machine goes on meanwhile, so a page
 * is what it was when its flags were read, or, where a process had it then or later, what that process has it for.
 */
export class MemMap extends Collecter<MemMapOptions> {
  static readonly description: CollecterDescription<MemMapOptions> = {
    interface: 'memmap',
    area: 'mem',
    kind: 'map',
    summary: 'what each page of the installed RAM is used for (a snapshot)',
    sections: [
      { datatype: 'stack', weight: { label: 'RAM', unit: 'bytes' } },
      {
        datatype: 'datapoint',
        x: { label: 'physical address', unit: 'GiB' },
        y: { label: 'RAM in use', unit: 'MiB' },
        fields: ['use'],
      },
    ],
    options: optionsSchema,
    tools: [PROC_PAGES],
  };

  readonly #pageSize = pageSize();
  readonly #slices = new Slices();

  override async *collect(): AsyncIterable<Batch> {
    const { run } = this;
    beOptimized();
    run.report.tool({
      name: run.tool,
      version: run.toolVersion,
      command: ['/proc/kpageflags', '/proc/PID/pagemap', '/proc/PID/maps', '/proc/iomem', '/proc/zoneinfo'],
    });
    run.started();
    await commandStarted(run);
    await pause(run.options.delay, run.stop);

    const zones = readZones();
    const resources = parseIomem(readFileSync('/proc/iomem', 'latin1'));
    const ram = new Ram(segmentsOf(installedRam(resources, this.#pageSize), zones));
    const before = readMeminfo();
    await readPageFlags(ram, this.#pages(before.get('Hugepagesize') ?? 0), this.#slices);
    const after = readMeminfo();
    const hidden = this.#pages(after.get('MemTotal') ?? 0) - sum(zones, ({ managed }) => managed);
    const uninitialised = hidden > 0 ? ram.markUninitialised() : new Map<Zone, number>();
    ram.nameReserved(namedRam(resources, this.#pageSize));
    const shift = await this.#findOwners(ram);

    const bucketPages = this.#bucketPages(ram.pages);
    const survey = await ram.survey(bucketPages, this.#slices);
    yield { section: 0, records: stacks(survey.tallies, this.#pageSize, uninitialised, hidden) };
    yield { section: 1, records: this.#points(survey, bucketPages) };
    this.#reconcile(countsOf(survey, shift), before, after, hidden);
    run.report.option('installed_bytes', ram.pages * this.#pageSize);
    run.report.option('page_bytes', this.#pageSize);
    run.report.option('bucket_mib', this.#mib(bucketPages));
  }

  /**
   * Walks the page tables of all processes; those out of scope are one owner together.
   * @returns by how many pages each class has grown, or shrunk, since its flags were read
   */
  async #findOwners(ram: Ram): Promise<Float64Array> {
    const { scope, report } = this.run;
    const table = new ProcessTable();
    await table.update(this.#slices);
    const filter = new ScopeFilter(scope, table);
    const walk = new PageWalk(ram, this.#pageSize, this.#slices);
    let kept = 0;
    for (const process of table.processes()) {
      if (!hasMemory(process)) continue;
      const { pid, stat } = process;
      const isKept = filter.keeps(pid, stat.comm);
      if (isKept) kept++;
      await walk.add({ pid, ...(isKept ? ownerOf(process) : table.descends(pid, scope.own) ? MARPLE : OTHERS) });
    }
    if (kept === 0) {
      report.warn('no process that was asked for was there any more when the memory of processes was looked at');
    }
    const { changed, shift, denied, unfinished } = walk.result;
    report.option('changed_pages', changed);
    if (denied > 0) {
      report.note(`processes that do not let MARPLE see their mappings: ${denied}; theirs is under 'owner not found'`);
    }
    if (unfinished > 0) {
      report.warn(
        `mappings that reach over more than 1 TiB of addresses, ${unfinished} of them, were looked through up to there: ` +
          "what lies beyond is under 'owner not found'",
      );
    }
    return shift;
  }

  /** The RAM in use in each bucket; next to a gap, and at the end, all is 0. */
  #points({ buckets }: Survey, bucketPages: number): Datapoint[] {
    const used = new Set<string>();
    const byUse = new Map<number, Map<string, number>>();
    for (const [bucket, classes] of buckets) {
      const uses = new Map<string, number>();
      for (const [number, pages] of classes.entries()) {
        if (pages === 0 || NOT_IN_USE.has(number)) continue;
        const { use } = PAGE_USES[number]!;
        uses.set(use, (uses.get(use) ?? 0) + pages);
        used.add(use);
      }
      byUse.set(bucket, uses);
    }
    const shown = new Set([...buckets.keys()].flatMap((bucket) => [bucket, bucket + 1, Math.max(0, bucket - 1)]));
    return [...shown]
      .sort((a, b) => a - b)
      .flatMap((bucket) =>
        [...used].map((use) => ({
          x: (bucket * bucketPages * this.#pageSize) / 2 ** 30,
          y: this.#mib(byUse.get(bucket)?.get(use) ?? 0),
          info: [use],
        })),
      );
  }

  /** Sets what the flags said beside what the kernel counts itself; both are in the header, and a difference is said. */
  #reconcile(counts: Float64Array, before: Meminfo, after: Meminfo, hidden: number): void {
    const { report } = this.run;
    const table: Record<string, readonly [counted: number, kernel: number]> = {};
    for (const { name, classes, kilobytes } of checks(this.#pageSize, hidden)) {
      const counted = this.#mib(sum(classes, (number) => counts[number]!));
      const [first, last] = [kilobytes(before) / 1024, kilobytes(after) / 1024];
      table[name] = [rounded(counted, 1), rounded(last, 1)];
      const off = Math.max(Math.min(first, last) - counted, counted - Math.max(first, last));
      if (off > Math.max(0.1 * last, 64)) {
        report.warn(
          `${name}: ${rounded(counted, 1)} MiB were counted and the kernel says ${rounded(last, 1)} MiB: ` +
            'the memory was changing while it was read',
        );
      }
    }
    report.option('counted_and_meminfo_mib', table);
  }

  #bucketPages(pages: number): number {
    const least = (pages * this.#pageSize) / BUCKETS;
    return Math.max(1, 2 ** Math.ceil(Math.log2(least)) / this.#pageSize);
  }

  #mib(pages: number): number {
    return (pages * this.#pageSize) / 2 ** 20;
  }

  #pages(kilobytes: number): number {
    return (kilobytes * 1024) / this.#pageSize;
  }
}

type Meminfo = ReadonlyMap<string, number>;
type Whose = Omit<PageOwner, 'pid'>;

/** MARPLE's own memory is in the RAM too, so it cannot be left out. */
const MARPLE: Whose = { process: 0, comm: '', title: 'MARPLE', detailed: true };
const OTHERS: Whose = { process: -1, comm: '', title: 'other processes', detailed: false };

function ownerOf({ pid, stat }: LiveProcess): Whose {
  return { process: pid, comm: stat.comm, title: `${stat.comm} (${pid})`, detailed: true };
}

/** Pages of each class as their flags had them: without what has changed since. */
function countsOf({ tallies }: Survey, shift: Float64Array): Float64Array {
  const counts = shift.map((pages) => -pages);
  for (const tally of tallies) counts[tally.class]! += tally.pages;
  return counts;
}

function readZones(): Zone[] {
  return parseZoneinfo(readFileSync('/proc/zoneinfo', 'latin1'));
}

/**
 * The stacks of what was counted. Two uses are told apart further, by amount and not by page, by what the kernel says of
 * them: what has no mark is partly free, at hand for a CPU; and of the `hidden` uninitialised pages that MemTotal counts
 * all are free, the others were taken at boot (for the page descriptors, mostly).
 */
function stacks(
  tallies: readonly Tally[],
  pageSize: number,
  uninitialised: ReadonlyMap<Zone, number>,
  hidden: number,
): StackData[] {
  const nodes = new Set(tallies.flatMap(({ zone }) => (zone === undefined ? [] : [zone.node])));
  const allUninitialised = sum(uninitialised.values(), (pages) => pages);
  const records: StackData[] = [];
  for (const { zone, class: number, owner, pages } of tallies) {
    const { use, nobody } = PAGE_USES[number]!;
    const place = zone === undefined ? 'no zone' : nodes.size > 1 ? `node ${zone.node} ${zone.name}` : zone.name;
    const add = (count: number, ...frames: readonly string[]): void => {
      if (count > 0) records.push({ weight: count * pageSize, stack: ['RAM', place, use, ...frames] });
    };
    if (number === PAGE.unmarked) {
      const atHand = Math.min(pages, zone?.onCpus ?? 0);
      add(atHand, 'free, at hand for a CPU');
      add(pages - atHand, 'kernel (stacks, vmalloc, drivers)');
    } else if (number === PAGE.uninitialised) {
      const free = Math.min(pages, Math.round((hidden * pages) / allUninitialised));
      add(free, 'free');
      add(pages - free, 'taken at boot');
    } else {
      add(pages, ...(owner?.frames ?? (nobody === undefined ? [] : [nobody])));
    }
  }
  return records;
}

/** What can be counted in both ways. */
function checks(pageSize: number, hidden: number) {
  const kb = (meminfo: Meminfo, ...names: readonly string[]): number => sum(names, (name) => meminfo.get(name) ?? 0);
  return [
    {
      name: 'free',
      classes: [PAGE.free] as readonly number[],
      kilobytes: (meminfo: Meminfo) => kb(meminfo, 'MemFree') - Math.max(0, hidden) * (pageSize / 1024),
    },
    {
      name: 'anonymous',
      classes: [PAGE.anonymous, PAGE.anonymousHuge],
      kilobytes: (meminfo: Meminfo) => kb(meminfo, 'AnonPages'),
    },
    {
      name: 'page cache and shared memory',
      classes: [PAGE.mappedCache, PAGE.cache, PAGE.shared],
      kilobytes: (meminfo: Meminfo) => kb(meminfo, 'Cached', 'Buffers', 'SwapCached'),
    },
    { name: 'shared memory', classes: [PAGE.shared], kilobytes: (meminfo: Meminfo) => kb(meminfo, 'Shmem') },
    // Large allocations count as slab in meminfo, and have no mark of it.
    {
      name: 'slab',
      classes: [PAGE.slab, PAGE.largeKernel],
      kilobytes: (meminfo: Meminfo) => kb(meminfo, 'Slab'),
    },
    {
      name: 'page tables',
      classes: [PAGE.pageTables],
      kilobytes: (meminfo: Meminfo) => kb(meminfo, 'PageTables', 'SecPageTables'),
    },
    {
      name: 'huge pages (hugetlb)',
      classes: [PAGE.hugetlb, PAGE.hugetlbPool],
      kilobytes: (meminfo: Meminfo) => kb(meminfo, 'Hugetlb'),
    },
  ];
}

function sum<T>(values: Iterable<T>, of: (value: T) => number): number {
  let total = 0;
  for (const value of values) total += of(value);
  return total;
}
