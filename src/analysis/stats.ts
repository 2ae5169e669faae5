import type { StackColumns } from '../common/column-data.ts';
import type { SectionHeader } from '../common/header.ts';
import type { SectionReader } from '../common/reader.ts';
import { stackColumns } from '../common/stack-cursor.ts';
import { addStacks, WeightedTrie } from '../common/stack-trie.ts';
import { sectionNotes, sectionSeconds } from './notes.ts';
import { isScheduling } from './scheduling.ts';
import { type Filter, type SectionGroup, selectEvents, selectPoints, selectStackColumns, xIsTime } from './select.ts';
import { ConnectionCounter, type ConnectionStats, isConnections } from './stats/connections.ts';
import { EventCounter, type EventStats } from './stats/events.ts';
import type { ByProcess } from './stats/groups.ts';
import { PointCounter, type PointStats } from './stats/points.ts';
import { SchedulingCounter, type SchedulingStats } from './stats/scheduling.ts';
import { RamCounter, type RamStats, StackCounter, type StackStats } from './stats/stacks.ts';
import { TrendCounter, type TrendStats } from './stats/trends.ts';

export interface StatsOptions {
  readonly filter: Filter;
  /** Processes of one name together, or each process by itself. */
  readonly by: ByProcess;
  /** Entries of each list of processes, functions and so on. */
  readonly top: number;
  /** Values that each summary of a whole section keeps as a sample, and those of its groups a tenth of it; 0. */
  readonly sampled?: number;
}

/** One section in numbers: what every section has, and one of points, trends, stacks and ram, or events and what they mean. */
export interface SectionStats {
  /** Its place in the file, from 1. */
  readonly section: number;
  readonly interface: string;
  readonly datatype: string;
  readonly tool: string | null;
  readonly start: string;
  /** What the rate is out of: the run, or the part of it that was asked for. Null where records have no time. */
  readonly seconds: number | null;
  /** Those that pass the filter. Of stacks, the different ones; idle ones are left out. */
  readonly records: number;
  /** Records a second. */
  readonly rate: number | null;
  readonly lost: number;
  readonly skipped: number;
  /** What a person must know to read the numbers rightly. */
  readonly notes: readonly string[];
  readonly points?: PointStats;
  readonly trends?: TrendStats;
  readonly stacks?: StackStats;
  readonly ram?: RamStats;
  readonly events?: EventStats;
  readonly scheduling?: SchedulingStats;
  readonly connections?: ConnectionStats;
}

/**
 * Reads a section once, in bounded memory, and gives it in numbers. The filter must be one that it can answer
 * (checkFilter). Numbers that a view shows too are the same there for the same filter.
 * @throws DamagedFileError (65)
 */
export async function sectionStats(
  group: SectionGroup,
  section: SectionReader,
  options: StatsOptions,
): Promise<SectionStats> {
  const { header } = section;
  const { records, last, ...numbers } = await analyse(group, section, options);
  const seconds = rangeSeconds(header, options.filter, last);
  return {
    section: section.number,
    interface: header.interface,
    datatype: header.datatype,
    tool: header.tool === undefined ? null : `${header.tool.name} ${header.tool.version}`.trim(),
    start: header.start,
    seconds,
    records,
    rate: seconds === null || header.datatype === 'stack' ? null : records / seconds,
    lost: header.lost ?? 0,
    skipped: header.skipped ?? 0,
    notes: sectionNotes(header),
    ...numbers,
  };
}

/** Lists that are in order of size, and end after so many entries. */
const RANKED = new Set(['processes', 'growing', 'by_self', 'by_total', 'reasons', 'groups', 'pairs']);

/** The same numbers with shorter lists. */
export function withTop(stats: SectionStats, top: number): SectionStats {
  const cut = (key: string, value: unknown): unknown => {
    if (Array.isArray(value)) return (RANKED.has(key) ? value.slice(0, top) : value).map((part) => cut('', part));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, cut(name, part)]));
  };
  return cut('', stats) as SectionStats;
}

type Numbers = Pick<SectionStats, 'records'> &
  Partial<SectionStats> & {
    /** Seconds since the origin of the last record. */
    readonly last: number;
  };

function analyse(group: SectionGroup, section: SectionReader, options: StatsOptions): Promise<Numbers> {
  switch (section.header.datatype) {
    case 'datapoint':
      return analysePoints(section, options);
    case 'stack':
      return analyseStacks(group, section, options);
    case 'event':
      return isScheduling(section.header) ? analyseScheduling(section, options) : analyseEvents(section, options);
  }
}

async function analysePoints(section: SectionReader, { filter, by, top, sampled }: StatsOptions): Promise<Numbers> {
  const { header } = section;
  const isTrend = header.interface === 'memtime';
  const counter = isTrend ? new TrendCounter(header, by) : new PointCounter(header, by, sampled);
  let last = 0;
  for await (const points of selectPoints(section, counter.want, filter)) {
    counter.add(points);
    last = Math.max(last, points.x.at(-1) ?? 0);
  }
  const numbers = counter instanceof TrendCounter ? { trends: counter.stats(top) } : { points: counter.stats(top) };
  return { records: counter.count, last, ...numbers };
}

async function analyseStacks(group: SectionGroup, section: SectionReader, options: StatsOptions): Promise<Numbers> {
  const { header } = section;
  const counter = header.interface === 'memmap' ? new RamCounter(header) : new StackCounter(header);
  const stacks = selectStackColumns(group, section, options.filter);
  for await (const columns of header.hosts === undefined ? stacks : merged(stacks)) counter.add(columns);
  const numbers =
    counter instanceof RamCounter ? { ram: counter.stats(options.top) } : { stacks: counter.stats(options.top) };
  return { records: counter.count, last: 0, ...numbers };
}

/** What several hosts have alike is one stack. */
async function* merged(stacks: AsyncIterable<StackColumns>): AsyncGenerator<StackColumns> {
  const trie = new WeightedTrie();
  await addStacks(trie, stacks);
  yield* stackColumns(trie.stacks());
}

async function analyseEvents(section: SectionReader, { filter, by, top }: StatsOptions): Promise<Numbers> {
  const { header } = section;
  const events = new EventCounter(header, by);
  const connections = isConnections(header) ? new ConnectionCounter(by) : undefined;
  let last = 0;
  for await (const chunk of selectEvents(section, [...events.want, ...(connections?.want ?? [])], filter)) {
    events.add({ ...chunk, columns: chunk.columns.slice(0, events.want.length) });
    connections?.add({ ...chunk, columns: chunk.columns.slice(events.want.length) });
    last = (chunk.time.at(-1) ?? 0) / 1e9;
  }
  return {
    records: events.count,
    last,
    events: events.stats(top),
    ...(connections === undefined ? {} : { connections: connections.stats(top) }),
  };
}

/** Counts the events of the filter, from either side as the views show them, and follows the tasks through all of them. */
async function analyseScheduling(section: SectionReader, { filter, by, top, sampled }: StatsOptions): Promise<Numbers> {
  const { header } = section;
  const events = new EventCounter(header, by);
  const scheduling = new SchedulingCounter(header, by, filter, sampled);
  let last = 0;
  const followed: Pick<SectionReader, 'events'> = {
    events: async function* (want) {
      for await (const chunk of section.events([...want, ...scheduling.want])) {
        scheduling.add({ ...chunk, columns: chunk.columns.slice(want.length) });
        yield { ...chunk, columns: chunk.columns.slice(0, want.length) };
      }
    },
  };
  for await (const chunk of selectEvents(followed, events.want, filter, 'either')) {
    events.add(chunk);
    last = (chunk.time.at(-1) ?? 0) / 1e9;
  }
  return { records: events.count, last, events: events.stats(top), scheduling: scheduling.stats(top) };
}

/** Seconds of the run that the filter leaves; the last record counts as the end of one that was cut off. */
function rangeSeconds(header: SectionHeader, { from, to }: Filter, last: number): number | null {
  if (header.datatype === 'datapoint' && !xIsTime(header)) return null;
  const { clock, start } = header;
  // A part of a file begins later than its times count from.
  const begin = clock === undefined ? 0 : Math.max(0, (Date.parse(start) - Date.parse(clock.realtime)) / 1000);
  const whole = sectionSeconds(header);
  const end = whole === null ? last : begin + whole;
  const seconds = Math.min(to ?? end, end) - Math.max(from ?? begin, begin);
  return seconds > 0 ? seconds : null;
}
