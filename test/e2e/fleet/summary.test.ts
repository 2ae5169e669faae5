import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Section, sectionsOf } from '../faults/faults.ts';
import { expectNothingLeft, makeWorld, type World } from './world.ts';

const THREE = ['web1', 'web2', 'web3'];

let world: World;
beforeAll(async () => {
  world = await makeWorld(THREE.map((name) => ({ name })));
});
afterAll(() => world.remove());

interface SummaryHeader {
  readonly of: number;
  readonly hosts: number;
}

function summariesOf(path: string): (Section & { readonly summary: SummaryHeader })[] {
  return sectionsOf(path).map((section) => ({ ...section, summary: section.header['summary'] as SummaryHeader }));
}

test('hosts send only what can be summed, and the sum of them is a file', async () => {
  const args = ['collect', '--on', 'web[1-3]', 'cpusched', 'callstack', 'system', '--summary', '-t', '1', '-o', 'all'];
  expect(await world.marple(args)).toMatchObject({ code: 0 });
  const hosts = THREE.map((name) => summariesOf(world.place.path(`all/${name}.marple`)));
  for (const [i, sections] of hosts.entries()) {
    for (const { header, summary } of sections) {
      expect(header).toMatchObject({ node: THREE[i], clock_offset: { reference: 'home' } });
      expect(summary.hosts).toBe(1);
    }
  }
  const sum = ['export', '-i', 'all', '--format', 'summary', '-o', 'sum.marple'];
  expect(await world.marple(sum)).toMatchObject({ code: 0 });
  const summed = summariesOf(world.place.path('sum.marple'));
  expect(summed.map(({ header }) => header.interface)).toEqual(hosts[0]!.map(({ header }) => header.interface));
  for (const [i, { summary }] of summed.entries()) {
    const of = hosts.reduce((total, sections) => total + sections[i]!.summary.of, 0);
    expect(summary).toMatchObject({ hosts: 3, of });
  }
  expect(readFileSync(world.place.path('sum.marple'), 'utf8')).not.toContain('"node"');
  const stats = await world.marple(['stats', '-i', 'all']);
  expect(stats).toMatchObject({ code: 0, stdout: expect.stringContaining('3 hosts together') });
  await expectNothingLeft(world);
});
