import { describe, expect, it } from 'vitest';
import type { Datapoint } from '../../../src/common/datatypes.ts';
import { textWidth } from '../../../src/common/text.ts';
import { FlameGraph } from '../../../src/display/flamegraph.ts';
import { type DisplayJob, SIGNATURE } from '../../../src/display/generic-display.ts';
import { HeatMap } from '../../../src/display/heatmap.ts';
import type { DisplayClass } from '../../../src/display/registry.ts';
import { StackPlot } from '../../../src/display/stackplot.ts';
import type { Screen } from '../../../src/display/text/screen.ts';
import { TimelineView } from '../../../src/display/timeline.ts';
import { TreeMap } from '../../../src/display/treemap.ts';
import { headerOf, type TestSection } from '../../support/data-files.ts';
import { jobOf } from '../job.ts';

const HOSTILE = 'a\x1b[2J\x07\u202e\n漢字b';
const END = '2026-03-01T09:30:10.000Z';
const SECONDS = { label: 'time', unit: 's' };
const PLAIN: Screen = { columns: 80, rows: 40, hasColours: false };
const COLOURED: Screen = { ...PLAIN, hasColours: true };

const DISK: TestSection = {
  header: headerOf('datapoint', {
    interface: 'disklat',
    end: END,
    x: SECONDS,
    y: { label: `latency${HOSTILE}`, unit: 'ms' },
    fields: ['comm', 'pid'],
    warnings: [`beware of ${HOSTILE}`],
  }),
  records: Array.from(
    { length: 1000 },
    (_, i): Datapoint => ({
      x: i / 100,
      y: i % 100 === 0 ? 50 : 0.1 + (i % 50) / 1000,
      info: ['fio', '1'],
    }),
  ),
};
const MEMORY: TestSection = {
  header: headerOf('datapoint', {
    interface: 'memtime',
    end: END,
    x: SECONDS,
    y: { label: 'PSS', unit: 'MiB' },
    fields: ['comm', 'pid'],
  }),
  records: Array.from({ length: 11 }, (_, x): Datapoint[] => [
    { x, y: 300, info: ['postgres', '1'] },
    ...(x <= 5 ? [{ x, y: 100, info: [HOSTILE, '2'] }] : []),
  ]).flat(),
};
const STACKS: TestSection = {
  header: headerOf('stack', { interface: 'callstack', end: END, weight: { label: 'samples', unit: 'samples' } }),
  records: [
    { weight: 60, stack: ['app', 'main', 'parse', 'read'] },
    { weight: 30, stack: ['app', 'main', 'write'] },
    { weight: 10, stack: [HOSTILE, 'f'] },
    { weight: 900, stack: ['swapper', 'idle'] },
  ],
};
const SAMPLES: TestSection = {
  header: headerOf('event', { interface: 'callstack', end: END, fields: ['stack', 'pid'] }),
  records: Array.from({ length: 200 }, (_, i) => ({
    time: i * 5e7,
    type: 'cpu-clock',
    datum: ['0', i % 20 < 10 ? '7' : '0'],
  })),
};

const SCHEDULING: TestSection = {
  header: headerOf('event', {
    interface: 'cpusched',
    end: END,
    fields: ['cpu', 'pid', 'comm', 'other_pid', 'other_comm', 'state'],
  }),
  records: Array.from({ length: 20 }, (_, i) => [
    { time: i * 5e8, type: 'wakeup', datum: ['0', '0', 'swapper/0', '7', HOSTILE, ''] },
    { time: i * 5e8 + 1e8, type: 'switch', datum: ['0', '0', 'swapper/0', '7', HOSTILE, 'R'] },
    { time: i * 5e8 + 3e8, type: 'switch', datum: ['0', '7', HOSTILE, '0', 'swapper/0', 'S'] },
    ...Array.from({ length: 9 }, (__, task) => ({
      time: i * 5e8 + 4e8 + task,
      type: 'wakeup',
      datum: ['0', '7', HOSTILE, String(20 + task), `task_${task}`, ''],
    })),
  ]).flat(),
};
const EVENTS: TestSection = {
  header: headerOf('event', { interface: 'ipc', end: END, fields: ['pid', 'comm', 'addr'] }),
  records: Array.from({ length: 40 }, (_, i) => ({
    time: i * 2e8,
    type: `connect${HOSTILE}`,
    datum: [String(i % 10), HOSTILE, '::1'],
  })),
};

type More<Options> = Partial<Omit<DisplayJob<Options>, 'options' | 'section' | 'group'>>;

async function text<Options>(
  View: DisplayClass<string, Options>,
  sections: readonly TestSection[],
  screen: Screen,
  more: More<Options> = {},
): Promise<string> {
  const job = await jobOf(View.description, sections, {}, { format: 'txt', screen, ...more });
  const rendered = await new View(job).render();
  return Buffer.from(rendered as Uint8Array).toString('utf8');
}

type Rendition = (sections: readonly TestSection[], screen: Screen) => Promise<string>;

const RENDITIONS: readonly (readonly [string, Rendition, readonly TestSection[]])[] = [
  ['heat map', (sections, screen) => text(HeatMap, sections, screen), [DISK]],
  ['heat map of samples', (sections, screen) => text(HeatMap, sections, screen), [SAMPLES]],
  ['stack plot', (sections, screen) => text(StackPlot, sections, screen), [MEMORY]],
  ['flame graph', (sections, screen) => text(FlameGraph, sections, screen), [STACKS]],
  ['treemap', (sections, screen) => text(TreeMap, sections, screen), [STACKS]],
  ['timeline of tasks', (sections, screen) => text(TimelineView, sections, screen), [SCHEDULING]],
  ['timeline of events', (sections, screen) => text(TimelineView, sections, screen), [EVENTS]],
];

describe.each(RENDITIONS)('the text of a %s', (_, render, sections) => {
  it.each([40, 80, 133, 200])('fits into %i columns', async (columns) => {
    const lines = (await render(sections, { ...PLAIN, columns })).split('\n');
    expect(Math.max(...lines.map(textWidth))).toBeLessThanOrEqual(columns);
    expect(lines.length).toBeGreaterThan(10);
  });

  it('has no control characters of the data, and of its own only line ends', async () => {
    expect(await render(sections, PLAIN)).not.toMatch(/[\0-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
  });

  it('has colours of its own, and nothing else, on a terminal that has them', async () => {
    const coloured = await render(sections, COLOURED);
    expect(coloured).toContain('\x1b[');
    const bare = coloured.replace(/\x1b\[[\d;]*m/g, '');
    expect(bare).not.toMatch(/[\0-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
    // Every line leaves the terminal as it was.
    for (const line of coloured.split('\n')) expect(line.lastIndexOf('\x1b[0m')).toBe(line.lastIndexOf('\x1b['));
  });

  it('is known as ours', async () => {
    expect(
      Buffer.from(await render(sections, COLOURED))
        .subarray(0, 4096)
        .includes(SIGNATURE),
    ).toBe(true);
  });

  it('is drawn without any record', async () => {
    const empty = sections.map((section) => ({ ...section, records: [] }));
    expect(await render(empty, PLAIN)).toMatch(/no (records|samples)|0 (records|samples|events)/);
  });
});

describe('the text of a heat map', () => {
  it('has axes, numbers, the row of the outliers and a key', async () => {
    const lines = (await text(HeatMap, [DISK], PLAIN)).split('\n');
    expect(lines.join(' ')).toContain(
      '1,000 records · p50 0.125 ms · p99 0.149 ms · max 50 ms · 10 above 0.17 ms (1.0 %)',
    );
    expect(lines.find((line) => line.includes('> 0.17'))).toMatch(/^ +> 0\.17 ┤[· ░▒▓█]+ 10$/);
    expect(lines.find((line) => line.includes('└'))).toMatch(/└.*┬/);
    expect(lines.some((line) => /records per bin .*: ·· 1 /.test(line))).toBe(true);
    expect(lines.some((line) => line.startsWith('! beware of a\\x1b[2J'))).toBe(true);
  });

  it('shows every record in some bin', async () => {
    const points = [
      [0.5, 1],
      [5, 2],
      [9.5, 4],
    ] as const;
    const records = points.map(([x, y]): Datapoint => ({ x, y, info: ['a', '1'] }));
    const drawn = await text(HeatMap, [{ ...DISK, records }], PLAIN);
    const bins = drawn.split('\n').filter((line) => /[│┤]/.test(line));
    expect(bins.join('').match(/▒/g)).toHaveLength(3);
  });

  it('of samples has a column per second, hides idle ones and says so', async () => {
    const drawn = await text(HeatMap, [SAMPLES], PLAIN);
    expect(drawn).toContain('100 samples · 100 idle samples hidden (50 %)');
    expect(drawn).toContain('samples per bin (1 s × ');
    // All of them in the first half of each second.
    const rows = drawn.split('\n').filter((line) => /[│┤]/.test(line));
    const filled = rows.map((line) => /[·░▒▓█]/.test(line));
    expect(filled.slice(0, filled.length / 2 - 1)).not.toContain(true);
    expect(filled.at(-1)).toBe(true);
    expect(await text(HeatMap, [SAMPLES], PLAIN, { showIdle: true })).toContain('200 samples');
  });
});

describe('the text of a stack plot', () => {
  it('has a line for each contributor, the top one first: how it went, its last and its largest value', async () => {
    const lines = (await text(StackPlot, [MEMORY], PLAIN)).split('\n');
    expect(lines).toContain('17 records · 2 contributors · total 300 MiB at the end, at most 400 MiB');
    const [upper, lower] = lines.slice(lines.findIndex((line) => line.includes('most MiB')) + 1);
    expect(upper).toMatch(/^b a\\x1b\[2J.* 0 +100$/);
    expect(lower).toMatch(/^a postgres +█{11} +300 +300$/);
    // 300 of 400 MiB are the lower three quarters.
    const plot = lines.filter((line) => /[│┤]/.test(line)).map((line) => line.slice(12));
    const column = plot.map((line) => line[5] ?? ' ').join('');
    expect(column).toMatch(/^b+a+$/);
    expect(Math.abs(column.split('a').length - 1 - 0.75 * column.length)).toBeLessThanOrEqual(1);
    expect(plot.map((line) => line[60] ?? ' ').join('')).toMatch(/^ +a+$/);
  });

  it('over an address has no end, only a largest value', async () => {
    const header = { ...MEMORY.header, x: { label: 'address', unit: 'GiB' } };
    const drawn = await text(StackPlot, [{ ...MEMORY, header }], PLAIN);
    expect(drawn).toContain('17 records · 2 contributors · at most 400 MiB');
    expect(drawn).not.toContain('last MiB');
  });
});

describe('the text of a treemap', () => {
  const boxes = (drawn: string) => drawn.split('\n').filter((line) => /[│┌└░]/.test(line));

  it('has boxes of the first level with their shares, and below them what is in each', async () => {
    const drawn = await text(TreeMap, [STACKS], PLAIN);
    expect(drawn).toContain('100 samples · 900 idle samples hidden (90 %)');
    expect(boxes(drawn).join('\n')).toMatch(/┌app 90 %─+┐/);
    expect(drawn).toMatch(/^ +90 % {2}█+▍ +app › main 100 %$/m);
    expect(drawn).toMatch(/^ +10 % {2}█+▋ +a\\x1b\[2J.*漢字b › f 100 %$/m);
  });

  it('has areas in proportion to the weights', async () => {
    const records = [
      { weight: 750, stack: ['app'] },
      { weight: 250, stack: ['other'] },
    ];
    const lines = boxes(await text(TreeMap, [{ ...STACKS, records }], { ...PLAIN, columns: 100 }));
    const app = lines.map((line) => line.indexOf('│', 1)).find((at) => at > 0)! + 1;
    expect(Math.abs(app / 100 - 0.75)).toBeLessThan(0.03);
  });

  it('shows as many levels as config says, each within the one above', async () => {
    const job = await jobOf(TreeMap.description, [STACKS], { depth: 3 }, { format: 'txt', screen: PLAIN });
    const drawn = Buffer.from((await new TreeMap(job).render()) as Uint8Array).toString();
    expect(boxes(drawn).slice(0, 3).join('\n')).toMatch(/┌app 90 %.*\n┌main 90 %.*\n┌parse 60 %─+┐┌write 30 %/);
  });

  it('fills boxes with colour where the terminal has it, and writes dark on them', async () => {
    expect(await text(TreeMap, [STACKS], COLOURED)).toMatch(/\x1b\[0;38;5;234;48;5;\d+mapp 90 %/);
  });
});

describe('the text of a flame graph', () => {
  it('has the heaviest stacks as a tree, the processes and the functions', async () => {
    const lines = (await text(FlameGraph, [STACKS], PLAIN)).split('\n');
    const stacks = lines.filter((line) => /^ *[\d.]+ % +[\d.]+ % /.test(line));
    expect(stacks[0]).toMatch(/^ +90 % +0 % {2}██████████████▍ +app › main$/);
    expect(stacks[1]).toMatch(/^ +60 % +60 % .* {5}parse › read$/);
    expect(stacks[2]).toMatch(/^ +30 % +30 % .* {5}write$/);
    expect(stacks[3]).toMatch(/^ +10 % +10 % .*a\\x1b\[2J.*漢字b › f$/);
    expect(lines.join('\n')).toContain('100 samples · 900 idle samples hidden (90 %)');
    const processes = lines.slice(lines.findIndex((line) => line.endsWith('processes')) + 1);
    expect(processes[0]).toMatch(/^ +90 % .*app$/);
    const functions = lines.slice(lines.findIndex((line) => line.includes('functions')) + 1);
    expect(functions[0]).toMatch(/^ +60 % +60 % .*read$/);
  });

  it('keeps to the lines there are, and counts what is left out', async () => {
    const records = Array.from({ length: 500 }, (_, i) => ({ weight: 500 - i, stack: ['app', `function_${i}`] }));
    const drawn = await text(FlameGraph, [{ ...STACKS, records }], PLAIN);
    expect(drawn.split('\n').length).toBeLessThanOrEqual(40);
    expect(drawn).toContain('function_0');
    expect(drawn).toMatch(/and 4\d\d lighter frames/);
  });

  it('shortens long chains in their middle', async () => {
    const stack = ['app', ...Array.from({ length: 60 }, (_, i) => `frame_${i}`)];
    const drawn = await text(FlameGraph, [{ ...STACKS, records: [{ weight: 5, stack }] }], PLAIN);
    expect(drawn).toMatch(/app › .* › … \d+ … › .*frame_59$/m);
  });
});
