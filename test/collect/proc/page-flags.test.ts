import { expect, test } from 'vitest';
import { classify, PAGE, PAGE_USES, PageClassifier } from '../../../src/collect/proc/page-flags.ts';

/** Flags as they were seen on kernel 6.18, with what has them (names as page-types of the kernel's tools has them). */
const SEEN: readonly [flags: number, page: keyof typeof PAGE, names: string][] = [
  [0x0, 'unmarked', ''],
  [0x4, 'unmarked', 'referenced, left over'],
  [0x400, 'free', 'buddy'],
  [0x408, 'free', 'buddy, reported to the host'],
  [0x400005828, 'anonymous', 'uptodate,lru,mmap,anon,swapbacked'],
  [0x200045828, 'anonymous', 'the same, mlocked'],
  [0x400005808, 'anonymous', 'not yet on a list'],
  [0x2004838, 'shared', 'uptodate,dirty,lru,mmap,swapbacked,idle'],
  [0x2044038, 'shared', 'uptodate,dirty,lru,swapbacked,unevictable'],
  [0x40000086c, 'mappedCache', 'referenced,uptodate,lru,active,mmap'],
  [0x40000006c, 'cache', 'referenced,uptodate,lru,active'],
  [0x800000074, 'cache', 'referenced,dirty,lru,active,private'],
  [0x80, 'slab', 'slab'],
  [0x201080, 'slab', 'slab, with what looks like anon and ksm'],
  [0x4000000, 'pageTables', 'pgtable'],
  [0x8000, 'largeKernel', 'head'],
  [0x400029808, 'hugetlb', 'uptodate,mmap,anon,head,huge'],
  [0x28818, 'hugetlb', 'uptodate,dirty,mmap,head,huge'],
  [0x28000, 'hugetlbPool', 'head,huge'],
  [0x100000000, 'reserved', 'reserved'],
  [0x101000000, 'reserved', 'reserved,zero page'],
  [0x100000800, 'reserved', 'reserved,mmap'],
  [0x800, 'driver', 'mmap'],
  [0x800000, 'offline', 'offline'],
  [0x100000, 'offline', 'nopage'],
  [0x80000, 'bad', 'hwpoison'],
];

test.each(SEEN)('flags %i are %s (%s)', (flags, page) => {
  expect(classify(flags >>> 0, Math.floor(flags / 2 ** 32))).toBe(PAGE[page]);
});

test('every class has a use, in the order of the numbers', () => {
  expect(Object.values(PAGE)).toEqual(PAGE_USES.map((_, number) => number));
});

const words = (...flags: readonly number[]): Uint32Array =>
  Uint32Array.from(flags.flatMap((value) => [value >>> 0, Math.floor(value / 2 ** 32)]));

test('a tail is what its head is, from one block to the next, whatever flags it has of its own', () => {
  const classes = new Uint8Array(8);
  const classifier = new PageClassifier(512);
  classifier.add(words(0x400, 0x8080, 0x10080, 0x40d828), classes, 0);
  classifier.add(words(0x10000, 0x415828, 0x0, 0x10000), classes, 4);
  const { free, slab, anonymous, unmarked } = PAGE;
  expect([...classes]).toEqual([free, slab, slab, anonymous, anonymous, anonymous, unmarked, unmarked]);
});

test('anonymous memory in one piece as large as a huge page is told apart, smaller pieces and other uses are not', () => {
  const classes = new Uint8Array(14);
  const classifier = new PageClassifier(4);
  const [head, tail, cacheHead] = [0x40d828, 0x415828, 0x40806c];
  classifier.add(words(head, tail, tail, head, tail), classes, 0);
  classifier.add(words(tail, tail, head, tail, cacheHead, tail, tail, tail, 0), classes, 5);
  const { anonymous: a, anonymousHuge: h, cache: c, unmarked } = PAGE;
  expect([...classes]).toEqual([a, a, a, h, h, h, h, a, a, c, c, c, c, unmarked]);
});
