import { describe, expect, test } from 'vitest';
import type { SectionReader } from '../../src/common/reader.ts';
import { type Thinning, thinned } from '../../src/serve/thinned.ts';
import { type Row, sectionOf } from './sections.ts';

const TEXT = [{ field: 'text', as: 'text' as const }];

async function pointsOf(section: SectionReader): Promise<{ x: number; y: number; text: string }[]> {
  const points: { x: number; y: number; text: string }[] = [];
  for await (const { length, x, y, columns } of section.points(TEXT)) {
    for (let i = 0; i < length; i++) {
      points.push({ x: x[i]!, y: y[i]!, text: columns[0]!.dictionary[columns[0]!.values[i]!]! });
    }
  }
  return points;
}

function parts(rows: number, size: number): Thinning['parts'] {
  return Array.from({ length: Math.ceil(rows / size) }, (_, i) => ({
    start: i * size,
    end: Math.min(rows, (i + 1) * size),
  }));
}

const SECONDS = 100;
function thin(rows: readonly Row[], every: number, peaks = 0, range = { from: 0, to: SECONDS }): SectionReader {
  return thinned(sectionOf('datapoint', rows, 30), { parts: parts(rows.length, 1000), range, every, peaks });
}

describe('of too many records', () => {
  const rows = Array.from({ length: 50_000 }, (_, i): Row => ({ seconds: (i * SECONDS) / 50_000, y: i % 2 }));

  test('one of so many is picked, everywhere as many, with its own text', async () => {
    const points = await pointsOf(thin(rows, 10));
    expect(points).toHaveLength(5000);
    for (let second = 0; second < SECONDS; second++) {
      expect(points.filter(({ x }) => Math.floor(x) === second)).toHaveLength(50);
    }
    for (const { x, text } of points) expect(text).toBe(`row ${Math.round((x * 50_000) / SECONDS)}`);
  });

  test('what comes in turns is picked in both turns', async () => {
    const odd = (await pointsOf(thin(rows, 10))).filter(({ y }) => y === 1);
    expect(odd.length).toBeGreaterThan(2300);
    expect(odd.length).toBeLessThan(2700);
  });

  test('they are the same every time', async () => {
    expect(await pointsOf(thin(rows, 7))).toEqual(await pointsOf(thin(rows, 7)));
  });

  test('none is outside of the range', async () => {
    const points = await pointsOf(thin(rows, 3, 100, { from: 20, to: 30 }));
    expect(points.every(({ x }) => x >= 20 && x <= 30)).toBe(true);
    expect(points.length).toBeGreaterThan(1500);
  });

  test('of events it is the same', async () => {
    const section = thinned(sectionOf('event', rows, 30), {
      parts: parts(rows.length, 1000),
      range: { from: 0, to: SECONDS },
      every: 10,
      peaks: 0,
    });
    const types = new Set<string>();
    let count = 0;
    for await (const { length, type, columns } of section.events(TEXT)) {
      count += length;
      for (const value of type.values) types.add(type.dictionary[value]!);
      expect(columns[0]!.values).toHaveLength(length);
    }
    expect(count).toBe(5000);
    expect([...types]).toEqual(['switch']);
  });
});

test('what belongs to one moment stays together, also where pieces end within it; the last moment is always there', async () => {
  const moments = 2000;
  const rows = Array.from(
    { length: moments * 7 },
    (_, i): Row => ({ seconds: (Math.floor(i / 7) * SECONDS) / (moments - 1) }),
  );
  const points = await pointsOf(thin(rows, 20));
  const counts = new Map<number, number>();
  for (const { x } of points) counts.set(x, (counts.get(x) ?? 0) + 1);
  expect([...new Set(counts.values())]).toEqual([7]);
  expect(counts.size).toBeGreaterThanOrEqual(moments / 20);
  expect(counts.size).toBeLessThanOrEqual(moments / 20 + 1);
  expect(counts.has(SECONDS)).toBe(true);
});

test('peaks are kept where they are what one looks for', async () => {
  const rows = Array.from({ length: 50_000 }, (_, i): Row => {
    return { seconds: (i * SECONDS) / 50_000, y: i === 12_345 || i === 40_001 ? 500 : 1 };
  });
  const peaks = async (count: number) => (await pointsOf(thin(rows, 1000, count))).filter(({ y }) => y === 500);
  expect((await peaks(16)).map(({ text }) => text)).toEqual(['row 12345', 'row 40001']);
  expect(await peaks(0)).toEqual([]);
});
