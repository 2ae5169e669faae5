import { useMemo } from 'preact/hooks';
import { pidOf } from '../../common/host-keys.ts';
import { formatCount, formatValue, plural, visible } from '../../common/text.ts';
import { isOneOf, isText, useSaved } from './address.ts';
import { InBase } from './base.tsx';
import type { Filter } from './filters.ts';
import type { PageData } from './model.ts';
import {
  COLUMNS,
  type ColumnKey,
  estimatedColumns,
  type ProcessColumn,
  type ProcessRow,
  processTable,
  type RowsBy,
} from './process-table.ts';
import { useTable } from './save/table.ts';
import { NameSearch } from './search-field.tsx';
import { type Sliced, useSliced } from './sliced.ts';
import { useSearch } from './stack-weights.ts';
import type { Base } from './views.ts';

interface ProcessesProps {
  readonly data: PageData;
  readonly filters: readonly Filter[];
  /** What the selection is compared with: its numbers stand in brackets. */
  readonly base?: Base;
  readonly select: (...filters: readonly Filter[]) => void;
}

const NONE: ReadonlyMap<string, ProcessRow> = new Map();

/** What each program did in all the sections, with the filters applied. A click on a name filters by it, in or out. */
export function Processes({ data, filters, base, select }: ProcessesProps) {
  const [asked, setSort] = useSaved<string | undefined>('sort', undefined, isText);
  const [search, setSearch] = useSaved('search', '');
  const { hosts } = data.manifest;
  const [by, setBy] = useSaved<RowsBy>(
    'rows',
    'comm',
    isOneOf('comm', ...(hosts === undefined ? [] : (['host'] as const))),
  );
  const noun = by === 'comm' ? 'program' : 'host';
  const { value: own = NONE, isStale } = useSliced(() => processTable(data, filters, by), [data, filters, by]);
  const estimated = useMemo(() => estimatedColumns(data, filters), [data, filters]);
  const { value: before } = useSliced(() => tableOf(base, by), [base, by]);
  // Programs that are only in the base are compared too: they are gone.
  const rows = useMemo(() => [...new Map([...(before ?? []), ...own])], [own, before]);
  const columns = COLUMNS.filter(({ key }) =>
    [own, before].some((table) => table !== undefined && [...table.values()].some(({ numbers }) => numbers.has(key))),
  );
  const sort = asked === 'comm' ? asked : ((columns.find(({ key }) => key === asked) ?? columns[0])?.key ?? 'comm');
  const pattern = useSearch(search);
  const shown = useMemo(() => {
    const number = (comm: string): number => (sort === 'comm' ? 0 : (own.get(comm)?.numbers.get(sort) ?? -1));
    return rows
      .map(([comm]) => comm)
      .filter((comm) => !(pattern instanceof RegExp) || pattern.test(comm))
      .sort((a, b) => number(b) - number(a) || (a < b ? -1 : 1));
  }, [rows, own, sort, pattern]);
  const only = (comm: string, not: boolean): void => select({ kind: 'field', field: by, values: [comm], not });
  const head = (key: ColumnKey | 'comm', label: string, title: string) => (
    <th key={key} aria-sort={key !== sort ? 'none' : key === 'comm' ? 'ascending' : 'descending'} title={title}>
      <button type="button" onClick={() => setSort(key)}>
        {label}
      </button>
    </th>
  );
  useTable(() => {
    const cells = (table: ReadonlyMap<string, ProcessRow>, comm: string) =>
      columns.map(({ key }) => table.get(comm)?.numbers.get(key) ?? '');
    const heads = columns.map(({ label, unit }) => (unit === '' ? label : `${label} (${unit})`));
    return {
      head: [
        by === 'comm' ? 'Program' : 'Host',
        'Pids',
        ...heads,
        ...(before === undefined ? [] : heads.map((head) => `${head} in the base`)),
      ],
      rows: shown.map((comm) => [
        comm,
        sortedPids((own.get(comm) ?? before?.get(comm))!.pids).join(' '),
        ...cells(own, comm),
        ...(before === undefined ? [] : cells(before, comm)),
      ]),
    };
  });
  return (
    <>
      <div class="bar" role="toolbar" aria-label="Programs">
        {hosts !== undefined && (
          <span class="group">
            By:
            <button type="button" aria-pressed={by === 'comm'} onClick={() => setBy('comm')}>
              program
            </button>
            <button type="button" aria-pressed={by === 'host'} onClick={() => setBy('host')}>
              host
            </button>
          </span>
        )}
        {plural(shown.length, noun)}
        {shown.length < rows.length && ` of ${formatCount(rows.length)}`}: a click on a name shows only what it did
        <span class="space" />
        <NameSearch text={search} onInput={setSearch} pattern={pattern} />
      </div>
      <table class="named processes" aria-busy={isStale}>
        <thead>
          <tr>
            {by === 'comm'
              ? head('comm', 'Program', 'Name of its processes, and their pids')
              : head('comm', 'Host', 'What all its processes did')}
            {columns.map(({ key, label, unit, title }) => {
              const isAbout = estimated.has(key);
              const name = unit === '' ? label : `${label} (${unit})`;
              return isAbout
                ? head(key, `≈ ${name}`, `${title}; about, for it was made of some of the records`)
                : head(key, name, title);
            })}
          </tr>
        </thead>
        <tbody>
          {shown.map((comm) => (
            <tr key={comm}>
              <td>
                <button type="button" class="plain" title="Only this one" onClick={() => only(comm, false)}>
                  {visible(comm) || '(no name)'}
                </button>{' '}
                <span class="faint">{by === 'comm' && pidsText((own.get(comm) ?? before?.get(comm))!.pids)}</span>{' '}
                <button type="button" class="only" title="All but this one" onClick={() => only(comm, true)}>
                  hide
                </button>
              </td>
              {columns.map((column) => (
                <td key={column.key}>
                  {numberText(own.get(comm), column)}
                  {before !== undefined && <InBase>{baseText(own.get(comm), before.get(comm), column)}</InBase>}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function* tableOf(base: Base | undefined, by: RowsBy): Sliced<ReadonlyMap<string, ProcessRow> | undefined> {
  return base && (yield* processTable(base.data, base.filters, by));
}

/** The number of the base; 0 where only the selection has one. */
function baseText(row: ProcessRow | undefined, before: ProcessRow | undefined, column: ProcessColumn): string {
  return numberText(before, column) || (row?.numbers.has(column.key) === true ? '0' : '');
}

function numberText(row: ProcessRow | undefined, { key, unit }: ProcessColumn): string {
  const number = row?.numbers.get(key);
  if (number === undefined) return '';
  return unit === '' ? formatCount(number) : formatValue(number);
}

function sortedPids(pids: ReadonlySet<number>): number[] {
  return [...pids].sort((a, b) => a - b);
}

/** At most three, for there may be hundreds. */
function pidsText(pids: ReadonlySet<number>): string {
  const all = sortedPids(pids).map(pidOf);
  return all.length <= 3 ? all.join(', ') : `${all.slice(0, 3).join(', ')} and ${all.length - 3} more`;
}
