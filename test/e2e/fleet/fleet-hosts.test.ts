import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { sectionsOf } from '../faults/faults.ts';
import { expectNothingLeft, jsonOf, makeWorld, type World } from './world.ts';

const EIGHT = Array.from({ length: 8 }, (_, i) => `web${i + 1}`);

let world: World;
beforeAll(async () => {
  world = await makeWorld(EIGHT.map((name) => ({ name })));
});
afterEach(async () => {
  world.routes(undefined);
  world.configure({});
  await expectNothingLeft(world);
});
afterAll(() => world.remove());

describe('eight hosts', () => {
  test('record all that can be recorded here, from the same moment on', async () => {
    const interfaces = ['cpusched', 'callstack', 'disklat', 'diskblockrq', 'memtime', 'ipc', 'system'];
    const args = ['collect', '--on', 'web[1-8]', ...interfaces, '-t', '2', '-o', 'all', '--json=all.json'];
    const ended = await world.marple(args);
    expect(ended).toMatchObject({ code: 0 });
    expect(ended.stderr).toContain('collected on 8 of 8 hosts into all');
    expect(readdirSync(world.place.path('all')).sort()).toEqual(EIGHT.map((name) => `${name}.marple`));
    expect(jsonOf(world, 'all.json').hosts.map(({ node }) => node)).toEqual(EIGHT);
    const starts: number[] = [];
    for (const name of EIGHT) {
      const path = world.place.path(`all/${name}.marple`);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      const sections = sectionsOf(path);
      expect([...new Set(sections.map(({ header }) => header.interface))].sort()).toEqual([...interfaces].sort());
      for (const { header } of sections) {
        expect(header).toMatchObject({ node: name, host: name, clock_offset: { reference: 'home' } });
        const { start, end } = header['clock_offset'] as Record<
          'start' | 'end',
          { ns: number; uncertainty_ns: number }
        >;
        // It is one clock.
        for (const { ns, uncertainty_ns } of [start, end]) expect(Math.abs(ns)).toBeLessThanOrEqual(uncertainty_ns);
      }
      starts.push(Date.parse(sections[0]!.header['start'] as string));
    }
    // Eight hosts on one CPU: some come late, and then their files say so.
    const first = Math.min(...starts);
    for (const [i, name] of EIGHT.entries()) {
      const late = sectionsOf(world.place.path(`all/${name}.marple`))[0]!.header.warnings?.join() ?? '';
      expect(starts[i]! - first < 100 || late.includes('after the moment')).toBe(true);
    }
  });

  test('run a command each: what it prints comes home, with its words as they were typed', async () => {
    const words = ["it's", '$(x) %h %hosts %%', 'a  b', '*', '\\', '"', '!', '-o', '\n', 'ö', '\x7f'];
    const script = 'for w in "$@"; do printf "<%s>" "$w"; done | od -An -c -v | tr -d "\\n"; echo; exit 5';
    const ended = await world.marple([
      'collect',
      '--on',
      'web[1-2]',
      'system',
      '-o',
      'cmd',
      '--',
      'sh',
      '-c',
      script,
      'sh',
      ...words,
    ]);
    expect(ended).toMatchObject({ code: 5 });
    const here = await world.marple([
      'collect',
      'system',
      '-o',
      'here.marple',
      '--',
      'sh',
      '-c',
      script,
      'sh',
      ...words,
    ]);
    for (const name of ['web1', 'web2']) expect(ended.stdout).toContain(`${name}: ${here.stdout.trimEnd()}`);
    expect(here.stdout).toContain('$   (   x   )       %   h       %   h   o   s   t   s');
  });

  test('say which tools each would take', async () => {
    const ended = await world.marple(['collect', '--on', 'web[1-3]', '--disk', '--dry-run']);
    expect(ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/^web1, web2, web3:\n {2}disklat: \w+/) });
  });
});

describe('what can be no fleet', () => {
  test.each([
    ['-oProxyCommand=x', /'-oProxyCommand=x' is no name of a host/],
    ['../../etc', /'..\/..\/etc' is no name of a host/],
    ['$(x)', /is no name of a host/],
    ['web1;ls', /is no name of a host/],
    ['web[1-', /missing bracket/],
    ['@nobody', /there is no host in it/],
  ])('--on %s', async (set, why) => {
    const ended = await world.marple(['collect', `--on=${set}`, 'system', '-o', 'none']);
    expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(why) });
    expect(ended.stderr).toContain('hint: ');
    expect(existsSync(world.place.path('none'))).toBe(false);
  });

  test.each([
    [['-o', '-'], '-o - cannot be used with --on'],
    [['-o', 'x.marple'], 'names a folder'],
    [['-n', '3'], '-n cannot be used with --on'],
    [['--raw'], '--raw cannot be used with --on'],
  ])('%j', async (flags, why) => {
    const ended = await world.marple(['collect', '--on', 'web1', 'system', ...flags]);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining(why) });
  });

  test('files of these hosts that are there already stay, without --force', async () => {
    const args = ['collect', '--on', 'web1', 'system', '-t', '0.3', '-o', 'twice'];
    expect(await world.marple(args)).toMatchObject({ code: 0 });
    const before = readFileSync(world.place.path('twice/web1.marple'), 'utf8');
    expect(await world.marple(args)).toMatchObject({ code: 2, stderr: expect.stringContaining('such as web1.marple') });
    expect(readFileSync(world.place.path('twice/web1.marple'), 'utf8')).toBe(before);
    expect(await world.marple([...args, '--force'])).toMatchObject({ code: 0 });
    expect(readFileSync(world.place.path('twice/web1.marple'), 'utf8')).not.toBe(before);
  });
});
