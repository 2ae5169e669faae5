import { describe, expect, it } from 'vitest';
import type { Datapoint } from '../../src/common/datatypes.ts';
import { type DisplayJob, SIGNATURE } from '../../src/display/generic-display.ts';
import { OTHER_COLOUR } from '../../src/display/shape/palette.ts';
import { StackPlot, type StackPlotOptions } from '../../src/display/stackplot.ts';
import { headerOf, type TestSection } from '../support/data-files.ts';
import { jobOf } from './job.ts';
import { readPng } from './png.ts';

const HEADER: Partial<TestSection['header']> = {
  interface: 'memtime',
  end: '2026-03-01T09:30:02.000Z',
  x: { label: 'time', unit: 's' },
  y: { label: 'PSS', unit: 'MiB' },
  fields: ['comm', 'pid'],
};

type Row = readonly [x: number, y: number, comm: string, pid: number];

async function stackPlot(
  rows: readonly Row[],
  options: Partial<StackPlotOptions> = {},
  more: Partial<Omit<DisplayJob<StackPlotOptions>, 'options' | 'section' | 'group'>> = {},
  header: Partial<TestSection['header']> = {},
): Promise<StackPlot> {
  const fields = header.fields ?? HEADER.fields ?? [];
  const records = rows.map(
    ([x, y, comm, pid]): Datapoint => ({ x, y, info: [comm, String(pid)].slice(0, fields.length || 1) }),
  );
  const section = { header: headerOf('datapoint', { ...HEADER, ...header }), records };
  return new StackPlot(await jobOf(StackPlot.description, [section], options, more));
}

const ROWS: readonly Row[] = [
  [0, 10, 'nginx', 1],
  [0, 30, 'postgres', 2],
  [0, 20, 'postgres', 3],
  [0, 1, 'cron', 4],
  [0.5, 10, 'nginx', 1],
  [0.5, 35, 'postgres', 2],
  [0.5, 2, 'sshd', 5],
];

const layersOf = async (plot: StackPlot) =>
  (await plot.layout()).layers.map(({ name, values }) => [name, ...values] as const);

describe('StackPlot.layout', () => {
  it('stacks the largest contributors from the bottom up, processes of one name together', async () => {
    const plot = await stackPlot(ROWS);
    expect((await plot.layout()).x).toEqual([0, 0.5]);
    expect(await layersOf(plot)).toEqual([
      ['postgres ×2', 50, 35],
      ['nginx', 10, 10],
      ['sshd', 0, 2],
      ['cron', 1, 0],
    ]);
  });

  it('covers the whole run, so that a late beginning and an early end show', async () => {
    const { x, xRange } = await (
      await stackPlot([
        [0.5, 1, 'a', 1],
        [1, 1, 'a', 1],
      ])
    ).layout();
    expect([x, xRange]).toEqual([
      [0.5, 1],
      [0, 2],
    ]);
  });

  it('adds up the rest as other, on top and grey', async () => {
    const { layers, contributors, records } = await (await stackPlot(ROWS, { top: 1 })).layout();
    expect(layers.map(({ name, values }) => [name, ...values])).toEqual([
      ['postgres ×2', 50, 35],
      ['other (3)', 11, 12],
    ]);
    expect([layers.at(-1)?.colour, contributors, records]).toEqual([OTHER_COLOUR, 4, 7]);
    expect(layers[0]?.colour).not.toBe(OTHER_COLOUR);
  });

  it('does not take a process of the name other for the rest', async () => {
    const { layers } = await (await stackPlot([[0, 5, 'other (3)', 1]])).layout();
    expect(layers.map(({ name }) => name)).toEqual(['other (3)']);
    expect(layers[0]?.colour).not.toBe(OTHER_COLOUR);
  });

  it('shows each process by itself where that is asked for', async () => {
    expect(await layersOf(await stackPlot(ROWS, { by: 'pid' }))).toEqual([
      ['postgres (2)', 30, 35],
      ['nginx (1)', 10, 10],
      ['postgres (3)', 20, 0],
      ['sshd (5)', 0, 2],
      ['cron (4)', 1, 0],
    ]);
  });

  it('goes by the first field, or the text, where there is no process', async () => {
    const rows: Row[] = [
      [0, 1, 'eth0', 0],
      [0, 2, 'lo', 0],
    ];
    expect(await layersOf(await stackPlot(rows, { by: 'pid' }, {}, { fields: ['device'] }))).toEqual([
      ['lo', 2],
      ['eth0', 1],
    ]);
    const { fields: _, ...header } = HEADER;
    const section = { header: headerOf('datapoint', header), records: [{ x: 0, y: 1, info: ['free text'] }] };
    expect(await layersOf(new StackPlot(await jobOf(StackPlot.description, [section])))).toEqual([['free text', 1]]);
  });

  it('keeps to the filter', async () => {
    expect(await layersOf(await stackPlot(ROWS, {}, { filter: { from: 0.1, comm: /^n|^p/u } }))).toEqual([
      ['postgres', 35],
      ['nginx', 10],
    ]);
  });

  it('makes hostile and empty names visible', async () => {
    const rows: Row[] = [
      [0, 2, 'a\x1b[2J\u202eb', 1],
      [0, 1, '', 2],
    ];
    expect(await layersOf(await stackPlot(rows))).toEqual([
      ['a\\x1b[2J\\u{202e}b', 2],
      ['(no name)', 1],
    ]);
  });
});

describe('StackPlot.render', () => {
  it('gives a signed PNG of the size that was asked for', async () => {
    const bytes = (await (await stackPlot(ROWS, { width: 900 }, { height: 500 })).render()) as Uint8Array;
    expect(readPng(bytes)).toMatchObject({ width: 900, height: 500, texts: { Software: SIGNATURE } });
  });

  it.each<[string, Row[]]>([
    ['no record', []],
    [
      'one sample',
      [
        [2, 5, 'a', 1],
        [2, 6, 'b', 2],
      ],
    ],
    [
      'only zeros',
      [
        [0, 0, 'a', 1],
        [1, 0, 'a', 1],
      ],
    ],
    [
      'sixty processes',
      Array.from({ length: 600 }, (_, i): Row => [Math.floor(i / 60), i % 60, `process ${i % 60}`, i % 60]),
    ],
  ])('draws %s', async (_, rows) => {
    const plot = await stackPlot(rows);
    expect(readPng((await plot.render()) as Uint8Array)).toMatchObject({ width: 1200, height: 700 });
    expect(plot.notes).toEqual([]);
  });

  it('says where it shows means, and where these are approximate', async () => {
    const rows = Array.from({ length: 1500 }, (_, i): Row => [i, 1, 'a', 1]);
    const plot = await stackPlot(rows);
    await plot.render();
    expect(plot.notes).toEqual(['each of the 1000 columns is the mean over the samples that fall into it']);
    const back = await stackPlot([...rows, [3, 1, 'b', 2]]);
    await back.render();
    expect(back.notes).toHaveLength(2);
  });
});
