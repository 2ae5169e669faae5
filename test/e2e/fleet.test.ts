import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { disk, memory, samples, scheduling, type TestHost, writeHosts } from '../support/fleet.ts';
import { makePlace } from './marple.ts';

const place = makePlace();
afterAll(() => place.remove());

/** All I/Os of the last one take ten times as long. */
const NAMES = ['web1', 'web2', 'web3', 'web4', 'web5', 'db1'];

beforeAll(async () => {
  const hosts = NAMES.map(
    (node, i): TestHost => ({
      node,
      host: 'localhost',
      origin: 10 * i,
      offset: { start: 10_000_000 * i, uncertainty: node === 'web3' ? 4_000_000 : 1000 },
      seconds: 1,
      sections: [
        scheduling(1, 4, 6),
        ...samples([3, 1 + i]),
        disk([1, 2, 3].map((latency) => (node === 'db1' ? 10 : 1) * latency)),
        memory([
          [0.1, 5],
          [0.2, 6],
        ]),
      ],
    }),
  );
  await writeHosts(hosts, place.path('fleet'));
});

interface Report {
  readonly findings: readonly { readonly sentence: string }[];
  readonly sections: readonly { readonly host: string; readonly interface: string; readonly records: number }[];
  readonly together: readonly {
    readonly path: string;
    readonly hosts: readonly string[];
    readonly sections: readonly { readonly interface: string; readonly datatype: string; readonly records: number }[];
  }[];
  readonly warnings: readonly string[];
}

async function stats(...args: readonly string[]): Promise<Report> {
  const ended = await place.marple(['stats', '-i', 'fleet', '--json', ...args]);
  expect(ended.code).toBe(0);
  return JSON.parse(ended.stdout) as Report;
}

describe('stats', () => {
  test('of all hosts together are the sums of those of each', async () => {
    const { sections, together } = await stats();
    expect(sections).toHaveLength(6 * 5);
    expect(together.map(({ path, hosts }) => [path, hosts])).toEqual([
      ['fleet', ['db1', 'web1', 'web2', 'web3', 'web4', 'web5']],
    ]);
    const sum = (name: string): number =>
      sections.filter((each) => each.interface === name).reduce((total, { records }) => total + records, 0);
    for (const name of ['cpusched', 'disklat', 'memtime']) {
      expect(together[0]!.sections.find((each) => each.interface === name)?.records).toBe(sum(name));
    }
    expect(
      together[0]!.sections.filter(({ interface: name }) => name === 'callstack').map(({ records }) => records),
    ).toEqual([
      // What several hosts have alike is one stack.
      2, 39,
    ]);
  });

  test('name the host that stands out, and what is uncertain of the clock', async () => {
    const { findings, warnings } = await stats();
    const found = findings.filter(({ sentence }) => sentence.includes('stands out'));
    expect(found.map(({ sentence }) => sentence)).toEqual(
      expect.arrayContaining([
        'db1 stands out from 6 hosts by latency, median: 20 ms, and the median is 2 ms (10 times as much)',
      ]),
    );
    expect(new Set(found.map(({ sentence }) => sentence.split(' ')[0]))).toEqual(new Set(['db1']));
    expect(warnings).toEqual([
      'the clock of web3 is known to 4 ms only: what is closer may have come in another order',
    ]);
  });

  test('as text: all together, a line for each host, and with --per-host its numbers', async () => {
    const { stdout } = await place.marple(['stats', '-i', 'fleet']);
    expect(stdout).toMatch(/^fleet: 6 hosts together$/m);
    expect(stdout).toMatch(/^ {2}task1 ×6 /m);
    for (const name of NAMES) expect(stdout).toMatch(new RegExp(`^ {2}${name} +\\d`, 'm'));
    expect(stdout).not.toMatch(/^web1:$/m);
    const each = await place.marple(['stats', '-i', 'fleet', '--per-host', '--host', 'web[1-2]']);
    expect(each.stdout).toMatch(/^web1:$/m);
    expect(each.stdout).not.toContain('web3');
  });

  test('of some hosts; a host that is not there is refused with what was meant', async () => {
    const { together, sections } = await stats('--host', 'web[1-2],db1');
    expect(together[0]!.hosts).toEqual(['db1', 'web1', 'web2']);
    expect(new Set(sections.map(({ host }) => host))).toEqual(new Set(['db1', 'web1', 'web2']));
    expect((await stats('--host', 'web2')).together).toEqual([]);
    expect(await place.marple(['stats', '-i', 'fleet', '--host', 'wbe2'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('hint: did you mean --host web2?'),
    });
  });
});

describe('display', () => {
  test('of a folder of several hosts is one report', async () => {
    const ended = await place.marple(['display', '-i', 'fleet', '--no-open', '-o', 'r.html', '--json']);
    expect(ended.code).toBe(0);
    const { outputs } = JSON.parse(ended.stdout) as { outputs: { file: string; view: string; hosts: string[] }[] };
    expect(outputs).toEqual([expect.objectContaining({ file: 'fleet', view: 'report', hosts: expect.any(Array) })]);
    expect(readFileSync(place.path('r.html'), 'utf8')).toContain('"hosts":["db1","web1"');
  });

  test('-fg merges the stacks of all hosts; --by host has each host below its own; --per-host gives each a picture', async () => {
    const text = async (...args: readonly string[]): Promise<string> => {
      const ended = await place.marple(['display', '-i', 'fleet', '-fg', '-o', '-', '-q', ...args]);
      expect(ended.code).toBe(0);
      return ended.stdout;
    };
    const merged = await text();
    expect(merged).toContain('6 hosts');
    expect(merged).toContain('39 samples');
    expect(merged).not.toContain('web1');
    const byHost = await text('--by', 'host');
    for (const name of NAMES) expect(byHost).toContain(name);
    const drawn = await place.marple(['display', '-i', 'fleet', '-fg', '--per-host', '--no-open', '-q', '-o', 'x.svg']);
    expect(drawn.stdout.trim().split('\n')).toHaveLength(6);
  });

  test('-plt has the tasks of each host on tracks of their own', async () => {
    const { stdout } = await place.marple(['display', '-i', 'fleet', '-plt', '-o', '-', '-q', '--height', '800']);
    for (const name of NAMES) expect(stdout).toMatch(new RegExp(`^${name} task1\\(1\\)`, 'm'));
  });

  test('-l says of which host each section is', async () => {
    const { stdout } = await place.marple(['display', '-i', 'fleet', '-l', '--host', 'db1']);
    expect(stdout.trim().split('\n')).toHaveLength(6);
    expect((await place.marple(['display', '-i', 'fleet', '-l'])).stdout).toMatch(
      /fleet\/web1\.marple +web1 +cpusched/,
    );
  });

  test('--by and --per-host of one host are refused', async () => {
    for (const flags of [['--by', 'host'], ['--per-host']]) {
      const ended = await place.marple(['display', '-i', 'fleet/db1.marple', '-fg', ...flags]);
      expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('hint: marple display -l') });
    }
  });
});
