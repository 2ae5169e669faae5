import { useMemo } from 'preact/hooks';
import { formatCount, formatValue, plural, visible } from '../../common/text.ts';
import { isText, useSaved } from './address.ts';
import type { Filter } from './filters.ts';
import type { PageData } from './model.ts';
import { type ColumnKey, type ProcessColumn, type ProcessRow, processTable } from './process-table.ts';
import { SearchField } from './stack-bar.tsx';
import { useSearch } from './stack-weights.ts';
import type { Base } from './views.ts';

interface ProcessesProps {
  readonly data: PageData;
  readonly filters: readonly Filter[];
  /** What the selection is compared with: its numbers stand in brackets. */
  readonly base?: Base;
  readonly select: (...filters: readonly Filter[]) => void;
}

/** What each program did in all the sections, with the filters applied. A click on a name filters by it, in or out. */
export function Processes({ data, filters, base, select }: ProcessesProps) {
  const [asked, setSort] = useSaved<string | undefined>('sort', undefined, isText);
  const [search, setSearch] = useSaved('search', '');
  const { columns, rows } = useMemo(() => processTable(data, filters), [data, filters]);
  const before = useMemo(
    () => base && new Map(processTable(base.data, base.filters).rows.map((row) => [row.comm, row])),
    [base],
  );
  const sort: ColumnKey | 'comm' =
    asked === 'comm' ? asked : ((columns.find(({ key }) => key === asked) ?? columns[0])?.key ?? 'comm');
  const pattern = useSearch(search);
  const sorted = useMemo(() => sortedRows(rows, sort), [rows, sort]);
  const shown = sorted.filter(({ comm }) => !(pattern instanceof RegExp) || pattern.test(comm));
  const only = (comm: string, not: boolean): void => select({ kind: 'field', field: 'comm', values: [comm], not });
  const head = (key: ColumnKey | 'comm', label: string, title: string) => (
    <th key={key} aria-sort={key === sort ? 'descending' : 'none'} title={title}>
      <button type="button" onClick={() => setSort(key)}>
        {label}
      </button>
    </th>
  );
  return (
    <>
      <div class="bar" role="toolbar" aria-label="Programs">
        {plural(shown.length, 'program')}
        {shown.length < rows.length && ` of ${formatCount(rows.length)}`}: a click on a name shows only what it did
        <span class="space" />
        <SearchField text={search} onInput={setSearch} pattern={pattern} />
      </div>
      <table class="processes">
        <thead>
          <tr>
            {columns.map(({ key, label, unit, title }) => head(key, unit === '' ? label : `${label} (${unit})`, title))}
            {head('comm', 'Program', 'Name of its processes, and their pids')}
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <tr key={row.comm}>
              {columns.map((column) => (
                <td key={column.key}>
                  {cellText(row, column)}
                  {before !== undefined && <Before row={row} before={before.get(row.comm)} column={column} />}
                </td>
              ))}
              <td>
                <button type="button" class="plain" title="Only this one" onClick={() => only(row.comm, false)}>
                  {visible(row.comm) || '(no name)'}
                </button>{' '}
                <button type="button" class="only" title="All but this one" onClick={() => only(row.comm, true)}>
                  hide
                </button>{' '}
                <span class="faint">{pidsText(row.pids)}</span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

interface BeforeProps {
  readonly row: ProcessRow;
  readonly before: ProcessRow | undefined;
  readonly column: ProcessColumn;
}

/** The number of the base; 0 where only the selection has one. */
function Before({ row, before, column }: BeforeProps) {
  const text = cellText(before, column) || (row.numbers.has(column.key) ? '0' : '');
  return text === '' ? null : <span class="base faint"> ({text})</span>;
}

function sortedRows(rows: readonly ProcessRow[], sort: ColumnKey | 'comm'): ProcessRow[] {
  if (sort === 'comm') return rows.toSorted((a, b) => a.comm.localeCompare(b.comm));
  return rows.toSorted((a, b) => (b.numbers.get(sort) ?? -1) - (a.numbers.get(sort) ?? -1));
}

function cellText(row: ProcessRow | undefined, { key, unit }: ProcessColumn): string {
  const number = row?.numbers.get(key);
  if (number === undefined) return '';
  return unit === '' ? formatCount(number) : formatValue(number);
}

/** At most three, for there may be hundreds. */
function pidsText(pids: ReadonlySet<number>): string {
  const all = [...pids].sort((a, b) => a - b);
  return all.length <= 3 ? all.join(', ') : `${all.slice(0, 3).join(', ')} and ${all.length - 3} more`;
}
