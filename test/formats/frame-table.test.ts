import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameTable } from '../../src/formats/frame-table.ts';

test('gives for each address what was put there last', () => {
  const half = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer());
  fc.assert(
    fc.property(fc.array(fc.tuple(half, half), { maxLength: 300 }), (addresses) => {
      const table = new FrameTable();
      const wanted = new Map<string, number>();
      for (const [i, [low, high]] of addresses.entries()) {
        table.set(low, high, { address: `${i}`, symbol: '', module: '' });
        wanted.set(`${low} ${high}`, i);
      }
      expect(table.size).toBe(wanted.size);
      for (const [low, high] of addresses) {
        expect(table.get(low, high)?.address).toBe(`${wanted.get(`${low} ${high}`)}`);
      }
      expect(table.get(0x1234_5678, 0x0bad)).toBeUndefined();
    }),
  );
});
