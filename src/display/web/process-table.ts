import { isScheduling } from '../../analysis/scheduling.ts';
import { type Filter, maskOf, stackWeights } from './filters.ts';
import { type PageData, processOf, type Section } from './model.ts';
import { isIdleName } from './stack-weights.ts';
import { spanFilter, taskSpansOf } from './task-spans.ts';

/** One program over all sections. `numbers` has an entry for each column that there is data of. */
export interface ProcessRow {
  readonly comm: string;
  readonly pids: Set<number>;
  readonly numbers: Map<ColumnKey, number>;
}

export interface ProcessColumn {
  readonly key: ColumnKey;
  readonly label: string;
  readonly unit: string;
  readonly title: string;
}

/** The columns that a table can have, in their order. */
const COLUMNS = [
  { key: 'cpu', label: 'On CPU', unit: 's', title: 'Time that its tasks ran (cpusched)' },
  { key: 'ready', label: 'Ready', unit: 's', title: 'Time that its tasks waited for a CPU (cpusched)' },
  { key: 'disk', label: 'Disk wait', unit: 's', title: 'Time that its tasks waited for a disk, state D (cpusched)' },
  { key: 'samples', label: 'CPU samples', unit: '', title: 'Samples of its call stacks (callstack)' },
  { key: 'off', label: 'Off CPU', unit: 's', title: 'Time that its tasks did not run, by their stacks (offcpu)' },
  { key: 'ios', label: 'Disk I/Os', unit: '', title: 'I/Os that it issued (disklat)' },
  { key: 'p50', label: 'p50', unit: 'ms', title: 'Half of its I/Os took no longer (disklat)' },
  { key: 'p99', label: 'p99', unit: 'ms', title: '99 of 100 of its I/Os took no longer (disklat)' },
  { key: 'memory', label: 'Memory', unit: 'MiB', title: 'The last that was measured, of all its processes (memtime)' },
  { key: 'leaked', label: 'Not freed', unit: 'MiB', title: 'Allocated and not given back (memleak)' },
  { key: 'malloc', label: 'malloc', unit: 'MiB', title: 'Asked of malloc (mallocstacks)' },
  { key: 'sent', label: 'TCP sent', unit: 'MiB', title: 'Bytes that it sent (ipc)' },
] as const;

export type ColumnKey = (typeof COLUMNS)[number]['key'];

const MIB = 2 ** 20;

export interface ProcessTable {
  readonly columns: readonly ProcessColumn[];
  readonly rows: readonly ProcessRow[];
}

/** What each program did in all the sections, as far as it passes the filters. */
export function processTable(data: PageData, filters: readonly Filter[]): ProcessTable {
  const rows = new Map<string, ProcessRow>();
  const rowOf = (comm: string): ProcessRow => {
    let row = rows.get(comm);
    if (row === undefined) {
      row = { comm, pids: new Set(), numbers: new Map() };
      rows.set(comm, row);
    }
    return row;
  };
  for (const section of data.sections) gather(section, filters, rowOf);
  const all = [...rows.values()].filter(({ comm }) => data.manifest.showIdle || !isIdleName(comm));
  return { columns: COLUMNS.filter(({ key }) => all.some(({ numbers }) => numbers.has(key))), rows: all };
}

type RowOf = (comm: string) => ProcessRow;

function gather(section: Section, filters: readonly Filter[], rowOf: RowOf): void {
  const { header } = section;
  if (isScheduling(header)) gatherTasks(section, filters, rowOf);
  else if (section.stacks !== undefined) gatherStacks(section, filters, rowOf);
  else if (header.interface === 'disklat') gatherDisk(section, filters, rowOf);
  else if (header.interface === 'memtime') gatherMemory(section, filters, rowOf);
  else if (header.interface === 'ipc') gatherSent(section, filters, rowOf);
}

function add({ numbers }: ProcessRow, key: ColumnKey, number: number): void {
  numbers.set(key, (numbers.get(key) ?? 0) + number);
}

const DOING: readonly ColumnKey[] = ['cpu', 'ready', 'disk'];

function gatherTasks(section: Section, filters: readonly Filter[], rowOf: RowOf): void {
  const spans = taskSpansOf(section);
  const passes = spanFilter(spans, filters);
  const time = filters.find((filter) => filter.kind === 'time') ?? {
    from: Number.NEGATIVE_INFINITY,
    to: Number.POSITIVE_INFINITY,
  };
  const rows = spans.comms.map((comm) => ({ comm, row: undefined as ProcessRow | undefined }));
  for (let span = 0; span < spans.start.length; span++) {
    const seconds = Math.min(spans.end[span]!, time.to) - Math.max(spans.start[span]!, time.from);
    if (seconds <= 0 || !passes(span)) continue;
    const known = rows[spans.comm[span]!]!;
    known.row ??= rowOf(known.comm);
    known.row.pids.add(spans.pid[span]!);
    add(known.row, DOING[spans.doing[span]!]!, seconds);
  }
}

/** The columns of interfaces with stacks, and what one of the column is in the unit of the weights. */
const OF_STACKS: Readonly<Record<string, readonly [key: ColumnKey, unit: number]>> = {
  callstack: ['samples', 1],
  offcpu: ['off', 1e9],
  memleak: ['leaked', MIB],
  mallocstacks: ['malloc', MIB],
};

function gatherStacks(section: Section, filters: readonly Filter[], rowOf: RowOf): void {
  const column = OF_STACKS[section.interface];
  if (column === undefined) return;
  const [key, unit] = column;
  const stacks = section.stacks!;
  const weights = stackWeights(section, filters);
  for (let line = 0; line < weights.length; line++) {
    const comm = weights[line]! > 0 ? processOf(stacks, stacks.ends[line]!) : '';
    if (comm !== '' && !isIdleName(comm)) add(rowOf(comm), key, weights[line]! / unit);
  }
  const index = section.naming;
  const pid = index?.columns.get('pid')?.values;
  if (index === undefined || pid === undefined) return;
  const mask = maskOf(index, filters);
  for (let row = 0; row < index.rows; row++) {
    if (mask?.[row] !== 0 && index.columns.has('comm')) rowOf(index.textAt('comm', row)).pids.add(pid[row]!);
  }
}

function gatherDisk(section: Section, filters: readonly Filter[], rowOf: RowOf): void {
  const mask = maskOf(section, filters);
  const y = section.columns.get('y')!.values;
  const latencies = new Map<string, number[]>();
  for (let row = 0; row < section.rows; row++) {
    if (mask?.[row] === 0) continue;
    const comm = section.textAt('comm', row);
    const own = latencies.get(comm);
    if (own === undefined) latencies.set(comm, [y[row]!]);
    else own.push(y[row]!);
    see(section, row, rowOf(comm));
  }
  for (const [comm, values] of latencies) {
    const row = rowOf(comm);
    const sorted = Float64Array.from(values).sort();
    add(row, 'ios', values.length);
    for (const [key, share] of [
      ['p50', 0.5],
      ['p99', 0.99],
    ] as const) {
      row.numbers.set(key, sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!);
    }
  }
}

function gatherMemory(section: Section, filters: readonly Filter[], rowOf: RowOf): void {
  const mask = maskOf(section, filters);
  const [times, y] = [section.times!, section.columns.get('y')!.values];
  /** The sum over the processes of a name at its latest time. */
  const latest = new Map<string, { time: number; sum: number }>();
  for (let row = 0; row < section.rows; row++) {
    if (mask?.[row] === 0) continue;
    const comm = section.textAt('comm', row);
    const before = latest.get(comm);
    latest.set(comm, {
      time: times[row]!,
      sum: y[row]! + (before !== undefined && before.time === times[row] ? before.sum : 0),
    });
    see(section, row, rowOf(comm));
  }
  for (const [comm, { sum }] of latest) rowOf(comm).numbers.set('memory', sum);
}

function gatherSent(section: Section, filters: readonly Filter[], rowOf: RowOf): void {
  const mask = maskOf(section, filters);
  for (let row = 0; row < section.rows; row++) {
    if (mask?.[row] === 0 || section.textAt('type', row) !== 'send') continue;
    const process = rowOf(section.textAt('comm', row));
    add(process, 'sent', Number(section.textAt('bytes', row)) / MIB);
    see(section, row, process);
  }
}

function see(section: Section, row: number, { pids }: ProcessRow): void {
  const pid = section.columns.get('pid')?.values[row];
  if (pid !== undefined) pids.add(pid);
}
