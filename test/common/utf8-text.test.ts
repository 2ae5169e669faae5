import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Utf8Text } from '../../src/common/utf8-text.ts';

test('the bytes of all pieces, one behind the other, however many', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('é', '\u{1f525}', '€'.repeat(30_000), 'a'.repeat(70_000)),
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const text = new Utf8Text();
      for (const each of pieces) text.add(each);
      expect(text.bytes.equals(Buffer.concat(pieces.map((each) => Buffer.from(each))))).toBe(true);
    }),
  );
});
