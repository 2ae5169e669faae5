import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { countsBetween, isTooFew, parseDiskstats } from '../../src/formats/diskstats.ts';

const NEW =
  ' 254       0 vda 42061 9930 3913506 18840 30394 16914 3133456 6530 0 7352 25976 8312 42 319152 502 2830 102\n';
const OLD = '   8       0 sda 5 1 40 1 7 1 56 1 0 2 2\n';

test('requests are reads, writes and discards; old kernels have neither discards nor flushes', () => {
  const counts = parseDiskstats(`${NEW}${OLD}\nnonsense\n`);
  expect([...counts].map(([device, { requests, flushes }]) => [device, requests, flushes])).toEqual([
    ['254:0', 42061 + 30394 + 8312, 2830],
    ['8:0', 12, 0],
  ]);
});

test('each device has its name and what it read and wrote', () => {
  expect(parseDiskstats(NEW).get('254:0')).toMatchObject({
    name: 'vda',
    read: { requests: 42061, sectors: 3913506 },
    write: { requests: 30394, sectors: 3133456 },
  });
  expect(parseDiskstats(OLD).get('8:0')?.write).toEqual({ requests: 7, sectors: 56 });
  const recorded = parseDiskstats(readFileSync('test/fixtures/proc/diskstats.txt', 'latin1'));
  expect([...recorded.values()].map(({ name }) => name)).toEqual(
    [...'01234567'].map((number) => `loop${number}`).concat('vda', 'zram0'),
  );
});

test('between two texts; a device that was plugged in meanwhile began at 0', () => {
  const later = NEW.replace('42061', '42100').replace('2830', '2833');
  expect(countsBetween(NEW, later, '254:0')).toEqual({ requests: 39, flushes: 3 });
  expect(countsBetween(NEW, OLD, '8:0')).toEqual({ requests: 12, flushes: 0 });
  expect(countsBetween(NEW, NEW, '9:9')).toEqual({ requests: 0, flushes: 0 });
});

test.each([
  [0, 0, false],
  [80, 100, false],
  [79, 100, true],
  [950, 1000, false],
  [949, 1000, true],
  [1100, 1000, false],
])('%i seen of %i', (seen, counted, tooFew) => {
  expect(isTooFew(seen, counted)).toBe(tooFew);
});
