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

describe('export', () => {
  const exported = async (...args: readonly string[]): Promise<string> => {
    const ended = await place.marple(['export', '-i', 'fleet', '-q', '-o', '-', ...args]);
    expect(ended.code).toBe(0);
    return ended.stdout;
  };

  test('folded: all hosts merged, or each below its name', async () => {
    expect(await exported('--join', '--format', 'folded')).toBe('app;main;f0 18\napp;main;f1 21\n');
    expect((await exported('--by', 'host', '--format', 'folded', '--host', 'web[1-2]')).trim().split('\n')).toEqual([
      'web1;app;main;f0 3',
      'web1;app;main;f1 1',
      'web2;app;main;f0 3',
      'web2;app;main;f1 2',
    ]);
  });

  test('folded of a part: what is left is still that of its host', async () => {
    const text = await exported('--by', 'host', '--format', 'folded', '--host', 'web[1-2]', '--from', '0.0035');
    expect(text.trim().split('\n')).toEqual(['web1;app;main;f1 1', 'web2;app;main;f1 2']);
  });

  test('csv: with a column for the host, and the pids that the hosts have', async () => {
    const numbers = NAMES.map((_, i) => 4 + 5 * i).join(',');
    const lines = (await exported('--join', '--format', 'csv', '-e', numbers)).trim().split('\r\n');
    expect(lines[0]).toBe('time_s,latency_ms,comm,pid,host');
    expect(lines).toHaveLength(1 + 3 * NAMES.length);
    expect(lines.slice(1, 7).toSorted()).toEqual(
      NAMES.map((name) => `0.001,${name === 'db1' ? 10 : 1},app,1,${name}`).toSorted(),
    );
  });

  test('marple: one file of all hosts, which is the same as the folder', async () => {
    const ended = await place.marple(['export', '-i', 'fleet', '--join', '--format', 'marple', '-o', 'all.marple']);
    expect(ended.code).toBe(0);
    const all = JSON.parse((await place.marple(['stats', '-i', 'all.marple', '--json'])).stdout) as Report;
    const folder = await stats();
    expect(all.together[0]!.hosts).toEqual(folder.together[0]!.hosts);
    const numbers = ({ together }: Report) =>
      together[0]!.sections.map(({ records, interface: name }) => [name, records]);
    expect(numbers(all)).toEqual(numbers(folder));
    expect(all.warnings).toEqual(folder.warnings);
  });

  test('a file for each host as ever, and only of those that are asked for', async () => {
    const ended = await place.marple([
      'export',
      '-i',
      'fleet',
      '--host',
      'web*',
      '--format',
      'folded',
      '-o',
      'x.folded',
    ]);
    expect(ended.stdout.trim().split('\n')).toHaveLength(5);
  });

  test('what a format cannot hold is refused', async () => {
    const ended = await place.marple(['export', '-i', 'fleet', '--join', '--format', 'pprof', '-o', 'x.pprof']);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('folded, csv and marple') });
  });
});

describe('diff', () => {
  interface Diff {
    readonly hosts: { readonly before: readonly string[] | null; readonly after: readonly string[] | null };
    readonly method: { readonly over: string };
    readonly sections: readonly {
      readonly key: string;
      readonly all: readonly { readonly name: string; readonly before: number; readonly after: number }[];
    }[];
  }
  const diff = async (...args: readonly string[]): Promise<Diff> => {
    const ended = await place.marple(['diff', '--json', ...args]);
    expect(ended.code).toBe(0);
    return JSON.parse(ended.stdout) as Diff;
  };
  const metric = ({ sections }: Diff, name: string) =>
    sections.flatMap(({ all }) => all).find((each) => each.name === name);

  test('of two folders: each number is the mean of the hosts, and hosts are what varies', async () => {
    const report = await diff('fleet', 'fleet');
    expect(report.hosts.after).toEqual(['db1', 'web1', 'web2', 'web3', 'web4', 'web5']);
    expect(report.method.over).toBe('runs');
    expect(metric(report, 'callstack.total')).toMatchObject({ before: 39 / 6, after: 39 / 6 });
    const { stdout } = await place.marple(['diff', 'fleet', 'fleet/web1.marple']);
    expect(stdout).toMatch(/^before: 6 hosts, db1, web1, web2, web3, web4, web5$/m);
    expect(stdout).toMatch(/^after: {2}fleet\/web1\.marple$/m);
  });

  test('of some hosts against others', async () => {
    const report = await diff('-i', 'fleet', '--host', 'web[1-3]', '--against-host', 'db1');
    expect(metric(report, 'disklat.p50')).toMatchObject({ before: 2, after: 20 });
    const drawn = await place.marple([
      'diff',
      '-i',
      'fleet',
      '--host',
      'web*',
      '--against-host',
      'db1',
      '-o',
      'd.html',
    ]);
    expect(drawn.code).toBe(0);
    expect(readFileSync(place.path('d.html'), 'utf8')).toContain('web1, web2, web3, web4, web5');
  });

  test('says what is missing', async () => {
    const ended = await place.marple(['diff', '-i', 'fleet', '--host', 'web1']);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('--against-host') });
    const both = await place.marple(['diff', 'x', '-i', 'fleet', '--host', 'web1', '--against-host', 'web2']);
    expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining('-i is of both sides') });
  });
});
