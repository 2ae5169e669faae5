import { characterWidth } from '../../common/text.ts';
import type { Rgb } from '../shape/palette.ts';

/** Where text is shown. Sizes are in characters. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
  /** Whether it has the 256 colours of xterm. */
  readonly hasColours: boolean;
}

/** What a text file is laid out for. */
export const PAPER: Screen = { columns: 100, rows: 50, hasColours: false };

/** A character is about so many pixels large. */
export const CHARACTER = { width: 8, height: 16 } as const;
const LEAST = { columns: 40, rows: 12 } as const;

interface Stream {
  readonly isTTY?: boolean;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

/**
 * The screen behind a stream; PAPER where there is none (a file). COLUMNS and LINES go before what the terminal says, and a size that was
 * asked for (pixels) before both. Colours are only for a terminal, and not where NO_COLOR is set (no-color.org).
 */
export function screenOf(
  stream: Stream | undefined,
  asked: { readonly width?: number | undefined; readonly height?: number | undefined },
  env: Readonly<Record<string, string | undefined>> = process.env,
): Screen {
  const isTerminal = stream?.isTTY === true;
  // A terminal that does not know its size says 0.
  const sizeOf = (size: number | undefined): number | undefined => (isTerminal && size !== 0 ? size : undefined);
  const setting = (name: string): number | undefined => {
    const value = Number(env[name]);
    return stream !== undefined && Number.isInteger(value) && value > 0 ? value : undefined;
  };
  const columns =
    asked.width === undefined
      ? (setting('COLUMNS') ?? sizeOf(stream?.columns) ?? PAPER.columns)
      : Math.floor(asked.width / CHARACTER.width);
  const rows =
    asked.height === undefined
      ? (setting('LINES') ?? sizeOf(stream?.rows) ?? PAPER.rows)
      : Math.floor(asked.height / CHARACTER.height);
  return {
    columns: Math.min(1000, Math.max(LEAST.columns, columns)),
    rows: Math.min(1000, Math.max(LEAST.rows, rows)),
    hasColours: isTerminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb',
  };
}

/** Levels of a channel in the colour cube of xterm's 256 colours, and of its greys. */
const CUBE = [0, 95, 135, 175, 215, 255] as const;

/** The number of xterm's colour that is closest. */
export function xtermColour(rgb: Rgb): number {
  const [r, g, b] = rgb.map((channel) => nearest(CUBE, channel)) as [number, number, number];
  const cube = { number: 16 + 36 * r + 6 * g + b, rgb: [CUBE[r]!, CUBE[g]!, CUBE[b]!] as Rgb };
  // A colour stays one, even where a grey is closer.
  if (Math.max(...rgb) - Math.min(...rgb) > GREYISH) return cube.number;
  const step = Math.max(0, Math.min(23, Math.round((rgb[0] + rgb[1] + rgb[2] - 24) / 30)));
  const level = 8 + 10 * step;
  return distance(rgb, [level, level, level]) < distance(rgb, cube.rgb) ? 232 + step : cube.number;
}

/** Channels of a grey are this far apart at most. */
const GREYISH = 24;

function nearest(levels: readonly number[], value: number): number {
  let best = 0;
  for (const [i, level] of levels.entries()) if (Math.abs(level - value) < Math.abs(levels[best]! - value)) best = i;
  return best;
}

function distance(a: Rgb, b: Rgb): number {
  return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2;
}

/** Colours of a cell, as numbers of xterm's. */
export interface Ink {
  readonly front?: number | undefined;
  readonly back?: number | undefined;
  readonly bold?: boolean;
}

interface Cell extends Ink {
  readonly text: string;
}

/**
 * A grid of characters, each with its colours. What is put there must be visible text (common/text.ts): so that the only control characters
 * that ever come out are the colours and line ends that are written here.
 */
export class CharacterGrid {
  readonly #cells: (Cell | undefined)[][];

  constructor(
    readonly columns: number,
    readonly rows: number,
  ) {
    this.#cells = Array.from({ length: rows }, () => new Array<Cell | undefined>(columns));
  }

  /** Writes a text from a place on; what does not fit is cut. */
  put(column: number, row: number, text: string, ink: Ink = {}): void {
    const line = this.#cells[row];
    if (line === undefined) return;
    let at = column;
    for (const character of text) {
      const width = characterWidth(character);
      if (width === 0) {
        const before = line[at - 1];
        if (before !== undefined) line[at - 1] = { ...before, text: before.text + character };
        continue;
      }
      if (at < 0 || at + width > this.columns) break;
      line[at] = { ...ink, text: character };
      // The second half of a wide character.
      if (width === 2) line[at + 1] = { ...ink, text: '' };
      at += width;
    }
  }

  /** The lines without spaces at their ends. */
  lines(hasColours: boolean): string[] {
    return this.#cells.map((line) => {
      let text = '';
      let style = '';
      const length = line.findLastIndex((cell) => cell !== undefined && (cell.text !== ' ' || cell.back !== undefined));
      for (let at = 0; at <= length; at++) {
        const cell = line[at];
        const wanted = hasColours && cell !== undefined ? styleOf(cell) : '';
        if (wanted !== style) text += wanted === '' ? '\x1b[0m' : `\x1b[0;${wanted}m`;
        style = wanted;
        text += cell?.text ?? ' ';
      }
      return style === '' ? text : `${text}\x1b[0m`;
    });
  }
}

function styleOf({ front, back, bold }: Ink): string {
  return [
    ...(bold === true ? ['1'] : []),
    ...(front === undefined ? [] : [`38;5;${front}`]),
    ...(back === undefined ? [] : [`48;5;${back}`]),
  ].join(';');
}

/** A bar of a share (0 .. 1) of `width` characters, in eighths. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  return '█'.repeat(eighths >> 3) + (' ▏▎▍▌▋▊▉'[eighths & 7] ?? '').trim();
}

/** Values of 0 .. `most` as one character each. */
export function sparkline(values: readonly number[], most: number): string {
  return values
    .map((value) => {
      if (!(value > 0) || !(most > 0)) return ' ';
      return '▁▂▃▄▅▆▇█'[Math.min(7, Math.floor((value / most) * 8))] ?? ' ';
    })
    .join('');
}
