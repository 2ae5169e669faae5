import type { Datapoint, Datatype, EventData, RecordOf, StackData } from '../../common/datatypes.ts';
import { UsageError } from '../../common/errors.ts';
import { isHostKey, keyText, MOST_KEYED_HOSTS } from '../../common/host-keys.ts';
import type { ColumnRequest, PointColumns, SectionReader, StackColumns } from '../../common/reader.ts';
import type { SectionGroup } from '../select.ts';
import { alignedBatches, alignedPoints, type CommonTimes, commonTimes, isSampled } from './aligned.ts';
import { joinedHeader, layoutOf } from './joined-header.ts';
import { HOST_FIELD, type MergeChunk, type MergeSource, mergeChunks } from './merge.ts';

/** What one host has. */
export interface HostGroups {
  readonly host: string;
  readonly groups: readonly SectionGroup[];
}

export interface JoinOptions {
  /**
   * For what looks at the records of all hosts together: pids and CPUs become numbers that no other host has, and levels that each
   * host sampled at its own times are moved to common ones. Else both stay as they are.
   */
  readonly isForViews: boolean;
}

/** A section of several hosts: its records have a field `host`, and its header's `hosts` are all hosts, in order. */
export interface JoinedSection extends SectionReader {
  /** Of stacks: by host that has any, its place in `hosts` and the line behind its last stack. */
  lineEnds(): Promise<readonly LineEnd[]>;
}

export interface LineEnd {
  readonly host: number;
  readonly end: number;
}

/** A section of one host that is part of a joined one. */
interface Part {
  readonly host: number;
  readonly section: SectionReader;
  /** Those whose lines its records name. */
  readonly stacks: SectionReader | undefined;
}

export function isJoined(section: SectionReader): section is JoinedSection {
  return 'lineEnds' in section;
}

/**
 * Sections of one kind of all hosts as one: those that hold the same fields in the same units. What a host has otherwise than others
 * stays a group of its own.
 * @throws UsageError (2) where there are more hosts than can be told apart.
 */
export function joinGroups(all: readonly HostGroups[], options: JoinOptions): SectionGroup[] {
  const hosts = all.map(({ host }) => host);
  if (options.isForViews) checkCount(all);
  const byLayout = new Map<string, { host: number; group: SectionGroup }[]>();
  for (const [host, { groups }] of all.entries()) {
    const seen = new Map<string, number>();
    for (const group of groups) {
      const layout = layoutOf(group.all);
      // Two of a kind of one host are two.
      const count = seen.get(layout) ?? 0;
      seen.set(layout, count + 1);
      const key = `${count} ${layout}`;
      const members = byLayout.get(key);
      if (members === undefined) byLayout.set(key, [{ host, group }]);
      else members.push({ host, group });
    }
  }
  return [...byLayout.values()].map((members) => joinGroup(members, hosts, options));
}

function checkCount(all: readonly HostGroups[]): void {
  const hasKeys = all.some(({ groups }) =>
    groups.some((group) => group.all.some(({ header }) => header.fields?.some(isHostKey) === true)),
  );
  if (all.length <= MOST_KEYED_HOSTS || !hasKeys) return;
  throw new UsageError(
    `these are files of ${all.length} hosts, and the processes of ${MOST_KEYED_HOSTS} can be told apart`,
    'take some of them: --host NAMES; or add them up: marple export --format summary -o all.marple -i FOLDER',
  );
}

function joinGroup(
  members: readonly { readonly host: number; readonly group: SectionGroup }[],
  hosts: readonly string[],
  options: JoinOptions,
): SectionGroup {
  const [first] = members as [(typeof members)[number]];
  const stacksAt = first.group.all.findIndex(({ header }) => header.datatype === 'stack');
  const all = first.group.all.map((_, i) => {
    const parts = members.map(
      ({ host, group }): Part => ({ host, section: group.all[i]!, stacks: group.all[stacksAt] }),
    );
    return joinSections(parts, hosts, options);
  });
  const shown = all.filter((_, i) => members.some(({ group }) => group.shown.includes(group.all[i]!)));
  return { interface: first.group.interface, all, shown };
}

function joinSections(parts: readonly Part[], hosts: readonly string[], { isForViews }: JoinOptions): JoinedSection {
  const [first] = parts as [Part];
  const header = joinedHeader(
    parts.map(({ host, section }) => ({ host, header: section.header })),
    hosts,
    isForViews,
  );
  let ends: Promise<LineEnd[]> | undefined;
  const lineEnds = (): Promise<LineEnd[]> => {
    ends ??= countLines(parts);
    return ends;
  };
  const isAligned = isForViews && isSampled(first.section.header);
  let times: Promise<CommonTimes | undefined> | undefined;
  const points = async function* (
    section: SectionReader,
    want: readonly ColumnRequest[],
  ): AsyncGenerator<PointColumns> {
    times ??= isAligned ? commonTimes(parts.map((part) => part.section)) : Promise.resolve(undefined);
    const common = await times;
    yield* common === undefined ? section.points(want) : alignedPoints(section.points(want), common);
  };
  const merged = async function* (
    want: readonly ColumnRequest[],
    chunksOf: (section: SectionReader, own: readonly ColumnRequest[]) => AsyncIterable<MergeChunk>,
    output: readonly ColumnRequest[],
  ): AsyncGenerator<MergeChunk> {
    const starts = want.some(({ field }) => field === 'stack') ? await firstLines(parts) : undefined;
    const sources = parts.map(
      ({ host, section }, i): MergeSource => ({
        host,
        firstStack: starts?.[i] ?? 0,
        // The column of hosts is in no file.
        chunks: chunksOf(section, want),
      }),
    );
    yield* mergeChunks(sources, output, hosts, isForViews);
  };
  return {
    number: first.section.number,
    header,
    lineEnds,
    batches: (datatype) => joinedBatches(parts, hosts, datatype, { isForViews, isAligned }),
    async *points(want, part) {
      if (part !== undefined) throw new TypeError('a section of several hosts has no parts');
      for await (const { length, leading, columns } of merged(
        want,
        async function* (section, own) {
          for await (const chunk of points(section, inFiles(own))) {
            const { x, y } = chunk;
            yield { length: chunk.length, leading: [x, y], columns: withGaps(own, chunk.columns) };
          }
        },
        want,
      )) {
        yield { length, x: leading[0]!, y: leading[1]!, columns };
      }
    },
    async *events(want, part) {
      if (part !== undefined) throw new TypeError('a section of several hosts has no parts');
      const output: ColumnRequest[] = [{ field: 'type', as: 'text' }, ...want];
      for await (const { length, leading, columns } of merged(
        want,
        async function* (section, own) {
          for await (const { time, type, columns: given, length: rows } of section.events(inFiles(own))) {
            yield { length: rows, leading: [time], columns: [type, ...withGaps(own, given)] };
          }
        },
        output,
      )) {
        yield { length, time: leading[0]!, type: columns[0]!, columns: columns.slice(1) };
      }
    },
    stacks: () => joinedStacks(parts),
  };
}

function inFiles(want: readonly ColumnRequest[]): ColumnRequest[] {
  return want.filter(({ field }) => field !== HOST_FIELD);
}

const NO_COLUMN = { values: new Int32Array(0), dictionary: [] };

/** Columns in the places of what was wanted, with nothing where that is in no file. */
function withGaps(want: readonly ColumnRequest[], columns: PointColumns['columns']): PointColumns['columns'] {
  let next = 0;
  return want.map(({ field }) => (field === HOST_FIELD ? NO_COLUMN : columns[next++]!));
}

async function countLines(parts: readonly Part[]): Promise<LineEnd[]> {
  const ends: LineEnd[] = [];
  let end = 0;
  for (const { host, section } of parts) {
    end += await lineCount(section);
    ends.push({ host, end });
  }
  return ends;
}

/** The line of the joined stacks at which those of each part begin. */
async function firstLines(parts: readonly Part[]): Promise<number[]> {
  const starts: number[] = [];
  let start = 0;
  for (const { stacks } of parts) {
    starts.push(start);
    if (stacks !== undefined) start += await lineCount(stacks);
  }
  return starts;
}

async function lineCount(section: SectionReader): Promise<number> {
  const { records } = section.header;
  if (typeof records === 'number') return records;
  let count = 0;
  for await (const { length } of section.stacks()) count += length;
  return count;
}

/** The stacks of one host behind those of the other, their frames with one list of names. */
async function* joinedStacks(parts: readonly Part[]): AsyncGenerator<StackColumns> {
  const names: string[] = [];
  const places = new Map<string, number>();
  for (const { section } of parts) {
    let known = 0;
    let own = new Int32Array(1024);
    for await (const columns of section.stacks()) {
      if (columns.names.length > own.length) {
        const larger = new Int32Array(2 * columns.names.length);
        larger.set(own);
        own = larger;
      }
      for (; known < columns.names.length; known++) {
        const name = columns.names[known]!;
        let place = places.get(name);
        if (place === undefined) {
          place = names.push(name) - 1;
          places.set(name, place);
        }
        own[known] = place;
      }
      yield { ...columns, names, frames: columns.frames.map((frame) => own[frame]!) };
    }
  }
}

interface BatchOptions {
  readonly isForViews: boolean;
  readonly isAligned: boolean;
}

/** Records given at once. */
const BATCH = 8192;

async function* joinedBatches<D extends Datatype>(
  parts: readonly Part[],
  hosts: readonly string[],
  datatype: D,
  { isForViews, isAligned }: BatchOptions,
): AsyncGenerator<RecordOf[D][]> {
  if (datatype === 'stack') {
    for (const { section } of parts) yield* section.batches('stack') as AsyncIterable<RecordOf[D][]>;
    return;
  }
  const starts = await firstLines(parts);
  const times = isAligned ? await commonTimes(parts.map(({ section }) => section)) : undefined;
  const sources = parts.map(({ host, section }, i) => {
    const fields = section.header.fields ?? (datatype === 'datapoint' ? ['info'] : []);
    const change = (values: readonly string[]): string[] => [
      ...values.map((text, place) => {
        const field = fields[place]!;
        if (field === 'stack') return text === '' ? '' : String(Number(text) + starts[i]!);
        return isForViews && isHostKey(field) ? keyText(field, host, text) : text;
      }),
      hosts[host]!,
    ];
    return datatype === 'event'
      ? changedBatches<EventData>(section.batches('event'), (event) => ({ ...event, datum: change(event.datum) }))
      : changedBatches<Datapoint>(
          times === undefined ? section.batches('datapoint') : alignedBatches(section.batches('datapoint'), times),
          (point) => ({ ...point, info: change(point.info) }),
        );
  });
  const timeOf =
    datatype === 'event'
      ? (record: Datapoint | EventData) => (record as EventData).time
      : (record: Datapoint | EventData) => (record as Datapoint).x;
  let batch: (Datapoint | EventData)[] = [];
  for await (const record of earliest<Datapoint | EventData>(sources, timeOf)) {
    batch.push(record);
    if (batch.length < BATCH) continue;
    yield batch as RecordOf[D][];
    batch = [];
  }
  if (batch.length > 0) yield batch as RecordOf[D][];
}

async function* changedBatches<R>(
  batches: AsyncIterable<readonly R[]>,
  change: (record: R) => R,
): AsyncGenerator<readonly R[]> {
  for await (const records of batches) yield records.map(change);
}

/** The records of all sources by time; of one time those of the first source first. */
async function* earliest<R>(
  sources: readonly AsyncIterable<readonly R[]>[],
  timeOf: (record: R) => number,
): AsyncGenerator<R> {
  const heads: { readonly batches: AsyncIterator<readonly R[]>; records: readonly R[]; row: number }[] = [];
  const next = async (head: (typeof heads)[number]): Promise<boolean> => {
    for (;;) {
      const { done, value } = await head.batches.next();
      if (done === true) return false;
      if (value.length === 0) continue;
      head.records = value;
      head.row = 0;
      return true;
    }
  };
  const all = sources.map((source) => ({ batches: source[Symbol.asyncIterator](), records: [], row: 0 }));
  try {
    for (const head of all) if (await next(head)) heads.push(head);
    while (heads.length > 0) {
      let at = 0;
      for (let i = 1; i < heads.length; i++) {
        if (timeOf(heads[i]!.records[heads[i]!.row]!) < timeOf(heads[at]!.records[heads[at]!.row]!)) at = i;
      }
      const head = heads[at]!;
      yield head.records[head.row++]!;
      if (head.row === head.records.length && !(await next(head))) heads.splice(at, 1);
    }
  } finally {
    await Promise.all(all.map(({ batches }) => batches.return?.()));
  }
}

/**
 * Stacks of several hosts with the host as their first frame: of columns as the joined section, or a selection of it, gives them.
 * @param ends those of the section.
 */
export async function* withHostFrames(
  stacks: AsyncIterable<StackColumns>,
  ends: readonly LineEnd[],
  hosts: readonly string[],
): AsyncGenerator<StackColumns> {
  const names: string[] = hosts.map((host) => host);
  let line = 0;
  let part = 0;
  let isFirst = true;
  for await (const columns of stacks) {
    for (let i = names.length - hosts.length; i < columns.names.length; i++) names.push(columns.names[i]!);
    const { length } = columns;
    const shared = new Int32Array(length);
    const own = new Int32Array(length);
    const frames: number[] = [];
    for (let i = 0; i < length; i++, line++) {
      while (line >= ends[part]!.end) {
        part++;
        isFirst = true;
      }
      if (isFirst) frames.push(ends[part]!.host);
      shared[i] = isFirst ? 0 : columns.shared[i]! + 1;
      isFirst = false;
      const end = columns.ends[i]!;
      for (let at = i === 0 ? 0 : columns.ends[i - 1]!; at < end; at++) frames.push(columns.frames[at]! + hosts.length);
      own[i] = frames.length;
    }
    yield { ...columns, shared, ends: own, frames: Int32Array.from(frames), names };
  }
}

/** The stacks of a section, or of a selection of it, in pieces; each with its host as first frame where that is wanted and known. */
export async function* stackBatches(section: SectionReader, isByHost: boolean): AsyncGenerator<readonly StackData[]> {
  if (!isByHost || !isJoined(section)) {
    yield* section.batches('stack');
    return;
  }
  for await (const stack of withHostFrame(
    each(section.batches('stack')),
    await section.lineEnds(),
    section.header.hosts ?? [],
  )) {
    yield [stack];
  }
}

async function* each<T>(batches: AsyncIterable<readonly T[]>): AsyncGenerator<T> {
  for await (const batch of batches) yield* batch;
}

/** The same of single stacks. */
export async function* withHostFrame(
  stacks: AsyncIterable<StackData>,
  ends: readonly LineEnd[],
  hosts: readonly string[],
): AsyncGenerator<StackData> {
  let line = 0;
  let part = 0;
  for await (const stack of stacks) {
    while (line >= ends[part]!.end) part++;
    line++;
    yield { ...stack, stack: [hosts[ends[part]!.host]!, ...stack.stack] };
  }
}
