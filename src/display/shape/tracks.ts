import {
  isScheduling,
  type Named,
  RUNNABLE,
  SCHEDULING_COLUMNS,
  type SchedulingState,
  type SpanSink,
  TaskFollower,
} from '../../analysis/scheduling.ts';
import type { SectionHeader } from '../../common/header.ts';
import { hostOfCpu, hostOfPid } from '../../common/host-keys.ts';
import { type EventTable, eventColumns, numbersOf, textAt, typeNames } from './event-table.ts';
import { type Bins, SPAN_READY, SPAN_RUNNING, SPAN_UNKNOWN, SpanBuilder, Spans } from './spans.ts';
import { cpuName, hostTaskName } from './task-name.ts';
import { isAboutOther, type TrackKind } from './track-choice.ts';

/** The track of events that name no task or CPU. */
export const NO_TRACK = -1;

/** One row of the timeline: a task, or a CPU. */
export interface Track {
  /** The pid, or the number of the CPU; NO_TRACK. */
  readonly key: number;
  /** Name of the task, the last that it had; empty for CPUs. */
  readonly comm: string;
  /** Where the section is of several hosts. */
  readonly host: string | undefined;
  readonly label: string;
  /** What it did; empty where the events do not tell. */
  readonly spans: Spans;
  /** Its events, by their rows in the table, but those that its spans show. */
  readonly rows: Int32Array;
  /** When it is first heard of, nanoseconds. */
  readonly first: number;
}

/** The events that lead from one track to another. */
export interface Links {
  readonly rows: Int32Array;
  /** Places of tracks. */
  readonly from: Int32Array;
  readonly to: Int32Array;
}

/** Tracks, spans and links of a section of events. */
export interface Timeline {
  readonly table: EventTable;
  readonly kind: TrackKind;
  readonly hasSpans: boolean;
  /** In the order of their keys. */
  readonly tracks: readonly Track[];
  readonly links: Links;
  /** Whether the links are what the events are about, and not wake-ups, of which there are many. */
  readonly linksMatter: boolean;
  /** What a span's `kind` means: `running`, `runnable`, `unknown`, then reasons to sleep. */
  readonly kinds: readonly string[];
  /** Tasks that ran, by the `who` of spans on CPUs. */
  readonly tasks: readonly Named[];
  /** Where the spans are sums, for there were too many events. */
  readonly bins?: Bins;
}

/** The type that has no marks where there are spans, since those show it. */
export const SHOWN_BY_SPANS = 'switch';

/**
 * Puts events on tracks, and finds what tasks and CPUs did between them.
 * @param state what was known before the first event, where the section has a beginning that is not here.
 */
export function buildTimeline(
  table: EventTable,
  header: SectionHeader,
  kind: TrackKind,
  state?: SchedulingState,
): Timeline {
  const hasSpans = isScheduling(header);
  const keys = keysOf(table, kind, hasSpans);
  const history = new History(kind);
  if (hasSpans) {
    const follower = new TaskFollower(header, history, state);
    history.row = () => follower.row;
    follower.add(eventColumns(table, SCHEDULING_COLUMNS));
    history.row = () => -1;
    follower.end();
  }
  const names = typeNames(table);
  const isShown = names.map((name) => !(hasSpans && name === SHOWN_BY_SPANS));
  const { rows, order } = groupRows(table, keys, (row) => isShown[table.type.values[row]!]!);
  for (const key of history.builders.keys()) if (!rows.has(key)) order.push(key);
  const tracks = order
    .sort((a, b) => a - b)
    .map((key): Track => {
      const own = rows.get(key) ?? new Int32Array(0);
      const spans = new Spans(history.builders.get(key) ?? new SpanBuilder());
      const comm =
        kind === 'cpu' ? '' : key === 0 ? 'swapper' : (history.names.get(key) ?? nameOf(table, own, hasSpans));
      return {
        key,
        comm,
        host: trackHost(header.hosts, key, kind),
        label: labelOf(key, comm, kind, header.hosts),
        spans,
        rows: own,
        first: Math.min(
          spans.start[0] ?? Number.POSITIVE_INFINITY,
          table.time[own[0] ?? -1] ?? Number.POSITIVE_INFINITY,
        ),
      };
    })
    // An idle CPU is one too; a task of which there is nothing is only an end of events of others.
    .filter(({ spans, rows: own }) => kind === 'cpu' || spans.length > 0 || own.length > 0);
  return {
    table,
    kind,
    hasSpans,
    tracks,
    links: kind === 'cpu' ? NO_LINKS : findLinks(table, header, tracks, hasSpans),
    linksMatter: (header.links ?? []).length > 0,
    kinds: history.kinds,
    tasks: history.tasks,
  };
}

/** The host that a track is of, where there are several; undefined too for the idle tasks of all of them. */
export function trackHost(hosts: readonly string[] | undefined, key: number, kind: TrackKind): string | undefined {
  if (key < 0 || (kind === 'pid' && key === 0)) return undefined;
  return hosts?.[kind === 'cpu' ? hostOfCpu(key) : hostOfPid(key)];
}

/** @param hosts where the section is of several. */
export function labelOf(key: number, comm: string, kind: TrackKind, hosts: readonly string[] | undefined): string {
  if (key === NO_TRACK) return kind === 'cpu' ? 'no cpu' : 'no task';
  return kind === 'cpu' ? cpuName(hosts, key) : hostTaskName(hosts, comm, key);
}

/** Gathers the spans of each track. */
class History implements SpanSink {
  readonly builders = new Map<number, SpanBuilder>();
  readonly kinds: string[] = ['running', RUNNABLE, 'unknown'];
  readonly tasks: Named[] = [];
  /** The last name of each task. */
  readonly names = new Map<number, string>();
  /** The event that is being followed. */
  row: () => number = () => -1;
  readonly #taskIds = new Map<number, number>();

  constructor(readonly by: TrackKind) {}

  ran(cpu: number, who: Named | undefined, since: number, until: number): void {
    if (until <= since) return;
    if (this.by === 'cpu') {
      if (who === undefined) this.#builder(cpu).add(since, until, SPAN_UNKNOWN, -1, this.row());
      else if (who.pid !== 0) this.#builder(cpu).add(since, until, SPAN_RUNNING, this.#taskId(who), this.row());
      else this.#builder(cpu);
    } else if (who !== undefined && who.pid !== 0) {
      this.names.set(who.pid, who.comm);
      this.#builder(who.pid).add(since, until, SPAN_RUNNING, cpu, this.row());
    }
  }

  waited({ pid, comm }: Named, reason: string, since: number, until: number, comes: boolean): void {
    if (this.by === 'cpu') return;
    this.names.set(pid, comm);
    const kind = reason === RUNNABLE ? SPAN_READY : this.#kind(reason);
    this.#builder(pid).add(since, until, kind, comes ? 1 : 0, this.row());
  }

  switched(): void {}

  #builder(key: number): SpanBuilder {
    let builder = this.builders.get(key);
    if (builder === undefined) {
      builder = new SpanBuilder();
      this.builders.set(key, builder);
    }
    return builder;
  }

  #kind(reason: string): number {
    const known = this.kinds.indexOf(reason);
    if (known >= 0) return known;
    // Kinds have one byte. A kernel has about a dozen states and their combinations.
    if (this.kinds.length < 255) return this.kinds.push(reason) - 1;
    return SPAN_UNKNOWN;
  }

  #taskId({ pid, comm }: Named): number {
    const known = this.#taskIds.get(pid);
    if (known !== undefined && this.tasks[known]!.comm === comm) return known;
    const id = this.tasks.push({ pid, comm }) - 1;
    this.#taskIds.set(pid, id);
    return id;
  }
}

/** The track of each event. */
function keysOf(table: EventTable, kind: TrackKind, hasSpans: boolean): Float64Array {
  const own = keyColumn(table, kind);
  if (kind === 'cpu' || !hasSpans) return own;
  const other = keyColumn(table, 'other_pid');
  const aboutOther = typeNames(table).map(isAboutOther);
  return own.map((key, row) => (aboutOther[table.type.values[row]!] === true ? other[row]! : key));
}

function keyColumn(table: EventTable, field: string): Float64Array {
  const column = table.columns.get(field);
  if (column === undefined) return new Float64Array(table.length).fill(NO_TRACK);
  return numbersOf(column).map((key) => (key >= 0 ? key : NO_TRACK));
}

/** The rows of each track that are shown, and all keys. */
function groupRows(
  table: EventTable,
  keys: Float64Array,
  isShown: (row: number) => boolean,
): { rows: Map<number, Int32Array>; order: number[] } {
  const counts = new Map<number, number>();
  for (let row = 0; row < table.length; row++) {
    counts.set(keys[row]!, (counts.get(keys[row]!) ?? 0) + (isShown(row) ? 1 : 0));
  }
  const rows = new Map([...counts].map(([key, count]) => [key, new Int32Array(count)]));
  const filled = new Map<number, number>();
  for (let row = 0; row < table.length; row++) {
    if (!isShown(row)) continue;
    const at = filled.get(keys[row]!) ?? 0;
    rows.get(keys[row]!)![at] = row;
    filled.set(keys[row]!, at + 1);
  }
  return { rows, order: [...rows.keys()] };
}

/** The last name that the events of a track have for it. */
function nameOf(table: EventTable, rows: Int32Array, hasSpans: boolean): string {
  const row = rows.at(-1);
  if (row === undefined) return '';
  const type = typeNames(table)[table.type.values[row]!]!;
  return textAt(table, hasSpans && isAboutOther(type) ? 'other_comm' : 'comm', row);
}

export const NO_LINKS: Links = { rows: new Int32Array(0), from: new Int32Array(0), to: new Int32Array(0) };

/** Events with two ends that have a track each: those that the header names, else who wakes whom. */
function findLinks(table: EventTable, header: SectionHeader, tracks: readonly Track[], hasSpans: boolean): Links {
  const ends = header.links?.[0] ?? (hasSpans ? (['pid', 'other_pid'] as const) : undefined);
  if (ends === undefined) return NO_LINKS;
  const places = new Map(tracks.map(({ key }, place) => [key, place]));
  places.delete(NO_TRACK);
  const [one, two] = ends.map((field) => keyColumn(table, field)) as [Float64Array, Float64Array];
  const isLink = typeNames(table).map((name) => !hasSpans || name === 'wakeup' || name === 'wakeup_new');
  const [rows, from, to]: [number[], number[], number[]] = [[], [], []];
  for (let row = 0; row < table.length; row++) {
    if (!isLink[table.type.values[row]!] || one[row] === two[row]) continue;
    // An idle task does not wake: an interrupt on its CPU does.
    if (hasSpans && one[row] === 0) continue;
    const [a, b] = [places.get(one[row]!), places.get(two[row]!)];
    if (a === undefined || b === undefined) continue;
    rows.push(row);
    from.push(a);
    to.push(b);
  }
  return { rows: Int32Array.from(rows), from: Int32Array.from(from), to: Int32Array.from(to) };
}

/** How long a task ran between two times, or a CPU was busy. */
export function runningTime({ spans }: Track, from: number, to: number): number {
  let ran = 0;
  for (let i = 0; i < spans.length; i++) {
    if (spans.kind[i] !== SPAN_RUNNING) continue;
    ran += Math.max(0, Math.min(to, spans.end[i]!) - Math.max(from, spans.start[i]!));
  }
  return ran;
}

/** How much goes on in a track: the time that it runs, and some for each event. */
export function activityOf(track: Track, from: number, to: number): number {
  return runningTime(track, from, to) + EVENT_ACTIVITY * track.rows.length;
}

/** As if each event took a microsecond. */
const EVENT_ACTIVITY = 1000;
