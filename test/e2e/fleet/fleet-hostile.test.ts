import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { sectionsOf } from '../faults/faults.ts';
import { expectNothingLeft, jsonOf, makeWorld, type World } from './world.ts';

const LIARS = ['bomb', 'junk', 'torn', 'other', 'copycat', 'babbler', 'twin1', 'twin2'];

let world: World;
beforeAll(async () => {
  const program = `'${process.execPath}' '${join(import.meta.dirname, 'liar.cjs')}'`;
  world = await makeWorld([{ name: 'web1' }, ...LIARS.map((name) => ({ name, program }))]);
  world.configure({ max_mb: '100' });
});
afterEach(() => expectNothingLeft(world));
afterAll(() => world.remove());

test('what hosts send is believed in nothing', async () => {
  const set = ['web1', ...LIARS].join(',');
  const ended = await world.marple([
    'collect',
    '--on',
    set,
    'system',
    '-t',
    '2',
    '-o',
    'hostile',
    '--json=hostile.json',
  ]);
  expect(ended).toMatchObject({ code: 3 });
  // Nothing lies where a host wants it, and nothing of theirs is half there.
  expect(readdirSync(world.place.path('hostile')).sort()).toEqual(['junk.damaged', 'other.marple', 'web1.marple']);
  const of = new Map(jsonOf(world, 'hostile.json').hosts.map((host) => [host.node, host]));
  expect(of.get('web1')).toMatchObject({ problems: [] });
  for (const [name, what] of [
    ['bomb', 'it sends more than 100 MB'],
    ['junk', 'what it sent is no data file that can be read'],
    ['torn', 'what it sent is damaged'],
    ['babbler', 'its marple did not start'],
  ] as const) {
    expect(of.get(name)).toMatchObject({ file: null, problems: [{ what: expect.stringContaining(what) }] });
  }
  expect(of.get('copycat')?.file).toBeNull();
  const twins = ['twin1', 'twin2'].map((name) => of.get(name)?.problems[0]?.what);
  expect(twins).toContain('it took the number of another host');
  // Its name is the one that it was reached by.
  expect(sectionsOf(world.place.path('hostile/other.marple'))[0]?.header).toMatchObject({ node: 'other' });
  expect(sectionsOf(world.place.path('hostile/web1.marple'))[0]?.header).toMatchObject({ node: 'web1', host: 'web1' });
  for (const text of [ended.stderr, ended.stdout, readFileSync(world.place.path('hostile.json'), 'latin1')]) {
    expect(text).not.toContain('\x1b');
  }
});
