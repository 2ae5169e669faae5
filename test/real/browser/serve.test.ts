import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SectionStats } from '../../../src/analysis/stats.ts';
import { formatCount, formatValue } from '../../../src/common/text.ts';
import { makePlace, type Place } from '../../e2e/marple.ts';
import { type PageOptions, servedPage } from '../../support/browser.ts';
import { headerOf, writeFile } from '../../support/data-files.ts';
import { LARGE_SECONDS, writeLargeFile } from '../../support/large-file.ts';
import { type Served, serve } from '../../support/serve.ts';

/** Names that would do harm if they were taken for HTML or script. */
const HOSTILE = '"><script>document.title="owned"<!--<img src=x onerror=alert(1)>\u202e';

const place: Place = makePlace();
afterAll(() => place.remove());

async function leak(path: string, stack = ['leaky', 'main']): Promise<void> {
  await writeFile(path, [
    { header: headerOf('stack', { interface: 'memleak', host: 'box' }), records: [{ weight: 3, stack }] },
  ]);
}

describe('the list of files', () => {
  let folders = 0;
  /** A server of a folder of its own, with one file. */
  async function served(): Promise<{ folder: string; list: (options?: PageOptions) => Promise<Page>; server: Served }> {
    const name = `runs-${++folders}`;
    const folder = place.path(name);
    mkdirSync(folder);
    await writeLargeFile(`${folder}/a.marple`, { events: 20_000, ios: 3000, samples: 5000 });
    const server = await serve(place, [name]);
    const list = async (options?: PageOptions): Promise<Page> => {
      const page = await servedPage(server.url, options);
      await page.waitForSelector('.files tbody tr');
      return page;
    };
    return { folder, list, server };
  }

  test('a click on a name opens the report, and back is the list', async () => {
    const page = await (await served()).list();
    expect(await page.title()).toBe('MARPLE: data files');
    expect(await page.textContent('.files tbody')).toMatch(
      /2026-03-01 09:30:00\s*60\s*[\d.]+ MB\s*box\s*a\.marple\s*cpusched, disklat, callstack/,
    );
    await page.getByRole('link', { name: 'a.marple' }).click();
    await page.waitForSelector('#app[data-ready="true"]');
    expect(await page.title()).toBe('a.marple');
    expect(await page.textContent('h1')).toBe('a.marple');
    expect(await page.getByRole('tab').allInnerTexts()).toEqual([
      'Overview',
      'cpusched',
      'disklat',
      'callstack',
      'About this data',
    ]);
    // It fits: nothing is left out, and nothing is said of that.
    expect(await page.locator('.reduced').count()).toBe(0);
    await page.goBack();
    await page.waitForSelector('.files tbody tr');
  });

  test('a file that comes appears by itself, and goes by itself', async () => {
    const { folder, list } = await served();
    const page = await list();
    await leak(`${folder}/b.marple`);
    await page.getByRole('link', { name: 'b.marple' }).waitFor();
    expect(await page.textContent('.files tr.new')).toMatch(/b\.marple new\s+memleak/);
    expect(await page.textContent('header')).toMatch(/2 files/);
    rmSync(`${folder}/b.marple`);
    await page.getByRole('link', { name: 'b.marple' }).waitFor({ state: 'detached' });
  });

  test('an unfinished run is shown as one, and can be opened', async () => {
    const { folder, list } = await served();
    mkdirSync(`${folder}/now.marple.partial`);
    const header = headerOf('stack', { interface: 'memleak' });
    writeFileSync(`${folder}/now.marple.partial/00-memleak-stack.section`, `${JSON.stringify(header)}\n3#leaky;main\n`);
    const page = await list();
    expect(await page.locator('tr', { hasText: 'now.marple.partial' }).textContent()).toMatch(/unfinished run/);
    await page.getByRole('link', { name: 'now.marple.partial' }).click();
    await page.waitForSelector('#app[data-ready="true"]');
    await page.getByRole('tab', { name: 'About this data' }).click();
    expect(await page.textContent('.about')).toMatch(/cut off/);
  });

  test('what cannot be read says why, and is no link', async () => {
    const { folder, list } = await served();
    writeFileSync(`${folder}/broken.marple`, 'hello\n');
    const page = await list();
    const row = page.locator('tr', { hasText: 'broken.marple' });
    expect(await row.textContent()).toMatch(/this is no MARPLE data file/);
    expect(await row.getByRole('link').count()).toBe(0);
  });

  test('names that look like HTML, or are no text at all, are text', async () => {
    const { folder, list } = await served();
    await leak(`${folder}/x.marple`, [HOSTILE, 'main']);
    const name = Buffer.concat([Buffer.from(`${HOSTILE}\x1b[31m`), Buffer.of(0xff), Buffer.from('.marple')]);
    renameSync(
      `${folder}/x.marple`,
      Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name.toString('latin1').replaceAll('/', ''), 'latin1')]),
    );
    const page = await list();
    const link = page.getByRole('link', { name: /<script>/ });
    const shown = (await link.textContent())!;
    expect(shown).toMatch(
      /^"><script>document\.title="owned"<!--<img src=x onerror=alert\(1\)>\\u\{202e\}\\x1b\[31m\\xff\.marple$/,
    );
    await link.click();
    await page.waitForSelector('#app[data-ready="true"]');
    expect(await page.title()).toBe(shown);
    expect(await page.textContent('h1')).toBe(shown);
    await page.getByRole('tab', { name: 'memleak' }).click();
    await page.getByRole('tab', { name: 'Functions' }).click();
    expect(await page.textContent('.view')).toContain('"><script>document.title="owned"');
    expect(await page.locator('img, script:not([src])').count()).toBe(0);
  });

  test('is searched and sorted, by keys alone too', async () => {
    const { folder, list } = await served();
    await leak(`${folder}/b.marple`);
    const page = await list();
    const names = (): Promise<string[]> => page.locator('.files tbody a').allInnerTexts();
    await page.getByRole('button', { name: 'Size' }).click();
    expect(await names()).toEqual(['a.marple', 'b.marple']);
    await page.keyboard.press('/');
    await page.keyboard.type('memleak');
    expect(await names()).toEqual(['b.marple']);
    expect(await page.textContent('header')).toMatch(/2 files, 1 of them shown/);
    await page.locator('.files tbody a').focus();
    await page.keyboard.press('Enter');
    await page.waitForSelector('#app[data-ready="true"]');
    expect(await page.textContent('h1')).toBe('b.marple');
  });

  test('says so when the server has ended', async () => {
    const { list, server } = await served();
    const page = await list();
    page.removeAllListeners('console');
    server.kill('SIGINT');
    await server.ended;
    await page.getByRole('alert').waitFor();
    expect(await page.textContent('[role=alert]')).toMatch(/the server has ended/);
    expect(await page.locator('.files tbody tr').count()).toBe(1);
  });

  test('a file that has changed since its report was opened is not mixed with what it was', async () => {
    const { folder, server } = await served();
    await writeLargeFile(`${folder}/big.marple`, { events: 1000, ios: 1_100_000, samples: 0 });
    const page = await reportOf(server, 'big.marple');
    rmSync(`${folder}/big.marple`);
    await writeLargeFile(`${folder}/big.marple`, { events: 1000, ios: 1_200_000, samples: 0 });
    // Another page of the file as it is now.
    await reportOf(server, 'big.marple');
    await selectTime(page, 10, 12);
    await page.getByRole('alert').waitFor();
    expect(await page.textContent('[role=alert]')).toMatch(/the file has changed since this page was opened/);
  }, 240_000);
});

async function reportOf(
  server: Served,
  name: string,
  options: PageOptions & { readonly hash?: string } = {},
): Promise<Page> {
  const { files } = (await (await fetch(`${server.url}files`)).json()) as { files: { id: string; name: string }[] };
  const { id } = files.find((file) => file.name === name)!;
  const page = await servedPage(`${server.url}report/${id}${options.hash ?? ''}`, options);
  await page.waitForSelector('#app[data-ready="true"]', { timeout: 180_000 });
  return page;
}

/** Drags in the lanes from one time to another. */
async function selectTime(page: Page, from: number, to: number): Promise<void> {
  const box = (await page.locator('.lanes canvas').boundingBox())!;
  const labels = 256;
  const x = (seconds: number): number => box.x + labels + (box.width - labels) * (seconds / LARGE_SECONDS);
  await page.mouse.move(x(from), box.y + 20);
  await page.mouse.down();
  await page.mouse.move(x(to), box.y + 20, { steps: 4 });
  await page.mouse.up();
}

/** The table of programs: by name, the cells by their title. */
async function programs(page: Page): Promise<Map<string, Record<string, string>>> {
  const titles = await page.locator('.processes th').allInnerTexts();
  const rows = new Map<string, Record<string, string>>();
  for (const row of await page.locator('.processes tbody tr').all()) {
    const cells = await row.locator('td').allInnerTexts();
    const name = cells[0]!.split(/\s/)[0]!;
    rows.set(name, Object.fromEntries(titles.map((title, i) => [title.replace(/ ▾$/, ''), cells[i]!.trim()])));
  }
  return rows;
}

describe('a file that is larger than a page', () => {
  let server: Served;
  beforeAll(async () => {
    await writeLargeFile(place.path('large.marple'), { events: 4_200_000, ios: 1_050_000, samples: 1_100_000 });
  }, 120_000);

  async function statsOf(...flags: string[]): Promise<SectionStats[]> {
    const ended = await place.marple(['stats', '-i', 'large.marple', '--json', ...flags]);
    return (JSON.parse(ended.stdout) as { sections: SectionStats[] }).sections;
  }

  /** The numbers of the table, as stats says them. */
  async function expectNumbers(page: Page, sections: readonly SectionStats[], exact: 'all' | 'counted'): Promise<void> {
    const rows = await programs(page);
    const [sched, disk] = [sections[0]!.scheduling!, sections[1]!.points!];
    expect(rows.size).toBe(6);
    expect(sched.processes.length).toBe(6);
    for (const { comm, cpu_seconds, waits } of sched.processes) {
      const wait = (reason: string): number => waits.find((each) => each.reason === reason)!.seconds;
      expect(rows.get(comm)).toMatchObject({
        'On CPU (s)': formatValue(cpu_seconds),
        'Ready (s)': formatValue(wait('runnable')),
        'Disk wait (s)': formatValue(wait('disk')),
      });
    }
    for (const { comm, count, p50, p99 } of disk.processes) {
      const [sign, most] = exact === 'all' ? ['', 0.002] : ['≈ ', 0.02];
      if (exact === 'all') expect(rows.get(comm)!['Disk I/Os']).toBe(formatCount(count));
      // Quantiles of stats are within 0.05 % for groups, and both have three digits.
      for (const [title, number] of [
        ['Disk I/Os', count],
        ['I/O p50 (ms)', p50!],
        ['I/O p99 (ms)', p99!],
      ] as const) {
        const shown = Number(rows.get(comm)![`${sign}${title}`]!.replaceAll(',', ''));
        expect(Math.abs(shown - number) / number, title).toBeLessThan(most);
      }
    }
    const samples = [...rows.values()].reduce((sum, row) => sum + Number(row['CPU samples']!.replaceAll(',', '')), 0);
    expect(samples).toBe(sections[2]!.stacks!.total);
  }

  /** The timeline of the scheduler: of sums, and of the events themselves once they are few enough. */
  async function expectTimeline(page: Page, whole: SectionStats): Promise<void> {
    const status = (): Promise<string | null> => page.textContent('.status');
    await expect.poll(status).toMatch(/^Reduced to sums of 29\.3 ms; zoom in for the events · 0\.000 s to 60\.000 s/);
    // What tasks did is the same as in the table of programs, which has it from stats.
    const { processes } = whole.scheduling!;
    const panel = page.getByRole('complementary', { name: 'Selected track' });
    await page.getByRole('searchbox').fill('comm=^nginx$');
    await expect.poll(status).toMatch(/3 tracks of 18$/);
    const canvas = page.locator('.tracks .scroll canvas');
    await canvas.focus();
    let running = 0;
    for (let track = 0; track < 3; track++) {
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Enter');
      running += Number.parseFloat((await panel.locator('dd').first().textContent())!);
    }
    const nginx = processes.find(({ comm }) => comm === 'nginx')!;
    expect(Math.abs(running - nginx.cpu_seconds) / nginx.cpu_seconds).toBeLessThan(0.01);
    expect(await panel.textContent()).toContain('These are sums');

    // Fewer seconds: finer sums, then the events, and the same track is still chosen.
    const chosen = await panel.locator('h2').textContent();
    for (let i = 0; i < 3; i++) await page.keyboard.press('+');
    await expect
      .poll(status, { timeout: 60_000 })
      .toMatch(/^Reduced to sums of (?!29\.3)[\d.]+ ms; zoom in for the events/);
    for (let i = 0; i < 8; i++) await page.keyboard.press('+');
    await expect.poll(status, { timeout: 60_000 }).toMatch(/^All events of this time · /);
    expect(await panel.locator('h2').textContent()).toBe(chosen);
    expect(await panel.textContent()).toContain('Left a CPU');
    // Farther away it is sums again, until the events are there.
    await page.keyboard.press('Shift+ArrowRight');
    await page.keyboard.press('Shift+ArrowRight');
    await page.keyboard.press('Shift+ArrowRight');
    await expect.poll(status).toMatch(/^Reduced to sums of 29\.3 ms; reading more/);
    await expect.poll(status, { timeout: 60_000 }).toMatch(/^All events of this time · /);
    await page.keyboard.press('0');
    await expect.poll(status).toMatch(/^Reduced to sums of 29\.3 ms; zoom in/);
  }

  test('is refused by display -r, with the command that shows it', async () => {
    const ended = await place.marple(['display', '-r', '-i', 'large.marple', '-o', 'large.html', '--no-open']);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(/section 1 \(cpusched\) has more than 4,000,000 records, too many for one page/);
    expect(ended.stderr).toMatch(/hint: marple serve FILE shows all of it/);
  });

  test('is shown as a whole, and exactly where a range of time is selected', async () => {
    server = await serve(place, ['large.marple']);
    const page = await reportOf(server, 'large.marple');
    expect(await page.textContent('.reduced')).toMatch(
      /Shown are sums of 4,\d{3},\d{3} events of cpusched, [\d,]+ of 1,050,000 points of disklat, evenly picked and [\d,]+ of 1,100,000 events of callstack, evenly picked\./,
    );
    const all = await statsOf();
    await expectNumbers(page, all, 'counted');
    expect(await page.locator('ul[aria-label=Lanes] li').allInnerTexts()).toEqual([
      expect.stringMatching(/^cpusched: CPUs busy, at most 9\d(\.\d)? %$/),
      'disklat: longest latency, at most 500 ms',
      expect.stringMatching(/^callstack: samples, at most 18,\d{3} \/s$/),
    ]);

    await selectTime(page, 20, 22);
    await page.waitForSelector('.reduced', { state: 'detached' });
    const [, from = '', to = ''] = /only([\d.]+) to ([\d.]+) s/.exec((await page.textContent('.filters'))!)!;
    const { filters } = JSON.parse(decodeURIComponent(new URL(page.url()).hash.slice(1))) as {
      filters: { from: number; to: number }[];
    };
    expect([formatValue(filters[0]!.from), formatValue(filters[0]!.to)]).toEqual([
      formatValue(Number(from)),
      formatValue(Number(to)),
    ]);
    const range = ['--from', String(filters[0]!.from), '--to', String(filters[0]!.to)];
    const inRange = await statsOf(...range);
    await expectNumbers(page, inRange, 'all');

    await page.getByRole('tab', { name: 'disklat', exact: true }).click();
    expect(await page.textContent('.status')).toMatch(new RegExp(`^${formatCount(inRange[1]!.records)} records`));
    await page.getByRole('tab', { name: 'cpusched', exact: true }).click();
    await page.waitForSelector('.tracks');
    await page.getByRole('tab', { name: 'callstack', exact: true }).click();
    expect(await page.textContent('.status')).toContain(formatCount(inRange[2]!.stacks!.total));

    await page.keyboard.press('Control+z');
    await page.waitForSelector('.reduced');
    expect(await page.textContent('.status')).toContain('1,100,000');
    await page.getByRole('tab', { name: 'cpusched', exact: true }).click();
    await expectTimeline(page, all[0]!);
    await page
      .locator('.reduced')
      .getByRole('button', { name: /^Select \d+ s$/ })
      .click();
    await page.waitForSelector('.reduced', { state: 'detached' });
  }, 400_000);

  test('filters narrow the whole too, and what was counted of all stays exact', async () => {
    server = await serve(place, ['large.marple']);
    const page = await reportOf(server, 'large.marple');
    const before = await programs(page);
    await page.locator('.processes').getByRole('button', { name: 'nginx', exact: true }).click();
    const rows = await programs(page);
    expect([...rows.keys()]).toEqual(['nginx']);
    for (const title of ['On CPU (s)', 'Ready (s)', 'Disk wait (s)', 'CPU samples']) {
      expect(rows.get('nginx')![title]).toBe(before.get('nginx')![title]);
    }
    // By the CPU, which stacks do not know, samples are told from those that were picked.
    await page.keyboard.press('Control+z');
    const hash = `#${encodeURIComponent(JSON.stringify({ tab: 'overview', filters: [{ kind: 'field', field: 'cpu', values: ['1'], not: false }], views: {} }))}`;
    await page.goto(new URL(hash, page.url()).href);
    await page.getByRole('columnheader', { name: '≈ CPU samples' }).waitFor();
    const onOne = await programs(page);
    const sum = [...onOne.values()].reduce((all, row) => all + Number(row['≈ CPU samples']!.replaceAll(',', '')), 0);
    expect(Math.abs(sum - 275_000) / 275_000).toBeLessThan(0.02);
  }, 400_000);

  test('a pinned selection keeps its own records', async () => {
    server = await serve(place, ['large.marple']);
    const filters = [{ kind: 'time', from: 5, to: 6 }];
    const hash = `#${encodeURIComponent(JSON.stringify({ tab: 'overview', filters, base: [{ kind: 'time', from: 40, to: 42 }], views: {} }))}`;
    const page = await reportOf(server, 'large.marple', { hash });
    await page.waitForSelector('.reduced', { state: 'detached' });
    const [now, base] = [await statsOf('--from', '5', '--to', '6'), await statsOf('--from', '40', '--to', '42')];
    const rows = await programs(page);
    for (const { comm, cpu_seconds } of now[0]!.scheduling!.processes) {
      const other = base[0]!.scheduling!.processes.find((each) => each.comm === comm)!;
      expect(rows.get(comm)!['On CPU (s)']!.replace(/\s+/g, ' ')).toBe(
        `${formatValue(cpu_seconds)} (${formatValue(other.cpu_seconds)})`,
      );
    }
  }, 400_000);
});
