import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { installedRam, namedRam, parseIomem } from '../../../src/collect/proc/iomem.ts';

const PAGE = 4096;
const recorded = parseIomem(readFileSync('test/fixtures/proc/iomem.txt', 'latin1'));

/** As a desktop shows it: a hole for graphics, firmware tables, registers above. */
const desktop = parseIomem(`00000000-00000fff : Reserved
00001000-0009efff : System RAM
0009f000-000fffff : Reserved
  000a0000-000bffff : PCI Bus 0000:00
  000f0000-000fffff : System ROM
00100000-77f9bfff : System RAM
  01000000-02ffffff : Kernel code
  68000000-6fffffff : Crash kernel
77f9c000-7a2fffff : Reserved
7a300000-7a3fffff : ACPI Tables
7a400000-7a4fffff : ACPI Non-volatile Storage
7a500000-7fffffff : Reserved
  7c000000-7fffffff : Graphics Stolen Memory
80000000-dfffffff : PCI Bus 0000:00
e0000000-efffffff : Reserved
  e0000000-efffffff : PCI ECAM 0000 [bus 00-ff]
fed00000-fed003ff : HPET 0
fed1c000-fed1ffff : Reserved
100000000-27fffffff : System RAM
`);

describe('installedRam', () => {
  test('a virtual machine has 24 GiB, all but 98 pages of it System RAM', () => {
    const areas = installedRam(recorded, PAGE);
    expect(areas).toEqual([
      { start: 0, end: 1, name: 'Reserved', firmware: true },
      { start: 1, end: 0x9f, name: 'System RAM', firmware: false },
      { start: 0x9f, end: 0x100, name: 'Reserved', firmware: true },
      { start: 0x100, end: 0xc0000, name: 'System RAM', firmware: false },
      { start: 0x100000, end: 0x640000, name: 'System RAM', firmware: false },
    ]);
    expect(areas.reduce((pages, { start, end }) => pages + end - start, 0)).toBe((24 * 2 ** 30) / PAGE);
  });

  test('a desktop has 8 GiB but for the video window: what is reserved beside RAM counts, registers do not', () => {
    const areas = installedRam(desktop, PAGE);
    expect(areas.reduce((pages, { start, end }) => pages + end - start, 0)).toBe((8 * 2 ** 30 - 0x20000) / PAGE);
    expect(areas.filter(({ firmware }) => firmware).map(({ start, end, name }) => [start, end, name])).toEqual([
      [0, 1, 'Reserved'],
      [0x9f, 0xa0, 'Reserved'],
      [0xc0, 0x100, 'Reserved'],
      [0x77f9c, 0x7a300, 'Reserved'],
      [0x7a300, 0x7a400, 'ACPI Tables'],
      [0x7a400, 0x7a500, 'ACPI Non-volatile Storage'],
      [0x7a500, 0x80000, 'Reserved'],
    ]);
  });

  test('a page that two areas share is counted once', () => {
    const areas = installedRam(
      parseIomem('00000000-000017ff : System RAM\n00001800-00001bff : Reserved\n00001c00-00002fff : ACPI Tables\n'),
      PAGE,
    );
    expect(areas.map(({ start, end, name }) => [start, end, name])).toEqual([
      [0, 1, 'System RAM'],
      [1, 3, 'ACPI Tables'],
    ]);
  });

  test('RAM that was added to the running machine counts wherever it is listed', () => {
    const text =
      '140000000-2bfffffff : Soft Reserved\n  140000000-2bfffffff : dax0.0\n    140000000-2bfffffff : System RAM (kmem)\n';
    expect(installedRam(parseIomem(text), PAGE)).toMatchObject([{ start: 0x140000, end: 0x2c0000, firmware: false }]);
  });

  test('hidden addresses are no RAM', () => {
    expect(installedRam(parseIomem('00000000-00000000 : System RAM\n00000000-00000000 : Reserved\n'), PAGE)).toEqual(
      [],
    );
    expect(parseIomem('no such thing\n')).toEqual([]);
  });
});

test('namedRam tells what the System RAM holds, and nothing beside it', () => {
  expect(namedRam(recorded, PAGE).map(({ name }) => name)).toEqual([
    'Kernel code',
    'Kernel rodata',
    'Kernel data',
    'Kernel bss',
  ]);
  expect(namedRam(recorded, PAGE)[0]).toEqual({ start: 0x1000, end: 0x220a, name: 'Kernel code' });
  expect(namedRam(desktop, PAGE).map(({ name }) => name)).toEqual(['Kernel code', 'Crash kernel']);
});
