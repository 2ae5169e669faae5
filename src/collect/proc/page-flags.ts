/** What a physical page is used for, as its flags tell. The numbers are those in the class array; 0 is what has no mark. */
export const PAGE = {
  unmarked: 0,
  free: 1,
  uninitialised: 2,
  anonymous: 3,
  anonymousHuge: 4,
  shared: 5,
  mappedCache: 6,
  cache: 7,
  hugetlb: 8,
  hugetlbPool: 9,
  slab: 10,
  pageTables: 11,
  largeKernel: 12,
  driver: 13,
  image: 14,
  reserved: 15,
  offline: 16,
  bad: 17,
  firmware: 18,
} as const;

export type PageClass = (typeof PAGE)[keyof typeof PAGE];

/** How a class is called. `nobody` is what follows where no process, or no name, is known for a page. */
export interface PageUse {
  readonly use: string;
  readonly nobody?: string;
}

const NOT_FOUND = 'owner not found';

/** By class. */
export const PAGE_USES: readonly PageUse[] = Object.values({
  unmarked: { use: 'unmarked' },
  free: { use: 'free' },
  uninitialised: { use: 'uninitialised' },
  anonymous: { use: 'anonymous', nobody: NOT_FOUND },
  anonymousHuge: { use: 'anonymous (huge pages)', nobody: NOT_FOUND },
  shared: { use: 'shared memory', nobody: 'not mapped' },
  mappedCache: { use: 'page cache (mapped)', nobody: NOT_FOUND },
  cache: { use: 'page cache (not mapped)' },
  hugetlb: { use: 'huge pages (hugetlb)', nobody: 'not mapped' },
  hugetlbPool: { use: 'huge pages (hugetlb)', nobody: 'free in the pool' },
  slab: { use: 'slab' },
  pageTables: { use: 'page tables' },
  largeKernel: { use: 'kernel (large blocks)' },
  driver: { use: 'kernel (mapped)', nobody: NOT_FOUND },
  image: { use: 'kernel image' },
  reserved: { use: 'reserved at boot' },
  offline: { use: 'offline' },
  bad: { use: 'bad' },
  firmware: { use: 'firmware' },
} satisfies Record<keyof typeof PAGE, PageUse>);

/** Bits of a page's flags (include/uapi/linux/kernel-page-flags.h). */
const LRU = 1 << 5;
const SLAB = 1 << 7;
const WRITEBACK = 1 << 8;
const BUDDY = 1 << 10;
const MMAP = 1 << 11;
const ANON = 1 << 12;
const SWAPBACKED = 1 << 14;
const HEAD = 1 << 15;
const TAIL = 1 << 16;
const HUGE = 1 << 17;
const HWPOISON = 1 << 19;
const NOPAGE = 1 << 20;
const OFFLINE = 1 << 23;
const PGTABLE = 1 << 26;
const UPTODATE = 1 << 3;
const DIRTY = 1 << 4;
/** Bit 32, thus the lowest of the high word. */
const RESERVED_HIGH = 1;

/** The class of a page that is no tail of a larger one, by the low and the high half of its flags. */
export function classify(low: number, high: number): PageClass {
  if ((low & (NOPAGE | HWPOISON | OFFLINE)) !== 0) return (low & HWPOISON) !== 0 ? PAGE.bad : PAGE.offline;
  if ((low & BUDDY) !== 0) return PAGE.free;
  // A slab's own fields lie where other pages say whether they are anonymous, so this comes first.
  if ((low & SLAB) !== 0) return PAGE.slab;
  if ((low & PGTABLE) !== 0) return PAGE.pageTables;
  // A huge page of the pool has no data yet.
  if ((low & HUGE) !== 0) return (low & (UPTODATE | MMAP)) !== 0 ? PAGE.hugetlb : PAGE.hugetlbPool;
  if ((high & RESERVED_HIGH) !== 0) return PAGE.reserved;
  if ((low & ANON) !== 0) return PAGE.anonymous;
  if ((low & SWAPBACKED) !== 0) return PAGE.shared;
  if ((low & (LRU | UPTODATE | DIRTY | WRITEBACK)) !== 0) return (low & MMAP) !== 0 ? PAGE.mappedCache : PAGE.cache;
  if ((low & MMAP) !== 0) return PAGE.driver;
  return (low & HEAD) !== 0 ? PAGE.largeKernel : PAGE.unmarked;
}

/** Gives each page of a run of them its class, from block to block. */
export class PageClassifier {
  #last: PageClass = PAGE.unmarked;
  /** Tails since the last page that was none. */
  #tails = 0;

  /** `hugePages`: pages of a huge page, by which a piece of anonymous memory counts as one. */
  constructor(readonly hugePages: number) {}

  /** `flags` holds two words for each page, as /proc/kpageflags has them; classes are written from `index` on. */
  add(flags: Uint32Array, classes: Uint8Array, index: number): void {
    const pages = flags.length / 2;
    for (let i = 0; i < pages; i++) {
      const low = flags[2 * i]!;
      if ((low & TAIL) === 0) {
        this.#last = classify(low, flags[2 * i + 1]!);
        this.#tails = 0;
      } else if (++this.#tails === this.hugePages - 1 && this.#last === PAGE.anonymous) {
        // Which flags a tail has of its own depends on the kernel: it is what its head is.
        this.#last = PAGE.anonymousHuge;
        classes.fill(PAGE.anonymousHuge, index + i - this.#tails, index + i);
      }
      classes[index + i] = this.#last;
    }
  }
}
