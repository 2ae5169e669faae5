import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Slices } from '../../../src/collect/proc/slices.ts';

function burn(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test('long work lets the event loop run, and its cost is the work alone', async () => {
  const start = performance.now();
  const slices = new Slices();
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  for (let i = 0; i < 50; i++) {
    burn(2);
    await slices.breathe();
  }
  clearInterval(timer);
  expect(turns).toBeGreaterThan(5);
  expect(slices.cost()).toBeGreaterThan(0);
  expect(slices.cost()).toBeLessThanOrEqual((performance.now() - start) / 1000);
});

test('what is done elsewhere costs the time that it takes', async () => {
  const slices = new Slices();
  await slices.aside(sleep(60));
  const before = slices.cost();
  expect(before).toBeGreaterThan(0.055);
  slices.reset();
  expect(slices.cost()).toBeLessThan(before);
});
