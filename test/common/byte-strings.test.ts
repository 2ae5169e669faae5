import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteMemo } from '../../src/common/byte-memo.ts';
import { ByteStrings } from '../../src/common/byte-strings.ts';

const word = fc.array(fc.constantFrom('a', 'b', '\n', 'é'), { maxLength: 9 }).map((letters) => letters.join(''));

test('equal strings have the same number, others the next one, wherever they stand', () => {
  fc.assert(
    fc.property(fc.array(word, { maxLength: 300 }), fc.nat(5), (words, shift) => {
      const strings = new ByteStrings();
      const known: string[] = [];
      for (const text of words) {
        const bytes = Buffer.from(`${'x'.repeat(shift)}${text}y`);
        if (!known.includes(text)) known.push(text);
        expect(strings.idAt(bytes, shift, bytes.length - 1)).toBe(known.indexOf(text));
      }
      expect(strings.count).toBe(known.length);
    }),
  );
});

test('a string is found at a place when it stands there whole', () => {
  fc.assert(
    fc.property(word, word, fc.nat(20), (text, all, start) => {
      const [strings, bytes] = [new ByteStrings(), Buffer.from(all)];
      const own = Buffer.from(text);
      const id = strings.idAt(own, 0, own.length);
      const isThere = start <= bytes.length && bytes.subarray(start, start + own.length).equals(own);
      expect(strings.endAt(id, bytes, start)).toBe(isThere ? start + own.length : -1);
    }),
  );
});

test('what a text means is worked out once, until it is forgotten among many others', () => {
  const met: string[] = [];
  const memo = new ByteMemo((text) => met.push(text));
  const bytes = Buffer.from('one two \xff'.repeat(2), 'latin1');
  for (let i = 0; i < 3; i++) {
    expect(memo.at(bytes, 0, 3)).toBe(1);
    expect(memo.at(bytes, 4, 7)).toBe(2);
    expect(memo.at(bytes, 9, 12)).toBe(1);
    expect(memo.at(bytes, 8, 9)).toBe(3);
  }
  expect(met).toEqual(['one', 'two', '\udcff']);
  memo.at(Buffer.alloc(1 << 23), 0, 1 << 23);
  expect(memo.at(bytes, 0, 3)).toBe(5);
});
