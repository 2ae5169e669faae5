import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SectionReader } from '../../src/common/reader.ts';
import { type Range, secondsAt, TimeIndex, watched, within } from '../../src/serve/time-index.ts';
import { type Row, sectionOf } from './sections.ts';

async function indexOf(section: SectionReader): Promise<TimeIndex> {
  const index = new TimeIndex();
  const own = watched(section, (chunk) => index.add(chunk));
  for await (const _ of own.header.datatype === 'event' ? own.events([]) : own.points([]));
  return index;
}

async function secondsIn(section: SectionReader): Promise<number[]> {
  const all: number[] = [];
  for await (const chunk of section.header.datatype === 'event' ? section.events([]) : section.points([])) {
    for (let row = 0; row < chunk.length; row++) all.push(secondsAt(chunk, row));
  }
  return all;
}

const isIn = (seconds: number, { from = -1, to = 1e9 }: Range): boolean => seconds >= from && seconds <= to;
const anyRows = fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 60 });
const anyRange = fc.record(
  { from: fc.integer({ min: -1, max: 22 }), to: fc.integer({ min: -1, max: 22 }) },
  { requiredKeys: [] },
);
const rowsOf = (times: readonly number[]): Row[] => times.map((seconds) => ({ seconds }));

describe.each(['event', 'datapoint'] as const)('of a section of the datatype %s', (datatype) => {
  test('a part has all records of a range, however they lie, and the first behind it', async () => {
    await fc.assert(
      fc.asyncProperty(anyRows, anyRange, fc.integer({ min: 1, max: 9 }), async (times, range, size) => {
        const sorted = times.toSorted((a, b) => a - b);
        const section = sectionOf(datatype, rowsOf(sorted), size);
        const index = await indexOf(section);
        const found = await secondsIn(within(section, index.part(range)));
        const wanted = sorted.filter((seconds) => isIn(seconds, range));
        expect(found.filter((seconds) => isIn(seconds, range))).toEqual(wanted);
        const next = sorted.find((seconds) => seconds > (range.to ?? 1e9));
        if (next !== undefined && (range.from ?? 0) <= (range.to ?? 1e9)) expect(found).toContain(next);
        expect(index.records).toBe(sorted.length);
        expect(await index.count(section, range)).toBe(wanted.length);
        const pieces = await Promise.all(index.parts(range).map((part) => secondsIn(within(section, part))));
        expect(pieces.flat()).toEqual(found);
      }),
    );
  });

  test('where times are not in order, nothing of a range is missing', async () => {
    await fc.assert(
      fc.asyncProperty(anyRows, anyRange, async (times, range) => {
        const section = sectionOf(datatype, rowsOf(times), 4);
        const index = await indexOf(section);
        const inRange = (all: readonly number[]) => all.filter((seconds) => isIn(seconds, range)).sort((a, b) => a - b);
        expect(inRange(await secondsIn(within(section, index.part(range))))).toEqual(inRange(times));
        expect(await index.count(section, range)).toBe(inRange(times).length);
      }),
    );
  });
});

test('little more than a range is read', async () => {
  const section = sectionOf('event', rowsOf(Array.from({ length: 10_000 }, (_, i) => i)), 100);
  const index = await indexOf(section);
  expect(index.part({ from: 4250, to: 4350 })).toEqual({ start: 4200, end: 4400 });
  const before = section.read.length;
  expect(await index.count(section, { from: 1050, to: 8950 })).toBe(7901);
  expect(section.read.slice(before)).toEqual([
    { start: 1000, end: 1100 },
    { start: 8900, end: 9000 },
  ]);
});
