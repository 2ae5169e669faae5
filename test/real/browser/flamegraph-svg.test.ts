import { mkdirSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { makePlace, type Place } from '../../e2e/marple.ts';
import { type PageOptions, plainPage } from '../../support/browser.ts';
import { headerOf, writeFile } from '../../support/data-files.ts';

let place: Place;
beforeAll(async () => {
  place = makePlace();
  const weight = { label: 'samples', unit: 'samples' };
  const deep = Array.from({ length: 80 }, (_, i) => `deep_${i}`);
  await writeFile(place.path('x.marple'), [
    {
      header: headerOf('stack', { interface: 'callstack', weight, warnings: ['half of it is missing'] }),
      records: [
        { weight: 600, stack: ['app', 'main', 'work'] },
        { weight: 300, stack: ['app', 'main', 'write_out', 'List(int)::(anonymous)::add(a, b)'] },
        { weight: 90, stack: ['app', 'other', ...deep] },
        { weight: 10, stack: ['app', 'other', 'thin_one'] },
      ],
    },
  ]);
  mkdirSync(place.path('config/marple'), { recursive: true });
  return () => place.remove();
});

const ENGINES = ['flamegraph.pl', 'builtin'] as const;

describe.each(ENGINES)('the SVG of %s in a browser', (engine) => {
  async function open(options: PageOptions = {}, ...flags: string[]): Promise<Page> {
    writeFileSync(place.path('config/marple/config.txt'), `[flamegraph]\nengine = ${engine}\n`);
    const args = ['display', '-i', 'x.marple', '-fg', '-o', 'x.svg', '--force', ...flags];
    expect(await place.marple(args)).toMatchObject({ code: 0 });
    return plainPage(pathToFileURL(place.path('x.svg')).href, options);
  }

  const widthOf = (page: Page): Promise<number> =>
    page.evaluate('document.documentElement.getBoundingClientRect().width');
  const frame = (page: Page, name: string) =>
    page
      .locator('g')
      .filter({ hasText: new RegExp(`^\\s*${name} \\(`) })
      .last();
  const widthOfFrame = (page: Page, name: string): Promise<number> =>
    frame(page, name)
      .locator('rect')
      .evaluate((rect) => rect.getBoundingClientRect().width);
  const told = (page: Page): Promise<string | null> => page.locator('#details').textContent();

  test.each([1280, 2560])('is as wide as a window of %i pixels, and as was asked for where it was', async (width) => {
    const page = await open({ width });
    // A scroll bar may stand beside it.
    expect(Math.abs((await widthOf(page)) - width)).toBeLessThan(20);
    expect((await widthOfFrame(page, 'app')) / width).toBeGreaterThan(0.95);
    expect(await widthOf(await open({ width }, '--width', '700'))).toBe(700);
  });

  test('shows first what all stacks stand on, however deep they are', async () => {
    const page = await open();
    const box = (await frame(page, 'all').locator('rect').boundingBox())!;
    expect(box.y).toBeGreaterThan(400);
    expect(box.y + box.height).toBeLessThan(800);
  });

  test.each([
    [false, 'rgb(255, 255, 255)'],
    [true, 'rgb(23, 24, 28)'],
  ])('is dark where the screen is: %s', async (dark, back) => {
    const page = await open({ dark });
    const fillOf = (of: string) =>
      page.evaluate<string>(`getComputedStyle(document.querySelector('svg > ${of}')).fill`);
    const paper = await fillOf('rect');
    // The script's paper is a gradient.
    expect(dark ? paper : paper.replace(/^url.*/, 'rgb(255, 255, 255)')).toBe(back);
    expect(await fillOf('.note')).toMatch(dark ? /^rgb\(255, 176, 116\)$/ : /^rgb\(15[04], 60, 0\)$/);
  });

  test('hover tells samples and percent, a click zooms', async () => {
    const page = await open();
    await frame(page, 'main').hover();
    expect(await told(page)).toContain('main (900 samples, 90.00%)');
    const whole = await widthOfFrame(page, 'all');
    await frame(page, 'write_out').click();
    expect(Math.abs((await widthOfFrame(page, 'write_out')) - whole)).toBeLessThan(2);
    const add = page.locator('g').filter({ hasText: 'List(int)::(anonymous)::add(a, b) (300 samples' }).last();
    expect((await add.locator('text').textContent())!.trim()).toBe('List(int)::(anonymous)::add(a, b)');
  });

  test('a frame that was too narrow for its name shows it where it has room', async () => {
    const page = await open();
    const label = frame(page, 'thin_one').locator('text');
    const shown = async () => ((await label.count()) === 0 ? '' : (await label.textContent())!.trim());
    expect(await shown()).toBe('');
    await frame(page, 'thin_one').click();
    expect(await shown()).toBe('thin_one');
    const [text, rect] = [await label.boundingBox(), await frame(page, 'thin_one').locator('rect').boundingBox()];
    expect(text!.x).toBeGreaterThan(rect!.x);
    expect(text!.y + text!.height / 2).toBeGreaterThan(rect!.y);
    expect(text!.y + text!.height / 2).toBeLessThan(rect!.y + rect!.height);
    await page.keyboard.press('Escape');
    expect(await shown()).toBe('');
  });

  test('by keyboard: arrows go from frame to frame, Enter zooms, Escape shows all again', async () => {
    const page = await open();
    const before = await widthOfFrame(page, 'work');
    for (const key of ['ArrowUp', 'ArrowUp', 'ArrowUp', 'ArrowUp']) await page.keyboard.press(key);
    expect(await told(page)).toContain('work (600 samples, 60.00%)');
    await page.keyboard.press('ArrowRight');
    expect(await told(page)).toContain('write_out (300 samples, 30.00%)');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowRight');
    expect(await told(page)).toContain('other (100 samples, 10.00%)');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    expect(await widthOfFrame(page, 'work')).toBeGreaterThan(1.5 * before);
    await page.keyboard.press('Escape');
    expect(await widthOfFrame(page, 'work')).toBeCloseTo(before, 0);
  });

  test('/ asks for a regular expression, and marks what matches', async () => {
    const page = await open();
    const fillOf = (name: string) =>
      frame(page, name)
        .locator('rect')
        .evaluate((rect) => rect.ownerDocument.defaultView!.getComputedStyle(rect).fill);
    const call = 'List\\(int\\)::.* b\\)';
    const [work, other, add] = [await fillOf('work'), await fillOf('other'), await fillOf(call)];
    page.once('dialog', (dialog) => dialog.accept('^wo|, b\\)$'));
    await page.keyboard.press('/');
    expect(await fillOf('work')).not.toBe(work);
    expect(await fillOf(call)).not.toBe(add);
    expect(await fillOf('other')).toBe(other);
  });
});
