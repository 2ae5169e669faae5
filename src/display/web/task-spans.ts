import { type TaskSpans, taskSpans } from '../shape/task-spans.ts';
import type { Filter } from './filters.ts';
import { eventTableOf, type Section } from './model.ts';

/** What tasks did, by a section of scheduler events. It is found once for all views. */
export function taskSpansOf(section: Section): TaskSpans {
  section.spans ??= taskSpans(eventTableOf(section), section.header, section.before);
  return section.spans;
}

/** The fields that spans can be filtered by. */
export const SPAN_FIELDS: readonly string[] = ['comm', 'pid', 'tid', 'cpu'];

/** Whether a span passes the filters on tasks; time is the caller's part. A span off the CPU is of no CPU. */
export function spanFilter(spans: TaskSpans, filters: readonly Filter[]): (span: number) => boolean {
  const conditions = filters.flatMap((filter): ((span: number) => boolean)[] => {
    if (filter.kind !== 'field') return [];
    const { field, not } = filter;
    const values = new Set(filter.values);
    if (field === 'comm') {
      const passes = spans.comms.map((comm) => values.has(comm) !== not);
      return [(span) => passes[spans.comm[span]!]!];
    }
    if (!SPAN_FIELDS.includes(field)) return [];
    const numbers = new Set(filter.values.map(Number));
    const column = spans[field === 'cpu' ? 'cpu' : 'pid'];
    return [(span) => numbers.has(column[span]!) !== not];
  });
  return (span) => conditions.every((passes) => passes(span));
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

/** The waits for a CPU that passed the filters and had one at the end, within the time that they ask for. */
export function* waitsForCpu(
  section: Section,
  filters: readonly Filter[],
): Generator<{ readonly comm: string; readonly milliseconds: number }> {
  const spans = taskSpansOf(section);
  const passes = spanFilter(spans, filters);
  const time = filters.find((filter) => filter.kind === 'time');
  for (let span = 0; span < spans.start.length; span++) {
    if (spans.ran[span] === 0 || !passes(span)) continue;
    const end = spans.end[span]!;
    if (time !== undefined && (end < time.from || end > time.to)) continue;
    // Seconds of whole nanoseconds.
    const milliseconds = Math.round((end - spans.start[span]!) * 1e9) / 1e6;
    yield { comm: spans.comms[spans.comm[span]!]!, milliseconds };
  }
}
