import type { ChartConfiguration, Plugin, Scale } from 'chart.js';
import * as z from 'zod';
import { countField } from '../analysis/counted.ts';
import { selectEvents, selectPoints } from '../analysis/select.ts';
import { EXIT, MarpleError } from '../common/errors.ts';
import { formatCount, formatShare, formatTick, formatValue, plural, visible } from '../common/text.ts';
import {
  axisOptions,
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
import { renderView } from './page.ts';
import { axisTitle, colourShare, colourTicks, logTicks, roundTicks } from './shape/axes.ts';
import { type BinGrid, PointSummary, spansDecades } from './shape/bins.ts';
import {
  type BinOptions,
  beyondTexts,
  colourLabel,
  hasHeat,
  hasSamples,
  heatAxes,
  heatNumbers,
  homeGrid,
  secondAndOffset,
} from './shape/heat.ts';
import { heatColour } from './shape/palette.ts';
import { heatBins, heatText } from './text/heat.ts';
import { textPage } from './text/page.ts';

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

/** How the picture is drawn: its size in pixels, bins across and up, and whether x begins at 0 where the data begins elsewhere. */
export interface GraphParameters {
  readonly width: number;
  readonly height: number;
  readonly columns: number;
  readonly rows: number;
  readonly normalise: boolean;
}

export interface HeatLayout {
  readonly summary: PointSummary;
  readonly grid: BinGrid;
  /** Samples of idle CPUs that are not shown. */
  readonly idle: number;
}

/** Some points of a section, and the number of samples before them that are left out, since their CPU was idle. */
interface Points {
  readonly x: Float64Array;
  readonly y: Float64Array;
  /** For how many points each stands; without, each is one. */
  readonly counts?: ArrayLike<number>;
  readonly idle: number;
}

/** Points that are kept until it is known what bins fit them: 16 bytes each. */
const MOST_KEPT = 12_000_000;

const PID = { field: 'pid', as: 'number' } as const;

/** A heat map that cannot be drawn with the parameters given: exit 2. */
export class HeatmapException extends MarpleError {
  override readonly name = 'HeatmapException';

  constructor(message: string, hint?: string) {
    super(message, EXIT.usage, hint);
  }
}

/**
 * Points counted in bins of x (mostly time) and y: the darker a bin, the more points lie in it. Samples are shown by second
 * and offset within the second, so that what comes and goes within seconds can be seen.
 */
export class HeatMap extends GenericDisplay<HeatMapOptions> {
  static readonly description: ViewDescription<'heatmap', HeatMapOptions> = {
    name: 'heatmap',
    flag: '-hm',
    long: '--heatmap',
    summary: 'heat map of points over time, or of samples by second and offset within it (PNG, HTML, text)',
    formats: ['png', 'html', 'txt'],
    options: optionsSchema,
    fits: hasHeat,
  };

  override async render(): Promise<Rendered> {
    switch (this.job.format) {
      case 'html':
        return renderView('heatmap', this.job, this.#title(), this.tell);
      case 'txt':
        return this.#text();
      default:
        return this.#picture();
    }
  }

  /**
   * Counts the points in bins. What the bins are hangs on all points: these are kept meanwhile. Where there are more than `mostKept`
   * they are counted in the bins that fit those so far, and read again only if in the end others fit.
   */
  async layout(bins: BinOptions = this.job.options, mostKept = MOST_KEPT): Promise<HeatLayout> {
    const { section, filter } = this.job;
    const summary = new PointSummary();
    const home = (): BinGrid => homeGrid(section.header, filter, summary, bins);
    const kept: Points[] = [];
    let early: BinGrid | undefined;
    let idle = 0;
    let rows = 0;
    for await (const points of this.#points()) {
      rows += points.x.length;
      summary.addAll(points.x, points.y, points.counts);
      idle += points.idle;
      kept.push(points);
      if (rows <= mostKept) continue;
      early ??= home();
      for (const { x, y, counts } of kept.splice(0)) early.addAll(x, y, counts);
    }
    const grid = home();
    if (early?.hasBinsOf(grid) === true) return { summary, grid: early, idle };
    for await (const { x, y, counts } of early === undefined ? kept : this.#points()) grid.addAll(x, y, counts);
    return { summary, grid, idle };
  }

  async *#points(): AsyncGenerator<Points> {
    const { section, filter, showIdle } = this.job;
    if (section.header.datatype === 'datapoint') {
      const counted = countField(section.header);
      const want = counted === undefined ? [] : [{ field: counted, as: 'number' } as const];
      for await (const { x, y, columns } of selectPoints(section, want, filter)) {
        yield { x, y, ...(columns[0] === undefined ? {} : { counts: columns[0].values }), idle: 0 };
      }
      return;
    }
    const hasPid = section.header.fields?.includes('pid') === true;
    for await (const { length, time, columns } of selectEvents(section, hasPid ? [PID] : [], filter)) {
      const pids = showIdle ? undefined : columns[0]?.values;
      const points = { x: new Float64Array(length), y: new Float64Array(length) };
      let shown = 0;
      for (let i = 0; i < length; i++) {
        if (pids?.[i] === IDLE_PID) continue;
        [points.x[shown], points.y[shown]] = secondAndOffset(time[i]!);
        shown++;
      }
      yield { x: points.x.subarray(0, shown), y: points.y.subarray(0, shown), idle: length - shown };
    }
  }

  #title(): string {
    const { section, options } = this.job;
    const { header } = section;
    const what = hasSamples(header) ? 'samples within each second' : (header.y?.label ?? 'y');
    return this.titleOr(options.title, `${header.interface}: ${what}`);
  }

  /** What is taken off x for the labels: they begin at 0 unless a range of time was asked for. */
  #xShift([from]: readonly [number, number]): number {
    const { options, filter, section } = this.job;
    return options.normalise && filter.from === undefined && !hasSamples(section.header) ? from : 0;
  }

  #logColours(grid: BinGrid): boolean {
    const { colours } = this.job.options;
    return colours === 'log' || (colours === 'auto' && spansDecades(grid));
  }

  /** What the picture shows, in words; what it does not show is noted. */
  #lines({ summary, grid, idle }: HeatLayout): string[] {
    const { header } = this.job.section;
    const value = valueIn(heatAxes(header).y.unit);
    const beyond = beyondTexts(grid, value);
    if (beyond.length > 0) this.notes.push(`outliers are in rows of their own: ${beyond.join(', ')}`);
    const hidden = `${plural(idle, 'idle sample')} hidden (${formatShare(idle, idle + summary.count)})`;
    if (idle > 0) this.notes.push(`${hidden}; --idle shows them`);
    return [
      this.origin().join(' · '),
      [...heatNumbers(header, summary, value), ...beyond, ...(idle > 0 ? [hidden] : [])].join(' · '),
    ];
  }

  #labels(grid: BinGrid): AxesLabels {
    const { header } = this.job.section;
    const { x, y } = heatAxes(header);
    return {
      x: axisTitle(x),
      y: axisTitle(y),
      colour: visible(colourLabel(header, grid)),
    };
  }

  async #picture(): Promise<Buffer> {
    const { options, section } = this.job;
    const parameters: GraphParameters = {
      ...options,
      width: this.job.width ?? options.width,
      height: this.job.height ?? options.height,
    };
    if (parameters.width < 400 || parameters.height < 260) {
      throw new HeatmapException(
        `a heat map of ${parameters.width} x ${parameters.height} pixels has no room for its bins`,
        'marple display -hm --width 1200 --height 700',
      );
    }
    const layout = await this.layout();
    const { grid } = layout;
    const frame: Frame = {
      width: parameters.width,
      height: parameters.height,
      title: this.#title(),
      subtitle: this.#lines(layout),
      footer: this.dataNotes(),
    };
    const unit = visible(heatAxes(section.header).y.unit);
    const chart = heatChart(frame, this.#labels(grid), grid, this.#logColours(grid), this.#xShift(grid.xRange), unit);
    const drawn = await drawChart(frame, chart);
    if (!drawn.hasFonts) this.notes.push(NO_FONTS);
    return drawn.png;
  }

  async #text(): Promise<Buffer> {
    const { options, section, screen } = this.job;
    const { y } = heatAxes(section.header);
    const layout = await this.layout(heatBins(screen, options.scale));
    const { grid } = layout;
    return textPage(this.#title(), this.#lines(layout), this.dataNotes(), screen, (area) =>
      heatText(grid, area, {
        ...this.#labels(grid),
        unit: visible(y.unit),
        xShift: this.#xShift(grid.xRange),
        logColours: this.#logColours(grid),
      }),
    );
  }
}

/** The task that runs where there is nothing to run. */
const IDLE_PID = 0;

function valueIn(unit: string): (y: number) => string {
  return (y) => `${formatValue(y)} ${visible(unit)}`.trim();
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
  const ticks = roundTicks(xRange, 12, xShift);
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
    afterBuildTicks: (axis: Scale) => setTicks(axis, [middle]),
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
          afterBuildTicks: (axis: Scale) => setTicks(axis, ticks),
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
          ...(viewport.scale === 'log' ? { afterBuildTicks: (axis: Scale) => setTicks(axis, logTicks(viewport)) } : {}),
        },
        ...(hasOver ? { above: outlierAxis(`> ${formatTick(viewport.top)} ${unit}`.trim(), 0.62) } : {}),
      },
    },
    plugins: grid.max === 0 ? [EMPTY] : [binPlugin(grid, logColours), colourBarPlugin(grid, labels.colour, logColours)],
  } as ChartConfiguration;
}

function setTicks(axis: Scale, ticks: readonly number[]): void {
  axis.ticks = ticks.map((value) => ({ value }));
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
        context.fillStyle = heatColour(colourShare(count, max, logColours));
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
      for (const count of colourTicks(max, logColours)) {
        const y = max <= 1 ? (top + bottom) / 2 : bottom - colourShare(count, max, logColours) * height;
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
