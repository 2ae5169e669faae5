import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeBytes } from '../../src/common/decode-bytes.ts';

/** The inverse: U+DC80 .. U+DCFF back to bytes. */
function encode(text: string): Buffer {
  return Buffer.concat(
    [...text].map((character) => {
      const code = character.codePointAt(0) as number;
      return code >= 0xdc80 && code <= 0xdcff ? Buffer.from([code - 0xdc00]) : Buffer.from(character);
    }),
  );
}

test('no byte is lost', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      expect(encode(decodeBytes(Buffer.from(bytes)))).toEqual(Buffer.from(bytes));
    }),
  );
});

test('valid text is itself, also beside bytes that are not', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(decodeBytes(Buffer.from(text))).toBe(text);
      expect(decodeBytes(Buffer.concat([Buffer.from([0xff]), Buffer.from(text)]))).toBe(`\udcff${text}`);
    }),
  );
});

test('overlong forms, surrogates and what is beyond Unicode are bytes', () => {
  expect(decodeBytes(Buffer.from([0xc0, 0x80]))).toBe('\udcc0\udc80');
  expect(decodeBytes(Buffer.from([0xed, 0xa0, 0x80]))).toBe('\udced\udca0\udc80');
  expect(decodeBytes(Buffer.from([0xf4, 0x90, 0x80, 0x80]))).toBe('\udcf4\udc90\udc80\udc80');
});
