import { expect, test } from 'vitest';
import type { Sample } from '../../../src/collect/proc/counters.ts';
import { Rates } from '../../../src/collect/proc/rates.ts';

const SECOND = 1_000_000_000n;
const samples = (values: Readonly<Record<string, number>>): Sample[] =>
  Object.entries(values).map(([name, value]) => ({ info: [name, 'read'], value }));

/** The rates that come of readings a second apart. */
function rates(kind: 'steady' | 'device', ...readings: readonly Readonly<Record<string, number>>[]) {
  const all = new Rates(2, kind);
  const found = readings.map((values, i) =>
    Object.fromEntries(all.add(samples(values), BigInt(i + 5) * SECOND).map(({ info, value }) => [info[0], value])),
  );
  return { found, reset: [...all.reset] };
}

test('a rate is the difference over the time between two readings; the first gives none', () => {
  const all = new Rates(0.5, 'device');
  expect(all.add(samples({ a: 100 }), 10n * SECOND)).toEqual([]);
  expect(all.add(samples({ a: 140 }), 14n * SECOND)).toEqual([{ info: ['a', 'read'], value: 5 }]);
  expect(all.add(samples({ a: 140 }), 16n * SECOND)).toEqual([{ info: ['a', 'read'], value: 0 }]);
  expect(all.add(samples({ a: 150 }), 16n * SECOND)).toEqual([]);
});

test('devices come and go', () => {
  expect(rates('device', { a: 10 }, { a: 11, b: 500 }, { b: 501 }, { a: 15, b: 502 }).found).toEqual([
    {},
    { a: 2 },
    { b: 2 },
    { b: 2 },
  ]);
});

test('a counter that has never counted is left out, and its first counts are not', () => {
  expect(rates('device', { a: 0 }, { a: 0 }, { a: 7 }).found).toEqual([{}, {}, { a: 14 }]);
});

test('a counter of 32 bits wraps', () => {
  expect(rates('device', { a: 2 ** 32 - 5 }, { a: 7 })).toEqual({ found: [{}, { a: 24 }], reset: [] });
});

test('a counter that begins anew gives no rate for that time, and is told', () => {
  expect(rates('device', { a: 1000 }, { a: 7 }, { a: 9 })).toEqual({ found: [{}, {}, { a: 4 }], reset: ['a'] });
  expect(rates('device', { a: 2 ** 40 }, { a: 7 }).reset).toEqual(['a']);
});

test('a steady counter that goes back a little has counted nothing', () => {
  expect(rates('steady', { iowait: 100 }, { iowait: 98 }, { iowait: 99 })).toEqual({
    found: [{}, { iowait: 0 }, { iowait: 2 }],
    reset: [],
  });
});
