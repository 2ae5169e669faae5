import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Comparison } from '../../src/analysis/diff/compare.ts';
import type { Diff } from '../../src/analysis/diff.ts';
import { Random } from '../../src/analysis/random.ts';
import { makePlace } from './marple.ts';

const place = makePlace();
afterAll(() => place.remove());

interface Result extends Diff {
  readonly version: number;
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly left_out: readonly string[];
  readonly fail_if: { readonly holds: boolean; readonly conditions: readonly { readonly holds: boolean }[] } | null;
  readonly warnings: readonly string[];
}

/** One run: the latencies of fio's I/Os about `latency` ms, samples of its functions, its memory, and its CPU time. */
function run(seed: number, latency: number, samples: Readonly<Record<string, number>>): string {
  const random = new Random(seed);
  const header = (more: Record<string, unknown>): string =>
    JSON.stringify({ marple: 1, start: '2026-03-01T09:30:00.000Z', end: '2026-03-01T09:30:10.000Z', ...more });
  const time = { label: 'time', unit: 's' };
  // Differs from run to run, and no more between the sides.
  const some = ((7 * seed) % 11) / 10;
  const cpu = Math.round(1e9 * (4 + 0.1 * some));
  return [
    header({
      interface: 'cpusched',
      datatype: 'event',
      fields: ['cpu', 'pid', 'comm', 'other_pid', 'other_comm', 'state'],
    }),
    '1000,wakeup,0,0,swapper/0,1,fio,',
    '2000,switch,0,0,swapper/0,1,fio,R',
    `${2000 + cpu},switch,0,1,fio,0,swapper/0,S`,
    header({ interface: 'callstack', datatype: 'stack', weight: { label: 'samples', unit: 'samples' } }),
    ...Object.entries(samples).map(([name, weight]) => `${weight}#fio;main;${name}`),
    '500#swapper/0;idle',
    header({
      interface: 'disklat',
      datatype: 'datapoint',
      x: time,
      y: { label: 'latency', unit: 'ms' },
      fields: ['comm', 'pid', 'dev'],
    }),
    ...Array.from(
      { length: 1000 },
      (_, i) => `${i / 100},${(-latency * Math.log(1 - random.uniform())).toFixed(6)},fio,1,vda`,
    ),
    header({
      interface: 'memtime',
      datatype: 'datapoint',
      x: time,
      y: { label: 'PSS', unit: 'MiB' },
      fields: ['comm', 'pid'],
    }),
    `1,${50 + some},fio,1`,
    '',
  ].join('\n');
}

const BEFORE = { read: 200, parse: 300, sort: 100 };
const AFTER = { read: 200, parse: 302, hash: 10 };
const before = [1, 2, 3].map((i) => `before-${i}.marple`);
const after = [1, 2, 3].map((i) => `after-${i}.marple`);

beforeAll(() => {
  for (const [i, name] of before.entries()) writeFileSync(place.path(name), run(i + 1, 1, BEFORE));
  for (const [i, name] of after.entries()) writeFileSync(place.path(name), run(i + 11, 1.6, AFTER));
  writeFileSync(place.path('same.marple'), run(21, 1, BEFORE));
  writeFileSync(place.path('other.marple'), run(1, 1, BEFORE).replace(/^[\s\S]*?(?=\{[^\n]*memtime)/, ''));
});

async function diff(...args: readonly string[]): Promise<Result> {
  const { code, stdout, stderr } = await place.marple(['diff', ...args, '--json']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.any(String) });
  return JSON.parse(stdout) as Result;
}

function metric(result: Result, name: string): Comparison | undefined {
  return result.sections
    .flatMap(({ all, groups, by_self, by_total }) => [...all, ...groups, ...by_self, ...by_total])
    .find((comparison) => comparison.name === name);
}

describe('two files', () => {
  test('are compared in every section', async () => {
    const result = await diff('before-1.marple', 'after-1.marple');
    expect(result).toMatchObject({
      version: 1,
      before: ['before-1.marple'],
      after: ['after-1.marple'],
      method: { over: 'records', confidence: 95, seed: 1 },
      left_out: [],
      fail_if: null,
    });
    expect(result.sections.map(({ key, datatype }) => `${key} ${datatype}`)).toEqual([
      'cpusched event',
      'callstack stack',
      'disklat datapoint',
      'memtime datapoint',
    ]);
    expect(metric(result, 'disklat.p50')).toMatchObject({ unit: 'ms', verdict: 'changed' });
    expect(metric(result, 'disklat.p50')!.ratio).toBeGreaterThan(1.3);
    expect(metric(result, 'disklat[fio].p99')).toMatchObject({ verdict: 'changed' });
    expect(metric(result, 'disklat.count')).toMatchObject({ before: 1000, after: 1000, verdict: 'noise' });
    expect(metric(result, 'cpusched[fio].cpu')).toMatchObject({ unit: 's', interval: null, verdict: 'unknown' });
    expect(metric(result, 'memtime[fio].max')!.before).toBeGreaterThan(50);
    expect(metric(result, 'callstack.idle')).toMatchObject({ before: 500, after: 500 });
    // What vanished and what is new are told, and a shift of two samples is noise.
    expect(metric(result, 'callstack{sort}.self')).toMatchObject({
      before: 100,
      after: 0,
      ratio: 0,
      verdict: 'changed',
    });
    expect(metric(result, 'callstack{hash}.self')).toMatchObject({
      before: 0,
      after: 10,
      ratio: null,
      verdict: 'changed',
    });
    expect(metric(result, 'callstack{parse}.self')).toMatchObject({ before: 300, after: 302, verdict: 'noise' });
  });

  test('that are of one machine doing the same show noise alone', async () => {
    const result = await diff('before-1.marple', 'same.marple');
    for (const name of ['disklat.p50', 'disklat.p90', 'disklat.p99', 'disklat.mean', 'callstack.total']) {
      expect([name, metric(result, name)?.verdict]).toEqual([name, 'noise']);
    }
  });

  test('may be compared in a part', async () => {
    const result = await diff('before-1.marple', 'after-1.marple', '--from', '5', '--comm', 'fio');
    expect(metric(result, 'disklat.count')).toMatchObject({ before: 500, after: 500 });
    expect(result.warnings).toContain(
      'before-1.marple: callstack (stack) cannot answer all of the filter, and is left out',
    );
  });

  test('functions by their share', async () => {
    const result = await diff('before-1.marple', 'after-1.marple', '--normalize', '--top', '1');
    const { by_self } = result.sections.find(({ key }) => key === 'callstack')!;
    expect(by_self.map(({ name, unit }) => [name, unit])).toEqual([['callstack{sort}.self_share', '%']]);
  });

  test('sections that one of them lacks are left out, and that is said', async () => {
    const { code, stdout, stderr } = await place.marple(['diff', 'before-1.marple', 'other.marple']);
    expect(code).toBe(0);
    expect(stderr).toContain('warning: left out: disklat (datapoint) is not in all files');
    expect(stdout).toMatch(/^memtime \(datapoint\)/m);
    expect(stdout).not.toContain('disklat');
  });
});

describe('several runs of each side', () => {
  const sides = ['--before', ...before, '--after', ...after];

  test('are resampled themselves', async () => {
    const result = await diff(...sides);
    expect(result.method).toMatchObject({ over: 'runs', resamples: 10_000 });
    expect(metric(result, 'disklat.p50')!.verdict).toBe('changed');
    expect(metric(result, 'cpusched[fio].cpu')).toMatchObject({ verdict: 'noise' });
    expect(metric(result, 'memtime[fio].max')).toMatchObject({ verdict: 'noise' });
  });

  test('give the same each time, and not with another seed', async () => {
    const [one, two, other] = [await diff(...sides), await diff(...sides), await diff(...sides, '--seed', '2')];
    expect(two.sections).toEqual(one.sections);
    expect(other.sections).not.toEqual(one.sections);
  });

  test('as text name the method, and are readable at 100 characters', async () => {
    const { code, stdout } = await place.marple(['diff', ...sides]);
    expect(code).toBe(0);
    expect(stdout).toContain('before: 3 runs, before-1.marple, before-2.marple, before-3.marple');
    expect(stdout).toContain('95 % intervals by bootstrap over the runs');
    expect(stdout).toMatch(/^ {2}\{sort\}\.self +100 +0 +samples +gone +-100 % \.\. -100 % +changed$/m);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });
});

describe('--fail-if', () => {
  test.each([
    ['disklat.p50 > 1.2x', 1],
    ['disklat.p50 > 3x', 0],
    ['disklat.p50 > 3x or disklat[fio].p99 > 5ms', 1],
    ['callstack{sort}.self < 1', 1],
    ['memtime.max > 1 GiB', 0],
  ])('%s: exit %i', async (expression, expected) => {
    const { code, stdout } = await place.marple(['diff', 'before-1.marple', 'after-1.marple', '--fail-if', expression]);
    expect(code).toBe(expected);
    expect(stdout).toMatch(expected === 1 ? /^FAIL /m : /^ok {3}/m);
    expect(stdout.match(/^FAIL /gm)?.length ?? 0).toBe(expected);
  });

  test('is in the JSON', async () => {
    const { code, stdout } = await place.marple([
      'diff',
      'before-1.marple',
      'after-1.marple',
      '--json',
      '--fail-if',
      'disklat.p50 > 1.2x or disklat.p50 > 9x',
    ]);
    expect(code).toBe(1);
    const { fail_if } = JSON.parse(stdout) as Result;
    expect(fail_if).toMatchObject({ holds: true, conditions: [{ holds: true, limit: 1.2 }, { holds: false }] });
  });

  test('a metric that is not there is refused, with those that are', async () => {
    const { code, stdout, stderr } = await place.marple([
      'diff',
      'before-1.marple',
      'after-1.marple',
      '--fail-if',
      'disklat.p98 > 1.2x',
    ]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain("--fail-if 'disklat.p98 > 1.2x', character 1: the files have no metric disklat.p98");
    expect(stderr).toContain('hint: of disklat there are: disklat.count, disklat.rate');
  });

  test('a wrong one is refused before anything is read', async () => {
    const { code, stderr } = await place.marple([
      'diff',
      'nowhere.marple',
      'nowhere.marple',
      '--fail-if',
      'disklat.p99 >',
    ]);
    expect(code).toBe(2);
    expect(stderr).toContain('character 14: a number is expected, and not the end');
  });
});

describe('what is asked wrongly is refused', () => {
  test.each([
    [['before-1.marple'], 'diff needs a file before and one after'],
    [['before-1.marple', 'after-1.marple', 'same.marple'], 'diff takes two files, and here are 3'],
    [['--before', 'before-1.marple'], '--after is missing'],
    [['before-1.marple', 'nowhere.marple'], 'nowhere.marple'],
    [['before-1.marple', 'after-1.marple', '-o', 'x.svg'], 'a comparison is drawn as HTML, and not as x.svg'],
    [['before-1.marple', 'after-1.marple', '--seed', '-1'], '--seed takes a whole number'],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await place.marple(['diff', ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toContain('hint: ');
  });
});

test('-o writes a page, and not over another', async () => {
  const args = ['diff', 'before-1.marple', 'after-1.marple', '-o', 'x.html'];
  const { code, stdout } = await place.marple(args);
  expect(code).toBe(0);
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('x.html');
  expect(readFileSync(place.path('x.html'), 'utf8')).toContain('"view":"diff"');
  expect((await place.marple(args)).code).toBe(2);
  expect((await place.marple([...args, '--force'])).code).toBe(0);
});
