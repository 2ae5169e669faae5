import type { Axis, SectionHeader } from '../../common/header.ts';
import { formatCount, formatShare, formatValue, plural } from '../../common/text.ts';
import { pointAxes } from './axes.ts';
import { BinGrid, chooseViewport, type PointSummary, type ScaleKind } from './bins.ts';
import { shownRange, type TimeFilter } from './range.ts';

/** Bins across and up, and the scale of the values. */
export interface BinOptions {
  readonly columns: number;
  readonly rows: number;
  readonly scale: ScaleKind | 'auto';
  /** Columns of a heat map by seconds, at most. */
  readonly mostSeconds?: number;
}

/** Whether a section has samples: events that refer to stacks. Their heat map is by second and offset within the second. */
export function hasSamples({ datatype, fields }: SectionHeader): boolean {
  return datatype === 'event' && fields?.includes('stack') === true;
}

/** Whether a heat map can show a section. */
export function hasHeat(header: SectionHeader): boolean {
  return header.datatype === 'datapoint' || hasSamples(header);
}

/** What the axes of a section's heat map measure. */
export function heatAxes(header: SectionHeader): { readonly x: Axis; readonly y: Axis } {
  if (hasSamples(header)) {
    return { x: { label: 'time', unit: 's' }, y: { label: 'offset within the second', unit: 'ms' } };
  }
  return pointAxes(header);
}

/** The point of a sample: its second, and how far into it, in milliseconds. */
export function secondAndOffset(nanoseconds: number): [second: number, offset: number] {
  const second = Math.floor(nanoseconds / 1e9);
  return [second, (nanoseconds - second * 1e9) / 1e6];
}

/** The time of a point of secondAndOffset, in seconds. */
export function timeOf(second: number, offset: number): number {
  return (second * 1e9 + Math.round(offset * 1e6)) / 1e9;
}

/** So many seconds get a column each, where nothing else is asked for; of longer runs several share one. */
const MOST_SECONDS = 1000;

/** An empty grid of bins for all points of `summary`. Of samples each column is a second, and of what was summed by slices of time a slice. */
export function homeGrid(
  header: SectionHeader,
  filter: TimeFilter,
  summary: PointSummary,
  options: BinOptions,
): BinGrid {
  const range = shownRange(header, filter, summary);
  if (!hasSamples(header)) {
    const viewport = chooseViewport(summary, options.rows, options.scale);
    const slice = header.summary?.interval;
    if (slice === undefined) return new BinGrid(options.columns, options.rows, range, viewport);
    const first = Math.floor(range[0] / slice);
    const slices = Math.max(1, Math.ceil(range[1] / slice) - first);
    const columns = Math.min(slices, options.columns);
    return new BinGrid(columns, options.rows, [first * slice, (first + slices) * slice], viewport);
  }
  const end = Math.max(range[1], summary.count === 0 ? 0 : summary.xMax + 1);
  return secondGrid([range[0], end], options.rows, [0, 1000], options.mostSeconds);
}

/** Bins of whole seconds, and of offsets in milliseconds. */
export function secondGrid(
  [from, to]: readonly [number, number],
  rows: number,
  [bottom, top]: readonly [number, number],
  most = MOST_SECONDS,
): BinGrid {
  const first = Math.floor(from);
  const seconds = Math.max(1, Math.ceil(to) - first);
  const each = Math.ceil(seconds / most);
  const columns = Math.ceil(seconds / each);
  return new BinGrid(columns, rows, [first, first + columns * each], { scale: 'linear', bottom, top });
}

/** What lies above and below the rows of a grid, in words. */
export function beyondTexts(grid: BinGrid, value: (y: number) => string): string[] {
  const { overTotal, underTotal, viewport, total } = grid;
  const texts: string[] = [];
  const add = (count: number, where: string, edge: number) => {
    if (count > 0) texts.push(`${formatCount(count)} ${where} ${value(edge)} (${formatShare(count, total)})`);
  };
  add(overTotal, 'above', viewport.top);
  add(underTotal, 'below', viewport.bottom);
  return texts;
}

/** The numbers of what a heat map shows, in words. */
export function heatNumbers(
  header: SectionHeader,
  { y }: Pick<PointSummary, 'y'>,
  value: (y: number) => string,
): string[] {
  if (hasSamples(header)) return [plural(y.count, 'sample')];
  if (y.count === 0) return [plural(0, 'record')];
  return [plural(y.count, 'record'), `p50 ${value(y.at(0.5))}`, `p99 ${value(y.at(0.99))}`, `max ${value(y.max)}`];
}

/** What a colour counts: `records per bin (0.1 s × 0.02 ms)`. */
export function colourLabel(header: SectionHeader, grid: BinGrid): string {
  const { x, y } = heatAxes(header);
  const { viewport, xRange, columns, rows } = grid;
  const size = (range: number, unit: string) => `${formatValue(range)} ${unit}`.trim();
  const across = size((xRange[1] - xRange[0]) / columns, x.unit);
  const up = viewport.scale === 'linear' ? ` × ${size((viewport.top - viewport.bottom) / rows, y.unit)}` : '';
  return `${hasSamples(header) ? 'samples' : 'records'} per bin (${across}${up})`;
}
