import type { Goal, Race, Sample } from './measurement.ts';

/** The samples of one contestant: medians, and how far the seconds spread. */
export interface Outcome {
  readonly name: string;
  readonly seconds: number;
  readonly fastest: number;
  readonly slowest: number;
  readonly cpu: number;
  readonly peak: number;
  readonly runs: number;
}

export function outcomeOf(name: string, samples: readonly Sample[]): Outcome {
  const seconds = samples.map((sample) => sample.seconds);
  return {
    name,
    seconds: median(seconds),
    fastest: Math.min(...seconds),
    slowest: Math.max(...seconds),
    cpu: median(samples.map(({ cpu }) => cpu)),
    peak: median(samples.map(({ peak }) => peak)),
    runs: samples.length,
  };
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1]! + sorted[Math.floor(half)]!) / 2;
}

const MIB = 1024 * 1024;
const MB = 1e6;

/** A race as a table; ratios are to the first contestant, of the medians of this one run. */
export function raceText(race: Race, outcomes: readonly Outcome[]): string {
  const [base] = outcomes;
  const head = [
    '',
    'seconds',
    'from .. to',
    'CPU s',
    'peak MiB',
    ...(race.bytes === undefined ? [] : ['MB/s']),
    'ratio',
  ];
  const rows = outcomes.map((outcome) => [
    outcome.name,
    digits(outcome.seconds),
    `${digits(outcome.fastest)} .. ${digits(outcome.slowest)}`,
    digits(outcome.cpu),
    digits(outcome.peak / MIB),
    ...(race.bytes === undefined ? [] : [digits(race.bytes / MB / outcome.seconds)]),
    digits(outcome.seconds / base!.seconds),
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]!.length)));
  const lines = [head, ...rows].map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  '),
  );
  const goals = (race.goals ?? []).map((goal) => `goal: ${goalText(goal, race, outcomes)}`);
  return [race.title, ...[...lines, ...goals].map((line) => `  ${line}`.trimEnd())].join('\n');
}

/** Three significant digits. */
export function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value === 0 ? '0' : String(Number(value.toPrecision(3)));
}

/** What was to be reached, what was, and whether that is enough. */
export function goalText(goal: Goal, race: Race, outcomes: readonly Outcome[]): string {
  const find = (name: string) => outcomes.find((outcome) => outcome.name === name);
  const own = find(goal.of);
  if (own === undefined) return `${goal.of} did not run`;
  const verdict = (text: string, reached: number, met: boolean) =>
    `${goal.of} ${text}: ${digits(reached)}, ${met ? 'met' : 'MISSED'}`;
  if ('seconds' in goal) return verdict(`at most ${goal.seconds} s`, own.seconds, own.seconds <= goal.seconds);
  if ('mebibytes' in goal)
    return verdict(`at most ${goal.mebibytes} MiB`, own.peak / MIB, own.peak <= goal.mebibytes * MIB);
  if ('megabytesPerCpuSecond' in goal) {
    const rate = (race.bytes ?? 0) / MB / own.cpu;
    return verdict(`at least ${goal.megabytesPerCpuSecond} MB per CPU s`, rate, rate >= goal.megabytesPerCpuSecond);
  }
  if ('share' in goal) {
    const percent = (100 * own.cpu) / own.seconds;
    return verdict(`at most ${100 * goal.share} % of one core`, percent, percent <= 100 * goal.share);
  }
  const other = find(goal.against);
  if (other === undefined)
    return `${goal.of} at most ${goal.times} x ${goal.against}: not told, since ${goal.against} did not run`;
  const times = own.seconds / other.seconds;
  return verdict(`at most ${goal.times} x ${goal.against}`, times, times <= goal.times);
}
