import { expect, onTestFinished, test } from 'vitest';
import { beFast, beFrugal, beOptimized } from '../../src/common/engine.ts';
import { optimizes } from '../support/optimized.ts';

test('while a machine is looked at nothing is optimized, unless there is much to compute; data are worked on as ever', async () => {
  onTestFinished(beFast);
  expect(await optimizes()).toBe(true);
  beFrugal();
  expect(await optimizes()).toBe(false);
  beOptimized();
  expect(await optimizes()).toBe(true);
  beFrugal();
  beFast();
  expect(await optimizes()).toBe(true);
});
