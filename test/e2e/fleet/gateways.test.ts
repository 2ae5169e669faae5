import { readdirSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { sectionsOf } from '../faults/faults.ts';
import { sleep } from '../marple.ts';
import { expectNothingLeft, jsonOf, makeWorld, type World } from './world.ts';

const BEHIND = ['web1', 'web2', 'web3', 'web4'];

let world: World;
beforeAll(async () => {
  world = await makeWorld(['gate1', 'gate2', ...BEHIND].map((name) => ({ name })));
  world.routes(['home: gate[1-2]', 'gate1: web[1-2]', 'gate2: web[3-4]']);
});
afterEach(async () => {
  world.configure({});
  await expectNothingLeft(world);
});
afterAll(() => world.remove());

test('hosts behind two gateways, and the gateways too', async () => {
  const running = world.start(['collect', '--on', 'web[1-4],gate1', 'system', 'disklat', '-t', '2', '-o', 'tree']);
  await running.says('recording on 5 of 5 hosts');
  const gateways = world
    .host('gate2')
    .processes()
    .map(({ command }) => command);
  expect(gateways.join()).toContain('ClusterShell.Gateway');
  expect(await running.ended).toMatchObject({ code: 0 });
  const nodes = [...BEHIND, 'gate1'];
  expect(readdirSync(world.place.path('tree')).sort()).toEqual(nodes.map((name) => `${name}.marple`).sort());
  for (const name of nodes) {
    const [section] = sectionsOf(world.place.path(`tree/${name}.marple`));
    expect(section!.header).toMatchObject({ node: name, host: name });
    const { start } = section!.header['clock_offset'] as { start: { ns: number; uncertainty_ns: number } };
    expect(Math.abs(start.ns)).toBeLessThanOrEqual(start.uncertainty_ns);
  }
});

test('a command with words of its own, through gateways', async () => {
  const args = [
    'collect',
    '--on',
    'web[1,3]',
    'system',
    '-o',
    'words',
    '--',
    'printf',
    '<%s>',
    '%hosts',
    "it's",
    '$(x)',
  ];
  const ended = await world.marple(args);
  expect(ended).toMatchObject({ code: 0 });
  for (const name of ['web1', 'web3']) expect(ended.stdout).toContain(`${name}: <%hosts><it's><$(x)>`);
});

test('Ctrl-C reaches those behind gateways', async () => {
  const running = world.start(['collect', '--on', 'web[1-4]', 'system', '-t', '600', '-o', 'stopped']);
  await running.says('recording on 4 of 4 hosts');
  await sleep(500);
  running.kill('SIGINT');
  expect(await running.ended).toMatchObject({ code: 130, stderr: expect.stringContaining('on 4 of 4 hosts') });
});

test('a gateway that dies takes those behind it along, and no others', async () => {
  const running = world.start(['collect', '--on', 'web[1-4]', 'system', '-t', '4', '-o', 'half', '--json=half.json']);
  await running.says('recording on 4 of 4 hosts');
  world.host('gate2').kill();
  const ended = await running.ended;
  await world.host('gate2').revive();
  expect(ended).toMatchObject({ code: 3 });
  expect(readdirSync(world.place.path('half')).sort()).toEqual(['web1.marple', 'web2.marple']);
  for (const { node, file } of jsonOf(world, 'half.json').hosts) expect(file === null).toBe(/[34]$/.test(node));
});
