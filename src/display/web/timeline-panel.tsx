import { useEffect, useMemo, useState } from 'preact/hooks';
import { ConnectionCounter, isConnections } from '../../analysis/stats/connections.ts';
import { formatCount, formatShare, plural, visible } from '../../common/text.ts';
import { eventColumns, sliceTable } from '../shape/event-table.ts';
import { formatDuration } from '../shape/time-scale.ts';
import { type ColourBy, READY_COLOUR, RUNNING_COLOUR, SHAPES, shapeOf, typeColour } from '../shape/timeline-draw.ts';
import { countTypes, cpuNumbers, type Other, rowsBetween, taskNumbers } from '../shape/track-numbers.ts';
import { SHOWN_BY_SPANS, type Timeline, type Track } from '../shape/tracks.ts';
import type { Range } from '../shape/zoom.ts';
import type { Filter } from './filters.ts';
import type { Section } from './model.ts';

const LISTED = 8;
/** While one zooms or moves, the numbers wait: milliseconds. */
const SETTLES = 120;

interface PanelProps {
  readonly section: Section;
  readonly timeline: Timeline;
  readonly place: number;
  readonly range: Range;
  readonly choose: (place: number) => void;
  readonly close: () => void;
  readonly select: (...filters: readonly Filter[]) => void;
}

/** What a track comes to in the time that is shown. */
export function TimelinePanel({ section, timeline, place, range, choose, close, select }: PanelProps) {
  const [from, to] = useSettled(range);
  const track = timeline.tracks[place]!;
  const types = useMemo(() => countTypes(timeline.table, track.rows, from, to), [timeline, track, from, to]);
  const field = timeline.kind === 'pid' && timeline.hasSpans ? 'tid' : timeline.kind;
  const only = (own: string, value: string, not: boolean): void =>
    select({ kind: 'field', field: own, values: [value], not });
  return (
    <aside aria-label="Selected track" class="selection">
      <h2>{track.label}</h2>
      <div class="faint">in the {formatDuration(to - from)} shown</div>
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
      {timeline.hasSpans &&
        (timeline.kind === 'cpu' ? (
          <CpuTimes timeline={timeline} track={track} from={from} to={to} />
        ) : (
          <TaskTimes timeline={timeline} track={track} from={from} to={to} choose={choose} />
        ))}
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

function TaskTimes({ timeline, track, from, to, choose }: TimesProps & Pick<PanelProps, 'choose'>) {
  const numbers = useMemo(() => taskNumbers(timeline, track, from, to), [timeline, track, from, to]);
  const { running, waits, latency, switches, preempted, cpus, wakers, wakes } = numbers;
  const all = to - from;
  const ready = waits.find(({ reason }) => reason === 'runnable')?.time ?? 0;
  const ms = (value: number | null): string => (value === null ? '–' : formatDuration(value * 1e6));
  return (
    <>
      <dl class="times">
        <dt>Running</dt>
        <dd>
          {formatDuration(running)} <span class="faint">({formatShare(running, all)})</span>
        </dd>
        <dt>Waiting for a CPU</dt>
        <dd>
          {formatDuration(ready)} <span class="faint">({formatShare(ready, all)})</span>
        </dd>
        {waits
          .filter(({ reason }) => reason !== 'runnable')
          .map(({ reason, time }) => (
            <>
              <dt key={reason}>{REASON_TITLES[reason] ?? reason}</dt>
              <dd>
                {formatDuration(time)} <span class="faint">({formatShare(time, all)})</span>
              </dd>
            </>
          ))}
        <dt>Left a CPU</dt>
        <dd>
          {plural(switches, 'time')}, {formatCount(preempted)} of them able to go on
        </dd>
      </dl>
      {latency.count > 0 && (
        <>
          <h3>From ready to running ({formatCount(latency.count)})</h3>
          <dl class="measures">
            {(
              [
                ['p50', latency.p50],
                ['p90', latency.p90],
                ['p99', latency.p99],
                ['max', latency.max],
              ] as const
            ).map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{ms(value)}</dd>
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
                <span>{formatShare(time, running)}</span>cpu {cpu}
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

const REASON_TITLES: Readonly<Record<string, string>> = {
  sleeping: 'Sleeping',
  disk: 'Waiting for a disk (D)',
  idle: 'Idle (kernel thread)',
  stopped: 'Stopped',
  traced: 'Traced',
  parked: 'Parked',
  unknown: 'Not known',
};

function CpuTimes({ timeline, track, from, to }: TimesProps) {
  const tasks = useMemo(() => cpuNumbers(timeline, track, from, to), [timeline, track, from, to]);
  const busy = tasks.reduce((sum, { time }) => sum + time, 0);
  return (
    <>
      <dl class="times">
        <dt>Busy</dt>
        <dd>
          {formatDuration(busy)} <span class="faint">({formatShare(busy, to - from)})</span>
        </dd>
      </dl>
      <h3>Ran ({formatCount(tasks.length)} tasks)</h3>
      <ul class="weights">
        {tasks.slice(0, 2 * LISTED).map(({ pid, comm, time }) => (
          <li key={`${pid} ${comm}`}>
            <span>{formatShare(time, to - from)}</span>
            {visible(comm)}({pid})
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
              {key < 0 ? `a ${comm}` : `${visible(comm)}(${key})`}
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
                    {peer.pid === null ? '' : `(${peer.pid})`}
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
  readonly types: readonly (readonly [name: string, count: number])[];
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
                <li>
                  <i style={{ borderColor: 'transparent' }} />
                  sleeps: point at it for the reason
                </li>
              </>
            )}
          </ul>
        </>
      )}
      <h3>Events</h3>
      <ul>
        {types.slice(0, 24).map(([name, count]) => (
          <li key={name}>
            {timeline.hasSpans && name === SHOWN_BY_SPANS ? (
              <b style={{ color: RUNNING_COLOUR }}>▬</b>
            ) : (
              <b style={{ color: typeColour(name) }}>{SHAPES[shapeOf(name)]}</b>
            )}{' '}
            {name}
            <span>{formatCount(count)}</span>
          </li>
        ))}
        {types.length > 24 && <li class="faint">and {formatCount(types.length - 24)} more</li>}
      </ul>
      <h3>Keys</h3>
      <dl class="keys column">
        {KEYS.map(([key, what]) => (
          <div key={key}>
            <dt>{key}</dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </aside>
  );
}

const KEYS: readonly (readonly [string, string])[] = [
  ['wheel', 'zoom; with Shift move'],
  ['drag', 'zoom to it; with Shift move'],
  ['← →', 'move'],
  ['+ − 0', 'zoom in, out, all'],
  ['↑ ↓ Enter', 'choose a track'],
  ['click', 'a track, an event'],
  ['n p', 'next event of this kind, the one before'],
  ['r', 'ruler: two clicks'],
  ['c', 'colour by type or process'],
  ['h', 'hide the track'],
];

/** A range once it has not changed for a moment. */
function useSettled(range: Range): Range {
  const [settled, setSettled] = useState(range);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(range), SETTLES);
    return () => clearTimeout(timer);
  }, [range]);
  return settled;
}
