import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Datapoint } from '../../../src/common/datatypes.ts';
import { makePlace, type Place } from '../../e2e/marple.ts';
import { openPage } from '../../support/browser.ts';
import { headerOf, writeFile } from '../../support/data-files.ts';

const HOSTILE = '<img src=x onerror=alert(1)>';
const END = '2026-03-01T09:30:10.000Z';

/** Eleven looks, a second apart: two of postgres, nginx that is gone after 5 s, and one with a hostile name. */
const MEMORY: Datapoint[] = Array.from({ length: 11 }, (_, x): Datapoint[] => [
  { x, y: 100 + 10 * x, info: ['postgres', '1'] },
  { x, y: 50, info: ['postgres', '2'] },
  ...(x <= 5 ? [{ x, y: 40, info: ['nginx', '3'] }] : []),
  { x, y: 1, info: [HOSTILE, '4'] },
]).flat();

/** Use of the RAM by address. */
const RAM: Datapoint[] = Array.from({ length: 4 }, (_, x): Datapoint[] => [
  { x, y: 600 + x, info: ['anonymous'] },
  { x, y: 300, info: ['page cache'] },
]).flat();

let place: Place;
beforeAll(async () => {
  place = makePlace();
  const more = { interface: 'memtime', end: END, x: { label: 'time', unit: 's' }, y: { label: 'PSS', unit: 'MiB' } };
  await writeFile(place.path('memory.marple'), [
    { header: headerOf('datapoint', { ...more, fields: ['comm', 'pid'] }), records: MEMORY },
  ]);
  const ram = {
    interface: 'memmap',
    end: END,
    x: { label: 'address', unit: 'GiB' },
    y: { label: 'in use', unit: 'MiB' },
  };
  await writeFile(place.path('ram.marple'), [
    { header: headerOf('datapoint', { ...ram, fields: ['use'] }), records: RAM },
  ]);
  return () => place.remove();
});

async function open(input: string, ...flags: string[]): Promise<Page> {
  const args = ['display', '-i', input, '-sp', '-o', 'x.html', '--force', ...flags];
  expect(await place.marple(args)).toMatchObject({ code: 0 });
  return openPage(join(place.dir, 'x.html'));
}

const status = (page: Page): Locator => page.locator('.status');
const legend = (page: Page): Locator => page.locator('aside.legend');
const entries = async (page: Page): Promise<string[]> =>
  (await legend(page).locator('li').allTextContents()).map((text) => text.replace(/onlyhide$/, ''));

/** Where a share of the way across and up the plot is, in pixels of the page. */
async function at(page: Page, across: number, up = 0.5): Promise<[number, number]> {
  const box = (await page.locator('canvas.over').boundingBox())!;
  // The margins of the plot within the drawing.
  const [left, right, top, bottom] = [74, 20, 12, 44];
  return [box.x + left + across * (box.width - left - right), box.y + top + (1 - up) * (box.height - top - bottom)];
}

describe('the stack plot', () => {
  test('has a legend in the order of the stack, with the values at the end, 0 where a process is gone', async () => {
    const page = await open('memory.marple');
    expect(await entries(page)).toEqual([`${HOSTILE}1 MiB`, 'nginx0 MiB', 'postgres ×2250 MiB']);
    expect(await page.locator('aside.legend img').count()).toBe(0);
    expect(await status(page).textContent()).toBe(
      '39 records · 3 contributors · total 251 MiB at the end, at most 251 MiB',
    );
  });

  test('hover reads the values at x', async () => {
    const page = await open('memory.marple');
    await page.mouse.move(...(await at(page, 0.31)));
    expect(await entries(page)).toEqual([`${HOSTILE}1 MiB`, 'nginx40 MiB', 'postgres ×2180 MiB']);
    const tip = page.locator('.tip');
    expect(await tip.locator('b').textContent()).toBe('3 s: 221 MiB');
    expect(await tip.textContent()).toContain('postgres ×2: 180 MiB (81 %)');
  });

  test('the legend hides and shows; the rest is stacked anew, in the same colours', async () => {
    const page = await open('memory.marple');
    const colours = async () => {
      const marks = await legend(page).locator('i').all();
      const styles = await Promise.all(marks.map((mark) => mark.getAttribute('style')));
      return styles.map((style) => /border-color: ([^;]+)/.exec(style ?? '')?.[1]);
    };
    const before = await colours();
    await page.getByRole('button', { name: 'postgres ×2' }).click();
    expect(await page.getByRole('button', { name: 'postgres ×2' }).getAttribute('aria-pressed')).toBe('false');
    expect(await status(page).textContent()).toContain('total 1 MiB at the end, at most 41 MiB');
    expect(await colours()).toEqual(before);
    expect(new Set(before).size).toBe(3);
    await page.getByRole('button', { name: 'Unhide all' }).click();
    expect(await status(page).textContent()).toContain('total 251 MiB at the end');
    await page.getByLabel('Largest').selectOption('3');
    await legend(page).locator('li', { hasText: 'nginx' }).getByRole('button', { name: 'only' }).click();
    expect(await entries(page)).toEqual(['nginx40 MiB']);
    expect(await colours()).toEqual([before[1]]);
  });

  test('shows each process by itself, and adds up the rest', async () => {
    const page = await open('memory.marple');
    await page.getByRole('button', { name: 'process', exact: true }).click();
    expect(await entries(page)).toEqual([
      `${HOSTILE} (4)1 MiB`,
      'nginx (3)0 MiB',
      'postgres (2)50 MiB',
      'postgres (1)200 MiB',
    ]);
    await page.getByLabel('Largest').selectOption('3');
    expect((await entries(page))[0]).toBe('other (1)1 MiB');
  });

  test('a drag selects a range of time, which can be undone', async () => {
    const page = await open('memory.marple');
    await page.mouse.move(...(await at(page, 0.65)));
    await page.mouse.down();
    await page.mouse.move(...(await at(page, 0.95)), { steps: 4 });
    await page.mouse.up();
    expect(await status(page).textContent()).toContain(
      '9 records · 2 contributors · total 241 MiB at the end, at most 241 MiB',
    );
    await page.keyboard.press('Control+z');
    await expect.poll(() => status(page).textContent()).toContain('39 records');
  });

  test('zooms by wheel and keys, and reads by arrows', async () => {
    const page = await open('memory.marple');
    await page.mouse.move(...(await at(page, 0)));
    await page.mouse.wheel(0, -400);
    await expect.poll(() => page.getByRole('button', { name: 'Show all' }).isEnabled()).toBe(true);
    await page.mouse.move(...(await at(page, 0.99)));
    // e^(-400 * 0.0016) of ten seconds are 5.3.
    expect(await status(page).textContent()).toMatch(/^5 s: /);
    await page.locator('canvas.over').focus();
    await page.keyboard.press('0');
    await expect.poll(() => page.getByRole('button', { name: 'Show all' }).isEnabled()).toBe(false);
    await page.keyboard.press('ArrowRight');
    expect(await status(page).textContent()).toMatch(/^6 s: 211 MiB in all/);
  });

  test('shows RAM by address, labelled by use', async () => {
    const page = await open('ram.marple');
    expect(await status(page).textContent()).toBe('8 records · 2 contributors · at most 903 MiB');
    expect(await entries(page)).toEqual(['page cache300 MiB', 'anonymous603 MiB']);
    await page.mouse.move(...(await at(page, 0.66)));
    expect(await status(page).textContent()).toMatch(/^2 GiB: 902 MiB in all/);
    expect(await entries(page)).toEqual(['page cache300 MiB', 'anonymous602 MiB']);
  });

  test('takes the filters and settings of the command line', async () => {
    const page = await open('memory.marple', '--from', '2', '--to', '4', '--comm', 'n');
    expect(await status(page).textContent()).toContain('6 records · 2 contributors');
  });
});
