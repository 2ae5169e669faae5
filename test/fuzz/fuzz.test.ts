import { describe, expect, test } from 'vitest';
import { Random } from '../../src/analysis/random.ts';
import { mutate, pick } from './mutate.ts';
import { judge } from './oracle.ts';
import { keptInputs, ROOT, runTarget, TARGETS } from './targets.ts';

const SEED = 20_261_126;

describe.each(TARGETS)('$name', (target) => {
  test('its seeds are read', async () => {
    const seeds = await target.seeds(ROOT);
    expect(seeds.length).toBeGreaterThan(0);
    for (const seed of seeds) expect(await judge(() => runTarget(target, seed))).toBeUndefined();
  });

  test('mutated inputs are read, or refused with the place of the damage', { timeout: 120_000 }, async () => {
    const random = new Random(SEED);
    const seeds = await target.seeds(ROOT);
    for (let i = 0; i < target.few; i++) {
      const bytes = mutate(random, pick(random, seeds), pick(random, seeds));
      const wrong = await judge(() => runTarget(target, bytes));
      expect(wrong, `input ${i}: ${JSON.stringify(bytes.toString('latin1').slice(0, 300))}`).toBeUndefined();
    }
  });

  const kept = keptInputs(target.name);
  if (kept.length > 0) {
    test.each(kept)('$path, which once went wrong', async ({ bytes }) => {
      expect(await judge(() => runTarget(target, bytes))).toBeUndefined();
    });
  }
});
