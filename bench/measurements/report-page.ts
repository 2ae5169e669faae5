import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { program } from '../contestants.ts';
import { busyMinute } from '../inputs/busy-minute.ts';
import { sizeOf } from '../inputs.ts';
import type { Bench, Contestant, Measurement, Race, Sample } from '../measurement.ts';
import { runCommand } from '../process.ts';
import { median } from '../report.ts';

export const reportPage: Measurement = {
  name: 'report-page',
  summary: 'the report of a busy minute: made, opened in Chromium, and moved',
  races,
};

const CHROMIUM = '/usr/bin/chromium';

async function* races({ inputs, programs, scratch, absent }: Bench): AsyncGenerator<Race> {
  const file = await busyMinute(inputs);
  const html = join(scratch, 'report.html');
  const make = programs.marple('display', '-i', file, '-r', '-o', html, '--force', '--no-open', '-q');
  yield { title: 'to a page', bytes: await sizeOf(file), contestants: [program('marple', make)] };
  await runCommand(make);
  if (!existsSync(CHROMIUM)) {
    absent('the page', `${CHROMIUM} is not installed`);
    return;
  }
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
  try {
    yield {
      title: `a page of ${((await sizeOf(html)) / 1e6).toFixed(1)} MB, in Chromium`,
      contestants: [
        inPage('opened and drawn', browser, html, async (page) => (await watched(page)).ready),
        inPage('with all its tables', browser, html, async (page) => (await watched(page)).whole),
        inPage('its longest task until then', browser, html, async (page) => (await watched(page)).longest),
        inPage('a frame of a drag in the lanes', browser, html, dragLanes),
        inPage('a frame of a moved timeline', browser, html, moveTimeline),
      ],
      goals: [
        { of: 'opened and drawn', seconds: 2 },
        { of: 'a frame of a drag in the lanes', seconds: 0.0175 },
        { of: 'a frame of a moved timeline', seconds: 0.0175 },
      ],
    };
  } finally {
    await browser.close();
  }
}

/** Opens the page anew, and measures milliseconds in it; CPU and memory are those of the page. */
function inPage(name: string, browser: Browser, html: string, measure: (page: Page) => Promise<number>): Contestant {
  const run = async (): Promise<Sample> => {
    const page = await browser.newPage({ viewport: { width: 1920, height: 1080 } });
    try {
      const session = await page.context().newCDPSession(page);
      await session.send('Performance.enable');
      await page.addInitScript(WATCH);
      await page.goto(pathToFileURL(html).href);
      while (!(await page.evaluate<boolean>('watched.whole !== undefined'))) await page.waitForTimeout(20);
      const seconds = (await measure(page)) / 1000;
      const { metrics } = await session.send('Performance.getMetrics');
      const metric = (wanted: string): number => metrics.find((one) => one.name === wanted)?.value ?? 0;
      return { seconds, cpu: metric('TaskDuration'), peak: metric('JSHeapUsedSize') };
    } finally {
      await page.close();
    }
  };
  return { name, run };
}

/** Runs before the page's own script: tells when it is ready and drawn, and the tasks in which it could not answer. */
const WATCH = `
  watched = { ready: undefined, whole: undefined, tasks: [], frames: [] };
  new PerformanceObserver((list) => watched.tasks.push(...list.getEntries())).observe({ type: 'longtask', buffered: true });
  const look = () => {
    if (document.querySelector('#app[data-ready="true"]') === null) requestAnimationFrame(look);
    else requestAnimationFrame(() => requestAnimationFrame(() => {
      watched.ready = performance.now();
      lookOn();
    }));
  };
  const lookOn = () => {
    const isWhole = ['.lanes li', '.latencies td', '.processes td'].every((one) => document.querySelector(one) !== null);
    if (isWhole && document.querySelector('[aria-busy=true]') === null) watched.whole = performance.now();
    else requestAnimationFrame(lookOn);
  };
  requestAnimationFrame(look);
`;

async function watched(page: Page): Promise<{ ready: number; whole: number; longest: number }> {
  // A task is told only when it has ended.
  await page.waitForTimeout(300);
  return page.evaluate(`({
    ready: watched.ready,
    whole: watched.whole,
    longest: Math.max(0, ...watched.tasks.filter((task) => task.startTime < watched.whole).map((task) => task.duration)),
  })`);
}

async function dragLanes(page: Page): Promise<number> {
  return dragged(page, '.lanes canvas', 0.4, 0.8);
}

async function moveTimeline(page: Page): Promise<number> {
  const canvas = '.tracks .scroll canvas';
  await page.getByRole('tab', { name: 'cpusched', exact: true }).click();
  await page.getByRole('button', { name: 'Hand' }).click();
  await page.locator(canvas).focus();
  for (let i = 0; i < 8; i++) await page.keyboard.press('+');
  return dragged(page, canvas, 0.3, 0.8);
}

/** What 95 % of the frames take at most while something is dragged to and fro: milliseconds. */
async function dragged(page: Page, selector: string, from: number, to: number): Promise<number> {
  const box = (await page.locator(selector).boundingBox())!;
  const y = box.y + box.height / 2;
  const x = (share: number): number => box.x + box.width * share;
  await page.mouse.move(x(from), y);
  await page.mouse.down();
  await page.evaluate(`
    let last = performance.now();
    const count = (now) => {
      watched.frames.push(now - last);
      last = now;
      watched.frame = requestAnimationFrame(count);
    };
    requestAnimationFrame(count);
  `);
  for (let i = 0; i <= 120; i++) {
    await page.mouse.move(x(from + ((to - from) * (1 - Math.cos((i / 60) * Math.PI))) / 2), y);
    await page.waitForTimeout(12);
  }
  const frames = await page.evaluate<number[]>('cancelAnimationFrame(watched.frame); watched.frames.slice(1)');
  await page.mouse.up();
  const slow = frames.sort((a, b) => a - b).slice(Math.floor(0.95 * frames.length));
  return slow[0] ?? median(frames);
}
