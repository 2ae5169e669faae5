import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { RUNNABLE } from '../../analysis/scheduling.ts';
import { ConnectionCounter, isConnections } from '../../analysis/stats/connections.ts';
import { cpuOf, pidOf } from '../../common/host-keys.ts';
import { formatCount, formatShare, plural, visible } from '../../common/text.ts';
import { eventColumns, sliceTable } from '../shape/event-table.ts';
import { SPAN_RUNNING } from '../shape/spans.ts';
import { taskName } from '../shape/task-name.ts';
import { formatDuration } from '../shape/time-scale.ts';
import { type ColourBy, READY_COLOUR, RUNNING_COLOUR, SHAPES, shapeOf, typeColour } from '../shape/timeline-draw.ts';
import {
  countTypes,
  cpuNumbers,
  type Other,
  rowsBetween,
  type TaskNumbers,
  type TypeCount,
  taskNumbers,
} from '../shape/track-numbers.ts';
import { SHOWN_BY_SPANS, type Timeline, type Track } from '../shape/tracks.ts';
import type { Range } from '../shape/zoom.ts';
import { InBase } from './base.tsx';
import type { Filter } from './filters.ts';
import { KeyList, VIEW_KEYS } from './keys.tsx';
import type { PageData, Section } from './model.ts';
import { spanWords } from './timeline-tip.tsx';
import { SpanDetails } from './timeline-wait.tsx';

const LISTED = 8;
/** While one zooms or moves, the numbers wait: milliseconds. */
const SETTLES = 120;

/** Another range of time, and what happened then. */
export interface Before {
  readonly timeline: Timeline;
  readonly range: Range;
}

interface PanelProps {
  readonly data: PageData;
  readonly section: Section;
  readonly timeline: Timeline;
  readonly place: number;
  /** Of the track, where one is chosen. */
  readonly span: number | undefined;
  readonly range: Range;
  /** What is compared with, where there is something. */
  readonly before: Before | undefined;
  readonly choose: (place: number) => void;
  /** Another span of the track. */
  readonly chooseSpan: (span: number) => void;
  readonly close: () => void;
  readonly select: (...filters: readonly Filter[]) => void;
}

/** What a track comes to in the time that is shown. */
export function TimelinePanel(props: PanelProps) {
  const { data, section, timeline, place, span, range, before, choose, chooseSpan, close, select } = props;
  const [from, to] = useSettled(range);
  const track = timeline.tracks[place]!;
  const types = useMemo(() => countTypes(timeline.table, track.rows, from, to), [timeline, track, from, to]);
  const field = timeline.kind === 'pid' && timeline.hasSpans ? 'tid' : timeline.kind;
  const only = (own: string, value: string, not: boolean): void =>
    select({ kind: 'field', field: own, values: [value], not });
  const panel = useRef<HTMLElement>(null);
  // What a span is stands above the list from which it was chosen.
  useEffect(() => {
    if (span !== undefined && panel.current !== null) panel.current.scrollTop = 0;
  }, [place, span]);
  return (
    <aside aria-label="Selected track" class="selection" ref={panel}>
      <h2>{track.label}</h2>
      <div class="faint">
        in the {formatDuration(to - from)} shown
        {before !== undefined && ` (and in the ${formatDuration(lengthOf(before))} of the base)`}
      </div>
      <div class="buttons">
        <button
          type="button"
          disabled={track.key < 0}
          title="Narrows all views to it"
          onClick={() => only(field, String(track.key), false)}
        >
          Only it
        </button>
        <button
          type="button"
          disabled={track.key < 0}
          title="Narrows all views to all but it"
          onClick={() => only(field, String(track.key), true)}
        >
          All but it
        </button>
        {track.comm !== '' && (
          <button type="button" onClick={() => only('comm', track.comm, false)}>
            Only {visible(track.comm)}
          </button>
        )}
        <button type="button" onClick={close} title="Esc">
          Close
        </button>
      </div>
      {span !== undefined && <SpanDetails data={data} timeline={timeline} place={place} span={span} select={select} />}
      {timeline.hasSpans &&
        (timeline.kind === 'cpu' ? (
          <CpuTimes timeline={timeline} track={track} from={from} to={to} before={before} />
        ) : (
          <TaskTimes timeline={timeline} track={track} from={from} to={to} before={before} choose={choose} />
        ))}
      {timeline.bins !== undefined && (
        <p class="faint">These are sums: zoom in for each of its waits, who woke it and why.</p>
      )}
      {timeline.hasSpans && timeline.kind === 'pid' && timeline.bins === undefined && (
        <LongestWaits timeline={timeline} place={place} from={from} to={to} choose={chooseSpan} />
      )}
      {isConnections(section.header) && timeline.kind === 'pid' && (
        <Peers timeline={timeline} track={track} from={from} to={to} choose={choose} />
      )}
      {types.length > 0 && (
        <>
          <h3>Events</h3>
          <ul class="weights">
            {types.slice(0, LISTED).map(({ type, count }) => (
              <li key={type}>
                <span>{formatCount(count)}</span>
                {visible(type)}
              </li>
            ))}
          </ul>
        </>
      )}
    </aside>
  );
}

interface TimesProps {
  readonly timeline: Timeline;
  readonly track: Track;
  readonly from: number;
  readonly to: number;
}

type ComparedProps = TimesProps & Pick<PanelProps, 'before'>;

function TaskTimes({ timeline, track, from, to, before, choose }: ComparedProps & Pick<PanelProps, 'choose'>) {
  const numbers = useMemo(() => taskNumbers(timeline, track, from, to), [timeline, track, from, to]);
  const base = useMemo(() => {
    const own = before && trackIn(before, track);
    return before && own && taskNumbers(before.timeline, own, ...before.range);
  }, [track, before]);
  const { running, waits, latency, switches, preempted, cpus, wakers, wakes } = numbers;
  const all = to - from;
  const waitOf = ({ waits: of }: TaskNumbers, wanted: string): number =>
    of.find(({ reason }) => reason === wanted)?.time ?? 0;
  const ready = waitOf(numbers, RUNNABLE);
  const reasons = new Set([...waits, ...(base?.waits ?? [])].map(({ reason }) => reason));
  reasons.delete(RUNNABLE);
  const compared = (time: (of: TaskNumbers) => number) =>
    base !== undefined && before !== undefined && <InBase>{timeText(time(base), lengthOf(before))}</InBase>;
  const ms = (value: number | null): string => (value === null ? '–' : formatDuration(value * 1e6));
  return (
    <>
      <dl class="times">
        <dt>Running</dt>
        <dd>
          {formatDuration(running)} <span class="faint">({formatShare(running, all)})</span>
          {compared((of) => of.running)}
        </dd>
        <dt>Waiting for a CPU</dt>
        <dd>
          {formatDuration(ready)} <span class="faint">({formatShare(ready, all)})</span>
          {compared((of) => waitOf(of, RUNNABLE))}
        </dd>
        {[...reasons].map((reason) => (
          <>
            <dt key={reason}>{REASON_TITLES.get(reason) ?? reason}</dt>
            <dd>
              {formatDuration(waitOf(numbers, reason))}{' '}
              <span class="faint">({formatShare(waitOf(numbers, reason), all)})</span>
              {compared((of) => waitOf(of, reason))}
            </dd>
          </>
        ))}
        {timeline.bins === undefined && (
          <>
            <dt>Left a CPU</dt>
            <dd>
              {plural(switches, 'time')}, {formatCount(preempted)} of them able to go on
              {base !== undefined && <InBase>{`${formatCount(base.switches)}, ${formatCount(base.preempted)}`}</InBase>}
            </dd>
          </>
        )}
      </dl>
      {latency.count > 0 && (
        <>
          <h3>From ready to running ({formatCount(latency.count)})</h3>
          <dl class="measures">
            {(['p50', 'p90', 'p99', 'max'] as const).map((name) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>
                  {ms(latency[name])}
                  {base !== undefined && <InBase>{ms(base.latency[name])}</InBase>}
                </dd>
              </div>
            ))}
          </dl>
        </>
      )}
      {cpus.length > 0 && (
        <>
          <h3>Ran on</h3>
          <ul class="weights">
            {cpus.slice(0, LISTED).map(({ cpu, time }) => (
              <li key={cpu}>
                <span>{formatShare(time, running)}</span>cpu {cpuOf(cpu)}
              </li>
            ))}
          </ul>
        </>
      )}
      <Others title="Woken by" others={wakers} timeline={timeline} choose={choose} />
      <Others title="Wakes" others={wakes} timeline={timeline} choose={choose} />
    </>
  );
}

function lengthOf({ range }: Before): number {
  return range[1] - range[0];
}

/** The same task or CPU; undefined where there is nothing of it. */
function trackIn({ timeline }: Before, { key }: Track): Track | undefined {
  return timeline.tracks.find((track) => track.key === key);
}

/** A time, and how much of all it is. */
function timeText(time: number, all: number): string {
  return `${formatDuration(time)}, ${formatShare(time, all)}`;
}

const REASON_TITLES: ReadonlyMap<string, string> = new Map(
  Object.entries<string>({
    sleeping: 'Sleeping',
    disk: 'Waiting for a disk (D)',
    idle: 'Idle (kernel thread)',
    stopped: 'Stopped',
    traced: 'Traced',
    parked: 'Parked',
    unknown: 'Not known',
  }),
);

function CpuTimes({ timeline, track, from, to, before }: ComparedProps) {
  const tasks = useMemo(() => cpuNumbers(timeline, track, from, to), [timeline, track, from, to]);
  const base = useMemo(() => {
    const own = before && trackIn(before, track);
    return before && own && cpuNumbers(before.timeline, own, ...before.range);
  }, [track, before]);
  const sum = (of: readonly { readonly time: number }[]): number => of.reduce((total, { time }) => total + time, 0);
  const busy = sum(tasks);
  return (
    <>
      <dl class="times">
        <dt>Busy</dt>
        <dd>
          {formatDuration(busy)} <span class="faint">({formatShare(busy, to - from)})</span>
          {base !== undefined && before !== undefined && <InBase>{timeText(sum(base), lengthOf(before))}</InBase>}
        </dd>
      </dl>
      <h3>Ran ({formatCount(tasks.length)} tasks)</h3>
      <ul class="weights">
        {tasks.slice(0, 2 * LISTED).map(({ pid, comm, time }) => (
          <li key={`${pid} ${comm}`}>
            <span>{formatShare(time, to - from)}</span>
            {taskName(comm, pid)}
          </li>
        ))}
      </ul>
    </>
  );
}

interface LongestProps {
  readonly timeline: Timeline;
  readonly place: number;
  readonly from: number;
  readonly to: number;
  readonly choose: (span: number) => void;
}

/** The longest spans in which a task did not run: a click shows why. */
function LongestWaits({ timeline, place, from, to, choose }: LongestProps) {
  const { spans } = timeline.tracks[place]!;
  const longest = useMemo(() => {
    const waits: number[] = [];
    for (let span = 0; span < spans.length; span++) {
      if (spans.kind[span] !== SPAN_RUNNING && spans.end[span]! > from && spans.start[span]! < to) waits.push(span);
    }
    const length = (span: number): number => spans.end[span]! - spans.start[span]!;
    return waits.sort((a, b) => length(b) - length(a)).slice(0, LISTED);
  }, [spans, from, to]);
  if (longest.length === 0) return null;
  return (
    <>
      <h3>Longest waits</h3>
      <ul class="weights">
        {longest.map((span) => (
          <li key={span}>
            <span>{formatDuration(spans.end[span]! - spans.start[span]!)}</span>
            <button type="button" class="plain" title="Why it waited" onClick={() => choose(span)}>
              {spanWords(timeline, place, span)}
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

function Others({
  title,
  others,
  timeline,
  choose,
}: {
  readonly title: string;
  readonly others: readonly Other[];
  readonly timeline: Timeline;
  readonly choose: (place: number) => void;
}) {
  if (others.length === 0) return null;
  const total = others.reduce((sum, { count }) => sum + count, 0);
  return (
    <>
      <h3>{title}</h3>
      <ul class="weights">
        {others.slice(0, LISTED).map(({ key, comm, count }) => (
          <li key={key}>
            <span>{formatCount(count)}</span>
            <span>{formatShare(count, total)}</span>
            <TrackLink timeline={timeline} track={key} choose={choose}>
              {key < 0 ? `a ${comm}` : taskName(comm, key)}
            </TrackLink>
          </li>
        ))}
      </ul>
      {others.length > LISTED && <div class="faint">and {formatCount(others.length - LISTED)} more</div>}
    </>
  );
}

function TrackLink({
  timeline,
  track,
  choose,
  children,
}: {
  readonly timeline: Timeline;
  readonly track: number | null;
  readonly choose: (place: number) => void;
  readonly children: preact.ComponentChildren;
}) {
  const place = timeline.tracks.findIndex(({ key }) => key === track);
  if (place < 0 || track === null || track < 0) return <>{children}</>;
  return (
    <button type="button" class="plain" onClick={() => choose(place)}>
      {children}
    </button>
  );
}

/** Who a process talks to, by connection. */
function Peers({ timeline, track, from, to, choose }: TimesProps & Pick<PanelProps, 'choose'>) {
  const pairs = useMemo(() => {
    const counter = new ConnectionCounter('pid');
    const part = sliceTable(timeline.table, ...rowsBetween(timeline.table, from, to));
    counter.add(eventColumns(part, counter.want));
    return counter
      .stats(Number.POSITIVE_INFINITY)
      .pairs.filter(({ client, server }) => client.pid === track.key || server.pid === track.key);
  }, [timeline, track, from, to]);
  if (pairs.length === 0) return null;
  const bytes = (size: number | null): string => (size === null ? '' : formatBytes(size));
  return (
    <>
      <h3>Talks to</h3>
      <table class="peers">
        <thead>
          <tr>
            <th scope="col">opened</th>
            <th scope="col">sent</th>
            <th scope="col">received</th>
            <th scope="col">with</th>
          </tr>
        </thead>
        <tbody>
          {pairs.slice(0, 2 * LISTED).map((pair) => {
            const isClient = pair.client.pid === track.key;
            const peer = isClient ? pair.server : pair.client;
            const [sent, received] = isClient
              ? [pair.bytes_to_server, pair.bytes_to_client]
              : [pair.bytes_to_client, pair.bytes_to_server];
            return (
              <tr key={`${pair.client.pid} ${pair.server.pid} ${pair.server.port} ${peer.comm}`}>
                <td>{formatCount(pair.opened)}</td>
                <td>{bytes(sent)}</td>
                <td>{bytes(received)}</td>
                <td>
                  {isClient ? '→ ' : '← '}
                  <TrackLink timeline={timeline} track={peer.pid} choose={choose}>
                    {visible(peer.comm)}
                    {peer.pid === null ? '' : `(${pidOf(peer.pid)})`}
                  </TrackLink>
                  {pair.server.port === null ? '' : ` port ${pair.server.port}`}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </>
  );
}

function formatBytes(size: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let [value, unit] = [size, 0];
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toPrecision(3))} ${units[unit]}`;
}

interface LegendProps {
  readonly timeline: Timeline;
  readonly types: readonly TypeCount[];
  readonly colourBy: ColourBy;
}

/** What colours and shapes mean, and the keys. */
export function TimelineLegend({ timeline, types, colourBy }: LegendProps) {
  return (
    <aside aria-label="Legend" class="legend timeline-legend">
      {timeline.hasSpans && (
        <>
          <h3>Bars</h3>
          <ul>
            <li>
              <i style={{ background: RUNNING_COLOUR, borderColor: RUNNING_COLOUR }} />
              {timeline.kind === 'cpu' ? 'a task runs' : 'runs'}
              {colourBy === 'process' && ', coloured by its name'}
            </li>
            {timeline.kind === 'pid' && (
              <>
                <li>
                  <i class="half" style={{ background: READY_COLOUR, borderColor: READY_COLOUR }} />
                  ready, waits for a CPU
                </li>
                {timeline.bins === undefined && (
                  <li>
                    <i style={{ borderColor: 'transparent' }} />
                    sleeps: point at it for the reason
                  </li>
                )}
              </>
            )}
          </ul>
        </>
      )}
      {types.length > 0 && <h3>Events</h3>}
      <ul>
        {types.slice(0, 24).map(({ type, count }) => (
          <li key={type}>
            {timeline.hasSpans && type === SHOWN_BY_SPANS ? (
              <b style={{ color: RUNNING_COLOUR }}>▬</b>
            ) : (
              <b style={{ color: typeColour(type) }}>{SHAPES[shapeOf(type)]}</b>
            )}{' '}
            {visible(type)}
            <span>{formatCount(count)}</span>
          </li>
        ))}
        {types.length > 24 && <li class="faint">and {formatCount(types.length - 24)} more</li>}
      </ul>
      <h3>Keys</h3>
      <KeyList keys={VIEW_KEYS['plot']!} />
    </aside>
  );
}

/** A range once it has not changed for a moment. */
function useSettled(range: Range): Range {
  const [settled, setSettled] = useState(range);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(range), SETTLES);
    return () => clearTimeout(timer);
  }, [range]);
  return settled;
}
