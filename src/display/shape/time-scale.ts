import { formatCount, grouped } from '../../common/text.ts';

/*
 * Times on a ruler, from hours to nanoseconds. All are nanoseconds.
 */

const [US, MS, SECOND, MINUTE, HOUR, DAY] = [1e3, 1e6, 1e9, 60e9, 3600e9, 86_400e9] as const;

/** Steps between ticks that people can count in, beyond a second. */
const LONG_STEPS = [1, 2, 5, 10, 15, 30]
  .flatMap((n) => [n * SECOND, n * MINUTE])
  .concat(
    [1, 2, 6, 12].map((n) => n * HOUR),
    [1, 2, 7, 14, 28].map((n) => n * DAY),
  );

export interface Tick {
  readonly at: number;
  readonly label: string;
}

export interface TimeScale {
  readonly ticks: readonly Tick[];
  /** What all labels are counted from, where they are not counted from the origin: `12.345678 s`. */
  readonly base: string | undefined;
}

/** The smallest round step that is at least `least`; never below a nanosecond. */
export function timeStep(least: number): number {
  if (least > SECOND / 2) {
    return (
      [...LONG_STEPS].sort((a, b) => a - b).find((step) => step >= least) ?? 100 * DAY * Math.ceil(least / (100 * DAY))
    );
  }
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return [1, 2, 5, 10].map((lead) => lead * power).find((step) => step >= least) ?? 10 * power;
}

/** Ticks of a range, at most about `most` of them. */
export function timeScale(from: number, to: number, most: number): TimeScale {
  const step = timeStep((to - from) / Math.max(1, most));
  const first = Math.ceil(from / step) * step;
  const count = Math.max(0, Math.floor((to - first) / step) + 1);
  const places = Array.from({ length: count }, (_, i) => first + i * step);
  if (step >= SECOND) return { ticks: places.map((at) => ({ at, label: clockText(at) })), base: undefined };
  // Far from the origin, what changes from tick to tick is the end of a long number.
  const unit = step >= MS ? MS : step >= US ? US : 1;
  const base = to < 10_000 * unit ? 0 : Math.floor(from / (1000 * unit)) * 1000 * unit;
  const name = unit === MS ? 'ms' : unit === US ? 'µs' : 'ns';
  return {
    ticks: places.map((at) => ({
      at,
      label: `${base === 0 ? '' : '+'}${formatCount((at - base) / unit)} ${name}`,
    })),
    base: base === 0 ? undefined : formatTime(base),
  };
}

/** `0 s`, `1:05`, `2:00:00`, `3 d 02:00`. */
function clockText(at: number): string {
  const seconds = Math.round(at / SECOND);
  if (Math.abs(seconds) < 60) return `${seconds} s`;
  const [minutes, rest] = [Math.floor(seconds / 60), seconds % 60];
  const two = (n: number): string => String(n).padStart(2, '0');
  if (minutes < 60) return `${minutes}:${two(rest)}`;
  const hours = Math.floor(minutes / 60);
  return `${hours}:${two(minutes % 60)}:${two(rest)}`;
}

/** A point in time, to the nanosecond: `12.345 678 901 s`. */
export function formatTime(time: number): string {
  const whole = Math.round(time);
  const seconds = Math.floor(whole / SECOND);
  const rest = String(whole - seconds * SECOND).padStart(9, '0');
  const groups = [rest.slice(0, 3), rest.slice(3, 6), rest.slice(6)];
  while (groups.length > 1 && groups.at(-1) === '000') groups.pop();
  return `${grouped(seconds)}.${groups.join('\u202f')} s`;
}

/** A length of time in the unit that suits it, with three digits or so: `850 ns`, `12.3 µs`, `1.25 s`, `2 min 5 s`. */
export function formatDuration(time: number): string {
  const size = Math.abs(time);
  const digits = (value: number): string => String(Number(value.toPrecision(value >= 100 ? 4 : 3)));
  const sign = time < 0 ? '-' : '';
  if (size < US) return `${sign}${Math.round(size)} ns`;
  if (size < 999.95 * US) return `${sign}${digits(size / US)} µs`;
  if (size < 999.95 * MS) return `${sign}${digits(size / MS)} ms`;
  if (size < MINUTE) return `${sign}${digits(size / SECOND)} s`;
  if (size < HOUR) return `${sign}${Math.floor(size / MINUTE)} min ${Math.floor((size % MINUTE) / SECOND)} s`;
  return `${sign}${Math.floor(size / HOUR)} h ${Math.floor((size % HOUR) / MINUTE)} min`;
}

/**
 * What is shown at first: the range that was asked for, else the whole run, so that a quiet beginning or end shows; where
 * the times are not those of the run, from the first to the last.
 * @param time sorted. @param seconds of the run; null where it was cut off.
 */
export function shownTime(
  time: ArrayLike<number>,
  seconds: number | null,
  filter: { readonly from?: number; readonly to?: number },
): [from: number, to: number] {
  const [first, last] = time.length === 0 ? [0, 0] : [time[0]!, time[time.length - 1]!];
  const run = (seconds ?? 0) * SECOND;
  const coversRun = first >= 0 && last <= 1.1 * run + SECOND;
  const from = filter.from === undefined ? (coversRun ? 0 : first) : Math.round(filter.from * SECOND);
  const to = filter.to === undefined ? (coversRun ? Math.max(run, last) : last) : Math.round(filter.to * SECOND);
  return to > from ? [from, to] : [from, from + SECOND];
}
