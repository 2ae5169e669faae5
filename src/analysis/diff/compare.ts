import { Random } from '../random.ts';
import type { Metric } from './metrics.ts';

/** How it is told what is noise. */
export interface Method {
  /** What is resampled: the runs, where each side has enough of them, or the records of each run. */
  readonly over: 'runs' | 'records';
  /** Of the interval, per cent. */
  readonly confidence: number;
  readonly resamples: number;
  readonly seed: number;
}

/** With fewer on a side the runs tell too little of how much they vary. */
export const FEWEST_RUNS = 3;
const CONFIDENCE = 95;
/** Standard deviations from the middle of a normal distribution to either end of that share. */
const Z = 1.959964;
const RESAMPLES = { runs: 10_000, records: 2000 } as const;

export function chooseMethod(before: number, after: number, seed: number): Method {
  const over = before >= FEWEST_RUNS && after >= FEWEST_RUNS ? 'runs' : 'records';
  return { over, confidence: CONFIDENCE, resamples: RESAMPLES[over], seed };
}

/** One metric before and after. */
export interface Comparison {
  readonly name: string;
  readonly unit: string;
  /** The mean of the runs; null where there is no value. */
  readonly before: number | null;
  readonly after: number | null;
  readonly difference: number | null;
  /** After by before; null where before is 0, or one of them has no value. */
  readonly ratio: number | null;
  /** Within which the shift is; null where the data does not tell. Ratios are null where `ratio` is. */
  readonly interval: Interval | null;
  /** Whether the shift is more than noise: the interval does not hold 0. */
  readonly verdict: 'changed' | 'noise' | 'unknown';
}

export interface Interval {
  /** Of the difference. */
  readonly low: number;
  readonly high: number;
  readonly ratio_low: number | null;
  readonly ratio_high: number | null;
}

/** The metric in each run of one side; undefined where a run does not have it. */
export type Runs = readonly (Metric | undefined)[];

/** Compares a metric that one run at least has. */
export function compare(name: string, before: Runs, after: Runs, method: Method): Comparison {
  const known = [...before, ...after].find((metric) => metric !== undefined);
  if (known === undefined) throw new TypeError(`no run has a metric ${name}`);
  const sides = [before, after].map((runs) => sideOf(runs, known.kind));
  const [b, a] = sides.map(({ values }) => (values.length === 0 ? null : meanOf(values))) as [
    number | null,
    number | null,
  ];
  const difference = b === null || a === null ? null : a - b;
  const ratio = b === null || a === null || b === 0 ? null : a / b;
  const interval = difference === null ? null : intervalOf(name, sides[0]!, sides[1]!, ratio !== null, method);
  const holdsZero = interval !== null && interval.low <= 0 && interval.high >= 0;
  return {
    name,
    unit: known.unit,
    before: b,
    after: a,
    difference,
    ratio,
    interval,
    verdict: interval === null ? 'unknown' : holdsZero ? 'noise' : 'changed',
  };
}

interface Side {
  readonly values: readonly number[];
  /** A draw of each value; undefined where one of them cannot be drawn. */
  readonly draws: readonly ((random: Random) => number)[] | undefined;
}

function sideOf(runs: Runs, kind: Metric['kind']): Side {
  const values: number[] = [];
  const draws: ((random: Random) => number)[] = [];
  for (const metric of runs) {
    const value = metric?.value ?? (kind === 'amount' ? 0 : null);
    if (value === null) continue;
    values.push(value);
    // Nothing was seen: that is drawn again and again.
    const draw = metric === undefined ? () => 0 : metric.draw;
    if (draw !== undefined) draws.push(draw);
  }
  return { values, draws: draws.length === values.length ? draws : undefined };
}

function intervalOf(name: string, before: Side, after: Side, hasRatio: boolean, method: Method): Interval | null {
  // Its own numbers for each metric: what else is compared makes no difference.
  const random = new Random(method.seed + hashOf(name));
  const draw = method.over === 'runs' ? drawRuns(before, after) : drawRecords(before, after);
  if (draw === undefined) return null;
  const differences = new Float64Array(method.resamples);
  const ratios = new Float64Array(method.resamples);
  for (let i = 0; i < method.resamples; i++) {
    const [b, a] = draw(random);
    differences[i] = a - b;
    ratios[i] = b > 0 ? a / b : Number.POSITIVE_INFINITY;
  }
  const [low, high] = middle(differences, method.confidence);
  const [ratioLow, ratioHigh] = middle(ratios, method.confidence);
  // A ratio without end is none.
  const finite = (value: number): number | null => (hasRatio && Number.isFinite(value) ? value : null);
  return { low, high, ratio_low: finite(ratioLow), ratio_high: finite(ratioHigh) };
}

type Draw = (random: Random) => [before: number, after: number];

/**
 * Means of runs that are drawn with replacement. Few runs drawn so vary less than such runs do: deviations are widened by
 * root of n / (n - 1), and as Student's t is wider than the normal distribution (Hesterberg 2015).
 */
function drawRuns(before: Side, after: Side): Draw | undefined {
  const [nb, na] = [before.values.length, after.values.length];
  if (nb < FEWEST_RUNS || na < FEWEST_RUNS) return undefined;
  const widening = studentT(nb + na - 2) / Z;
  const of = ({ values }: Side) => {
    const n = values.length;
    const mean = meanOf(values);
    const factor = widening * Math.sqrt(n / (n - 1));
    const least = values.every((value) => value >= 0) ? 0 : Number.NEGATIVE_INFINITY;
    return (random: Random): number => {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += values[random.integer(n)]!;
      return Math.max(least, mean + factor * (sum / n - mean));
    };
  };
  const [b, a] = [of(before), of(after)];
  return (random) => [b(random), a(random)];
}

/** The 97.5 % quantile of Student's t, within 0.3 % from 4 degrees of freedom on (Cornish and Fisher; Abramowitz and Stegun 26.7.5). */
function studentT(freedom: number): number {
  const [z3, z5, z7] = [Z ** 3, Z ** 5, Z ** 7];
  return (
    Z +
    (z3 + Z) / (4 * freedom) +
    (5 * z5 + 16 * z3 + 3 * Z) / (96 * freedom ** 2) +
    (3 * z7 + 19 * z5 + 17 * z3 - 15 * Z) / (384 * freedom ** 3)
  );
}

function drawRecords(before: Side, after: Side): Draw | undefined {
  if (before.draws === undefined || after.draws === undefined) return undefined;
  const of =
    (draws: NonNullable<Side['draws']>) =>
    (random: Random): number =>
      draws.reduce((sum, draw) => sum + draw(random), 0) / draws.length;
  const [b, a] = [of(before.draws), of(after.draws)];
  return (random) => [b(random), a(random)];
}

/** The values between which the middle `share` per cent are. */
function middle(values: Float64Array, share: number): [number, number] {
  values.sort();
  const outside = (1 - share / 100) / 2;
  const at = (p: number): number =>
    values[Math.min(values.length - 1, Math.max(0, Math.round(p * (values.length - 1))))]!;
  return [at(outside), at(1 - outside)];
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}
