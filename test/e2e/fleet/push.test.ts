import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { sectionsOf } from '../faults/faults.ts';
import { sleep } from '../marple.ts';
import { expectNothingLeft, makeWorld, type World } from './world.ts';

// The hosts have no MARPLE. What is taken there stands in for the one-file program, which takes minutes to make
// (test/binary/ has that).

let world: World;
beforeAll(async () => {
  const hosts = ['web1', 'web2', 'web3'].map((name) => ({ name, program: '/nowhere/marple' }));
  world = await makeWorld(hosts);
  world.push(Buffer.alloc(3_000_000, 'a line that makes it longer\n'));
});
afterEach(() => expectNothingLeft(world));
afterAll(() => world.remove());

test('MARPLE is taken along, and removed', async () => {
  const running = world.start(['collect', '--on', 'web[1-3]', '--push', 'system', '-t', '2', '-o', 'pushed']);
  await running.says('recording on 3 of 3 hosts');
  expect(world.host('web1').files()).toContainEqual(expect.stringMatching(/^tmp\./));
  expect(await running.ended).toMatchObject({ code: 0 });
  for (const name of ['web1', 'web2', 'web3']) {
    expect(sectionsOf(world.place.path(`pushed/${name}.marple`))[0]?.header).toMatchObject({ node: name });
  }
});

test('through a gateway', async () => {
  world.routes(['home: web1', 'web1: web[2-3]']);
  const ended = await world.marple(['collect', '--on', 'web[1-3]', '--push', 'system', '-t', '1', '-o', 'through']);
  world.routes(undefined);
  expect(ended).toMatchObject({ code: 0, stderr: expect.stringContaining('on 3 of 3 hosts') });
});

test.each(['SIGINT', 'SIGKILL'] as const)('it is removed after %s too, at any moment', async (signal) => {
  for (const ms of [600, 1500, 4000]) {
    const running = world.start([
      'collect',
      '--on',
      'web[1-3]',
      '--push',
      'system',
      '-t',
      '600',
      '-o',
      `cut-${signal}-${ms}`,
    ]);
    await sleep(ms);
    running.kill(signal);
    await running.ended;
    await expectNothingLeft(world);
  }
});

test('without a program to push, it is said how to make one', async () => {
  world.configure({ binary: join(world.place.dir, 'none') });
  const ended = await world.marple(['collect', '--on', 'web1', '--push', 'system']);
  expect(ended).toMatchObject({ code: 2, stderr: expect.stringMatching(/there is no .*none\nhint: .*npm run binary/) });
});
