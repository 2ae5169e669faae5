import type { ChartConfiguration } from 'chart.js';
import * as z from 'zod';
import { selectPoints, xIsTime } from '../analysis/select.ts';
import type { ColumnRequest } from '../common/reader.ts';
import { formatTick, formatValue, plural, shorten, visible } from '../common/text.ts';
import { axisOptions, drawChart, EMPTY, FONT, type Frame, frameOptions, INK, NO_FONTS, TICK_STYLE } from './chart.ts';
import { GenericDisplay, type Rendered, type ViewDescription } from './generic-display.ts';
import { renderView } from './page.ts';
import { axisTitle, pointAxes, roundTicks } from './shape/axes.ts';
import { hashText } from './shape/frame-colour.ts';
import { hasPid, Labels, labelField } from './shape/labels.ts';
import { layerColours, OTHER_COLOUR } from './shape/palette.ts';
import { shownRange } from './shape/range.ts';
import { type Corners, cornersOf, extentOf, SeriesBuilder, SeriesSummary, valuesAt } from './shape/series.ts';
import { textPage } from './text/page.ts';
import { stackText } from './text/stack.ts';

const optionsSchema = z.strictObject({
  title: z.string().default(''),
  width: z.coerce.number().int().min(200).max(20_000).default(1200),
  height: z.coerce.number().int().min(100).max(20_000).default(700),
  /** Contributors with a layer of their own; the rest is `other`. */
  top: z.coerce.number().int().min(1).max(100).default(12),
  /** Processes of one name together, or each process by itself. */
  by: z.enum(['comm', 'pid']).default('comm'),
});

export type StackPlotOptions = z.infer<typeof optionsSchema>;

/** What is drawn: layers, the lowest first, each with a value per x. */
export interface StackLayout {
  readonly x: readonly number[];
  readonly xRange: readonly [from: number, to: number];
  readonly layers: readonly { readonly name: string; readonly values: Float64Array; readonly colour: string }[];
  readonly records: number;
  readonly contributors: number;
  /** Whether the values are means over neighbouring x, and whether some x went back. */
  readonly averaged: boolean;
  readonly unsorted: boolean;
}

/** Who contributes what over time, stacked on each other: the largest contributors, and the rest as `other`. */
export class StackPlot extends GenericDisplay<StackPlotOptions> {
  static readonly description: ViewDescription<'stackplot', StackPlotOptions> = {
    name: 'stackplot',
    flag: '-sp',
    long: '--stackplot',
    summary: 'stack plot of the largest contributors over time (PNG, HTML, text)',
    formats: ['png', 'html', 'txt'],
    options: optionsSchema,
    fits: (header) => header.datatype === 'datapoint',
  };

  override async render(): Promise<Rendered> {
    const { format, screen, section } = this.job;
    if (format === 'html') return renderView('stackplot', this.job, this.#title(), this.tell);
    const layout = await this.layout();
    if (layout.averaged) {
      this.notes.push(`each of the ${layout.x.length} columns is the mean over the samples that fall into it`);
      if (layout.unsorted) this.notes.push('the points are not in the order of x, so that the means are approximate');
    }
    if (format !== 'txt') return this.#draw(layout);
    const { header } = section;
    const texts = { ...this.#axes(), unit: visible(header.y?.unit ?? ''), isTime: xIsTime(header) };
    return textPage(this.#title(), this.#lines(layout), this.#footer(), screen, (area) =>
      stackText(layout.x, layout.xRange, layout.layers, area, texts),
    );
  }

  /** Adds the points up, in two passes over them. */
  async layout(): Promise<StackLayout> {
    const { options, section, filter } = this.job;
    const labels = new Labels(section.header, this.job.by ?? options.by);
    const summary = new SeriesSummary();
    await this.#eachPoint(labels, (x, y, label) => summary.add(x, y, label));
    const chosen = summary.largest(options.top);
    const builder = new SeriesBuilder(summary, chosen);
    await this.#eachPoint(labels, (x, y, label) => builder.add(x, y, label));
    const { x, layers, other, averaged } = builder.finish();
    const names = chosen.map((label) => labels.text(label));
    const colours = layerColours(
      chosen.map((label) => labels.key(label)),
      hashText,
    );
    return {
      x,
      xRange: shownRange(section.header, filter, extentOf(summary, xIsTime(section.header))),
      layers: [
        ...layers.map((values, i) => ({ name: names[i]!, values, colour: colours[i]! })),
        ...(other === undefined
          ? []
          : [{ name: `other (${summary.totals.size - chosen.length})`, values: other, colour: OTHER_COLOUR }]),
      ],
      records: summary.count,
      contributors: summary.totals.size,
      averaged,
      unsorted: summary.unsorted,
    };
  }

  async #eachPoint(labels: Labels, visit: (x: number, y: number, label: number) => void): Promise<void> {
    const { header } = this.job.section;
    const want: ColumnRequest[] = [{ field: labelField(header, this.job.by), as: 'text' }];
    if (hasPid(header)) want.push({ field: 'pid', as: 'number' });
    for await (const { length, x, y, columns } of selectPoints(this.job.section, want, this.job.filter)) {
      const [name, pid] = columns;
      for (let i = 0; i < length; i++) {
        visit(x[i]!, y[i]!, labels.of(name!.dictionary[name!.values[i]!] ?? '', pid?.values[i]));
      }
    }
  }

  #title(): string {
    const { section, options } = this.job;
    const { header } = section;
    return this.titleOr(options.title, `${header.interface}: ${header.y?.label ?? 'y'}`);
  }

  #axes(): { x: string; y: string } {
    const { x, y } = pointAxes(this.job.section.header);
    return { x: axisTitle(x), y: axisTitle(y) };
  }

  /** What the picture shows, in words. */
  #lines({ x, layers, records, contributors }: StackLayout): string[] {
    const { header } = this.job.section;
    const totals = x.map((_, i) => layers.reduce((sum, { values }) => sum + values[i]!, 0));
    const value = (y: number) => `${formatValue(y)} ${visible(header.y?.unit ?? '')}`.trim();
    const highest = totals.reduce((a, b) => Math.max(a, b), 0);
    const most = `at most ${value(highest)}`;
    const known = xIsTime(header) ? `total ${value(totals.at(-1) ?? 0)} at the end, ${most}` : most;
    const ends = totals.length === 0 ? [] : [known];
    return [
      this.origin().join(' · '),
      [plural(records, 'record'), plural(contributors, 'contributor'), ...ends].join(' · '),
    ];
  }

  #footer(): string[] {
    return [...new Set([...this.dataNotes(), ...this.notes])];
  }

  async #draw(layout: StackLayout): Promise<Buffer> {
    const { options } = this.job;
    const frame: Frame = {
      width: this.job.width ?? options.width,
      height: this.job.height ?? options.height,
      title: this.#title(),
      subtitle: this.#lines(layout),
      footer: this.#footer(),
    };
    const corners = cornersOf(layout.x, xIsTime(this.job.section.header));
    const drawn = await drawChart(frame, stackChart(frame, layout, corners, this.#axes()));
    if (!drawn.hasFonts) this.notes.push(NO_FONTS);
    return drawn.png;
  }
}

function stackChart(
  frame: Frame,
  { x, xRange: [from, to], layers }: StackLayout,
  corners: Corners,
  titles: { x: string; y: string },
): ChartConfiguration {
  const base = frameOptions(frame);
  return {
    type: 'line',
    data: {
      datasets: layers.map(({ name, values, colour }, i) => ({
        label: shorten(name, 30),
        data: [...valuesAt(corners, values)].map((y, corner) => ({ x: corners.x[corner]!, y })),
        fill: i === 0 ? 'origin' : '-1',
        backgroundColor: colour,
        borderColor: '#ffffff',
        // Between many columns the lines would cover what they part.
        borderWidth: x.length > 300 ? 0 : 0.6,
        pointRadius: 0,
        tension: 0,
      })),
    },
    options: {
      ...base,
      plugins: {
        ...base.plugins,
        legend: {
          display: layers.length > 0,
          position: 'right',
          // The first layer lies at the bottom, and so it stands in the legend.
          reverse: true,
          labels: { color: INK, font: { family: FONT, size: 12 }, boxWidth: 14, boxHeight: 14, padding: 7 },
        },
      },
      scales: {
        x: {
          ...axisOptions(titles.x),
          type: 'linear',
          min: from,
          max: to,
          ticks: { ...TICK_STYLE, callback: (tick) => formatTick(Number(tick)) },
          afterBuildTicks(axis) {
            axis.ticks = roundTicks([from, to]).map((value) => ({ value }));
          },
        },
        y: {
          ...axisOptions(titles.y),
          stacked: true,
          beginAtZero: true,
          ticks: { ...TICK_STYLE, callback: (tick) => formatTick(Number(tick)) },
        },
      },
    },
    plugins: x.length === 0 ? [EMPTY] : [],
  } as ChartConfiguration;
}
