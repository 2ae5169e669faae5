import { fitted, formatTick, formatValue, textWidth } from '../../common/text.ts';
import { roundTicks } from '../shape/axes.ts';
import { rgbOf } from '../shape/palette.ts';
import { columnValues, cornersOf, type Layer, valuesAt } from '../shape/series.ts';
import { drawXAxis } from './heat.ts';
import { CharacterGrid, type Screen, sparkline, xtermColour } from './screen.ts';

const LEFT = 12;
const SPARK = 24;
const NUMBER = 11;
/** Without colours each layer is filled with a letter. */
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

export interface StackTexts {
  readonly x: string;
  readonly y: string;
  /** Of the values. */
  readonly unit: string;
  /** Whether x is time, so that the last value is that of the end. */
  readonly isTime: boolean;
}

/** A stack plot in characters, and a line for each layer: the layers, the lowest first, have a value per x. */
export function stackText(
  x: readonly number[],
  range: readonly [number, number],
  layers: readonly (Layer & { readonly name: string; readonly colour: string })[],
  screen: Screen,
  texts: StackTexts,
): string[] {
  if (x.length === 0) return ['no records'];
  const width = screen.columns - LEFT - 1;
  const height = Math.max(6, Math.min(screen.rows - 5 - layers.length, Math.floor(width / 3)));
  const plot = new CharacterGrid(screen.columns, height + 3);
  const corners = cornersOf(x, texts.isTime);
  const values = layers.map((layer) => columnValues(corners.x, valuesAt(corners, layer.values), range, width));
  const totals = Array.from({ length: width }, (_, column) => values.reduce((sum, own) => sum + (own[column] ?? 0), 0));
  const highest = totals.reduce((a, b) => Math.max(a, b), 0);
  const perRow = screen.hasColours ? 2 : 1;
  const layerAt = (column: number, share: number): number => {
    let below = 0;
    return values.findIndex((own) => {
      below += own[column] ?? 0;
      return below > share * highest;
    });
  };
  const colours = layers.map(({ colour }) => xtermColour(rgbOf(colour)));
  for (let line = 0; line < height; line++) {
    const row = height - 1 - line;
    for (let column = 0; column < width; column++) {
      const [lower, upper] = [0.5, 1.5].map((half) => layerAt(column, (line * perRow + half) / (height * perRow)));
      const at = LEFT + column;
      if (!screen.hasColours) plot.put(at, row, lower! < 0 ? ' ' : LETTERS[lower! % LETTERS.length]!);
      else if (upper! >= 0) plot.put(at, row, '▀', { front: colours[upper!], back: colours[lower!] });
      else if (lower! >= 0) plot.put(at, row, '▄', { front: colours[lower!] });
    }
  }
  drawYAxis(plot, height, highest);
  drawXAxis(plot, { row: height, left: LEFT, width }, range, 0);
  plot.put(LEFT, height + 2, `${texts.x}, up: ${texts.y}`);
  return [...plot.lines(screen.hasColours), ...legend(x, layers, colours, screen, texts)];
}

function drawYAxis(plot: CharacterGrid, height: number, highest: number): void {
  const labels = new Map<number, string>();
  if (highest > 0) {
    for (const tick of roundTicks([0, highest], Math.max(2, height / 3))) {
      labels.set(Math.min(height - 1, Math.floor((tick / highest) * height)), formatTick(tick));
    }
  }
  for (let line = 0; line < height; line++) {
    const text = labels.get(line);
    plot.put(0, height - 1 - line, fitted(text ?? '', LEFT - 2, 'right'));
    plot.put(LEFT - 1, height - 1 - line, text === undefined ? '│' : '┤', { front: 244 });
  }
}

/** The layers as they are stacked, the top one first: how each went, and what it was in the end and at most. */
function legend(
  x: readonly number[],
  layers: readonly (Layer & { readonly name: string })[],
  colours: readonly number[],
  screen: Screen,
  { unit, isTime }: StackTexts,
): string[] {
  if (layers.length === 0) return [];
  const spark = Math.min(SPARK, Math.floor(screen.columns / 4));
  const name = Math.min(
    Math.max(...layers.map((layer) => textWidth(layer.name)), 4),
    screen.columns - spark - 2 * NUMBER - 6,
  );
  const ends = (isTime ? ['last', 'most'] : ['most']).map((end) => `${end} ${unit}`.trim());
  const grid = new CharacterGrid(screen.columns, layers.length + 1);
  const put = (row: number, first: string, line: string, numbers: readonly string[]) => {
    grid.put(2, row, fitted(first, name));
    grid.put(name + 4, row, line);
    for (const [i, number] of numbers.entries()) {
      grid.put(name + spark + 5 + i * NUMBER, row, fitted(number, NUMBER - 1, 'right'));
    }
  };
  put(0, '', '', ends);
  for (const [i, layer] of layers.entries()) {
    const row = layers.length - i;
    const most = layer.values.reduce((a, b) => Math.max(a, b), 0);
    const shown = columnValues(x, layer.values, [x[0] ?? 0, x.at(-1) ?? 0], Math.min(spark, Math.max(1, x.length)));
    if (screen.hasColours) grid.put(0, row, '█', { front: colours[i] });
    else grid.put(0, row, LETTERS[i % LETTERS.length]!);
    const numbers = isTime ? [layer.values.at(-1) ?? 0, most] : [most];
    put(row, layer.name, sparkline([...shown], most), numbers.map(formatValue));
  }
  return grid.lines(screen.hasColours);
}
