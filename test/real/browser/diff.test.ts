import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makePlace } from '../../e2e/marple.ts';
import { openPage } from '../../support/browser.ts';
import { type TestSection, writeFile } from '../../support/data-files.ts';
import { SECTION, SOME } from '../../support/exports.ts';

/** What of a canvas is asked for; these tests are compiled without the types of a browser. */
interface Drawing {
  readonly width: number;
  readonly height: number;
  getContext(kind: '2d'): {
    getImageData(x: number, y: number, width: number, height: number): { readonly data: Uint8ClampedArray };
  };
}

const place = makePlace();
afterAll(() => place.remove());

/** The sections after the change: a function gone, another new, and I/Os slower. */
const AFTER: readonly TestSection[] = SOME.map(({ header, records }, i) => {
  if (i + 1 === SECTION.stacks) {
    return {
      header,
      records: [
        { weight: 1, stack: ['fio', 'main', 'read'] },
        { weight: 6, stack: ['fio', 'main', 'hash'] },
        { weight: 4, stack: ['fio', 'main', 'write'] },
      ],
    };
  }
  if (i + 1 !== SECTION.disklat) return { header, records };
  return { header, records: records.map((record) => ('y' in record ? { ...record, y: 50 * record.y } : record)) };
});

beforeAll(async () => {
  await writeFile(place.path('before.marple'), SOME);
  await writeFile(place.path('after.marple'), AFTER);
  const { code, stderr } = await place.marple(['diff', 'before.marple', 'after.marple', '-o', 'diff.html']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

const open = () => openPage(join(place.dir, 'diff.html'));

test('the numbers come first, and name the method', async () => {
  const page = await open();
  await page.getByText('95 % intervals by bootstrap over the records').waitFor();
  const row = page.locator('tr', { has: page.locator('td', { hasText: /^\{read\}\.self$/ }) });
  expect(await row.locator('td').allTextContents()).toEqual([
    '{read}.self',
    '3',
    '1',
    'samples',
    '-67 %',
    expect.any(String),
    'noise',
  ]);
});

test('the flame graph has what vanished and what is new, normalised or not', async () => {
  const page = await open();
  await page.getByRole('button', { name: 'callstack: flame graph' }).click();
  const canvas = page.locator('.view canvas');
  const size = (await canvas.boundingBox())!;
  // Above all and fio stands main, and on it its functions by name: hash, parse is of another process, read, write.
  const at = async (share: number, depth: number): Promise<string> => {
    await page.mouse.move(size.x + share * size.width, size.y + size.height - depth * 18 - 9);
    return (await page.locator('.status').textContent())!;
  };
  expect(await at(0.3, 0)).toBe('all: 8 samples (100 %) before, 11 (100 %) after, 1.38x');
  // Widths are those of both sides, 19: fio has 18 of them, and hash the first 6.
  expect(await at(3 / 19, 3)).toBe('hash: 0 samples (0 %) before, 6 (55 %) after, new');
  expect(await at(8 / 19, 3)).toBe('read: 3 samples (38 %) before, 1 (9.1 %) after, 0.333x');
  expect(await at(18.5 / 19, 3)).toBe('parse<int, "x">: 1 samples (13 %) before, 0 (0 %) after, gone');
  await page.getByRole('button', { name: 'Normalised' }).click();
  expect(await at(0.3, 0)).toBe('all: 8 samples (100 %) before, 8 (100 %) after, 1x');
  await page.getByRole('button', { name: 'after', exact: true }).click();
  // Nothing of what vanished is left.
  expect(await at(0.99, 1)).toContain('fio: 7 samples');
});

test('more is red and less is blue', async () => {
  const page = await open();
  await page.getByRole('button', { name: 'callstack: flame graph' }).click();
  const pixel = (share: number, depth: number): Promise<number[]> =>
    page.locator('.view canvas').evaluate(
      (canvas, [x, row]) => {
        const drawing = canvas as unknown as Drawing;
        const { width, height } = drawing;
        return [
          ...drawing.getContext('2d').getImageData(Math.floor(x! * width) - 3, height - 18 * row! - 4, 1, 1).data,
        ];
      },
      [share, depth],
    );
  const [hash, parse] = [await pixel(6 / 19, 3), await pixel(1, 3)];
  expect(hash[0]!).toBeGreaterThan(hash[2]! + 60);
  expect(parse[2]!).toBeGreaterThan(parse[0]! + 60);
});

test('both heat maps have the same axes', async () => {
  const page = await open();
  await page.getByRole('button', { name: 'disklat: latency' }).click();
  const sides = page.locator('.pair > section');
  expect(await sides.locator('h2').allTextContents()).toEqual(['Before', 'After']);
  // What stands left of the bins is the same to the pixel: the scale, its ticks and their numbers.
  const axisOf = (side: number): Promise<string> =>
    sides
      .nth(side)
      .locator('canvas')
      .first()
      .evaluate((canvas) => {
        const drawing = canvas as unknown as Drawing;
        const { data } = drawing.getContext('2d').getImageData(0, 0, 77, drawing.height);
        return data.join();
      });
  const [before, after] = [await axisOf(0), await axisOf(1)];
  expect(new Set(before.split(',')).size).toBeGreaterThan(2);
  expect(after === before).toBe(true);
  const statuses = await sides.locator('.status').allTextContents();
  expect(statuses[0]).toContain('max 9 ms');
  expect(statuses[1]).toContain('max 450 ms');
});
