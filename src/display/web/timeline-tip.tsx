import { cpuOf, hostValue } from '../../common/host-keys.ts';
import { formatShare, visible } from '../../common/text.ts';
import { type EventTable, textAt, typeNames } from '../shape/event-table.ts';
import { type Bins, SPAN_READY, SPAN_RUNNING } from '../shape/spans.ts';
import { sumAt } from '../shape/sums-timeline.ts';
import { taskName } from '../shape/task-name.ts';
import { formatDuration, formatTime } from '../shape/time-scale.ts';
import { nameOfSpan } from '../shape/timeline-draw.ts';
import type { Timeline } from '../shape/tracks.ts';

/** The fields of an event, in their order. */
export function fieldsOf(table: EventTable, row: number): [field: string, text: string][] {
  return [...table.columns.keys()]
    .filter((field) => field !== 'time' && field !== 'type')
    .map((field): [string, string] => [field, visible(hostValue(field, textAt(table, field, row)).value)])
    .filter(([, text]) => text !== '');
}

export function typeAt(table: EventTable, row: number): string {
  return visible(typeNames(table)[table.type.values[row]!] ?? '');
}

/** An event in one line. */
export function eventText(table: EventTable, row: number): string {
  const fields = fieldsOf(table, row).map(([field, text]) => `${field}=${text}`);
  return `${typeAt(table, row)} at ${formatTime(table.time[row]!)}: ${fields.join(' ')}`;
}

export function EventTip({ table, row }: { readonly table: EventTable; readonly row: number }) {
  return (
    <>
      <b>{typeAt(table, row)}</b> <span class="faint">{formatTime(table.time[row]!)}</span>
      <table class="fields">
        <tbody>
          {fieldsOf(table, row).map(([field, text]) => (
            <tr key={field}>
              <th scope="row">{field}</th>
              <td>{text}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

/** What a span is, in words. */
export function spanWords(timeline: Timeline, place: number, span: number): string {
  const { spans } = timeline.tracks[place]!;
  const kind = spans.kind[span]!;
  if (kind === SPAN_RUNNING) {
    const name = nameOfSpan(timeline, spans.who[span]!);
    return timeline.kind === 'pid' ? `running on ${name}` : `running ${name}`;
  }
  if (kind === SPAN_READY) return 'waiting for a CPU';
  const reason = timeline.kinds[kind] ?? 'unknown';
  return reason === 'unknown' ? 'not known what ran' : reason === 'disk' ? 'waiting for a disk (D)' : reason;
}

/** How a span ended: what the task did next, or who woke it. */
export function spanEnd({ table, tracks }: Timeline, place: number, span: number): string {
  const { spans } = tracks[place]!;
  const row = spans.row[span]!;
  if (row < 0) return 'still so where the data ends';
  const type = typeAt(table, row);
  if (type === 'switch' && spans.kind[span] === SPAN_RUNNING) {
    const state = visible(textAt(table, 'state', row));
    const next = taskName(textAt(table, 'other_comm', row), Number(textAt(table, 'other_pid', row)));
    return `left with state ${state === '' ? '?' : state}, then ${next} ran`;
  }
  if (type === 'switch') {
    return `ran then on cpu ${cpuOf(Number(textAt(table, 'cpu', row)))}, after ${taskName(textAt(table, 'comm', row), Number(textAt(table, 'pid', row)))}`;
  }
  if (type.startsWith('wakeup')) {
    const interrupt = /^(?:hardirq|softirq)/.exec(textAt(table, 'state', row))?.[0];
    const waker = taskName(textAt(table, 'comm', row), Number(textAt(table, 'pid', row)));
    return interrupt === undefined ? `woken by ${waker}` : `woken by a ${interrupt}, while ${waker} ran`;
  }
  return `until ${type}`;
}

/** A span in one line. */
export function spanText(timeline: Timeline, place: number, span: number): string {
  const { spans, label } = timeline.tracks[place]!;
  const [start, end] = [spans.start[span]!, spans.end[span]!];
  return `${label}: ${spanWords(timeline, place, span)}, ${formatDuration(end - start)} from ${formatTime(start)}, ${spanEnd(timeline, place, span)}`;
}

function sumWords({ tracks }: Timeline, place: number, bins: Bins, time: number): string[] {
  const { from, to, running, ready } = sumAt(tracks[place]!, bins, time);
  const share = (part: number): string => formatShare(part, to - from);
  return [
    `running ${share(running)}`,
    ...(ready > 0 ? [`waiting for a CPU ${share(ready)}`] : []),
    `of ${formatDuration(to - from)} from ${formatTime(from)}`,
  ];
}

/** What a track comes to in the bin of a time, in one line. */
export function sumText(timeline: Timeline, place: number, bins: Bins, time: number): string {
  return `${timeline.tracks[place]!.label}: ${sumWords(timeline, place, bins, time).join(', ')}`;
}

export function SumTip({ timeline, place, bins, time }: SumTipProps) {
  return (
    <>
      <b>{timeline.tracks[place]!.label}</b>
      {sumWords(timeline, place, bins, time).map((words) => (
        <div key={words}>{words}</div>
      ))}
    </>
  );
}

interface SumTipProps {
  readonly timeline: Timeline;
  readonly place: number;
  readonly bins: Bins;
  readonly time: number;
}

export function SpanTip({
  timeline,
  place,
  span,
}: {
  readonly timeline: Timeline;
  readonly place: number;
  readonly span: number;
}) {
  const { spans, label } = timeline.tracks[place]!;
  const [start, end] = [spans.start[span]!, spans.end[span]!];
  return (
    <>
      <b>{label}</b> {spanWords(timeline, place, span)}
      <div>
        {formatDuration(end - start)} <span class="faint">from {formatTime(start)}</span>
      </div>
      <div class="faint">{spanEnd(timeline, place, span)}</div>
    </>
  );
}
