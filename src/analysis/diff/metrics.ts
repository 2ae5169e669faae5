import type { Random } from '../random.ts';
import type { EventTotals } from '../stats/events.ts';
import type { ProcessTimes } from '../stats/scheduling.ts';
import type { StackStats } from '../stats/stacks.ts';
import type { Summary } from '../stats/summary.ts';
import type { Trend } from '../stats/trends.ts';
import type { SectionStats } from '../stats.ts';

/** A number of one file that can be compared with that of another. */
export interface Metric {
  /** `disklat.p99`, `disklat[fio].p99`, `callstack{main}.self`: as --fail-if names it. */
  readonly name: string;
  /** Empty where it is a number of things. */
  readonly unit: string;
  /** Null where the file has no value of it. */
  readonly value: number | null;
  /** What a file has that tells nothing of it: 0 of an amount, and no value of a level. */
  readonly kind: 'amount' | 'level';
  /** The value that a bootstrap over the records would come to; undefined where the records do not tell. */
  readonly draw?: (random: Random) => number;
}

/** One section in metrics. */
export interface SectionMetrics {
  /** What its metrics' names begin with; of several sections the same, where they are of one interface. */
  readonly key: string;
  readonly datatype: string;
  readonly metrics: readonly Metric[];
}

/** All of a section's numbers; the lists of `stats` must be whole. */
export function sectionMetrics(stats: SectionStats): SectionMetrics {
  const key = keyOf(stats);
  return { key, datatype: stats.datatype, metrics: [...metricsOf(key, stats)] };
}

function* metricsOf(key: string, stats: SectionStats): Generator<Metric> {
  const { points, trends, stacks, ram, events, scheduling, connections, records, rate } = stats;
  if (stats.datatype !== 'stack') {
    yield counted(`${key}.count`, records);
    if (rate !== null && records > 0) {
      yield level(`${key}.rate`, '1/s', rate, (random) => (random.poisson(records) * rate) / records);
    }
  }
  if (points !== undefined) {
    const { unit } = points;
    yield* summaryMetrics(key, unit, points.all, false);
    for (const group of points.processes) yield* summaryMetrics(`${key}[${groupName(group)}]`, unit, group, true);
    for (const { field, groups } of points.by) {
      for (const group of groups) yield* summaryMetrics(`${key}[${field}=${group.name}]`, unit, group, true);
    }
  }
  if (trends !== undefined) {
    yield* trendMetrics(key, trends.unit, trends.all);
    for (const group of trends.processes) yield* trendMetrics(`${key}[${groupName(group)}]`, trends.unit, group);
  }
  if (stacks !== undefined) yield* stackMetrics(key, stacks);
  if (ram !== undefined) {
    yield amount(`${key}.total`, ram.unit, ram.total);
    for (const { name, weight } of ram.processes) yield amount(`${key}[${name}].total`, ram.unit, weight);
    for (const { name, zone, weight } of ram.uses) {
      yield amount(`${key}[use=${[zone, name].filter((part) => part !== '').join(' ')}].total`, ram.unit, weight);
    }
  }
  if (scheduling !== undefined) {
    const { cpus, latency, waits, processes } = scheduling;
    const window = scheduling.to - scheduling.from;
    const sum = (of: (cpu: (typeof cpus)[number]) => number) => cpus.reduce((total, cpu) => total + of(cpu), 0);
    yield amount(
      `${key}.busy`,
      's',
      sum(({ busy }) => busy),
    );
    if (window > 0 && cpus.length > 0) {
      yield level(`${key}.utilisation`, '%', (100 * sum(({ busy }) => busy)) / (window * cpus.length));
    }
    yield counted(
      `${key}.switches`,
      sum(({ switches }) => switches),
    );
    yield* summaryMetrics(`${key}.runqueue`, 'ms', latency, true);
    for (const { reason, seconds } of waits) yield amount(`${key}.wait.${reason}`, 's', seconds);
    for (const process of processes) yield* processMetrics(`${key}[${groupName(process)}]`, process);
  }
  if (events !== undefined) {
    yield* sums(key, events.all);
    for (const { type, ...totals } of events.types) yield* totalMetrics(`${key}.${type}`, totals);
    for (const group of events.processes) yield* totalMetrics(`${key}[${groupName(group)}]`, group);
    for (const { field, groups } of events.by) {
      for (const group of groups) yield* totalMetrics(`${key}[${field}=${group.name}]`, group);
    }
  }
  if (connections !== undefined) {
    yield counted(`${key}.opened`, connections.opened);
    yield counted(`${key}.closed`, connections.closed);
  }
}

/** The interface; of one that has a section per quantity, the quantity too. */
function keyOf({ interface: name, points }: SectionStats): string {
  return name === 'system' && points !== undefined ? `${name}.${points.label.replace(/\W+/g, '_')}` : name;
}

/** Pids differ from run to run, so processes of one name are together; where there is no name, they are all that there is. */
function groupName({ comm, pid }: { readonly comm: string; readonly pid: number | null }): string {
  return comm === '' && pid !== null ? String(pid) : comm;
}

function level(name: string, unit: string, value: number | null, draw?: Metric['draw']): Metric {
  return { name, unit, value, kind: 'level', ...(draw === undefined || value === null ? {} : { draw }) };
}

function amount(name: string, unit: string, value: number, draw?: Metric['draw']): Metric {
  return { name, unit, value, kind: 'amount', ...(draw === undefined ? {} : { draw }) };
}

/** Of things that come one by one, each is drawn as often as Poisson(1) has it (Hanley and MacGibbon 2006). */
function counted(name: string, value: number, unit = ''): Metric {
  return amount(name, unit, value, (random) => random.poisson(value));
}

function* summaryMetrics(key: string, unit: string, summary: Summary, hasCount: boolean): Generator<Metric> {
  const { count, sum, sample } = summary;
  const values = sample === undefined ? undefined : Float64Array.from(sample).sort();
  if (hasCount) yield counted(`${key}.count`, count);
  yield amount(`${key}.sum`, unit, sum, values && ((random) => count * drawMean(values, count, sum / count, random)));
  yield level(`${key}.mean`, unit, summary.mean, values && ((random) => drawMean(values, count, sum / count, random)));
  for (const [name, p] of QUANTILES) {
    const known = summary[name];
    yield level(
      `${key}.${name}`,
      unit,
      known,
      values && known !== null ? (random) => drawQuantile(values, count, p, known, random) : undefined,
    );
  }
  // The largest and the smallest of a resample are never beyond those that were seen: a bootstrap does not tell of them.
  yield level(`${key}.min`, unit, summary.min);
  yield level(`${key}.max`, unit, summary.max);
}

const QUANTILES = [
  ['p50', 0.5],
  ['p90', 0.9],
  ['p99', 0.99],
  ['p999', 0.999],
] as const;

/**
 * The quantile of a resample of `count` records, without drawing them all: its place among the records is that of an order
 * statistic of uniform numbers, which has a beta distribution. `values` are the records, sorted; where they are only a sample
 * of them it tells how far from the quantile `known` of all records the drawn one is.
 */
function drawQuantile(values: Float64Array, count: number, p: number, known: number, random: Random): number {
  const rank = Math.min(count, Math.max(1, Math.ceil(p * count)));
  const place = random.beta(rank, count - rank + 1);
  if (values.length >= count) return values[Math.min(count, Math.max(1, Math.ceil(place * count))) - 1] ?? 0;
  return known + between(values, place) - between(values, rank / (count + 1));
}

/** The value at a place from 0 to 1, between two values by its distance from them. */
function between(values: Float64Array, place: number): number {
  const at = place * (values.length - 1);
  const low = Math.floor(at);
  const below = values[low] ?? 0;
  return below + (at - low) * ((values[low + 1] ?? below) - below);
}

/** So many records are drawn at most: the mean of more varies by the root of their number less. */
const MOST_DRAWN = 1000;

function drawMean(values: Float64Array, count: number, mean: number, random: Random): number {
  const drawn = Math.min(values.length, MOST_DRAWN);
  if (drawn === 0) return 0;
  let sum = 0;
  for (let i = 0; i < drawn; i++) sum += values[random.integer(values.length)]!;
  return mean + (sum / drawn - meanOf(values)) * Math.sqrt(drawn / count);
}

const means = new WeakMap<Float64Array, number>();

function meanOf(values: Float64Array): number {
  let mean = means.get(values);
  if (mean === undefined) {
    mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    means.set(values, mean);
  }
  return mean;
}

function* trendMetrics(key: string, unit: string, { first, last, max, slope }: Trend): Generator<Metric> {
  yield level(`${key}.max`, unit, max);
  yield level(`${key}.first`, unit, first);
  yield level(`${key}.last`, unit, last);
  yield level(`${key}.slope`, `${unit}/s`, slope);
}

function* stackMetrics(key: string, stats: StackStats): Generator<Metric> {
  const { unit, total, idle, unique, processes, reasons, by_total: functions } = stats;
  // Each sample came by itself; bytes and nanoseconds came in pieces that a sum does not tell.
  const isCounted = unit === 'samples' || unit === 'I/Os' || unit === 'calls';
  const weight = (name: string, value: number) => (isCounted ? counted(name, value, unit) : amount(name, unit, value));
  const share = (name: string, value: number) =>
    amount(
      name,
      '%',
      total === 0 ? 0 : (100 * value) / total,
      isCounted ? (random) => drawShare(value, total, random) : undefined,
    );
  yield weight(`${key}.total`, total);
  yield weight(`${key}.idle`, idle);
  yield counted(`${key}.unique`, unique);
  for (const { name, weight: value } of processes) yield weight(`${key}[${name}].total`, value);
  for (const { name, weight: value } of reasons) yield weight(`${key}[reason=${name}].total`, value);
  for (const { name, self, total: all } of functions) {
    yield weight(`${key}{${name}}.self`, self);
    yield weight(`${key}{${name}}.total`, all);
    yield share(`${key}{${name}}.self_share`, self);
    yield share(`${key}{${name}}.total_share`, all);
  }
}

function drawShare(part: number, whole: number, random: Random): number {
  const [own, others] = [random.poisson(part), random.poisson(whole - part)];
  return own + others === 0 ? 0 : (100 * own) / (own + others);
}

function* processMetrics(key: string, process: ProcessTimes): Generator<Metric> {
  yield amount(`${key}.cpu`, 's', process.cpu_seconds);
  yield counted(`${key}.switches`, process.switches);
  yield counted(`${key}.preempted`, process.preempted);
  yield* summaryMetrics(`${key}.runqueue`, 'ms', process.latency, true);
  for (const { reason, seconds } of process.waits) yield amount(`${key}.wait.${reason}`, 's', seconds);
}

function* totalMetrics(key: string, totals: EventTotals): Generator<Metric> {
  yield counted(`${key}.count`, totals.count);
  yield* sums(key, totals);
}

function* sums(key: string, { weight, bytes }: EventTotals): Generator<Metric> {
  if (weight !== null) yield amount(`${key}.weight`, '', weight);
  if (bytes !== null) yield amount(`${key}.bytes`, 'bytes', bytes);
}
