import { useMemo, useRef, useState } from 'preact/hooks';
import { formatCount, formatShare, formatTick, formatValue, plural, visible } from '../../common/text.ts';
import { axisTitle, pointAxes, roundTicks } from '../shape/axes.ts';
import { niceStep } from '../shape/bins.ts';
import { hashText } from '../shape/frame-colour.ts';
import { hasPid, type LabelBy, Labels, labelField } from '../shape/labels.ts';
import { layerColours, OTHER_COLOUR } from '../shape/palette.ts';
import { shownRange } from '../shape/range.ts';
import { type Corners, cornersOf, extentOf, placeOf, SeriesBuilder, SeriesSummary, valuesAt } from '../shape/series.ts';
import { moved, ordered, type Range, zoomed } from '../shape/zoom.ts';
import { isCount, isOneOf, isRange, isTexts, useSaved } from './address.ts';
import { InBase } from './base.tsx';
import { Canvas, type Place, type Theme, Tip, useChange, useSize, useTheme } from './canvas.tsx';
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
import type { ViewProps } from './views.ts';

const TOPS = [3, 6, 12, 24, 50] as const;
/** Lines of what is under the pointer. */
const TIP_LINES = 14;

type By = LabelBy;

/** A contributor, or all others together: a value per x. */
interface Layer {
  readonly key: string;
  readonly text: string;
  readonly colour: string;
  readonly values: Float64Array;
  /** What the records are narrowed to when only it is to be shown; undefined for the rest. */
  readonly filter: Extract<Filter, { kind: 'field' }> | undefined;
}

/** The largest contributors stacked on each other over x. Hover reads the values, the legend hides and shows, a drag selects a time. */
export function StackView({ data, section, filters, base, select }: ViewProps) {
  const theme = useTheme();
  const [ref, size] = useSize<HTMLDivElement>();
  const settings = useMemo(() => settingsOf(data), [data]);
  const [by, setBy] = useSaved<By>(
    'by',
    settings.by,
    isOneOf('comm', 'pid', ...(section.header.hosts === undefined ? [] : (['host'] as const))),
  );
  const [top, setTop] = useSaved('top', settings.top, isCount(1, TOPS.at(-1)!));
  const [isShare, setShare] = useSaved('percent', false);
  const [hiddenKeys, setHiddenKeys] = useSaved<readonly string[]>('hidden', [], isTexts);
  const hidden = useMemo(() => new Set(hiddenKeys), [hiddenKeys]);
  const setHidden = (keys: ReadonlySet<string>): void => setHiddenKeys([...keys]);
  const [zoom, setZoom] = useSaved<Range | undefined>('zoom', undefined, isRange);
  const [search, setSearch] = useSaved('search', '');
  const { terms, problem } = useTerms(search);
  const [span, setSpan] = useState<Range | undefined>();
  const [cursor, setCursor] = useState<number | undefined>();
  const [pointer, setPointer] = useState<Place | undefined>();
  const colours = useRef(new Map<string, string>());
  const drag = useRef<{ from: Place; last: Place; moves: boolean } | undefined>(undefined);

  const { header } = section;
  const { x: xAxis, y: yAxis } = pointAxes(header);
  const x = section.columns.get('x')!.values;
  const y = section.columns.get('y')!.values;
  const { labels, ids } = useMemo(() => labelRows(section, by), [section, by]);
  const mask = useMemo(() => searchedMask(section, filters, terms), [section, filters, terms]);
  const summary = useMemo(() => {
    const all = new SeriesSummary();
    for (let row = 0; row < x.length; row++) if (mask?.[row] !== 0) all.add(x[row]!, y[row]!, ids[row]!);
    return all;
  }, [x, y, ids, mask]);
  const means = useMemo(() => {
    if (base === undefined) return undefined;
    const before = sameSection(base.data, section) ?? section;
    return { own: meansOf(section, by, mask), before: meansOf(before, by, searchedMask(before, base.filters, terms)) };
  }, [section, by, mask, terms, base]);
  const isTime = section.times !== undefined;
  const home = useMemo(
    () => shownRange(header, askedTime(data, filters), extentOf(summary, isTime)),
    [header, data, filters, summary, isTime],
  );
  const chosen = useMemo(() => summary.largest(top), [summary, top]);
  const view: Range = zoom ?? home;
  const series = useMemo(() => {
    // Beyond what is shown, so that lines go on to its edges.
    const width = view[1] - view[0];
    const isNear = (row: number): boolean =>
      mask?.[row] !== 0 && (zoom === undefined || (x[row]! >= view[0] - width && x[row]! <= view[1] + width));
    const near = zoom === undefined ? summary : new SeriesSummary();
    if (near !== summary)
      for (let row = 0; row < x.length; row++) if (isNear(row)) near.add(x[row]!, y[row]!, ids[row]!);
    const builder = new SeriesBuilder(near, chosen);
    for (let row = 0; row < x.length; row++) if (isNear(row)) builder.add(x[row]!, y[row]!, ids[row]!);
    return builder.finish();
  }, [x, y, ids, mask, summary, chosen, zoom]);
  const layers = useMemo((): Layer[] => {
    const keys = chosen.map((label) => labels.key(label));
    const paint = layerColours(keys, hashText, colours.current);
    const own = chosen.map((label, i): Layer => {
      const pids = labels.pids(label);
      const filter: Layer['filter'] =
        by === 'pid' && pids !== undefined
          ? { kind: 'field', field: 'pid', values: pids.map(String), not: false }
          : { kind: 'field', field: labelField(header, by), values: [labels.name(label)], not: false };
      return { key: keys[i]!, text: labels.text(label), colour: paint[i]!, values: series.layers[i]!, filter };
    });
    const rest = summary.totals.size - chosen.length;
    return rest <= 0
      ? own
      : [
          ...own,
          {
            key: '',
            text: `other (${rest})`,
            colour: OTHER_COLOUR,
            values: series.other ?? new Float64Array(series.x.length),
            filter: undefined,
          },
        ];
  }, [series, chosen, labels, summary, by, header]);
  const shown = useMemo(() => layers.filter(({ key }) => !hidden.has(key)), [layers, hidden]);
  const totals = useMemo(
    () => Float64Array.from(series.x, (_, i) => shown.reduce((sum, { values }) => sum + values[i]!, 0)),
    [series, shown],
  );

  useChange(() => {
    setZoom(undefined);
    setSpan(undefined);
    setCursor(undefined);
  }, [section, filters]);
  useChange(() => {
    colours.current = new Map();
    setHidden(new Set());
  }, [section, by]);

  const area = areaIn(size, 20);
  const highest = isShare ? 100 : highestIn(series.x, totals, view);
  const unit = visible(yAxis.unit);
  const value = (amount: number): string => `${formatValue(amount)} ${unit}`.trim();
  const at = cursor === undefined ? undefined : placeOf(series.x, cursor, isTime);
  const xValue = (pixel: number): number =>
    Math.max(view[0], Math.min(view[1], valueAt(pixel, view, area.left, area.width)));
  const zoomBy = (factor: number, about: number): void =>
    setZoom(zoomed(view, about, factor, home, (home[1] - home[0]) * 1e-9));
  const moveBy = (pixels: number): void => setZoom(moved(view, (-pixels / area.width) * (view[1] - view[0]), home));
  const keep = (range: Range): void => {
    setSpan(undefined);
    if (isTime && range[1] > range[0]) select({ kind: 'time', from: range[0], to: range[1] });
    else if (range[1] > range[0]) setZoom(range);
  };
  const toggle = (key: string): void => {
    const next = new Set(hidden);
    if (!next.delete(key)) next.add(key);
    setHidden(next);
  };

  const onPointerDown = (event: PointerEvent): void => {
    const place = placeIn(event);
    if (event.button > 1 || !isWithin(area, place)) return;
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    drag.current = { from: place, last: place, moves: event.shiftKey || event.button === 1 };
  };
  const onPointerMove = (event: PointerEvent): void => {
    const place = placeIn(event);
    const now = drag.current;
    if (now === undefined) {
      const isIn = isWithin(area, place);
      setPointer(isIn ? { x: event.clientX, y: event.clientY } : undefined);
      setCursor(isIn ? xValue(place.x) : undefined);
      return;
    }
    drag.current = { ...now, last: place };
    setPointer(undefined);
    if (now.moves) moveBy(place.x - now.last.x);
    else setSpan(ordered(xValue(now.from.x), xValue(place.x)));
  };
  const onPointerUp = (event: PointerEvent): void => {
    const now = drag.current;
    drag.current = undefined;
    if (now === undefined || now.moves) return;
    const place = placeIn(event);
    if (Math.abs(place.x - now.from.x) < 4) setSpan(undefined);
    else keep(ordered(xValue(now.from.x), xValue(place.x)));
  };
  const onWheel = (event: WheelEvent): void => {
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) moveBy(-(event.deltaX || event.deltaY));
    else zoomBy(wheelFactor(event), xValue(placeIn(event).x));
  };
  const onKey = (event: KeyboardEvent): void => {
    const place = at ?? placeOf(series.x, (view[0] + view[1]) / 2, isTime);
    const here = place === undefined ? undefined : series.x[place];
    const step = event.key === 'ArrowLeft' ? -1 : event.key === 'ArrowRight' ? 1 : 0;
    if (step !== 0 && place !== undefined && here !== undefined) {
      const next = series.x[Math.max(0, Math.min(series.x.length - 1, place + (cursor === undefined ? 0 : step)))]!;
      if (next < view[0] || next > view[1]) setZoom(moved(view, next - here, home));
      if (event.shiftKey) setSpan(span === undefined ? ordered(here, next) : ordered(far(span, here), next));
      else setSpan(undefined);
      setCursor(next);
    } else if (event.key === '+' || event.key === '=') zoomBy(1 / KEY_FACTOR, here ?? view[0]);
    else if (event.key === '-') zoomBy(KEY_FACTOR, here ?? view[0]);
    else if (event.key === 'Enter' && span !== undefined) keep(span);
    else if (event.key === '0' || event.key === 'Escape') {
      if (span !== undefined) setSpan(undefined);
      else setZoom(undefined);
    } else return;
    event.preventDefault();
  };

  const last = series.x.length - 1;
  const peak = totals.reduce((a, b) => Math.max(a, b), 0);
  // Where nothing is pointed at: the end of time, else where there is most.
  const read = at ?? (isTime ? last : totals.indexOf(peak));
  const readAt =
    read < 0 ? '' : `${formatTick(Number((series.x[read] ?? 0).toPrecision(6)))} ${visible(xAxis.unit)}`.trim();
  const numbers = [
    plural(summary.count, 'record'),
    plural(summary.totals.size, 'contributor'),
    ...(last < 0 ? [] : [`${isTime ? `total ${value(totals[last]!)} at the end, ` : ''}at most ${value(peak)}`]),
    ...(series.averaged ? ['each point is a mean over its neighbours: zoom in for more'] : []),
  ].join(' · ');
  const readText = at === undefined ? numbers : `${readAt}: ${value(totals[at]!)} in all · ${numbers}`;
  const title = axisTitle(xAxis);
  const yTitle = isShare ? `share of ${visible(yAxis.label)} (%)` : axisTitle(yAxis);
  useTable(() => ({
    head: [title, ...shown.map(({ text }) => text)],
    rows: series.x.map((position, i) => [position, ...shown.map(({ values }) => values[i]!)]),
  }));
  return (
    <>
      <div class="bar" role="toolbar" aria-label="Stack plot">
        <button type="button" onClick={() => setZoom(undefined)} disabled={zoom === undefined} title="0">
          Show all
        </button>
        <span class="group">
          {visible(xAxis.label)}:
          <button
            type="button"
            onClick={() => zoomBy(KEY_FACTOR, (view[0] + view[1]) / 2)}
            title="Zoom out: - or the wheel"
            aria-label="Zoom out"
          >
            −
          </button>
          <button
            type="button"
            onClick={() => zoomBy(1 / KEY_FACTOR, (view[0] + view[1]) / 2)}
            title="Zoom in: + or the wheel"
            aria-label="Zoom in"
          >
            +
          </button>
        </span>
        {(hasPid(header) || header.hosts !== undefined) && (
          <span class="group">
            Each:
            <button type="button" aria-pressed={by === 'comm'} onClick={() => setBy('comm')}>
              name
            </button>
            {hasPid(header) && (
              <button type="button" aria-pressed={by === 'pid'} onClick={() => setBy('pid')}>
                process
              </button>
            )}
            {header.hosts !== undefined && (
              <button type="button" aria-pressed={by === 'host'} onClick={() => setBy('host')}>
                host
              </button>
            )}
          </span>
        )}
        <label>
          Largest{' '}
          <select value={String(top)} onChange={(event) => setTop(Number(event.currentTarget.value))}>
            {[...new Set([...TOPS, settings.top])]
              .sort((a, b) => a - b)
              .map((count) => (
                <option key={count} value={String(count)}>
                  {count}
                </option>
              ))}
          </select>
        </label>
        <button type="button" aria-pressed={isShare} onClick={() => setShare(!isShare)}>
          Percent
        </button>
        <button type="button" onClick={() => setHidden(new Set())} disabled={hidden.size === 0}>
          Unhide all
        </button>
        <span class="space" />
        <RecordSearch
          section={section}
          text={search}
          onInput={setSearch}
          problem={problem}
          found={`${plural(summary.totals.size, 'contributor')} matched`}
        />
      </div>
      <div class="view columns">
        <div class="plot" ref={ref}>
          <Canvas
            width={size.width}
            height={size.height}
            aria-hidden="true"
            depends={[series, shown, view[0], view[1], isShare, theme.isDark]}
            draw={(context) => {
              drawLayers(context, theme, area, {
                corners: cornersOf(series.x, isTime),
                layers: shown,
                totals,
                isShare,
                highest,
                view,
              });
              const ticks = roundTicks([0, highest], Math.max(2, area.height / 50));
              drawXAxis(context, theme, area, view, title);
              drawYAxis(
                context,
                theme,
                area,
                ticks.map((tick) => [tick, area.top + area.height * (1 - tick / highest)]),
                yTitle,
              );
              if (series.x.length > 0) return;
              context.fillStyle = theme.faint;
              context.textAlign = 'center';
              context.fillText('Nothing with these filters.', area.left + area.width / 2, area.top + area.height / 2);
            }}
          />
          <Canvas
            class="over"
            width={size.width}
            height={size.height}
            tabIndex={0}
            role="application"
            aria-label={`Stack plot. ${readText}`}
            onKeyDown={onKey}
            onPointerDown={onPointerDown}
            onPointerMove={onPointerMove}
            onPointerUp={onPointerUp}
            onPointerLeave={() => {
              setPointer(undefined);
              setCursor(undefined);
            }}
            onDblClick={() => setZoom(undefined)}
            onWheel={onWheel}
            depends={[at, span, view[0], view[1], series, theme.isDark]}
            draw={(context) => {
              if (span !== undefined) {
                const [from, to] = span.map((edge) => pixelOf(edge, view, area.left, area.width));
                context.fillStyle = `${theme.accent}40`;
                context.fillRect(from!, area.top, to! - from!, area.height);
              }
              if (at === undefined) return;
              const pixel = Math.round(pixelOf(series.x[at]!, view, area.left, area.width)) + 0.5;
              line(context, theme.ink, pixel, area.top, pixel, area.top + area.height);
            }}
          />
        </div>
        <aside class="legend" aria-label="Legend">
          {means === undefined ? (
            <h3>
              {readAt === '' ? 'Nothing' : `At ${readAt}`} {read >= 0 && `· ${value(totals[read]!)} in all`}
            </h3>
          ) : (
            <h3>
              Mean · {value(sumOf(means.own))} in all
              <InBase>{value(sumOf(means.before))}</InBase>
            </h3>
          )}
          <ul>
            {layers.toReversed().map(({ key, text, colour, values, filter }) => (
              <li key={key}>
                <button
                  type="button"
                  class="plain"
                  aria-pressed={!hidden.has(key)}
                  title={hidden.has(key) ? 'Show it' : 'Hide it'}
                  onClick={() => toggle(key)}
                >
                  <i style={{ background: hidden.has(key) ? 'none' : colour, borderColor: colour }} />
                  {text}
                </button>
                {means === undefined ? (
                  <span>{read < 0 ? '' : value(values[read]!)}</span>
                ) : (
                  <span>
                    {key !== '' && value(means.own.get(key) ?? 0)}
                    {key !== '' && <InBase>{value(means.before.get(key) ?? 0)}</InBase>}
                  </span>
                )}
                {filter !== undefined && (
                  <>
                    <button
                      type="button"
                      class="only"
                      title="Show only this, in all views"
                      onClick={() => select(filter)}
                    >
                      only
                    </button>
                    <button
                      type="button"
                      class="only"
                      title="Show all but this, in all views"
                      onClick={() => select({ ...filter, not: true })}
                    >
                      hide
                    </button>
                  </>
                )}
              </li>
            ))}
          </ul>
        </aside>
      </div>
      <div class="status" role="status">
        {readText}
      </div>
      {pointer !== undefined && at !== undefined && (
        <Tip at={pointer}>
          <b>
            {readAt}: {value(totals[at]!)}
          </b>
          {shown
            .filter(({ values }) => values[at]! !== 0)
            .slice(-TIP_LINES)
            .toReversed()
            .map(({ key, text, colour, values }) => (
              <div key={key} class="entry">
                <i style={{ background: colour, borderColor: colour }} />
                {text}: {value(values[at]!)} ({formatShare(values[at]!, totals[at]!)})
              </div>
            ))}
          {shown.filter(({ values }) => values[at]! !== 0).length > TIP_LINES && (
            <div class="faint">
              and {formatCount(shown.filter(({ values }) => values[at]! !== 0).length - TIP_LINES)} more
            </div>
          )}
        </Tip>
      )}
    </>
  );
}

/** What the config says of stack plots, where the page is of one. */
function settingsOf({ manifest }: PageData): { by: By; top: number } {
  const options = manifest.view === 'stackplot' ? manifest.options : {};
  const by = manifest.byHost === true ? 'host' : options['by'] === 'pid' ? 'pid' : 'comm';
  return { by, top: Number(options['top'] ?? 12) };
}

/** The number of each record's contributor. */
function labelRows(section: Section, by: By): { labels: Labels; ids: Int32Array } {
  const labels = new Labels(section.header, by);
  const field = labelField(section.header, by);
  const pids = hasPid(section.header) ? section.columns.get('pid') : undefined;
  const ids = new Int32Array(section.rows);
  for (let row = 0; row < ids.length; row++) {
    const pid = pids === undefined ? undefined : Number(section.textAt('pid', row));
    ids[row] = labels.of(section.textAt(field, row), pid);
  }
  return { labels, ids };
}

/** By the keys of the contributors, the mean over the positions that there are any records at. */
function meansOf(section: Section, by: By, mask: Uint8Array | undefined): ReadonlyMap<string, number> {
  const { labels, ids } = labelRows(section, by);
  const [x, y] = [section.columns.get('x')!.values, section.columns.get('y')!.values];
  const positions = new Set<number>();
  const sums = new Map<number, number>();
  for (let row = 0; row < x.length; row++) {
    if (mask?.[row] === 0) continue;
    positions.add(x[row]!);
    sums.set(ids[row]!, (sums.get(ids[row]!) ?? 0) + y[row]!);
  }
  return new Map([...sums].map(([label, sum]) => [labels.key(label), sum / positions.size]));
}

function sumOf(means: ReadonlyMap<string, number>): number {
  return [...means.values()].reduce((sum, mean) => sum + mean, 0);
}

/** The end of a range that is not here. */
function far([from, to]: Range, here: number): number {
  return Math.abs(from - here) > Math.abs(to - here) ? from : to;
}

/** A round number that is not below any total in view. */
function highestIn(x: readonly number[], totals: Float64Array, [from, to]: Range): number {
  let highest = 0;
  for (let i = 0; i < totals.length; i++) {
    // The line to the next point may be in view where the point is not.
    const isIn = (x[i + 1] ?? x[i]!) >= from && (x[i - 1] ?? x[i]!) <= to;
    if (isIn && totals[i]! > highest) highest = totals[i]!;
  }
  if (!(highest > 0)) return 1;
  const step = niceStep(highest / 20);
  return Math.ceil(highest / step - 1e-9) * step;
}

interface Drawn {
  readonly corners: Corners;
  readonly layers: readonly Layer[];
  readonly totals: Float64Array;
  readonly isShare: boolean;
  readonly highest: number;
  readonly view: Range;
}

function drawLayers(context: CanvasRenderingContext2D, theme: Theme, area: Area, drawn: Drawn): void {
  const { layers, corners, isShare, highest, view } = drawn;
  const { x } = corners;
  const totals = valuesAt(corners, drawn.totals);
  const left = Math.max(0, x.findIndex((position) => position >= view[0]) - 1);
  const right = Math.min(x.length - 1, Math.max(0, x.findLastIndex((position) => position <= view[1]) + 1));
  if (x.length === 0) return;
  const base = new Float64Array(x.length);
  const heightOf = (sum: number, i: number): number => {
    const whole = isShare ? totals[i]! : highest;
    return whole > 0 ? area.top + area.height * (1 - sum / whole) : area.top + area.height;
  };
  const pixels = Float64Array.from(x, (position) => pixelOf(position, view, area.left, area.width));
  context.save();
  context.beginPath();
  context.rect(area.left, area.top, area.width, area.height);
  context.clip();
  for (const { colour, values } of layers) {
    const own = valuesAt(corners, values);
    context.beginPath();
    for (let i = left; i <= right; i++) context.lineTo(pixels[i]!, heightOf(base[i]!, i));
    for (let i = right; i >= left; i--) {
      base[i]! += own[i]!;
      context.lineTo(pixels[i]!, heightOf(base[i]!, i));
    }
    context.closePath();
    context.fillStyle = colour;
    context.fill();
    // Between many points the lines would cover what they part.
    if (right - left > area.width / 4) continue;
    context.strokeStyle = theme.back;
    context.lineWidth = 0.7;
    context.stroke();
  }
  context.restore();
}
