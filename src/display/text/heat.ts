import { fitted, formatCount, formatTick, textWidth } from '../../common/text.ts';
import { colourShare, colourTicks, logTicks, roundTicks } from '../shape/axes.ts';
import type { BinGrid } from '../shape/bins.ts';
import type { BinOptions } from '../shape/heat.ts';
import { heatRgb } from '../shape/palette.ts';
import { CharacterGrid, type Ink, type Screen, xtermColour } from './screen.ts';

/** For the labels of the values, and the numbers of the outliers behind the bins. */
const LEFT = 12;
const RIGHT = 10;
/** Axis, its labels, its title and the key to the colours. */
const BELOW = 4;
/** Without colours: from few to many. */
const SHADES = '·░▒▓█';
const AXIS: Ink = { front: 244 };

export interface HeatTexts {
  readonly x: string;
  readonly y: string;
  readonly colour: string;
  /** Of the values. */
  readonly unit: string;
  readonly xShift: number;
  readonly logColours: boolean;
}

/** As many bins as a screen has room for. With colours, a character shows two. */
export function heatBins({ columns, rows, hasColours }: Screen, scale: BinOptions['scale']): BinOptions {
  const across = columns - LEFT - RIGHT;
  const up = Math.max(4, Math.min(rows - BELOW - 8, Math.floor(across / 3)));
  return { columns: across, rows: hasColours ? 2 * up : up, scale, mostSeconds: across };
}

/** A heat map in characters. The grid has at most the bins of heatBins. */
export function heatText(grid: BinGrid, screen: Screen, texts: HeatTexts): string[] {
  if (grid.max === 0) return ['no records'];
  const perRow = screen.hasColours ? 2 : 1;
  // Where there are few columns (seconds), each is several characters wide.
  const widen = Math.max(1, Math.floor((screen.columns - LEFT - RIGHT) / grid.columns));
  const width = grid.columns * widen;
  const height = Math.ceil(grid.rows / perRow);
  const over = grid.overTotal > 0 ? 1 : 0;
  const under = grid.underTotal > 0 ? 1 : 0;
  const canvas = new CharacterGrid(screen.columns, over + height + under + BELOW);
  const max = grid.max;
  const share = (count: number) => colourShare(count, max, texts.logColours);
  const colour = (count: number): number | undefined =>
    count > 0 ? xtermColour(heatRgb(share(count), true)) : undefined;
  const shade = (count: number): string =>
    count > 0 ? SHADES[Math.min(SHADES.length - 1, Math.floor(share(count) * SHADES.length))]! : ' ';
  const cell = (column: number, row: number, upper: number, lower: number) => {
    for (let i = 0; i < widen; i++) {
      const at = LEFT + column * widen + i;
      if (!screen.hasColours) canvas.put(at, row, shade(lower));
      else if (upper > 0) canvas.put(at, row, '▀', { front: colour(upper), back: colour(lower) });
      else if (lower > 0) canvas.put(at, row, '▄', { front: colour(lower) });
    }
  };
  const label = (row: number, text: string) => {
    canvas.put(0, row, fitted(text, LEFT - 2, 'right'));
    canvas.put(LEFT - 1, row, text === '' ? '│' : '┤', AXIS);
  };
  const strip = (row: number, counts: Float64Array, text: string) => {
    for (const [column, count] of counts.entries()) cell(column, row, count, count);
    label(row, text);
    const total = counts.reduce((a, b) => a + b, 0);
    canvas.put(LEFT + width + 1, row, formatCount(total));
  };
  const { viewport, columns } = grid;
  const countAt = (column: number, row: number) => (row < grid.rows ? grid.counts[row * columns + column]! : 0);
  if (over > 0) strip(0, grid.over, `> ${formatTick(viewport.top)}`);
  const labels = rowLabels(grid, height);
  for (let line = 0; line < height; line++) {
    const row = over + height - 1 - line;
    label(row, labels.get(line) ?? '');
    for (let column = 0; column < columns; column++) {
      const lower = countAt(column, line * perRow);
      cell(column, row, perRow === 2 ? countAt(column, line * 2 + 1) : lower, lower);
    }
  }
  if (under > 0) strip(over + height, grid.under, `< ${formatTick(viewport.bottom)}`);
  drawXAxis(canvas, { row: over + height + under, left: LEFT, width }, grid.xRange, texts.xShift);
  const axes = `${texts.x}, up: ${texts.y}${viewport.scale === 'log' ? ', logarithmic' : ''}`;
  canvas.put(LEFT, canvas.rows - 2, axes);
  drawKey(
    canvas,
    canvas.rows - 1,
    max,
    texts,
    screen.hasColours ? (count) => ['█', { front: colour(count) }] : (count) => [shade(count), {}],
  );
  return canvas.lines(screen.hasColours);
}

/** Labels of the values, by line from the bottom. */
function rowLabels({ viewport }: BinGrid, height: number): Map<number, string> {
  const { bottom, top, scale } = viewport;
  const position = (y: number) => (scale === 'log' ? Math.log(y) : y);
  const ticks = scale === 'log' ? logTicks(viewport) : roundTicks([bottom, top], Math.max(2, height / 3));
  const labels = new Map<number, string>();
  for (const tick of ticks) {
    const share = (position(tick) - position(bottom)) / (position(top) - position(bottom));
    const line = Math.min(height - 1, Math.floor(share * height));
    if (!labels.has(line)) labels.set(line, formatTick(tick));
  }
  return labels;
}

/** A horizontal axis with labels below its ticks. */
export function drawXAxis(
  canvas: CharacterGrid,
  { row, left, width }: { readonly row: number; readonly left: number; readonly width: number },
  range: readonly [number, number],
  shift: number,
): void {
  canvas.put(left - 1, row, `└${'─'.repeat(width)}`, AXIS);
  let free = 0;
  for (const tick of roundTicks(range, width / 10, shift)) {
    const at = left + Math.min(width - 1, Math.floor(((tick - range[0]) / (range[1] - range[0])) * width));
    const text = formatTick(tick - shift);
    const start = at - Math.floor(textWidth(text) / 2);
    if (start < free) continue;
    canvas.put(at, row, '┬', AXIS);
    canvas.put(start, row + 1, text);
    free = start + textWidth(text) + 1;
  }
}

/** Which colour, or shade, stands for how many. */
function drawKey(
  canvas: CharacterGrid,
  row: number,
  max: number,
  texts: HeatTexts,
  sample: (count: number) => [text: string, ink: Ink],
): void {
  let at = LEFT;
  canvas.put(at, row, `${texts.colour}:`);
  at += textWidth(texts.colour) + 2;
  for (const count of colourTicks(max, texts.logColours)) {
    const [text, ink] = sample(count);
    const number = formatCount(count);
    if (at + textWidth(number) + 3 > canvas.columns) break;
    canvas.put(at, row, text + text, ink);
    canvas.put(at + 3, row, number);
    at += textWidth(number) + 5;
  }
}
