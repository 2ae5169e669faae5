import { formatValue, plural, visible } from '../../common/text.ts';
import type { Finding } from '../finding.ts';
import type { FindingOptions } from '../findings.ts';
import type { SectionStats } from '../stats.ts';

/** The numbers of one host, section by section. */
export interface HostStats {
  readonly host: string;
  readonly stats: readonly SectionStats[];
}

/** A number in which hosts that do the same work are alike. */
export interface HostMetric {
  /** The same for what can be compared. */
  readonly key: string;
  /** What it is, within a sentence. */
  readonly what: string;
  readonly unit: string;
  readonly value: number;
  /** A difference that is smaller than this is none to speak of. */
  readonly least: number;
  /** The section that it is of. */
  readonly stats: SectionStats;
}

/** What nobody uses: time and memory that are left over. */
const UNUSED = new Set(['idle', 'iowait', 'free']);

/** The numbers of a section by which hosts are compared; those that it has no value of are left out. */
export function hostMetrics(stats: SectionStats): HostMetric[] {
  const { interface: name, points, trends, stacks, ram, scheduling, seconds, rate } = stats;
  const found: HostMetric[] = [];
  const add = (key: string, what: string, unit: string, least: number, value: number | null | undefined): void => {
    if (value !== null && value !== undefined && Number.isFinite(value)) {
      found.push({ key: `${name} ${key}`, what, unit, least, value, stats });
    }
  };
  if (scheduling !== undefined) {
    const window = scheduling.to - scheduling.from;
    const busy = scheduling.cpus.reduce((sum, cpu) => sum + cpu.busy + cpu.other, 0);
    if (window > 0 && scheduling.cpus.length > 0) {
      add('busy', 'CPU time in use', '%', 5, (100 * busy) / (window * scheduling.cpus.length));
      const disk = scheduling.waits.find(({ reason }) => reason === 'disk')?.seconds ?? 0;
      add('disk', 'waits for disks, of all tasks', 's a second', 0.05, disk / window);
    }
    add('runqueue', 'waits for a CPU, 99th percentile', 'ms', 1, scheduling.latency.p99);
  } else if (points !== undefined && points.unit === 'ms') {
    add('p50', `${points.label}, median`, 'ms', 0.05, points.all.p50);
    add('p99', `${points.label}, 99th percentile`, 'ms', 0.1, points.all.p99);
    add('rate', name === 'disklat' ? 'I/Os' : `${points.label}, how often`, 'a second', 1, rate);
  } else if (points !== undefined) {
    for (const { field, groups } of points.by) {
      if (field !== 'mode' && field !== 'use') continue;
      for (const group of groups) {
        if (!UNUSED.has(group.name)) {
          add(
            `${points.label} ${group.name}`,
            `${points.label} (${group.name})`,
            points.unit,
            field === 'mode' ? 0.05 : 64,
            group.mean,
          );
        }
      }
    }
  }
  if (trends !== undefined) add('max', `${trends.label}, at most`, trends.unit, 16, trends.all.max);
  // Those of disklat are its I/Os once more.
  if (stacks !== undefined && seconds !== null && name === 'cpusched') {
    // A summary, of what tasks did: all of it together grows with their number alone.
    const ran = stacks.by_total.find((did) => did.name === 'running')?.total ?? 0;
    add('ran', 'CPU time', 's', 0.1, ran / 1e9);
  } else if (stacks !== undefined && seconds !== null && name !== 'disklat') {
    const [what, unit, size, least] = STACK_UNITS[stacks.unit] ?? [stacks.unit, stacks.unit, 1, 10];
    add('total', what, unit, least, stacks.total / size);
  }
  if (ram === undefined && stats.events !== undefined && scheduling === undefined && stats.events.all.weight === null) {
    add('rate', 'events', 'a second', 1, rate);
  }
  return found;
}

/** What weights of a unit are, the unit in which they are told, how much of them is one of it, and the least difference. */
const STACK_UNITS: Readonly<Record<string, readonly [what: string, unit: string, size: number, least: number]>> = {
  ns: ['time off the CPU', 's', 1e9, 0.1],
  bytes: ['bytes by stack', 'MiB', 2 ** 20, 1],
};

/** Scales the median of absolute deviations to the standard deviation of a normal distribution. */
const MAD_SCALE = 1.4826;
/** Metrics of one host that are told, and findings in all. */
const OF_A_HOST = 2;
const MOST = 12;

/**
 * The hosts that stand out from the others: by how far a number of theirs is from the median of all, out of the median absolute
 * deviation (Iglewicz and Hoaglin 1993), which a few outliers do not move. Where most hosts have the very same number, what
 * counts is the ratio alone.
 */
export function outliers(hosts: readonly HostStats[], options: FindingOptions): Finding[] {
  const byKey = new Map<string, { host: string; metric: HostMetric }[]>();
  for (const { host, stats } of hosts) {
    const seen = new Set<string>();
    for (const metric of stats.flatMap(hostMetrics)) {
      // Of two sections of a kind the first is compared.
      if (seen.has(metric.key)) continue;
      seen.add(metric.key);
      const known = byKey.get(metric.key);
      if (known === undefined) byKey.set(metric.key, [{ host, metric }]);
      else known.push({ host, metric });
    }
  }
  const found: { score: number; host: string; finding: Finding }[] = [];
  for (const values of byKey.values()) {
    if (values.length < options.outlier_hosts) continue;
    const middle = median(values.map(({ metric }) => metric.value));
    const deviation = MAD_SCALE * median(values.map(({ metric }) => Math.abs(metric.value - middle)));
    for (const { host, metric } of values) {
      const score = deviation > 0 ? Math.abs(metric.value - middle) / deviation : Number.POSITIVE_INFINITY;
      const isClear =
        Math.abs(metric.value - middle) >= metric.least && isFar(metric.value, middle, options.outlier_ratio);
      if (score < options.outlier_score || !isClear) continue;
      found.push({ score, host, finding: finding(host, metric, middle, values.length) });
    }
  }
  const told = new Map<string, number>();
  const chosen = found
    .sort((a, b) => b.score - a.score || distance(b.finding) - distance(a.finding))
    .filter(({ host }) => {
      const count = (told.get(host) ?? 0) + 1;
      told.set(host, count);
      return count <= OF_A_HOST;
    });
  return chosen.slice(0, MOST).map(({ finding: own }) => own);
}

function isFar(value: number, middle: number, ratio: number): boolean {
  const [low, high] = [Math.min(value, middle), Math.max(value, middle)];
  return high > 0 && high >= ratio * low;
}

function distance({ number }: Finding): number {
  return Math.abs(number);
}

function finding(host: string, { what, unit, value, stats }: HostMetric, middle: number, hosts: number): Finding {
  const times = middle > 0 && value > 0 ? Math.max(value, middle) / Math.min(value, middle) : undefined;
  const by =
    times === undefined || times < 2 ? '' : ` (${formatValue(times)} times ${value > middle ? 'as much' : 'less'})`;
  const short = unit === '' ? '' : ` ${visible(unit)}`;
  return {
    kind: 'warning',
    section: stats.section,
    interface: stats.interface,
    sentence: `${visible(host)} stands out from ${plural(hosts, 'host')} by ${visible(what)}: ${formatValue(value)}${short}, and the median is ${formatValue(middle)}${short}${by}`,
    number: value,
    select: [{ kind: 'field', field: 'host', values: [host], not: false }],
  };
}

/** Of values in any order; there is one at least. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
