import { useContext, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { formatCount, plural } from '../../common/text.ts';
import { type Kept, keepOf, knownFields, narrowSpans, parseTerms, type Term } from '../shape/event-filter.ts';
import { sumsTimeline } from '../shape/sums-timeline.ts';
import { formatDuration, formatTime, shownTime } from '../shape/time-scale.ts';
import {
  type ColourBy,
  type Drawn,
  drawTimeline,
  type Hit,
  hitTimeline,
  overview,
  ROW_HEIGHT,
  RULER_HEIGHT,
  type Scene,
} from '../shape/timeline-draw.ts';
import { type TrackKind, trackKinds } from '../shape/track-choice.ts';
import { allTypes } from '../shape/track-numbers.ts';
import { activityOf, buildTimeline, SHOWN_BY_SPANS, type Timeline, type Track } from '../shape/tracks.ts';
import { moved, ordered, type Range, zoomed } from '../shape/zoom.ts';
import { isNumbers, isOneOf, isRange, SavedViewContext, useSaved } from './address.ts';
import { Canvas, FONT, type Place, Tip, useChange, useSize, useTheme } from './canvas.tsx';
import { type Detail, useDetail } from './detail.ts';
import { columnOf, type Filter } from './filters.ts';
import { timeRangeOf } from './lanes.tsx';
import { eventTableOf, type PageData, type Section, sameSection } from './model.ts';
import { KEY_FACTOR, placeIn, wheelFactor } from './plot.ts';
import { type Table, useTable } from './save/table.ts';
import { SearchField } from './search-field.tsx';
import { TimelineLegend, TimelinePanel } from './timeline-panel.tsx';
import { EventTip, eventText, SpanTip, SumTip, spanText, sumText } from './timeline-tip.tsx';
import type { ViewProps } from './views.ts';

const LABELS = 190;
const OVERVIEW_HEIGHT = 30;
/** Nobody needs to see less than some nanoseconds. */
const NARROWEST = 20;
/** Drags of fewer pixels are clicks. */
const CLICK = 4;

const NO_TERMS: readonly Term[] = [];

type Order = 'name' | 'activity' | 'first';
/** What a drag does. */
type DragMode = 'zoom' | 'move';

interface Drag {
  readonly mode: DragMode;
  readonly start: Place;
  readonly now: Place;
  /** As they were when it began. */
  readonly range: Range;
  readonly scroll: number;
}

/** Events on tracks over time: bars where it is known who ran, marks for events, arrows between the two ends of a link. */
export function TimelineView({ data, section, filters, base, select }: ViewProps) {
  const theme = useTheme();
  const [scroller, size] = useSize<HTMLDivElement>();
  const kinds = useMemo(() => trackKinds(section.header), [section]);
  const asked = data.manifest.options['track'];
  const [kind, setKind] = useSaved<TrackKind>(
    'tracks',
    asked === 'cpu' && kinds.includes('cpu') ? 'cpu' : (kinds[0] ?? 'pid'),
    isOneOf(...kinds),
  );
  const [search, setSearch] = useSaved('search', '');
  const parsed = useMemo(() => parseTerms(search), [search]);
  const typed = typeof parsed === 'string' ? NO_TERMS : parsed;
  const terms = useMemo(() => [...termsOf(section, filters), ...typed], [section, filters, typed]);
  const limits = useMemo(() => limitsOf(section, data, filters), [section, data, filters]);
  const [range, setRange] = useSavedRange(limits);
  const detail = useDetail(data, section, range, limits);
  const whole = useMemo(() => timelineOf(data, section, kind), [data, section, kind]);
  const detailed = useMemo(
    () => (detail.section === section ? whole : timelineOf(data, detail.section, kind)),
    [data, section, detail.section, whole, kind],
  );
  const timeline = useMemo(() => narrowSpans(detailed, terms), [detailed, terms]);
  const { table, bins } = timeline;
  const before = useMemo(() => {
    if (base === undefined) return undefined;
    const own = sameSection(base.data, section) ?? section;
    const compared = own === detail.section ? detailed : timelineOf(base.data, own, kind);
    return {
      timeline: narrowSpans(compared, [...termsOf(own, base.filters), ...typed]),
      range: limitsOf(own, base.data, base.filters),
    };
  }, [base, section, detail.section, detailed, typed, kind]);
  const [scroll, setScroll] = useState(0);
  const [order, setOrder] = useSaved<Order>('order', 'activity', isOneOf('name', 'activity', 'first'));
  const [colours, setColours] = useSaved<ColourBy | undefined>('colours', undefined, isOneOf('type', 'process'));
  const [dragMode, setDragMode] = useState<DragMode>('zoom');
  const [isRuler, setRuler] = useState(false);
  const [points, setPoints] = useState<readonly number[]>([]);
  const [showsLegend, setLegend] = useState(true);
  const [hidden, setHidden] = useSavedTracks('hidden', timeline);
  const [chosen, setChosen] = useSavedTracks('track', timeline);
  const [selected] = chosen;
  // Places of spans and tracks are others once more of a range is there.
  const [spanStart, setSpanStart] = useSaved<number | undefined>('span', undefined, isTime);
  const spanAt = selected === undefined ? -1 : timeline.tracks[selected]!.spans.at(spanStart ?? Number.NaN);
  const span = spanAt < 0 ? undefined : spanAt;
  const setSelected = (place: number | undefined, ofSpan?: number): void => {
    setChosen(place === undefined ? [] : [place]);
    setSpanStart(
      place === undefined || ofSpan === undefined ? undefined : timeline.tracks[place]!.spans.start[ofSpan]!,
    );
  };
  const [focusKey, setFocusKey] = useState(selected === undefined ? undefined : timeline.tracks[selected]!.key);
  const focus = useMemo(() => placeOf(timeline, focusKey), [timeline, focusKey]);
  const setFocus = (place: number | undefined): void =>
    setFocusKey(place === undefined ? undefined : timeline.tracks[place]!.key);
  const [event, setEvent] = useState<number | undefined>();
  const [pointer, setPointer] = useState<{ readonly place: Place; readonly at: Place } | undefined>();
  const [drag, setDrag] = useState<Drag | undefined>();
  const [drawn, setDrawn] = useState<Drawn>({ arrows: 0, links: 0 });
  const scene = useRef<Scene | undefined>(undefined);

  useChange(() => setEvent(undefined), [timeline]);

  const kept: Kept = useMemo(() => keepOf(timeline, terms), [timeline, terms]);
  const shown = useMemo(
    () => inOrder(timeline, kept.tracks, order, limits, whole).filter((place) => !hidden.includes(place)),
    [timeline, kept, order, limits, whole, hidden],
  );
  const colourBy = colours ?? (timeline.kind === 'cpu' ? 'process' : 'type');
  const types = useMemo(() => allTypes(table), [table]);

  const canvasHeight = size.height;
  const labels = Math.min(LABELS, Math.floor(size.width / 4));
  const plot = Math.max(1, size.width - labels);
  const timeAt = (x: number): number => range[0] + ((x - labels) / plot) * (range[1] - range[0]);
  scene.current = {
    timeline,
    shown,
    rows: kept.rows,
    links: kept.links,
    from: range[0],
    to: range[1],
    width: size.width,
    height: canvasHeight,
    labels,
    scroll,
    colourBy,
    selected,
    focus,
    event,
    points,
    ink: theme,
    font: FONT,
    ratio: window.devicePixelRatio || 1,
  };
  // What is under the pointer changes with what is drawn.
  const hover: { readonly hit: Hit; readonly at: Place } | undefined = pointer && {
    hit: hitTimeline(scene.current, pointer.place.x, pointer.place.y),
    at: pointer.at,
  };

  const zoomBy = (factor: number, centre = (range[0] + range[1]) / 2): void =>
    setRange((old) => zoomed(old, centre, factor, limits, NARROWEST));
  const moveBy = (share: number): void => setRange((old) => moved(old, share * (old[1] - old[0]), limits));
  const scrollTo = (row: number): void => {
    const element = scroller.current;
    if (element === null) return;
    const top = row * ROW_HEIGHT;
    const room = canvasHeight - RULER_HEIGHT - ROW_HEIGHT;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top > element.scrollTop + room) element.scrollTop = top - room;
  };
  const focusOn = (place: number | undefined): void => {
    setFocus(place);
    if (place !== undefined) scrollTo(shown.indexOf(place));
  };
  const showEvent = (row: number, place: number): void => {
    setEvent(row);
    focusOn(place);
    const time = table.time[row]!;
    if (time < range[0] || time > range[1]) {
      setRange((old) => moved(old, time - (old[0] + old[1]) / 2, limits));
    }
  };
  /** The next event of the same type on any track that is shown, or the one before. */
  const step = (direction: 1 | -1): void => {
    const from = event ?? hover?.hit.event;
    const start = from ?? (direction > 0 ? -1 : table.length);
    const type = from === undefined ? undefined : table.type.values[from];
    const placeOf = trackOfRows(timeline, shown, kept);
    for (let row = start + direction; row >= 0 && row < table.length; row += direction) {
      if (type !== undefined && table.type.values[row] !== type) continue;
      if (from === undefined && (table.time[row]! < range[0] || table.time[row]! > range[1])) continue;
      const place = placeOf[row]!;
      if (place < 0) continue;
      showEvent(row, place);
      return;
    }
  };
  const hide = (place: number | undefined): void => {
    if (place === undefined) return;
    const next = shown[shown.indexOf(place) + 1] ?? shown[shown.indexOf(place) - 1];
    setHidden([...hidden, place]);
    setFocus(next);
    if (selected === place) setSelected(undefined);
  };
  const chooseKind = (next: TrackKind): void => {
    setKind(next);
    setHidden([]);
    setSelected(undefined);
  };
  const choose = (place: number | undefined): void => {
    setSelected(selected === place ? undefined : place);
    setFocus(place);
  };

  const onKey = (key: KeyboardEvent): void => {
    if (key.ctrlKey || key.metaKey || key.altKey) return;
    const row = focus === undefined ? -1 : shown.indexOf(focus);
    switch (key.key) {
      case 'ArrowLeft':
        moveBy(key.shiftKey ? -0.5 : -0.1);
        break;
      case 'ArrowRight':
        moveBy(key.shiftKey ? 0.5 : 0.1);
        break;
      case 'ArrowUp':
        focusOn(shown[Math.max(0, row - 1)]);
        break;
      case 'ArrowDown':
        focusOn(shown[Math.min(shown.length - 1, row + 1)]);
        break;
      case '+':
      case '=':
        zoomBy(1 / KEY_FACTOR, event === undefined ? undefined : table.time[event]);
        break;
      case '-':
        zoomBy(KEY_FACTOR);
        break;
      case '0':
      case 'Home':
        setRange(limits);
        break;
      case 'Enter':
        choose(focus);
        break;
      case 'Escape':
        if (span !== undefined) {
          setSpanStart(undefined);
          break;
        }
        setSelected(undefined);
        setEvent(undefined);
        setPoints([]);
        setRuler(false);
        break;
      case 'c':
        setColours(colourBy === 'type' ? 'process' : 'type');
        break;
      case 'h':
        hide(hover?.hit.track ?? focus);
        break;
      case 'n':
        step(1);
        break;
      case 'p':
        step(-1);
        break;
      case 'r':
        setRuler(!isRuler);
        setPoints([]);
        break;
      default:
        return;
    }
    key.preventDefault();
  };

  const onWheel = (wheel: WheelEvent): void => {
    const { x } = placeIn(wheel);
    if (wheel.ctrlKey || (x >= labels && !wheel.shiftKey && Math.abs(wheel.deltaX) <= Math.abs(wheel.deltaY))) {
      zoomBy(wheelFactor(wheel), timeAt(x));
    } else if (x >= labels) {
      moveBy((wheel.shiftKey && wheel.deltaX === 0 ? wheel.deltaY : wheel.deltaX) / plot);
    } else return;
    wheel.preventDefault();
  };
  const onDown = (pointer: PointerEvent): void => {
    const place = placeIn(pointer);
    if (pointer.button > 1) return;
    (pointer.currentTarget as HTMLElement).setPointerCapture(pointer.pointerId);
    const other = dragMode === 'zoom' ? 'move' : 'zoom';
    const mode = place.y < RULER_HEIGHT ? 'zoom' : pointer.shiftKey || pointer.button === 1 ? other : dragMode;
    setDrag({ mode, start: place, now: place, range, scroll });
    setPointer(undefined);
  };
  const onMove = (pointer: PointerEvent): void => {
    const place = placeIn(pointer);
    if (drag === undefined) {
      setPointer({ place, at: { x: pointer.clientX, y: pointer.clientY } });
      return;
    }
    setDrag({ ...drag, now: place });
    if (drag.mode !== 'move' || drag.start.x < labels) return;
    const [from, to] = drag.range;
    setRange(moved(drag.range, ((drag.start.x - place.x) / plot) * (to - from), limits));
    if (scroller.current !== null) scroller.current.scrollTop = drag.scroll + drag.start.y - place.y;
  };
  const onUp = (pointer: PointerEvent): void => {
    if (drag === undefined) return;
    const place = placeIn(pointer);
    setDrag(undefined);
    if (Math.abs(place.x - drag.start.x) < CLICK && Math.abs(place.y - drag.start.y) < CLICK) onClick(place);
    else if (drag.mode === 'zoom' && drag.start.x >= labels) {
      const [from, to] = ordered(timeAt(drag.start.x), timeAt(place.x));
      if (to - from >= 1) setRange([Math.max(limits[0], from), Math.min(limits[1], Math.max(to, from + NARROWEST))]);
    }
  };
  const onClick = (place: Place): void => {
    const hit = hitTimeline(scene.current!, place.x, place.y);
    if (isRuler && !hit.isLabel) {
      // A point is where an event is, where one is near.
      const time = hit.event === undefined ? hit.time : table.time[hit.event]!;
      setPoints((old) => (old.length >= 2 ? [time] : [...old, time]));
      return;
    }
    if (hit.isLabel) choose(hit.track);
    if (hit.isLabel || hit.track === undefined) return;
    setFocus(hit.track);
    setEvent(hit.event);
    if (hit.event === undefined && hit.span !== undefined) setSelected(hit.track, hit.span);
  };

  const band = drag?.mode === 'zoom' && drag.start.x >= labels ? ordered(drag.start.x, drag.now.x) : undefined;
  const tip = drag === undefined && hover !== undefined && !hover.hit.isLabel ? hover : undefined;
  const track = selected === undefined ? undefined : timeline.tracks[selected];
  const width = range[1] - range[0];
  const where = `${formatTime(range[0])} to ${formatTime(range[1])} (${formatDuration(width)})`;
  const inFocus = focus === undefined ? undefined : timeline.tracks[focus];
  const said =
    points.length === 2
      ? `Ruler: ${formatDuration(Math.abs(points[1]! - points[0]!))} from ${formatTime(Math.min(...points))}`
      : event !== undefined
        ? eventText(table, event)
        : tip?.hit.event !== undefined
          ? eventText(table, tip.hit.event)
          : tip?.hit.span !== undefined && tip.hit.track !== undefined
            ? spanText(timeline, tip.hit.track, tip.hit.span)
            : tip?.hit.track !== undefined && bins !== undefined
              ? sumText(timeline, tip.hit.track, bins, tip.hit.time)
              : `${where}${inFocus === undefined ? '' : ` · ${inFocus.label}`}`;

  useTable(() =>
    bins !== undefined
      ? sumsTable(timeline, shown, range)
      : {
          head: ['time_ns', 'type', ...(section.header.fields ?? [])],
          rows: eventRows(detail.section, timeline, shown, trackOfRows(timeline, shown, kept), range),
        },
  );
  return (
    <>
      <div class="bar" role="toolbar" aria-label="Timeline">
        {kinds.length > 1 && (
          <span class="group">
            {kinds.map((one) => (
              <button type="button" key={one} aria-pressed={kind === one} onClick={() => chooseKind(one)}>
                {one === 'pid' ? 'Tasks' : 'CPUs'}
              </button>
            ))}
          </span>
        )}
        <button type="button" onClick={() => setRange(limits)} title="0" disabled={width === limits[1] - limits[0]}>
          All
        </button>
        <button type="button" onClick={() => zoomBy(1 / 2)} aria-label="Zoom in" title="+">
          +
        </button>
        <button type="button" onClick={() => zoomBy(2)} aria-label="Zoom out" title="-">
          −
        </button>
        <button
          type="button"
          aria-pressed={dragMode === 'move'}
          onClick={() => setDragMode(dragMode === 'zoom' ? 'move' : 'zoom')}
          title="What dragging does: zooms to what is dragged over, or moves; the other with Shift"
        >
          Hand
        </button>
        <button
          type="button"
          aria-pressed={isRuler}
          onClick={() => {
            setRuler(!isRuler);
            setPoints([]);
          }}
          title="r: click two points for the time between them"
        >
          Ruler
        </button>
        <button
          type="button"
          aria-pressed={colourBy === 'process'}
          onClick={() => setColours(colourBy === 'type' ? 'process' : 'type')}
          title="c: colours by type, or by process"
        >
          Colours
        </button>
        <button type="button" onClick={() => step(-1)} title="p: the event of this kind before">
          ◂
        </button>
        <button type="button" onClick={() => step(1)} title="n: the next event of this kind">
          ▸
        </button>
        {timeline.kind === 'pid' && (
          <select
            aria-label="Order of the tracks"
            value={order}
            onChange={(change) => setOrder(change.currentTarget.value as Order)}
          >
            <option value="activity">busiest first</option>
            <option value="name">by name</option>
            <option value="first">first seen first</option>
          </select>
        )}
        {hidden.length > 0 && (
          <button type="button" onClick={() => setHidden([])}>
            Show {plural(hidden.length, 'hidden track')}
          </button>
        )}
        <button
          type="button"
          onClick={() => select({ kind: 'time', from: range[0] / 1e9, to: range[1] / 1e9 })}
          disabled={width === limits[1] - limits[0]}
          title="Narrows all views to the time that is shown"
        >
          Only this time
        </button>
        <button type="button" aria-pressed={showsLegend} onClick={() => setLegend(!showsLegend)}>
          Legend
        </button>
        <span class="space" />
        <SearchField
          label="Filter"
          hint="comm=^fio type=wakeup"
          title={`FIELD=REGEX or FIELD!=REGEX, separated by spaces; a word alone is a process or a type. Fields: ${knownFields(table).join(', ')}`}
          text={search}
          onInput={setSearch}
          isWrong={typeof parsed === 'string'}
          status={typeof parsed === 'string' ? parsed : undefined}
        />
      </div>
      <div class="view columns">
        <div class="tracks">
          <Overview
            timeline={whole}
            events={section.records}
            limits={limits}
            range={range}
            labels={labels}
            width={size.width}
            onRange={(next) => setRange(next)}
          />
          <div
            class="scroll"
            style={{ top: `${OVERVIEW_HEIGHT}px` }}
            ref={scroller}
            onScroll={(change) => setScroll(change.currentTarget.scrollTop)}
          >
            <div style={{ height: `${Math.max(canvasHeight, RULER_HEIGHT + shown.length * ROW_HEIGHT)}px` }}>
              <Canvas
                width={size.width}
                height={canvasHeight}
                tabIndex={0}
                role="application"
                class={drag?.mode === 'move' ? 'moving' : hover?.hit.isLabel === true ? 'labels' : 'over'}
                aria-label={`Timeline, ${plural(shown.length, 'track')}, ${where}. ${said}`}
                onKeyDown={onKey}
                onWheel={onWheel}
                onPointerDown={onDown}
                onPointerMove={onMove}
                onPointerUp={onUp}
                onPointerLeave={() => setPointer(undefined)}
                depends={[
                  timeline,
                  shown,
                  kept,
                  range,
                  scroll,
                  colourBy,
                  selected,
                  focus,
                  event,
                  points,
                  span,
                  band?.[0],
                  band?.[1],
                  theme.isDark,
                ]}
                draw={(context) => {
                  const now = drawTimeline(context, scene.current!, (pixels, x, y) =>
                    context.putImageData(new ImageData(pixels.data, pixels.width, pixels.height), x, y),
                  );
                  if (now.arrows !== drawn.arrows || now.links !== drawn.links) setDrawn(now);
                  if (span !== undefined && selected !== undefined) {
                    outlineSpan(context, scene.current!, selected, span);
                  }
                  if (band !== undefined) {
                    context.fillStyle = theme.accent;
                    context.globalAlpha = 0.18;
                    context.fillRect(band[0], 0, band[1] - band[0], canvasHeight);
                    context.globalAlpha = 1;
                    context.font = `600 12px ${FONT}`;
                    context.textAlign = 'center';
                    context.fillText(
                      formatDuration(timeAt(band[1]) - timeAt(band[0])),
                      (band[0] + band[1]) / 2,
                      RULER_HEIGHT + 12,
                    );
                  }
                  if (shown.length === 0) {
                    context.fillStyle = theme.faint;
                    context.font = `14px ${FONT}`;
                    context.textAlign = 'left';
                    context.fillText('No events with these filters.', labels + 14, RULER_HEIGHT + 30);
                  }
                }}
              />
            </div>
          </div>
        </div>
        {track !== undefined && selected !== undefined ? (
          <TimelinePanel
            data={data}
            section={section}
            timeline={timeline}
            place={selected}
            span={span}
            range={range}
            before={before}
            choose={(place) => {
              setSelected(place);
              focusOn(place);
            }}
            chooseSpan={(next) => {
              const { start, end } = track.spans;
              setSpanStart(start[next]!);
              const middle = (start[next]! + end[next]!) / 2;
              if (middle < range[0] || middle > range[1])
                setRange((old) => moved(old, middle - (old[0] + old[1]) / 2, limits));
            }}
            close={() => setSelected(undefined)}
            select={select}
          />
        ) : (
          showsLegend && <TimelineLegend timeline={timeline} types={types} colourBy={colourBy} />
        )}
      </div>
      <div class="status" role="status">
        {reducedText(section, detail, timeline)}
        {said} · {plural(shown.length, 'track')} of {formatCount(timeline.tracks.length)}
        {drawn.links > 0 && ` · ${plural(drawn.arrows, 'arrow')} of ${formatCount(drawn.links)}`}
      </div>
      {tip?.hit.track !== undefined && (tip.hit.event ?? tip.hit.span ?? bins) !== undefined && (
        <Tip at={tip.at}>
          {bins !== undefined ? (
            <SumTip timeline={timeline} place={tip.hit.track} bins={bins} time={tip.hit.time} />
          ) : tip.hit.event !== undefined ? (
            <EventTip table={table} row={tip.hit.event} />
          ) : (
            <SpanTip timeline={timeline} place={tip.hit.track} span={tip.hit.span!} />
          )}
        </Tip>
      )}
    </>
  );
}

/** Marks one span of a track that is shown. */
function outlineSpan(context: CanvasRenderingContext2D, scene: Scene, place: number, span: number): void {
  const { timeline, shown, from, to, width, labels, scroll, ink } = scene;
  const { start, end } = timeline.tracks[place]!.spans;
  const top = RULER_HEIGHT + shown.indexOf(place) * ROW_HEIGHT - scroll;
  if (!shown.includes(place) || top < RULER_HEIGHT - ROW_HEIGHT) return;
  const [left, right] = [start[span]!, end[span]!].map((time) => {
    const x = labels + ((time - from) / (to - from)) * (width - labels);
    return Math.max(labels, Math.min(width, x));
  }) as [number, number];
  context.strokeStyle = ink.mark;
  context.lineWidth = 2;
  context.strokeRect(left, top + 1, Math.max(2, right - left), ROW_HEIGHT - 2);
}

interface OverviewProps {
  readonly timeline: Timeline;
  readonly events: number;
  readonly limits: Range;
  readonly range: Range;
  readonly labels: number;
  readonly width: number;
  readonly onRange: (range: Range) => void;
}

/** All of the time, and what of it is shown: to be dragged. */
function Overview({ timeline, events, limits, range, labels, width, onRange }: OverviewProps) {
  const theme = useTheme();
  const plot = Math.max(1, width - labels);
  const counts = useMemo(
    () => overview(timeline, limits[0], limits[1], Math.max(1, Math.floor(plot / 2))),
    [timeline, limits, plot],
  );
  const most = useMemo(() => counts.reduce((max, count) => Math.max(max, count), 1), [counts]);
  const isDown = useRef(false);
  const xOf = (time: number): number => labels + ((time - limits[0]) / (limits[1] - limits[0])) * plot;
  const go = (pointer: PointerEvent): void => {
    const time = limits[0] + ((placeIn(pointer).x - labels) / plot) * (limits[1] - limits[0]);
    onRange(moved(range, time - (range[0] + range[1]) / 2, limits));
  };
  return (
    <Canvas
      width={width}
      height={OVERVIEW_HEIGHT}
      class="overview"
      role="img"
      aria-label={`${plural(events, 'event')} in ${formatDuration(limits[1] - limits[0])}`}
      onPointerDown={(pointer: PointerEvent) => {
        (pointer.currentTarget as HTMLElement).setPointerCapture(pointer.pointerId);
        isDown.current = true;
        go(pointer);
      }}
      onPointerMove={(pointer: PointerEvent) => {
        if (isDown.current) go(pointer);
      }}
      onPointerUp={() => {
        isDown.current = false;
      }}
      depends={[counts, range, theme.isDark, labels]}
      draw={(context) => {
        context.font = `12px ${FONT}`;
        context.textBaseline = 'middle';
        context.fillStyle = theme.faint;
        context.fillText(plural(events, 'event'), 12, OVERVIEW_HEIGHT / 2, labels - 16);
        context.fillStyle = theme.faint;
        for (let bin = 0; bin < counts.length; bin++) {
          if (counts[bin] === 0) continue;
          const height = Math.max(1, (Math.sqrt(counts[bin]! / most) * (OVERVIEW_HEIGHT - 6)) | 0);
          context.fillRect(labels + bin * 2, OVERVIEW_HEIGHT - 2 - height, 2, height);
        }
        const [left, right] = [xOf(range[0]), xOf(range[1])];
        context.fillStyle = theme.accent;
        context.globalAlpha = 0.16;
        context.fillRect(left, 0, Math.max(2, right - left), OVERVIEW_HEIGHT);
        context.globalAlpha = 1;
        context.fillRect(left, 0, 1.5, OVERVIEW_HEIGHT);
        context.fillRect(Math.max(left + 1, right - 1.5), 0, 1.5, OVERVIEW_HEIGHT);
        context.fillStyle = theme.line;
        context.fillRect(0, OVERVIEW_HEIGHT - 1, width, 1);
      }}
    />
  );
}

/** What is shown of the time, kept in the address; all of it again when the limits change. */
function useSavedRange(limits: Range): ReturnType<typeof useFrameState<Range>> {
  const saved = useContext(SavedViewContext);
  const [range, setRange] = useFrameState<Range>(() => {
    const found = saved.get('zoom');
    return isRange(found) && found[0] >= limits[0] && found[1] <= limits[1] ? found : limits;
  });
  useChange(() => setRange(limits), [limits]);
  useEffect(() => {
    const isAll = range[0] === limits[0] && range[1] === limits[1];
    saved.set('zoom', isAll ? undefined : range);
  }, [range, limits]);
  return [range, setRange];
}

/** Places of tracks, kept in the address by their keys. */
function useSavedTracks(
  name: string,
  { tracks }: Timeline,
): [places: readonly number[], set: (places: readonly number[]) => void] {
  const [keys, setKeys] = useSaved<readonly number[]>(name, [], isNumbers);
  const places = useMemo(() => tracks.flatMap(({ key }, place) => (keys.includes(key) ? [place] : [])), [tracks, keys]);
  return [places, (next) => setKeys(next.map((place) => tracks[place]!.key))];
}

/** State that may change many times a frame, and is drawn once. */
function useFrameState<T>(initial: T | (() => T)): [T, (next: T | ((old: T) => T)) => void] {
  const [value, setValue] = useState(initial);
  const latest = useRef(value);
  const frame = useRef<number | undefined>(undefined);
  useEffect(
    () => () => {
      if (frame.current !== undefined) cancelAnimationFrame(frame.current);
    },
    [],
  );
  const set = (next: T | ((old: T) => T)): void => {
    latest.current = typeof next === 'function' ? (next as (old: T) => T)(latest.current) : next;
    frame.current ??= requestAnimationFrame(() => {
      frame.current = undefined;
      setValue(latest.current);
    });
  };
  return [value, set];
}

/** Of a section that has too many records: what of them is shown. */
function reducedText(section: Section, { section: shown, isReading, problem }: Detail, { bins }: Timeline): string {
  if (problem !== undefined) return `More of this time cannot be had: ${problem} · `;
  if (!section.isReduced) return '';
  const what = !shown.isReduced
    ? 'All events of this time'
    : bins === undefined
      ? `${formatCount(shown.rows)} of ${plural(shown.records, 'event')}, evenly picked`
      : `Reduced to sums of ${formatDuration(bins.width)}`;
  return `${what}${isReading ? '; reading more' : shown.isReduced ? '; zoom in for the events' : ''} · `;
}

/** What a section shows: its events, or where they are too many what tasks did, added up. */
function timelineOf(data: PageData, section: Section, kind: TrackKind): Timeline {
  const { spans, header, given, before } = section;
  if (spans?.bins === undefined) return buildTimeline(eventTableOf(section), header, kind, before);
  return sumsTimeline(spans, { ...timeRangeOf(data), ...given }, kind, header.hosts);
}

function limitsOf(section: Section, { manifest }: PageData, filters: readonly Filter[]): Range {
  const { start, end } = section.header;
  const seconds = end === null ? null : (Date.parse(end) - Date.parse(start)) / 1000;
  const wanted = filters.find((filter) => filter.kind === 'time') ?? manifest.filter;
  if (section.spans?.bins === undefined) {
    const times = section.times ?? [];
    const ends = times.length === 0 ? [] : [times[0]!, times[times.length - 1]!];
    return shownTime(
      ends.map((time) => Math.round(time * 1e9)),
      seconds,
      wanted,
    );
  }
  const { from = 0, to = manifest.served?.time.to } = wanted;
  return shownTime([], seconds, { from, ...(to === undefined ? {} : { to }) });
}

function placeOf({ tracks }: Timeline, key: number | undefined): number | undefined {
  const place = tracks.findIndex((track) => track.key === key);
  return place < 0 ? undefined : place;
}

function isTime(value: unknown): value is number {
  return Number.isFinite(value);
}

/** Conditions of all views on fields, as terms; those on time are the limits. */
function termsOf(section: Section, filters: readonly Filter[]): Term[] {
  return filters.flatMap((filter): Term[] => {
    if (filter.kind !== 'field') return [];
    // Sums have no columns, but know tasks all the same.
    const field = columnOf(section, filter.field)?.name ?? (filter.field === 'tid' ? 'pid' : filter.field);
    return [{ field, not: filter.not, matches: (text) => filter.values.includes(text) }];
  });
}

/** @param whole of all of the time: what is busy does not change while one zooms. */
function inOrder(
  { tracks, kind }: Timeline,
  places: readonly number[],
  order: Order,
  [from, to]: Range,
  whole: Timeline,
): number[] {
  const name = (a: number, b: number): number => {
    const [one, two] = [tracks[a]!, tracks[b]!];
    return (kind === 'cpu' || one.comm === two.comm ? 0 : one.comm < two.comm ? -1 : 1) || one.key - two.key;
  };
  const ofAll = new Map(whole.tracks.map((track) => [track.key, track]));
  const sorted = (value: (track: Track) => number): number[] => {
    const values = new Map(places.map((place) => [place, value(ofAll.get(tracks[place]!.key) ?? tracks[place]!)]));
    return [...places].sort((a, b) => values.get(a)! - values.get(b)! || name(a, b));
  };
  if (order === 'first') return sorted(({ first }) => first);
  if (order === 'activity' && kind !== 'cpu') return sorted((track) => -activityOf(track, from, to));
  return [...places].sort(name);
}

/** The events on tracks that are shown, in the time that is shown; those too that the bars show. */
function* eventRows(
  section: Section,
  { table, tracks, kind }: Timeline,
  shown: readonly number[],
  placeOf: Int32Array,
  [from, to]: Range,
): Generator<readonly (string | number)[]> {
  const fields = ['type', ...(section.header.fields ?? [])];
  const keys = new Set(shown.map((place) => String(tracks[place]!.key)));
  const ends = kind === 'cpu' ? ['cpu'] : ['pid', 'other_pid'];
  const isSwitchOfShown = (row: number): boolean =>
    section.textAt('type', row) === SHOWN_BY_SPANS && ends.some((field) => keys.has(section.textAt(field, row)));
  for (let row = 0; row < table.length; row++) {
    const time = table.time[row]!;
    if (time < from || time > to || (placeOf[row]! < 0 && !isSwitchOfShown(row))) continue;
    yield [time, ...fields.map((field) => section.textAt(field, row))];
  }
}

/** What the tracks that are shown come to in the time that is shown, where they are sums. */
function sumsTable({ kind, kinds, tracks }: Timeline, shown: readonly number[], [from, to]: Range): Table {
  const rows = shown.map((place) => {
    const { key, comm, spans } = tracks[place]!;
    const sums = kinds.map(() => 0);
    for (let i = 0; i < spans.length; i++) {
      sums[spans.kind[i]!]! += Math.max(0, Math.min(to, spans.end[i]!) - Math.max(from, spans.start[i]!));
    }
    return [key, ...(kind === 'pid' ? [comm] : []), ...sums.map(Math.round)];
  });
  return { head: [kind, ...(kind === 'pid' ? ['comm'] : []), ...kinds.map((name) => `${name}_ns`)], rows };
}

/** The place of the shown track of each event that is shown; -1 for the others. */
function trackOfRows({ table, tracks }: Timeline, shown: readonly number[], kept: Kept): Int32Array {
  const places = new Int32Array(table.length).fill(-1);
  for (const place of shown) for (const row of kept.rows.get(place) ?? tracks[place]!.rows) places[row] = place;
  return places;
}
