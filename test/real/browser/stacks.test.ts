import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { EventData, StackData } from '../../../src/common/datatypes.ts';
import { makePlace, type Place } from '../../e2e/marple.ts';
import { openPage } from '../../support/browser.ts';
import { headerOf, writeFile } from '../../support/data-files.ts';

/** Names that would do harm if they were taken for HTML or script. */
const HOSTILE = '</script><script>document.title="owned"</script><img src=x onerror=alert(1)>';

const STACKS: StackData[] = [
  { weight: 600, stack: ['app', 'main', 'parse', 'read_line'] },
  { weight: 300, stack: ['app', 'main', 'write_out'] },
  { weight: 100, stack: ['app', 'main'] },
  { weight: 50, stack: ['helper', HOSTILE] },
  { weight: 1000, stack: ['swapper', 'do_idle'] },
];
const EVENTS: EventData[] = [
  { time: 1_000_000_000, type: 'cpu-clock', datum: ['0', '0', '10', '10', '600'] },
  { time: 2_000_000_000, type: 'cpu-clock', datum: ['1', '0', '10', '10', '300'] },
  { time: 3_000_000_000, type: 'cpu-clock', datum: ['2', '1', '10', '10', '100'] },
  { time: 3_500_000_000, type: 'cpu-clock', datum: ['3', '1', '20', '20', '50'] },
  { time: 3_600_000_000, type: 'cpu-clock', datum: ['4', '1', '0', '0', '1000'] },
];

let place: Place;
beforeAll(async () => {
  place = makePlace();
  const weight = { label: 'samples', unit: 'samples' };
  await writeFile(place.path('x.marple'), [
    { header: headerOf('stack', { interface: 'callstack', weight }), records: STACKS },
    {
      header: headerOf('event', { interface: 'callstack', fields: ['stack', 'cpu', 'pid', 'tid', 'weight'] }),
      records: EVENTS,
    },
  ]);
  return () => place.remove();
});

async function draw(view: string, ...flags: string[]): Promise<string> {
  const name = `${view}${flags.join('')}.html`;
  const ended = await place.marple(['display', '-i', 'x.marple', view, '-o', name, '--force', ...flags]);
  expect(ended).toMatchObject({ code: 0 });
  return join(place.dir, name);
}

describe('the flame graph', () => {
  test('hover tells a frame, a click zooms, Escape goes back', async () => {
    const page = await openPage(await draw('-fg'));
    const canvas = page.locator('canvas');
    const box = (await canvas.boundingBox())!;
    const bottom = box.y + box.height;
    // Rows of 18 pixels from the bottom: all, the process, main.
    await page.mouse.move(box.x + 100, bottom - 18 * 2.5);
    const tip = page.locator('.tip');
    expect(await tip.textContent()).toContain('main');
    expect(await tip.textContent()).toContain('1,000 samples');
    expect(await page.locator('.status').textContent()).toMatch(
      /^main: 1,000 samples, 95 % of all, 100 samples in itself$/,
    );
    await page.mouse.click(box.x + box.width - 10, bottom - 18 * 1.5);
    await page.mouse.move(box.x + 100, bottom - 18 * 2.5);
    expect(await tip.textContent()).toContain(HOSTILE);
    await canvas.press('Escape');
    await page.mouse.move(box.x + 110, bottom - 18 * 2.5);
    expect(await tip.textContent()).toContain('main');
    expect(await page.title()).not.toBe('owned');
  });

  test('a search tells the share of what matches', async () => {
    const page = await openPage(await draw('-fg'));
    await page.locator('canvas').press('/');
    await page.keyboard.type('read_line|write');
    expect(await page.getByRole('status').textContent()).toBe('86 % matched');
    await page.getByRole('searchbox').fill('(');
    expect(await page.getByRole('status').textContent()).toBe('not a regular expression');
  });

  test('idle time is hidden, counted, and one click away', async () => {
    const page = await openPage(await draw('-fg'));
    expect(await page.locator('.status').textContent()).toBe('all: 1,050 samples, 100 % of all');
    await page.getByRole('button', { name: 'Idle (1,000 samples)' }).click();
    expect(await page.locator('.status').textContent()).toBe('all: 2,050 samples, 100 % of all');
  });

  test('by keyboard: up to the widest child, Enter zooms', async () => {
    const page = await openPage(await draw('-fg'));
    const canvas = page.locator('canvas');
    for (const key of ['ArrowUp', 'ArrowUp', 'ArrowUp', 'ArrowRight', 'Enter']) await canvas.press(key);
    expect(await page.locator('.status').textContent()).toMatch(/^write_out: 300 samples/);
    expect(await page.getByRole('button', { name: 'Reset zoom' }).isEnabled()).toBe(true);
  });

  test('holds what was asked for alone', async () => {
    const page = await openPage(await draw('-fg', '--from', '1.5', '--to', '3.2'));
    expect(await page.locator('.status').textContent()).toBe('all: 400 samples, 100 % of all');
    const byProcess = await openPage(await draw('-fg', '--pid', '20'), { dark: true, width: 2560 });
    expect(await byProcess.locator('.status').textContent()).toBe('all: 50 samples, 100 % of all');
  });
});

describe('the flame graph of a config', () => {
  test('has its colours, direction, order and count name', async () => {
    mkdirSync(place.path('config/marple'), { recursive: true });
    const config = place.path('config/marple/config.txt');
    writeFileSync(config, '[flamegraph]\ncolors = blue\nicicle = true\nreversed = true\ncountname = ticks\n');
    const page = await openPage(await draw('-fg'));
    rmSync(config);
    expect(await page.locator('.status').textContent()).toContain('all: 1,050 ticks');
    for (const name of ['Icicle', 'Reversed']) {
      expect(await page.getByRole('button', { name }).getAttribute('aria-pressed')).toBe('true');
    }
    // Below the root, which is on top.
    const [red, , blue] = await page.evaluate<number[]>(
      "[...document.querySelector('.view canvas').getContext('2d').getImageData(600, 21, 1, 1).data]",
    );
    expect(blue).toBeGreaterThan(red! + 40);
  });
});

describe('the treemap', () => {
  test('a click goes down, the breadcrumb up', async () => {
    const page = await openPage(await draw('-tm'));
    const status = page.locator('.status');
    await expect.poll(() => status.textContent()).toBe('app: 1,000 samples, 95 % of all');
    await page.mouse.click(400, 400);
    await page.mouse.click(400, 400);
    await expect.poll(() => page.getByRole('navigation').textContent()).toBe('all › app › main');
    await expect.poll(() => status.textContent()).toMatch(/600 samples, 60 % of main, 57 % of all$/);
    await page.getByRole('button', { name: 'app', exact: true }).click();
    await expect.poll(() => page.getByRole('navigation').textContent()).toBe('all › app');
  });

  test('by keyboard', async () => {
    const page = await openPage(await draw('-tm'));
    const canvas = page.locator('canvas');
    await canvas.press('ArrowRight');
    await expect.poll(() => page.locator('.status').textContent()).toMatch(/^helper: 50 samples/);
    await canvas.press('Enter');
    await expect.poll(() => page.locator('.status').textContent()).toContain(HOSTILE);
    await canvas.press('Escape');
    await expect.poll(() => page.getByRole('navigation').textContent()).toBe('all');
  });
});
