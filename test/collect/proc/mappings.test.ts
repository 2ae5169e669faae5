import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { pageSize } from '../../../src/collect/proc/auxv.ts';
import { parseMappings, readMappings } from '../../../src/collect/proc/mappings.ts';

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
