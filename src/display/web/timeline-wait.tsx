import { useMemo } from 'preact/hooks';
import { visible } from '../../common/text.ts';
import { SPAN_RUNNING } from '../shape/spans.ts';
import { formatDuration, formatTime } from '../shape/time-scale.ts';
import type { Timeline, Track } from '../shape/tracks.ts';
import type { Filter } from './filters.ts';
import { type PageData, type Section, stackLines } from './model.ts';
import { StackList } from './stack-list.tsx';
import { spanEnd, spanWords } from './timeline-tip.tsx';

interface SpanProps {
  readonly data: PageData;
  readonly timeline: Timeline;
  readonly place: number;
  readonly span: number;
  readonly select: (...filters: readonly Filter[]) => void;
}

/** What a task did in a span: of a gap between its bars the reason, and the stack with which it left its CPU. */
export function SpanDetails({ data, timeline, place, span, select }: SpanProps) {
  const track = timeline.tracks[place]!;
  const { start, end, kind } = track.spans;
  const [from, to] = [start[span]!, end[span]!];
  const isWait = timeline.kind === 'pid' && kind[span] !== SPAN_RUNNING;
  return (
    <>
      <h3>
        {spanWords(timeline, place, span)} · {formatDuration(to - from)}
      </h3>
      <div>
        from {formatTime(from)}, {spanEnd(timeline, place, span)}
      </div>
      {isWait && <OffCpuStacks data={data} track={track} from={from} to={to} />}
      <div class="buttons">
        <button
          type="button"
          title="Narrows all views to it, in this time"
          onClick={() =>
            select(
              { kind: 'time', from: from / 1e9, to: to / 1e9 },
              {
                kind: 'field',
                field: timeline.kind === 'pid' ? 'tid' : 'cpu',
                values: [String(track.key)],
                not: false,
              },
            )
          }
        >
          Only this span
        </button>
      </div>
    </>
  );
}

interface OffCpuProps {
  readonly data: PageData;
  readonly track: Track;
  readonly from: number;
  readonly to: number;
}

/** The stacks of a task that was off its CPU between two times, nanoseconds. */
function OffCpuStacks({ data, track, from, to }: OffCpuProps) {
  const section = data.sections.find(hasOffCpuStacks);
  const found = useMemo(() => section && stacksBetween(section, track.key, from, to), [section, track, from, to]);
  const stacks = section?.named?.stacks;
  if (found === undefined || stacks === undefined) {
    return <p class="faint">With offcpu in the data, its stack would be here: marple collect cpusched offcpu</p>;
  }
  if (found.weights.size === 0) return <p class="faint">No stack of it was recorded.</p>;
  return (
    <>
      <h3>How it left its CPU: {found.reasons.map(visible).join(', ')}</h3>
      <StackList stacks={stacks} weights={found.weights} all={found.total} text={formatDuration} isOpen />
    </>
  );
}

/** Whether the records of a section are times off the CPU, and name stacks. */
function hasOffCpuStacks({ columns, named }: Section): boolean {
  return columns.has('tid') && columns.has('weight') && named?.header.weight?.unit === 'ns';
}

interface OffCpu {
  /** Nanoseconds off the CPU within the time, by the lines of the stacks. */
  readonly weights: ReadonlyMap<number, number>;
  readonly total: number;
  readonly reasons: readonly string[];
}

/** A record has the time when the task left its CPU, and as its weight how long it had none. */
function stacksBetween(section: Section, task: number, from: number, to: number): OffCpu {
  const tids = section.columns.get('tid')!.values;
  const lengths = section.columns.get('weight')!.values;
  const times = section.times!;
  const lineAt = stackLines(section);
  const weights = new Map<number, number>();
  const reasons = new Set<string>();
  let total = 0;
  for (let row = 0; row < tids.length; row++) {
    if (tids[row] !== task) continue;
    const left = Math.round(times[row]! * 1e9);
    const within = Math.min(to, left + lengths[row]!) - Math.max(from, left);
    const line = lineAt(row);
    // Another tool has seen it a little earlier or later: what is next to it touches it.
    if (line < 0 || within < Math.min(lengths[row]!, to - from) / 2) continue;
    weights.set(line, (weights.get(line) ?? 0) + within);
    reasons.add(section.textAt('type', row));
    total += within;
  }
  return { weights, total, reasons: [...reasons] };
}
