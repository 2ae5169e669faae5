import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DiskLatency } from '../../src/collect/disklat.ts';
import type { Datapoint, StackData } from '../../src/common/datatypes.ts';
import { makePlace, type Place, sleep } from '../e2e/marple.ts';
import { type DiskData, readDiskData } from '../support/disk-data.ts';
import { type Fio, prepareFio } from '../support/fio.ts';
import { compileProgram } from '../support/programs.ts';
import { collectAll, testRun } from '../support/run.ts';

const SMALL = 300;
const LARGE = 100;
const TURNS = 500;

let fio: Fio;
let other: Fio;
let place: Place;
const reads = compileProgram('reads');
beforeAll(() => {
  fio = prepareFio('fiotest', 64);
  other = prepareFio('other', 16);
  place = makePlace();
});
afterAll(() => place.remove());

/** Not what the kernel reads of a program to start it. */
const isDirectRead = ({ info }: Datapoint): boolean => info[3] === 'RS';

/** I/Os of the program by the function that made them, as the stack section weighs them. */
function weights(stacks: readonly StackData[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { weight, stack } of stacks) {
    if (stack[0] !== 'reads') continue;
    const [name = 'other'] = stack.filter((frame) => frame === 'small_reads' || frame === 'large_reads');
    found[name] = (found[name] ?? 0) + weight;
  }
  return found;
}

/** The same, as the points refer to them. */
function counts({ points, stacks }: DiskData, chosen = points): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { info } of chosen) {
    const stack = stacks[Number(info[7] || -1)]?.stack ?? [];
    const [name = 'none'] = stack.filter((frame) => frame === 'small_reads' || frame === 'large_reads');
    found[name] = (found[name] ?? 0) + 1;
  }
  return found;
}

function config(text: string): Record<string, string> {
  const dir = place.path(`config-${Math.random().toString(36).slice(2)}`);
  mkdirSync(`${dir}/marple`, { recursive: true });
  writeFileSync(`${dir}/marple/config.txt`, text);
  return { XDG_CONFIG_HOME: dir };
}

/** What a flame graph says of the two functions. */
function titles(svg: string): string[] {
  const text = readFileSync(place.path(svg), 'utf8');
  return [...new Set([...text.matchAll(/(?:small|large)_reads \([^)]*\)/gu)].map(([title]) => title))].sort();
}

const command = (): string[] => ['--', reads, fio.file, `${SMALL}`, `${LARGE}`];

describe('the stack of each I/O', () => {
  test.each(['ftrace', 'bpftrace', 'perf'])('%s: two functions that read are told apart, and counted', async (tool) => {
    const args = ['collect', '--disk', '--tool', `disklat=${tool}`, '-o', `${tool}.marple`, ...command()];
    expect(await place.marple(args)).toMatchObject({ code: 0 });
    const data = readDiskData(place.path(`${tool}.marple`));
    expect(data.headers.map(({ interface: name, datatype }) => [name, datatype])).toEqual([
      ['disklat', 'datapoint'],
      ['disklat', 'stack'],
    ]);
    expect(data.headers[0]).toMatchObject({ tool: { name: tool } });
    expect(data.headers[1]).toMatchObject({ weight: { label: 'I/Os', unit: 'I/Os' } });
    const all = data.points.filter(({ info }) => info[0] === 'reads');
    expect(weights(data.stacks)).toEqual(counts(data, all));
    const ofProgram = all.filter(isDirectRead);
    if (tool === 'ftrace') expect(counts(data, ofProgram)).toEqual({ small_reads: SMALL, large_reads: LARGE });
    // bpftrace and perf are not given all completions on some kernels; where it is worth a word, it is said.
    const missing = SMALL + LARGE - ofProgram.length;
    expect(missing).toBeGreaterThanOrEqual(0);
    const { warnings = [], lost = 0 } = data.headers[0] ?? {};
    if (tool !== 'ftrace' && missing > lost + (SMALL + LARGE) / 10) {
      expect(warnings.join('\n')).toMatch(/the trace has \d+ completed I\/Os, but \/proc\/diskstats counted \d+/u);
    }
    // On an idle machine perf can be given none at all.
    if (tool !== 'perf') expect(ofProgram.length).toBeGreaterThan(0);
    // Each I/O has the stack of the function that reads its size.
    for (const { info } of ofProgram) {
      const frames = data.stacks[Number(info[7])]?.stack;
      expect(frames).toContain(info[6] === '4096' ? 'small_reads' : 'large_reads');
      expect(frames).toContain('main');
    }
  });

  test.each([
    ['others issue some of that', '4k'],
    ['the device is full, so that some goes back to its queue', '512k'],
  ])('is that of the I/O itself, where a thread reads one place again and again, and %s', async (_, size) => {
    other.startLoad(`--bs=${size}`);
    const env = config('[disklat]\nstacks = on\n');
    const args = ['collect', '--disk', '-o', `${size}.marple`, '--', reads, fio.file, '0', '0', `${TURNS}`];
    expect(await place.marple(args, { env })).toMatchObject({ code: 0 });
    const { points, stacks } = readDiskData(place.path(`${size}.marple`));
    const functions = points
      .filter((point) => point.info[0] === 'reads' && isDirectRead(point))
      .map(({ info }) => stacks[Number(info[7] || -1)]?.stack.find((frame) => frame === 'even' || frame === 'odd'));
    expect(functions).toEqual(Array.from({ length: 2 * TURNS }, (_, i) => (i % 2 === 0 ? 'even' : 'odd')));
  });

  test('leads from the slow I/Os to the code that issued them', () => {
    const data = readDiskData(place.path('ftrace.marple'));
    const slow = [...data.points].sort((a, b) => b.y - a.y).slice(0, LARGE / 2);
    expect(counts(data, slow)['large_reads']).toBeGreaterThan(0.9 * slow.length);
  });

  test('the flame graph has them; the heat map stays the default view; a time range weighs anew', async () => {
    const heatmap = await place.marple(['display', '-i', 'ftrace.marple', '-q', '--no-open']);
    expect(heatmap).toMatchObject({ code: 0 });
    expect(readFileSync(place.path('ftrace.disklat.heatmap.png')).length).toBeGreaterThan(1000);
    const whole = await place.marple(['display', '-i', 'ftrace.marple', '-fg', '-o', 'fg.svg', '--no-open']);
    expect(whole).toMatchObject({ code: 0 });
    expect(titles('fg.svg')).toEqual(['large_reads (100 I/Os, 25.00%)', 'small_reads (300 I/Os, 75.00%)']);
    // The small reads come first.
    const data = readDiskData(place.path('ftrace.marple'));
    const from = data.points.find(({ info }) => info[6] !== '4096')?.x ?? 0;
    const args = ['display', '-i', 'ftrace.marple', '-fg', '--from', `${from}`, '-o', 'part.svg', '--no-open'];
    expect(await place.marple(args)).toMatchObject({ code: 0 });
    expect(titles('part.svg')).toEqual(['large_reads (100 I/Os, 100.00%)']);
  });

  test('ends where I/Os come faster than the limit, which is said; the I/Os themselves go on', async () => {
    const env = config('[disklat]\nstack_limit = 100\n');
    const args = ['collect', '--disk', '-o', 'limit.marple', '--', fio.program];
    const more = ['--time_based', '--runtime=4', '--norandommap', '--rate_iops=1000'];
    const ended = await place.marple([...args, ...fio.args(...more)], { env });
    expect(ended).toMatchObject({ code: 0 });
    const { points, stacks, headers } = readDiskData(place.path('limit.marple'));
    expect(points.length).toBeGreaterThan(3000);
    const withStack = points.filter(({ info }) => info[7] !== '');
    expect(withStack.length).toBeGreaterThan(0);
    expect(withStack.length).toBeLessThan(points.length * 0.8);
    expect(stacks.reduce((sum, { weight }) => sum + weight, 0)).toBe(withStack.length);
    const text = (headers[1]?.warnings ?? []).join('\n');
    expect(text).toMatch(/stacks end [\d.]+ s after the start: \d+ I\/Os a second are more than stack_limit \(100\)/u);
    expect(text).toContain(`${withStack.length} of ${points.length} I/Os have a stack`);
    // What comes after the end has none, what came well before it has.
    const end = Number(/stacks end ([\d.]+) s/u.exec(text)?.[1]);
    for (const { x, info } of points) {
      if (info[0] !== 'fiotest') continue;
      if (x < end - 0.1) expect(info[7]).not.toBe('');
      if (x > end + 1) expect(info[7]).toBe('');
    }
  });

  test('off: no perf is started, and nothing is said to be missing', async () => {
    const options = DiskLatency.description.options.parse({ stacks: 'off' });
    const { run, report, started, stop } = testRun({ tool: 'ftrace', options, scope: { own: 0 } });
    const collected = collectAll(new DiskLatency(run));
    await started;
    await fio.start('--number_ios=100');
    stop();
    const [points = [], stacks = []] = await collected;
    expect(points.length).toBeGreaterThanOrEqual(100);
    expect((points as Datapoint[]).every(({ info }) => info[7] === '')).toBe(true);
    expect(stacks).toEqual([]);
    expect(report.warnings).toEqual([]);
  });

  test('after kill -9 of MARPLE the stacks are there too', async () => {
    const running = place.start(['collect', '--disk', '--comm', '^reads$', '-t', '60', '-o', 'k.marple']);
    await running.says('disklat (');
    execFileSync(reads, [fio.file, `${SMALL}`, `${LARGE}`]);
    await sleep(500);
    running.kill('SIGKILL');
    await running.ended;
    const args = ['display', '-i', 'k.marple', '-fg', '-o', 'killed.svg', '--no-open'];
    expect(await place.marple(args)).toMatchObject({ code: 0 });
    expect(titles('killed.svg')).toEqual(['large_reads (100 I/Os, 25.00%)', 'small_reads (300 I/Os, 75.00%)']);
  });
});
