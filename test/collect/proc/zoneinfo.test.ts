import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseMeminfo } from '../../../src/collect/proc/meminfo.ts';
import { parseZoneinfo } from '../../../src/collect/proc/zoneinfo.ts';

const zones = parseZoneinfo(readFileSync('test/fixtures/proc/zoneinfo.txt', 'latin1'));

test('the zones that have pages, each with its own numbers', () => {
  expect(zones.map(({ name, start, spanned, present, managed }) => [name, start, spanned, present, managed])).toEqual([
    ['DMA', 1, 4095, 3998, 3840],
    ['DMA32', 4096, 1044480, 782336, 772918],
    ['Normal', 1048576, 5505024, 5505024, 1310720],
  ]);
  expect(zones[0]).toMatchObject({ node: 0, free: 3840, onCpus: 0 });
});

test('what the CPUs keep at hand is added up over them', () => {
  const text = readFileSync('test/fixtures/proc/zoneinfo.txt', 'latin1');
  const normal = text.slice(text.indexOf('zone   Normal'), text.indexOf('zone  Movable'));
  const counts = [...normal.matchAll(/count: +(\d+)/g)].map(([, count]) => Number(count));
  expect(counts).toHaveLength(2);
  expect(zones[2]?.onCpus).toBe(counts[0]! + counts[1]!);
});

test('nodes are told apart, and nothing gives no zones', () => {
  const text =
    'Node 1, zone   Normal\n  pages free     5\n        spanned  10\n        present  9\n        managed  8\n  start_pfn:           100\n';
  expect(parseZoneinfo(text)).toEqual([
    { node: 1, name: 'Normal', start: 100, spanned: 10, present: 9, managed: 8, free: 5, onCpus: 0 },
  ]);
  expect(parseZoneinfo('')).toEqual([]);
});

test('meminfo gives kB, and numbers of pages where there is no unit', () => {
  const meminfo = parseMeminfo(readFileSync('test/fixtures/proc/meminfo.txt', 'latin1'));
  expect(meminfo.get('MemTotal')).toBe(24_684_096);
  expect(meminfo.get('HugePages_Total')).toBe(0);
  expect(meminfo.get('Active(anon)')).toEqual(expect.any(Number));
  expect(meminfo.size).toBe(54);
});
