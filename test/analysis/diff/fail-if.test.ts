import { describe, expect, it, test } from 'vitest';
import type { Comparison } from '../../../src/analysis/diff/compare.ts';
import { evaluate, parseFailIf } from '../../../src/analysis/diff/fail-if.ts';

function comparison(before: number | null, after: number | null, unit: string): Comparison {
  return { name: 'x', unit, before, after, difference: null, ratio: null, interval: null, verdict: 'unknown' };
}

describe('--fail-if', () => {
  test.each([
    ['disklat.p99 > 1.2x', 'disklat.p99', '>', true, 1.2, 'x'],
    ['disklat.p99>=5ms', 'disklat.p99', '>=', false, 5, 'ms'],
    ['  disklat.p99 <= 5 ms ', 'disklat.p99', '<=', false, 5, 'ms'],
    ['disklat[fio].p99 < 1e3 us', 'disklat[fio].p99', '<', false, 1000, 'us'],
    ['cpusched[web server].cpu > 1s', 'cpusched[web server].cpu', '>', false, 1, 's'],
    ['cpusched[a[1]b].cpu > 1', 'cpusched[a[1]b].cpu', '>', false, 1, ''],
    ['cpusched["a].b"].cpu > 1', 'cpusched[a].b].cpu', '>', false, 1, ''],
    ['callstack{std::sort<int>(int, int)}.self > 2x', 'callstack{std::sort<int>(int, int)}.self', '>', true, 2, 'x'],
    ['cpusched.runqueue.p999 > 3', 'cpusched.runqueue.p999', '>', false, 3, ''],
    [
      'system.disk_throughput[device=vda].mean < 5 MiB/s',
      'system.disk_throughput[device=vda].mean',
      '<',
      false,
      5,
      'MiB/s',
    ],
  ])('%j', (text, metric, operator, isFactor, value, unit) => {
    expect(parseFailIf(text)).toEqual([expect.objectContaining({ metric, operator, isFactor, value, unit })]);
  });

  it('takes several, joined by or', () => {
    const found = parseFailIf('disklat.p99 > 1.2x or orders.count > 5 or callstack.total<3');
    expect(found.map(({ text, at }) => [text, at])).toEqual([
      ['disklat.p99 > 1.2x', 1],
      ['orders.count > 5', 23],
      ['callstack.total<3', 43],
    ]);
  });

  test.each([
    ['', 1, 'a metric is expected, and not the end'],
    ['> 5', 1, "a metric is expected, and not '>'"],
    ['disklat.p99', 12, 'a comparison (>, >=, < or <=) is expected, and not the end'],
    ['disklat.p99 = 5', 13, "a comparison (>, >=, < or <=) is expected, and not '='"],
    ['disklat.p99 > fast', 15, "a number is expected, and not 'fast'"],
    ['disklat.p99 > 1 parsec', 17, "'parsec' is no unit"],
    ['disklat.p99 > 1x and x > 2', 18, "'or', or the end is expected, and not 'and'"],
    ['disklat.p99 > 1x or', 20, 'a metric is expected, and not the end'],
    ['disklat[fio > 1x', 8, "'[' is not closed by ']'"],
    ['disklat[fio] > 1x', 8, "'[' is not closed by ']'"],
    ['process.exit(1) > 0', 13, "a comparison (>, >=, < or <=) is expected, and not '(1)'"],
  ])('%j is wrong at character %i', (text, at, problem) => {
    expect(() => parseFailIf(text)).toThrow(
      expect.objectContaining({ exitCode: 2, message: `--fail-if '${text}', character ${at}: ${problem}` }),
    );
  });

  test.each([
    ['x > 1.2x', 10, 12.1, 'ms', true],
    ['x > 1.2x', 10, 12, 'ms', false],
    ['x >= 1.2x', 10, 12, 'ms', true],
    ['x < 0.5x', 10, 4, 'ms', true],
    ['x > 1.2x', 0, 0, 'ms', false],
    ['x > 1000x', 0, 1, 'ms', true],
    ['x > 5', null, 6, 'ms', true],
    ['x > 5000 us', 1, 6, 'ms', true],
    ['x > 7000 us', 1, 6, 'ms', false],
    ['x > 1 MiB', 1, 2 ** 20 + 1, 'bytes', true],
    ['x < 0.5 GiB', 1, 600, 'MiB', false],
    ['x > 50 %', 1, 51, '%', true],
  ])('%s of %s before and %s after in %s: %s', (text, before, after, unit, expected) => {
    expect(evaluate(parseFailIf(text)[0]!, comparison(before, after, unit), text).holds).toBe(expected);
  });

  test.each([
    ['x > 5 MiB', 1, 2, 'ms', 'x is in ms, which MiB is no unit of'],
    ['x > 5 ms', 1, 2, '', 'x is in numbers without a unit, which ms is no unit of'],
    ['x > 5', 1, null, 'ms', 'x has no value after'],
    ['x > 2x', null, 1, 'ms', 'x has no value before'],
  ])('%s of %s before and %s after in %s is refused', (text, before, after, unit, problem) => {
    expect(() => evaluate(parseFailIf(text)[0]!, comparison(before, after, unit), text)).toThrow(
      expect.objectContaining({ exitCode: 2, message: `--fail-if '${text}', character 1: ${problem}` }),
    );
  });
});
