import { existsSync, readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import type { EventData } from '../../src/common/datatypes.ts';
import { readCpel } from '../support/cpel.ts';
import { headerOf, type TestSection, writeFile } from '../support/data-files.ts';
import { makePlace, type Place } from './marple.ts';

const at = (time: number, type: string, ...datum: string[]): EventData => ({ time, type, datum });

function cpusched(records: readonly EventData[]): TestSection {
  const fields = ['cpu', 'pid', 'comm', 'other_pid', 'other_comm', 'state'];
  return { header: headerOf('event', { interface: 'cpusched', end: '2026-03-01T09:30:01.000Z', fields }), records };
}

let place: Place;
beforeAll(async () => {
  place = makePlace();
  await writeFile(place.path('x.marple'), [
    cpusched([
      at(10, 'switch', '0', '0', 'swapper/0', '70', 'fio', 'R'),
      at(20, 'switch', '0', '70', 'fio', '0', 'swapper/0', 'S'),
    ]),
  ]);
  await writeFile(place.path('empty.marple'), [cpusched([])]);
  await writeFile(place.path('stacks.marple'), [
    { header: headerOf('stack', { interface: 'callstack' }), records: [{ weight: 1, stack: ['a'] }] },
  ]);
  return () => place.remove();
});

test('scheduler events are a timeline where no flag names a view', async () => {
  const ended = await place.marple(['display', '-i', 'x.marple', '--no-open']);
  expect(ended).toMatchObject({ code: 0, stdout: 'x.cpusched.plot.html\n' });
  expect(readFileSync(place.path('x.cpusched.plot.html'), 'utf8')).toContain('Drawn by MARPLE');
});

test('-plt and -g2 write what the extension says', async () => {
  for (const name of ['p.html', 'p.png', 'p.txt']) {
    expect(await place.marple(['display', '-i', 'x.marple', '-plt', '-o', name])).toMatchObject({ code: 0 });
    expect(existsSync(place.path(name))).toBe(true);
  }
  const ended = await place.marple(['display', '-i', 'x.marple', '-g2', '--track', 'cpu', '-o', 'e.cpel']);
  expect(ended).toMatchObject({ code: 0 });
  expect(ended.stderr).toContain('2 events of 1 type on 1 track');
  expect([...readCpel(readFileSync(place.path('e.cpel'))).tracks.values()]).toEqual(['cpu 0']);
});

test('a log goes to stdout as it comes', async () => {
  const ended = await place.marple(['display', '-i', 'x.marple', '-g2', '-o', '-']);
  expect(ended.code).toBe(0);
  expect(ended.stdout).toContain('FileStrtab\0Drawn by MARPLE\0');
});

test('what cannot be shown is refused, and nothing is written', async () => {
  const empty = await place.marple(['display', '-i', 'empty.marple', '-g2', '-o', 'no.cpel']);
  expect(empty).toMatchObject({ code: 2 });
  expect(empty.stderr).toMatch(
    /has no events, and G2 crashes on a file without any\n.*hint: sudo marple collect --cpu/s,
  );
  expect(existsSync(place.path('no.cpel'))).toBe(false);
  const stacks = await place.marple(['display', '-i', 'stacks.marple', '-g2']);
  expect(stacks).toMatchObject({ code: 2 });
  expect(stacks.stderr).toContain('-g2 does not fit what the file holds');
});

test('--track is for views with tracks, and names one of two', async () => {
  const wrong = await place.marple(['display', '-i', 'x.marple', '-g2', '--track', 'tid']);
  expect(wrong).toMatchObject({ code: 2 });
  expect(wrong.stderr).toContain('--track tid: tracks are tasks (pid) or CPUs (cpu)');
  const without = await place.marple(['display', '-i', 'stacks.marple', '--track', 'cpu']);
  expect(without).toMatchObject({ code: 2 });
  expect(without.stderr).toContain('--track is for views with tracks, -plt and -g2');
});
