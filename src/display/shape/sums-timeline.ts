import { RUNNABLE } from '../../analysis/scheduling.ts';
import type { EventTable } from './event-table.ts';
import type { TimeRange } from './lanes.ts';
import { type Bins, firstOfBin, SPAN_READY, SPAN_RUNNING, SpanBuilder, Spans } from './spans.ts';
import { TASK_DISK, TASK_READY, TASK_RUNS, type TaskSpans } from './task-spans.ts';
import type { TrackKind } from './track-choice.ts';
import { labelOf, NO_LINKS, type Timeline, type Track, trackHost } from './tracks.ts';

/** What a span of a bin is, by what a task did in it; 3 is the disk. */
const KINDS: Readonly<Record<number, number>> = { [TASK_RUNS]: SPAN_RUNNING, [TASK_READY]: SPAN_READY, [TASK_DISK]: 3 };

/**
 * Tracks of what tasks did, added up in bins of a range of time (seconds). The spans of a bin stand one behind the other from its
 * beginning on, each as long as all of its kind together: how long is true, when it was in the bin is not known.
 */
export function sumsTimeline(
  sums: TaskSpans,
  { from, to }: TimeRange,
  kind: TrackKind,
  hosts?: readonly string[],
): Timeline {
  const bins: Bins = { origin: from * 1e9, width: ((to - from) * 1e9) / (sums.bins ?? 1) };
  const builders = new Map<number, SpanBuilder>();
  const names = new Map<number, string>();
  // By track: the bin that is being filled, and how far.
  const filled = new Map<number, { bin: number; until: number }>();
  for (let i = 0; i < sums.start.length; i++) {
    const what = KINDS[sums.doing[i]!];
    const task = sums.task[i]!;
    const { pid, comm } = sums.tasks[task]!;
    if (what === undefined || (kind === 'cpu' && what !== SPAN_RUNNING)) continue;
    const key = kind === 'cpu' ? sums.cpu[i]! : pid;
    names.set(key, comm);
    const bin = Math.round((sums.start[i]! * 1e9 - bins.origin) / bins.width);
    const before = filled.get(key);
    const start = before?.bin === bin ? before.until : bins.origin + bin * bins.width;
    const end = Math.min(bins.origin + (bin + 1) * bins.width, start + (sums.end[i]! - sums.start[i]!) * 1e9);
    filled.set(key, { bin, until: end });
    const who = kind === 'cpu' ? task : what === SPAN_RUNNING ? sums.cpu[i]! : 0;
    let builder = builders.get(key);
    if (builder === undefined) {
      builder = new SpanBuilder();
      builders.set(key, builder);
    }
    builder.add(start, end, what, who, -1);
  }
  const tracks = [...builders]
    .sort(([a], [b]) => a - b)
    .map(([key, builder]): Track => {
      const comm = kind === 'cpu' ? '' : names.get(key)!;
      const spans = new Spans(builder);
      return {
        key,
        comm,
        host: trackHost(hosts, key, kind),
        label: labelOf(key, comm, kind, hosts),
        spans,
        rows: new Int32Array(0),
        first: spans.start[0]!,
      };
    });
  return {
    table: NO_EVENTS,
    kind,
    hasSpans: true,
    tracks,
    links: NO_LINKS,
    linksMatter: false,
    kinds: ['running', RUNNABLE, 'unknown', 'disk'],
    tasks: sums.tasks,
    bins,
  };
}

/** Sums have no events; but tracks can be told by these fields. */
const NO_EVENTS: EventTable = {
  length: 0,
  time: new Float64Array(0),
  type: { values: new Int32Array(0), texts: [] },
  columns: new Map(['comm', 'pid', 'cpu'].map((field) => [field, { values: new Int32Array(0), texts: [] }])),
};

/** The bin of a time, and what is in it, nanoseconds. */
export interface Sum {
  readonly from: number;
  readonly to: number;
  readonly running: number;
  readonly ready: number;
}

/** What a track of sums has at a time. */
export function sumAt({ spans }: Track, { origin, width }: Bins, time: number): Sum {
  const bin = Math.floor((time - origin) / width);
  const from = origin + bin * width;
  const first = firstOfBin(spans, { origin, width }, bin, 0);
  const end = firstOfBin(spans, { origin, width }, bin + 1, first);
  return {
    from,
    to: from + width,
    running: spans.ranBefore[end]! - spans.ranBefore[first]!,
    ready: spans.readyBefore[end]! - spans.readyBefore[first]!,
  };
}
