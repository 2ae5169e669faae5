import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { table } from '../../src/common/table.ts';
import { anyText } from '../support/data-files.ts';

describe('table', () => {
  test('columns are as wide as their longest entry; numbers stand to the right', () => {
    expect(
      table(
        [{ title: 'name' }, { title: 'n', align: 'right' }],
        [
          ['a', '1'],
          ['longer', '1,000'],
        ],
      ),
    ).toEqual(['name        n', 'a           1', 'longer  1,000']);
  });

  test('columns that may shrink are cut where a line would be too wide, numbers never', () => {
    const rows = [['x'.repeat(200), 'y'.repeat(30), '12,345,678']];
    const lines = table(
      [
        { title: 'a', shrinks: true },
        { title: 'b', shrinks: true },
        { title: 'n', align: 'right' },
      ],
      rows,
    );
    expect(lines.map((line) => [...line].length)).toEqual([100, 100]);
    expect(lines[1]).toMatch(/^x+… {2}y{30} {2}12,345,678$/);
  });

  test('hostile entries stay on their line, in their column', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyText, fc.nat()), { maxLength: 5 }), (entries) => {
        const rows = entries.map(([text, n]) => [text, String(n)]);
        const lines = table(
          [
            { title: 'a', shrinks: true },
            { title: 'n', align: 'right' },
          ],
          rows,
          { indent: '  ' },
        );
        expect(lines.length).toBe(rows.length + 1);
        for (const [i, line] of lines.entries()) {
          expect([...line].length).toBeLessThanOrEqual(100);
          expect(line).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
          if (i > 0) expect(line.endsWith(`${rows[i - 1]![1]}`)).toBe(true);
        }
      }),
    );
  });
});
