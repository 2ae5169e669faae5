import { fitted, shorten, wrap } from '../../common/text.ts';
import { SIGNATURE } from '../generic-display.ts';
import type { Screen } from './screen.ts';

/**
 * A text rendition: title, what it shows, the drawing in what room is left, and what to know. All texts must be visible ones
 * (common/text.ts); the lines of the drawing may hold colours.
 */
export function textPage(
  title: string,
  subtitle: readonly string[],
  footer: readonly string[],
  screen: Screen,
  draw: (area: Screen) => readonly string[],
): Buffer {
  const { columns } = screen;
  const sign = `${SIGNATURE}`;
  const first = `${fitted(title, Math.max(8, columns - sign.length - 2))}  ${sign}`;
  const head = [first.trimEnd(), ...subtitle.flatMap((line) => wrap(line, columns)), ''];
  const notes = footer.flatMap((note) => wrap(`! ${note}`, columns));
  const below = notes.length === 0 ? [] : ['', ...notes];
  // A line is kept for the prompt.
  const rows = Math.max(8, screen.rows - head.length - below.length - 1);
  return Buffer.from(`${[...head, ...draw({ ...screen, rows }), ...below].join('\n')}\n`);
}

/** Heading of a part of a text. */
export function heading(text: string, screen: Screen): string {
  return screen.hasColours ? `\x1b[1m${shorten(text, screen.columns)}\x1b[0m` : shorten(text, screen.columns);
}
