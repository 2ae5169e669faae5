import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InOrder } from '../../src/formats/in-order.ts';

interface Item {
  readonly time: number;
  readonly place: number;
}

function through(order: InOrder<Item>, items: readonly Item[]): Item[] {
  return [...items.flatMap((item) => order.add(item)), ...order.rest()];
}

const items = fc
  .array(fc.integer({ min: 0, max: 1000 }), { maxLength: 60 })
  .map((times) => times.map((time, place): Item => ({ time, place })));

test('what is not too far out of order is sorted, stably, and nothing is lost', () => {
  fc.assert(
    fc.property(items, (all) => {
      const order = new InOrder<Item>(60, ({ time }) => time);
      expect(through(order, all)).toEqual([...all].sort((a, b) => a.time - b.time || a.place - b.place));
      expect(order.late).toBe(0);
    }),
  );
});

test('what comes too late keeps the order when it is moved, and is counted', () => {
  fc.assert(
    fc.property(items, fc.integer({ min: 1, max: 4 }), (all, window) => {
      const order = new InOrder<Item>(
        window,
        ({ time }) => time,
        (item, time) => ({ ...item, time }),
      );
      const out = through(order, all);
      expect(out.map(({ place }) => place).sort((a, b) => a - b)).toEqual(all.map(({ place }) => place));
      expect(out.map(({ time }) => time)).toEqual(out.map(({ time }) => time).sort((a, b) => a - b));
      expect(out.filter(({ time, place }) => time !== all[place]!.time)).toHaveLength(order.late);
    }),
  );
});

test('what comes too late may stay as it is', () => {
  const order = new InOrder<Item>(1, ({ time }) => time);
  const out = through(
    order,
    [5, 6, 7, 1].map((time, place) => ({ time, place })),
  );
  expect(out.map(({ time }) => time)).toEqual([5, 6, 1, 7]);
  expect(order.late).toBe(1);
});
