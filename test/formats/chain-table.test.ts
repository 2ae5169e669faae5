import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CallChain } from '../../src/formats/call-chain.ts';
import { ChainTable } from '../../src/formats/chain-table.ts';

const part = fc.constantFrom('kernel' as const, 'user' as const, 'other' as const);
/** Few of them, so that many are equal; at any place of their buffer. */
const chain = fc
  .tuple(fc.array(fc.constantFrom(0n, 1n, 2n, -1n, 1n << 32n), { maxLength: 4 }), fc.nat(3), part)
  .map(([values, before, begins]) => {
    const view = new DataView(new ArrayBuffer(8 * (before + values.length)));
    for (const [i, value] of values.entries()) view.setBigInt64(8 * (before + i), value, true);
    return { chain: new CallChain(view, 8 * before, view.byteLength, begins), text: `${begins} ${values.join()}` };
  });

test('gives what was found for the same values of the same owner', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(2), chain), { maxLength: 400 }), (all) => {
      const table = new ChainTable<string>();
      const known = new Set<string>();
      for (const [owner, { chain, text }] of all) {
        const name = `${owner} ${text}`;
        expect(table.get(owner, chain)).toBe(known.has(name) ? name : undefined);
        if (!known.has(name)) table.add(owner, chain, name);
        known.add(name);
      }
    }),
  );
});

test('forgets where it becomes too much, and is right then too', () => {
  const table = new ChainTable<number>();
  const view = new DataView(new ArrayBuffer(2 ** 18));
  const chain = (first: number): CallChain => {
    view.setInt32(0, first, true);
    return new CallChain(view, 0, view.byteLength, 'user');
  };
  for (let i = 0; i < 200; i++) {
    expect(table.get(0, chain(i))).toBeUndefined();
    table.add(0, chain(i), i);
    expect(table.get(0, chain(i))).toBe(i);
  }
  expect(table.get(0, chain(0))).toBeUndefined();
});
