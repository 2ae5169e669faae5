import type { ChartConfiguration, Plugin, Scale } from 'chart.js';
import { z } from 'zod';
import { selectPoints } from '../analysis/select.ts';
import { EXIT, MarpleError } from '../common/errors.ts';
import { formatCount, formatShare, formatTick, formatValue, plural, visible } from '../common/text.ts';
import {
  axisOptions,
  axisTitle,
  contextOf,
  drawChart,
  EMPTY,
  FONT,
  type Frame,
  frameOptions,
  INK,
  NO_FONTS,
  TICK_STYLE,
} from './chart.ts';
import { GenericDisplay, type Rendered, type ViewDescription } from './generic-display.ts';
import { sectionNotes, sectionOrigin } from './notes.ts';
import { heatColour } from './palette.ts';
import { BinGrid, chooseViewport, niceStep, PointSummary, spansDecades, type Viewport } from './shape/bins.ts';
import { shownRange } from './shape/range.ts';

const SCALES = ['auto', 'linear', 'log'] as const;

const optionsSchema = z.strictObject({
  title: z.string().default(''),
  width: z.coerce.number().int().min(200).max(20_000).default(1200),
  height: z.coerce.number().int().min(100).max(20_000).default(700),
  /** Bins across and up. */
  columns: z.coerce.number().int().min(1).max(2000).default(100),
  rows: z.coerce.number().int().min(1).max(1000).default(50),
  /** Of the values, and of the colours. */
  scale: z.enum(SCALES).default('auto'),
  colours: z.enum(SCALES).default('auto'),
  /** Whether x begins at 0 where the data begins elsewhere. */
  normalise: z.coerce.string().pipe(z.stringbool()).default(true),
});

export type HeatMapOptions = z.infer<typeof optionsSchema>;

/** What stands at the axes and at the colour bar. */
export interface AxesLabels {
  readonly x: string;
  readonly y: string;
  readonly colour: string;
}

/** Size of the picture, in pixels. */
export interface GraphParameters {
  readonly width: number;
  readonly height: number;
}

export interface HeatLayout {
  readonly summary: PointSummary;
  readonly grid: BinGrid;
}

/** A heat map that cannot be drawn with the parameters given: exit 2. */
export class HeatmapException extends MarpleError {
  override readonly name = 'HeatmapException';

  constructor(message: string, hint?: string) {
    super(message, EXIT.usage, hint);
  }
}

/** Points counted in bins of x (mostly time) and y: the darker a bin, the more points lie in it. */
export class HeatMap extends GenericDisplay<HeatMapOptions> {
  static readonly description: ViewDescription<'heatmap', HeatMapOptions> = {
    name: 'heatmap',
    flag: '-hm',
    long: '--heatmap',
    summary: 'heat map of points over time (PNG)',
    formats: ['png'],
    options: optionsSchema,
    fits: (header) => header.datatype === 'datapoint',
  };

  override async render(): Promise<Rendered> {
    const { options } = this.job;
    const parameters: GraphParameters = {
      width: this.job.width ?? options.width,
      height: this.job.height ?? options.height,
    };
    if (parameters.width < 400 || parameters.height < 260) {
      throw new HeatmapException(
        `a heat map of ${parameters.width} x ${parameters.height} pixels has no room for its bins`,
        'marple display -hm --width 1200 --height 700',
      );
    }
    return this.#draw(await this.layout(), parameters);
  }

  /** Counts the points in bins, in two passes over them. */
  async layout(): Promise<HeatLayout> {
    const { options, section, filter } = this.job;
    const summary = await this.#summarise();
    const viewport = chooseViewport(summary, options.rows, options.scale);
    const grid = new BinGrid(options.columns, options.rows, shownRange(section.header, filter, summary), viewport);
    for await (const { length, x, y } of selectPoints(section, [], filter)) {
      for (let i = 0; i < length; i++) grid.add(x[i]!, y[i]!);
    }
    return { summary, grid };
  }

  async #summarise(): Promise<PointSummary> {
    const summary = new PointSummary();
    for await (const { length, x, y } of selectPoints(this.job.section, [], this.job.filter)) {
      for (let i = 0; i < length; i++) summary.add(x[i]!, y[i]!);
    }
    return summary;
  }

  /** What is taken off x for the labels: they begin at 0 unless a range of time was asked for. */
  #xShift([from]: readonly [number, number]): number {
    return this.job.options.normalise && this.job.filter.from === undefined ? from : 0;
  }

  async #draw({ summary, grid }: HeatLayout, parameters: GraphParameters): Promise<Buffer> {
    const { section, group, options, filter } = this.job;
    const { header } = section;
    const unit = visible(header.y?.unit ?? '');
    const value = (y: number) => `${formatValue(y)} ${unit}`.trim();
    const { y } = summary;
    const beyond = [
      ...(grid.overTotal > 0
        ? [`${formatCount(grid.overTotal)} above ${value(grid.viewport.top)} (${formatShare(grid.overTotal, y.count)})`]
        : []),
      ...(grid.underTotal > 0
        ? [
            `${formatCount(grid.underTotal)} below ${value(grid.viewport.bottom)} (${formatShare(grid.underTotal, y.count)})`,
          ]
        : []),
    ];
    if (beyond.length > 0) this.notes.push(`outliers are in rows of their own: ${beyond.join(', ')}`);
    const numbers = [
      plural(y.count, 'record'),
      ...(y.count === 0
        ? []
        : [`p50 ${value(y.at(0.5))}`, `p99 ${value(y.at(0.99))}`, `max ${value(y.max)}`, ...beyond]),
    ];
    const frame: Frame = {
      width: parameters.width,
      height: parameters.height,
      title: visible(this.job.title || options.title || `${header.interface}: ${header.y?.label ?? 'y'}`),
      subtitle: [sectionOrigin(header, filter).join(' · '), numbers.join(' · ')],
      footer: [...new Set(group.all.flatMap((other) => sectionNotes(other.header)))],
    };
    const labels: AxesLabels = {
      x: visible(axisTitle(header.x, 'x')),
      y: visible(axisTitle(header.y, 'y')),
      colour: `records per bin (${formatValue((grid.xRange[1] - grid.xRange[0]) / grid.columns)} ${visible(header.x?.unit ?? '')}${
        grid.viewport.scale === 'linear' ? ` × ${value((grid.viewport.top - grid.viewport.bottom) / grid.rows)}` : ''
      })`,
    };
    const logColours = options.colours === 'log' || (options.colours === 'auto' && spansDecades(grid));
    const drawn = await drawChart(frame, heatChart(frame, labels, grid, logColours, this.#xShift(grid.xRange), unit));
    if (!drawn.hasFonts) this.notes.push(NO_FONTS);
    return drawn.png;
  }
}

const BAR_WIDTH = 16;
const BAR_SPACE = 92;
/** Between the values and the strip of the outliers, pixels. */
const STRIP_GAP = 8;

/** Axes by Chart.js; the bins, which may be many, by one plugin that paints them all. */
function heatChart(
  frame: Frame,
  labels: AxesLabels,
  grid: BinGrid,
  logColours: boolean,
  xShift: number,
  unit: string,
): ChartConfiguration {
  const { viewport, xRange } = grid;
  const base = frameOptions(frame);
  const hasOver = grid.overTotal > 0;
  const hasUnder = grid.underTotal > 0;
  const ticks = xTicks(xRange, xShift);
  // `middle`: where the middle of the strip is on its axis, since a gap is part of it.
  // Chart.js stacks axes of the same `stack` from the bottom up: the values' axis between those of the outliers.
  const outlierAxis = (text: string, middle: number) => ({
    type: 'linear' as const,
    axis: 'y' as const,
    min: 0,
    max: 1,
    stack: 'y',
    stackWeight: 1,
    offset: false,
    border: { color: '#888888' },
    grid: { display: false },
    ticks: { ...TICK_STYLE, callback: () => text },
    afterBuildTicks(axis: Scale) {
      axis.ticks = [{ value: middle }];
    },
  });
  return {
    type: 'scatter',
    data: { datasets: [] },
    options: {
      ...base,
      layout: { padding: { ...base.layout.padding, right: BAR_SPACE } },
      scales: {
        x: {
          ...axisOptions(labels.x),
          type: 'linear',
          min: xRange[0],
          max: xRange[1],
          ticks: { ...TICK_STYLE, callback: (tick) => formatTick(Number(tick) - xShift) },
          afterBuildTicks(axis) {
            axis.ticks = ticks.map((tick) => ({ value: tick }));
          },
        },
        ...(hasUnder ? { below: outlierAxis(`< ${formatTick(viewport.bottom)} ${unit}`.trim(), 0.38) } : {}),
        y: {
          ...axisOptions(labels.y),
          type: viewport.scale === 'log' ? 'logarithmic' : 'linear',
          min: viewport.bottom,
          max: viewport.top,
          stack: 'y',
          stackWeight: 17,
          ticks: { ...TICK_STYLE, callback: (tick) => formatTick(Number(tick)) },
          ...(viewport.scale === 'log' ? { afterBuildTicks: (axis: Scale) => setLogTicks(axis, viewport) } : {}),
        },
        ...(hasOver ? { above: outlierAxis(`> ${formatTick(viewport.top)} ${unit}`.trim(), 0.62) } : {}),
      },
    },
    plugins: grid.max === 0 ? [EMPTY] : [binPlugin(grid, logColours), colourBarPlugin(grid, labels.colour, logColours)],
  } as ChartConfiguration;
}

/** Round positions, counted from the shift, so that a shifted axis begins at 0. */
function xTicks([from, to]: readonly [number, number], shift: number): number[] {
  const step = niceStep((to - from) / 12);
  const first = Math.ceil((from - shift) / step - 1e-9);
  const count = Math.floor((to - shift) / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, i) => shift + (first + i) * step);
}

/** On a logarithmic axis only 1, 2 and 5 of each decade have room, and over many decades only 1. */
function setLogTicks(axis: Scale, { bottom, top }: Viewport): void {
  const decades = Math.log10(top / bottom);
  const leads = decades > 6 ? [1] : decades > 4 ? [1, 3] : [1, 2, 5];
  axis.ticks = [];
  for (let power = Math.floor(Math.log10(bottom)); 10 ** power <= top; power++) {
    for (const lead of leads) {
      const value = Number(`${lead}e${power}`);
      if (value >= bottom && value <= top) axis.ticks.push({ value });
    }
  }
}

function shareOf(count: number, max: number, logColours: boolean): number {
  if (max <= 1) return 0.5;
  return logColours ? Math.log(count) / Math.log(max) : (count - 1) / (max - 1);
}

function binPlugin(grid: BinGrid, logColours: boolean): Plugin {
  const max = grid.max;
  return {
    id: 'bins',
    beforeDatasetsDraw(chart) {
      const context = contextOf(chart);
      const { left, right } = chart.chartArea;
      const edge = (column: number) => Math.round(left + ((right - left) * column) / grid.columns);
      const cell = (count: number, column: number, top: number, bottom: number) => {
        if (count === 0) return;
        context.fillStyle = heatColour(shareOf(count, max, logColours));
        context.fillRect(edge(column), top, Math.max(1, edge(column + 1) - edge(column)), Math.max(1, bottom - top));
      };
      context.save();
      const area = chart.scales['y']!;
      const rowEdge = (row: number) => Math.round(area.bottom - ((area.bottom - area.top) * row) / grid.rows);
      for (let row = 0; row < grid.rows; row++) {
        for (let column = 0; column < grid.columns; column++) {
          cell(grid.counts[row * grid.columns + column]!, column, rowEdge(row + 1), rowEdge(row));
        }
      }
      for (const [name, counts] of [
        ['above', grid.over],
        ['below', grid.under],
      ] as const) {
        const strip = chart.scales[name];
        if (strip === undefined) continue;
        // A gap sets the strip off from the values, which go on beyond it.
        const top = Math.round(strip.top) + (name === 'below' ? STRIP_GAP : 0);
        const bottom = Math.round(strip.bottom) - (name === 'above' ? STRIP_GAP : 0);
        context.fillStyle = '#ffffff';
        context.fillRect(left - 1, Math.round(strip.top), right - left + 2, strip.bottom - strip.top);
        context.fillStyle = '#f3f3f3';
        context.fillRect(left, top, right - left, bottom - top);
        counts.forEach((count, column) => {
          cell(count, column, top, bottom);
        });
        context.strokeStyle = '#999999';
        context.lineWidth = 1;
        context.strokeRect(left - 0.5, top - 0.5, right - left + 1, bottom - top + 1);
        context.font = `11px ${FONT}`;
        context.fillStyle = INK;
        context.textBaseline = 'middle';
        context.textAlign = 'left';
        context.fillText(`${formatCount(counts.reduce((a, b) => a + b, 0))} ${name}`, right + 8, (top + bottom) / 2);
      }
      context.restore();
    },
  };
}

function colourBarPlugin(grid: BinGrid, label: string, logColours: boolean): Plugin {
  const max = grid.max;
  return {
    id: 'colourBar',
    afterDraw(chart) {
      const context = contextOf(chart);
      const { top, bottom } = chart.scales['y']!;
      const left = chart.chartArea.right + 14;
      const height = bottom - top;
      context.save();
      for (let y = 0; y < height; y++) {
        context.fillStyle = heatColour(max <= 1 ? 0.5 : 1 - y / height);
        context.fillRect(left, top + y, BAR_WIDTH, 1.5);
      }
      context.font = `11px ${FONT}`;
      context.fillStyle = INK;
      context.textAlign = 'left';
      context.textBaseline = 'middle';
      for (const count of barTicks(max, logColours)) {
        const y = max <= 1 ? (top + bottom) / 2 : bottom - shareOf(count, max, logColours) * height;
        context.fillRect(left + BAR_WIDTH, y - 0.5, 4, 1);
        context.fillText(formatCount(count), left + BAR_WIDTH + 7, y);
      }
      context.translate(left + BAR_WIDTH + 52, (top + bottom) / 2);
      context.rotate(-Math.PI / 2);
      context.textAlign = 'center';
      context.fillText(label, 0, 0);
      context.restore();
    },
  };
}

/** Counts to label: 1, the maximum, and round ones between that keep a distance. */
function barTicks(max: number, logColours: boolean): number[] {
  if (max <= 1) return [1];
  const inner: number[] = [];
  if (logColours) {
    for (let decade = 1; decade < max; decade *= 10) inner.push(decade, 2 * decade, 5 * decade);
  } else {
    const step = Math.max(1, niceStep(max / 6));
    for (let count = step; count < max; count += step) inner.push(Math.round(count));
  }
  const ticks = [1];
  for (const count of inner) {
    const share = shareOf(count, max, logColours);
    const last = shareOf(ticks.at(-1) ?? 1, max, logColours);
    if (count > 1 && share - last > 0.05 && 1 - share > 0.05) ticks.push(count);
  }
  return [...ticks, max];
}
