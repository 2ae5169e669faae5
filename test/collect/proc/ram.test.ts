import { describe, expect, test } from 'vitest';
import type { RamArea } from '../../../src/collect/proc/iomem.ts';
import { PAGE } from '../../../src/collect/proc/page-flags.ts';
import { type Owner, Owners, Ram, segmentsOf } from '../../../src/collect/proc/ram.ts';
import { Slices } from '../../../src/collect/proc/slices.ts';
import type { Zone } from '../../../src/collect/proc/zoneinfo.ts';

const zone = (name: string, start: number, spanned: number, more: Partial<Zone> = {}): Zone => ({
  node: 0,
  name,
  start,
  spanned,
  present: spanned,
  managed: spanned,
  free: 0,
  onCpus: 0,
  ...more,
});
const area = (start: number, end: number, firmware = false): RamArea => ({
  start,
  end,
  firmware,
  name: firmware ? 'Reserved' : 'System RAM',
});
const owner = (process: number, comm: string, mapping: string): Owner => ({
  process,
  comm,
  frames: [`${comm} (${process})`, mapping],
});

describe('segmentsOf', () => {
  test('areas are cut where zones begin and end; the firmware is in none', () => {
    const [low, high] = [zone('DMA', 1, 9), zone('Normal', 10, 30)];
    const segments = segmentsOf([area(0, 1, true), area(1, 20), area(30, 45)], [low, high]);
    expect(segments.map(({ start, end, index, zone }) => [start, end, index, zone?.name])).toEqual([
      [0, 1, 0, undefined],
      [1, 10, 1, 'DMA'],
      [10, 20, 10, 'Normal'],
      [30, 40, 20, 'Normal'],
      [40, 45, 30, undefined],
    ]);
  });
});

describe('Owners', () => {
  const framesOf = (...list: readonly Owner[]): readonly string[] | undefined => {
    const owners = new Owners();
    return owners.get(list.map((one) => owners.add(one)).reduce((one, other) => owners.merge(one, other), 0))?.frames;
  };

  test('a page of one process is its own, however often it is mapped', () => {
    expect(framesOf(owner(1, 'a', '[heap]'))).toEqual(['a (1)', '[heap]']);
    expect(framesOf(owner(1, 'a', '/lib'), owner(1, 'a', '/lib'))).toEqual(['a (1)', '/lib']);
    expect(framesOf(owner(1, 'a', '/one'), owner(1, 'a', '/two'))).toEqual(['a (1)', '[several mappings]']);
  });

  test('a page of several processes is shared, by name where they all have one name', () => {
    expect(framesOf(owner(1, 'a', '/lib'), owner(2, 'a', '/lib'))).toEqual(['a (shared)', '/lib']);
    expect(framesOf(owner(1, 'a', '/lib'), owner(2, 'b', '/lib'))).toEqual(['shared', '/lib']);
    expect(framesOf(owner(1, 'a', '/lib'), owner(2, 'a', '/lib'), owner(3, 'a', '/lib'))).toEqual([
      'a (shared)',
      '/lib',
    ]);
    expect(framesOf(owner(1, 'a', '/lib'), owner(2, 'a', '/lib'), owner(3, 'b', '/x'))).toEqual([
      'shared',
      '[several mappings]',
    ]);
    expect(framesOf(owner(1, '', '/lib'), owner(2, '', '/lib'))).toEqual(['shared', '/lib']);
  });

  test('those out of scope tell no mapping, those in scope that share with them do', () => {
    const others: Owner = { process: -1, comm: '', frames: ['other processes'] };
    expect(framesOf(others, others)).toEqual(['other processes']);
    expect(framesOf(others, owner(1, 'a', '/lib'))).toEqual(['shared', '/lib']);
  });
});

describe('Ram', () => {
  test('a page is found by its number, and what is no RAM is not', () => {
    const ram = new Ram(segmentsOf([area(2, 4), area(10, 12)], [zone('Normal', 0, 100)]));
    expect([1, 2, 3, 4, 9, 10, 11, 12, 2].map((page) => ram.indexOf(page))).toEqual([-1, 0, 1, -1, -1, 2, 3, -1, 0]);
    expect(ram.pages).toBe(4);
  });

  test('the survey counts every page once: by zone, class and owner, and by bucket', async () => {
    const [low, high] = [zone('DMA', 0, 10), zone('Normal', 10, 30)];
    const ram = new Ram(segmentsOf([area(0, 2, true), area(2, 20), area(36, 50)], [low, high]));
    ram.classes.fill(PAGE.anonymous, ram.indexOf(8), ram.indexOf(8) + 4);
    const one = ram.owners.add(owner(1, 'a', '[heap]'));
    const two = ram.owners.add(owner(2, 'b', '[anon]'));
    for (const page of [8, 9, 10]) ram.own(ram.indexOf(page), one);
    ram.own(ram.indexOf(10), two);
    const { tallies, buckets } = await ram.survey(8, new Slices());
    expect(
      tallies.map(({ zone, class: number, owner, pages }) => [zone?.name, number, owner?.frames.join(';'), pages]),
    ).toEqual([
      [undefined, PAGE.firmware, 'Reserved', 2],
      [undefined, PAGE.offline, undefined, 10],
      ['DMA', PAGE.unmarked, undefined, 6],
      ['DMA', PAGE.anonymous, 'a (1);[heap]', 2],
      ['Normal', PAGE.anonymous, 'shared;[several mappings]', 1],
      ['Normal', PAGE.anonymous, undefined, 1],
      ['Normal', PAGE.unmarked, undefined, 12],
    ]);
    expect([...buckets.keys()]).toEqual([0, 1, 2, 4, 5, 6]);
    expect(buckets.get(1)?.[PAGE.anonymous]).toBe(4);
    expect(buckets.get(4)?.[PAGE.unmarked]).toBe(4);
    expect([...buckets.values()].flatMap((classes) => [...classes]).reduce((a, b) => a + b)).toBe(ram.pages);
  });

  test('reserved pages have the name of what lies there, the kernel is a use of its own', async () => {
    const ram = new Ram(segmentsOf([area(0, 10)], [zone('Normal', 0, 10)]));
    ram.classes.fill(PAGE.reserved, 1, 8);
    ram.classes[2] = PAGE.free;
    ram.nameReserved([
      { start: 0, end: 4, name: 'Kernel code' },
      { start: 6, end: 20, name: 'Crash kernel' },
    ]);
    const { tallies } = await ram.survey(100, new Slices());
    expect(tallies.map(({ class: number, owner, pages }) => [number, owner?.frames, pages])).toEqual([
      [PAGE.unmarked, undefined, 3],
      [PAGE.image, ['Kernel code'], 2],
      [PAGE.free, undefined, 1],
      [PAGE.reserved, undefined, 2],
      [PAGE.reserved, ['Crash kernel'], 2],
    ]);
  });

  describe('markUninitialised', () => {
    const marked = (present: number, managed: number, unmarked: readonly number[]): string => {
      const normal = zone('Normal', 4, 16, { present, managed });
      const ram = new Ram(segmentsOf([area(0, 4), area(4, 20)], [zone('DMA', 0, 4), normal]));
      ram.classes.fill(PAGE.slab);
      ram.classes[4] = PAGE.reserved;
      for (const page of unmarked) ram.classes[page] = PAGE.unmarked;
      const found = ram.markUninitialised();
      expect(found.get(normal) ?? 0).toBe([...ram.classes].filter((number) => number === PAGE.uninitialised).length);
      return [...ram.classes].flatMap((number, page) => (number === PAGE.uninitialised ? [page] : [])).join();
    };

    test('it is the end of a zone, as far as no page there has a mark', () => {
      expect(marked(16, 8, [10, 17, 18, 19])).toBe('17,18,19');
      expect(marked(16, 8, [])).toBe('');
    });

    test('but no more than the zone has beside what is managed or reserved', () => {
      expect(marked(16, 12, [15, 16, 17, 18, 19])).toBe('17,18,19');
      expect(marked(16, 15, [18, 19])).toBe('');
    });
  });
});
