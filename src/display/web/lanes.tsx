import { useMemo, useRef, useState } from 'preact/hooks';
import { formatValue, visible } from '../../common/text.ts';
import type { TimeRange } from '../shape/lanes.ts';
import { Canvas, FONT, type Place, Tip, useSize, useTheme } from './canvas.tsx';
import { type Filter, hostsIn, isHostFilter } from './filters.ts';
import { sectionsOfHosts } from './host-section.ts';
import { hasLane, type Lane, laneAt, laneOf } from './lane.ts';
import type { PageData, Section } from './model.ts';
import { type Sliced, useSliced } from './sliced.ts';
import { clipped } from './stack-weights.ts';
import type { Base } from './views.ts';

const AXIS = 22;
const LABELS = 256;
/** Height of a lane, pixels: as much of the window as is fair, shared among them. */
const [LOWEST, HIGHEST] = [15, 44];
const SHARES = { overview: 0.3, view: 0.2 } as const;
/** So much of the window they may take; what is more is scrolled to. */
const MOST_SHARES = { overview: 0.45, view: 0.3 } as const;
/** From this height on a label has two lines. */
const TWO_LINES = 36;
/** Drags of fewer pixels are clicks. */
const CLICK = 4;

interface LanesProps {
  readonly data: PageData;
  readonly filters: readonly Filter[];
  readonly range: TimeRange;
  /** What the selection is compared with, where there is something. */
  readonly base?: Base;
  /** Of several hosts: a lane for each, and not one for all of them. */
  readonly perHost: boolean;
  /** Above a view there is less room than above the overview. */
  readonly above: keyof typeof SHARES;
  /** Undefined: all of the time again. */
  readonly onTime: (range: TimeRange | undefined) => void;
}

/** One lane per timed section over a common axis. Drag to select a range of time; a click or Escape takes it back. */
export function Lanes({ data, filters, range, base, perHost, above, onTime }: LanesProps) {
  const theme = useTheme();
  const [ref, size] = useSize<HTMLDivElement>();
  const [drag, setDrag] = useState<{ readonly start: number; readonly now: number } | undefined>();
  const [hover, setHover] = useState<Place | undefined>();
  const isDown = useRef(false);
  const sections = useMemo(() => data.sections.filter(hasLane), [data]);
  const width = Math.max(0, size.width - LABELS);
  const { hosts } = data.manifest;
  const shown = useMemo(
    () => (perHost && hosts !== undefined ? (hostsIn(filters, hosts) ?? hosts) : undefined),
    [perHost, hosts, filters],
  );
  const count = sections.reduce((sum, { header }) => sum + lanesIn(header, shown), 0);
  const row = Math.round(
    Math.min(HIGHEST, Math.max(LOWEST, (SHARES[above] * window.innerHeight - AXIS) / Math.max(1, count))),
  );
  const bottom = count * row;
  // Of very many lanes the axis stays below those that are scrolled to.
  const hasAxisBelow = bottom + AXIS > MOST_SHARES[above] * window.innerHeight;
  const height = bottom + (hasAxisBelow ? 0 : AXIS);
  // What is selected is marked and not cut out: the rest shows where one is.
  const others = useMemo(() => filters.filter(({ kind }) => kind !== 'time'), [filters]);
  const { value: lanes = NO_LANES } = useSliced(
    () => lanesOf(data, width <= 0 ? [] : sections, shown, others, range, width),
    [data, sections, shown, others, range, width],
  );
  const time = filters.find((filter) => filter.kind === 'time');
  const compared = base?.filters.find((filter) => filter.kind === 'time');
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
    <div class="lanes" ref={ref} style={{ maxHeight: `${MOST_SHARES[above] * 100}vh` }}>
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
          setHover(undefined);
          setDrag({ start: placeOf(event), now: placeOf(event) });
        }}
        onPointerMove={(event: PointerEvent) => {
          if (isDown.current) setDrag((old) => old && { ...old, now: placeOf(event) });
          else setHover(placeOf(event) < LABELS ? undefined : { x: event.clientX, y: event.clientY });
        }}
        onPointerLeave={() => setHover(undefined)}
        onPointerUp={(event: PointerEvent) => {
          isDown.current = false;
          const [start, end] = [drag?.start ?? 0, placeOf(event)];
          setDrag(undefined);
          onTime(Math.abs(end - start) < CLICK ? undefined : orderedRange(timeAt(start), timeAt(end)));
        }}
        depends={[lanes, selected?.from, selected?.to, compared, theme.isDark]}
        draw={(context) => {
          context.textBaseline = 'middle';
          for (const [i, lane] of lanes.entries()) {
            const top = i * row;
            drawLabel(context, lane, top, row, theme.ink, theme.faint);
            // What the filters do not narrow is drawn paler.
            context.fillStyle = lane.obeys ? theme.accent : theme.faint;
            const step = width / lane.values.length;
            for (let bin = 0; bin < lane.values.length; bin++) {
              const value = lane.values[bin]!;
              if (value <= 0) continue;
              const bar = Math.max(1, (value / lane.top) * (row - 4));
              const left = Math.round(LABELS + bin * step);
              context.fillRect(left, top + row - 1 - bar, Math.round(LABELS + (bin + 1) * step) - left, bar);
            }
            const isLast = lane.host !== undefined && lanes[i + 1]?.section !== lane.section;
            context.fillStyle = isLast ? theme.faint : theme.line;
            context.fillRect(0, top + row - 1, size.width, 1);
          }
          if (!hasAxisBelow) drawAxis(context, range, xOf, bottom, theme.faint);
          if (compared !== undefined) {
            context.strokeStyle = theme.ink;
            context.lineWidth = 1;
            context.setLineDash([5, 3]);
            const [start, end] = [xOf(compared.from), xOf(compared.to)];
            context.strokeRect(start, 0.5, Math.max(1, end - start), bottom - 1);
            context.setLineDash([]);
          }
          if (selected === undefined) return;
          const [left, right] = [xOf(selected.from), xOf(selected.to)];
          context.globalAlpha = 0.55;
          context.fillStyle = theme.back;
          context.fillRect(LABELS, 0, Math.max(0, left - LABELS), bottom);
          context.fillRect(right, 0, Math.max(0, size.width - right), bottom);
          context.globalAlpha = 1;
          context.strokeStyle = theme.mark;
          context.lineWidth = 1.5;
          context.strokeRect(left, 1, Math.max(1, right - left), bottom - 2);
        }}
      />
      {hasAxisBelow && (
        <Canvas
          class="axis"
          width={size.width}
          height={AXIS}
          aria-hidden="true"
          depends={[range, width, theme.isDark]}
          draw={(context) => {
            context.textBaseline = 'middle';
            drawAxis(context, range, xOf, 0, theme.faint);
          }}
        />
      )}
      {hover !== undefined && ref.current !== null && (
        <Tip at={hover}>
          <Readings lanes={lanes} range={range} time={timeAt(hover.x - ref.current.getBoundingClientRect().left)} />
        </Tip>
      )}
      <ul class="unseen" aria-label="Lanes">
        {lanes.map((lane) => (
          <li
            key={laneKey(lane)}
          >{`${lane.name}${lane.host === undefined ? '' : ` of ${lane.host}`}: ${lane.quantity}, ${mostOf(lane)}`}</li>
        ))}
      </ul>
    </div>
  );
}

const NO_LANES: readonly Lane[] = [];

function* lanesOf(
  data: PageData,
  sections: readonly Section[],
  hosts: readonly string[] | undefined,
  filters: readonly Filter[],
  range: TimeRange,
  width: number,
): Sliced<readonly Lane[]> {
  const lanes: Lane[] = [];
  for (const section of sections) {
    if (hosts === undefined || section.header.hosts === undefined) {
      lanes.push(laneOf(data, section, filters, range, width));
      yield;
      continue;
    }
    const rest = filters.filter((filter) => !isHostFilter(filter));
    const parts = sectionsOfHosts(section);
    yield;
    const own: Lane[] = [];
    for (const host of hosts) {
      const part = parts[section.header.hosts.indexOf(host)]!;
      own.push({ ...laneOf(data, part, rest, range, width), section, host: visible(host) });
      yield;
    }
    // They are compared, and have one scale.
    const top = own.reduce((most, lane) => Math.max(most, lane.top), 0);
    lanes.push(...own.map((lane) => ({ ...lane, top })));
  }
  return lanes;
}

/** How many lanes a section has. */
function lanesIn(header: Section['header'], hosts: readonly string[] | undefined): number {
  return hosts === undefined || header.hosts === undefined ? 1 : hosts.length;
}

function laneKey({ section, host }: Lane): string {
  return `${section.number} ${host ?? ''}`;
}

/** What every lane has at one time. */
function Readings({ lanes, range, time }: { lanes: readonly Lane[]; range: TimeRange; time: number }) {
  return (
    <>
      <b>{formatValue(time)} s</b>
      <table class="readings">
        <tbody>
          {lanes.map((lane) => (
            <tr key={laneKey(lane)}>
              <td>{formatValue(laneAt(lane, range, time))}</td>
              <td>{lane.unit}</td>
              <td>
                {lane.host !== undefined && <b>{lane.host} </b>}
                {lane.name} {lane.quantity}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function mostOf({ most, unit }: Lane): string {
  return `at most ${formatValue(most)}${unit === '' ? '' : ` ${unit}`}`;
}

function drawLabel(
  context: CanvasRenderingContext2D,
  lane: Lane,
  top: number,
  row: number,
  ink: string,
  faint: string,
): void {
  const isTwo = row >= TWO_LINES;
  // The lanes of one quantity stand together, and are told by their hosts.
  const quantity = lane.host === undefined ? lane.quantity : `${lane.name} ${lane.quantity}`;
  context.fillStyle = ink;
  context.font = `600 12.5px ${FONT}`;
  const name = clipped(context, lane.host ?? lane.name, LABELS - 30);
  context.fillText(name, 14, top + (isTwo ? row / 2 - 8 : row / 2));
  const nameWidth = context.measureText(name).width;
  context.fillStyle = faint;
  context.font = `11.5px ${FONT}`;
  if (isTwo) {
    context.fillText(clipped(context, `${quantity}, ${mostOf(lane)}`, LABELS - 22), 14, top + row / 2 + 8);
    return;
  }
  const left = 22 + nameWidth;
  const most = `${formatValue(lane.most)} ${lane.unit}`;
  const mostWidth = context.measureText(most).width;
  context.fillText(most, LABELS - 8 - mostWidth, top + row / 2);
  context.fillText(clipped(context, quantity, LABELS - 14 - mostWidth - left), left, top + row / 2);
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
    const label = formatValue(Number(tick.toPrecision(10)));
    // At the end there is no room for the second half.
    context.fillText(label, Math.min(xOf(tick), xOf(to) - context.measureText(label).width / 2 - 2), top + 13);
  }
  context.textAlign = 'left';
  context.fillText('seconds', 14, top + 13);
}

function orderedRange(a: number, b: number): TimeRange {
  return { from: Math.min(a, b), to: Math.max(a, b) };
}

/** From the start of the run to its end, or to the last record where that is later. */
export function timeRangeOf(data: PageData): TimeRange {
  if (data.manifest.served !== undefined) return data.manifest.served.time;
  let to = 0;
  for (const { header, times } of data.sections) {
    if (header.end !== null) to = Math.max(to, (Date.parse(header.end) - Date.parse(header.start)) / 1000);
    if (times !== undefined && times.length > 0) to = Math.max(to, times[times.length - 1]!);
  }
  return { from: 0, to: to > 0 ? to : 1 };
}
