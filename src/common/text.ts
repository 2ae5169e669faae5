/**
 * Text from files and processes is hostile: it may hold control characters, bidirectional overrides that reorder what
 * is read, or code points that XML cannot hold. Here it is made visible and harmless.
 */

// C0 and C1 controls, DEL, zero-width and bidirectional controls, line separators, surrogates and non-characters.
const UNSHOWABLE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff\u{e0000}-\u{e007f}]|\p{Cs}/gu;

/** All of it can be seen: most text is so, and this is told ten times as fast. */
const ASCII = /^[ -~]*$/;

/** The text with everything that cannot be seen written out: `\x1b`, `\u{202e}`; a byte that was not UTF-8 as `\xff`. */
export function visible(text: string): string {
  if (ASCII.test(text)) return text;
  return text.replace(UNSHOWABLE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`;
    if (code >= 0xd800 && code <= 0xdfff) return '\ufffd';
    return code < 0x80 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

const XML_ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Visible text, ready for XML text and attribute values. */
export function xmlText(text: string): string {
  return visible(text).replace(/[&<>"']/g, (character) => XML_ENTITIES[character] as string);
}

/** At most `length` characters, the last one an ellipsis where some had to go. */
export function shorten(text: string, length: number): string {
  if (text.length <= length) return text;
  // A character has one unit of UTF-16 or two.
  const characters = [...text.slice(0, 2 * length + 2)];
  if (characters.length <= length) return text;
  return length < 1 ? '' : `${characters.slice(0, length - 1).join('')}…`;
}

/** Characters that take no place of their own, and those that take two, on a terminal (Unicode TR 11, wide and fullwidth). */
const NARROWEST = /^[\p{Mn}\p{Me}]$/u;
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}\p{Emoji_Presentation}]$/u;

/** How many columns of a terminal a character takes. */
export function characterWidth(character: string): number {
  return NARROWEST.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
}

/** How many columns of a terminal a text takes. */
export function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** The text in exactly `width` columns of a terminal: padded, or cut with an ellipsis. */
export function fitted(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const excess = textWidth(text) - width;
  if (excess <= 0) return align === 'left' ? text + ' '.repeat(-excess) : ' '.repeat(-excess) + text;
  const kept = beginning(text, width - 1);
  return width < 1 ? '' : `${kept}…${' '.repeat(width - 1 - textWidth(kept))}`;
}

/** As much of the beginning of a text as has room in `width` columns. */
function beginning(text: string, width: number): string {
  let end = 0;
  let used = 0;
  for (const character of text) {
    used += characterWidth(character);
    if (used > width) break;
    end += character.length;
  }
  return text.slice(0, end);
}

/** Breaks a text into lines of at most `length` columns, at spaces where there are any. */
export function wrap(text: string, length: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const candidate = line === '' ? word : `${line} ${word}`;
    if (textWidth(candidate) <= length || line === '') {
      line = candidate;
    } else {
      lines.push(line);
      line = word;
    }
    while (textWidth(line) > length) {
      // One character at least, however narrow the line.
      const start = beginning(line, length) || (line.match(/^./u)?.[0] ?? line);
      lines.push(start);
      line = line.slice(start.length);
    }
  }
  return [...lines, line].filter((part) => part !== '');
}

/** A number with thousands separators: 1,234.5. Intl is asked only where there are no plain digits: it takes 20 ms to begin. */
export function grouped(value: number): string {
  if (!(Math.abs(value) < 1e21)) return value.toLocaleString('en-US');
  if (Math.abs(value) < 1000) return String(value);
  return String(value).replace(/\B(?<!\.\d*)(?=(\d{3})+(?!\d))/g, ',');
}

/** A count with thousands separators: 1,234,567. */
export function formatCount(count: number): string {
  return grouped(Math.round(count));
}

/** A measured value with three significant digits, never in scientific notation between 1e-6 and 1e15. */
export function formatValue(value: number): string {
  const size = Math.abs(value);
  if (size >= 999.5) return formatCount(value);
  if (size !== 0 && size < 1e-6) return value.toExponential(2);
  return String(Number(value.toPrecision(3)));
}

/** The value at a tick of an axis, with all the digits that it has, but those of binary fractions: 102.5, and 0.3 for 3 * 0.1. */
export function formatTick(value: number): string {
  const exact = Number(value.toPrecision(12));
  if (exact !== 0 && Math.abs(exact) < 1e-6) return String(exact);
  return grouped(exact);
}

/** Units that are too small to be read where there are many of them, the largest first. */
const LARGER_UNITS: ReadonlyMap<string, readonly (readonly [unit: string, size: number])[]> = new Map(
  Object.entries<readonly (readonly [unit: string, size: number])[]>({
    ns: [
      ['s', 1e9],
      ['ms', 1e6],
      ['µs', 1e3],
    ],
    bytes: [
      ['MiB', 2 ** 20],
      ['KiB', 2 ** 10],
    ],
  }),
);

/** A weight and its unit: `12 samples`, `1.25 s` for nanoseconds, `3.5 MiB` for bytes. */
export function formatWeight(weight: number, unit: string): string {
  const larger = LARGER_UNITS.get(unit)?.find(([, size]) => weight >= size);
  return larger === undefined ? `${formatCount(weight)} ${unit}` : `${formatValue(weight / larger[1])} ${larger[0]}`;
}

/** More of a unit than this are told apart well enough by their whole number. */
const MANY = 10_000;

/** The largest unit of which a total still has many: in it the parts of the total can be given as whole numbers. */
export function unitOfMany(total: number, unit: string): { readonly unit: string; readonly size: number } {
  const larger = LARGER_UNITS.get(unit)?.find(([, size]) => total >= MANY * size);
  return larger === undefined ? { unit, size: 1 } : { unit: larger[0], size: larger[1] };
}

/** A share of a whole as a percentage: `0.3 %`, `12 %`, `<0.1 %`. */
export function formatShare(part: number, whole: number): string {
  if (whole === 0 || part === 0) return '0 %';
  const percent = (100 * part) / whole;
  if (percent < 0.1) return '<0.1 %';
  return `${percent < 10 ? percent.toFixed(1) : percent.toFixed(0)} %`;
}

/** `a`, `a and b`, `a, b and c`. */
export function joinWords(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

/** `1 record`, `2 records`. */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}
