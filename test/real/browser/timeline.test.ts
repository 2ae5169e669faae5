import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import type { EventData } from '../../../src/common/datatypes.ts';
import { formatDuration } from '../../../src/display/shape/time-scale.ts';
import { makePlace, type Place } from '../../e2e/marple.ts';
import { openPage } from '../../support/browser.ts';
import { headerOf, writeFile } from '../../support/data-files.ts';

/** A name that would do harm if it was taken for HTML or script. */
const HOSTILE = '</script><img src=x onerror=alert(1)>';
const MS = 1e6;

const at = (ms: number, type: string, ...datum: string[]): EventData => ({ time: ms * MS, type, datum });
type Task = readonly [pid: string, comm: string];
const idle = (cpu: number): Task => ['0', `swapper/${cpu}`];
const [WORKER, READER, EVIL]: Task[] = [
  ['100', 'worker'],
  ['200', 'reader'],
  ['300', HOSTILE],
] as [Task, Task, Task];

/**
 * Ten rounds of 100 ms: the worker runs 60 of them on CPU 0 and wakes the reader, which waits 2 ms for CPU 1 and runs 10 there,
 * after which it waits for a disk.
 */
function rounds(): EventData[] {
  const events: EventData[] = [];
  for (let round = 0; round < 10; round++) {
    const start = 100 * round;
    events.push(
      at(start + 1, 'wakeup', '0', ...idle(0), ...WORKER!, 'hardirq>0'),
      at(start + 2, 'switch', '0', ...idle(0), ...WORKER!, 'R'),
      at(start + 20, 'wakeup', '0', ...WORKER!, ...READER!, '>1'),
      at(start + 22, 'switch', '1', ...idle(1), ...READER!, 'R'),
      at(start + 32, 'switch', '1', ...READER!, ...idle(1), 'D'),
      at(start + 62, 'switch', '0', ...WORKER!, ...idle(0), 'S'),
    );
  }
  events.push(at(990, 'switch', '1', ...idle(1), ...EVIL!, 'R'), at(995, 'switch', '1', ...EVIL!, ...idle(1), 'S'));
  return events;
}

const IPC = ['pid', 'comm', 'addr', 'port', 'other_pid', 'other_comm', 'other_addr', 'other_port', 'bytes'];
const CURL = ['10', 'curl', '127.0.0.1', '40000'];
const NGINX = ['20', 'nginx', '127.0.0.1', '80'];
const TALK = [
  at(10, 'connect', ...CURL, ...NGINX, ''),
  at(11, 'accept', ...NGINX, ...CURL, ''),
  at(20, 'send', ...CURL, ...NGINX, '2048'),
  at(30, 'send', ...NGINX, ...CURL, '100'),
  at(40, 'connect', '30', 'ssh', '10.0.0.1', '555', '', '', '10.0.0.2', '22', ''),
];

let place: Place;
beforeAll(async () => {
  place = makePlace();
  const end = '2026-03-01T09:30:01.000Z';
  const fields = ['cpu', 'pid', 'comm', 'other_pid', 'other_comm', 'state'];
  await writeFile(place.path('x.marple'), [
    { header: headerOf('event', { interface: 'cpusched', end, fields, cpus: 2 }), records: rounds() },
  ]);
  await writeFile(place.path('ipc.marple'), [
    {
      header: headerOf('event', { interface: 'ipc', end, fields: IPC, links: [['pid', 'other_pid']] }),
      records: TALK,
    },
  ]);
  return () => place.remove();
});

async function draw(input: string, ...flags: string[]): Promise<string> {
  const name = `${input}${flags.join('')}.html`;
  const args = ['display', '-i', input, '-plt', '-o', name, '--force', ...flags];
  expect(await place.marple(args)).toMatchObject({ code: 0 });
  return join(place.dir, name);
}

/** Above the first row: the ruler. Rows are 24 pixels high. */
const RULER = 26;
const LABELS = 190;

class View {
  left = 0;
  top = 0;
  width = 0;

  private constructor(readonly page: Page) {}

  static async open(path: string): Promise<View> {
    const view = new View(await openPage(path));
    await view.measure();
    return view;
  }

  /** To be called when the panel beside the tracks has come or gone. */
  async measure(): Promise<void> {
    const box = (await this.page.locator('.tracks .scroll canvas').boundingBox())!;
    [this.left, this.top, this.width] = [box.x, box.y, box.width];
  }

  /** A place on a track, at a share of the time that is shown; in the bars, or above them where the marks are. */
  at(row: number, share: number, where: 'bar' | 'mark' = 'bar'): [x: number, y: number] {
    const plot = this.width - LABELS;
    return [this.left + LABELS + share * plot, this.top + RULER + 24 * row + (where === 'bar' ? 16 : 5)];
  }

  async drag(from: [number, number], to: [number, number]): Promise<void> {
    await this.page.mouse.move(...from);
    await this.page.mouse.down();
    await this.page.mouse.move((from[0] + to[0]) / 2, (from[1] + to[1]) / 2);
    await this.page.mouse.move(...to);
    await this.page.mouse.up();
  }

  async clickLabel(row: number): Promise<void> {
    await this.page.mouse.click(this.left + 60, this.top + RULER + 24 * row + 12);
  }

  /** The range that is shown, and what it is said to be: from, to and how long. */
  async shown(): Promise<string> {
    const label = await this.page.locator('.tracks .scroll canvas').getAttribute('aria-label');
    return /, ([\d.\u202f]+ s to [\d.\u202f]+ s \([^)]+\))/.exec(label ?? '')![1]!;
  }

  status(): Promise<string | null> {
    return this.page.locator('.status').textContent();
  }

  async waitForStatus(pattern: RegExp): Promise<void> {
    await expect.poll(() => this.status()).toMatch(pattern);
  }
}

describe('the timeline of the scheduler', () => {
  test('has the busiest task first; hover tells what a task does, and why it sleeps', async () => {
    const view = await View.open(await draw('x.marple'));
    await view.waitForStatus(/^0\.000 s to 1\.000 s \(1 s\) · 3 tracks of 3/);
    await view.page.mouse.move(...view.at(0, 0.04));
    const tip = view.page.locator('.tip');
    expect(await tip.textContent()).toMatch(/^worker\(100\) running on cpu 0.*60 ms from 0\.002 s/);
    expect(await tip.textContent()).toContain('left with state S, then swapper/0(0) ran');
    await view.page.mouse.move(...view.at(1, 0.06));
    expect(await tip.textContent()).toMatch(/^reader\(200\) waiting for a disk \(D\).*88 ms from 0\.032 s/);
    expect(await tip.textContent()).toContain('woken by worker(100)');
    await view.page.mouse.move(...view.at(0, 0.001, 'mark'));
    expect(await tip.textContent()).toMatch(/^wakeup 0\.001 s.*other_pid100other_commworkerstatehardirq>0/);
  });

  test('a drag zooms to what is dragged over, the wheel at the pointer, down to nanoseconds; 0 shows all again', async () => {
    const view = await View.open(await draw('x.marple'));
    await view.drag(view.at(0, 0.2), view.at(1, 0.3));
    expect(await view.shown()).toMatch(/^0\.2\d+.* s to 0\.(29|30).*\(100? ms\)/);
    for (let turn = 0; turn < 60; turn++) await view.page.mouse.wheel(0, -400);
    await expect.poll(() => view.shown()).toMatch(/\(20 ns\)$/);
    await view.page.keyboard.press('0');
    await view.page.locator('.tracks .scroll canvas').focus();
    await view.page.keyboard.press('0');
    await expect.poll(() => view.shown()).toBe('0.000 s to 1.000 s (1 s)');
    for (let press = 0; press < 3; press++) await view.page.keyboard.press('+');
    await expect.poll(() => view.shown()).toMatch(/\(364\.4 ms\)$/);
    const before = await view.shown();
    await view.page.keyboard.press('ArrowRight');
    await expect.poll(() => view.shown()).not.toBe(before);
  });

  test('with Shift, or by hand, a drag moves', async () => {
    const view = await View.open(await draw('x.marple'));
    await view.drag(view.at(0, 0.4), view.at(0, 0.6));
    const [from] = (await view.shown()).split(' to ');
    await view.page.keyboard.down('Shift');
    await view.drag(view.at(0, 0.4), view.at(0, 0.9));
    await view.page.keyboard.up('Shift');
    await expect.poll(async () => (await view.shown()).split(' to ')[0]).not.toBe(from);
    // Half of the 200 ms that are shown, to the left.
    expect(await view.shown()).toMatch(/^0\.(29|30)\d*.* s to 0\.(49|50)/);
  });

  test('a click on a label tells what the task did, with the numbers of marple stats', async () => {
    const path = await draw('x.marple');
    const view = await View.open(path);
    await view.clickLabel(1);
    const panel = view.page.locator('aside.selection');
    await panel.waitFor();
    const ended = await place.marple(['stats', '-i', 'x.marple', '--pid', '200', '--json=s.json']);
    expect(ended).toMatchObject({ code: 0 });
    const stats = JSON.parse(readFileSync(place.path('s.json'), 'utf8')) as {
      sections: {
        scheduling: {
          processes: {
            cpu_seconds: number;
            latency: { p99: number; count: number };
            waits: { reason: string; seconds: number }[];
          }[];
        };
      }[];
    };
    const [reader] = stats.sections[0]!.scheduling.processes;
    const text = (await panel.textContent())!;
    expect(text).toContain(`Running${formatDuration(reader!.cpu_seconds * 1e9)}`);
    expect(text).toContain(`From ready to running (${reader!.latency.count})`);
    expect(text).toContain(`p99${formatDuration(reader!.latency.p99 * 1e6)}`);
    const disk = reader!.waits.find(({ reason }) => reason === 'disk')!.seconds;
    expect(text).toContain(`Waiting for a disk (D)${formatDuration(disk * 1e9)}`);
    expect(text).toMatch(/Woken by10100 %worker\(100\)/);
    // From the waker one gets on to it.
    await panel.getByRole('button', { name: 'worker(100)' }).click();
    expect(await panel.locator('h2').textContent()).toBe('worker(100)');
    await panel.getByRole('button', { name: 'Only it' }).click();
    await view.waitForStatus(/· 1 track of 3/);
  });

  test('CPUs are tracks too, by button or flag', async () => {
    const view = await View.open(await draw('x.marple', '--track', 'cpu'));
    await view.waitForStatus(/· 2 tracks of 2/);
    await view.page.mouse.move(...view.at(0, 0.04));
    expect(await view.page.locator('.tip').textContent()).toMatch(/^cpu 0 running worker\(100\)/);
    await view.clickLabel(0);
    const panel = view.page.locator('aside.selection');
    expect(await panel.textContent()).toMatch(/Busy600 ms \(60 %\)/);
    await view.page.getByRole('button', { name: 'Tasks' }).click();
    await view.waitForStatus(/· 3 tracks of 3/);
  });

  test('a filter narrows by regular expressions on fields', async () => {
    const view = await View.open(await draw('x.marple'));
    const filter = view.page.getByRole('searchbox', { name: 'Filter' });
    await filter.fill('comm=^(worker|reader)$');
    await view.waitForStatus(/· 2 tracks of 3/);
    await filter.fill('comm=reader type=wakeup');
    await view.waitForStatus(/· 1 track of 3/);
    await filter.fill('cpu=^1$ comm!=img');
    await view.waitForStatus(/· 1 track of 3/);
    await filter.fill('comm=(');
    expect(await view.page.getByText('( is no regular expression').count()).toBe(1);
    await filter.press('Escape');
    await view.waitForStatus(/· 3 tracks of 3/);
  });

  test('by keyboard: choose, hide, colours, next event of this kind', async () => {
    const view = await View.open(await draw('x.marple'));
    const canvas = view.page.locator('.tracks .scroll canvas');
    await canvas.focus();
    await view.page.keyboard.press('ArrowDown');
    await view.page.keyboard.press('ArrowDown');
    await view.page.keyboard.press('Enter');
    expect(await view.page.locator('aside.selection h2').textContent()).toBe('reader(200)');
    await view.page.keyboard.press('h');
    await view.waitForStatus(/· 2 tracks of 3/);
    await view.page.getByRole('button', { name: 'Show 1 hidden track' }).click();
    await view.waitForStatus(/· 3 tracks of 3/);
    await canvas.focus();
    await view.page.keyboard.press('c');
    expect(await view.page.getByRole('button', { name: 'Colours' }).getAttribute('aria-pressed')).toBe('true');
    await view.page.mouse.click(...view.at(1, 0.02, 'mark'));
    await view.waitForStatus(/^wakeup at 0\.020 s/);
    await view.page.keyboard.press('n');
    await view.waitForStatus(/^wakeup at 0\.101 s/);
    await view.page.keyboard.press('p');
    await view.page.keyboard.press('p');
    await view.waitForStatus(/^wakeup at 0\.001 s/);
  });

  test('the ruler measures between two points', async () => {
    const view = await View.open(await draw('x.marple'));
    await view.page.locator('.tracks .scroll canvas').focus();
    await view.page.keyboard.press('r');
    await view.page.mouse.click(...view.at(1, 0.02, 'mark'));
    await view.page.mouse.click(...view.at(1, 0.12, 'mark'));
    await view.waitForStatus(/^Ruler: 100 ms from 0\.020 s/);
    await view.page.keyboard.press('Escape');
    await view.waitForStatus(/^0\.000 s to/);
  });

  test('a part of the run knows who ran at its beginning, and all views can be narrowed to what is shown', async () => {
    const view = await View.open(await draw('x.marple', '--from', '0.03', '--to', '0.05'));
    expect(await view.shown()).toBe('0.030 s to 0.050 s (20 ms)');
    await view.clickLabel(0);
    await expect
      .poll(() => view.page.locator('aside.selection').textContent())
      .toMatch(/worker\(100\).*Running20 ms \(100 %\)/);
    await view.measure();
    await view.drag(view.at(0, 0.5), view.at(0, 0.75));
    await view.page.getByRole('button', { name: 'Only this time' }).click();
    await expect.poll(() => view.page.getByRole('button', { name: /^0\.04\d* to 0\.04[45]\d* s/ }).count()).toBe(1);
    await view.page.getByRole('button', { name: 'Undo' }).click();
    await expect.poll(() => view.shown()).toBe('0.030 s to 0.050 s (20 ms)');
  });

  test('names are text, whatever they hold', async () => {
    const view = await View.open(await draw('x.marple'));
    await view.clickLabel(2);
    expect(await view.page.locator('aside.selection h2').textContent()).toBe(`${HOSTILE}(300)`);
    expect(await view.page.locator('img').count()).toBe(0);
  });
});

describe('the timeline of connections', () => {
  test('draws arrows between the two ends, and tells who talks to whom', async () => {
    const view = await View.open(await draw('ipc.marple'));
    await view.waitForStatus(/· 3 tracks of 3 · 4 arrows of 4/);
    await view.page.getByRole('combobox', { name: 'Order of the tracks' }).selectOption('name');
    await view.clickLabel(0);
    const panel = view.page.locator('aside.selection');
    expect(await panel.textContent()).toMatch(/^curl\(10\).*Talks to.*12 KiB100 B→ nginx\(20\) port 80/);
    await panel.getByRole('button', { name: 'nginx(20)' }).click();
    expect(await panel.textContent()).toMatch(/^nginx\(20\).*1100 B2 KiB← curl\(10\) port 80/);
    await view.page.getByRole('searchbox', { name: 'Filter' }).fill('port=^22$');
    await view.waitForStatus(/· 1 track of 3/);
  });
});
