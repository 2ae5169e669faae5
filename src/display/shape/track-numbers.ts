import { largest } from '../../analysis/largest.ts';
import { Summariser, type Summary } from '../../analysis/stats/summary.ts';
import { type EventTable, numbersOf, textAt, typeNames } from './event-table.ts';
import { firstAbove, firstAtLeast, SPAN_READY, SPAN_RUNNING } from './spans.ts';
import type { Timeline, Track } from './tracks.ts';

/*
 * What a track comes to in a range of time, in numbers: those of `marple stats` for the same data. (Of a range that is zoomed
 * to, what comes behind it is known too: who runs at its end, for one.) Times are nanoseconds.
 */

/** Somebody who had to do with a task, and how often. */
export interface Other {
  readonly key: number;
  readonly comm: string;
  readonly count: number;
}

export interface TaskNumbers {
  readonly running: number;
  /** By reason, the longest first; `runnable` is waiting for a CPU. */
  readonly waits: readonly { readonly reason: string; readonly time: number }[];
  /** Of waiting for a CPU, milliseconds. */
  readonly latency: Summary;
  readonly switches: number;
  readonly preempted: number;
  /** Time on each CPU, the longest first. */
  readonly cpus: readonly { readonly cpu: number; readonly time: number }[];
  readonly wakers: readonly Other[];
  readonly wakes: readonly Other[];
}

/** What a task did between two times. */
export function taskNumbers(timeline: Timeline, { spans, key }: Track, from: number, to: number): TaskNumbers {
  const latency = new Summariser('group');
  const waits = new Map<number, number>();
  const cpus = new Map<number, number>();
  let running = 0;
  for (let i = 0; i < spans.length; i++) {
    const [start, end, kind, who] = [spans.start[i]!, spans.end[i]!, spans.kind[i]!, spans.who[i]!];
    // A wait for a CPU counts where it ends.
    if (kind === SPAN_READY && who === 1 && end >= from && end <= to) latency.add((end - start) / 1e6);
    const time = Math.max(0, Math.min(end, to) - Math.max(start, from));
    if (time === 0) continue;
    if (kind === SPAN_RUNNING) {
      running += time;
      add(cpus, who, time);
    } else add(waits, kind, time);
  }
  return {
    running,
    waits: largestFirst(waits).map(([kind, time]) => ({ reason: timeline.kinds[kind] ?? 'unknown', time })),
    latency: latency.summary(),
    cpus: largestFirst(cpus).map(([cpu, time]) => ({ cpu, time })),
    ...countEvents(timeline.table, key, from, to),
  };
}

/** What of CPU time each task had on a CPU between two times, the most first; the rest is idle or unknown. */
export function cpuNumbers(
  timeline: Timeline,
  { spans }: Track,
  from: number,
  to: number,
): { readonly comm: string; readonly pid: number; readonly time: number }[] {
  const times = new Map<number, number>();
  for (let i = 0; i < spans.length; i++) {
    if (spans.kind[i] !== SPAN_RUNNING) continue;
    const time = Math.min(spans.end[i]!, to) - Math.max(spans.start[i]!, from);
    if (time > 0) add(times, spans.who[i]!, time);
  }
  return largestFirst(times).map(([task, time]) => ({ ...timeline.tasks[task]!, time }));
}

/** A type of events, and how many there are. */
export interface TypeCount {
  readonly type: string;
  readonly count: number;
}

/** How many events there are of each type, the most first. */
export function allTypes(table: EventTable): TypeCount[] {
  const counts = new Map<number, number>();
  for (const type of table.type.values) add(counts, type, 1);
  return typeCounts(table, counts);
}

/** How many events of a track there are of each type between two times, the most first. */
export function countTypes(table: EventTable, rows: Int32Array, from: number, to: number): TypeCount[] {
  const counts = new Map<number, number>();
  for (const row of rows)
    if (table.time[row]! >= from && table.time[row]! <= to) add(counts, table.type.values[row]!, 1);
  return typeCounts(table, counts);
}

function typeCounts(table: EventTable, counts: ReadonlyMap<number, number>): TypeCount[] {
  const names = typeNames(table);
  return largestFirst(counts).map(([type, count]) => ({ type: names[type] ?? '', count }));
}

/** The rows between two times, both included. */
export function rowsBetween({ time }: EventTable, from: number, to: number): [first: number, end: number] {
  return [firstAtLeast(time, from, 0), firstAbove(time, to, 0)];
}

function countEvents(
  table: EventTable,
  key: number,
  from: number,
  to: number,
): Pick<TaskNumbers, 'switches' | 'preempted' | 'wakers' | 'wakes'> {
  const kinds = typeNames(table).map((name) => (name === 'switch' ? 1 : /^wakeup(_new)?$/.test(name) ? 2 : 0));
  const [pid, other] = [columnOf(table, 'pid'), columnOf(table, 'other_pid')];
  const [wakers, wakes] = [new Map<number, Other>(), new Map<number, Other>()];
  const [first, end] = rowsBetween(table, from, to);
  let [switches, preempted] = [0, 0];
  for (let row = first; row < end; row++) {
    const kind = kinds[table.type.values[row]!];
    if (kind === 1 && pid[row] === key) {
      switches++;
      if (textAt(table, 'state', row).startsWith('R')) preempted++;
    } else if (kind === 2 && other[row] === key) {
      const interrupt = /^(hardirq|softirq)/.exec(textAt(table, 'state', row))?.[0];
      // An interrupt is on nobody's behalf, whoever it interrupts.
      if (interrupt === undefined) addOther(wakers, pid[row]!, textAt(table, 'comm', row));
      else addOther(wakers, interrupt === 'hardirq' ? -2 : -3, interrupt);
    } else if (kind === 2 && pid[row] === key && !/^(hard|soft)irq/.test(textAt(table, 'state', row))) {
      addOther(wakes, other[row]!, textAt(table, 'other_comm', row));
    }
  }
  return { switches, preempted, wakers: mostFirst(wakers), wakes: mostFirst(wakes) };
}

const numberColumns = new WeakMap<EventTable, Map<string, Float64Array>>();

/** The numbers of a column, made once. */
function columnOf(table: EventTable, field: string): Float64Array {
  let columns = numberColumns.get(table);
  if (columns === undefined) {
    columns = new Map();
    numberColumns.set(table, columns);
  }
  let column = columns.get(field);
  if (column === undefined) {
    const found = table.columns.get(field);
    column = found === undefined ? new Float64Array(table.length).fill(Number.NaN) : numbersOf(found);
    columns.set(field, column);
  }
  return column;
}

function addOther(others: Map<number, Other>, key: number, comm: string): void {
  others.set(key, { key, comm, count: (others.get(key)?.count ?? 0) + 1 });
}

function mostFirst(others: ReadonlyMap<number, Other>): Other[] {
  return [...others.values()].sort((a, b) => b.count - a.count || a.key - b.key);
}

function add(sums: Map<number, number>, key: number, value: number): void {
  sums.set(key, (sums.get(key) ?? 0) + value);
}

function largestFirst(sums: ReadonlyMap<number, number>): [number, number][] {
  return largest(sums, Number.POSITIVE_INFINITY, ([, value]) => value);
}
