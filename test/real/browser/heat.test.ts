import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Datapoint, EventData } from '../../../src/common/datatypes.ts';
import { HeatMap } from '../../../src/display/heatmap.ts';
import { jobOf } from '../../display/job.ts';
import { makePlace, type Place } from '../../e2e/marple.ts';
import { openPage, type PageOptions } from '../../support/browser.ts';
import { headerOf, type TestSection, writeFile } from '../../support/data-files.ts';

const HOSTILE = '</script><img src=x onerror=alert(1)>\u202e';
const END = '2026-03-01T09:30:10.000Z';

/** Ten seconds of fast I/Os by fio, and twenty slow ones at 5.05 s by two others. */
const POINTS: Datapoint[] = [
  ...Array.from(
    { length: 1000 },
    (_, i): Datapoint => ({
      x: i / 100 + 0.005,
      y: 0.1 + (i % 50) / 1000,
      info: ['fio', '10', i % 2 === 0 ? 'R' : 'W', '0'],
    }),
  ),
  ...Array.from(
    { length: 20 },
    (_, i): Datapoint => ({
      x: 5.05,
      y: 0.85,
      info: i < 15 ? ['nginx', '20', 'W', '1'] : [HOSTILE, '30', 'W', ''],
    }),
  ),
].sort((a, b) => a.x - b.x);

const DISKLAT: readonly TestSection[] = [
  {
    header: headerOf('datapoint', {
      interface: 'disklat',
      end: END,
      x: { label: 'time', unit: 's' },
      y: { label: 'latency', unit: 'ms' },
      fields: ['comm', 'pid', 'op', 'stack'],
    }),
    records: POINTS,
  },
  {
    header: headerOf('stack', { interface: 'disklat', end: END, weight: { label: 'I/Os', unit: 'I/Os' } }),
    records: [
      { weight: 1000, stack: ['fio', 'main', 'io_submit'] },
      { weight: 15, stack: ['nginx', 'worker', HOSTILE] },
    ],
  },
];

/** A sample each 10 ms: of the idle CPU, but in the second half of each second of the process `spin`. */
const SAMPLES: readonly TestSection[] = [
  {
    header: headerOf('stack', { interface: 'callstack', end: END, weight: { label: 'samples', unit: 'samples' } }),
    records: [
      { weight: 500, stack: ['spin', 'main', 'work'] },
      { weight: 500, stack: ['swapper', 'do_idle'] },
    ],
  },
  {
    header: headerOf('event', { interface: 'callstack', end: END, fields: ['stack', 'cpu', 'pid', 'tid', 'weight'] }),
    records: Array.from(
      { length: 1000 },
      (_, i): EventData => ({
        time: i * 1e7,
        type: 'cpu-clock',
        datum: i % 100 >= 50 ? ['0', '0', '40', '40', '1'] : ['1', '0', '0', '0', '1'],
      }),
    ),
  },
];

let place: Place;
beforeAll(async () => {
  place = makePlace();
  await writeFile(place.path('disk.marple'), DISKLAT);
  await writeFile(place.path('samples.marple'), SAMPLES);
  return () => place.remove();
});

async function open(input: string, flags: readonly string[] = [], options: PageOptions = {}): Promise<Page> {
  const args = ['display', '-i', input, '-hm', '-o', 'x.html', '--force', ...flags];
  expect(await place.marple(args)).toMatchObject({ code: 0 });
  return openPage(join(place.dir, 'x.html'), options);
}

async function stats(input: string, ...flags: string[]) {
  const { stdout } = await place.marple(['stats', '-i', input, '--json', ...flags]);
  return JSON.parse(stdout).sections as {
    datatype: string;
    records: number;
    points?: { all: Record<string, number> };
  }[];
}

const status = (page: Page): Locator => page.locator('.status');
const panel = (page: Page): Locator => page.locator('aside.selection');

/** Where a share of the way across and up the bins is, in pixels of the page. */
async function at(page: Page, across: number, up: number): Promise<[number, number]> {
  const box = (await page.locator('canvas.over').boundingBox())!;
  // The margins of the bins within the drawing.
  const [left, right, top, bottom] = [78, 104, 10, 44];
  return [box.x + left + across * (box.width - left - right), box.y + top + (1 - up) * (box.height - top - bottom)];
}

describe('the heat map', () => {
  test('shows the numbers that marple stats has', async () => {
    const page = await open('disk.marple');
    const [points] = await stats('disk.marple');
    expect(points?.records).toBe(1020);
    expect(await status(page).textContent()).toBe('1,020 records · p50 0.125 ms · p99 0.85 ms · max 0.85 ms');
    expect(await page.locator('canvas.over').getAttribute('aria-label')).toMatch(/^Heat map\. 1,020 records/);
  });

  test('hover reads the bin: its ranges, and the count that the picture has', async () => {
    const page = await open('disk.marple');
    const { grid } = await new HeatMap(await jobOf(HeatMap.description, DISKLAT)).layout();
    for (const [column, row] of [
      [50, 47],
      [3, 6],
      [97, 7],
      [20, 30],
    ] as const) {
      await page.mouse.move(...(await at(page, (column + 0.5) / 100, (row + 0.5) / 50)));
      const count = grid.counts[row * grid.columns + column];
      expect(await status(page).textContent()).toContain(`: ${count} record`);
      expect(await page.locator('.tip').textContent()).toContain(`${count} record`);
    }
    await page.mouse.move(...(await at(page, 0.505, 47.5 / 50)));
    expect(await status(page).textContent()).toContain('5 to 5.1 s, 0.846 to 0.864 ms: 20 records');
  });

  test('a drag selects: how many, by process, and the stacks, hostile names as text', async () => {
    const page = await open('disk.marple');
    await page.mouse.move(...(await at(page, 0.4, 0.99)));
    await page.mouse.down();
    await page.mouse.move(...(await at(page, 0.6, 0.8)), { steps: 5 });
    await page.mouse.up();
    const text = (await panel(page).textContent())!;
    expect(text).toContain('20 records (2.0 %)');
    expect(text).toMatch(/p500\.85 ms/);
    expect(text).toContain('nginx');
    expect(text).toContain('</script><img src=x onerror=alert(1)>\\u{202e} ← worker ← nginx');
    expect(text).toContain('5 records without a stack');
    expect(text).not.toContain('fio');
    expect(await panel(page).locator('img').count()).toBe(0);
    await panel(page).locator('summary').first().click();
    expect(await panel(page).locator('li', { hasText: 'worker' }).isVisible()).toBe(true);
  });

  test('what is selected can be shown alone, and undone', async () => {
    const page = await open('disk.marple');
    await page.mouse.move(...(await at(page, 0.451, 0.99)));
    await page.mouse.down();
    await page.mouse.move(...(await at(page, 0.549, 0.005)), { steps: 5 });
    await page.mouse.up();
    expect(await panel(page).locator('h2').textContent()).toContain('120 records');
    await page.getByRole('button', { name: 'Show only this' }).click();
    const [from, to] = ['4.5', '5.5'];
    expect(await page.getByRole('region', { name: 'Filters' }).textContent()).toContain(`${from} to ${to} s`);
    const [points] = await stats('disk.marple', '--from', from, '--to', to);
    expect(points?.records).toBe(120);
    expect(await status(page).textContent()).toMatch(/^120 records · p50 /);
    await page.getByRole('button', { name: 'Undo' }).click();
    expect(await status(page).textContent()).toMatch(/^1,020 records/);
  });

  test('a process of the selection can be shown alone', async () => {
    const page = await open('disk.marple');
    await page.mouse.click(...(await at(page, 0.505, 47.5 / 50)));
    expect(await panel(page).locator('h2').textContent()).toContain('20 records');
    await panel(page).getByRole('button', { name: 'nginx' }).click();
    expect(await status(page).textContent()).toMatch(/^15 records/);
  });

  test('the wheel zooms across, with Ctrl upwards, and the bins become finer', async () => {
    const page = await open('disk.marple');
    await page.mouse.move(...(await at(page, 0.505, 0.5)));
    await page.mouse.wheel(0, -400);
    await expect.poll(() => status(page).textContent()).toContain('in view');
    await page.mouse.wheel(0, -400);
    const inView = async () =>
      Number(/([\d,]+) in view/.exec((await status(page).textContent())!)?.[1]?.replace(',', ''));
    // e^(-2 * 400 * 0.0016) of ten seconds, with the slow ones.
    await expect.poll(inView).toBeLessThan(310);
    const across = await inView();
    expect(across).toBeGreaterThan(285);
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, -400);
    await page.keyboard.up('Control');
    // What lies outside of the rows is counted in rows of its own.
    await expect.poll(() => status(page).textContent()).toMatch(/below 0\.\d+ ms/);
    expect(await inView()).toBe(across);
    await page.keyboard.down('Shift');
    await page.mouse.wheel(0, 3000);
    await page.keyboard.up('Shift');
    // Beyond the slow ones.
    await expect.poll(inView).toBeLessThan(across - 15);
    await page.locator('canvas.over').focus();
    await page.keyboard.press('0');
    await expect.poll(() => status(page).textContent()).not.toContain('in view');
  });

  test('all of it works by keyboard', async () => {
    const page = await open('disk.marple');
    await page.locator('canvas.over').focus();
    // From the middle: column 50, row 25.
    for (let i = 0; i < 22; i++) await page.keyboard.press('ArrowUp');
    expect(await status(page).textContent()).toContain('0.846 to 0.864 ms: 20 records');
    await page.keyboard.press('Shift+ArrowLeft');
    await page.keyboard.press('Shift+ArrowDown');
    expect(await panel(page).locator('h2').textContent()).toContain('20 records');
    await page.keyboard.press('Enter');
    expect(await status(page).textContent()).toContain('20 records · p50 0.85 ms');
    await page.keyboard.press('Control+z');
    await page.locator('canvas.over').focus();
    await page.keyboard.press('+');
    await expect.poll(() => status(page).textContent()).toContain('in view');
    await page.keyboard.press('Escape');
    await expect.poll(() => status(page).textContent()).not.toContain('in view');
  });

  test('the scale of the values can be chosen', async () => {
    const page = await open('disk.marple');
    await page.getByLabel('Scale').selectOption('log');
    await page.mouse.move(...(await at(page, 0.5, 0.999)));
    expect(await status(page).textContent()).toMatch(/ to 1 ms/);
  });

  test('takes the filters and settings of the command line', async () => {
    const page = await open('disk.marple', ['--comm', '^nginx$', '--title', 'Slow <b>ones</b>'], { dark: true });
    expect(await status(page).textContent()).toMatch(/^15 records/);
    expect(await page.locator('h1').textContent()).toBe('Slow <b>ones</b>');
    await page.mouse.click(...(await at(page, 0.505, 0.5)));
  });
});

describe('the heat map of a run that began before its origin', () => {
  test('has an x from 0 on, unless the config or --from says that it is that of the file', async () => {
    const { header } = DISKLAT[0]!;
    await writeFile(place.path('late.marple'), [
      { header, records: POINTS.map((point) => ({ ...point, x: point.x + 5000 })) },
    ]);
    const firstBin = async (...flags: string[]): Promise<string | null> => {
      const page = await open('late.marple', flags);
      await page.locator('canvas.over').press('ArrowRight');
      return page.locator('.status').textContent();
    };
    expect(await firstBin()).toMatch(/^\d\.\d+ to \d\.\d+ s, /);
    expect(await firstBin('--from', '5000')).toMatch(/^5,00\d(\.\d+)? to 5,00\d(\.\d+)? s, /);
    mkdirSync(place.path('config/marple'), { recursive: true });
    writeFileSync(place.path('config/marple/config.txt'), '[heatmap]\nnormalise = false\n');
    const plain = await firstBin();
    rmSync(place.path('config/marple/config.txt'));
    expect(plain).toMatch(/^5,00\d(\.\d+)? to 5,00\d(\.\d+)? s, /);
  });
});

describe('the heat map of samples', () => {
  test('has a column per second; idle ones are hidden and counted', async () => {
    const page = await open('samples.marple');
    expect(await status(page).textContent()).toBe('500 samples');
    await page.mouse.move(...(await at(page, 0.25, 0.51)));
    expect(await status(page).textContent()).toContain('2 to 3 s, 500 to 520 ms: 2 samples');
    await page.getByRole('button', { name: 'Idle (500 samples)' }).click();
    expect(await status(page).textContent()).toContain('1,000 samples');
  });

  test('two clicks choose a range of time, as marple stats counts it', async () => {
    const page = await open('samples.marple');
    // From 2.9 s, the row from 900 ms of the third column, to 4.6 s.
    await page.mouse.click(...(await at(page, 0.25, 0.91)));
    await page.mouse.click(...(await at(page, 0.45, 0.59)));
    const text = (await panel(page).textContent())!;
    expect(text).toContain('2.9 to 4.6 s');
    expect(text).toContain('70 samples');
    expect(text).toContain('spin');
    expect(text).toContain('work ← main ← spin');
    await page.keyboard.press('Enter');
    expect(await status(page).textContent()).toContain('70 samples');
    const [, events] = await stats('samples.marple', '--from', '2.9', '--to', '4.599999999');
    // With the 50 idle ones of the fourth and of the fifth second.
    expect(events?.records).toBe(70 + 100);
  });

  test('a drag does the same', async () => {
    const page = await open('samples.marple');
    await page.mouse.move(...(await at(page, 0.15, 0.51)));
    await page.mouse.down();
    await page.mouse.move(...(await at(page, 0.15, 0.69)), { steps: 4 });
    await page.mouse.up();
    expect(await panel(page).textContent()).toContain('1.5 to 1.7 s');
    expect(await panel(page).locator('h2').textContent()).toContain('20 samples');
  });
});
