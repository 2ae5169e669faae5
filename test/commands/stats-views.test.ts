import { describe, expect, test } from 'vitest';
import type { Filter } from '../../src/analysis/select.ts';
import { sectionStats } from '../../src/analysis/stats.ts';
import { formatCount } from '../../src/common/text.ts';
import { FlameGraph } from '../../src/display/flamegraph.ts';
import { HeatMap } from '../../src/display/heatmap.ts';
import { StackPlot } from '../../src/display/stackplot.ts';
import { disklat, memtime, stacks } from '../analysis/stats/sections.ts';
import { jobOf } from '../display/job.ts';
import { headerOf } from '../support/data-files.ts';

/** Numbers that spread over some decades, the same in every run. */
function* numbers(count: number): Generator<number> {
  let state = 12345;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield 10 ** ((3 * state) / 2 ** 32);
  }
}

const FILTERS: [string, Filter][] = [
  ['all', {}],
  ['a range of one process', { from: 2, to: 7, pids: [11] }],
  ['a name', { comm: /^a/u }],
];

const values = [...numbers(5000)];
const points = values.map((y, i) => ({ x: i / 500, y, info: [i % 3 === 0 ? 'a b' : 'c', String(10 + (i % 2))] }));

describe.each(FILTERS)('the numbers of views and of stats are the same: %s', (_, filter) => {
  const options = { filter, by: 'comm', top: 10 } as const;

  test('heat map', async () => {
    const section = disklat(points.map(({ x, y, info }) => ({ x, y, info: [...info, 'vda', 'R'] })));
    const job = await jobOf(HeatMap.description, [section], {}, { filter });
    const { summary, grid } = await new HeatMap(job).layout();
    const all = (await sectionStats(job.group, job.section, options)).points?.all;
    expect(all?.count).toBeGreaterThan(100);
    expect(all).toMatchObject({
      count: grid.total,
      min: summary.y.min,
      p50: summary.y.at(0.5),
      p99: summary.y.at(0.99),
      max: summary.y.max,
    });
  });

  test('stack plot', async () => {
    const section = memtime(points.slice(0, 900).map((point, i) => ({ ...point, x: Math.floor(i / 4) / 20 })));
    const job = await jobOf(StackPlot.description, [section], {}, { filter });
    const { layers, x } = await new StackPlot(job).layout();
    const totals = x.map((_x, column) => layers.reduce((sum, layer) => sum + layer.values[column]!, 0));
    const all = (await sectionStats(job.group, job.section, options)).trends?.all;
    expect(all?.samples).toBe(x.length);
    expect(all?.last).toBeCloseTo(totals.at(-1)!, 8);
    expect(all?.max).toBeCloseTo(Math.max(...totals), 8);
  });

  test('flame graph', async () => {
    const section = stacks('callstack', [
      { weight: 3000, stack: ['a_b', 'main', 'work'] },
      { weight: 2000, stack: ['c', 'main'] },
      { weight: 700, stack: ['swapper', 'idle'] },
    ]);
    const timed = {
      header: headerOf('event', { interface: 'callstack', fields: ['stack', 'cpu', 'pid', 'tid', 'weight'] }),
      records: values.slice(0, 5700).map((y, i) => ({
        time: i * 2e6,
        type: 'cycles',
        datum: [String(i % 3), '0', String(10 + (i % 2)), '1', String(Math.round(y))],
      })),
    };
    const job = await jobOf(FlameGraph.description, [section, timed], { engine: 'builtin' }, { filter });
    const svg = Buffer.from((await new FlameGraph(job).render()) as Uint8Array).toString();
    const stats = (await sectionStats(job.group, job.section, options)).stacks;
    expect(stats?.total).toBeGreaterThan(1000);
    expect(svg).toContain(`${formatCount(stats!.total)} samples`);
    if (stats!.idle > 0) expect(svg).toContain(`${formatCount(stats!.idle)} idle samples hidden`);
  });
});
