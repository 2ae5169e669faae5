import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressText, hexAddress, parseKallsyms, parsePerfMap, SymbolTable } from '../../src/formats/symbols.ts';

const PLAIN = { isWeak: false, isGlobal: false, isTyped: true };

function table(...symbols: [number, number, string, Partial<typeof PLAIN>?][]): SymbolTable {
  const builder = SymbolTable.builder();
  for (const [start, size, name, rank] of symbols) builder.add(start, size, name, { ...PLAIN, ...rank });
  return builder.build();
}

describe('looking up an address', () => {
  test('a symbol covers its size; one without reaches to the next', () => {
    const found = table([100, 10, 'f'], [200, 0, 'label'], [300, 10, 'g']);
    expect([99, 100, 109, 110, 200, 299, 300, 310].map((address) => found.nameAt(address))).toEqual([
      undefined,
      'f',
      'f',
      undefined,
      'label',
      'label',
      'g',
      undefined,
    ]);
  });

  test('within a function others can lie; a label in it is no function', () => {
    const found = table([100, 100, 'outer'], [120, 10, 'inner'], [150, 0, 'label']);
    expect([119, 120, 130, 155].map((address) => found.nameAt(address))).toEqual(['outer', 'inner', 'outer', 'outer']);
  });

  test('of several names of an address the best', () => {
    expect(table([1, 4, 'weak', { isWeak: true }], [1, 4, 'local']).nameAt(1)).toBe('local');
    expect(table([1, 4, 'local'], [1, 4, 'shared', { isGlobal: true }]).nameAt(1)).toBe('shared');
    expect(table([1, 4, '__short'], [1, 4, '_long']).nameAt(1)).toBe('_long');
    expect(table([1, 0, 'empty', { isGlobal: true }], [1, 4, 'sized']).nameAt(1)).toBe('sized');
    expect(table([1, 4, 'label', { isTyped: false }], [1, 4, 'typed']).nameAt(1)).toBe('typed');
  });

  test('the same as looking at all of them', () => {
    const symbols = fc.array(fc.record({ start: fc.nat(200), size: fc.integer({ min: 1, max: 60 }) }), {
      maxLength: 20,
    });
    fc.assert(
      fc.property(symbols, fc.nat(280), (all, address) => {
        const apart = all.filter(({ start }, i) => all.findIndex((other) => other.start === start) === i);
        const found = table(...apart.map(({ start, size }): [number, number, string] => [start, size, `${start}`]));
        const covering = apart.filter(({ start, size }) => address >= start && address < start + size);
        const nearest = covering.sort((a, b) => b.start - a.start)[0];
        expect(found.nameAt(address)).toBe(nearest === undefined ? undefined : `${nearest.start}`);
      }),
    );
  });
});

describe('kallsyms', () => {
  const text = [
    'ffffffff81000000 T _stext',
    'ffffffff81000000 T __pi_memcpy',
    'ffffffff81000130 t do_it',
    'ffffffff81000150 r table',
    'ffffffff81000170 D data',
    'ffffffffc0400000 t init\t[virtio_rng]',
    '',
  ].join('\n');

  test('functions and data by address, the last of aliases; modules without their name', () => {
    const found = parseKallsyms(Buffer.from(text));
    const nameAt = (address: string): string | undefined => found?.nameAt(hexAddress(address));
    expect(nameAt('ffffffff81000000')).toBe('__pi_memcpy');
    expect(nameAt('ffffffff8100016f')).toBe('do_it');
    expect(nameAt('ffffffffc0400010')).toBe('init');
    expect(nameAt('ffffffff80ffffff')).toBeUndefined();
  });

  test('hidden addresses are none', () => {
    expect(parseKallsyms(Buffer.from('0000000000000000 T _stext\n0000000000000000 t f\n'))).toBeUndefined();
    expect(parseKallsyms(Buffer.alloc(0))).toBeUndefined();
  });
});

test('addresses of the kernel are exact', () => {
  for (const text of ['ffffffff81000131', 'ffff888000000001', '7fffffffffff', '1', '0']) {
    expect(addressText(hexAddress(text))).toBe(text);
  }
});

test("a map of what was compiled at run time; lines that are none don't count", () => {
  const found = parsePerfMap('7f2d3a027240 4c JS:~parse app.js:12\n\nnonsense\n0x7f2d3a030000 0x10 g\n');
  expect(found.nameAt(0x7f2d3a027250)).toBe('JS:~parse app.js:12');
  expect(found.nameAt(0x7f2d3a03000f)).toBe('g');
  expect(found.names).toHaveLength(2);
});
