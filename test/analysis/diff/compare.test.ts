import { describe, expect, it, test } from 'vitest';
import { chooseMethod, compare } from '../../../src/analysis/diff/compare.ts';
import { type Metric, sectionMetrics } from '../../../src/analysis/diff/metrics.ts';
import { Random } from '../../../src/analysis/random.ts';
import { Summariser } from '../../../src/analysis/stats/summary.ts';

function level(value: number | null): Metric {
  return { name: 'x', unit: 'ms', value, kind: 'level' };
}

function amount(value: number): Metric {
  return { name: 'x', unit: '', value, kind: 'amount' };
}

/** The metrics of a section of latencies, as sectionStats gives it. */
function latencies(values: readonly number[], sampled = 10_000): ReadonlyMap<string, Metric> {
  const all = new Summariser('all', sampled);
  for (const value of values) all.add(value);
  const { metrics } = sectionMetrics({
    section: 1,
    interface: 'disklat',
    datatype: 'datapoint',
    tool: null,
    start: '',
    seconds: 10,
    records: values.length,
    rate: values.length / 10,
    lost: 0,
    skipped: 0,
    notes: [],
    points: { label: 'latency', unit: 'ms', all: all.summary(), processes: [], by: [] },
  });
  return new Map(metrics.map((metric) => [metric.name, metric]));
}

const RECORDS = chooseMethod(1, 1, 1);
const RUNS = chooseMethod(5, 5, 1);

describe('the method', () => {
  test.each([
    [1, 1, 'records'],
    [3, 2, 'records'],
    [3, 3, 'runs'],
  ])('%i runs before and %i after: over the %s', (before, after, over) => {
    expect(chooseMethod(before, after, 4)).toMatchObject({ over, confidence: 95, seed: 4 });
  });
});

describe('comparing', () => {
  it('takes the means of the runs', () => {
    const found = compare('x', [level(1), level(2), level(6)], [level(6)], RECORDS);
    expect(found).toMatchObject({ unit: 'ms', before: 3, after: 6, difference: 3, ratio: 2 });
    expect(found).toMatchObject({ interval: null, verdict: 'unknown' });
  });

  it('takes an amount that a run does not have for 0, and a level for none', () => {
    expect(compare('x', [undefined], [amount(6)], RECORDS)).toMatchObject({
      before: 0,
      after: 6,
      difference: 6,
      ratio: null,
    });
    expect(compare('x', [undefined], [level(6)], RECORDS)).toMatchObject({ before: null, after: 6, difference: null });
    expect(compare('x', [level(null), level(4)], [level(6)], RECORDS)).toMatchObject({ before: 4, difference: 2 });
  });

  it('tells a shift of runs from noise', () => {
    const before = [10, 11, 9, 10.5, 9.5].map(level);
    const changed = compare('x', before, [20, 21, 19, 20, 20].map(level), RUNS);
    expect(changed.verdict).toBe('changed');
    expect(changed.interval!.low).toBeGreaterThan(8);
    expect(changed.interval!.high).toBeLessThan(12);
    expect(changed.interval!.ratio_low).toBeGreaterThan(1.7);
    expect(compare('x', before, [10.2, 11.3, 8.9, 10, 10].map(level), RUNS).verdict).toBe('noise');
  });

  it('is repeated by the seed, and does not depend on what else is compared', () => {
    const [before, after] = [[1, 2, 3, 4, 5].map(level), [2, 3, 4, 5, 7].map(level)];
    expect(compare('x', before, after, RUNS)).toEqual(compare('x', before, after, RUNS));
    expect(compare('x', before, after, { ...RUNS, seed: 2 }).interval).not.toEqual(
      compare('x', before, after, RUNS).interval,
    );
  });

  // With no change in 95 of 100 comparisons the interval holds none, also of as few runs as 3.
  test.each([3, 5, 10])('calls noise noise: %i runs', (count) => {
    const random = new Random(count);
    const runs = (): Metric[] => Array.from({ length: count }, () => level(100 + random.normal()));
    const method = { ...chooseMethod(count, count, 1), resamples: 1000 };
    const trials = 400;
    let changed = 0;
    for (let i = 0; i < trials; i++) if (compare(`x${i}`, runs(), runs(), method).verdict === 'changed') changed++;
    expect(changed / trials).toBeLessThan(0.085);
    expect(changed / trials).toBeGreaterThan(0.01);
  });

  test.each([
    ['mean', 10_000],
    ['p50', 10_000],
    ['p90', 10_000],
    ['p99', 10_000],
    ['count', 10_000],
    ['rate', 10_000],
    ['sum', 10_000],
    // A sample of the records tells as much as it can.
    ['mean', 500],
    ['p50', 500],
    ['p90', 500],
  ])('calls noise noise: records, %s, of %i at most', (stat, sampled) => {
    const random = new Random(11);
    const exponential = (): ReadonlyMap<string, Metric> =>
      latencies(
        Array.from({ length: 2000 }, () => -Math.log(1 - random.uniform())),
        sampled,
      );
    const method = { ...RECORDS, resamples: 200 };
    const trials = 200;
    let changed = 0;
    for (let i = 0; i < trials; i++) {
      const [before, after] = [exponential(), exponential()].map((metrics) => [metrics.get(`disklat.${stat}`)]);
      if (compare(`${stat}${i}`, before!, after!, method).verdict === 'changed') changed++;
    }
    expect(changed / trials).toBeLessThan(0.1);
  });

  test.each([10_000, 300])('tells a shift of records, of %i at most', (sampled) => {
    const random = new Random(3);
    const some = (scale: number) =>
      latencies(
        Array.from({ length: 1000 }, () => -scale * Math.log(1 - random.uniform())),
        sampled,
      );
    const [before, after] = [some(1), some(1.5)];
    for (const stat of ['mean', 'p50', 'p90', 'p99']) {
      const found = compare(stat, [before.get(`disklat.${stat}`)], [after.get(`disklat.${stat}`)], RECORDS);
      expect([stat, found.verdict]).toEqual([stat, 'changed']);
      expect(found.interval!.ratio_low).toBeLessThan(1.5);
      expect(found.interval!.ratio_high).toBeGreaterThan(1.4);
    }
    // Of the largest of all a bootstrap tells nothing.
    expect(compare('max', [before.get('disklat.max')], [after.get('disklat.max')], RECORDS).verdict).toBe('unknown');
  });

  it('draws quantiles as a bootstrap of all records has them', () => {
    const values = Array.from({ length: 200 }, (_, i) => i + 1);
    const draw = latencies(values).get('disklat.p90')!.draw!;
    const [random, plain] = [new Random(1), new Random(2)];
    const drawn = Array.from({ length: 3000 }, () => draw(random)).sort((a, b) => a - b);
    const resampled = Array.from({ length: 3000 }, () => {
      const resample = values.map(() => values[plain.integer(200)]!).sort((a, b) => a - b);
      return resample[179]!;
    }).sort((a, b) => a - b);
    for (const p of [0.025, 0.25, 0.5, 0.75, 0.975]) {
      expect(Math.abs(drawn[3000 * p]! - resampled[3000 * p]!)).toBeLessThanOrEqual(2);
    }
  });
});
