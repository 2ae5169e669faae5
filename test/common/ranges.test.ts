import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseRanges, rangesText } from '../../src/common/ranges.ts';

test('ranges hold their numbers and no others', () => {
  expect(rangesText([9, 1, 8, 7, 1])).toBe('1,7-9');
  expect(rangesText([])).toBe('');
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 40 })), (numbers) => {
      const holds = parseRanges(rangesText(numbers))!;
      for (let number = -1; number < 42; number++) expect(holds(number)).toBe(numbers.includes(number));
    }),
  );
});

test.each(['1,', 'a', '1-2-3', '-1', '1 2'])('%s is no such text', (text) => {
  expect(parseRanges(text)).toBeUndefined();
});
