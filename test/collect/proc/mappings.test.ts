import { readFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { expect, test } from 'vitest';
import { parseMappings, readMappings } from '../../../src/collect/proc/mappings.ts';
import { findPageSize, pageSize } from '../../../src/collect/proc/page-size.ts';

test('maps and smaps name the same mappings; smaps says how much of each is in RAM', () => {
  const maps = parseMappings(readFileSync('test/fixtures/proc/maps.txt'), 4096);
  expect(maps).toHaveLength(38);
  expect(maps[0]?.name).toMatch(/\/cat$/);
  expect(maps.map(({ name }) => name)).toContain('[heap]');
  expect(maps.map(({ name }) => name)).toContain('[anon]');
  expect(maps.every(({ residentPages }) => residentPages === undefined)).toBe(true);
  const smaps = parseMappings(readFileSync('test/fixtures/proc/smaps.txt'), 4096);
  expect(smaps.map(({ name, start, end }) => [name, end - start])).toEqual(
    maps.map(({ name, start, end }) => [name, end - start]),
  );
  const kilobytes = [...readFileSync('test/fixtures/proc/smaps.txt', 'latin1').matchAll(/^Rss: +(\d+)/gm)];
  expect(smaps.map(({ residentPages }) => residentPages)).toEqual(kilobytes.map(([, kb]) => Number(kb) / 4));
});

test('a path may hold anything', () => {
  const line = (path: string): Buffer =>
    Buffer.concat([
      Buffer.from('1000-3000 r--p 00000000 fe:00 12345                      '),
      Buffer.from(path, 'latin1'),
    ]);
  const nameOf = (path: string): string | undefined => parseMappings(line(path), 4096)[0]?.name;
  expect(nameOf('/a b;c (deleted)')).toBe('/a b;c (deleted)');
  expect(nameOf('/new\\012line')).toBe('/new\nline');
  expect(nameOf('/\xff')).toBe('/\udcff');
  expect(nameOf('/Rss: 5 kB')).toBe('/Rss: 5 kB');
  expect(parseMappings(Buffer.from('\nRss: 5 kB\ngarbage\n'), 4096)).toEqual([]);
});

test('a process with a large reservation is asked which of its mappings are empty', async () => {
  const own = await readMappings(process.pid, pageSize());
  const largest = Math.max(...own.map(({ start, end }) => end - start)) * pageSize();
  expect(own.some(({ residentPages }) => residentPages !== undefined)).toBe(largest >= 2 ** 30);
  await expect(readMappings(0x7fffffff, pageSize())).rejects.toThrow(/ENOENT/);
});

test("the page size is that of the kernel's vector", () => {
  const little = endianness() === 'LE';
  const pairs = [33, 1, 6, 65536, 0, 0];
  const vector = Buffer.alloc(8 * pairs.length);
  pairs.forEach((value, i) => {
    if (little) vector.writeBigUInt64LE(BigInt(value), 8 * i);
    else vector.writeBigUInt64BE(BigInt(value), 8 * i);
  });
  expect(findPageSize(vector)).toBe(65536);
  expect(findPageSize(Buffer.alloc(7))).toBe(4096);
  expect(pageSize()).toBe(
    Number(/^KernelPageSize: +(\d+) kB$/m.exec(readFileSync('/proc/self/smaps', 'latin1'))?.[1]) * 1024,
  );
});
