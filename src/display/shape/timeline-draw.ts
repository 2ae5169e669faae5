import { visible } from '../../common/text.ts';
import { typeNames } from './event-table.ts';
import { hashText } from './frame-colour.ts';
import { LAYER_COLOURS } from './palette.ts';
import { Pixels, pixelOf } from './pixels.ts';
import {
  firstRowAtLeast,
  layoutMarks,
  layoutSpans,
  type MarkRow,
  SPAN_READY,
  SPAN_RUNNING,
  SPAN_UNKNOWN,
  SpanRow,
} from './spans.ts';
import { cpuName, taskName } from './task-name.ts';
import { formatDuration, timeScale } from './time-scale.ts';
import { SHOWN_BY_SPANS, type Timeline, type Track } from './tracks.ts';

/*
 * The timeline's drawing, on a canvas of a browser or of Node.
 */

/** What of CanvasRenderingContext2D is needed here. */
export interface Pen {
  fillStyle: unknown;
  strokeStyle: unknown;
  globalAlpha: number;
  lineWidth: number;
  font: string;
  textAlign: string;
  textBaseline: string;
  fillRect(x: number, y: number, width: number, height: number): void;
  fillText(text: string, x: number, y: number, maxWidth?: number): void;
  measureText(text: string): { readonly width: number };
  beginPath(): void;
  closePath(): void;
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
  arc(x: number, y: number, radius: number, from: number, to: number): void;
  rect(x: number, y: number, width: number, height: number): void;
  fill(): void;
  stroke(): void;
  save(): void;
  restore(): void;
  clip(): void;
}

/** Puts an image on the canvas, at a place in its own pixels. */
export type PutImage = (pixels: Pixels, x: number, y: number) => void;

/** Colours of the page. */
export interface Ink {
  readonly back: string;
  readonly panel: string;
  readonly ink: string;
  readonly faint: string;
  readonly line: string;
  readonly accent: string;
  readonly mark: string;
}

/** Pixels. */
export const ROW_HEIGHT = 24;
export const RULER_HEIGHT = 26;
/** Bars are below the marks, so that neither hides the other. */
const BAR_TOP = 9;
const BAR_HEIGHT = 13;
/** A task that waits for a CPU is half as high as one that runs: it is told by its shape too. */
const READY_HEIGHT = 7;
/** Half the size of a mark, in a row with bars and in one without. */
const SMALL_MARK = 2.8;
const MARK = 4;

/** Where a task runs, and where it waits for a CPU, when colours do not tell processes. */
export const RUNNING_COLOUR = '#2f7fc1';
export const READY_COLOUR = '#e69f00';
const UNKNOWN_COLOUR = '#9a9a9a';

export type ColourBy = 'type' | 'process';

/** What is drawn. */
export interface Scene {
  readonly timeline: Timeline;
  /** Places of the tracks, from the top down. */
  readonly shown: readonly number[];
  /** The events of each track that pass the filter; those of the track where it has no entry. */
  readonly rows: ReadonlyMap<number, Int32Array>;
  /** The links that pass the filter, by their places. */
  readonly links: Int32Array;
  /** Nanoseconds. */
  readonly from: number;
  readonly to: number;
  /** Pixels: of all, and of the column of labels. */
  readonly width: number;
  readonly height: number;
  readonly labels: number;
  /** How far the tracks are scrolled up. */
  readonly scroll: number;
  readonly colourBy: ColourBy;
  /** Places of tracks that are set off. */
  readonly selected: number | undefined;
  readonly focus: number | undefined;
  /** An event that is set off. */
  readonly event: number | undefined;
  /** Points of the ruler. */
  readonly points: readonly number[];
  readonly ink: Ink;
  readonly font: string;
  /** Pixels of the canvas for each of those above. */
  readonly ratio: number;
}

/** What was drawn, in numbers. */
export interface Drawn {
  /** Arrows that were drawn, and links that there are in this range. */
  readonly arrows: number;
  readonly links: number;
}

/** Used again from one drawing to the next. */
const spanRow = new SpanRow();
let rowPixels = new Pixels(1, 1);

export function drawTimeline(pen: Pen, scene: Scene, putImage: PutImage): Drawn {
  const { shown, scroll, height, width, labels, ink } = scene;
  pen.fillStyle = ink.back;
  pen.fillRect(0, 0, width, height);
  const plot = width - labels;
  const firstRow = Math.max(0, Math.floor(scroll / ROW_HEIGHT));
  const topOf = (place: number): number => RULER_HEIGHT + place * ROW_HEIGHT - scroll;
  const lastRow = Math.min(shown.length, Math.ceil((scroll + height - RULER_HEIGHT) / ROW_HEIGHT));
  pen.textBaseline = 'middle';
  const rows = Array.from({ length: Math.max(0, lastRow - firstRow) }, (_, i): Row => {
    const place = shown[firstRow + i]!;
    const track = scene.timeline.tracks[place]!;
    const events = scene.rows.get(place) ?? track.rows;
    const marks = layoutMarks(scene.timeline.table.time, events, scene.from, scene.to, plot);
    return { place, track, events, marks, top: topOf(firstRow + i) };
  });
  const areSmooth = rows.reduce((sum, { marks }) => sum + marks.x.length, 0) <= MOST_SMOOTH_MARKS;
  const names = fillRows(scene, rows, areSmooth, putImage);
  pen.save();
  clipTo(pen, 0, RULER_HEIGHT, width, height - RULER_HEIGHT);
  drawGrid(pen, scene, plot);
  for (const { place, top } of rows) drawLabel(pen, scene, place, top);
  pen.restore();
  pen.save();
  clipTo(pen, labels, RULER_HEIGHT, plot, height - RULER_HEIGHT);
  for (const name of names) drawName(pen, name, scene.font);
  const drawn = drawLinks(pen, scene, topOf, plot);
  for (const row of rows) {
    if (areSmooth) drawMarks(pen, scene, row);
    ringEvent(pen, scene, row, plot);
  }
  drawPoints(pen, scene, plot);
  pen.restore();
  drawRuler(pen, scene, plot);
  return drawn;
}

/** One row that is seen. */
interface Row {
  readonly place: number;
  readonly track: Track;
  /** Of the track, those that pass the filter. */
  readonly events: Int32Array;
  readonly marks: MarkRow;
  /** Pixels. */
  readonly top: number;
}

/** More marks than these are filled pixel by pixel, with sharp edges: a canvas takes too long for so many. */
const MOST_SMOOTH_MARKS = 1500;

/** What is filled pixel by pixel in all rows, as one image of the plot: bars, and marks where they are many. */
function fillRows(scene: Scene, rows: readonly Row[], areSmooth: boolean, putImage: PutImage): BarName[] {
  const { width, height, labels, ratio, ink, selected } = scene;
  const names: BarName[] = [];
  const size = [Math.round((width - labels) * ratio), Math.round((height - RULER_HEIGHT) * ratio)] as const;
  if (size[0] <= 0 || size[1] <= 0) return names;
  if (rowPixels.width !== size[0] || rowPixels.height !== size[1]) rowPixels = new Pixels(...size);
  rowPixels.clear(pixelOf(ink.back));
  for (const row of rows) {
    if (row.place === selected) {
      const from = Math.round((row.top - RULER_HEIGHT) * ratio);
      rowPixels.fill(0, from, size[0], from + Math.round(ROW_HEIGHT * ratio), pixelOf(ink.panel));
    }
    fillSpans(rowPixels, scene, row, names);
    if (!areSmooth) fillMarks(rowPixels, scene, row);
  }
  putImage(rowPixels, Math.round(labels * ratio), Math.round(RULER_HEIGHT * ratio));
  return names;
}

function clipTo(pen: Pen, x: number, y: number, width: number, height: number): void {
  pen.beginPath();
  pen.rect(x, y, Math.max(0, width), Math.max(0, height));
  pen.clip();
}

/** The same program has the same colour in every drawing. */
export function processColour(comm: string): string {
  return LAYER_COLOURS[hashText(comm.replace(/[/:\d].*$/, '')) % LAYER_COLOURS.length]!;
}

/** Types by name, so that the same has the same colour whatever else there is. */
export function typeColour(name: string): string {
  return LAYER_COLOURS[hashText(name) % LAYER_COLOURS.length]!;
}

function drawGrid(pen: Pen, { from, to, labels, height, width, ink }: Scene, plot: number): void {
  pen.fillStyle = ink.line;
  pen.globalAlpha = 0.5;
  for (const { at } of timeScale(from, to, plot / 110).ticks) {
    pen.fillRect(Math.round(labels + ((at - from) / (to - from)) * plot), 0, 1, height);
  }
  pen.globalAlpha = 1;
  pen.fillRect(labels - 1, 0, 1, height);
  pen.fillRect(width - 1, 0, 1, height);
}

function drawRuler(pen: Pen, { from, to, labels, width, ink, font }: Scene, plot: number): void {
  const { ticks, base } = timeScale(from, to, plot / 110);
  pen.fillStyle = ink.panel;
  pen.fillRect(0, 0, width, RULER_HEIGHT);
  pen.fillStyle = ink.line;
  pen.fillRect(0, RULER_HEIGHT - 1, width, 1);
  pen.font = `12px ${font}`;
  pen.textAlign = 'center';
  for (const { at, label } of ticks) {
    const x = labels + ((at - from) / (to - from)) * plot;
    pen.fillStyle = ink.faint;
    pen.fillRect(Math.round(x), RULER_HEIGHT - 6, 1, 5);
    pen.fillStyle = ink.ink;
    if (x > labels + 24 && x < width - 24) pen.fillText(label, x, RULER_HEIGHT / 2 - 1);
  }
  pen.textAlign = 'left';
  pen.fillStyle = ink.panel;
  pen.fillRect(0, 0, labels, RULER_HEIGHT - 1);
  pen.fillStyle = ink.faint;
  pen.fillText(
    base === undefined ? `${formatDuration(to - from)} shown` : `${base}`,
    12,
    RULER_HEIGHT / 2 - 1,
    labels - 16,
  );
}

function drawLabel(pen: Pen, scene: Scene, place: number, top: number): void {
  const { timeline, labels, width, ink, font, selected, focus, colourBy } = scene;
  const { label, comm, key } = timeline.tracks[place]!;
  if (place === selected) {
    pen.fillStyle = ink.panel;
    // What is in the plot is there already, with the ground of its row.
    pen.fillRect(0, top, labels - 1, ROW_HEIGHT);
    pen.fillStyle = ink.accent;
    pen.fillRect(0, top, 4, ROW_HEIGHT);
  }
  if (place === focus) {
    pen.fillStyle = ink.accent;
    pen.fillRect(0, top + ROW_HEIGHT - 2, labels, 2);
  }
  if (colourBy === 'process' && timeline.kind === 'pid') {
    pen.fillStyle = processColour(comm);
    pen.fillRect(8, top + 6, 9, ROW_HEIGHT - 12);
  }
  pen.fillStyle = key < 0 ? ink.faint : ink.ink;
  pen.textAlign = 'left';
  pen.font = `${place === selected ? '600 ' : ''}12px ${font}`;
  pen.fillText(fitted(label, Math.floor((labels - 30) / 6.6)), 22, top + ROW_HEIGHT / 2);
  pen.fillStyle = ink.line;
  pen.globalAlpha = 0.6;
  pen.fillRect(0, top + ROW_HEIGHT - 1, width, 1);
  pen.globalAlpha = 1;
}

/** Cut in the middle of the name, so that the pid stays. */
function fitted(label: string, length: number): string {
  if (label.length <= length) return label;
  const end = label.lastIndexOf('(');
  const tail = end > 0 && label.length - end < length - 3 ? label.slice(end) : '';
  return `${label.slice(0, Math.max(1, length - tail.length - 1))}…${tail}`;
}

/** A text on a bar. */
interface BarName {
  readonly text: string;
  readonly colour: string;
  readonly left: number;
  readonly right: number;
  readonly bottom: number;
}

/** Narrower bars have no text. */
const NAMED = 46;

function fillSpans(pixels: Pixels, scene: Scene, { track, top }: Row, names: BarName[]): void {
  const { timeline, from, to, labels, width, ratio } = scene;
  const { spans } = track;
  if (spans.length === 0) return;
  layoutSpans(spans, from, to, pixels.width, spanRow, timeline.bins);
  const bottom = top + BAR_TOP + BAR_HEIGHT;
  const base = Math.round((bottom - RULER_HEIGHT) * ratio);
  const readyPixel = pixelOf(READY_COLOUR);
  // Of a task all bars have one colour.
  const only = timeline.kind === 'pid' || scene.colourBy === 'type' ? pixelOf(spanColour(scene, track, 0)) : undefined;
  for (let i = 0; i < spanRow.length; i++) {
    const span = spanRow.span[i]!;
    const kind = spans.kind[span]!;
    const isOne = spanRow.count[i] === 1;
    const left = Math.round(spanRow.x[i]!);
    const right = Math.max(left + 1, Math.round(spanRow.x[i]! + spanRow.width[i]!));
    if (isOne && kind !== SPAN_RUNNING && kind !== SPAN_READY) {
      if (kind !== SPAN_UNKNOWN) continue;
      const middle = base - Math.round((BAR_HEIGHT / 2) * ratio);
      pixels.fill(left, middle - 1, right, middle + 1, pixelOf(UNKNOWN_COLOUR));
      continue;
    }
    const ran = barHeight(spanRow.ran[i]!, BAR_HEIGHT * ratio);
    const ready = barHeight(spanRow.ready[i]!, READY_HEIGHT * ratio);
    if (ran > 0) pixels.fill(left, base - ran, right, base, only ?? pixelOf(spanColour(scene, track, span)));
    if (ready > 0) pixels.fill(left, base - ran - ready, right, base - ran, readyPixel);
    if (isOne && kind === SPAN_RUNNING && right - left > NAMED * ratio) {
      const [x, end] = [labels + Math.max(0, left / ratio), Math.min(width, labels + right / ratio)];
      const colour = spanColour(scene, track, span);
      names.push({ text: nameOfSpan(timeline, spans.who[span]!), colour, left: x, right: end, bottom });
    }
  }
}

/** Something is at least a pixel high: what is there is seen. */
function barHeight(share: number, most: number): number {
  return share <= 0 ? 0 : Math.max(1, Math.round(share * most));
}

function spanColour({ timeline, colourBy }: Scene, track: Track, span: number): string {
  if (colourBy === 'type') return RUNNING_COLOUR;
  if (timeline.kind === 'pid') return processColour(track.comm);
  // A column without a task that runs has no colour of its own.
  return taskColour(timeline, track.spans.kind[span] === SPAN_RUNNING ? track.spans.who[span]! : -1);
}

/** Colours of tasks on CPUs, made once for each timeline. */
const taskColours = new WeakMap<Timeline, string[]>();

function taskColour(timeline: Timeline, task: number): string {
  let colours = taskColours.get(timeline);
  if (colours === undefined) {
    colours = timeline.tasks.map(({ comm }) => processColour(comm));
    taskColours.set(timeline, colours);
  }
  return colours[task] ?? RUNNING_COLOUR;
}

/** On a CPU the task, of a task the CPU. */
export function nameOfSpan({ kind, tasks }: Timeline, who: number): string {
  if (kind === 'pid') return cpuName(undefined, who);
  const task = tasks[who];
  return task === undefined ? '' : taskName(task.comm, task.pid);
}

function drawName(pen: Pen, { text, colour, left, right, bottom }: BarName, font: string): void {
  const room = Math.floor((right - left - 8) / 6.9);
  if (room < 4) return;
  pen.fillStyle = isDark(colour) ? '#ffffff' : '#1c1e21';
  pen.font = `11px ${font}`;
  pen.textAlign = 'left';
  pen.fillText(fitted(text, room), left + 4, bottom - BAR_HEIGHT / 2 + 0.5);
}

function isDark(colour: string): boolean {
  const value = Number.parseInt(colour.slice(1), 16);
  return 0.299 * (value >> 16) + 0.587 * ((value >> 8) & 0xff) + 0.114 * (value & 0xff) < 140;
}

/** Where the marks of a row are, how large they are, and what colours they have by their type. */
function markLook({ timeline, colourBy }: Scene, { track, top }: Row) {
  const hasBars = track.spans.length > 0;
  const styles = typeStyles(timeline);
  const process = colourBy === 'process' && timeline.kind === 'pid' ? processColour(track.comm) : undefined;
  return {
    middle: top + (hasBars ? BAR_TOP / 2 + 0.5 : ROW_HEIGHT / 2 - 1),
    size: hasBars ? SMALL_MARK : MARK,
    /** Of a mark that stands for several. */
    height: (count: number) => (hasBars ? 2 * SMALL_MARK + 1 : Math.min(ROW_HEIGHT - 6, 6 + 2 * Math.log2(count))),
    shape: (event: number): number => styles[timeline.table.type.values[event]!]!.shape,
    colour: (event: number): string => process ?? styles[timeline.table.type.values[event]!]!.colour,
  };
}

function drawMarks(pen: Pen, scene: Scene, row: Row): void {
  const { middle, size, height, shape, colour } = markLook(scene, row);
  const { marks } = row;
  for (let i = 0; i < marks.x.length; i++) {
    const event = marks.row[i]!;
    const x = scene.labels + marks.x[i]!;
    const high = height(marks.count[i]!);
    pen.fillStyle = colour(event);
    if (marks.count[i]! > 1) pen.fillRect(x - 1, middle - high / 2, 2, high);
    else drawMark(pen, shape(event), x, middle, size);
  }
}

/** The same, pixel by pixel. */
function fillMarks(pixels: Pixels, scene: Scene, row: Row): void {
  const { ratio } = scene;
  const { middle, size, height, shape, colour } = markLook(scene, row);
  const { marks } = row;
  const y = (middle - RULER_HEIGHT) * ratio;
  for (let i = 0; i < marks.x.length; i++) {
    const event = marks.row[i]!;
    const x = marks.x[i]! * ratio;
    const word = pixelOf(colour(event));
    if (marks.count[i]! > 1) {
      const high = height(marks.count[i]!) * ratio;
      const left = Math.round(x - ratio);
      pixels.fill(left, Math.round(y - high / 2), left + Math.round(2 * ratio), Math.round(y + high / 2), word);
    } else fillShape(pixels, shape(event), x, y, size * ratio, word);
  }
}

/** One of SHAPES, line by line. */
function fillShape(pixels: Pixels, shape: number, x: number, y: number, size: number, colour: number): void {
  const [from, to] = [Math.round(y - size), Math.round(y + size)];
  for (let line = from; line < to; line++) {
    const share = (line + 0.5 - y) / size;
    const half =
      size *
      (shape === 0
        ? (1 - share) / 2
        : shape === 1
          ? Math.sqrt(Math.max(0, 1 - share * share))
          : shape === 2
            ? 1 - Math.abs(share)
            : shape === 3
              ? 0.9
              : (1 + share) / 2);
    const left = Math.round(x - half);
    pixels.fill(left, line, Math.max(left + 1, Math.round(x + half)), line + 1, colour);
  }
}

/** Sets the event off that was chosen. */
function ringEvent(pen: Pen, scene: Scene, row: Row, plot: number): void {
  const { timeline, event, from, to, labels, ink } = scene;
  if (event === undefined || placeOfEvent(row.events, event) < 0) return;
  const { middle, size } = markLook(scene, row);
  const x = labels + ((timeline.table.time[event]! - from) / (to - from)) * plot;
  pen.strokeStyle = ink.mark;
  pen.lineWidth = 2;
  pen.beginPath();
  pen.arc(x, middle, size + 2.5, 0, 2 * Math.PI);
  pen.stroke();
}

function placeOfEvent(rows: Int32Array, event: number): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rows[middle]! < event) low = middle + 1;
    else high = middle;
  }
  return rows[low] === event ? low : -1;
}

interface TypeStyle {
  readonly colour: string;
  readonly shape: number;
}

const stylesOf = new WeakMap<Timeline, TypeStyle[]>();

/** A colour and a shape for each type. */
function typeStyles(timeline: Timeline): readonly TypeStyle[] {
  let styles = stylesOf.get(timeline);
  if (styles === undefined) {
    styles = typeNames(timeline.table).map((name) => ({ colour: typeColour(name), shape: shapeOf(name) }));
    stylesOf.set(timeline, styles);
  }
  return styles;
}

export const SHAPES = ['▼', '●', '◆', '■', '▲'] as const;

export function shapeOf(type: string): number {
  return (hashText(type) >>> 8) % SHAPES.length;
}

/** One of SHAPES. */
function drawMark(pen: Pen, shape: number, x: number, y: number, size: number): void {
  if (shape === 3) {
    pen.fillRect(x - size + 0.4, y - size + 0.4, 2 * size - 0.8, 2 * size - 0.8);
    return;
  }
  pen.beginPath();
  switch (shape) {
    case 0:
      pen.moveTo(x - size, y - size);
      pen.lineTo(x + size, y - size);
      pen.lineTo(x, y + size);
      break;
    case 1:
      pen.arc(x, y, size - 0.2, 0, 2 * Math.PI);
      break;
    case 2:
      pen.moveTo(x, y - size - 0.5);
      pen.lineTo(x + size, y);
      pen.lineTo(x, y + size + 0.5);
      pen.lineTo(x - size, y);
      break;
    default:
      pen.moveTo(x - size, y + size);
      pen.lineTo(x + size, y + size);
      pen.lineTo(x, y - size);
  }
  pen.closePath();
  pen.fill();
}

/**
 * What the bars and marks of a scene mean, in one line at a height: the bars first, then the types, as far as there is room.
 * @param types the most frequent first.
 */
export function drawKey(pen: Pen, { timeline, width, ink, font }: Scene, types: readonly string[], y: number): void {
  pen.font = `12px ${font}`;
  pen.textAlign = 'left';
  pen.textBaseline = 'middle';
  let x = KEY_START;
  const add = (text: string, draw: (x: number) => void): void => {
    const next = x + KEY_SIGN + pen.measureText(text).width + KEY_GAP;
    if (next > width) return;
    draw(x);
    pen.fillStyle = ink.ink;
    pen.fillText(text, x + KEY_SIGN, y);
    x = next;
  };
  const bar = (colour: string, height: number) => (at: number) => {
    pen.fillStyle = colour;
    pen.fillRect(at, y + BAR_HEIGHT / 2 - height, KEY_BAR, height);
  };
  if (timeline.hasSpans && timeline.kind === 'cpu')
    add('a task runs, coloured by its name', bar(RUNNING_COLOUR, BAR_HEIGHT));
  else if (timeline.hasSpans) {
    add('runs', bar(RUNNING_COLOUR, BAR_HEIGHT));
    add('ready, waits for a CPU', bar(READY_COLOUR, READY_HEIGHT));
  }
  for (const type of types) {
    if (timeline.hasSpans && type === SHOWN_BY_SPANS) continue;
    add(visible(type), (at) => {
      pen.fillStyle = typeColour(type);
      drawMark(pen, shapeOf(type), at + KEY_BAR / 2, y, MARK);
    });
  }
}

/** Pixels. */
const KEY_START = 22;
const KEY_BAR = 14;
const KEY_SIGN = 20;
const KEY_GAP = 18;

/** More arrows than these cover each other. */
const MOST_ARROWS = 1500;
/** Wake-ups are many: without a selected task they are drawn only where there are few. */
const FEW_WAKEUPS = 250;

function drawLinks(pen: Pen, scene: Scene, topOf: (place: number) => number, plot: number): Drawn {
  const { timeline, links, shown, from, to, labels, selected, ink, height } = scene;
  const { table, links: all, linksMatter } = timeline;
  const first = firstLink(scene, from);
  const end = firstLink(scene, to);
  const inRange = end - first;
  if (inRange <= 0 || (selected === undefined && !linksMatter && inRange > FEW_WAKEUPS)) {
    return { arrows: 0, links: Math.max(0, inRange) };
  }
  const rowOf = new Map(shown.map((place, row) => [place, row]));
  const styles = typeStyles(timeline);
  const perPixel = (to - from) / plot;
  const seen = new Set<string>();
  let arrows = 0;
  // Of very many, some of each part of the range.
  const step = Math.max(1, Math.floor(inRange / 40_000));
  for (let i = first; i < end && arrows < MOST_ARROWS; i += step) {
    const link = links[i]!;
    const [a, b] = [all.from[link]!, all.to[link]!];
    if (selected !== undefined && a !== selected && b !== selected) continue;
    const [one, two] = [rowOf.get(a), rowOf.get(b)];
    if (one === undefined || two === undefined) continue;
    const event = all.rows[link]!;
    const time = table.time[event]!;
    const key = `${Math.floor(time / perPixel / 2)} ${a} ${b}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const [start, stop] = [topOf(one) + ROW_HEIGHT / 2, topOf(two) + ROW_HEIGHT / 2];
    if (Math.max(start, stop) < RULER_HEIGHT || Math.min(start, stop) > height) continue;
    const x = labels + (time - from) / perPixel;
    drawArrow(pen, x, start, stop, selected === undefined ? styles[table.type.values[event]!]!.colour : ink.mark);
    arrows++;
  }
  return { arrows, links: inRange };
}

/** Index of the first of the scene's links from a time on. */
function firstLink({ timeline: { table, links }, links: shown }: Scene, time: number): number {
  let [low, high] = [0, shown.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (table.time[links.rows[shown[middle]!]!]! < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

function drawArrow(pen: Pen, x: number, from: number, to: number, colour: string): void {
  const down = to > from ? 1 : -1;
  pen.strokeStyle = colour;
  pen.fillStyle = colour;
  pen.lineWidth = 1.2;
  pen.globalAlpha = 0.8;
  pen.beginPath();
  pen.moveTo(x, from);
  pen.lineTo(x, to - 4 * down);
  pen.stroke();
  pen.beginPath();
  pen.moveTo(x, to);
  pen.lineTo(x - 3.5, to - 6 * down);
  pen.lineTo(x + 3.5, to - 6 * down);
  pen.closePath();
  pen.fill();
  pen.globalAlpha = 1;
}

function drawPoints(pen: Pen, { points, from, to, labels, height, ink, font }: Scene, plot: number): void {
  const xs = points.map((point) => labels + ((point - from) / (to - from)) * plot);
  const [a, b] = xs;
  if (a === undefined) return;
  pen.fillStyle = ink.mark;
  for (const x of xs) pen.fillRect(Math.round(x), RULER_HEIGHT, 1, height);
  if (b === undefined) return;
  pen.globalAlpha = 0.12;
  pen.fillRect(Math.min(a, b), RULER_HEIGHT, Math.abs(b - a), height);
  pen.globalAlpha = 1;
  pen.font = `600 12px ${font}`;
  pen.textAlign = 'center';
  pen.fillText(formatDuration(Math.abs(points[1]! - points[0]!)), (a + b) / 2, RULER_HEIGHT + 12);
}

/** What is at a place of the canvas. */
export interface Hit {
  /** Place of the track. */
  readonly track: number | undefined;
  readonly time: number;
  /** The nearest event, within some pixels. */
  readonly event: number | undefined;
  readonly span: number | undefined;
  readonly isLabel: boolean;
}

const NEAR = 5;

export function hitTimeline(scene: Scene, x: number, y: number): Hit {
  const { timeline, shown, rows, from, to, labels, width, scroll } = scene;
  const plot = width - labels;
  const time = from + ((x - labels) / plot) * (to - from);
  const place = y < RULER_HEIGHT ? undefined : shown[Math.floor((y - RULER_HEIGHT + scroll) / ROW_HEIGHT)];
  const isLabel = x < labels;
  if (place === undefined || isLabel) return { track: place, time, event: undefined, span: undefined, isLabel };
  const track = timeline.tracks[place]!;
  const own = rows.get(place) ?? track.rows;
  const { table } = timeline;
  const reach = (NEAR * (to - from)) / plot;
  const after = firstRowAtLeast(table.time, own, time, 0);
  const near = [own[after - 1], own[after]]
    .filter((row) => row !== undefined)
    .filter((row) => Math.abs(table.time[row]! - time) <= reach)
    .sort((a, b) => Math.abs(table.time[a]! - time) - Math.abs(table.time[b]! - time));
  const within = (y - RULER_HEIGHT + scroll) % ROW_HEIGHT;
  const event = track.spans.length > 0 && within > BAR_TOP ? undefined : near[0];
  // When in its bin a sum was is not known.
  const span = timeline.bins === undefined ? track.spans.at(time) : -1;
  return { track: place, time, event, span: span < 0 ? undefined : span, isLabel };
}

/** How much went on in each of so many bins of all the time: events, or where they are too many the time that tasks ran. */
export function overview(timeline: Timeline, from: number, to: number, bins: number): Float64Array {
  const { time, length } = timeline.table;
  const counts = new Float64Array(Math.max(1, bins));
  const perBin = (to - from) / counts.length;
  if (timeline.bins !== undefined) {
    for (const { spans } of timeline.tracks) {
      for (let i = 0; i < spans.length; i++) {
        if (spans.kind[i] !== SPAN_RUNNING) continue;
        const bin = Math.min(counts.length - 1, Math.floor((spans.start[i]! - from) / perBin));
        if (bin >= 0) counts[bin]! += spans.end[i]! - spans.start[i]!;
      }
    }
    return counts;
  }
  for (let row = 0; row < length; row++) {
    const bin = Math.min(counts.length - 1, Math.floor((time[row]! - from) / perBin));
    if (bin >= 0) counts[bin]!++;
  }
  return counts;
}
