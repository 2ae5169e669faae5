import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { makePlace, type Place } from '../../e2e/marple.ts';
import { openPage } from '../../support/browser.ts';
import { disk, memory, samples, scheduling, type TestHost, writeHosts } from '../../support/fleet.ts';

const HOSTILE = '<img src=x onerror=alert(1)>';
/** In the order of the page; the I/Os of the last one take ten times as long, and it has more samples. */
const NAMES = ['a1', 'a2', 'a3', 'a4', 'a5', 'a10'];

let place: Place;
beforeAll(async () => {
  place = makePlace();
  const host = (node: string, i: number): TestHost => ({
    node,
    origin: i,
    offset: { start: 1_000_000 * i },
    seconds: 1,
    sections: [
      scheduling(100, 400, 600),
      ...samples(i === 5 ? [3, 8] : [3, 1]),
      disk([1, 2, 3].map((latency) => (i === 5 ? 10 : 1) * latency)),
      memory([
        [0.1, 10 + i],
        [0.2, 10 + i],
      ]),
    ],
  });
  await writeHosts(NAMES.map(host), place.path('fleet'));
  await writeHosts([host('b1', 0), { ...host('b2', 1), node: HOSTILE.replaceAll('/', '') }], place.path('hostile'));
  return () => place.remove();
});

async function open(...args: readonly string[]): Promise<Page> {
  expect(await place.marple(['display', '-o', 'x.html', '--force', '--no-open', ...args])).toMatchObject({ code: 0 });
  return openPage(join(place.dir, 'x.html'));
}

const hosts = (page: Page): Locator => page.getByRole('region', { name: 'Hosts' });
const chip = (page: Page, name: string): Locator => hosts(page).getByRole('button', { name, exact: true });
const filters = async (page: Page): Promise<string[]> =>
  (await page.getByRole('region', { name: 'Filters' }).getByTitle('Take this filter away').allTextContents()).map(
    (text) => text.replace(' ✕', ''),
  );
const lanes = (page: Page): Promise<string[]> =>
  page.getByRole('list', { name: 'Lanes' }).locator('li').allTextContents();
const tab = async (page: Page, ...names: readonly string[]): Promise<void> => {
  for (const name of names) await page.getByRole('tab', { name, exact: true }).click();
};
const status = (page: Page): Promise<string | null> => page.locator('.status').textContent();

describe('the report of many hosts', () => {
  test('names all hosts, in the order of their numbers, and marks the one that stands out', async () => {
    const page = await open('-i', 'fleet', '-r');
    expect(await hosts(page).locator('.chips button').allTextContents()).toEqual(NAMES);
    expect(await hosts(page).locator('.outlier').allTextContents()).toEqual(['a10']);
    await expect(page.getByRole('list', { name: 'Findings' }).textContent()).resolves.toContain(
      'a10 stands out from 6 hosts by latency, median: 20 ms',
    );
    await expect(page.locator('header').textContent()).resolves.toContain('6 hosts');
  });

  test('a click on a host shows it alone; others come in and go out, and one selection is for all views', async () => {
    const page = await open('-i', 'fleet', '-r');
    await tab(page, 'callstack');
    expect(await status(page)).toContain('all: 31 samples');
    await chip(page, 'a10').click();
    expect(await filters(page)).toEqual(['host a10']);
    expect(await status(page)).toContain('all: 11 samples');
    await chip(page, 'a1').click();
    expect(await filters(page)).toEqual(['host a1, a10']);
    expect(await status(page)).toContain('all: 15 samples');
    await tab(page, 'disklat');
    expect(await status(page)).toContain('6 records');
    await chip(page, 'a10').click();
    expect(await status(page)).toContain('3 records');
    await page.getByRole('button', { name: 'All hosts' }).click();
    expect(await filters(page)).toEqual([]);
    expect(await status(page)).toContain('18 records');
  });

  test('tells the command that writes what is selected', async () => {
    const page = await open('-i', 'fleet', '-r');
    await chip(page, 'a10').click();
    await chip(page, 'a2').click();
    await page.getByRole('button', { name: 'Save' }).click();
    expect(await page.getByLabel('or by').inputValue()).toBe(
      'marple export -i FOLDER --format marple -o part.marple --join --host a2,a10',
    );
  });

  test('has lanes of all hosts together, or of each host, on one scale', async () => {
    const page = await open('-i', 'fleet', '-r');
    const busy = (all: readonly string[]): readonly string[] => all.filter((text) => text.startsWith('cpusched'));
    await page.getByRole('button', { name: 'each host' }).click();
    await expect.poll(async () => busy(await lanes(page)).length).toBe(6);
    expect(busy(await lanes(page))[0]).toContain('cpusched of a1: CPUs busy');
    expect((await lanes(page)).filter((text) => text.startsWith('disklat'))).toEqual(
      NAMES.map((name) => `disklat of ${name}: longest latency, at most ${name === 'a10' ? 30 : 3} ms`),
    );
    await page.getByRole('button', { name: 'together' }).click();
    await expect.poll(async () => (await lanes(page)).length).toBe(4);
    await page.getByRole('button', { name: 'each host' }).click();
    await chip(page, 'a2').click();
    await expect.poll(async () => (await lanes(page)).length).toBe(4);
    expect((await lanes(page))[0]).toContain('of a2');
  });

  test('flame graph and treemap set hosts apart or merge them', async () => {
    const page = await open('-i', 'fleet', '-r');
    await tab(page, 'callstack');
    const saved = async (): Promise<string> =>
      page
        .getByRole('application', { name: /^Flame graph/ })
        .getAttribute('aria-label')
        .then(String);
    await page.getByRole('application', { name: /^Flame graph/ }).press('ArrowUp');
    expect(await saved()).toContain('app: 31 samples');
    await page.getByRole('button', { name: 'By host' }).click();
    await page.getByRole('application', { name: /^Flame graph/ }).press('ArrowUp');
    expect(await saved()).toContain('a10: 11 samples');
    await page.getByRole('button', { name: 'only', exact: true }).click();
    expect(await filters(page)).toEqual(['host a10']);
    await tab(page, 'Treemap');
    expect(await status(page)).toContain('11 samples');
  });

  test('no task or CPU of a host is one of another, though they have the same numbers', async () => {
    const page = await open('-i', 'fleet', '-r');
    await tab(page, 'cpusched');
    expect(await status(page)).toContain('12 tracks of 12');
    await page.getByRole('button', { name: 'CPUs' }).click();
    expect(await status(page)).toContain('6 tracks of 6');
    await chip(page, 'a3').click();
    expect(await status(page)).toContain('1 track of 6');
  });

  test('the table has programs of all hosts, or the hosts', async () => {
    const page = await open('-i', 'fleet', '-r');
    const rows = page.locator('table.processes tbody tr');
    await expect.poll(() => rows.count()).toBe(3);
    await page.getByRole('button', { name: 'host', exact: true }).click();
    await expect.poll(() => rows.count()).toBe(6);
    const a10 = rows.filter({ hasText: 'a10' });
    await expect.poll(async () => (await a10.locator('td').allTextContents()).slice(1)).toContain('11');
  });

  test('memory of all hosts adds up at common times, and is told apart by host', async () => {
    const page = await open('-i', 'fleet', '-r');
    await tab(page, 'memtime');
    // 10 + 11 + ... + 15
    expect(await status(page)).toContain('total 75 MiB at the end');
    await page.getByRole('button', { name: 'host', exact: true }).click();
    expect(await status(page)).toContain('6 contributors');
  });
});

test('a single view has the hosts too, and begins as --by says', async () => {
  const page = await open('-i', 'fleet', '-fg', '-e', NAMES.map((_, i) => 2 + 5 * i).join(','), '--by', 'host');
  expect(await page.getByRole('button', { name: 'By host' }).getAttribute('aria-pressed')).toBe('true');
  await chip(page, 'a10').click();
  expect(await status(page)).toContain('all: 11 samples');
});

test('names of hosts are shown harmlessly', async () => {
  const page = await open('-i', 'hostile', '-r');
  expect(await hosts(page).locator('.chips button').allTextContents()).toContain(HOSTILE.replaceAll('/', ''));
});
