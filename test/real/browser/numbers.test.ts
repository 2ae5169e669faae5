import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import type { SectionStats } from '../../../src/analysis/stats.ts';
import { formatCount, formatValue, plural } from '../../../src/common/text.ts';
import { formatDuration } from '../../../src/display/shape/time-scale.ts';
import { makePlace, type Place } from '../../e2e/marple.ts';
import { openPage } from '../../support/browser.ts';
import { headerOf, writeFile } from '../../support/data-files.ts';

const END = '2026-03-01T09:30:10.000Z';
const SECONDS = { label: 'time', unit: 's' };
const NAMES = ['fio', 'nginx', 'swapper'] as const;
/** Numbers that spread, the same in every run. */
const spread = (i: number): number => 0.05 + ((i * 7919) % 1009) ** 2 / 1e4;

let place: Place;
beforeAll(async () => {
  place = makePlace();
  await writeFile(place.path('x.marple'), [
    {
      header: headerOf('stack', { interface: 'callstack', end: END, weight: { label: 'samples', unit: 'samples' } }),
      records: NAMES.map((name) => ({ weight: 400, stack: [name, 'main', 'work'] })),
    },
    {
      header: headerOf('event', {
        interface: 'callstack',
        end: END,
        fields: ['stack', 'cpu', 'pid', 'tid', 'weight'],
      }),
      records: Array.from({ length: 1200 }, (_, i) => ({
        time: Math.round(i * 8.3e6),
        type: 'cpu-clock',
        datum: [String(i % 3), '0', String([10, 20, 0][i % 3]), '1', '1'],
      })),
    },
    {
      header: headerOf('datapoint', {
        interface: 'disklat',
        end: END,
        x: SECONDS,
        y: { label: 'latency', unit: 'ms' },
        fields: ['comm', 'pid'],
      }),
      records: Array.from({ length: 3000 }, (_, i) => ({ x: i / 300, y: spread(i), info: ['fio', '10'] })),
    },
    {
      header: headerOf('datapoint', {
        interface: 'memtime',
        end: END,
        x: SECONDS,
        y: { label: 'PSS', unit: 'MiB' },
        fields: ['comm', 'pid'],
      }),
      records: Array.from({ length: 60 }, (_, i) => ({
        x: Math.floor(i / 3) / 2,
        y: 100 * spread(i),
        info: [['fio', 'nginx', 'bash'][i % 3]!, String(i % 3)],
      })),
    },
    {
      header: headerOf('event', {
        interface: 'cpusched',
        end: END,
        cpus: 1,
        fields: ['cpu', 'pid', 'comm', 'other_pid', 'other_comm', 'state'],
      }),
      records: Array.from({ length: 400 }, (_, i) => ({
        time: Math.round(1e6 + i * 2.4e7 + spread(i) * 1e4),
        type: 'switch',
        datum: i % 2 === 0 ? ['0', '0', 'swapper/0', '10', 'fio', 'R'] : ['0', '10', 'fio', '0', 'swapper/0', 'S'],
      })),
    },
  ]);
  return () => place.remove();
});

const RANGES = [[], ['--from', '2.2', '--to', '7.1']] as const;

describe.each(RANGES.map((range) => [range.join(' ') || 'all of it', range] as const))(
  'what a page says is what stats says: %s',
  (_, range) => {
    async function stats(section: number): Promise<SectionStats> {
      const args = ['stats', '-i', 'x.marple', '-e', String(section), '--json=s.json', ...range];
      expect(await place.marple(args)).toMatchObject({ code: 0 });
      return (JSON.parse(readFileSync(place.path('s.json'), 'utf8')) as { sections: SectionStats[] }).sections[0]!;
    }

    async function open(flag: string, section: number): Promise<Page> {
      const args = ['display', '-i', 'x.marple', flag, '-e', String(section), '-o', 'x.html', '--force', ...range];
      expect(await place.marple(args)).toMatchObject({ code: 0 });
      return openPage(join(place.dir, 'x.html'));
    }

    const status = (page: Page) => page.locator('.status');

    test.each(['-fg', '-tm'])('stacks, %s', async (flag) => {
      const { total, idle } = (await stats(1)).stacks!;
      expect(total).toBeGreaterThan(100);
      const page = await open(flag, 1);
      await page.getByRole('button', { name: `Idle (${formatCount(idle)} samples)` }).waitFor();
      if (flag === '-fg') expect(await status(page).textContent()).toContain(`all: ${formatCount(total)} samples`);
      await page.locator('.view canvas').focus();
      await page.keyboard.press('ArrowUp');
      if (flag === '-tm') await page.mouse.move(200, 300);
      const fio = (await stats(1)).stacks!.processes.find(({ name }) => name === 'fio')!;
      await expect.poll(() => status(page).textContent()).toContain(`fio: ${formatCount(fio.weight)} samples`);
    });

    test('samples within each second', async () => {
      const { records, events } = await stats(2);
      expect(events?.all.count).toBe(records);
      const page = await open('-hm', 2);
      await page.getByRole('button', { name: /^Idle/ }).click();
      await expect.poll(() => status(page).textContent()).toContain(plural(records, 'sample'));
    });

    test('heat map', async () => {
      const { count, p50, p99, max } = (await stats(3)).points!.all;
      const [half, most, all] = [p50, p99, max].map((value) => `${formatValue(value!)} ms`);
      const page = await open('-hm', 3);
      expect(await status(page).textContent()).toContain(
        `${plural(count, 'record')} · p50 ${half} · p99 ${most} · max ${all}`,
      );
    });

    test('stack plot', async () => {
      const { last, max } = (await stats(4)).trends!.all;
      const page = await open('-sp', 4);
      expect(await status(page).textContent()).toContain(
        `total ${formatValue(last!)} MiB at the end, at most ${formatValue(max!)} MiB`,
      );
    });

    test('timeline', async () => {
      const { processes } = (await stats(5)).scheduling!;
      const fio = processes.find(({ comm }) => comm === 'fio')!;
      const page = await open('-plt', 5);
      const box = (await page.locator('.tracks .scroll canvas').boundingBox())!;
      await page.mouse.click(box.x + 60, box.y + 26 + 12);
      const panel = page.locator('aside.selection');
      await expect.poll(() => panel.textContent()).toContain(`Running${formatDuration(fio.cpu_seconds * 1e9)}`);
      expect(await panel.textContent()).toContain(`Left a CPU${plural(fio.switches, 'time')}`);
    });
  },
);
