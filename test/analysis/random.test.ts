import { describe, expect, it, test } from 'vitest';
import { Random } from '../../src/analysis/random.ts';

/** Mean and variance of what a seed gives. */
function moments(draw: (random: Random) => number, count = 20_000): [mean: number, variance: number] {
  const random = new Random(7);
  const values = Array.from({ length: count }, () => draw(random));
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  return [mean, values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count];
}

describe('random numbers', () => {
  it('are the same for the same seed', () => {
    const [a, b, c] = [new Random(1), new Random(1), new Random(2)];
    const first = Array.from({ length: 5 }, () => a.uniform());
    expect(Array.from({ length: 5 }, () => b.uniform())).toEqual(first);
    expect(Array.from({ length: 5 }, () => c.uniform())).not.toEqual(first);
  });

  // Means and variances as the textbooks have them.
  test.each<[string, (random: Random) => number, number, number]>([
    ['uniform', (random) => random.uniform(), 1 / 2, 1 / 12],
    ['whole numbers below 6', (random) => random.integer(6), 2.5, 35 / 12],
    ['normal', (random) => random.normal(), 0, 1],
    ['gamma of 1', (random) => random.gamma(1), 1, 1],
    ['gamma of 7.5', (random) => random.gamma(7.5), 7.5, 7.5],
    ['beta of 2 and 5', (random) => random.beta(2, 5), 2 / 7, 10 / 392],
    ['Poisson of 0', (random) => random.poisson(0), 0, 0],
    ['Poisson of 3', (random) => random.poisson(3), 3, 3],
    ['Poisson of 400', (random) => random.poisson(400), 400, 400],
  ])('%s', (_, draw, mean, variance) => {
    const [found, spread] = moments(draw);
    expect(Math.abs(found - mean)).toBeLessThanOrEqual(0.04 * Math.sqrt(variance));
    expect(Math.abs(spread - variance)).toBeLessThanOrEqual(0.06 * variance);
  });
});
