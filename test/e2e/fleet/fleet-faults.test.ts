import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { FaultPlace } from '../faults/faults.ts';
import { nextRun, sectionsOf } from '../faults/faults.ts';
import { sleep } from '../marple.ts';
import { expectNothingLeft, jsonOf, makeWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await makeWorld([
    { name: 'web1' },
    { name: 'web2' },
    { name: 'dies' },
    { name: 'full', tempSize: '3m' },
    { name: 'bare', program: '/nowhere/marple' },
  ]);
});
afterEach(async () => {
  world.configure({});
  await expectNothingLeft(world);
});
afterAll(() => world.remove());

test('no host holds up the others: unreachable, without MARPLE, with a full disk, killed', async () => {
  const set = 'web1,dies,full,bare,nowhere';
  const running = world.start([
    'collect',
    '--on',
    set,
    'cpusched',
    'system',
    '-t',
    '5',
    '-o',
    'some',
    '--json=some.json',
  ]);
  await running.says('recording on 3 of 5 hosts');
  await sleep(1000);
  world.host('dies').kill();
  world.host('full').fill();
  const ended = await running.ended;
  world.host('full').empty();
  await world.host('dies').revive();
  // What the kill left of the kernel's trace is on the one kernel that all these hosts have.
  await nextRun(world.place as FaultPlace);

  expect(ended).toMatchObject({ code: 3 });
  expect(readdirSync(world.place.path('some')).sort()).toEqual(['full.marple', 'web1.marple']);
  const of = new Map(jsonOf(world, 'some.json').hosts.map((host) => [host.node, host]));
  expect(of.get('web1')).toMatchObject({ problems: [], is_cut: false });
  expect(of.get('full')).toMatchObject({
    is_cut: true,
    problems: [{ what: expect.stringContaining('the disk is full') }],
  });
  for (const [name, what] of [
    ['dies', /^the connection was lost while it recorded/],
    ['bare', /^its marple did not start: .*not found/],
    ['nowhere', /^could not be reached: ssh: connect to host /],
  ] as const) {
    expect(of.get(name)).toMatchObject({ file: null, problems: [{ what: expect.stringMatching(what) }] });
    expect(ended.stderr).toMatch(new RegExp(`^ {2}${name} +nothing +`, 'm'));
  }
  expect(ended.stderr).toMatch(/^ {2}full +some +/m);
  expect(ended.stderr).toContain('something went wrong on 4 of 5 hosts; of 3 there is nothing');
  for (const name of ['web1', 'full']) {
    const sections = sectionsOf(world.place.path(`some/${name}.marple`));
    expect(sections.map(({ header }) => header.interface)).toContain('cpusched');
    expect(sections.find(({ header }) => header.interface === 'cpusched')?.lines.length).toBeGreaterThan(100);
    for (const { header } of sections) expect(header['node']).toBe(name);
  }
});

test('where none gives a file, 4 is the exit code, and no folder is left', async () => {
  const ended = await world.marple(['collect', '--on', 'bare,nowhere', 'system', '-t', '1', '-o', 'nothing']);
  expect(ended).toMatchObject({ code: 4, stderr: expect.stringContaining('of 2 there is nothing') });
  expect(existsSync(world.place.path('nothing'))).toBe(false);
});

test('what the options of sudo refuse is said', async () => {
  world.configure({ sudo: 'true', marple: '/nowhere/marple' });
  const ended = await world.marple(['collect', '--on', 'web1', 'system', '-t', '1', '-o', 'sudo']);
  expect(ended).toMatchObject({ code: 4, stderr: expect.stringMatching(/did not start: .*(sudo|command not found)/) });
});

test('one whose MARPLE is killed sends what that had written', async () => {
  const args = ['collect', '--on', 'web[1-2]', 'cpusched', 'system', '-t', '4', '-o', 'killed', '--json=killed.json'];
  const running = world.start(args);
  await running.says('recording on 2 of 2 hosts');
  await sleep(1000);
  const collecting = world
    .host('web2')
    .processes()
    .filter(({ command }) => command.includes('--start-by'));
  for (const { pid } of collecting) process.kill(pid, 'SIGKILL');
  expect(await running.ended).toMatchObject({ code: 3 });
  await nextRun(world.place as FaultPlace);
  const [, second] = jsonOf(world, 'killed.json').hosts;
  expect(second).toMatchObject({ problems: [{ what: expect.stringContaining('ended by SIGKILL') }] });
  const sections = sectionsOf(world.place.path('killed/web2.marple'));
  expect(sections.find(({ header }) => header.interface === 'cpusched')?.lines.length).toBeGreaterThan(100);
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('%s ends all early, and what they have comes home', async (signal, code) => {
  const folder = `stopped-${signal}`;
  const running = world.start(['collect', '--on', 'web[1-2]', 'system', 'memtime', '-t', '600', '-o', folder]);
  await running.says('recording on 2 of 2 hosts');
  await sleep(500);
  running.kill(signal);
  expect(await running.ended).toMatchObject({ code, stderr: expect.stringContaining('collected on 2 of 2 hosts') });
  for (const name of ['web1', 'web2']) {
    const interfaces = sectionsOf(world.place.path(`${folder}/${name}.marple`)).map(({ header }) => header.interface);
    expect(interfaces).toEqual(expect.arrayContaining(['system', 'memtime']));
  }
});

test('Ctrl-C before they record ends at once, with nothing', async () => {
  const running = world.start(['collect', '--on', 'web1,nowhere', 'system', '-t', '600', '-o', 'early']);
  await running.says('connecting');
  await sleep(500);
  running.kill('SIGINT');
  expect(await running.ended).toMatchObject({ code: 130 });
  expect(existsSync(world.place.path('early'))).toBe(false);
});

test('a second Ctrl-C gives up', async () => {
  const running = world.start(['collect', '--on', 'web[1-2]', 'callstack', '-F', '997', '-t', '600', '-o', 'twice']);
  await running.says('recording on 2 of 2 hosts');
  await sleep(500);
  running.kill('SIGINT');
  await sleep(600);
  running.kill('SIGINT');
  expect(await running.ended).toMatchObject({
    code: 130,
    stderr: expect.stringContaining('stopped before all was home'),
  });
});

test('when the MARPLE at home is killed the hosts clear up', async () => {
  const running = world.start(['collect', '--on', 'web[1-2]', 'callstack', 'cpusched', '-t', '600', '-o', 'lost']);
  await running.says('recording on 2 of 2 hosts');
  await sleep(500);
  running.kill('SIGKILL');
  await running.ended;
  await expectNothingLeft(world);
  await nextRun(world.place as FaultPlace);
  expect(world.place.leftovers()).toEqual([]);
});

test('a command that ends on one host is not waited for on that one alone', async () => {
  const script = 'test $(hostname) = web1 || sleep 3';
  const args = [
    'collect',
    '--on',
    'web[1-2]',
    'system',
    '-o',
    'commands',
    '--json=commands.json',
    '--',
    'sh',
    '-c',
    script,
  ];
  expect(await world.marple(args)).toMatchObject({ code: 0 });
  const [first, second] = JSON.parse(readFileSync(world.place.path('commands.json'), 'utf8')).hosts;
  expect(second.seconds - first.seconds).toBeGreaterThan(1);
});

test('without ClusterShell it is said what to install', async () => {
  const hide = 'mount --bind /dev/null /usr/bin/clush && exec "$@"';
  const ended = await world.place.marple(['collect', '--on', 'web1', 'system'], {
    through: ['unshare', '--mount', 'sh', '-c', hide, 'sh'],
  });
  expect(ended).toMatchObject({ code: 69, stderr: expect.stringMatching(/^marple: clush is not installed\nhint: /) });
});

test('a host whose MARPLE cannot begin says why, not only what would help there', async () => {
  world.host('full').fill();
  const ended = await world.marple(['collect', '--on', 'full', 'system', '-t', '1', '-o', 'unbegun']);
  world.host('full').empty();
  expect(ended).toMatchObject({ code: 4, stderr: expect.stringMatching(/^ +full +nothing +.*the disk is full/m) });
});
