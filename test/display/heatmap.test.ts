import { createCanvas, loadImage } from 'canvas';
import { describe, expect, it } from 'vitest';
import type { EventColumns, PointColumns } from '../../src/common/column-data.ts';
import type { Datapoint } from '../../src/common/datatypes.ts';
import { EXIT } from '../../src/common/errors.ts';
import { renumbered, type SectionReader } from '../../src/common/reader.ts';
import { type DisplayJob, SIGNATURE } from '../../src/display/generic-display.ts';
import { HeatMap, type HeatMapOptions, HeatmapException } from '../../src/display/heatmap.ts';
import { heatColour } from '../../src/display/shape/palette.ts';
import { headerOf, type TestSection } from '../support/data-files.ts';
import { jobOf } from './job.ts';
import { readPng } from './png.ts';

const HEADER: Partial<TestSection['header']> = {
  interface: 'disklat',
  end: '2026-03-01T09:30:10.000Z',
  x: { label: 'time', unit: 's' },
  y: { label: 'latency', unit: 'ms' },
  fields: ['comm', 'pid'],
};

type More = Partial<Omit<DisplayJob<HeatMapOptions>, 'options' | 'section' | 'group'>>;

async function heatMap(
  points: readonly (readonly [x: number, y: number])[],
  options: Partial<HeatMapOptions> = {},
  more: More = {},
  header: Partial<TestSection['header']> = {},
): Promise<HeatMap> {
  const records = points.map(([x, y], i): Datapoint => ({ x, y, info: ['fio', String(i % 3)] }));
  const section = { header: headerOf('datapoint', { ...HEADER, ...header }), records };
  return new HeatMap(await jobOf(HeatMap.description, [section], options, more));
}

/** Latencies around `median`, and one in two hundred a thousand times as long. */
const SKEWED = Array.from({ length: 4000 }, (_, i): [number, number] => [
  i / 400,
  (0.05 + (i % 97) / 1000) * (i % 200 === 0 ? 1000 : 1),
]);

const POINTS: TestSection = {
  header: headerOf('datapoint', HEADER),
  records: SKEWED.map(([x, y]): Datapoint => ({ x, y, info: ['fio', '1'] })),
};
/** Some of them of idle CPUs. */
const SAMPLES: TestSection = {
  header: headerOf('event', { interface: 'callstack', fields: ['stack', 'cpu', 'pid', 'tid', 'weight'] }),
  records: SKEWED.map(([x], i) => ({
    time: Math.round(x * 1e9),
    type: 'cycles',
    datum: ['0', '0', String(i % 3), '1', '1'],
  })),
};
const BINS = { columns: 100, rows: 50, scale: 'auto' } as const;

type Values = Float64Array | Int32Array;

/** The same columns in chunks of a hundred rows. */
async function* inHundreds<Chunk extends PointColumns | EventColumns>(
  chunks: AsyncIterable<Chunk>,
  leading: (chunk: Chunk, of: <T extends Values>(values: T) => T) => Partial<Chunk>,
): AsyncGenerator<Chunk> {
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += 100) {
      const of = <T extends Values>(values: T) => values.subarray(at, at + 100) as T;
      const columns = chunk.columns.map((column) => ({ ...column, values: of(column.values) }));
      yield { ...chunk, length: Math.min(100, chunk.length - at), columns, ...leading(chunk, of) };
    }
  }
}

describe('HeatMap.layout', () => {
  it('counts every point once, outliers in rows of their own', async () => {
    const { grid, summary } = await (await heatMap(SKEWED)).layout();
    expect([summary.count, grid.total, grid.overTotal]).toEqual([4000, 4000, 20]);
    expect(grid.viewport).toMatchObject({ scale: 'linear', bottom: 0 });
    expect(grid.viewport.top).toBeLessThan(1);
    expect([grid.columns, grid.rows]).toEqual([100, 50]);
  });

  it('has the columns, rows and scale that the config asks for', async () => {
    const { grid } = await (await heatMap(SKEWED, { columns: 7, rows: 3, scale: 'log' })).layout();
    expect([grid.columns, grid.rows, grid.viewport.scale, grid.overTotal]).toEqual([7, 3, 'log', 0]);
  });

  it('counts only what the filter lets through', async () => {
    const total = async (more: More) => (await (await heatMap(SKEWED, {}, more)).layout()).grid.total;
    expect(await total({ filter: { from: 5 } })).toBe(2000);
    expect(await total({ filter: { pids: [0], to: 2.9999 } })).toBe(400);
    expect(await total({ filter: { comm: /nobody/u } })).toBe(0);
  });

  describe('of points that are too many to be kept', () => {
    /** How often they are read, and that it makes no difference. */
    async function readings(records: TestSection, more: More = {}): Promise<number> {
      const job = await jobOf(HeatMap.description, [records], {}, more);
      const kept = await new HeatMap(job).layout();
      expect(kept.summary.count).toBeGreaterThan(100);
      let count = 0;
      const section: SectionReader = {
        ...renumbered(job.section, 1),
        points: (want) => {
          count++;
          return inHundreds(job.section.points(want), ({ x, y }, of) => ({ x: of(x), y: of(y) }));
        },
        events: (want) => {
          count++;
          return inHundreds(job.section.events(want), ({ time, type }, of) => ({
            time: of(time),
            type: { ...type, values: of(type.values) },
          }));
        },
      };
      expect(await new HeatMap({ ...job, section }).layout({ ...BINS }, 1000)).toEqual(kept);
      return count;
    }

    it('they are read once where the bins that fit the first of them fit all', async () => {
      expect(await readings(POINTS)).toBe(1);
      expect(await readings(SAMPLES, { filter: { from: 2, to: 10 } })).toBe(1);
    });

    it('they are read again where others do', async () => {
      const grow = ({ x, info }: Datapoint): Datapoint => ({ x, y: x ** 3, info });
      expect(await readings({ ...POINTS, records: (POINTS.records as Datapoint[]).map(grow) })).toBe(2);
      expect(await readings(SAMPLES)).toBe(2);
    });
  });

  it('covers the range of time that was asked for', async () => {
    const { grid } = await (await heatMap(SKEWED, {}, { filter: { from: 2, to: 4 } })).layout();
    expect(grid.xRange).toEqual([2, 4]);
  });
});

describe('HeatMap.render', () => {
  it('gives a signed PNG of the size that was asked for', async () => {
    const display = await heatMap(SKEWED);
    const bytes = (await display.render()) as Uint8Array;
    expect(readPng(bytes)).toMatchObject({ width: 1200, height: 700, texts: { Software: SIGNATURE } });
    expect(Buffer.from(bytes).subarray(0, 4096).includes(SIGNATURE)).toBe(true);
    const small = (await (await heatMap(SKEWED, { width: 800 }, { height: 400 })).render()) as Uint8Array;
    expect(readPng(small)).toMatchObject({ width: 800, height: 400 });
  });

  it('says how many outliers there are, and where', async () => {
    const display = await heatMap(SKEWED);
    await display.render();
    expect(display.notes).toEqual([
      expect.stringMatching(/^outliers are in rows of their own: 20 above 0\.\d+ ms \(0\.5 %\)$/),
    ]);
  });

  it.each<[string, [number, number][]]>([
    ['no record', []],
    ['one record', [[2.5, 3.25]]],
    ['only zeros', Array.from({ length: 500 }, (_, i) => [i / 50, 0])],
    ['values below 0', Array.from({ length: 500 }, (_, i) => [i / 50, -i])],
    [
      'the largest numbers that there are',
      [
        [0, Number.MAX_VALUE],
        [10, -Number.MAX_VALUE],
        [5, 5e-324],
      ],
    ],
    ['values over twelve decades', Array.from({ length: 1200 }, (_, i) => [i / 120, 10 ** ((i % 12) - 6)])],
  ])('draws %s', async (_, points) => {
    for (const scale of ['auto', 'linear', 'log'] as const) {
      const display = await heatMap(points, { scale });
      expect(readPng((await display.render()) as Uint8Array)).toMatchObject({ width: 1200, height: 700 });
    }
  });

  it('paints a bin where its record is, and nothing elsewhere', async () => {
    const png = Buffer.from((await (await heatMap([[5.05, 3.25]])).render()) as Uint8Array);
    const image = await loadImage(png);
    const context = createCanvas(image.width, image.height).getContext('2d');
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.width, image.height);
    // The only bin holds the only count, whose colour is the middle one; the colour bar is at the right.
    const painted: [number, number][] = [];
    for (let at = 0; at < data.length; at += 4) {
      const [x, y] = [(at / 4) % image.width, Math.floor(at / 4 / image.width)];
      if (`rgb(${data[at]},${data[at + 1]},${data[at + 2]})` === heatColour(0.5) && x < 1100) painted.push([x, y]);
    }
    const [xs, ys] = [painted.map(([x]) => x), painted.map(([, y]) => y)];
    const [width, height] = [Math.max(...xs) - Math.min(...xs) + 1, Math.max(...ys) - Math.min(...ys) + 1];
    expect(painted).toHaveLength(width * height);
    expect(width).toBeGreaterThanOrEqual(9);
    expect(width).toBeLessThanOrEqual(12);
    // Half way across, a little above the middle: 3.25 of 4.5.
    expect(Math.min(...xs)).toBeGreaterThan(500);
    expect(Math.max(...xs)).toBeLessThan(640);
    expect(Math.max(...ys)).toBeLessThan(340);
  });

  it('refuses a size that has no room, with a hint', async () => {
    const error = await (await heatMap(SKEWED, {}, { width: 200, height: 120 })).render().catch((thrown) => thrown);
    expect(error).toBeInstanceOf(HeatmapException);
    expect(error).toMatchObject({ exitCode: EXIT.usage, hint: expect.stringContaining('--width 1200') });
  });

  it('fits datapoints, and events that are samples', () => {
    const fits = HeatMap.description.fits;
    expect([fits(headerOf('datapoint')), fits(headerOf('event')), fits(headerOf('stack'))]).toEqual([
      true,
      false,
      false,
    ]);
    expect(fits(headerOf('event', { fields: ['stack', 'cpu'] }))).toBe(true);
  });

  it('of samples has a column per second, without idle ones, which are counted', async () => {
    const section = {
      header: headerOf('event', { interface: 'callstack', end: HEADER.end!, fields: ['stack', 'pid'] }),
      records: [
        { time: 1_250_000_000, type: 'cpu-clock', datum: ['0', '7'] },
        { time: 1_999_999_999, type: 'cpu-clock', datum: ['0', '7'] },
        { time: 9_000_000_000, type: 'cpu-clock', datum: ['1', '0'] },
      ],
    };
    const display = new HeatMap(await jobOf(HeatMap.description, [section]));
    const { grid, idle } = await display.layout();
    expect([grid.columns, grid.rows, grid.total, idle]).toEqual([10, 50, 2, 1]);
    expect([grid.counts[12 * 10 + 1], grid.counts[49 * 10 + 1]]).toEqual([1, 1]);
    expect(readPng((await display.render()) as Uint8Array)).toMatchObject({ width: 1200, height: 700 });
    expect(display.notes).toContain('1 idle sample hidden (33 %); --idle shows them');
  });
});
