import type { Datapoint, Datatype, EventData, RecordOf, StackData } from '../common/datatypes.ts';
import { UsageError } from '../common/errors.ts';
import {
  type Column,
  type ColumnRequest,
  type DataFile,
  type EventColumns,
  type PointColumns,
  renumbered,
  type SectionReader,
  type StackColumns,
} from '../common/reader.ts';
import { joinWords } from '../common/text.ts';
import { isJoined } from './fleet/joined.ts';
import { xIsTime } from './notes.ts';

export { xIsTime } from './notes.ts';

/** Which records are shown: everything where nothing is set. */
export interface Filter {
  /** Seconds since the file's origin. */
  readonly from?: number;
  readonly to?: number;
  readonly pids?: readonly number[];
  /** On the process name. */
  readonly comm?: RegExp;
}

/** A filter as flags give it: `comm` is the source of a regular expression. */
export interface FilterValues extends Omit<Filter, 'comm'> {
  readonly comm?: string;
}

/** Whether it lets everything through. */
export function isWide(filter: Filter): boolean {
  return Object.values(filter).every((value) => value === undefined);
}

export function makeFilter({ from, to, pids, comm }: FilterValues): Filter {
  return {
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(pids === undefined ? {} : { pids }),
    ...(comm === undefined ? {} : { comm: new RegExp(comm, 'u') }),
  };
}

/**
 * The sections that were named by number; undefined where none was. The numbers go through all files.
 * @throws UsageError (2) where there is no such section.
 */
export function pickedSections(
  files: readonly DataFile[],
  pick: readonly number[] | undefined,
): ReadonlySet<number> | undefined {
  if (pick === undefined) return undefined;
  const last = files.reduce((count, { sections }) => count + sections.length, 0);
  const wrong = pick.find((number) => number < 1 || number > last);
  if (wrong !== undefined) {
    const [one, ...others] = files;
    throw new UsageError(
      others.length === 0
        ? `${one?.path} has no section ${wrong}: its sections are 1 to ${last}`
        : `the ${files.length} files have no section ${wrong}: their sections are 1 to ${last}`,
      'marple display -l lists them',
    );
  }
  return new Set(pick);
}

/** Sections of one interface that belong together: a stack section and the events or points that refer to it. */
export interface SectionGroup {
  readonly interface: string;
  /** All of them, in file order. */
  readonly all: readonly SectionReader[];
  /** Those that were picked to be shown. */
  readonly shown: readonly SectionReader[];
}

/** Groups sections by interface. A second section of a datatype begins a new group: it is another profile or quantity. */
export function groupSections(sections: readonly SectionReader[], picked?: ReadonlySet<number>): SectionGroup[] {
  const groups: { interface: string; all: SectionReader[] }[] = [];
  for (const section of sections) {
    const { interface: name, datatype } = section.header;
    let group = groups.findLast((candidate) => candidate.interface === name);
    if (group === undefined || group.all.some((other) => other.header.datatype === datatype)) {
      group = { interface: name, all: [] };
      groups.push(group);
    }
    group.all.push(section);
  }
  return groups
    .map((group) => {
      const all = group.all.map((section) => withProcessNames(section, group.all));
      return { ...group, all, shown: all.filter(({ number }) => picked === undefined || picked.has(number)) };
    })
    .filter((group) => group.shown.length > 0);
}

/** Whether records have no process name of their own, but may have that of their stack. */
function isNamedByStack({ header: { datatype, fields } }: SectionReader): boolean {
  return datatype !== 'stack' && fields?.includes('stack') === true && !fields.includes('comm');
}

/** Adds a column `comm` to records that refer to a stack: its root frame is the process name. */
function withProcessNames(section: SectionReader, group: readonly SectionReader[]): SectionReader {
  const stacks = group.find(({ header }) => header.datatype === 'stack');
  if (stacks === undefined || !isNamedByStack(section)) return section;
  let roots: Promise<readonly string[]> | undefined;
  async function* named<Chunk extends Rows>(
    read: (want: readonly ColumnRequest[]) => AsyncIterable<Chunk>,
    want: readonly ColumnRequest[],
  ): AsyncGenerator<Chunk> {
    roots ??= readRoots(stacks!);
    const names = await roots;
    const isName = want.map(({ field }) => field === 'comm');
    const requests = want.map((request, i): ColumnRequest => (isName[i] ? { field: 'stack', as: 'text' } : request));
    for await (const chunk of read(requests)) {
      yield { ...chunk, columns: chunk.columns.map((column, i) => (isName[i] ? nameColumn(column, names) : column)) };
    }
  }
  const needsNames = (want: readonly ColumnRequest[]): boolean => want.some(({ field }) => field === 'comm');
  return {
    ...renumbered(section, section.number),
    points: (want, part) =>
      needsNames(want) ? named((own) => section.points(own, part), want) : section.points(want, part),
    events: (want, part) =>
      needsNames(want) ? named((own) => section.events(own, part), want) : section.events(want, part),
  };
}

/** The process name of each stack, by its line. */
async function readRoots(section: SectionReader): Promise<string[]> {
  const roots: string[] = [];
  for await (const stacks of section.batches('stack')) for (const { stack } of stacks) roots.push(stack[0] ?? '');
  return roots;
}

/** Turns a column of stacks into one of process names; where the stack is unknown, so is the name. */
function nameColumn({ values, dictionary }: Column, roots: readonly string[]): Column {
  return { values, dictionary: dictionary.map((line) => (line === '' ? '' : (roots[Number(line)] ?? ''))) };
}

/** The section of the group that says when, and by which process, each stack was seen. */
function stackIndex(group: SectionGroup): SectionReader | undefined {
  return group.all.find(({ header }) => header.datatype !== 'stack' && header.fields?.includes('stack') === true);
}

/**
 * Refuses a filter that the data of `section` cannot answer.
 * @throws UsageError (2)
 */
export function checkFilter(group: SectionGroup, section: SectionReader, filter: Filter): void {
  const asked = [
    ...(filter.from === undefined ? [] : ['--from']),
    ...(filter.to === undefined ? [] : ['--to']),
    ...(filter.pids === undefined ? [] : ['--pid']),
    ...(filter.comm === undefined ? [] : ['--comm']),
  ];
  const answerable = new Set(answers(group, section));
  const refused = asked.filter((flag) => !answerable.has(flag));
  if (refused.length === 0) return;
  throw new UsageError(
    `section ${section.number} (${section.header.interface}, ${section.header.datatype}) cannot answer ${joinWords(refused)}: its records have no ${joinWords([...new Set(refused.map(missing))])}`,
    `leave ${joinWords(refused)} out, or choose other sections with -e (marple display -l lists them)`,
  );
}

/**
 * Refuses a filter that no section of the groups can answer.
 * @throws UsageError (2)
 */
export function checkAnyFilter(groups: readonly SectionGroup[], filter: Filter): void {
  let refusal: unknown;
  for (const group of groups) {
    for (const section of group.all) {
      try {
        checkFilter(group, section, filter);
        return;
      } catch (error) {
        refusal ??= error;
      }
    }
  }
  if (refusal !== undefined) throw refusal;
}

/** The part of a filter that the data of `section` can answer. */
export function answerable(group: SectionGroup, section: SectionReader, filter: Filter): Filter {
  const flags = new Set(answers(group, section));
  return {
    ...(filter.from !== undefined && flags.has('--from') ? { from: filter.from } : {}),
    ...(filter.to !== undefined && flags.has('--to') ? { to: filter.to } : {}),
    ...(filter.pids !== undefined && flags.has('--pid') ? { pids: filter.pids } : {}),
    ...(filter.comm !== undefined && flags.has('--comm') ? { comm: filter.comm } : {}),
  };
}

function missing(flag: string): string {
  return flag === '--pid' ? 'pid' : flag === '--comm' ? 'process name' : 'time';
}

/** The filters that the data can answer. */
function answers(group: SectionGroup, section: SectionReader): string[] {
  const hasStacks = group.all.some(({ header }) => header.datatype === 'stack');
  const ofRecords = (records: SectionReader): string[] => {
    const { header } = records;
    return [
      ...(header.datatype === 'event' || xIsTime(header) ? ['--from', '--to'] : []),
      ...(header.fields?.includes('pid') === true ? ['--pid'] : []),
      ...(header.fields?.includes('comm') === true || (hasStacks && isNamedByStack(records)) ? ['--comm'] : []),
    ];
  };
  if (section.header.datatype !== 'stack') return ofRecords(section);
  const index = stackIndex(group);
  // The root frame of a stack is the process name.
  return [...(index === undefined ? [] : ofRecords(index)), '--comm'];
}

/** The points of a datapoint section that pass the filter, with the wanted columns. */
export function selectPoints(
  section: Pick<SectionReader, 'points'>,
  want: readonly ColumnRequest[],
  filter: Filter,
): AsyncGenerator<PointColumns> {
  return filterRows((requests) => section.points(requests), want, filter, {
    prefixes: PREFIXES.own,
    seconds: ({ x }, row) => x[row]!,
    take: ({ x, y }, rows, columns) => ({ length: rows.length, x: pick(x, rows), y: pick(y, rows), columns }),
  });
}

/**
 * The events of an event section that pass the filter, with the wanted columns. By `either`, an event of two tasks or
 * processes also passes where the other one does (a task comes to run by a switch that another one made), and so does one
 * that is of no process at all: a hole in the data is one in that of every process.
 */
export function selectEvents(
  section: Pick<SectionReader, 'events'>,
  want: readonly ColumnRequest[],
  filter: Filter,
  ends: 'own' | 'either' = 'own',
): AsyncGenerator<EventColumns> {
  return filterRows((requests) => section.events(requests), want, filter, {
    prefixes: PREFIXES[ends],
    seconds: ({ time }, row) => time[row]! / 1e9,
    take: ({ time, type }, rows, columns) => ({
      length: rows.length,
      time: pick(time, rows),
      type: { ...type, values: pick(type.values, rows) },
      columns,
    }),
  });
}

/** The fields of the records of selectEventRecords(): those of the header, and the name of a stack's process. */
export function recordFields(group: SectionGroup, section: SectionReader): string[] {
  const { fields = [] } = section.header;
  const hasNames = isNamedByStack(section) && group.all.some(({ header }) => header.datatype === 'stack');
  return hasNames ? [...fields, 'comm'] : [...fields];
}

/**
 * The same as records with the fields of recordFields(). A field may have any number of values here and memory stays
 * bounded, while columns keep each text once.
 */
export async function* selectEventRecords(
  group: SectionGroup,
  section: SectionReader,
  filter: Filter,
  ends: 'own' | 'either' = 'own',
): AsyncGenerator<readonly EventData[]> {
  const fields = recordFields(group, section);
  if (fields.length !== (section.header.fields ?? []).length) {
    // Stacks are few, and so is all that is recorded with them.
    const want = fields.map((field): ColumnRequest => ({ field, as: 'text' }));
    for await (const chunk of selectEvents(section, want, filter, ends)) yield recordsOf(chunk);
    return;
  }
  const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = filter;
  const placesOf = (field: string): number[] => PREFIXES[ends].map((prefix) => fields.indexOf(prefix + field));
  const pids = filter.pids === undefined ? undefined : new Set(filter.pids.map(String));
  const matches = filter.comm === undefined ? undefined : remember(filter.comm);
  const [pidPlaces, commPlaces] = [placesOf('pid'), placesOf('comm')];
  const passes = ({ time, datum }: EventData): boolean =>
    time / 1e9 >= from &&
    time / 1e9 <= to &&
    ((ends === 'either' && datum[pidPlaces[0]!] === '') ||
      ((pids === undefined || pidPlaces.some((place) => pids.has(datum[place] ?? ''))) &&
        (matches === undefined || commPlaces.some((place) => isNamed(datum[place] ?? '', matches)))));
  for await (const events of section.batches('event')) yield isWide(filter) ? events : events.filter(passes);
}

function recordsOf({ length, time, type, columns }: EventColumns): EventData[] {
  return Array.from({ length }, (_, row) => ({
    time: time[row]!,
    type: type.dictionary[type.values[row]!]!,
    datum: columns.map(({ values, dictionary }) => dictionary[values[row]!]!),
  }));
}

/** Before the fields pid and comm: those that may match. */
const PREFIXES = { own: [''], either: ['', 'other_'] } as const;

type Rows = Pick<PointColumns, 'length' | 'columns'>;

/** When a row of one kind of chunk was, and the chunk that has only some of its rows. */
interface RowAccess<Chunk extends Rows> {
  /** Of the fields pid and comm: one of them must match. */
  readonly prefixes: readonly string[];
  seconds(chunk: Chunk, row: number): number;
  take(chunk: Chunk, rows: readonly number[], columns: readonly Column[]): Chunk;
}

async function* filterRows<Chunk extends Rows>(
  read: (want: readonly ColumnRequest[]) => AsyncIterable<Chunk>,
  want: readonly ColumnRequest[],
  filter: Filter,
  access: RowAccess<Chunk>,
): AsyncGenerator<Chunk> {
  if (isWide(filter)) {
    yield* read(want);
    return;
  }
  const requests: ColumnRequest[] = [...want];
  const request = (field: string, as: ColumnRequest['as']): number[] =>
    access.prefixes.map((prefix) => requests.push({ field: prefix + field, as }) - 1);
  const pidPlaces = filter.pids === undefined ? [] : request('pid', 'number');
  const narrows = filter.pids !== undefined || filter.comm !== undefined;
  const ownPid = access.prefixes.length > 1 && narrows ? requests.push({ field: 'pid', as: 'number' }) - 1 : -1;
  const commPlaces = filter.comm === undefined ? [] : request('comm', 'text');
  const pids = filter.pids === undefined ? undefined : new Set(filter.pids);
  const matches = filter.comm === undefined ? undefined : remember(filter.comm);
  const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = filter;
  for await (const chunk of read(requests)) {
    const pidColumns = pidPlaces.map((place) => chunk.columns[place]!);
    const commColumns = commPlaces.map((place) => chunk.columns[place]!);
    const kept: number[] = [];
    for (let i = 0; i < chunk.length; i++) {
      const seconds = access.seconds(chunk, i);
      if (seconds < from || seconds > to) continue;
      if (ownPid >= 0 && Number.isNaN(chunk.columns[ownPid]!.values[i])) {
        kept.push(i);
        continue;
      }
      if (pids !== undefined && !pidColumns.some(({ values }) => pids.has(values[i]!))) continue;
      if (
        matches !== undefined &&
        !commColumns.some(({ values, dictionary }) => isNamed(dictionary[values[i]!] ?? '', matches))
      ) {
        continue;
      }
      kept.push(i);
    }
    const columns = chunk.columns.slice(0, want.length);
    if (kept.length === chunk.length) yield { ...chunk, columns };
    else if (kept.length > 0) {
      yield access.take(
        chunk,
        kept,
        columns.map((column) => ({ ...column, values: pick(column.values, kept) })),
      );
    }
  }
}

function pick(values: Float64Array | Int32Array, rows: readonly number[]): Float64Array {
  return Float64Array.from(rows, (row) => values[row]!);
}

/** The section with the records alone that pass the filter, in every way in which it can be read. */
export function selectedSection(group: SectionGroup, section: SectionReader, filter: Filter): SectionReader {
  if (Object.keys(filter).length === 0) return section;
  const { number, header } = section;
  return {
    ...(isJoined(section) ? { lineEnds: section.lineEnds } : {}),
    number,
    header: { ...header, records: null, bytes: null },
    batches: (datatype) => selectBatches(group, section, filter, datatype),
    points: (want) => selectPoints(section, want, filter),
    events: (want) => selectEvents(section, want, filter),
    stacks: () => selectStackColumns(group, section, filter),
  };
}

async function* selectBatches<D extends Datatype>(
  group: SectionGroup,
  section: SectionReader,
  filter: Filter,
  datatype: D,
): AsyncGenerator<RecordOf[D][]> {
  if (datatype === 'stack') {
    for await (const stack of selectStacks(group, section, filter)) yield [stack as RecordOf[D]];
    return;
  }
  if (datatype === 'event') {
    const fields = section.header.fields?.length ?? 0;
    for await (const events of selectEventRecords(group, section, filter)) {
      // The name of a stack's process is not in the section itself.
      const own = events.map((event) =>
        event.datum.length === fields ? event : { ...event, datum: event.datum.slice(0, fields) },
      );
      if (own.length > 0) yield own as RecordOf[D][];
    }
    return;
  }
  const passes = recordFilter(section.header, filter);
  for await (const records of section.batches(datatype)) {
    const kept = records.filter((record) => passes(record as Datapoint));
    if (kept.length > 0) yield kept;
  }
}

function recordFilter(
  { fields = [] }: SectionReader['header'],
  { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY, pids, comm }: Filter,
): (point: Datapoint) => boolean {
  const [pidField, commField] = [fields.indexOf('pid'), fields.indexOf('comm')];
  const wanted = pids === undefined ? undefined : new Set(pids.map(String));
  const matches = comm === undefined ? undefined : remember(comm);
  return ({ x, info }) =>
    x >= from &&
    x <= to &&
    wanted?.has(info[pidField] ?? '') !== false &&
    (matches === undefined || isNamed(info[commField] ?? '', matches));
}

/** The idle task of each CPU is called swapper/N, and has the pid 0. */
export function isIdleStack(stack: readonly string[]): boolean {
  return /^swapper(\/\d+)?(-(\d+|\?)(\/\d+)?)?$/.test(stack[0] ?? '');
}

/** All stacks of a stack section in their order, weighed by the records that pass the filter; those without any weigh 0. */
export async function* selectStacks(
  group: SectionGroup,
  section: SectionReader,
  filter: Filter,
): AsyncGenerator<StackData> {
  const weights = await shownWeights(group, filter);
  const matches = filter.comm === undefined ? undefined : remember(filter.comm);
  let line = 0;
  for await (const stacks of section.batches('stack')) {
    for (const stack of stacks) {
      const isShown = matches === undefined || isNamed(stack.stack[0] ?? '', matches);
      const weight = !isShown ? 0 : weights === undefined ? stack.weight : (weights[line] ?? 0);
      line++;
      yield weight === stack.weight ? stack : { ...stack, weight };
    }
  }
}

/** The same as columns. */
export async function* selectStackColumns(
  group: SectionGroup,
  section: SectionReader,
  filter: Filter,
): AsyncGenerator<StackColumns> {
  const weights = await shownWeights(group, filter);
  const matches = filter.comm === undefined ? undefined : remember(filter.comm);
  let line = 0;
  let isShown = true;
  for await (const columns of section.stacks()) {
    if (weights === undefined && matches === undefined) {
      yield columns;
      continue;
    }
    const { length, shared, ends, frames, names } = columns;
    const weight = columns.weight.slice();
    for (let i = 0; i < length; i++) {
      if (matches !== undefined && shared[i] === 0)
        isShown = isNamed(names[frames[i === 0 ? 0 : ends[i - 1]!]!]!, matches);
      if (!isShown) weight[i] = 0;
      else if (weights !== undefined) weight[i] = weights[line] ?? 0;
      line++;
    }
    yield { ...columns, weight };
  }
}

/** The weight of each stack in what a filter asks for, by its line; undefined where it is that of the stack itself. */
async function shownWeights(group: SectionGroup, filter: Filter): Promise<Float64Array | undefined> {
  const index = stackIndex(group);
  const needsIndex = filter.from !== undefined || filter.to !== undefined || filter.pids !== undefined;
  return needsIndex && index !== undefined ? weighStacks(index, filter) : undefined;
}

/** Whether a process is one of those asked for. The root frame of a stack has `_` for the spaces of the name. */
function isNamed(name: string, matches: (name: string) => boolean): boolean {
  return matches(name) || (name.includes('_') && matches(name.replaceAll('_', ' ')));
}

/** The weight of each stack, by its line, over the records that pass the filter. */
async function weighStacks(index: SectionReader, filter: Filter): Promise<Float64Array> {
  let weights = new Float64Array(1024);
  const add = (stack: number, weight: number) => {
    if (!Number.isInteger(stack) || stack < 0) return;
    if (stack >= weights.length) {
      const larger = new Float64Array(2 * (stack + 1));
      larger.set(weights);
      weights = larger;
    }
    weights[stack]! += weight;
  };
  const { header } = index;
  const weighted = header.fields?.includes('weight') === true;
  const want: ColumnRequest[] = [{ field: 'stack', as: 'text' }];
  if (weighted) want.push({ field: 'weight', as: 'number' });
  const { comm: _, ...byRecord } = filter;
  const records =
    header.datatype === 'event' ? selectEvents(index, want, byRecord) : selectPoints(index, want, byRecord);
  for await (const { length, columns } of records) {
    const [stack, weight] = columns;
    for (let i = 0; i < length; i++) {
      // Where the stack is unknown the field is empty.
      const id = stack?.dictionary[stack.values[i]!] ?? '';
      if (id !== '') add(Number(id), weight === undefined ? 1 : weight.values[i]!);
    }
  }
  return weights;
}

/** The same answer as `pattern.test`, asked once per text. */
export function remember(pattern: RegExp): (text: string) => boolean {
  const answers = new Map<string, boolean>();
  return (text) => {
    let answer = answers.get(text);
    if (answer === undefined) {
      answer = pattern.test(text);
      answers.set(text, answer);
    }
    return answer;
  };
}
