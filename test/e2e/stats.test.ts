import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Finding } from '../../src/analysis/finding.ts';
import type { SectionStats } from '../../src/analysis/stats.ts';
import { makePlace } from './marple.ts';

const place = makePlace();
afterAll(() => place.remove());

interface Report {
  version: number;
  file: string | null;
  partial: boolean;
  filter: Record<string, unknown>;
  findings: Finding[];
  files: unknown[];
  sections: (SectionStats & { file: string })[];
  warnings: string[];
}

const header = (more: Record<string, unknown>): string =>
  JSON.stringify({ marple: 1, start: '2026-03-01T09:30:00.000Z', end: '2026-03-01T09:30:04.000Z', ...more });
const time = { label: 'time', unit: 's' };
const FILE = [
  header({
    interface: 'callstack',
    datatype: 'stack',
    weight: { label: 'samples', unit: 'samples' },
    warnings: ['mind this'],
  }),
  '3#fio;main;read',
  '1#web\x5c\x5cserver;main;parse',
  '9#swapper;idle',
  header({
    interface: 'callstack',
    datatype: 'event',
    fields: ['stack', 'cpu', 'pid', 'tid', 'weight'],
    warnings: ['mind this'],
  }),
  '1000000000,cpu-clock,0,0,10,10,2',
  '2000000000,cpu-clock,0,1,10,10,1',
  '3000000000,cpu-clock,1,1,11,11,1',
  header({
    interface: 'disklat',
    datatype: 'datapoint',
    x: time,
    y: { label: 'latency', unit: 'ms' },
    fields: ['comm', 'pid', 'dev'],
  }),
  '0.5,1,fio,10,vda',
  '1.5,2,fio,10,vda',
  '2.5,9,bad\x5cx1b[2Jname,11,vdb',
  header({ interface: 'system', datatype: 'datapoint', x: time, y: { label: 'memory', unit: 'MiB' }, fields: ['use'] }),
  '1,5,free',
  '',
].join('\n');

/** Interfaces that have numbers of their own. */
const KINDS = [
  header({
    interface: 'memtime',
    datatype: 'datapoint',
    x: time,
    y: { label: 'PSS', unit: 'MiB' },
    fields: ['comm', 'pid'],
  }),
  '1,5,a,1',
  '2,6,a,1',
  header({ interface: 'memmap', datatype: 'stack', weight: { label: 'memory', unit: 'bytes' } }),
  '4096#RAM;Normal;anonymous;a;[heap]',
  header({ interface: 'offcpu', datatype: 'stack', weight: { label: 'time', unit: 'ns' } }),
  '4096#a;[sleeping];main',
  header({
    interface: 'cpusched',
    datatype: 'event',
    fields: ['cpu', 'pid', 'comm', 'other_pid', 'other_comm', 'state'],
  }),
  '1000,wakeup,0,0,swapper/0,1,a,>0',
  '2000,switch,0,0,swapper/0,1,a,R',
  '3000,switch,0,1,a,0,swapper/0,S',
  '4000,switch,0,0,swapper/0,1,a,R',
  header({
    interface: 'ipc',
    datatype: 'event',
    fields: ['pid', 'comm', 'addr', 'port', 'other_pid', 'other_comm', 'other_addr', 'other_port', 'bytes'],
  }),
  '1000,connect,1,a,::1,4000,2,b,::1,80,',
  '',
].join('\n');

beforeAll(() => writeFileSync(place.path('x.marple'), FILE));

async function json(...args: string[]): Promise<Report> {
  const ended = await place.marple(['stats', '-i', 'x.marple', '--json', ...args]);
  expect(ended.code).toBe(0);
  return JSON.parse(ended.stdout) as Report;
}

describe('stats', () => {
  test('every section, in the order of the file, as text of at most 100 columns', async () => {
    const ended = await place.marple(['stats', '-i', 'x.marple']);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    const lines = ended.stdout.split('\n');
    expect(lines.filter((line) => line.length > 100)).toEqual([]);
    expect(lines.filter((line) => /^\d/.test(line))).toEqual([
      '1  callstack: 2 different stacks in 4 s',
      '2  callstack: 3 events in 4 s, 0.75 a second',
      '3  disklat: 3 datapoints in 4 s, 0.75 a second',
      '4  system: 1 datapoint in 4 s, 0.25 a second',
    ]);
    expect(ended.stdout).toMatch(/4 samples in 2 different stacks, and 9 idle \(69 % of all\)/);
    expect(ended.stdout).toMatch(/^ {2}read +3 +75 % +3 +75 %$/m);
    // Once, though both sections of the interface have it.
    expect(ended.stdout.match(/mind this/g)).toHaveLength(1);
    // What would clear the screen is written out.
    expect(ended.stdout).toContain('bad\\x1b[2Jname (11)');
    expect(ended.stdout).not.toContain('\x1b');
  });

  test('several files, and folders of them: the numbers of sections go through all', async () => {
    mkdirSync(place.path('folder'));
    writeFileSync(place.path('folder/one.marple'), FILE.split('\n').slice(0, 4).join('\n').concat('\n'));
    const ended = await place.marple(['stats', '-i', 'folder', '-i', 'x.marple']);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout.split('\n').filter((line) => /^\S*marple:$|^\d/.test(line))).toEqual([
      'folder/one.marple:',
      '1  callstack: 2 different stacks in 4 s',
      'x.marple:',
      '2  callstack: 2 different stacks in 4 s',
      '3  callstack: 3 events in 4 s, 0.75 a second',
      '4  disklat: 3 datapoints in 4 s, 0.75 a second',
      '5  system: 1 datapoint in 4 s, 0.25 a second',
    ]);
    const picked = await place.marple(['stats', '-i', 'folder', '-i', 'x.marple', '-e', '1,4', '--json']);
    const report = JSON.parse(picked.stdout) as Report;
    expect(report.sections.map(({ section, file }) => [section, file])).toEqual([
      [1, 'folder/one.marple'],
      [4, 'x.marple'],
    ]);
    expect(report).toMatchObject({
      file: null,
      files: [
        { path: 'folder/one.marple', partial: false },
        { path: 'x.marple', partial: false },
      ],
    });
    rmSync(place.path('folder'), { recursive: true });
  });

  test('--json: the documented shape', async () => {
    const report = await json();
    expect(Object.keys(report)).toEqual([
      ...['version', 'file', 'files', 'partial', 'filter', 'findings', 'sections', 'together', 'warnings'],
    ]);
    expect(report).toMatchObject({
      version: 1,
      file: 'x.marple',
      partial: false,
      filter: { from: null, to: null, pids: null, comm: null, hosts: null },
    });
    expect(report.sections.map(({ section, interface: name, datatype }) => [section, name, datatype])).toEqual([
      [1, 'callstack', 'stack'],
      [2, 'callstack', 'event'],
      [3, 'disklat', 'datapoint'],
      [4, 'system', 'datapoint'],
    ]);
    expect(report.sections[2]?.points?.all).toMatchObject({ count: 3, mean: 4, p50: 2, max: 9 });
    expect(await place.marple(['stats', '-i', 'x.marple', '--json=out.json'])).toMatchObject({ code: 0, stdout: '' });
    expect(JSON.parse(readFileSync(place.path('out.json'), 'utf8'))).toEqual(report);
  });

  test('what docs/stats.md says of the shape is so', async () => {
    const page = readFileSync(new URL('../../docs/stats.md', import.meta.url), 'utf8');
    const keys = new Set<string>();
    const gather = (value: unknown): void => {
      if (Array.isArray(value)) for (const part of value) gather(part);
      else if (typeof value === 'object' && value !== null) {
        for (const [key, part] of Object.entries(value)) {
          keys.add(key);
          gather(part);
        }
      }
    };
    writeFileSync(place.path('kinds.marple'), KINDS);
    const kinds = await place.marple(['stats', '-i', 'kinds.marple', '--json']);
    gather(await json());
    gather(JSON.parse(kinds.stdout));
    expect([...keys]).toEqual(
      expect.arrayContaining(['trends', 'slope', 'ram', 'reasons', 'scheduling', 'waits', 'connections']),
    );
    const undocumented = [...keys].filter((key) => !page.includes(`\`${key}\``));
    expect(undocumented).toEqual([]);
  });

  test('findings first, as the report has them, with the thresholds of the config', async () => {
    const sentence = '75 % of the samples of callstack are in read itself';
    const ended = await place.marple(['stats', '-i', 'x.marple', '--top', '1']);
    expect(ended.stdout.split('\n').slice(0, 3)).toEqual(['Findings', `  - ${sentence} (1 callstack)`, '']);
    const { findings } = await json();
    const select = [{ kind: 'frame', name: 'read', not: false }];
    expect(findings).toEqual([{ kind: 'note', section: 1, interface: 'callstack', sentence, number: 75, select }]);
    expect((await json('--by', 'pid')).findings).toEqual(findings);
    mkdirSync(place.path('config/marple'), { recursive: true });
    writeFileSync(place.path('config/marple/config.txt'), '[report]\nhot_function = 80\ndisk_p99 = 5\n');
    const { findings: others } = await json();
    rmSync(place.path('config'), { recursive: true });
    expect(others).toMatchObject([
      {
        kind: 'warning',
        interface: 'disklat',
        number: 9,
        select: [{ kind: 'values', interface: 'disklat', from: 9, to: 9 }],
      },
    ]);
    const html = await place.marple(['display', '-i', 'x.marple', '-r', '-o', '-.html']);
    expect(html.stdout).toContain(`"sentence":"${sentence}"`);
  });

  test('of a range, of processes, of some sections', async () => {
    const range = await json('--from', '1.25', '--to', '2.75');
    expect(range.sections.map(({ records, seconds }) => [records, seconds])).toEqual([
      [1, 1.5],
      [1, 1.5],
      [2, 1.5],
      [0, 1.5],
    ]);
    expect(range.sections[0]?.stacks?.total).toBe(1);
    const ofPid = await json('--pid', '11');
    expect(ofPid.sections.map(({ section, records }) => [section, records])).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
    ]);
    expect(ofPid.warnings).toEqual([
      expect.stringMatching(/^left out: section 4 \(system, datapoint\) cannot answer --pid/),
    ]);
    const some = await json('-e', '3', '--comm', '^fio$', '--by', 'pid', '--top', '1');
    expect(some.sections[0]?.points?.processes).toMatchObject([{ comm: 'fio', pid: 10, count: 2 }]);
  });

  test('what cannot be answered is refused', async () => {
    const refusals: [string[], RegExp][] = [
      [['-e', '4', '--pid', '1'], /cannot answer --pid/],
      [['-e', '9'], /has no section 9/],
      [['--by', 'name'], /--by takes comm or pid/],
      [['--top', '0'], /--top takes a whole number/],
      [['--from', '3', '--to', '2'], /not before/],
      [['-i', 'y.marple'], /there is no file y\.marple/],
    ];
    for (const [args, sentence] of refusals) {
      const ended = await place.marple(['stats', '-i', 'x.marple', ...args]);
      expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(sentence) });
      expect(ended.stderr).toMatch(/^hint: /m);
    }
    expect(await place.marple(['stats'])).toMatchObject({ code: 2, stderr: expect.stringMatching(/marple collect/) });
  });

  test('a damaged file is 65, with its line', async () => {
    writeFileSync(place.path('bad.marple'), FILE.replace('0.5,1,fio', 'x,1,fio'));
    const ended = await place.marple(['stats', '-i', 'bad.marple']);
    expect(ended).toMatchObject({ code: 65, stderr: expect.stringMatching(/bad\.marple:10/) });
  });

  test('what was just collected, the run that was killed too', async () => {
    const collected = await place.marple(['collect', 'memtime', 'system', '-t', '0.7', '-o', 'real.marple']);
    expect(collected.code).toBe(0);
    const report = JSON.parse((await place.marple(['stats', '--json'])).stdout) as Report;
    expect(report.file).toMatch(/real\.marple$/);
    const memory = report.sections.find((section) => section.interface === 'memtime');
    expect(memory?.trends?.all.samples).toBeGreaterThanOrEqual(1);
    expect(memory?.trends?.all.max).toBeGreaterThan(1);

    const running = place.start(['collect', 'memtime', '-t', '60', '-o', 'cut.marple']);
    await running.says('recording');
    while (!existsSync(place.path('cut.marple.partial')) || !(await hasRecords()))
      await new Promise((r) => setTimeout(r, 50));
    running.kill('SIGKILL');
    await running.ended;
    const cut = await place.marple(['stats', '-i', 'cut.marple', '--json']);
    expect(cut).toMatchObject({ code: 0, stderr: expect.stringMatching(/cut off/) });
    const partial = JSON.parse(cut.stdout) as Report;
    expect(partial).toMatchObject({ partial: true });
    expect(partial.sections[0]?.trends?.all.samples).toBeGreaterThan(0);
  });
});

async function hasRecords(): Promise<boolean> {
  const ended = await place.marple(['stats', '-i', 'cut.marple', '--json']);
  return ended.code === 0 && (JSON.parse(ended.stdout) as Report).sections[0]!.records > 0;
}
