import { useMemo, useRef, useState } from 'preact/hooks';
import { formatCount, formatShare, formatTick, formatValue, plural, visible } from '../../common/text.ts';
import { axisTitle, colourShare, colourTicks, logTicks, roundTicks } from '../shape/axes.ts';
import { BinGrid, PointSummary, type ScaleKind, spansDecades, type Viewport } from '../shape/bins.ts';
import type { Term } from '../shape/event-filter.ts';
import {
  beyondTexts,
  colourLabel,
  hasSamples,
  heatAxes,
  heatNumbers,
  homeGrid,
  secondAndOffset,
  secondGrid,
} from '../shape/heat.ts';
import { type Bin, type Box, boxOf, rowsOfRun, runOf } from '../shape/heat-selection.ts';
import { heatColour } from '../shape/palette.ts';
import { moved, nextDown, type Range, zoomed } from '../shape/zoom.ts';
import { isOneOf, isRange, useSaved } from './address.ts';
import { Canvas, FONT, type Place, type Theme, Tip, useChange, useSize, useTheme } from './canvas.tsx';
import { askedTime, type Filter } from './filters.ts';
import { type PageData, type Section, sameSection } from './model.ts';
import {
  type Area,
  areaIn,
  drawXAxis,
  drawYAxis,
  isWithin,
  KEY_FACTOR,
  line,
  pixelOf,
  placeIn,
  valueAt,
  wheelFactor,
} from './plot.ts';
import { RecordSearch, searchedMask, useTerms } from './record-search.tsx';
import { useTable } from './save/table.ts';
import { SelectionPanel } from './selection.tsx';
import { IdleButton } from './stack-bar.tsx';
import type { ViewProps } from './views.ts';

type Choice = 'auto' | ScaleKind;

/** For the colour bar, right of the bins, pixels. */
const BAR_SPACE = 104;
/** The strip of what lies above or below, and what sets it off. */
const STRIP = 14;
const GAP = 7;
const BAR = 14;
const IDLE_PID = 0;
const BINS = [
  [50, 25],
  [100, 50],
  [200, 100],
  [400, 200],
] as const;

/** What is shown where not all is: x, and y as a position on its scale. */
interface Zoom {
  readonly x: Range;
  readonly y: Range;
}

/** What is selected: a box of points, or a run of samples. */
type Selection = { readonly box: Box } | { readonly run: Range };

/**
 * Points in bins: hover reads a bin, the wheel zooms, a drag selects, and what is selected is shown beside. The axes have room
 * for the points of another section, `alike`, too.
 */
export function HeatView(props: ViewProps & { readonly alike?: Section }) {
  const { data, section, filters, base, select, alike } = props;
  const theme = useTheme();
  const [ref, size] = useSize<HTMLDivElement>();
  const settings = useMemo(() => settingsOf(data), [data]);
  const [scale, setScale] = useSaved<Choice>('scale', settings.scale, isChoice);
  const [colours, setColours] = useSaved<Choice>('colours', settings.colours, isChoice);
  const [bins, setBins] = useSaved<readonly [number, number]>('bins', settings.bins, isBins);
  const [showIdle, setShowIdle] = useSaved('idle', data.manifest.showIdle);
  const [search, setSearch] = useSaved('search', '');
  const { terms, problem } = useTerms(search);
  const [isMoving, setMoving] = useState(false);
  // Beside another there is little room.
  const [hasDetails, setDetails] = useState(alike === undefined);
  const [zoom, setZoom] = useSaved<Zoom | undefined>('zoom', undefined, isZoom);
  const [selection, setSelection] = useState<Selection | undefined>();
  const [hover, setHover] = useState<{ readonly bin: Bin; readonly at: Place } | undefined>();
  const [cursor, setCursor] = useState<Bin | undefined>();
  const anchor = useRef<Bin | undefined>(undefined);
  const drag = useRef<{ from: Place; last: Place; moves: boolean; hasMoved: boolean } | undefined>(undefined);
  const awaitsEnd = useRef(false);

  const { header } = section;
  const isSamples = hasSamples(header);
  const points = useMemo(() => pointsOf(section), [section]);
  const { mask, idle } = useMemo(
    () => shownRows(section, filters, terms, showIdle),
    [section, filters, terms, showIdle],
  );
  const summary = useMemo(() => {
    const all = new PointSummary();
    for (let row = 0; row < points.x.length; row++) if (mask?.[row] !== 0) all.add(points.x[row]!, points.y[row]!);
    return all;
  }, [points, mask]);
  const reach = useMemo(() => {
    if (alike === undefined) return summary;
    const both = new PointSummary();
    for (const { x, y } of [points, pointsOf(alike)]) {
      for (let row = 0; row < x.length; row++) both.add(x[row]!, y[row]!);
    }
    return both;
  }, [points, alike, summary]);
  const home = useMemo(
    () => homeGrid(header, askedTime(data, filters), reach, { columns: bins[0], rows: bins[1], scale }),
    [data, header, filters, reach, bins, scale],
  );
  // Times are those of the file where a range of them was asked for, or other views stand beside this one.
  const isShifted = settings.normalise && !isSamples && askedTime(data, filters).from === undefined;
  const axes: Axes = { ...heatAxes(header), shift: isShifted ? home.xRange[0] : 0 };
  const axis = useMemo(() => new ValueAxis(home.viewport, reach), [home, reach]);
  const view: Zoom = zoom ?? { x: home.xRange, y: axis.home };
  const grid = useMemo(() => {
    const empty = gridOf(view, zoom === undefined ? home : undefined, axis, bins, isSamples);
    const [from, to] = empty.xRange;
    for (let row = 0; row < points.x.length; row++) {
      const x = points.x[row]!;
      if (mask?.[row] !== 0 && x >= from && x <= to && !(isSamples && x === to)) empty.add(x, points.y[row]!);
    }
    return empty;
  }, [points, mask, home, zoom, axis, bins, isSamples]);
  const before = useMemo(() => {
    if (base === undefined) return undefined;
    const own = sameSection(base.data, section) ?? section;
    return {
      section: own,
      rows: rowsIn(own, pointsOf(own), shownRows(own, base.filters, terms, showIdle).mask, undefined),
    };
  }, [section, base, terms, showIdle]);
  const selected = useMemo(() => rowsIn(section, points, mask, selection), [section, points, mask, selection]);

  // What was zoomed to, or selected, is not there any more.
  useChange(() => {
    setZoom(undefined);
    setSelection(undefined);
    setCursor(undefined);
  }, [section, filters, terms, scale]);

  const value = (y: number): string => `${formatValue(y)} ${visible(axes.y.unit)}`.trim();
  const area = areaIn(size, BAR_SPACE);
  const layout = layoutOf(area, grid);
  const limits = { x: home.xRange, y: axis.limits };
  const narrowest = { x: isSamples ? 1 : (limits.x[1] - limits.x[0]) * 1e-9, y: (limits.y[1] - limits.y[0]) * 1e-6 };
  const change = (next: Zoom): void => setZoom(next);
  const zoomBy = (factors: { x?: number; y?: number }, at?: Place): void => {
    const x = at === undefined ? (view.x[0] + view.x[1]) / 2 : valueAt(at.x, view.x, area.left, area.width);
    const middle = (view.y[0] + view.y[1]) / 2;
    const y = at === undefined ? middle : view.y[0] + view.y[1] - valueAt(at.y, view.y, layout.top, layout.height);
    change({
      x: factors.x === undefined ? view.x : zoomed(view.x, x, factors.x, limits.x, narrowest.x),
      y: factors.y === undefined ? view.y : zoomed(view.y, y, factors.y, limits.y, narrowest.y),
    });
  };
  /** By pixels. */
  const moveBy = (dx: number, dy: number): void =>
    change({
      x: moved(view.x, (-dx / area.width) * (view.x[1] - view.x[0]), limits.x),
      y: moved(view.y, (dy / layout.height) * (view.y[1] - view.y[0]), limits.y),
    });

  const selectBins = (a: Bin, b: Bin): void =>
    setSelection(isSamples ? { run: runOf(grid, a, b) } : { box: boxOf(grid, a, b) });
  const filtersOfSelection = selection === undefined ? [] : filtersOf(selection, section, summary);
  const keep = filtersOfSelection.length === 0 ? undefined : () => select(...filtersOfSelection);
  const clear = (): void => {
    setSelection(undefined);
    awaitsEnd.current = false;
  };

  const onPointerDown = (event: PointerEvent): void => {
    if (event.button !== 0 && event.button !== 1) return;
    const place = placeIn(event);
    const moves = isMoving || event.shiftKey || event.button === 1 || place.x < area.left;
    const bin = layout.binAt(place, grid);
    if (!moves && bin === undefined) return;
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    drag.current = { from: place, last: place, moves, hasMoved: false };
    if (!moves && !awaitsEnd.current) anchor.current = bin;
    setHover(undefined);
  };
  const onPointerMove = (event: PointerEvent): void => {
    const place = placeIn(event);
    const now = drag.current;
    if (now === undefined) {
      const bin = isWithin(area, place) ? layout.binAt(place, grid) : undefined;
      setHover(bin === undefined ? undefined : { bin, at: { x: event.clientX, y: event.clientY } });
      return;
    }
    const hasMoved = now.hasMoved || Math.abs(place.x - now.from.x) + Math.abs(place.y - now.from.y) > 3;
    drag.current = { ...now, last: place, hasMoved };
    if (!hasMoved) return;
    if (now.moves) moveBy(now.from.x < area.left ? 0 : place.x - now.last.x, place.y - now.last.y);
    else if (anchor.current !== undefined) selectBins(anchor.current, layout.nearest(place, grid));
  };
  const onPointerUp = (event: PointerEvent): void => {
    const now = drag.current;
    drag.current = undefined;
    if (now === undefined || now.moves) return;
    const bin = layout.nearest(placeIn(event), grid);
    const start = anchor.current ?? bin;
    selectBins(start, bin);
    setCursor(bin);
    // Of samples, a click is the start, and the next one the end.
    awaitsEnd.current = isSamples && !now.hasMoved && !awaitsEnd.current;
  };
  const onWheel = (event: WheelEvent): void => {
    event.preventDefault();
    const place = placeIn(event);
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      moveBy(-(event.deltaX || event.deltaY), 0);
      return;
    }
    const factor = wheelFactor(event);
    zoomBy(event.ctrlKey || event.altKey || place.x < area.left ? { y: factor } : { x: factor }, place);
  };
  const onKey = (event: KeyboardEvent): void => {
    const at = cursor ?? { column: Math.floor(grid.columns / 2), row: Math.floor(grid.rows / 2) };
    const step = ARROWS[event.key];
    if (step !== undefined) {
      const next = {
        column: Math.max(0, Math.min(grid.columns - 1, at.column + step[0])),
        row: Math.max(
          grid.underTotal > 0 ? -1 : 0,
          Math.min(grid.overTotal > 0 ? grid.rows : grid.rows - 1, at.row + step[1]),
        ),
      };
      if (event.shiftKey) {
        anchor.current ??= at;
        selectBins(anchor.current, next);
      } else {
        anchor.current = undefined;
        // At the edge of what is shown, what lies beyond comes in.
        if (next.column === at.column && step[0] !== 0) moveBy(-step[0] * (area.width / grid.columns), 0);
        if (next.row === at.row && step[1] !== 0) moveBy(0, step[1] * (layout.height / grid.rows));
      }
      setCursor(next);
    } else if (event.key === 'Enter') {
      if (selection === undefined) selectBins(at, at);
      else keep?.();
    } else if (event.key === 'Escape') {
      if (selection !== undefined) clear();
      else setZoom(undefined);
    } else if (event.key === '+' || event.key === '=') zoomBy({ x: 1 / KEY_FACTOR }, layout.middleOf(at, grid));
    else if (event.key === '-') zoomBy({ x: KEY_FACTOR }, layout.middleOf(at, grid));
    else if (event.key === '>') zoomBy({ y: 1 / KEY_FACTOR }, layout.middleOf(at, grid));
    else if (event.key === '<') zoomBy({ y: KEY_FACTOR }, layout.middleOf(at, grid));
    else if (event.key === '0') setZoom(undefined);
    else return;
    event.preventDefault();
  };

  const noun = isSamples ? 'sample' : 'record';
  // Counted anew only where there is something new to count, and not whenever the pointer moves.
  const details = useMemo(
    () => (
      <SelectionPanel
        section={section}
        rows={selected}
        before={before}
        ranges={selection === undefined ? [] : describeSelection(selection, axes, summary)}
        all={summary.count}
        noun={noun}
        unit={isSamples ? undefined : visible(axes.y.unit)}
        keep={keep}
        select={select}
        clear={selection === undefined ? undefined : clear}
      />
    ),
    [section, selected, before, summary],
  );
  const logColours = colours === 'log' || (colours === 'auto' && spansDecades(grid));
  const shown = hover?.bin ?? cursor;
  const numbers = [
    ...heatNumbers(header, summary, value),
    ...beyondTexts(grid, value),
    ...(zoom === undefined ? [] : [`${formatCount(grid.total)} in view`]),
  ].join(' · ');
  const binText = shown === undefined ? undefined : describeBin(grid, shown, axes, noun);
  const xTitle = axisTitle(axes.x);
  const yTitle = `${axisTitle(axes.y)}${grid.viewport.scale === 'log' ? ', logarithmic' : ''}`;
  useTable(() => ({
    head: [`${xTitle} from`, 'to', `${axisTitle(axes.y)} from`, 'to', `${noun}s`],
    rows: binRows(grid, axes),
  }));
  return (
    <>
      <div class="bar" role="toolbar" aria-label="Heat map">
        <button type="button" onClick={() => setZoom(undefined)} disabled={zoom === undefined} title="0">
          Show all
        </button>
        <span class="group">
          Drag:
          <button type="button" aria-pressed={!isMoving} onClick={() => setMoving(false)}>
            select
          </button>
          <button type="button" aria-pressed={isMoving} onClick={() => setMoving(true)} title="or Shift and drag">
            move
          </button>
        </span>
        <span class="group">
          {visible(axes.x.label)}:
          <button
            type="button"
            onClick={() => zoomBy({ x: KEY_FACTOR })}
            title="Zoom out: - or the wheel"
            aria-label="Zoom out across"
          >
            −
          </button>
          <button
            type="button"
            onClick={() => zoomBy({ x: 1 / KEY_FACTOR })}
            title="Zoom in: + or the wheel"
            aria-label="Zoom in across"
          >
            +
          </button>
        </span>
        <span class="group">
          {visible(axes.y.label)}:
          <button
            type="button"
            onClick={() => zoomBy({ y: KEY_FACTOR })}
            title="Zoom out: < or Ctrl and the wheel"
            aria-label="Zoom out upwards"
          >
            −
          </button>
          <button
            type="button"
            onClick={() => zoomBy({ y: 1 / KEY_FACTOR })}
            title="Zoom in: > or Ctrl and the wheel"
            aria-label="Zoom in upwards"
          >
            +
          </button>
        </span>
        {!isSamples && <Chooser label="Scale" value={scale} onChange={setScale} />}
        <Chooser label="Colours" value={colours} onChange={setColours} />
        <label>
          Bins{' '}
          <select
            value={String(bins)}
            onChange={(event) => setBins(binChoices(settings.bins)[event.currentTarget.selectedIndex]!)}
          >
            {binChoices(settings.bins).map((choice) => (
              <option key={String(choice)} value={String(choice)}>
                {choice.join(' × ')}
              </option>
            ))}
          </select>
        </label>
        <button type="button" aria-pressed={hasDetails} onClick={() => setDetails(!hasDetails)}>
          Details
        </button>
        <IdleButton idle={idle} unit="samples" isShown={showIdle} onChange={setShowIdle} />
        <span class="space" />
        <RecordSearch
          section={section}
          text={search}
          onInput={setSearch}
          problem={problem}
          found={`${plural(summary.count, noun)} matched`}
        />
      </div>
      <div class="view columns">
        <div class="plot" ref={ref}>
          <Canvas
            width={size.width}
            height={size.height}
            aria-hidden="true"
            depends={[grid, theme.isDark, logColours, area.width, area.height]}
            draw={(context) => {
              drawBins(context, theme, grid, layout, logColours);
              drawXAxis(context, theme, area, shifted(grid.xRange, axes), xTitle);
              drawYAxis(context, theme, layout, valueTicks(grid, layout), yTitle);
              drawColourBar(context, theme, grid, layout, visible(colourLabel(header, grid)), logColours);
            }}
          />
          <Canvas
            class={isMoving ? 'over moving' : 'over'}
            width={size.width}
            height={size.height}
            tabIndex={0}
            role="application"
            aria-label={`Heat map. ${binText ?? numbers}`}
            onKeyDown={onKey}
            onPointerDown={onPointerDown}
            onPointerMove={onPointerMove}
            onPointerUp={onPointerUp}
            onPointerLeave={() => setHover(undefined)}
            onDblClick={() => setZoom(undefined)}
            onWheel={onWheel}
            depends={[
              grid,
              theme.isDark,
              hover?.bin.column,
              hover?.bin.row,
              cursor,
              selection,
              area.width,
              area.height,
            ]}
            draw={(context) => {
              if (selection !== undefined) drawSelection(context, theme, selection, grid, layout);
              if (cursor !== undefined) outline(context, theme.mark, layout.boxOf(cursor, grid));
              if (hover !== undefined) outline(context, theme.ink, layout.boxOf(hover.bin, grid));
            }}
          />
        </div>
        {hasDetails && details}
      </div>
      <div class="status" role="status">
        {binText === undefined ? numbers : `${binText} · ${numbers}`}
      </div>
      {hover !== undefined && (
        <Tip at={hover.at}>
          <b>{formatCount(countOf(grid, hover.bin))} </b>
          {noun}s ({formatShare(countOf(grid, hover.bin), summary.count)})
          <div>{rangeText(...shifted(grid.columnRange(hover.bin.column), axes), axes.x.unit)}</div>
          <div>{rowText(grid, hover.bin.row, axes.y.unit)}</div>
        </Tip>
      )}
    </>
  );
}

const isChoice = isOneOf<Choice>('auto', 'linear', 'log');

function isBins(value: unknown): value is readonly [number, number] {
  return BINS.some((choice) => String(choice) === String(value));
}

function isZoom(value: unknown): value is Zoom {
  const { x, y } = (value ?? {}) as Partial<Record<'x' | 'y', unknown>>;
  return isRange(x) && isRange(y);
}

const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

interface ChooserProps {
  readonly label: string;
  readonly value: Choice;
  readonly onChange: (choice: Choice) => void;
}

function Chooser({ label, value, onChange }: ChooserProps) {
  return (
    <label>
      {label}{' '}
      <select value={value} onChange={(event) => onChange(event.currentTarget.value as Choice)}>
        <option value="auto">auto</option>
        <option value="linear">linear</option>
        <option value="log">logarithmic</option>
      </select>
    </label>
  );
}

function binChoices(own: readonly [number, number]): readonly (readonly [number, number])[] {
  return BINS.some(([columns, rows]) => columns === own[0] && rows === own[1]) ? BINS : [own, ...BINS];
}

interface Settings {
  readonly scale: Choice;
  readonly colours: Choice;
  readonly bins: readonly [number, number];
  /** Whether x begins at 0. */
  readonly normalise: boolean;
}

/** What the config says of heat maps, where the page is of one. */
function settingsOf({ manifest }: PageData): Settings {
  const options = manifest.view === 'heatmap' ? manifest.options : {};
  const choice = (name: string): Choice =>
    (['linear', 'log'] as const).find((kind) => kind === options[name]) ?? 'auto';
  return {
    scale: choice('scale'),
    colours: choice('colours'),
    bins: [Number(options['columns'] ?? 100), Number(options['rows'] ?? 50)],
    normalise: options['normalise'] === true,
  };
}

interface Points {
  readonly x: Float64Array;
  readonly y: Float64Array;
}

/** x and y of each record; of a sample its second and offset. */
function pointsOf(section: Section): Points {
  if (!hasSamples(section.header)) {
    return { x: section.columns.get('x')!.values, y: section.columns.get('y')!.values };
  }
  const times = section.times!;
  const [x, y] = [new Float64Array(times.length), new Float64Array(times.length)];
  for (let row = 0; row < times.length; row++) [x[row], y[row]] = secondAndOffset(Math.round(times[row]! * 1e9));
  return { x, y };
}

/** The records that pass the filters, and how many more are those of idle CPUs. */
function shownRows(
  section: Section,
  filters: readonly Filter[],
  terms: readonly Term[],
  showIdle: boolean,
): { mask: Uint8Array | undefined; idle: number } {
  const mask = searchedMask(section, filters, terms);
  const pids = hasSamples(section.header) ? section.columns.get('pid')?.values : undefined;
  if (pids === undefined) return { mask, idle: 0 };
  const busy = mask?.slice() ?? new Uint8Array(pids.length).fill(1);
  let idle = 0;
  for (let row = 0; row < pids.length; row++) {
    if (pids[row] !== IDLE_PID || busy[row] === 0) continue;
    idle++;
    if (!showIdle) busy[row] = 0;
  }
  return { mask: busy, idle };
}

/** The scale of the values: positions on it, and how far it goes. */
class ValueAxis {
  readonly home: Range;
  readonly limits: Range;

  constructor(
    readonly viewport: Viewport,
    { y, yMinPositive }: PointSummary,
  ) {
    const { bottom, top, scale } = viewport;
    this.home = [this.position(bottom), this.position(top)];
    const least = y.count === 0 ? bottom : scale === 'log' ? yMinPositive : y.min;
    const most = y.count === 0 ? top : y.max;
    this.limits = [this.position(Math.min(bottom, least)), this.position(Math.max(top, most))];
  }

  position(y: number): number {
    return this.viewport.scale === 'log' ? Math.log(y) : y;
  }

  valueAt(position: number): number {
    return this.viewport.scale === 'log' ? Math.exp(position) : position;
  }
}

/** Empty bins for what is shown. */
function gridOf(
  view: Zoom,
  home: BinGrid | undefined,
  axis: ValueAxis,
  [columns, rows]: readonly [number, number],
  isSamples: boolean,
): BinGrid {
  if (home !== undefined) return new BinGrid(home.columns, home.rows, home.xRange, home.viewport);
  const [bottom, top] = [axis.valueAt(view.y[0]), axis.valueAt(view.y[1])];
  if (isSamples) return secondGrid(view.x, rows, [bottom, top]);
  return new BinGrid(columns, rows, view.x, { scale: axis.viewport.scale, bottom, top });
}

/** The records of a selection; all that are shown where there is none. */
function rowsIn(
  section: Section,
  { x, y }: Points,
  mask: Uint8Array | undefined,
  selection: Selection | undefined,
): Int32Array {
  const rows: number[] = [];
  const times = section.times;
  for (let row = 0; row < x.length; row++) {
    if (mask?.[row] === 0) continue;
    const isIn =
      selection === undefined
        ? true
        : 'run' in selection
          ? isInRange(times![row]!, selection.run)
          : isInRange(x[row]!, selection.box.x) && isInRange(y[row]!, selection.box.y);
    if (isIn) rows.push(row);
  }
  return Int32Array.from(rows);
}

function isInRange(value: number, [from, to]: Range): boolean {
  return value >= from && value < to;
}

/** What all views are narrowed to by a selection; nothing where x is not time. */
function filtersOf(selection: Selection, section: Section, { y }: PointSummary): Filter[] {
  if (section.times === undefined) return [];
  const [from, to] = 'run' in selection ? selection.run : selection.box.x;
  // Times are whole nanoseconds: the last of them before the end, which is not in it.
  const time: Filter = { kind: 'time', from, to: (Math.ceil(to * 1e9) - 1) / 1e9 };
  if ('run' in selection) return [time];
  const [low, high] = selection.box.y;
  if (low <= y.min && high > y.max) return [time];
  const range = { from: Math.max(low, y.min), to: high > y.max ? y.max : nextDown(high) };
  return [time, { kind: 'values', interface: section.interface, ...range }];
}

/** Where the rows of a grid and the strips of what lies beyond them are. */
interface Layout extends Area {
  readonly over: number | undefined;
  readonly under: number | undefined;
  binAt(place: Place, grid: BinGrid): Bin | undefined;
  /** The bin that is nearest to a place, wherever it is. */
  nearest(place: Place, grid: BinGrid): Bin;
  boxOf(bin: Bin, grid: BinGrid): Area;
  middleOf(bin: Bin, grid: BinGrid): Place;
}

function layoutOf(area: Area, grid: BinGrid): Layout {
  const { left, width } = area;
  const above = grid.overTotal > 0 ? STRIP + GAP : 0;
  const below = grid.underTotal > 0 ? STRIP + GAP : 0;
  const top = area.top + above;
  const height = area.height - above - below;
  const over = above > 0 ? area.top : undefined;
  const under = below > 0 ? top + height + GAP : undefined;
  const edge = (column: number): number => Math.round(left + (column / grid.columns) * width);
  const rowEdge = (row: number): number => Math.round(top + height - (row / grid.rows) * height);
  const layout: Layout = {
    left,
    top,
    width,
    height,
    over,
    under,
    nearest(place, { columns, rows }) {
      const column = Math.max(0, Math.min(columns - 1, Math.floor(((place.x - left) / width) * columns)));
      const row = Math.floor(((top + height - place.y) / height) * rows);
      if (row >= rows) return { column, row: over !== undefined && place.y < top - GAP / 2 ? rows : rows - 1 };
      if (row < 0) return { column, row: under !== undefined && place.y > top + height + GAP / 2 ? -1 : 0 };
      return { column, row };
    },
    binAt: (place, of) => (isWithin(area, place) ? layout.nearest(place, of) : undefined),
    boxOf({ column, row }, { rows }) {
      const [x, x1] = [edge(column), edge(column + 1)];
      const strip = row < 0 ? under : row >= rows ? over : undefined;
      if (strip !== undefined) return { left: x, top: strip, width: Math.max(1, x1 - x), height: STRIP };
      const y = rowEdge(row + 1);
      return { left: x, top: y, width: Math.max(1, x1 - x), height: Math.max(1, rowEdge(row) - y) };
    },
    middleOf(bin, of) {
      const box = layout.boxOf(bin, of);
      return { x: box.left + box.width / 2, y: box.top + box.height / 2 };
    },
  };
  return layout;
}

function countOf({ counts, over, under, rows, columns }: BinGrid, { column, row }: Bin): number {
  if (row < 0) return under[column] ?? 0;
  return (row >= rows ? over[column] : counts[row * columns + column]) ?? 0;
}

/** The bins that are not empty: their edges, and what they count. What lies beyond the rows has an edge less. */
function* binRows(grid: BinGrid, axes: Axes): Generator<readonly (string | number)[]> {
  for (let column = 0; column < grid.columns; column++) {
    for (let row = -1; row <= grid.rows; row++) {
      const count = countOf(grid, { column, row });
      if (count === 0) continue;
      const y = row < 0 ? ['', grid.viewport.bottom] : row === grid.rows ? [grid.viewport.top, ''] : grid.rowRange(row);
      yield [...shifted(grid.columnRange(column), axes), ...y, count];
    }
  }
}

function drawBins(
  context: CanvasRenderingContext2D,
  theme: Theme,
  grid: BinGrid,
  layout: Layout,
  logColours: boolean,
): void {
  const max = grid.max;
  const { columns, rows } = grid;
  for (const strip of [layout.over, layout.under]) {
    if (strip === undefined) continue;
    context.fillStyle = theme.panel;
    context.fillRect(layout.left, strip, layout.width, STRIP);
  }
  for (let row = layout.under === undefined ? 0 : -1; row < rows + (layout.over === undefined ? 0 : 1); row++) {
    for (let column = 0; column < columns; column++) {
      const bin = { column, row };
      const count = countOf(grid, bin);
      if (count === 0) continue;
      const box = layout.boxOf(bin, grid);
      context.fillStyle = heatColour(colourShare(count, max, logColours), theme.isDark);
      context.fillRect(box.left, box.top, box.width, box.height);
    }
  }
  context.font = `12px ${FONT}`;
  context.textBaseline = 'middle';
  for (const [strip, total, sign, edge, where] of [
    [layout.over, grid.overTotal, '>', grid.viewport.top, 'above'],
    [layout.under, grid.underTotal, '<', grid.viewport.bottom, 'below'],
  ] as const) {
    if (strip === undefined) continue;
    context.strokeStyle = theme.faint;
    context.lineWidth = 1;
    context.strokeRect(layout.left - 0.5, strip - 0.5, layout.width + 1, STRIP + 1);
    context.fillStyle = theme.ink;
    context.textAlign = 'right';
    context.fillText(`${sign} ${formatTick(Number(edge.toPrecision(4)))}`, layout.left - 8, strip + STRIP / 2);
    context.textAlign = 'left';
    context.fillText(`${formatCount(total)} ${where}`, layout.left + layout.width + 8, strip + STRIP / 2);
  }
  if (max > 0) return;
  context.fillStyle = theme.faint;
  context.textAlign = 'center';
  context.fillText('Nothing with these filters.', layout.left + layout.width / 2, layout.top + layout.height / 2);
}

function valueTicks({ viewport }: BinGrid, { top, height }: Layout): (readonly [number, number])[] {
  const { bottom, top: most, scale } = viewport;
  const position = (y: number): number => (scale === 'log' ? Math.log(y) : y);
  const ticks = scale === 'log' ? logTicks(viewport) : roundTicks([bottom, most], Math.max(2, height / 45));
  const range: Range = [position(bottom), position(most)];
  return ticks.map((tick) => [tick, top + height - pixelOf(position(tick), range, 0, height)] as const);
}

function drawColourBar(
  context: CanvasRenderingContext2D,
  theme: Theme,
  grid: BinGrid,
  { left: start, top, width, height }: Layout,
  label: string,
  logColours: boolean,
): void {
  const max = grid.max;
  if (max === 0) return;
  const left = start + width + 16;
  for (let y = 0; y < height; y++) {
    context.fillStyle = heatColour(max <= 1 ? 0.5 : 1 - y / height, theme.isDark);
    context.fillRect(left, top + y, BAR, 1.5);
  }
  context.font = `12px ${FONT}`;
  context.textAlign = 'left';
  context.textBaseline = 'middle';
  context.fillStyle = theme.ink;
  for (const count of colourTicks(max, logColours)) {
    const y = top + height * (1 - colourShare(count, max, logColours));
    line(context, theme.ink, left + BAR, y, left + BAR + 4, y);
    context.fillText(formatCount(count), left + BAR + 7, y);
  }
  context.save();
  context.translate(left + BAR + 62, top + height / 2);
  context.rotate(-Math.PI / 2);
  context.textAlign = 'center';
  context.fillStyle = theme.faint;
  context.fillText(label, 0, 0);
  context.restore();
}

function outline(context: CanvasRenderingContext2D, colour: string, { left, top, width, height }: Area): void {
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.strokeRect(left - 0.5, top - 0.5, width + 1, height + 1);
}

function drawSelection(
  context: CanvasRenderingContext2D,
  theme: Theme,
  selection: Selection,
  grid: BinGrid,
  layout: Layout,
): void {
  context.fillStyle = `${theme.accent}38`;
  context.strokeStyle = theme.accent;
  context.lineWidth = 2;
  const draw = ({ left, top, width, height }: Area): void => {
    context.fillRect(left, top, width, height);
    context.strokeRect(left, top, width, height);
  };
  if ('run' in selection) {
    for (let column = 0; column < grid.columns; column++) {
      const [first, end] = rowsOfRun(grid, column, selection.run);
      if (end <= first) continue;
      const [low, high] = [layout.boxOf({ column, row: first }, grid), layout.boxOf({ column, row: end - 1 }, grid)];
      draw({ left: low.left, top: high.top, width: low.width, height: low.top + low.height - high.top });
    }
    return;
  }
  const { x, y } = selection.box;
  const [from, to] = x.map((edge) =>
    clamp(pixelOf(edge, grid.xRange, layout.left, layout.width), layout.left, layout.width),
  );
  const { viewport } = grid;
  const position = (value: number): number => (viewport.scale === 'log' ? Math.log(value) : value);
  const range: Range = [position(viewport.bottom), position(viewport.top)];
  const pixel = (value: number): number =>
    clamp(layout.top + layout.height - pixelOf(position(value), range, 0, layout.height), layout.top, layout.height);
  const top = y[1] > viewport.top && layout.over !== undefined && y[1] === Infinity ? layout.over : pixel(y[1]);
  const isAbove = y[0] > viewport.top && layout.over !== undefined;
  const isBelow = y[1] <= viewport.bottom && layout.under !== undefined;
  const bottom = isAbove
    ? layout.over! + STRIP
    : y[0] === -Infinity && layout.under !== undefined
      ? layout.under + STRIP
      : pixel(y[0]);
  draw({
    left: from!,
    top: isBelow ? layout.under! : top,
    width: to! - from!,
    height: bottom - (isBelow ? layout.under! : top),
  });
}

function clamp(pixel: number, start: number, length: number): number {
  return Math.max(start, Math.min(start + length, pixel));
}

function rangeText(from: number, to: number, unit: string): string {
  // As many digits as it takes to tell the two apart.
  const digits = Math.min(
    12,
    Math.max(3, Math.ceil(Math.log10(Math.max(Math.abs(from), Math.abs(to)) / (to - from))) + 2),
  );
  const text = (value: number) => formatTick(Number(value.toPrecision(Number.isFinite(digits) ? digits : 3)));
  return `${text(from)} to ${text(to)} ${visible(unit)}`.trim();
}

function rowText(grid: BinGrid, row: number, unit: string): string {
  const { bottom, top } = grid.viewport;
  if (row < 0) return `below ${formatValue(bottom)} ${visible(unit)}`.trim();
  if (row >= grid.rows) return `above ${formatValue(top)} ${visible(unit)}`.trim();
  return rangeText(...grid.rowRange(row), unit);
}

/** The axes, and what is taken off x where it is told. */
type Axes = ReturnType<typeof heatAxes> & { readonly shift: number };

function shifted([from, to]: Range, { shift }: Axes): Range {
  return [from - shift, to - shift];
}

function describeBin(grid: BinGrid, bin: Bin, axes: Axes, noun: string): string {
  const { x, y } = axes;
  const count = countOf(grid, bin);
  const where = `${rangeText(...shifted(grid.columnRange(bin.column), axes), x.unit)}, ${rowText(grid, bin.row, y.unit)}`;
  return `${where}: ${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

function describeSelection(selection: Selection, axes: Axes, summary: PointSummary): string[] {
  const { x, y } = axes;
  if ('run' in selection) return [rangeText(...selection.run, x.unit)];
  const { box } = selection;
  const low = Math.max(box.y[0], Math.min(summary.y.min, box.y[1]));
  const high = Math.min(box.y[1], Math.max(summary.y.max, low));
  return [rangeText(...shifted(box.x, axes), x.unit), rangeText(low, high, y.unit)];
}
