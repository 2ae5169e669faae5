import { useMemo, useRef, useState } from 'preact/hooks';
import { formatValue, visible } from '../../common/text.ts';
import { countLane, levelLane, maxLane, type TimeRange } from '../shape/lanes.ts';
import { Canvas, FONT, useSize, useTheme } from './canvas.tsx';
import { type Filter, maskOf } from './filters.ts';
import type { PageData, Section } from './model.ts';

const LANE = 40;
const AXIS = 22;
const LABELS = 190;
/** Drags of fewer pixels are clicks. */
const CLICK = 4;

interface LanesProps {
  readonly data: PageData;
  readonly filters: readonly Filter[];
  readonly range: TimeRange;
  /** Undefined: all of the time again. */
  readonly onTime: (range: TimeRange | undefined) => void;
}

/** One lane per timed section over a common axis. Drag to select a range of time; a click or Escape takes it back. */
export function Lanes({ data, filters, range, onTime }: LanesProps) {
  const theme = useTheme();
  const [ref, size] = useSize<HTMLDivElement>();
  const [drag, setDrag] = useState<{ readonly start: number; readonly now: number } | undefined>();
  const isDown = useRef(false);
  const sections = useMemo(
    () => data.sections.filter((section) => section.times !== undefined && section.rows > 0),
    [data],
  );
  const width = Math.max(0, size.width - LABELS);
  const height = sections.length * LANE + AXIS;
  // What is selected is marked and not cut out: the rest shows where one is.
  const others = useMemo(() => filters.filter(({ kind }) => kind !== 'time'), [filters]);
  const lanes = useMemo(
    () => (width <= 0 ? [] : sections.map((section) => laneOf(section, others, range, Math.ceil(width / 2)))),
    [sections, others, range, width],
  );
  const time = filters.find((filter) => filter.kind === 'time');
  const selected: TimeRange | undefined =
    drag === undefined ? time : orderedRange(timeAt(drag.start), timeAt(drag.now));

  function timeAt(x: number): number {
    const share = Math.min(1, Math.max(0, (x - LABELS) / Math.max(1, width)));
    return range.from + share * (range.to - range.from);
  }
  const xOf = (seconds: number): number => LABELS + ((seconds - range.from) / (range.to - range.from)) * width;
  const placeOf = (event: PointerEvent): number =>
    event.clientX - (event.currentTarget as HTMLElement).getBoundingClientRect().left;

  const onKey = (event: KeyboardEvent): void => {
    const step = (range.to - range.from) / 50;
    const current = time ?? { from: range.from, to: range.from + 10 * step };
    if (event.key === 'Escape') onTime(undefined);
    else if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') {
      const by = event.key === 'ArrowLeft' ? -step : step;
      const from = event.shiftKey ? current.from : Math.max(range.from, current.from + by);
      const to = Math.min(range.to, Math.max(from + step / 10, current.to + by));
      onTime({ from, to });
    } else return;
    event.preventDefault();
  };

  return (
    <div class="lanes" ref={ref}>
      <Canvas
        width={size.width}
        height={height}
        tabIndex={0}
        role="application"
        aria-label={`Time. ${selected === undefined ? 'All is selected.' : `From ${formatValue(selected.from)} to ${formatValue(selected.to)} seconds.`} Arrows move the selection, with Shift its end; Escape selects all.`}
        onKeyDown={onKey}
        onPointerDown={(event: PointerEvent) => {
          (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
          isDown.current = true;
          setDrag({ start: placeOf(event), now: placeOf(event) });
        }}
        onPointerMove={(event: PointerEvent) => {
          if (isDown.current) setDrag((old) => old && { ...old, now: placeOf(event) });
        }}
        onPointerUp={(event: PointerEvent) => {
          isDown.current = false;
          const [start, end] = [drag?.start ?? 0, placeOf(event)];
          setDrag(undefined);
          onTime(Math.abs(end - start) < CLICK ? undefined : orderedRange(timeAt(start), timeAt(end)));
        }}
        depends={[lanes, selected?.from, selected?.to, theme.isDark]}
        draw={(context) => {
          context.textBaseline = 'middle';
          for (const [i, section] of sections.entries()) {
            const lane = lanes[i];
            if (lane === undefined) continue;
            const top = i * LANE;
            context.fillStyle = theme.ink;
            context.font = `600 12.5px ${FONT}`;
            context.fillText(visible(section.interface), 14, top + 13);
            context.fillStyle = theme.faint;
            context.font = `11.5px ${FONT}`;
            context.fillText(`${lane.label}, at most ${formatValue(lane.max)}`, 14, top + 28, LABELS - 18);
            context.fillStyle = theme.accent;
            for (let bin = 0; bin < lane.values.length; bin++) {
              const value = lane.values[bin]!;
              if (value <= 0) continue;
              const bar = Math.max(1, (value / lane.max) * (LANE - 7));
              context.fillRect(LABELS + bin * 2, top + LANE - 2 - bar, 2, bar);
            }
            context.fillStyle = theme.line;
            context.fillRect(0, top + LANE - 1, size.width, 1);
          }
          drawAxis(context, range, xOf, sections.length * LANE, theme.faint);
          if (selected === undefined) return;
          const [left, right] = [xOf(selected.from), xOf(selected.to)];
          context.globalAlpha = 0.55;
          context.fillStyle = theme.back;
          context.fillRect(LABELS, 0, Math.max(0, left - LABELS), sections.length * LANE);
          context.fillRect(right, 0, Math.max(0, size.width - right), sections.length * LANE);
          context.globalAlpha = 1;
          context.strokeStyle = theme.mark;
          context.lineWidth = 1.5;
          context.strokeRect(left, 1, Math.max(1, right - left), sections.length * LANE - 2);
        }}
      />
    </div>
  );
}

interface Lane {
  readonly label: string;
  readonly values: Float64Array;
  readonly max: number;
}

function laneOf(section: Section, filters: readonly Filter[], range: TimeRange, bins: number): Lane {
  const times = section.times!;
  const mask = maskOf(section, filters);
  const make = (label: string, values: Float64Array): Lane => ({
    label,
    values,
    max: values.reduce((most, value) => Math.max(most, value), 0) || 1,
  });
  const { header } = section;
  if (header.datatype === 'event') {
    const weights = header.fields?.includes('weight') === true ? section.columns.get('weight')?.values : undefined;
    const unit = weights === undefined ? 'events' : 'weight';
    return make(
      `${unit} per ${formatValue((range.to - range.from) / bins)} s`,
      countLane(times, mask, range, bins, weights),
    );
  }
  const y = section.columns.get('y')!.values;
  const label = `${visible(header.y?.label ?? 'y')} (${visible(header.y?.unit ?? '')})`;
  return isLevel(section)
    ? make(label, levelLane(times, y, mask, range, bins))
    : make(`longest ${label}`, maxLane(times, y, mask, range, bins));
}

/** Whether values at one time are parts of a whole, as memory is, and not each for itself, as latencies are. */
export function isLevel({ header }: Section): boolean {
  return header.interface !== 'disklat';
}

function drawAxis(
  context: CanvasRenderingContext2D,
  { from, to }: TimeRange,
  xOf: (seconds: number) => number,
  top: number,
  ink: string,
): void {
  const rough = (to - from) / 10;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough) ?? rough;
  context.fillStyle = ink;
  context.font = `11.5px ${FONT}`;
  context.textAlign = 'center';
  for (let tick = Math.ceil(from / step) * step; tick <= to; tick += step) {
    context.fillRect(xOf(tick), top, 1, 4);
    context.fillText(formatValue(Number(tick.toPrecision(10))), xOf(tick), top + 13);
  }
  context.textAlign = 'left';
  context.fillText('seconds', 14, top + 13);
}

function orderedRange(a: number, b: number): TimeRange {
  return { from: Math.min(a, b), to: Math.max(a, b) };
}

/** From the start of the run to its end, or to the last record where that is later. */
export function timeRangeOf(data: PageData): TimeRange {
  let to = 0;
  for (const { header, times } of data.sections) {
    if (header.end !== null) to = Math.max(to, (Date.parse(header.end) - Date.parse(header.start)) / 1000);
    if (times !== undefined && times.length > 0) to = Math.max(to, times[times.length - 1]!);
  }
  return { from: 0, to: to > 0 ? to : 1 };
}
