import { fitted, formatCount, formatShare, wrap } from '../../common/text.ts';
import { rgbOf } from '../shape/palette.ts';
import { layoutSpans, SpanRow } from '../shape/spans.ts';
import { timeScale } from '../shape/time-scale.ts';
import { READY_COLOUR, RUNNING_COLOUR, typeColour } from '../shape/timeline-draw.ts';
import { runningTime, type Timeline, type Track } from '../shape/tracks.ts';
import { CharacterGrid, type Screen, xtermColour } from './screen.ts';

const LABELS = 26;
/** For the share of the time, or the number of events. */
const RIGHT = 10;
const LEVELS = '▁▂▃▄▅▆▇█';
/** The share of a column from which waiting for a CPU shows beside running. */
const WAITED = 0.1;
/** Without colours: mostly waiting. */
const WAITS = '░';

/** How many tracks a screen has room for, with the ruler above them and three lines below. */
export function timelineRows({ rows }: Screen): number {
  return Math.max(1, rows - 4);
}

/**
 * Tracks in characters: the higher a block, the more of its time the task (or CPU) ran; `░` where it mostly waited for a CPU.
 * Of tracks without such, the more events there were.
 */
export function timelineText(
  timeline: Timeline,
  shown: readonly number[],
  [from, to]: readonly [number, number],
  screen: Screen,
): string[] {
  const width = Math.max(8, screen.columns - LABELS - RIGHT);
  const grid = new CharacterGrid(screen.columns, shown.length + 1);
  drawRuler(grid, from, to, width);
  for (const [row, place] of shown.entries()) {
    const track = timeline.tracks[place]!;
    grid.put(0, row + 1, fitted(track.label, LABELS - 2));
    if (timeline.hasSpans) drawSpans(grid, row + 1, track, from, to, width, screen.hasColours);
    else drawEvents(grid, row + 1, timeline, track, from, to, width);
    const number = timeline.hasSpans
      ? formatShare(runningTime(track, from, to), to - from)
      : formatCount(track.rows.filter((event) => isWithin(timeline.table.time[event]!, from, to)).length);
    grid.put(LABELS + width, row + 1, fitted(number, RIGHT, 'right'));
  }
  return [...grid.lines(screen.hasColours), '', ...keyOf(timeline, screen)];
}

/** In one line where there is room, else in several. */
function keyOf({ hasSpans }: Timeline, { hasColours, columns }: Screen): string[] {
  if (!hasSpans) return wrap('the higher, the more events; how many there are', columns);
  const waits = hasColours ? `\x1b[0;48;5;${xtermColour(rgbOf(READY_COLOUR))}m \x1b[0m` : WAITS;
  const parts = ['█ runs', `${waits} waits for a CPU`, 'how much of the time it runs'];
  return columns < KEY_COLUMNS ? parts : [`${parts[0]}  ${parts[1]}; ${parts[2]}`];
}

/** What the key takes in one line. */
const KEY_COLUMNS = 60;

function isWithin(time: number, from: number, to: number): boolean {
  return time >= from && time <= to;
}

function drawRuler(grid: CharacterGrid, from: number, to: number, width: number): void {
  const { ticks, base } = timeScale(from, to, width / 14);
  if (base !== undefined) grid.put(0, 0, fitted(base, LABELS - 2), { front: 244 });
  for (const { at, label } of ticks) {
    const column = Math.round(((at - from) / (to - from)) * width);
    if (column + label.length < width) grid.put(LABELS + column, 0, `╷${label}`, { front: 244 });
  }
}

const spanRow = new SpanRow();

function drawSpans(
  grid: CharacterGrid,
  row: number,
  { spans }: Track,
  from: number,
  to: number,
  width: number,
  hasColours: boolean,
): void {
  const [ran, ready] = [new Float64Array(width), new Float64Array(width)];
  layoutSpans(spans, from, to, width, spanRow);
  for (let i = 0; i < spanRow.length; i++) {
    const [left, right] = [spanRow.x[i]!, spanRow.x[i]! + spanRow.width[i]!];
    for (let column = Math.max(0, Math.floor(left)); column < Math.min(width, right); column++) {
      const inside = Math.min(column + 1, right) - Math.max(column, left);
      ran[column]! += inside * spanRow.ran[i]!;
      ready[column]! += inside * spanRow.ready[i]!;
    }
  }
  const [running, waiting] = [RUNNING_COLOUR, READY_COLOUR].map((colour) => xtermColour(rgbOf(colour)));
  for (let column = 0; column < width; column++) {
    const [runs, waits] = [ran[column]!, ready[column]!];
    if (runs === 0 && waits === 0) continue;
    if (hasColours) {
      // Waiting is the ground on which running stands.
      const ground = waits >= WAITED ? { back: waiting } : {};
      grid.put(LABELS + column, row, runs > 0 ? level(runs) : ' ', { front: running, ...ground });
    } else if (waits > runs) grid.put(LABELS + column, row, WAITS, { front: waiting });
    else grid.put(LABELS + column, row, level(runs), { front: running });
  }
}

function drawEvents(
  grid: CharacterGrid,
  row: number,
  { table }: Timeline,
  track: Track,
  from: number,
  to: number,
  width: number,
): void {
  const counts = new Float64Array(width);
  const first = new Int32Array(width).fill(-1);
  for (const event of track.rows) {
    const time = table.time[event]!;
    if (!isWithin(time, from, to)) continue;
    const column = Math.min(width - 1, Math.floor(((time - from) / (to - from)) * width));
    counts[column]!++;
    if (first[column]! < 0) first[column] = event;
  }
  const most = Math.log1p(counts.reduce((a, b) => Math.max(a, b), 1));
  for (let column = 0; column < width; column++) {
    if (counts[column] === 0) continue;
    const type = table.type.texts?.[table.type.values[first[column]!]!] ?? '';
    grid.put(LABELS + column, row, level(Math.log1p(counts[column]!) / most), {
      front: xtermColour(rgbOf(typeColour(type))),
    });
  }
}

/** Whatever there is shows. */
function level(share: number): string {
  return LEVELS[Math.min(LEVELS.length - 1, Math.floor(share * LEVELS.length))]!;
}
