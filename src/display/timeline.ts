import * as z from 'zod';
import { isScheduling, stateBefore } from '../analysis/scheduling.ts';
import { recordFields, selectEvents } from '../analysis/select.ts';
import { EXIT, MarpleError } from '../common/errors.ts';
import type { Column, ColumnRequest } from '../common/reader.ts';
import { plural, shorten } from '../common/text.ts';
import { encodePng, FAINT_INK, FONT, INK, loadCanvas, measuresText, NO_FONTS, NOTE_INK } from './chart.ts';
import { GenericDisplay, type Rendered, type ViewDescription } from './generic-display.ts';
import { footerLines, sectionSeconds } from './notes.ts';
import { MAX_ROWS, renderView } from './page.ts';
import type { EventTable, TableColumn } from './shape/event-table.ts';
import { shownTime } from './shape/time-scale.ts';
import {
  drawKey,
  drawTimeline,
  type Ink,
  type Pen,
  ROW_HEIGHT,
  RULER_HEIGHT,
  type Scene,
} from './shape/timeline-draw.ts';
import { chooseTracks, TRACK_CHOICES, trackKinds } from './shape/track-choice.ts';
import { allTypes } from './shape/track-numbers.ts';
import { activityOf, buildTimeline, type Timeline } from './shape/tracks.ts';
import { textPage } from './text/page.ts';
import { timelineRows, timelineText } from './text/timeline.ts';

const optionsSchema = z.strictObject({
  title: z.string().default(''),
  /** What the tracks are: tasks (pid) or CPUs; auto takes tasks where the events name them. */
  track: z.enum(TRACK_CHOICES).default('auto'),
  /** Of a PNG, pixels. */
  width: z.coerce.number().int().min(400).max(20_000).default(1600),
  /** Tracks of a PNG: those where most goes on. */
  tracks: z.coerce.number().int().min(1).max(500).default(40),
});

export type TimelineOptions = z.infer<typeof optionsSchema>;

/** Events on tracks over time: who ran where and when, who waited, who talked to whom. */
export class TimelineView extends GenericDisplay<TimelineOptions> {
  static readonly description: ViewDescription<'plot', TimelineOptions> = {
    name: 'plot',
    flag: '-plt',
    long: '--plot',
    summary: 'timeline of events, a track for each task or CPU (HTML, PNG, text)',
    formats: ['html', 'png', 'txt'],
    options: optionsSchema,
    hasTracks: true,
    fits: (header) => trackKinds(header).length > 0,
  };

  override async render(): Promise<Rendered> {
    const { section, options, format } = this.job;
    const own = this.titleOr(options.title, `${section.header.interface}: timeline`);
    const track = chooseTracks(section.header, this.job.track ?? options.track);
    if (format === 'png') return this.#drawPng(own, await this.timeline());
    if (format === 'txt') return this.#text(own, await this.timeline());
    return renderView('plot', { ...this.job, options: { ...options, track } }, own, this.tell);
  }

  /** The events that pass the filter, on tracks. */
  async timeline(): Promise<Timeline> {
    const { group, section, filter, options } = this.job;
    const fields = recordFields(group, section);
    const want = fields.map((field): ColumnRequest => ({ field, as: 'text' }));
    const parts: { time: Float64Array; columns: readonly Column[] }[] = [];
    let rows = 0;
    const ends = isScheduling(section.header) ? 'either' : 'own';
    for await (const { length, time, type, columns } of selectEvents(section, want, filter, ends)) {
      parts.push({ time, columns: [type, ...columns] });
      rows += length;
      if (rows > MAX_ROWS) {
        throw new MarpleError(
          `section ${section.number} (${section.header.interface}) has more than ${plural(MAX_ROWS, 'record')}, too many for one picture`,
          EXIT.usage,
          'show a part of it: --from SECONDS --to SECONDS, or --pid or --comm',
        );
      }
    }
    const joined = (place: number): TableColumn => ({
      values: join(parts.map(({ columns }) => columns[place]!.values)),
      // Dictionaries grow from chunk to chunk.
      texts: parts.at(-1)?.columns[place]?.dictionary ?? [],
    });
    const table: EventTable = {
      length: rows,
      time: join(parts.map(({ time }) => time)),
      type: joined(0),
      columns: new Map(fields.map((field, i) => [field, joined(i + 1)])),
    };
    const kind = chooseTracks(section.header, this.job.track ?? options.track);
    return buildTimeline(table, section.header, kind, await stateBefore(section, filter));
  }

  #text(title: string, timeline: Timeline): Buffer {
    const range = this.#range(timeline);
    return textPage(title, [this.#subtitle(timeline)], this.dataNotes(), this.job.screen, (area) => {
      const shown = busiest(timeline, range, timelineRows(area));
      const hidden = timeline.tracks.length - shown.length;
      return [
        ...timelineText(timeline, shown, range, area),
        ...(hidden > 0 ? [`${plural(hidden, 'more track')}, where less goes on`] : []),
      ];
    });
  }

  #range({ table }: Timeline): [from: number, to: number] {
    const { section, filter } = this.job;
    return shownTime(table.time, sectionSeconds(section.header), filter);
  }

  #subtitle({ table, tracks }: Timeline): string {
    const counted = [plural(table.length, 'event'), plural(tracks.length, 'track')];
    return [...this.origin(), ...counted].join(' · ');
  }

  async #drawPng(title: string, timeline: Timeline): Promise<Buffer> {
    const { options } = this.job;
    const { createCanvas, createImageData } = await loadCanvas();
    const width = this.job.width ?? options.width;
    const [from, to] = this.#range(timeline);
    const footer = footerLines(this.dataNotes(), Math.floor((width - 28) / 6.2));
    const surround = HEAD + KEY_HEIGHT + FOOT + footer.length * NOTE_HEIGHT;
    const room =
      this.job.height === undefined
        ? options.tracks
        : Math.floor((this.job.height - surround - RULER_HEIGHT) / ROW_HEIGHT);
    if (room < 1) {
      throw new MarpleError(
        `a timeline of ${width} x ${this.job.height} pixels has no room for a track`,
        EXIT.usage,
        'marple display -plt -o FILE.png --width 1600 --height 900',
      );
    }
    const shown = busiest(timeline, [from, to], room);
    const hidden = timeline.tracks.length - shown.length;
    const plotHeight = RULER_HEIGHT + Math.max(1, shown.length) * ROW_HEIGHT;
    const height = this.job.height ?? surround + plotHeight;
    const canvas = createCanvas(width, height);
    const context = canvas.getContext('2d');
    context.fillStyle = '#ffffff';
    context.fillRect(0, 0, width, height);
    context.fillStyle = INK;
    context.font = `bold 18px ${FONT}`;
    context.fillText(shorten(title, Math.floor(width / 11)), 14, 28);
    context.fillStyle = FAINT_INK;
    context.font = `12px ${FONT}`;
    context.fillText(shorten(this.#subtitle(timeline), Math.floor(width / 6.6)), 14, 48);
    context.save();
    context.translate(0, HEAD);
    const scene: Scene = {
      timeline,
      shown,
      rows: new Map(),
      links: Int32Array.from(timeline.links.rows, (_, i) => i),
      from,
      to,
      width,
      height: plotHeight,
      labels: 180,
      scroll: 0,
      colourBy: timeline.kind === 'cpu' ? 'process' : 'type',
      selected: undefined,
      focus: undefined,
      event: undefined,
      points: [],
      ink: PAPER_INK,
      font: FONT,
      ratio: 1,
    };
    drawTimeline(context as unknown as Pen, scene, (pixels, x, y) =>
      context.putImageData(createImageData(pixels.data, pixels.width, pixels.height), x, HEAD + y),
    );
    const types = allTypes(timeline.table).map(({ type }) => type);
    drawKey(context as unknown as Pen, scene, types, plotHeight + KEY_HEIGHT / 2);
    context.restore();
    context.fillStyle = INK;
    context.font = `16px ${FONT}`;
    if (timeline.table.length === 0) context.fillText('no records', width / 2, HEAD + RULER_HEIGHT + 16);
    context.fillStyle = NOTE_INK;
    context.font = `11px ${FONT}`;
    footer.forEach((line, i) => {
      context.fillText(line, 14, HEAD + plotHeight + KEY_HEIGHT + 12 + i * NOTE_HEIGHT);
    });
    if (!measuresText(context)) this.notes.push(NO_FONTS);
    if (hidden > 0)
      this.notes.push(
        `${plural(hidden, 'track')} not shown, where less goes on: [plot] tracks in config.txt, or --height`,
      );
    return encodePng(canvas);
  }
}

/** Pixels above and below the tracks. */
const HEAD = 62;
const FOOT = 14;
/** What bars and marks mean. */
const KEY_HEIGHT = 28;
const NOTE_HEIGHT = 15;

const PAPER_INK: Ink = {
  back: '#ffffff',
  panel: '#f4f5f7',
  ink: INK,
  faint: FAINT_INK,
  line: '#d8dce1',
  accent: '#0b62c4',
  mark: '#b3008f',
};

/** The tracks where most goes on, by name. */
function busiest(timeline: Timeline, [from, to]: readonly [number, number], most: number): number[] {
  return timeline.tracks
    .map((track, place) => ({ place, activity: activityOf(track, from, to) }))
    .sort((a, b) => b.activity - a.activity)
    .slice(0, most)
    .map(({ place }) => place)
    .sort((a, b) => byName(timeline, a, b));
}

function byName({ tracks, kind }: Timeline, a: number, b: number): number {
  const [one, two] = [tracks[a]!, tracks[b]!];
  const names = kind === 'cpu' || one.comm === two.comm ? 0 : one.comm < two.comm ? -1 : 1;
  return names || one.key - two.key;
}

function join(parts: readonly (Float64Array | Int32Array)[]): Float64Array {
  const joined = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
