import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  fitted,
  formatCount,
  formatShare,
  formatTick,
  formatValue,
  joinWords,
  plural,
  shorten,
  textWidth,
  visible,
  wrap,
  xmlText,
} from '../../src/common/text.ts';
import { anyText } from '../support/data-files.ts';

describe('visible', () => {
  it.each([
    ['escape sequences', 'a\x1b[31mred', 'a\\x1b[31mred'],
    ['line ends and NUL', 'a\n\r\0', 'a\\x0a\\x0d\\x00'],
    ['C1 controls', '\x9b31m', '\\u{9b}31m'],
    ['an override of the direction of text', 'exe\u202egnp', 'exe\\u{202e}gnp'],
    ['a zero-width space and a byte order mark', '\u200b\ufeff', '\\u{200b}\\u{feff}'],
    ['a tag character beyond the basic plane', '\u{e0041}', '\\u{e0041}'],
    ['a byte that was not UTF-8', '\udcff', '\\xff'],
    ['a lone surrogate', 'a\ud800b', 'a\ufffdb'],
    ['XML non-characters', '\ufffe\uffff', '\\u{fffe}\\u{ffff}'],
  ])('writes out %s', (_, text, shown) => {
    expect(visible(text)).toBe(shown);
  });

  it.each(['plain', 'größe', '日本語', '😀', 'a<b>&"c"', '%s%n', 'std::vector<int>'])('leaves %s as it is', (text) => {
    expect(visible(text)).toBe(text);
  });

  it('leaves nothing that XML 1.0 cannot hold', () => {
    // XML 1.0, production 2: Char.
    const xmlCharacters = /^[\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]*$/u;
    fc.assert(fc.property(anyText, (text) => xmlCharacters.test(visible(text))));
  });
});

describe('xmlText', () => {
  it('lets nothing end an element, an attribute or a CDATA section', () => {
    fc.assert(fc.property(anyText, (text) => !/[<>"']|&(?!(amp|lt|gt|quot|#39);)/.test(xmlText(text))));
    expect(xmlText(`</script>]]>"'&`)).toBe('&lt;/script&gt;]]&gt;&quot;&#39;&amp;');
  });
});

describe('shorten', () => {
  it('cuts between characters, never inside of one', () => {
    expect(shorten('😀😀😀😀', 3)).toBe('😀😀…');
    expect(shorten('abc', 3)).toBe('abc');
    expect(shorten('abc', 0)).toBe('');
  });
});

describe('wrap', () => {
  it('breaks at spaces, and within a word only where it must', () => {
    expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
    expect(wrap('a sesquipedalian', 6)).toEqual(['a', 'sesqui', 'pedali', 'an']);
  });

  it('keeps to the length and loses no character but spaces', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), fc.integer({ min: 1, max: 20 }), (text, length) => {
        const lines = wrap(text, length);
        expect(lines.every((line) => line.length <= length)).toBe(true);
        expect(lines.join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''));
      }),
    );
  });
});

describe('numbers', () => {
  it.each([
    [0, '0'],
    [0.0554123, '0.0554'],
    [1.005, '1'],
    [999.4, '999'],
    [999.6, '1,000'],
    [12345.6, '12,346'],
    [0.000001, '0.000001'],
    [1.5e-9, '1.50e-9'],
    [-2500, '-2,500'],
  ])('formatValue(%d)', (value, text) => {
    expect(formatValue(value)).toBe(text);
  });

  it.each([
    [0, '0'],
    [102.5, '102.5'],
    [3 * 0.1, '0.3'],
    [1000.25, '1,000.25'],
    [3e-9, '3e-9'],
    [-1e6, '-1,000,000'],
    [1234.56789, '1,234.56789'],
    [1e23, '100,000,000,000,000,000,000,000'],
  ])('formatTick(%d)', (value, text) => {
    expect(formatTick(value)).toBe(text);
  });

  it.each([
    [0, 0, '0 %'],
    [0, 5, '0 %'],
    [1, 100_000, '<0.1 %'],
    [1, 300, '0.3 %'],
    [1, 8, '13 %'],
    [5, 5, '100 %'],
  ])('formatShare(%d, %d)', (part, whole, text) => {
    expect(formatShare(part, whole)).toBe(text);
  });

  it('puts words together', () => {
    expect([joinWords([]), joinWords(['a']), joinWords(['a', 'b']), joinWords(['a', 'b', 'c'])]).toEqual([
      '',
      'a',
      'a and b',
      'a, b and c',
    ]);
    expect([plural(1, 'record'), plural(1234, 'record'), formatCount(1e7)]).toEqual([
      '1 record',
      '1,234 records',
      '10,000,000',
    ]);
  });
});

describe('width on a terminal', () => {
  it('counts wide characters twice and marks not at all', () => {
    expect([textWidth('abc'), textWidth('漢字'), textWidth('e\u0301'), textWidth('👍!')]).toEqual([3, 4, 1, 3]);
  });

  it('is made to fit by spaces or an ellipsis', () => {
    expect([fitted('ab', 4), fitted('ab', 4, 'right'), fitted('abcdef', 4), fitted('漢字字', 4)]).toEqual([
      'ab  ',
      '  ab',
      'abc…',
      '漢… ',
    ]);
    expect([fitted('ab', 1), fitted('ab', 0)]).toEqual(['…', '']);
  });

  it('holds for broken lines too', () => {
    expect(wrap('漢字漢字 ab', 5)).toEqual(['漢字', '漢字', 'ab']);
  });
});
