import { isScheduling, type Named } from '../../analysis/scheduling.ts';
import { Summariser } from '../../analysis/stats/summary.ts';
import { hostOfPid } from '../../common/host-keys.ts';
import { areCounted, type Filter, maskOf, stackWeights, timeOf } from './filters.ts';
import { type PageData, processOf, type Section } from './model.ts';
import { PER_SLICE, type Sliced } from './sliced.ts';
import { isIdleName } from './stack-weights.ts';
import { spanMask, taskSpansOf, waitsForCpu } from './task-spans.ts';

/** One program over all sections. `numbers` has an entry for each column that there is data of. */
export interface ProcessRow {
  readonly comm: string;
  readonly pids: Set<number>;
  readonly numbers: Map<ColumnKey, number>;
}

/** The same, while it is gathered. */
interface Gathered extends ProcessRow {
  /** Milliseconds from ready to running, and of I/Os. */
  readonly waits: Summariser;
  readonly ios: Summariser;
  /** How many I/Os each of them stands for. */
  scale: number;
}

export interface ProcessColumn {
  readonly key: ColumnKey;
  readonly label: string;
  readonly unit: string;
  readonly title: string;
}

/** The columns that a table can have, in their order. */
export const COLUMNS = [
  { key: 'cpu', label: 'On CPU', unit: 's', title: 'Time that its tasks ran (cpusched)' },
  { key: 'ready', label: 'Ready', unit: 's', title: 'Time that its tasks waited for a CPU (cpusched)' },
  {
    key: 'ready99',
    label: 'Ready p99',
    unit: 'ms',
    title: '99 of 100 of its waits for a CPU took no longer (cpusched)',
  },
  { key: 'disk', label: 'Disk wait', unit: 's', title: 'Time that its tasks waited for a disk, state D (cpusched)' },
  { key: 'samples', label: 'CPU samples', unit: '', title: 'Samples of its call stacks (callstack)' },
  { key: 'off', label: 'Off CPU', unit: 's', title: 'Time that its tasks did not run, by their stacks (offcpu)' },
  { key: 'ios', label: 'Disk I/Os', unit: '', title: 'I/Os that it issued (disklat)' },
  { key: 'p50', label: 'I/O p50', unit: 'ms', title: 'Half of its I/Os took no longer (disklat)' },
  { key: 'p99', label: 'I/O p99', unit: 'ms', title: '99 of 100 of its I/Os took no longer (disklat)' },
  { key: 'memory', label: 'Memory', unit: 'MiB', title: 'The last that was measured, of all its processes (memtime)' },
  { key: 'leaked', label: 'Not freed', unit: 'MiB', title: 'Allocated and not given back (memleak)' },
  { key: 'malloc', label: 'malloc', unit: 'MiB', title: 'Asked of malloc (mallocstacks)' },
  { key: 'sent', label: 'TCP sent', unit: 'MiB', title: 'Bytes that it sent (ipc)' },
] as const;

export type ColumnKey = (typeof COLUMNS)[number]['key'];

const MIB = 2 ** 20;

/** What the rows are: programs, or of several hosts each host. */
export type RowsBy = 'comm' | 'host';

/** What each program, or host, did in all the sections, as far as it passes the filters; by its name. */
export function* processTable(
  data: PageData,
  filters: readonly Filter[],
  by: RowsBy = 'comm',
): Sliced<ReadonlyMap<string, ProcessRow>> {
  const rows = new Map<string, Gathered>();
  const rowOf = (comm: string): Gathered => {
    let row = rows.get(comm);
    if (row === undefined) {
      row = {
        comm,
        pids: new Set(),
        numbers: new Map(),
        waits: new Summariser('group'),
        ios: new Summariser('group'),
        scale: 1,
      };
      rows.set(comm, row);
    }
    return row;
  };
  for (const section of data.sections) yield* gather(section, filters, rowOf, by);
  for (const { numbers, waits, ios, scale } of rows.values()) {
    yield;
    if (waits.count > 0) numbers.set('ready99', waits.summary().p99!);
    if (ios.count === 0) continue;
    const { count, p50, p99 } = ios.summary();
    numbers
      .set('ios', scale * count)
      .set('p50', p50!)
      .set('p99', p99!);
  }
  if (!data.manifest.showIdle && by === 'comm')
    for (const comm of [...rows.keys()].filter(isIdleName)) rows.delete(comm);
  return rows;
}

/** Columns whose numbers are about right, for they were made of some of the records. What tasks did is counted of all. */
export function estimatedColumns(data: PageData, filters: readonly Filter[]): ReadonlySet<ColumnKey> {
  return new Set(
    data.sections.flatMap((section): readonly ColumnKey[] => {
      if (isScheduling(section.header)) return section.isReduced ? ['ready99'] : [];
      const ofStacks = OF_STACKS.get(section.interface);
      if (section.stacks === undefined || ofStacks === undefined)
        return section.isReduced ? (OF_RECORDS.get(section.interface) ?? []) : [];
      return section.naming?.isReduced === true && !areCounted(section, filters) ? [ofStacks[0]] : [];
    }),
  );
}

const OF_RECORDS: ReadonlyMap<string, readonly ColumnKey[]> = new Map<string, readonly ColumnKey[]>([
  ['disklat', ['ios', 'p50', 'p99']],
  ['memtime', ['memory']],
  ['ipc', ['sent']],
]);

type RowOf = (comm: string) => Gathered;

function* gather(section: Section, filters: readonly Filter[], rowOf: RowOf, by: RowsBy): Sliced<void> {
  const { header } = section;
  if (isScheduling(header)) yield* gatherTasks(section, filters, rowOf, by);
  else if (section.stacks !== undefined) gatherStacks(section, filters, rowOf, by);
  else if (header.interface === 'disklat') yield* gatherDisk(section, filters, rowOf, by);
  else if (header.interface === 'memtime') gatherMemory(section, filters, rowOf, by);
  else if (header.interface === 'ipc') gatherSent(section, filters, rowOf, by);
  yield;
}

function add({ numbers }: ProcessRow, key: ColumnKey, number: number): void {
  numbers.set(key, (numbers.get(key) ?? 0) + number);
}

const DOING: readonly ColumnKey[] = ['cpu', 'ready', 'disk'];

function* gatherTasks(section: Section, filters: readonly Filter[], rowOf: RowOf, by: RowsBy): Sliced<void> {
  const spans = taskSpansOf(section);
  const mask = spanMask(spans, filters, section.header.hosts);
  const { from, to } = timeOf(filters);
  // By task, and what it did: whole ones, so that sums are exact.
  const nanoseconds = new Float64Array(spans.tasks.length * DOING.length);
  for (let span = 0; span < spans.start.length; span++) {
    if (span % PER_SLICE === 0) yield;
    const time = Math.min(spans.end[span]!, to) - Math.max(spans.start[span]!, from);
    const doing = spans.doing[span]!;
    if (time > 0 && doing < DOING.length && mask?.[span] !== 0) {
      nanoseconds[spans.task[span]! * DOING.length + doing]! += Math.round(time * 1e9);
    }
  }
  const { hosts = [] } = section.header;
  const nameOf = ({ comm, pid }: Named): string => (by === 'comm' ? comm : (hosts[hostOfPid(pid)] ?? ''));
  for (const [task, named] of spans.tasks.entries()) {
    const own = nanoseconds.subarray(task * DOING.length, (task + 1) * DOING.length);
    if (own.every((time) => time === 0)) continue;
    const row = rowOf(nameOf(named));
    row.pids.add(named.pid);
    for (const [doing, key] of DOING.entries()) if (own[doing]! > 0) add(row, key, own[doing]! / 1e9);
  }
  const waits = spans.tasks.map(nameOf);
  yield* waitsForCpu(spans, mask, filters, (task, milliseconds) => rowOf(waits[task]!).waits.add(milliseconds));
}

/** The columns of interfaces with stacks, and what one of the column is in the unit of the weights. */
const OF_STACKS: ReadonlyMap<string, readonly [key: ColumnKey, unit: number]> = new Map([
  ['callstack', ['samples', 1]],
  ['offcpu', ['off', 1e9]],
  ['memleak', ['leaked', MIB]],
  ['mallocstacks', ['malloc', MIB]],
]);

function gatherStacks(section: Section, filters: readonly Filter[], rowOf: RowOf, by: RowsBy): void {
  const column = OF_STACKS.get(section.interface);
  if (column === undefined) return;
  const [key, unit] = column;
  const stacks = section.stacks!;
  const weights = stackWeights(section, filters);
  for (let line = 0; line < weights.length; line++) {
    const comm = weights[line]! > 0 ? processOf(stacks, stacks.ends[line]!) : '';
    if (comm === '' || isIdleName(comm)) continue;
    const name = by === 'comm' ? comm : (section.header.hosts?.[stacks.lineHosts?.[line] ?? -1] ?? '');
    add(rowOf(name), key, weights[line]! / unit);
  }
  const index = section.naming;
  const pid = index?.columns.get('pid')?.values;
  if (index === undefined || pid === undefined) return;
  const mask = maskOf(index, filters);
  for (let row = 0; row < index.rows; row++) {
    if (mask?.[row] !== 0 && index.columns.has('comm')) rowOf(index.textAt(by, row)).pids.add(pid[row]!);
  }
}

function* gatherDisk(section: Section, filters: readonly Filter[], rowOf: RowOf, by: RowsBy): Sliced<void> {
  const mask = maskOf(section, filters);
  const y = section.columns.get('y')!.values;
  for (let row = 0; row < section.rows; row++) {
    if (row % PER_SLICE === 0) yield;
    if (mask?.[row] === 0) continue;
    const own = rowOf(section.textAt(by, row));
    own.ios.add(y[row]!);
    own.scale = section.scale;
    see(section, row, own);
  }
}

function gatherMemory(section: Section, filters: readonly Filter[], rowOf: RowOf, by: RowsBy): void {
  const mask = maskOf(section, filters);
  const [times, y] = [section.times!, section.columns.get('y')!.values];
  /** The sum over the processes of a name at its latest time. */
  const latest = new Map<string, { time: number; sum: number }>();
  for (let row = 0; row < section.rows; row++) {
    if (mask?.[row] === 0) continue;
    const comm = section.textAt(by, row);
    const before = latest.get(comm);
    latest.set(comm, {
      time: times[row]!,
      sum: y[row]! + (before !== undefined && before.time === times[row] ? before.sum : 0),
    });
    see(section, row, rowOf(comm));
  }
  for (const [comm, { sum }] of latest) rowOf(comm).numbers.set('memory', sum);
}

function gatherSent(section: Section, filters: readonly Filter[], rowOf: RowOf, by: RowsBy): void {
  const mask = maskOf(section, filters);
  for (let row = 0; row < section.rows; row++) {
    if (mask?.[row] === 0 || section.textAt('type', row) !== 'send') continue;
    const process = rowOf(section.textAt(by, row));
    add(process, 'sent', (section.scale * Number(section.textAt('bytes', row))) / MIB);
    see(section, row, process);
  }
}

function see(section: Section, row: number, { pids }: ProcessRow): void {
  const pid = section.columns.get('pid')?.values[row];
  if (pid !== undefined) pids.add(pid);
}
