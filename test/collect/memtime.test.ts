import { expect, test } from 'vitest';
import { MemTime, type MemTimeOptions } from '../../src/collect/memtime.ts';
import type { Datapoint } from '../../src/common/datatypes.ts';
import type { SectionHeader } from '../../src/common/header.ts';
import type { HeaderReport } from '../../src/common/report.ts';
import { collectAll, testRun } from '../support/run.ts';

const { options: schema, ...description } = MemTime.description;

function options(settings: Readonly<Record<string, unknown>>): MemTimeOptions {
  return schema.parse(settings);
}

function headerOf(report: HeaderReport): Pick<SectionHeader, 'options' | 'warnings'> {
  const header = { options: {} } as SectionHeader;
  report.applyTo(header);
  return header;
}

test('describes itself', () => {
  expect(description).toMatchObject({ interface: 'memtime', area: 'mem', kind: 'usage', isDefaultKind: true });
  expect(description.tools.map(({ name }) => name)).toEqual(['proc', 'smem']);
});

test('options come as config has them, and wrong ones are refused', () => {
  expect(options({})).toEqual({ interval: 0.5, budget: 5 });
  expect(options({ interval: '2', budget: '0.5' })).toEqual({ interval: 2, budget: 0.5 });
  for (const wrong of [{ interval: 0 }, { interval: 'abc' }, { budget: 0 }, { budget: 101 }, { intervall: 1 }]) {
    expect(schema.safeParse(wrong).success, JSON.stringify(wrong)).toBe(false);
  }
});

test('all processes of a sweep have its x, and the sweeps are in order of time', async () => {
  const { run, report } = testRun({
    tool: 'proc',
    options: options({ interval: 0.05, budget: 100 }),
    scope: { own: 0 },
    seconds: 0.5,
  });
  const points = (await collectAll(new MemTime(run)))[0] as Datapoint[];
  const times = points.map(({ x }) => x);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  const sweeps = new Set(times);
  expect(sweeps.size).toBeGreaterThan(2);
  for (const sweep of sweeps) {
    const pids = points.filter(({ x }) => x === sweep).map(({ info }) => info[1]);
    expect(pids).toContain(String(process.pid));
    expect(new Set(pids).size).toBe(pids.length);
  }
  for (const { x, y, info } of points) {
    expect(x).toBeGreaterThanOrEqual(0);
    expect(y).toBeGreaterThan(0);
    // Exactly a number of kB, but for the rounding.
    expect(Math.abs(y * 1024 - Math.round(y * 1024))).toBeLessThan(0.06);
    expect(info).toHaveLength(2);
  }
  expect(headerOf(report).options).toEqual({ interval: expect.any(Number), requested_interval: 0.05, budget: 100 });
});

test('the interval is stretched to the budget, recorded and said', async () => {
  const settings = options({ interval: 0.01, budget: 0.5 });
  const { run, report } = testRun({ tool: 'proc', options: settings, scope: { own: 0 }, seconds: 1 });
  await collectAll(new MemTime(run));
  const header = headerOf(report);
  expect(header.options?.['interval']).toBeGreaterThan(0.011);
  expect(header.warnings?.join()).toContain('the interval was stretched from 0.01 s to');
});

test('an interval that is kept is not called stretched', async () => {
  const settings = options({ interval: 0.2, budget: 100 });
  const { run, report } = testRun({ tool: 'proc', options: settings, scope: { own: 0 }, seconds: 0.3 });
  await collectAll(new MemTime(run));
  const header = headerOf(report);
  expect(header.options?.['interval']).toBe(0.2);
  expect(header.warnings?.join() ?? '').not.toContain('stretched');
});

test('a stop long after the last sweep takes one more, one right after it does not', async () => {
  const settings = options({ interval: 1000, budget: 100 });
  const long = testRun({ tool: 'proc', options: { ...settings, interval: 0.4 }, scope: { own: 0 }, seconds: 0.3 });
  const points = (await collectAll(new MemTime(long.run)))[0] as Datapoint[];
  expect(new Set(points.map(({ x }) => x)).size).toBe(2);

  const short = testRun({ tool: 'proc', options: settings, scope: { own: 0 }, seconds: 0.1 });
  const few = (await collectAll(new MemTime(short.run)))[0] as Datapoint[];
  expect(new Set(few.map(({ x }) => x)).size).toBe(1);
});

test('MARPLE itself is left out', async () => {
  const { run } = testRun({ tool: 'proc', options: options({}), seconds: 0.1 });
  const points = (await collectAll(new MemTime(run)))[0] as Datapoint[];
  expect(points.map(({ info }) => info[1])).not.toContain(String(process.pid));
});

test('with no command running yet nothing is measured, and a stop ends the waiting', async () => {
  const { run, stop, started } = testRun({ tool: 'proc', options: options({}), scope: { root: 0 } });
  const collected = collectAll(new MemTime(run));
  await started;
  stop();
  expect((await collected).flat()).toEqual([]);
});
