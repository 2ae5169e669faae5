import type { Named } from '../../analysis/scheduling.ts';
import { hostOfPid } from '../../common/host-keys.ts';
import { type TaskSpans, taskSpans } from '../shape/task-spans.ts';
import { type Filter, timeOf } from './filters.ts';
import { eventTableOf, type Section } from './model.ts';
import { PER_SLICE } from './sliced.ts';

/** What tasks did, by a section of scheduler events. It is found once for all views. */
export function taskSpansOf(section: Section): TaskSpans {
  section.spans ??= taskSpans(eventTableOf(section), section.header, section.before);
  return section.spans;
}

/** The fields that spans can be filtered by. */
export const SPAN_FIELDS: readonly string[] = ['comm', 'pid', 'tid', 'cpu', 'host'];

/** Which spans pass the filters on tasks and CPUs: 1 or 0; undefined where all do. Time is the caller's part. A span off the CPU is of no CPU. */
export function spanMask(
  { task, tasks, cpu }: TaskSpans,
  filters: readonly Filter[],
  hosts?: readonly string[],
): Uint8Array | undefined {
  let mask: Uint8Array | undefined;
  for (const filter of filters) {
    if (filter.kind !== 'field' || !SPAN_FIELDS.includes(filter.field)) continue;
    const { field, not } = filter;
    const values = new Set(filter.values);
    const textOf = ({ pid, comm }: Named): string =>
      field === 'comm' ? comm : field === 'host' ? (hosts?.[hostOfPid(pid)] ?? '') : String(pid);
    if (field === 'host' && hosts === undefined) continue;
    const wanted = new Set(
      field === 'cpu' ? filter.values.map(Number) : tasks.flatMap((own, i) => (values.has(textOf(own)) ? [i] : [])),
    );
    const column = field === 'cpu' ? cpu : task;
    mask ??= new Uint8Array(task.length).fill(1);
    for (let span = 0; span < mask.length; span++) if (wanted.has(column[span]!) === not) mask[span] = 0;
  }
  return mask;
}

/** How many waits for a CPU each of those stands for that waitsForCpu() gives. */
export function scaleOfWaits(section: Section): number {
  const { waits, ran } = taskSpansOf(section);
  return waits === undefined
    ? 1
    : waits /
        Math.max(
          1,
          ran.reduce((sum, one) => sum + one, 0),
        );
}

/** The waits for a CPU that passed the filters and had one at the end, within the time that they ask for: of which task, and how long. */
export function* waitsForCpu(
  spans: TaskSpans,
  mask: Uint8Array | undefined,
  filters: readonly Filter[],
  onWait: (task: number, milliseconds: number) => void,
): Generator<undefined, void> {
  const { from, to } = timeOf(filters);
  for (let span = 0; span < spans.start.length; span++) {
    if (span % PER_SLICE === 0) yield;
    if (spans.ran[span] === 0 || mask?.[span] === 0) continue;
    const end = spans.end[span]!;
    // Seconds of whole nanoseconds.
    if (end >= from && end <= to) onWait(spans.task[span]!, Math.round((end - spans.start[span]!) * 1e9) / 1e6);
  }
}
