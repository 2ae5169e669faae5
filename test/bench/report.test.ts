import { describe, expect, test } from 'vitest';
import type { Goal, Race } from '../../bench/measurement.ts';
import { digits, goalText, median, type Outcome, outcomeOf, raceText } from '../../bench/report.ts';

const MIB = 1024 * 1024;

function outcome(name: string, seconds: number, peak: number): Outcome {
  return { name, seconds, fastest: seconds, slowest: seconds, cpu: seconds, peak, runs: 1 };
}

const RACE: Race = { title: 'a race', bytes: 300e6, contestants: [] };
const OUTCOMES = [outcome('marple', 2, 100 * MIB), outcome('other', 4, 50 * MIB)];

describe('what is printed of a race', () => {
  test('the middle of the runs counts, for each number by itself', () => {
    const samples = [
      { seconds: 3, cpu: 1, peak: 70 },
      { seconds: 1, cpu: 3, peak: 80 },
      { seconds: 9, cpu: 2, peak: 90 },
    ];
    expect(outcomeOf('one', samples)).toEqual({
      name: 'one',
      seconds: 3,
      fastest: 1,
      slowest: 9,
      cpu: 2,
      peak: 80,
      runs: 3,
    });
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([7])).toBe(7);
  });

  test('three digits that count', () => {
    expect([0, 0.012345, 1.2345, 12.345, 123.45, 12345].map(digits)).toEqual([
      '0',
      '0.0123',
      '1.23',
      '12.3',
      '123',
      '12345',
    ]);
  });

  test('rates, and ratios to the first', () => {
    expect(raceText(RACE, OUTCOMES).split('\n')).toEqual([
      'a race',
      '          seconds  from .. to  CPU s  peak MiB  MB/s  ratio',
      '  marple        2      2 .. 2      2       100   150      1',
      '  other         4      4 .. 4      4        50    75      2',
    ]);
  });

  test.each<[Goal, string]>([
    [{ of: 'marple', seconds: 2 }, 'marple at most 2 s: 2, met'],
    [{ of: 'marple', seconds: 1.9 }, 'marple at most 1.9 s: 2, MISSED'],
    [{ of: 'marple', mebibytes: 100 }, 'marple at most 100 MiB: 100, met'],
    [{ of: 'marple', mebibytes: 99 }, 'marple at most 99 MiB: 100, MISSED'],
    [{ of: 'marple', megabytesPerCpuSecond: 150 }, 'marple at least 150 MB per CPU s: 150, met'],
    [{ of: 'marple', megabytesPerCpuSecond: 151 }, 'marple at least 151 MB per CPU s: 150, MISSED'],
    [{ of: 'marple', share: 1 }, 'marple at most 100 % of one core: 100, met'],
    [{ of: 'marple', share: 0.9 }, 'marple at most 90 % of one core: 100, MISSED'],
    [{ of: 'marple', times: 0.5, against: 'other' }, 'marple at most 0.5 x other: 0.5, met'],
    [{ of: 'other', times: 1.9, against: 'marple' }, 'other at most 1.9 x marple: 2, MISSED'],
    [{ of: 'marple', times: 1, against: 'none' }, 'marple at most 1 x none: not told, since none did not run'],
  ])('a goal %o', (goal, text) => {
    expect(goalText(goal, RACE, OUTCOMES)).toBe(text);
    expect(raceText({ ...RACE, goals: [goal] }, OUTCOMES)).toMatch(new RegExp(`goal: ${text}$`));
  });
});
