import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Summary } from '../../../src/analysis/stats/summary.ts';
import type { SectionStats } from '../../../src/analysis/stats.ts';
import type { Datapoint, EventData, StackData } from '../../../src/common/datatypes.ts';
import { formatCount, formatValue, visible } from '../../../src/common/text.ts';
import { makePlace, type Place } from '../../e2e/marple.ts';
import { openPage } from '../../support/browser.ts';
import { headerOf, writeFile } from '../../support/data-files.ts';

/** Names that would do harm if they were taken for HTML or script. */
const HOSTILE = '"></script><script>document.title="owned"</script><img src=x onerror=alert(1)>\u202e';
const SCHEDULER_FIELDS = ['cpu', 'pid', 'comm', 'other_pid', 'other_comm', 'state'];
const SECONDS = 10;
const END = { end: '2026-03-01T09:30:10.000Z' };
const TIME = { label: 'time', unit: 's' };

let place: Place;
beforeAll(async () => {
  place = makePlace();
  await writeFile(place.path('x.marple'), [
    {
      header: headerOf('event', {
        ...END,
        interface: 'cpusched',
        fields: SCHEDULER_FIELDS,
      }),
      records: scheduling(),
    },
    {
      header: headerOf('stack', { ...END, interface: 'callstack', weight: { label: 'samples', unit: 'samples' } }),
      records: STACKS,
    },
    {
      header: headerOf('event', {
        ...END,
        interface: 'callstack',
        fields: ['stack', 'cpu', 'pid', 'tid', 'weight'],
      }),
      records: samples(),
    },
    {
      header: headerOf('datapoint', {
        ...END,
        interface: 'disklat',
        x: TIME,
        y: { label: 'latency', unit: 'ms' },
        fields: ['comm', 'pid'],
      }),
      records: ios(),
    },
    {
      header: headerOf('datapoint', {
        ...END,
        interface: 'memtime',
        x: TIME,
        y: { label: 'PSS', unit: 'MiB' },
        fields: ['comm', 'pid'],
      }),
      records: memory(),
    },
    ...['memory', 'network throughput'].map((label) => ({
      header: headerOf('datapoint', {
        ...END,
        interface: 'system',
        x: TIME,
        y: { label, unit: 'MiB' },
        fields: ['use'],
      }),
      records: Array.from({ length: SECONDS }, (_, x): Datapoint => ({ x, y: 100 + x, info: ['buffers'] })),
    })),
  ]);
  return () => place.remove();
});

const STACKS: StackData[] = [
  { weight: 500, stack: ['db', 'main', 'query'] },
  { weight: 300, stack: ['web', 'main', 'render'] },
  { weight: 100, stack: [HOSTILE, 'main'] },
  { weight: 100, stack: ['swapper', 'do_idle'] },
];
const OWNERS = ['10', '20', '30', '0'];

/** A hundred a second of each stack's share, one after the other. */
function samples(): EventData[] {
  return Array.from({ length: 1000 }, (_, i): EventData => {
    const stack = [0, 0, 0, 0, 0, 1, 1, 1, 2, 3][i % 10]!;
    const pid = OWNERS[stack]!;
    return { time: i * 10_000_000 + 1, type: 'cpu-clock', datum: [String(stack), '0', pid, pid, '1'] };
  });
}

/** In every tenth of a second `db` runs 60 ms, waits for a disk, and `web` runs 30 ms; then nobody. */
function scheduling(): EventData[] {
  return Array.from({ length: 100 }, (_, i) => i * 100e6).flatMap((at): EventData[] => [
    { time: at, type: 'switch', datum: ['0', '0', 'swapper/0', '10', 'db', 'R'] },
    { time: at + 60e6, type: 'switch', datum: ['0', '10', 'db', '20', 'web', 'D'] },
    { time: at + 80e6, type: 'wakeup', datum: ['0', '20', 'web', '10', 'db', ''] },
    { time: at + 90e6, type: 'switch', datum: ['0', '20', 'web', '0', 'swapper/0', 'S'] },
  ]);
}

/** Ten a second of `db`, that get slower from 5 s on, and one a second with a name that is not nice. */
function ios(): Datapoint[] {
  return Array.from({ length: 100 }, (_, i): Datapoint => {
    const x = i / 10;
    return i % 10 === 9 ? { x, y: 0.5, info: [HOSTILE, '30'] } : { x, y: x < 5 ? 1 : 40 + i / 10, info: ['db', '10'] };
  });
}

function memory(): Datapoint[] {
  return Array.from({ length: SECONDS }, (_, x): Datapoint[] => [
    { x, y: 50 + 20 * x, info: ['web', '20'] },
    { x, y: 30, info: ['db', '10'] },
  ]).flat();
}

let html: Promise<string> | undefined;
function report(): Promise<string> {
  html ??= place.marple(['display', '-i', 'x.marple', '-r', '-o', 'x.html', '--force']).then((ended) => {
    expect(ended).toMatchObject({ code: 0 });
    return join(place.dir, 'x.html');
  });
  return html;
}

async function stats(...flags: readonly string[]): Promise<SectionStats[]> {
  return statsIn('x.marple', ...flags);
}

async function statsIn(file: string, ...flags: readonly string[]): Promise<SectionStats[]> {
  const ended = await place.marple(['stats', '-i', file, '--json', '--top', '1000', ...flags]);
  expect(ended.code).toBe(0);
  return (JSON.parse(ended.stdout) as { sections: SectionStats[] }).sections;
}

const statsOf = (all: readonly SectionStats[], name: string, kind: keyof SectionStats): SectionStats =>
  all.find((section) => section.interface === name && section[kind] !== undefined)!;

/** The table of programs as texts, by program and column. */
async function programs(page: Page): Promise<Record<string, Record<string, string>>> {
  return page.locator('table.processes').evaluate((table) => {
    const heads = [...table.querySelectorAll('th')].map((head) => head.textContent ?? '');
    return Object.fromEntries(
      [...table.querySelectorAll('tbody tr')].map((row) => {
        const cells = [...row.querySelectorAll('td')].map((cell) => cell.textContent ?? '');
        const name = row.querySelector('button')?.textContent ?? '';
        return [name, Object.fromEntries(heads.map((head, i) => [head, cells[i] ?? '']))];
      }),
    );
  });
}

/** The quantiles of what takes time, by its name. */
async function latencies(page: Page): Promise<Record<string, string[]>> {
  return page.locator('table.latencies tbody').evaluate((table) =>
    Object.fromEntries(
      [...table.querySelectorAll('tr')].map((row) => {
        const [name, ...cells] = [...row.querySelectorAll('td')].map((cell) => cell.textContent ?? '');
        return [name, cells];
      }),
    ),
  );
}

const lanes = (page: Page) => page.locator('.lanes canvas');
const filters = (page: Page) => page.getByRole('region', { name: 'Filters' });

/** Drags in the lanes, and gives the range that the page then says. */
async function dragTime(page: Page, from: number, to: number): Promise<[from: string, to: string]> {
  const box = (await lanes(page).boundingBox())!;
  const labels = 256;
  const x = (seconds: number): number => box.x + labels + ((box.width - labels) * seconds) / SECONDS;
  await page.mouse.move(x(from), box.y + 30);
  await page.mouse.down();
  await page.mouse.move(x((from + to) / 2), box.y + 35, { steps: 3 });
  await page.mouse.move(x(to), box.y + 30, { steps: 3 });
  await page.mouse.up();
  await filters(page).getByRole('button', { name: ' s ✕' }).waitFor();
  return theTime(page);
}

/** The fragment, when all is in it: it is not written more often than every 60 ms. */
async function theAddress(page: Page): Promise<string> {
  await page.waitForTimeout(100);
  return page.evaluate<string>('location.hash');
}

async function theTime(page: Page): Promise<[from: string, to: string]> {
  const hash = await theAddress(page);
  const time = JSON.parse(decodeURIComponent(hash.slice(1))).filters.find(
    ({ kind }: { kind: string }) => kind === 'time',
  );
  return [String(time.from), String(time.to)];
}

const open = (page: Page, name: string): Promise<void> => page.getByRole('tab', { name, exact: true }).click();
const only = (page: Page, name: string): Promise<void> =>
  page.locator('table.processes').getByRole('button', { name, exact: true }).click();

describe('a range of time', () => {
  test('dragged in the lanes is what every view shows, and what stats says of it', async () => {
    const page = await openPage(await report());
    const [from, to] = await dragTime(page, 4, 7);
    expect(Number(from)).toBeCloseTo(4, 1);
    expect(Number(to)).toBeCloseTo(7, 1);
    const all = await stats('--from', from, '--to', to);

    const table = await programs(page);
    const { processes } = statsOf(all, 'cpusched', 'scheduling').scheduling!;
    for (const { comm, cpu_seconds } of processes) {
      expect(table[comm]?.['On CPU (s)']).toBe(formatValue(cpu_seconds));
    }
    expect(processes.map(({ comm }) => comm)).toEqual(['db', 'web']);
    const waits = processes.find(({ comm }) => comm === 'db')!.waits;
    expect(table['db']?.['Disk wait (s)']).toBe(formatValue(waits.find(({ reason }) => reason === 'disk')!.seconds));
    for (const { comm, latency } of processes) {
      expect(table[comm]?.['Ready p99 (ms)'] ?? '').toBe(latency.p99 === null ? '' : formatValue(latency.p99));
    }
    expect(table['db']?.['Ready (s)']).toBe(formatValue(waits.find(({ reason }) => reason === 'runnable')!.seconds));
    const stacks = statsOf(all, 'callstack', 'stacks').stacks!;
    const disk = statsOf(all, 'disklat', 'points').points!;
    const trends = statsOf(all, 'memtime', 'trends').trends!;
    for (const comm of ['db', 'web']) {
      expect(table[comm]?.['CPU samples']).toBe(
        formatCount(stacks.processes.find(({ name }) => name === comm)!.weight),
      );
      expect(table[comm]?.['Memory (MiB)']).toBe(
        formatValue(trends.processes.find((process) => process.comm === comm)!.last!),
      );
    }
    const db = disk.processes.find(({ comm }) => comm === 'db')!;
    expect(table['db']).toMatchObject({
      'Disk I/Os': formatCount(db.count),
      'I/O p50 (ms)': formatValue(db.p50!),
      'I/O p99 (ms)': formatValue(db.p99!),
    });

    const { latency } = statsOf(all, 'cpusched', 'scheduling').scheduling!;
    const quantiles = ({ count, p50, p90, p99, p999, max }: Summary): string[] => [
      formatCount(count),
      ...[p50, p90, p99, p999, max].map((value) => formatValue(value!)),
    ];
    expect(await latencies(page)).toEqual({
      'from ready to running cpusched': quantiles(latency),
      'latency disklat': quantiles(disk.all),
    });

    await open(page, 'callstack');
    expect(await page.locator('.status').textContent()).toContain(`all: ${formatCount(stacks.total)} samples`);
    await open(page, 'Functions');
    const self = stacks.by_self.find(({ name }) => name === 'query')!.self;
    expect(await page.locator('.table tr', { hasText: 'query' }).first().textContent()).toContain(formatCount(self));
    await open(page, 'disklat');
    expect(await page.locator('.status').textContent()).toContain(`${formatCount(disk.all.count)} `);
    await open(page, 'memtime');
    expect(await page.locator('.status').textContent()).toContain(`${formatCount(trends.all.samples * 2)} records`);
  });

  test('moves and widens by keys, a click or Escape takes it back', async () => {
    const page = await openPage(await report());
    await lanes(page).focus();
    await page.keyboard.press('ArrowRight');
    await filters(page).getByRole('button', { name: ' s ✕' }).waitFor();
    const [from, to] = await theTime(page);
    await page.keyboard.press('Shift+ArrowRight');
    expect((await theTime(page))[0]).toBe(from);
    expect(Number((await theTime(page))[1])).toBeGreaterThan(Number(to));
    await page.keyboard.press('Escape');
    expect(await filters(page).textContent()).toContain('everything');
    await dragTime(page, 1, 2);
    const box = (await lanes(page).boundingBox())!;
    await page.mouse.click(box.x + 700, box.y + 20);
    expect(await filters(page).textContent()).toContain('everything');
  });
});

describe('the data', () => {
  const COUNTED =
    'const Own = Worker; window.workers = 0; window.Worker = class extends Own { constructor(a) { super(a); workers++; } };';
  const REFUSED = 'window.Worker = class { constructor() { throw new Error("not here"); } };';

  test('is decoded in a worker', async () => {
    const page = await openPage(await report(), { before: COUNTED });
    expect(await page.evaluate('workers')).toBe(1);
    await open(page, 'About this data');
    expect(await page.locator('.about').textContent()).not.toContain('runs no worker');
  });

  test('or in the page where the browser refuses workers, which is said', async () => {
    const page = await openPage(await report(), { before: REFUSED });
    const own = await programs(await openPage(await report()));
    expect(await programs(page)).toEqual(own);
    await open(page, 'About this data');
    expect(await page.locator('.about').textContent()).toContain('runs no worker for it (not here)');
  });
});

describe('a function', () => {
  test('is shown alone in all views, or left out, from the flame graph', async () => {
    const page = await openPage(await report());
    await open(page, 'callstack');
    for (const key of ['ArrowUp', 'ArrowRight', 'ArrowUp', 'ArrowUp']) await page.locator('.view canvas').press(key);
    expect(await page.locator('.status').textContent()).toMatch(/^query: 500 samples/);
    await page.getByRole('button', { name: 'only', exact: true }).click();
    expect(await filters(page).textContent()).toContain('in query');
    await expect.poll(() => page.locator('.status').textContent()).toContain('500 samples, 100 % of all');
    await open(page, 'Overview');
    const table = await programs(page);
    expect(table['db']?.['CPU samples']).toBe('500');
    expect(table['web']?.['CPU samples']).toBe('');
    await page.keyboard.press('Control+z');
    await open(page, 'callstack');
    await page.getByRole('button', { name: 'hide', exact: true }).click();
    expect(await filters(page).textContent()).toContain('not in query');
    await open(page, 'Functions');
    expect(await page.locator('.table').textContent()).not.toContain('query');
    expect(await page.locator('.status').textContent()).toBe('4 functions, 400 samples');
  });

  test('that is a process filters by the process; the table of functions does both too', async () => {
    const page = await openPage(await report());
    await open(page, 'callstack');
    await open(page, 'Functions');
    const row = (name: string) => page.locator('.table tr', { hasText: name });
    await row('web').getByRole('button', { name: 'hide' }).click();
    expect(await filters(page).textContent()).toContain('process not web');
    await row('query').getByRole('button', { name: 'only' }).click();
    expect(await page.locator('.status').textContent()).toBe('3 functions, 500 samples');
  });
});

describe('the flame graph', () => {
  test('has callees by name, the heaviest first, or as they were called', async () => {
    const page = await openPage(await report());
    await open(page, 'callstack');
    const first = async (order: string): Promise<string> => {
      await page.getByLabel('Order').selectOption(order);
      await page.locator('.view canvas').press('Escape');
      for (const key of ['ArrowDown', 'ArrowDown', 'ArrowUp']) await page.locator('.view canvas').press(key);
      return (await page.locator('.status').textContent())!;
    };
    expect(await first('by name')).toMatch(/^"><\/script>/);
    expect(await first('left heavy')).toMatch(/^db: 500 samples/);
    // Tasks in the order of their numbers.
    expect(await first('by time, each task')).toMatch(/^db: 500 samples/);
    await page.locator('.view canvas').press('ArrowRight');
    expect(await page.locator('.status').textContent()).toMatch(/^web: 300 samples/);
    const shown = await page.locator('.page').textContent();
    await theAddress(page);
    await page.reload();
    await page.waitForSelector('#app[data-ready="true"]');
    expect(await page.locator('.page').textContent()).toBe(shown);
  });
});

describe('a search', () => {
  test('narrows the heat map and the stack plot to what has it', async () => {
    const page = await openPage(await report());
    await open(page, 'disklat');
    await page.keyboard.press('/');
    await page.keyboard.type('comm=^db$');
    await expect.poll(() => page.locator('.bar [role=status]').textContent()).toBe('90 records matched');
    expect(await page.getByRole('complementary', { name: 'Selection' }).locator('h2').textContent()).toContain('90 ');
    await page.getByRole('searchbox').fill('nobody');
    await expect.poll(() => page.locator('.bar [role=status]').textContent()).toBe('0 records matched');
    await page.getByRole('searchbox').fill('comm=(');
    await expect.poll(() => page.locator('.bar [role=status]').textContent()).toBe('( is no regular expression');
    await open(page, 'memtime');
    await page.keyboard.press('/');
    await page.keyboard.type('web');
    await expect.poll(() => page.locator('.bar [role=status]').textContent()).toBe('1 contributor matched');
    expect(await page.getByRole('complementary', { name: 'Legend' }).locator('li').allTextContents()).toEqual([
      'web230 MiBonlyhide',
    ]);
    // Of what is of no process, a word is looked for in all names.
    await open(page, 'system');
    await page.keyboard.press('/');
    await page.keyboard.type('buff');
    await expect.poll(() => page.locator('.bar [role=status]').textContent()).toBe('1 contributor matched');
  });
});

describe('programs', () => {
  test('a click shows only one, everywhere; hide leaves one out', async () => {
    const page = await openPage(await report());
    await only(page, 'db');
    expect(Object.keys(await programs(page))).toEqual(['db']);
    const all = await stats('--comm', '^db$');
    expect(await page.getByRole('list', { name: 'Lanes' }).textContent()).toContain('cpusched: CPUs busy, at most');
    await open(page, 'callstack');
    const { total } = statsOf(all, 'callstack', 'stacks').stacks!;
    expect(await page.locator('.status').textContent()).toContain(`all: ${formatCount(total)} samples`);

    await page.getByRole('button', { name: 'process db ✕' }).click();
    await open(page, 'Overview');
    const before = await programs(page);
    expect(Object.keys(before)).toHaveLength(3);
    await page
      .locator('tr', { hasText: /^.*web/ })
      .getByRole('button', { name: 'hide' })
      .click();
    const { web: _, ...others } = before;
    expect(await programs(page)).toEqual(others);
    const rest = await stats('--comm', '^(?!web$)');
    await open(page, 'callstack');
    expect(await page.locator('.status').textContent()).toContain(
      `all: ${formatCount(statsOf(rest, 'callstack', 'stacks').stacks!.total)} samples`,
    );
  });

  test('are sorted by the column that is asked for', async () => {
    const page = await openPage(await report());
    expect(Object.keys(await programs(page)).slice(0, 2)).toEqual(['db', 'web']);
    await page.getByRole('button', { name: 'Memory (MiB)' }).click();
    expect(Object.keys(await programs(page)).slice(0, 2)).toEqual(['web', 'db']);
  });
});

describe('the list of filters', () => {
  test('is undone and redone, one taken away, all cleared', async () => {
    const page = await openPage(await report());
    const chips = () => filters(page).getByTitle('Take this filter away').allTextContents();
    await dragTime(page, 2, 8);
    await only(page, 'db');
    expect(await chips()).toHaveLength(2);
    await page.keyboard.press('Control+z');
    expect(await chips()).toHaveLength(1);
    await page.keyboard.press('Control+y');
    expect((await chips())[1]).toBe('process db ✕');
    await filters(page).getByRole('button', { name: ' s ✕' }).click();
    expect(await chips()).toEqual(['process db ✕']);
    await filters(page).getByRole('button', { name: 'Undo' }).click();
    expect(await chips()).toHaveLength(2);
    await filters(page).getByRole('button', { name: 'Clear' }).click();
    expect(await chips()).toEqual([]);
    await filters(page).getByRole('button', { name: 'Undo' }).click();
    expect(await chips()).toHaveLength(2);
  });

  test('the open tab, and what is chosen in it are in the address: reloaded, the page is the same', async () => {
    const page = await openPage(await report());
    await dragTime(page, 2, 5);
    await only(page, 'db');
    await open(page, 'callstack');
    for (const key of ['ArrowUp', 'ArrowRight', 'ArrowUp', 'Enter']) await page.locator('.view canvas').press(key);
    await page.keyboard.press('/');
    await page.keyboard.type('query');
    const flames = await page.locator('.page').textContent();
    expect(flames).toContain('100 % matched');
    expect(flames).toContain('main: 150 samples');
    await open(page, 'Functions');
    await page.getByRole('button', { name: 'Total' }).click();
    await page.locator('.table').getByRole('button', { name: 'main', exact: true }).click();
    const functions = await page.locator('.page').textContent();
    const address = await theAddress(page);
    await page.reload();
    await page.waitForSelector('#app[data-ready="true"]');
    expect(await page.locator('.page').textContent()).toBe(functions);
    await open(page, 'Flame graph');
    expect(await page.locator('.page').textContent()).toBe(flames);
    expect(await page.getByRole('searchbox').inputValue()).toBe('query');
    // Another address in an open page is what it shows.
    await theAddress(page);
    await page.evaluate(`location.hash = ${JSON.stringify(address)}`);
    await expect.poll(() => page.locator('.page').textContent()).toBe(functions);
    await theAddress(page);
    await page.goto(`${page.url().split('#')[0]}#%7B%22tab%22:7,%22filters%22:[3,{}]}`);
    await theAddress(page);
    await page.reload();
    await page.waitForSelector('#app[data-ready="true"]');
    expect(await page.getByRole('tab', { name: 'Overview' }).getAttribute('aria-selected')).toBe('true');
  });
});

describe('findings', () => {
  test('say what stands out; Select shows only that, Show the view', async () => {
    const page = await openPage(await report());
    const found = page.getByRole('list', { name: 'Findings' }).getByRole('listitem');
    const disk = found.filter({ hasText: /disk I\/Os took/ });
    expect(await disk.count()).toBe(1);
    expect(await found.filter({ hasText: /memory of web grew by 20 MiB a second/ }).count()).toBe(1);
    expect(await found.filter({ hasText: /db waited .* for a disk/ }).count()).toBe(1);
    const { p99, max } = statsOf(await stats(), 'disklat', 'points').points!.all;
    await disk.getByRole('button', { name: 'Select' }).click();
    expect(await filters(page).textContent()).toContain(
      `disklat from ${Number(p99!.toPrecision(6))} to ${Number(max!.toPrecision(6))}`,
    );
    await disk.getByRole('button', { name: 'Show' }).click();
    expect(await page.getByRole('tab', { name: 'disklat' }).getAttribute('aria-selected')).toBe('true');
    expect(await page.locator('.status').textContent()).toMatch(/^2 records/);
  });
});

describe('by keyboard', () => {
  test('tabs, search and help', async () => {
    const page = await openPage(await report());
    const chosen = () => page.getByRole('tab', { selected: true }).allTextContents();
    await page.keyboard.press(']');
    expect(await chosen()).toEqual(['cpusched']);
    await page.keyboard.press(']');
    expect(await chosen()).toEqual(['callstack', 'Flame graph']);
    await page.locator('.view canvas').press('/');
    await page.keyboard.type('query');
    expect(await page.getByRole('status').textContent()).toMatch(/% matched$/);
    await page.keyboard.type(']');
    expect(await chosen()).toEqual(['callstack', 'Flame graph']);
    await page.getByRole('searchbox').press('Escape');
    await page.getByRole('tab', { name: 'Overview' }).press('Enter');
    await page.keyboard.press('/');
    await page.keyboard.type('^w');
    expect(Object.keys(await programs(page))).toEqual(['web']);
    await page.getByRole('tab', { name: 'Overview' }).focus();
    await page.keyboard.press('[');
    expect(await chosen()).toEqual(['About this data']);
    await page.keyboard.press('?');
    const help = page.getByRole('region', { name: 'Keys' });
    expect(await help.textContent()).toContain('undo, redo filters');
    await open(page, 'disklat');
    expect(await help.textContent()).toContain('zoom upwards');
    await page.keyboard.press('?');
    expect(await help.count()).toBe(0);
  });

  test('sections of one interface with the same views are chosen first', async () => {
    const page = await openPage(await report());
    await open(page, 'system');
    expect(await page.getByRole('tablist').nth(1).getByRole('tab').allTextContents()).toEqual([
      'memory',
      'network throughput',
      'Stack plot',
      'Heat map',
    ]);
    await open(page, 'Heat map');
    await open(page, 'network throughput');
    expect(await page.getByRole('tab', { selected: true }).allTextContents()).toEqual([
      'system',
      'network throughput',
      'Heat map',
    ]);
  });
});

describe('a pinned selection', () => {
  test('is what the next one is compared with, in the tables, until it is unpinned', async () => {
    const page = await openPage(await report());
    await dragTime(page, 0, 2);
    const [before, latencyBefore] = [await programs(page), await latencies(page)];
    await page.getByRole('button', { name: 'Pin as base' }).click();
    await filters(page).getByRole('button', { name: ' s ✕' }).click();
    const [all, latency] = [await programs(page), await latencies(page)];
    expect(all['db']?.['CPU samples']).toBe(`500 (${before['db']?.['CPU samples']})`);
    expect(all['web']?.['Memory (MiB)']).toBe(`230 (${before['web']?.['Memory (MiB)']})`);
    const [counts, p99] = [latency['latency disklat']?.[0], latency['latency disklat']?.[3]];
    expect(counts).toBe(`100 (${latencyBefore['latency disklat']?.[0]})`);
    expect(p99).toBe(`49.7 (${latencyBefore['latency disklat']?.[3]})`);
    await open(page, 'callstack');
    expect(await page.locator('.status').textContent()).toBe('all: 900 samples, 100 % of all, 100 % in the base');
    await page.reload();
    await page.waitForSelector('#app[data-ready="true"]');
    expect(await filters(page).textContent()).toContain('compared with ');
    await page.getByRole('button', { name: 'Unpin' }).click();
    expect(await page.locator('.status').textContent()).toBe('all: 900 samples, 100 % of all');
  });

  test('in functions, treemap, heat map, stack plot and timeline', async () => {
    const page = await openPage(await report());
    await only(page, 'db');
    await page.getByRole('button', { name: 'Pin as base' }).click();
    await filters(page).getByRole('button', { name: ' ✕' }).click();
    await only(page, 'web');
    await filters(page).getByRole('button', { name: ' ✕' }).click();
    await open(page, 'callstack');
    await open(page, 'Functions');
    const row = page.locator('.table tr', { hasText: 'query' });
    expect(await row.locator('td').allTextContents()).toEqual([
      '56 % 500 samples (100 % 500 samples)',
      '56 % 500 samples (100 % 500 samples)',
      '−44.4',
      'query only hide',
    ]);
    await page.getByRole('button', { name: 'Change' }).click();
    expect(await page.locator('.table tbody tr').first().textContent()).toContain('query');
    await open(page, 'Treemap');
    await expect.poll(() => page.locator('.status').textContent()).toContain('100 % in the base');
    await open(page, 'disklat');
    const details = page.getByRole('complementary', { name: 'Selection' });
    expect(await details.textContent()).toContain('(90 in the base)');
    expect(await details.locator('.weights li').allTextContents()).toEqual([
      '90 (90)90 % (100 %)dbhide',
      expect.stringContaining('10 (0)10 % (0 %)'),
    ]);
    await open(page, 'memtime');
    const legend = page.getByRole('complementary', { name: 'Legend' });
    expect(await legend.textContent()).toContain('Mean · 170 MiB in all (30 MiB)');
    await open(page, 'cpusched');
    for (const key of ['ArrowDown', 'Enter']) await page.locator('.tracks .scroll canvas').press(key);
    expect(await page.getByRole('complementary', { name: 'Selected track' }).textContent()).toContain('of the base');
  });
});

describe('a gap between the bars', () => {
  test('tells why the task waited, and with which stack it left its CPU', async () => {
    const page = await openPage(await waits());
    await open(page, 'cpusched');
    const canvas = page.locator('.tracks .scroll canvas');
    const box = (await canvas.boundingBox())!;
    const place = (seconds: number) => ({ x: 190 + ((box.width - 190) * seconds) / 1, y: 26 + 12 });
    await canvas.click({ position: place(0.35) });
    const panel = page.getByRole('complementary', { name: 'Selected track' });
    const text = (await panel.textContent())!;
    expect(text).toContain('waiting for a disk (D) · 200 ms');
    expect(text).toContain('woken by swapper/0(0)');
    expect(text).toContain('How it left its CPU: disk');
    expect(await panel.locator('.stack li').allTextContents()).toEqual(['io_schedule', 'read_block', '[disk]', 'web']);
    await panel.getByRole('button', { name: 'Only this span' }).click();
    expect(await filters(page).textContent()).toContain('0.3 to 0.5 s ✕task 7 ✕');
    await open(page, 'offcpu');
    expect(await page.locator('.status').textContent()).toMatch(/^all: 300 ms/);
  });

  test('or from the list of the longest waits, by keyboard', async () => {
    // So low that the list is below what is seen.
    const page = await openPage(await waits(), { height: 500 });
    await open(page, 'cpusched');
    for (const key of ['ArrowDown', 'Enter']) await page.locator('.tracks .scroll canvas').press(key);
    const panel = page.getByRole('complementary', { name: 'Selected track' });
    await panel.getByTitle('Why it waited').first().press('Enter');
    expect(await panel.textContent()).toContain('How it left its CPU: disk');
    expect(await panel.evaluate((element) => element.scrollTop)).toBe(0);
    // It is in the address.
    await theAddress(page);
    await page.reload();
    await page.waitForSelector('#app[data-ready="true"]');
    expect(await panel.textContent()).toContain('How it left its CPU: disk');
    await page.locator('.tracks .scroll canvas').press('Escape');
    expect(await panel.textContent()).not.toContain('How it left its CPU');
  });
});

/** A task that waits for a disk from 0.3 s on, is ready at 0.5 s and runs at 0.6 s; and its stack, seen a little later. */
async function waits(): Promise<string> {
  const end = { end: '2026-03-01T09:30:01.000Z' };
  await writeFile(place.path('waits.marple'), [
    {
      header: headerOf('event', {
        ...end,
        interface: 'cpusched',
        fields: SCHEDULER_FIELDS,
      }),
      records: [
        { time: 100e6, type: 'switch', datum: ['0', '0', 'swapper/0', '7', 'web', 'R'] },
        { time: 300e6, type: 'switch', datum: ['0', '7', 'web', '0', 'swapper/0', 'D'] },
        { time: 500e6, type: 'wakeup', datum: ['0', '0', 'swapper/0', '7', 'web', ''] },
        { time: 600e6, type: 'switch', datum: ['0', '0', 'swapper/0', '7', 'web', 'R'] },
        { time: 900e6, type: 'switch', datum: ['0', '7', 'web', '0', 'swapper/0', 'S'] },
      ],
    },
    {
      header: headerOf('stack', { ...end, interface: 'offcpu', weight: { label: 'time off the CPU', unit: 'ns' } }),
      records: [
        { weight: 300e6, stack: ['web', '[disk]', 'read_block', 'io_schedule'] },
        { weight: 50e6, stack: ['web', '[sleeping]', 'nanosleep'] },
      ],
    },
    {
      header: headerOf('event', { ...end, interface: 'offcpu', fields: ['stack', 'cpu', 'pid', 'tid', 'weight'] }),
      records: [
        { time: 300_004_000, type: 'disk', datum: ['0', '0', '7', '7', '300000000'] },
        { time: 900_004_000, type: 'sleeping', datum: ['1', '0', '7', '7', '50000000'] },
      ],
    },
  ]);
  expect(await place.marple(['display', '-i', 'waits.marple', '-r', '-o', 'waits.html', '--force'])).toMatchObject({
    code: 0,
  });
  return place.path('waits.html');
}

/** What a button of the save bar gives. */
async function saved(page: Page, button: string): Promise<[name: string, bytes: Buffer]> {
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: button, exact: true }).click(),
  ]);
  return [file.suggestedFilename(), readFileSync(await file.path())];
}

describe('save', () => {
  test('the programs as CSV, in full', async () => {
    const page = await openPage(await report());
    await page.getByRole('button', { name: 'Save' }).click();
    const [name, csv] = await saved(page, 'CSV');
    expect(name).toBe('marple-overview.csv');
    const lines = csv.toString().split('\r\n');
    expect(lines[0]).toContain('Program,Pids,On CPU (s),Ready (s),');
    expect(lines[1]).toMatch(/^db,10,6(\.0*1\d*)?,.*,500,90,1,49.8,30$/);
    expect(lines.find((line) => line.includes('owned'))).toContain('"""></script>');
  });

  test.each([
    ['callstack', 'Flame graph', 'stack,total (samples),self (samples)', 'db;main;query,500,500'],
    ['callstack', 'Treemap', 'box,level,samples,share of all', 'db,1,500,0.5555555555555556'],
    ['callstack', 'Functions', 'function,self (samples),total (samples)', 'query,500,500'],
    ['disklat', 'Heat map', 'time (s) from,to,latency (ms) from,to,records', /^0,0\.\d+,.*,1$/],
    ['memtime', 'Stack plot', 'time (s),web,db', '9,230,30'],
    ['cpusched', undefined, 'time_ns,type,cpu,pid,comm,other_pid,other_comm,state', '60000000,switch,0,10,db,20,web,D'],
  ])('%s as %s, as CSV, PNG and SVG', async (group, view, head, row) => {
    const page = await openPage(await report());
    await open(page, group);
    if (view !== undefined) await open(page, view);
    await page.getByRole('button', { name: 'Save' }).click();
    const [, csv] = await saved(page, 'CSV');
    const lines = csv.toString().split('\r\n');
    expect(lines[0]).toBe(head);
    expect(lines.some((line) => (typeof row === 'string' ? line === row : row.test(line)))).toBe(true);
    const [picture, png] = await saved(page, 'PNG');
    expect(picture).toMatch(/^marple-\d-[a-z]+\.png$/);
    expect(png.subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n');
    expect(png.readUInt32BE(16)).toBe(1280);
    const [, svg] = await saved(page, 'SVG');
    const { names, text } = await page.evaluate<{ names: string[]; text: string }>(
      `(() => {
        const root = new DOMParser().parseFromString(${JSON.stringify(svg.toString())}, 'image/svg+xml').documentElement;
        const all = [root, ...root.querySelectorAll('*')].map((element) => element.nodeName);
        return { names: [...new Set(all)], text: root.textContent };
      })()`,
    );
    // Nothing but shapes and text, whatever the names are.
    expect(names.filter((name) => !/^(svg|defs|g|rect|path|text|image|clipPath)$/.test(name))).toEqual([]);
    expect(text).toContain('everything');
    expect(text).toContain(view === 'Heat map' ? 'latency (ms)' : 'db');
  });

  test('a data file of just the selection, with the numbers of stats for the same', async () => {
    const page = await openPage(await report());
    await dragTime(page, 4, 7);
    await only(page, 'db');
    await page.getByRole('button', { name: 'Save' }).click();
    expect(await page.getByRole('toolbar', { name: 'Save' }).textContent()).toContain('without 2 sections');
    const [name, bytes] = await saved(page, 'data file');
    expect(name).toBe('marple-overview.marple');
    writeFileSync(place.path('saved.marple'), bytes);
    const [from, to] = await theTime(page);
    const part = await statsIn('saved.marple');
    const whole = await stats('--from', from, '--to', to, '--comm', '^db$');
    expect(part.map((section) => section.interface)).toEqual([
      'cpusched',
      'callstack',
      'callstack',
      'disklat',
      'memtime',
    ]);
    for (const [interfaceName, kind] of [
      ['callstack', 'stacks'],
      ['disklat', 'points'],
      ['memtime', 'trends'],
    ] as const) {
      expect(statsOf(part, interfaceName, kind)[kind]).toEqual(statsOf(whole, interfaceName, kind)[kind]);
    }
    const times = (all: readonly SectionStats[]) => statsOf(all, 'cpusched', 'scheduling').scheduling!.processes;
    expect(times(part).find(({ comm }) => comm === 'db')?.switches).toBe(times(whole)[0]!.switches);
    expect(await place.marple(['display', '-i', 'saved.marple', '-o', 'saved.html'])).toMatchObject({ code: 0 });
  });

  test('all of it gives the records that were there, and a function those that name it', async () => {
    const page = await openPage(await report());
    await page.getByRole('button', { name: 'Save' }).click();
    const [, all] = await saved(page, 'data file');
    const records = (text: string): string[] => text.split('\n').filter((line) => !line.startsWith('{'));
    expect(records(all.toString())).toEqual(records(readFileSync(place.path('x.marple'), 'utf8')));
    await open(page, 'callstack');
    await open(page, 'Functions');
    await page.locator('.table tr', { hasText: 'render' }).getByRole('button', { name: 'only' }).click();
    const [, some] = await saved(page, 'data file');
    const own = records(some.toString());
    expect(own[0]).toBe('300#web;main;render');
    expect(own).toHaveLength(1 + 300 + 1);
    expect(own.slice(1, -1).every((line) => line.includes(',cpu-clock,0,0,20,20,1'))).toBe(true);
  });

  test('the command that it offers makes a data file of just the selection', async () => {
    const page = await openPage(await report());
    await dragTime(page, 4, 7);
    await only(page, 'db');
    await page.getByRole('button', { name: 'Save' }).click();
    const command = await page.getByRole('textbox', { name: 'or by' }).inputValue();
    expect(command).toContain(' -e 1,2,3,4,5');
    const words = command.replaceAll("'", '').split(' ').slice(1);
    const [from, to] = await theTime(page);
    expect(await place.marple(words.map((word) => (word === 'FILE' ? 'x.marple' : word)))).toMatchObject({ code: 0 });
    const part = statsOf(await statsIn('part.marple'), 'disklat', 'points').points!.all;
    expect(part).toEqual(
      statsOf(await stats('--from', from, '--to', to, '--comm', '^db$'), 'disklat', 'points').points!.all,
    );
    expect(part.count).toBe(27);
  });
});

test('names that look like HTML are text, in every view, whatever they are of', async () => {
  const more = { ...END, fields: [HOSTILE], tool: { name: HOSTILE, version: HOSTILE, command: [HOSTILE, '\x1b[31m'] } };
  await writeFile(place.path('hostile.marple'), [
    {
      header: headerOf('event', { ...END, interface: 'cpusched', fields: SCHEDULER_FIELDS, tool: more.tool }),
      records: [
        { time: 1e9, type: 'switch', datum: ['0', '0', 'swapper/0', '30', HOSTILE, 'R'] },
        { time: 2e9, type: HOSTILE, datum: ['0', '30', HOSTILE, '30', HOSTILE, HOSTILE] },
        { time: 3e9, type: 'switch', datum: ['0', '30', HOSTILE, '0', 'swapper/0', HOSTILE] },
      ],
    },
    {
      header: headerOf('stack', { ...END, interface: 'callstack', weight: { label: HOSTILE, unit: HOSTILE } }),
      records: [{ weight: 3, stack: [HOSTILE, HOSTILE, `${HOSTILE}\n\x07`] }],
    },
    {
      header: headerOf('event', { ...END, interface: 'callstack', fields: ['stack', 'cpu', 'pid', 'tid', 'weight'] }),
      records: [{ time: 1e9, type: HOSTILE, datum: ['0', '0', '30', '30', '3'] }],
    },
    {
      header: headerOf('datapoint', {
        ...more,
        interface: HOSTILE,
        host: HOSTILE,
        x: TIME,
        y: { label: HOSTILE, unit: HOSTILE },
        warnings: [HOSTILE],
      }),
      records: [
        { x: 1, y: 1, info: [HOSTILE] },
        { x: 2, y: 5, info: [HOSTILE] },
      ],
    },
  ]);
  const made = await place.marple(['display', '-i', 'hostile.marple', '-r', '-o', 'hostile.html', '--force']);
  expect(made).toMatchObject({ code: 0 });
  const page = await openPage(place.path('hostile.html'), { dark: true, width: 2560, height: 1300 });
  const look = async (): Promise<void> => {
    const text = (await page.locator('#app').textContent())!;
    expect(text).toContain('<script>');
    expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f\u202e]/);
    expect(await page.locator('#app').locator('img, script').count()).toBe(0);
    expect(await page.title()).not.toBe('owned');
  };
  const tabs = await page.getByRole('tab').allTextContents();
  for (const [i] of tabs.entries()) {
    await page.getByRole('tablist').first().getByRole('tab').nth(i).click();
    await look();
    const views = page.getByRole('tablist').nth(1).getByRole('tab');
    for (let view = 0; view < (await views.count()); view++) {
      await views.nth(view).click();
      const canvas = page.locator('.view canvas').last();
      if ((await canvas.count()) > 0) {
        await canvas.focus();
        for (const key of ['ArrowUp', 'ArrowDown', 'Enter']) await page.keyboard.press(key);
        await canvas.hover({ position: { x: 600, y: 30 } });
      }
      await look();
    }
  }
  await open(page, 'Overview');
  await page.locator('table.processes').getByRole('button', { name: 'owned' }).first().click();
  await page.getByRole('button', { name: 'Save' }).click();
  await look();
});

test('what was really collected has the numbers that stats has, all of it and a part', async () => {
  const interfaces = ['cpusched', 'callstack', 'disklat', 'memtime'];
  const collected = await place.marple(['collect', ...interfaces, '-t', '1.5', '-o', 'real.marple']);
  expect(collected.code).toBe(0);
  expect(await place.marple(['display', '-i', 'real.marple', '-o', 'real.html'])).toMatchObject({ code: 0 });
  const page = await openPage(place.path('real.html'));
  const compare = async (...flags: readonly string[]): Promise<void> => {
    const all = await statsIn('real.marple', ...flags);
    const table = await programs(page);
    const tasks = statsOf(all, 'cpusched', 'scheduling').scheduling!.processes;
    const stacks = statsOf(all, 'callstack', 'stacks').stacks!.processes;
    const memory = statsOf(all, 'memtime', 'trends').trends!.processes;
    const expected = [
      ...tasks.filter(({ cpu_seconds: s }) => s > 0).map((t) => [t.comm, 'On CPU (s)', formatValue(t.cpu_seconds)]),
      ...stacks.map(({ name, weight }) => [name, 'CPU samples', formatCount(weight)]),
      ...memory.map(({ comm, last }) => [comm, 'Memory (MiB)', formatValue(last!)]),
    ] as const;
    expect(expected.length).toBeGreaterThan(5);
    // Stacks have `_` for the spaces of a name; the page has them as the other sections do.
    const rowOf = (comm: string) =>
      table[comm] ?? Object.entries(table).find(([own]) => own.replaceAll(' ', '_') === comm)?.[1];
    const shown = expected.map(([comm, column]) => [comm, column, rowOf(visible(comm!) || '(no name)')?.[column!]]);
    expect(shown).toEqual(expected);
  };
  await compare();
  await lanes(page).focus();
  await page.keyboard.press('ArrowRight');
  await filters(page).getByRole('button', { name: ' s ✕' }).waitFor();
  const [from, to] = await theTime(page);
  await compare('--from', from, '--to', to);
});
