import type { ChartConfiguration } from 'chart.js';
import { z } from 'zod';
import { selectPoints } from '../analysis/select.ts';
import type { SectionHeader } from '../common/header.ts';
import type { ColumnRequest, PointColumns } from '../common/reader.ts';
import { formatTick, formatValue, plural, shorten, visible } from '../common/text.ts';
import {
  axisOptions,
  axisTitle,
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
import { layerColours, OTHER_COLOUR } from './palette.ts';
import { niceStep } from './shape/bins.ts';
import { hashText } from './shape/frame-colour.ts';
import { shownRange } from './shape/range.ts';
import { SeriesBuilder, SeriesSummary } from './shape/series.ts';

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
    summary: 'stack plot of the largest contributors over time (PNG)',
    formats: ['png'],
    options: optionsSchema,
    fits: (header) => header.datatype === 'datapoint',
  };

  override async render(): Promise<Rendered> {
    const layout = await this.layout();
    if (layout.averaged) {
      this.notes.push(`each of the ${layout.x.length} columns is the mean over the samples that fall into it`);
      if (layout.unsorted) this.notes.push('the points are not in the order of x, so that the means are approximate');
    }
    return this.#draw(layout);
  }

  /** Adds the points up, in two passes over them. */
  async layout(): Promise<StackLayout> {
    const { options, section, filter } = this.job;
    const labels = new Labels(section.header, options.by);
    const summary = new SeriesSummary();
    await this.#eachPoint(labels, (x, y, label) => summary.add(x, y, label));
    const chosen = summary.largest(options.top);
    const builder = new SeriesBuilder(summary, chosen);
    await this.#eachPoint(labels, (x, y, label) => builder.add(x, y, label));
    const { x, layers, other, averaged } = builder.finish();
    const names = chosen.map((label) => labels.text(label));
    const colours = layerColours(names, hashText);
    return {
      x,
      xRange: shownRange(section.header, filter, summary),
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
    for await (const points of selectPoints(this.job.section, labels.columns, this.job.filter)) {
      for (let i = 0; i < points.length; i++) visit(points.x[i]!, points.y[i]!, labels.of(points, i));
    }
  }

  async #draw(layout: StackLayout): Promise<Buffer> {
    const { section, group, options, filter } = this.job;
    const { header } = section;
    const totals = layout.x.map((_, i) => layout.layers.reduce((sum, { values }) => sum + values[i]!, 0));
    const value = (y: number) => `${formatValue(y)} ${visible(header.y?.unit ?? '')}`.trim();
    const highest = totals.reduce((a, b) => Math.max(a, b), 0);
    const frame: Frame = {
      width: this.job.width ?? options.width,
      height: this.job.height ?? options.height,
      title: visible(this.job.title || options.title || `${header.interface}: ${header.y?.label ?? 'y'}`),
      subtitle: [
        sectionOrigin(header, filter).join(' · '),
        [
          plural(layout.records, 'record'),
          plural(layout.contributors, 'contributor'),
          ...(totals.length === 0 ? [] : [`total ${value(totals.at(-1) ?? 0)} at the end, at most ${value(highest)}`]),
        ].join(' · '),
      ],
      footer: [...new Set([...group.all.flatMap((other) => sectionNotes(other.header)), ...this.notes])],
    };
    const drawn = await drawChart(
      frame,
      stackChart(frame, layout, { x: visible(axisTitle(header.x, 'x')), y: visible(axisTitle(header.y, 'y')) }),
    );
    if (!drawn.hasFonts) this.notes.push(NO_FONTS);
    return drawn.png;
  }
}

/** Gives each point's contributor a number, and each number a text. */
class Labels {
  readonly columns: readonly ColumnRequest[];
  readonly #numbers = new Map<string, number>();
  readonly #texts: { text: string; pids: Set<number> | undefined }[] = [];
  readonly #byPid: boolean;
  readonly #hasPid: boolean;

  constructor(header: SectionHeader, by: 'comm' | 'pid') {
    const fields = header.fields ?? [];
    this.#hasPid = fields.includes('pid');
    this.#byPid = by === 'pid' && this.#hasPid;
    const field = fields.includes('comm') ? 'comm' : (fields[0] ?? 'info');
    this.columns = [{ field, as: 'text' }, ...(this.#hasPid ? [{ field: 'pid', as: 'number' as const }] : [])];
  }

  of(points: PointColumns, i: number): number {
    const [name, pids] = points.columns;
    const text = name?.dictionary[name.values[i]!] ?? '';
    const pid = this.#hasPid ? pids?.values[i] : undefined;
    const key = this.#byPid ? `${pid} ${text}` : text;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#texts.length;
      this.#numbers.set(key, number);
      this.#texts.push({ text, pids: this.#hasPid ? new Set() : undefined });
    }
    if (pid !== undefined) this.#texts[number]?.pids?.add(pid);
    return number;
  }

  /** `postgres`, `postgres ×12` for twelve processes of that name together, `postgres (812)` where each is by itself. */
  text(number: number): string {
    const { text, pids } = this.#texts[number] ?? { text: '', pids: undefined };
    const name = visible(text) || '(no name)';
    if (this.#byPid) return `${name} (${[...(pids ?? [])].join(', ')})`;
    return pids !== undefined && pids.size > 1 ? `${name} ×${pids.size}` : name;
  }
}

function stackChart(
  frame: Frame,
  { x, xRange: [from, to], layers }: StackLayout,
  titles: { x: string; y: string },
): ChartConfiguration {
  const base = frameOptions(frame);
  // One sample alone would have no width: it is drawn as a bar.
  const positions = x.length === 1 ? [(x[0] ?? 0) - 0.5, (x[0] ?? 0) + 0.5] : x;
  return {
    type: 'line',
    data: {
      datasets: layers.map(({ name, values, colour }, i) => ({
        label: shorten(name, 30),
        data: positions.map((position, column) => ({ x: position, y: values[x.length === 1 ? 0 : column]! })),
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
            const step = niceStep((to - from) / 12);
            const start = Math.ceil(from / step - 1e-9);
            const count = Math.floor(to / step + 1e-9) - start + 1;
            axis.ticks = Array.from({ length: count }, (_, i) => ({ value: (start + i) * step }));
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
