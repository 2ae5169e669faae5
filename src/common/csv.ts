import { visible } from './text.ts';

/*
 * CSV by RFC 4180: lines end in CR LF. Process names and the like are hostile: what a spreadsheet would run as a formula has a '
 * before it.
 */

/** A row of a table; numbers are written in full. */
export function csvRow(cells: readonly (string | number)[]): string {
  return `${cells.map((cell) => (typeof cell === 'number' ? String(cell) : textCell(cell))).join(',')}\r\n`;
}

const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;
/** What makes a formula of a cell, in Excel, LibreOffice and Google Sheets; the wide forms too. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;
const NEEDS_QUOTES = /[",\r\n]|^\s|\s$/;

/** Most cells are so, and need nothing. */
const PLAIN = /^[A-Za-z0-9_][\w .:/-]*$/;

function textCell(text: string): string {
  if ((PLAIN.test(text) && !text.endsWith(' ')) || NUMBER.test(text)) return text;
  // Control characters, and bytes that are not UTF-8, are written out; a tab or line end goes with them.
  const safe = FORMULA.test(text) ? `'${visible(text)}` : visible(text);
  return NEEDS_QUOTES.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
