import type { MarpleRecord } from '../../common/datatypes.ts';
import type { SectionHeader } from '../../common/header.ts';
import type { SectionReader } from '../../common/reader.ts';
import { formatShare } from '../../common/text.ts';
import { COUNT_FIELD, countField, timesOf } from '../counted.ts';
import { sectionSeconds } from '../notes.ts';
import { isScheduling } from '../scheduling.ts';
import { type Filter, type SectionGroup, selectEvents, selectPoints, selectStackColumns, xIsTime } from '../select.ts';
import { ConnectionCounter, isConnections } from '../stats/connections.ts';
import { LatencySummary } from './latencies.ts';
import { LevelSummary } from './levels.ts';
import { OTHER } from './other.ts';
import { addScheduling, TIMES_WEIGHT, waitHeader } from './scheduling.ts';
import { type FoldedStacks, StackSummary } from './stacks.ts';

/*
 * Only what can be summed of a data file, small enough to be sent home by a thousand hosts, and itself a data file: stacks above a
 * threshold, latencies as histograms, counts and times by process, levels by slices of time. Summaries of several hosts add up
 * to the summary of all of them.
 */

export interface SummaryOptions {
  /** What has less than this share of its section (0 .. 1) has no line of its own. */
  readonly minShare: number;
  /** How far a latency may be off, as a share of it. */
  readonly accuracy: number;
  /** Slices of time, at the most. */
  readonly slices: number;
}

export const SUMMARY_DEFAULTS: SummaryOptions = { minShare: 0.001, accuracy: 0.01, slices: 60 };

/** A section of a summary; its records are in memory. */
export interface SummarySection {
  readonly header: SectionHeader;
  readonly records: readonly MarpleRecord[];
}

/** Levels that are sampled; other points with a time are of things that took some time. */
const LEVELS = new Set(['memtime', 'system']);
/** What latencies are told apart by, where the section has it. The first is what there may be many of. */
const LABELS = ['comm', 'op', 'dev'];

/**
 * The summary of the sections that belong together, of one host or several: those of one interface and quantity.
 * @param alike the groups they are in, one for each file.
 * @param tell is given what is in no summary.
 * @throws DamagedFileError (65)
 */
export async function summarise(
  alike: readonly SectionGroup[],
  filter: Filter,
  options: SummaryOptions,
  tell: (sentence: string) => void,
): Promise<SummarySection[]> {
  const [first] = alike;
  if (first === undefined) return [];
  const sections: SummarySection[] = [];
  for (const { header, number } of first.shown) {
    const same = alike.flatMap((group) => {
      const section = group.shown.find((other) => isAlike(other.header, header));
      return section === undefined ? [] : [{ group, section }];
    });
    const made = await summariseAlike(same, filter, options);
    if (made === undefined) tell(`section ${number} (${header.interface}) has nothing that adds up, and is left out`);
    else sections.push(...made);
  }
  return sections;
}

/** Whether sections are of the same thing, so that they add up. */
export function isAlike(one: SectionHeader, other: SectionHeader): boolean {
  return (
    one.interface === other.interface &&
    one.datatype === other.datatype &&
    one.y?.label === other.y?.label &&
    one.weight?.label === other.weight?.label
  );
}

interface Source {
  readonly group: SectionGroup;
  readonly section: SectionReader;
}

/** What is summed: sections that add up, and what the header of the sum begins with. */
interface Sum {
  readonly sources: readonly Source[];
  readonly about: SectionHeader;
  readonly filter: Filter;
  readonly options: SummaryOptions;
}

/** Undefined where nothing of it adds up; no section where others of the group tell the same. */
async function summariseAlike(
  sources: readonly Source[],
  filter: Filter,
  options: SummaryOptions,
): Promise<SummarySection[] | undefined> {
  const { header } = sources[0]!.section;
  const about = summaryHeader(sources, options);
  const sum: Sum = { sources, about, filter, options };
  switch (header.datatype) {
    case 'stack': {
      const stacks = new StackSummary();
      for (const { group, section } of sources) await stacks.addAll(selectStackColumns(group, section, filter));
      return [stackSection(about, stacks, options)];
    }
    case 'datapoint':
      if (!xIsTime(header)) return undefined;
      return LEVELS.has(header.interface) ? [await levels(sum)] : [await latencies(sum)];
    case 'event':
      if (isScheduling(header)) return scheduling(sum);
      if (isConnections(header)) return connections(sum);
      // The stack section of the interface has them all.
      if (header.fields?.includes('stack') === true) return [];
      return [await eventCounts(sum)];
  }
}

/** What the summary of some sections says of itself. The sums of several hosts are of no single one. */
function summaryHeader(sources: readonly Source[], { minShare }: SummaryOptions): SectionHeader {
  const headers = sources.map(({ section }) => section.header);
  const { records: _, bytes: __, host, node, clock_offset, cpus, links: ___, ...own } = headers[0]!;
  const isOne = headers.length === 1;
  const sum = (of: (header: SectionHeader) => number | null | undefined): number =>
    headers.reduce((total, each) => total + (of(each) ?? 0), 0);
  const known = headers.map((each) => each.summary);
  const cpusOfAll = sum((each) => each.cpus);
  return {
    ...own,
    ...(isOne && host !== undefined ? { host } : {}),
    ...(isOne && node !== undefined ? { node } : {}),
    ...(isOne && clock_offset !== undefined ? { clock_offset } : {}),
    ...(cpusOfAll > 0 ? { cpus: cpusOfAll } : {}),
    ...(headers.some(({ lost }) => lost !== undefined) ? { lost: sum(({ lost }) => lost) } : {}),
    ...(headers.some(({ skipped }) => skipped !== undefined) ? { skipped: sum(({ skipped }) => skipped) } : {}),
    ...(isOne ? {} : { warnings: [...new Set(headers.flatMap(({ warnings = [] }) => warnings))] }),
    summary: {
      of: known.reduce((total, each, i) => total + (each?.of ?? headers[i]!.records ?? 0), 0),
      hosts: known.reduce((total, each) => total + (each?.hosts ?? 1), 0),
      min_share: minShare,
    },
    records: null,
    bytes: null,
  };
}

function withSummary(header: SectionHeader, values: Readonly<Record<string, unknown>>): SectionHeader {
  return { ...header, summary: { ...header.summary!, ...values } };
}

function noted(header: SectionHeader, note: string | undefined): SectionHeader {
  // That of a summary that was summed says something about it alone.
  const others = (header.notes ?? []).filter((sentence) => !sentence.startsWith(NOTE_START));
  return { ...header, notes: note === undefined ? others : [...others, `${NOTE_START}${note}`] };
}

const NOTE_START = 'a summary: ';

function foldedNote({ folded, total }: FoldedStacks, { minShare }: SummaryOptions): string | undefined {
  if (folded === 0) return undefined;
  return `what has less than ${formatShare(minShare, 1)} is under ${OTHER}, ${formatShare(folded, total)} in all`;
}

function stackSection(header: SectionHeader, stacks: StackSummary, options: SummaryOptions): SummarySection {
  const folded = stacks.fold(options.minShare);
  return { header: noted(header, foldedNote(folded, options)), records: folded.stacks };
}

/** Seconds of a slice: of all sources the same. */
function sliceSeconds(sources: readonly Source[], { slices }: SummaryOptions): number {
  const own = sources.map(({ section: { header } }) =>
    Math.max(header.summary?.interval ?? 1, Math.ceil((sectionSeconds(header) ?? slices) / slices)),
  );
  return Math.max(...own);
}

async function latencies({ sources, about, filter, options }: Sum): Promise<SummarySection> {
  const labels = LABELS.filter((field) => about.fields?.includes(field) === true);
  const summary = new LatencySummary(sliceSeconds(sources, options), options.accuracy);
  for (const { section } of sources) {
    const counted = countField(section.header);
    const want = [
      ...labels.map((field) => ({ field, as: 'text' }) as const),
      ...(counted === undefined ? [] : [{ field: counted, as: 'number' } as const]),
    ];
    for await (const { length, x, y, columns } of selectPoints(section, want, filter)) {
      const texts = columns.slice(0, labels.length);
      const counts = columns[labels.length]?.values;
      for (let i = 0; i < length; i++) {
        const own = texts.map(({ dictionary, values }) => dictionary[values[i]!]!);
        const times = timesOf(counts?.[i]);
        if (times > 0) summary.add(x[i]!, own, Math.max(0, y[i]!), times);
      }
    }
  }
  return latencySection(about, labels, summary, options);
}

function latencySection(
  about: SectionHeader,
  labels: readonly string[],
  summary: LatencySummary,
  { minShare, accuracy }: SummaryOptions,
): SummarySection {
  const note = `each record stands for as many as its field ${COUNT_FIELD} says, within ${formatShare(accuracy, 1)} of its value and in the ${summary.interval} s after its time`;
  const header = withSummary(
    { ...about, fields: [...labels, COUNT_FIELD] },
    { counted: COUNT_FIELD, relative_accuracy: accuracy, interval: summary.interval },
  );
  return { header: noted(header, note), records: summary.points(minShare) };
}

async function levels({ sources, about, filter, options }: Sum): Promise<SummarySection> {
  // Processes of one name together, and all CPUs.
  const labels = (about.fields ?? []).filter((field) => field !== 'pid' && field !== 'cpu');
  const summary = new LevelSummary(sliceSeconds(sources, options));
  let hosts = 0;
  for (const { section } of sources) {
    // The mean of some hosts counts as often as there are hosts in it.
    const of = isShare(about) ? (section.header.summary?.hosts ?? 1) : 1;
    hosts += of;
    const samples = summary.section();
    const want = labels.map((field) => ({ field, as: 'text' }) as const);
    for await (const { length, x, y, columns } of selectPoints(section, want, filter)) {
      for (let i = 0; i < length; i++) {
        const own = columns.map(({ dictionary, values }) => dictionary[values[i]!]!);
        samples.add(x[i]!, own, y[i]! * of);
      }
    }
    samples.end();
  }
  const note = `means of ${summary.interval} s${isShare(about) && hosts > 1 ? ' over all hosts' : ''}`;
  const header = withSummary({ ...about, fields: labels }, { interval: summary.interval });
  return { header: noted(header, note), records: summary.points(options.minShare, isShare(about) ? hosts : 1) };
}

/** Shares of several hosts do not add up; their mean says something. */
function isShare({ y }: SectionHeader): boolean {
  return y?.unit === '%';
}

async function scheduling({ sources, about, filter, options }: Sum): Promise<SummarySection[]> {
  const times = new StackSummary();
  const waits = new LatencySummary(sliceSeconds(sources, options), options.accuracy);
  for (const { section } of sources) await addScheduling(section, filter, times, waits);
  const { fields: _, ...header } = about;
  return [
    stackSection({ ...header, datatype: 'stack', weight: TIMES_WEIGHT }, times, options),
    latencySection({ ...header, datatype: 'datapoint', ...waitHeader() }, ['comm'], waits, options),
  ];
}

async function connections({ sources, about, filter, options }: Sum): Promise<SummarySection[]> {
  const [opened, bytes] = [new StackSummary(), new StackSummary()];
  let hasSizes = false;
  for (const { section } of sources) {
    const counter = new ConnectionCounter('comm');
    for await (const chunk of selectEvents(section, counter.want, filter)) counter.add(chunk);
    for (const pair of counter.stats(Number.POSITIVE_INFINITY).pairs) {
      const { client, server } = pair;
      const stack = [client.comm, server.port === null ? server.comm : `${server.comm}:${server.port}`];
      opened.add(stack, pair.opened);
      bytes.add([...stack, 'to the server'], pair.bytes_to_server ?? 0);
      bytes.add([...stack, 'to the client'], pair.bytes_to_client ?? 0);
      hasSizes ||= pair.bytes_to_server !== null;
    }
  }
  const { fields: _, ...rest } = about;
  const header: SectionHeader = { ...rest, datatype: 'stack' };
  return [
    stackSection({ ...header, weight: { label: 'connections', unit: 'connections' } }, opened, options),
    ...(hasSizes ? [stackSection({ ...header, weight: { label: 'bytes', unit: 'bytes' } }, bytes, options)] : []),
  ];
}

/** Of events that no process is known of. */
const NO_PROCESS = '[no process]';

/** How many events of each type there were, by process where they have one. */
async function eventCounts({ sources, about, filter, options }: Sum): Promise<SummarySection> {
  const labels = LABELS.filter((field) => about.fields?.includes(field) === true);
  const counts = new StackSummary();
  for (const { section } of sources) {
    const want = labels.map((field) => ({ field, as: 'text' }) as const);
    for await (const { length, type, columns } of selectEvents(section, want, filter)) {
      for (let i = 0; i < length; i++) {
        const [comm, ...others] = columns.map(({ dictionary, values }) => dictionary[values[i]!]!);
        const name = type.dictionary[type.values[i]!]!;
        counts.add(
          [
            ...(comm === undefined ? [] : [comm === '' ? NO_PROCESS : comm]),
            name,
            ...others.filter((text) => text !== ''),
          ],
          1,
        );
      }
    }
  }
  const { fields: _, ...header } = about;
  const weight = { label: 'events', unit: 'events' };
  return stackSection({ ...header, datatype: 'stack', weight }, counts, options);
}
