import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { linesOf } from '../../src/formats/lines.ts';

async function lines(chunks: readonly Uint8Array[]): Promise<string[]> {
  const all: string[] = [];
  for await (const group of linesOf(Readable.from(chunks.map((chunk) => Buffer.from(chunk))))) all.push(...group);
  return all;
}

test('the same lines, however the bytes come', async () => {
  const text = fc
    .array(fc.constantFrom('\n', '\n\n', 'é', '€', 'a', '\r'), { minLength: 1 })
    .map((parts) => parts.join(''));
  await fc.assert(
    fc.asyncProperty(text, fc.integer({ min: 1, max: 9 }), async (whole, size) => {
      const bytes = Buffer.from(whole);
      const chunks = [];
      for (let i = 0; i < bytes.length; i += size) chunks.push(bytes.subarray(i, i + size));
      const expected = whole.split('\n');
      if (expected.at(-1) === '') expected.pop();
      expect(await lines(chunks)).toEqual(expected);
    }),
  );
});

test('bytes that are not UTF-8 are kept', async () => {
  expect(await lines([Buffer.from([0x61, 0xff, 0x0a, 0xc3])])).toEqual(['a\udcff', '\udcc3']);
});

test('a line without end comes in pieces', async () => {
  const pieces = await lines(Array.from({ length: 40 }, () => Buffer.alloc(1 << 16, 'a')));
  expect(pieces.length).toBeGreaterThan(1);
  expect(pieces.join('').length).toBe(40 << 16);
});
