import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, formatTime, shownTime, timeScale, timeStep } from '../../../src/display/shape/time-scale.ts';

const labels = (from: number, to: number, most = 5): string[] =>
  timeScale(from, to, most).ticks.map(({ label }) => label);

describe('the time scale', () => {
  it('has steps that people count in, from nanoseconds to days', () => {
    expect([0.3, 3, 70, 1.1e6, 0.4e9, 0.6e9, 7e9, 40e9, 200e9, 3.5 * 3600e9, 3 * 86_400e9].map(timeStep)).toEqual([
      1,
      5,
      100,
      2e6,
      0.5e9,
      1e9,
      10e9,
      60e9,
      300e9,
      6 * 3600e9,
      7 * 86_400e9,
    ]);
  });

  it('labels ticks in the unit that suits them', () => {
    expect(labels(0, 40)).toEqual(['0 ns', '10 ns', '20 ns', '30 ns', '40 ns']);
    expect(labels(0, 4e6)).toEqual(['0 ms', '1 ms', '2 ms', '3 ms', '4 ms']);
    expect(labels(0, 5e9)).toEqual(['0 s', '1 s', '2 s', '3 s', '4 s', '5 s']);
    expect(labels(0, 180e9)).toEqual(['0 s', '1:00', '2:00', '3:00']);
    expect(labels(3600e9, 4 * 3600e9)).toEqual(['1:00:00', '2:00:00', '3:00:00', '4:00:00']);
  });

  it('counts from a base where the times are far from the origin', () => {
    expect(timeScale(12_345_678_000, 12_345_678_040, 5)).toEqual({
      base: '12.345\u202f678 s',
      ticks: [0, 10, 20, 30, 40].map((ns) => ({ at: 12_345_678_000 + ns, label: `+${ns} ns` })),
    });
  });

  it('never has more ticks than asked for by much, and all within the range', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 1e15 }),
        fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 1e14 })),
        fc.integer({ min: 1, max: 30 }),
        (from, width, most) => {
          const { ticks } = timeScale(from, from + width, most);
          expect(ticks.length).toBeLessThanOrEqual(most + 1);
          for (const { at } of ticks) expect(at >= from && at <= from + width).toBe(true);
          expect(new Set(ticks.map(({ label }) => label)).size).toBe(ticks.length);
        },
      ),
    );
  });
});

describe('times in words', () => {
  it('a point has its nanoseconds', () => {
    expect(formatTime(12_345_678_901)).toBe('12.345\u202f678\u202f901 s');
    expect(formatTime(1_500_000_000)).toBe('1.500 s');
    expect(formatTime(7)).toBe('0.000\u202f000\u202f007 s');
  });

  it('a length has the unit that suits it', () => {
    const lengths = [0, 850, 12_340, 999_960, 1_250_000, 1.25e9, 125e9, 2 * 3600e9 + 5 * 60e9];
    expect(lengths.map(formatDuration)).toEqual([
      '0 ns',
      '850 ns',
      '12.3 µs',
      '1 ms',
      '1.25 ms',
      '1.25 s',
      '2 min 5 s',
      '2 h 5 min',
    ]);
  });
});

describe('the time that is shown at first', () => {
  it('is the run, or what was asked for, or what there is', () => {
    const times = [2e9, 3e9];
    expect(shownTime(times, 10, {})).toEqual([0, 10e9]);
    expect(shownTime(times, 10, { from: 1, to: 2.5 })).toEqual([1e9, 2.5e9]);
    // A file of another clock.
    expect(shownTime([7000e9, 7001e9], 10, {})).toEqual([7000e9, 7001e9]);
    expect(shownTime(times, null, {})).toEqual([2e9, 3e9]);
    expect(shownTime([], 0, {})).toEqual([0, 1e9]);
  });
});
