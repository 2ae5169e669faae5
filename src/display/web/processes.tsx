import { useMemo, useState } from 'preact/hooks';
import { formatCount, formatValue, visible } from '../../common/text.ts';
import { type Filter, maskOf, rootOf } from './filters.ts';
import { type PageData, type Section, stackIndexOf } from './model.ts';

/** One process over all sections: undefined where a section has nothing of it. */
interface ProcessRow {
  readonly comm: string;
  pids: Set<number>;
  samples: number;
  ios: number;
  latencies: number[];
  memory: number;
  events: number;
}

type Key = 'comm' | 'samples' | 'ios' | 'p99' | 'memory' | 'events';

interface ProcessesProps {
  readonly data: PageData;
  readonly filters: readonly Filter[];
  readonly select: (filter: Filter) => void;
}

/** What each program did in all the sections, with the filters applied. A click on a name filters by it, in or out. */
export function Processes({ data, filters, select }: ProcessesProps) {
  const [sort, setSort] = useState<Key>('samples');
  const rows = useMemo(() => gather(data, filters), [data, filters]);
  const keyOf = (row: ProcessRow): number | string =>
    sort === 'comm' ? row.comm : sort === 'p99' ? percentile(row.latencies, 0.99) : row[sort];
  const sorted = rows.toSorted((a, b) => {
    const [left, right] = [keyOf(a), keyOf(b)];
    return typeof left === 'string' ? left.localeCompare(String(right)) : Number(right) - left;
  });
  const heads: readonly (readonly [Key, string])[] = [
    ['samples', 'CPU samples'],
    ['ios', 'Disk I/Os'],
    ['p99', 'p99 (ms)'],
    ['memory', 'Memory (MiB)'],
    ['events', 'Events'],
    ['comm', 'Process'],
  ];
  return (
    <>
      <div class="view">
        <div class="scroll">
          <table>
            <thead>
              <tr>
                {heads.map(([key, label]) => (
                  <th key={key} aria-sort={key === sort ? 'descending' : 'none'}>
                    <button type="button" onClick={() => setSort(key)}>
                      {label}
                    </button>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {sorted.map((row) => (
                <tr key={row.comm}>
                  <td>{row.samples > 0 ? formatCount(row.samples) : ''}</td>
                  <td>{row.ios > 0 ? formatCount(row.ios) : ''}</td>
                  <td>{row.ios > 0 ? formatValue(percentile(row.latencies, 0.99)) : ''}</td>
                  <td>{row.memory > 0 ? formatValue(row.memory) : ''}</td>
                  <td>{row.events > 0 ? formatCount(row.events) : ''}</td>
                  <td>
                    <button
                      type="button"
                      class="plain"
                      title="Only this one"
                      onClick={() => select({ kind: 'field', field: 'comm', values: [row.comm], not: false })}
                    >
                      {visible(row.comm)}
                    </button>{' '}
                    <span class="faint">{row.pids.size > 0 ? pidsText(row.pids) : ''}</span>{' '}
                    <button
                      type="button"
                      class="plain faint"
                      title="All but this one"
                      onClick={() => select({ kind: 'field', field: 'comm', values: [row.comm], not: true })}
                    >
                      hide
                    </button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </div>
      <div class="status">{formatCount(rows.length)} processes</div>
    </>
  );
}

function pidsText(pids: ReadonlySet<number>): string {
  const all = [...pids].sort((a, b) => a - b);
  return all.length <= 3 ? all.join(', ') : `${all.slice(0, 3).join(', ')} and ${all.length - 3} more`;
}

function gather(data: PageData, filters: readonly Filter[]): ProcessRow[] {
  const rows = new Map<string, ProcessRow>();
  const rowOf = (comm: string): ProcessRow => {
    let row = rows.get(comm);
    if (row === undefined) {
      row = { comm, pids: new Set(), samples: 0, ios: 0, latencies: [], memory: 0, events: 0 };
      rows.set(comm, row);
    }
    return row;
  };
  for (const section of data.sections) {
    if (section.stacks !== undefined) addSamples(data, section, filters, rowOf);
    else if (section.header.fields?.includes('comm') === true) addRecords(section, filters, rowOf);
  }
  return [...rows.values()];
}

function addSamples(
  data: PageData,
  section: Section,
  filters: readonly Filter[],
  rowOf: (comm: string) => ProcessRow,
): void {
  const index = stackIndexOf(data, section);
  if (index === undefined || section.interface !== 'callstack') return;
  const mask = maskOf(index, filters);
  const [stack, pid] = [index.columns.get('stack')!.values, index.columns.get('pid')?.values];
  const roots = Array.from(section.stacks!.ends, (end) => rootOf(section.stacks!, end));
  const comms = filters.flatMap((filter) => (filter.kind === 'field' && filter.field === 'comm' ? [filter] : []));
  for (let row = 0; row < stack.length; row++) {
    const comm = roots[stack[row]!] ?? '';
    if (mask?.[row] === 0 || comms.some(({ values, not }) => values.includes(comm) === not)) continue;
    const process = rowOf(comm);
    process.samples++;
    if (pid !== undefined) process.pids.add(pid[row]!);
  }
}

function addRecords(section: Section, filters: readonly Filter[], rowOf: (comm: string) => ProcessRow): void {
  const mask = maskOf(section, filters);
  const pid = section.columns.get('pid')?.values;
  const y = section.columns.get('y')?.values;
  const times = section.times;
  /** Of memory: the sum over the pids of a name at its latest time. */
  const latest = new Map<string, { time: number; sum: number }>();
  for (let row = 0; row < section.rows; row++) {
    if (mask?.[row] === 0) continue;
    const process = rowOf(section.textAt('comm', row));
    if (pid !== undefined) process.pids.add(pid[row]!);
    if (section.interface === 'disklat') {
      process.ios++;
      process.latencies.push(y![row]!);
    } else if (section.interface === 'memtime') {
      const time = times?.[row] ?? 0;
      const before = latest.get(process.comm);
      latest.set(process.comm, { time, sum: y![row]! + (before?.time === time ? before.sum : 0) });
    } else process.events++;
  }
  for (const [comm, { sum }] of latest) rowOf(comm).memory = sum;
}

/** The smallest value that the share of all values does not exceed. */
function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) return 0;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}
