import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { formatCount, formatValue, plural } from '../../common/text.ts';
import type { FileListing } from '../shape/listing.ts';
import { useSearchKey } from './app.tsx';
import { NameSearch } from './search-field.tsx';
import { useSearch } from './stack-weights.ts';

/** How often the list is asked for, milliseconds. */
const EVERY = 2000;

const COLUMNS = [
  { key: 'start', label: 'Start (UTC)' },
  { key: 'seconds', label: 'Seconds' },
  { key: 'size', label: 'Size' },
  { key: 'host', label: 'Host' },
  { key: 'name', label: 'File' },
] as const;

type ColumnKey = (typeof COLUMNS)[number]['key'];

interface Listed {
  readonly files: readonly FileListing[];
  /** Why the list is not what it should be. */
  readonly problem: string | undefined;
}

/** The data files of a server; those that come appear by themselves. */
export function Files() {
  const { files, problem } = useFiles();
  const [search, setSearch] = useState('');
  const [sort, setSort] = useState<ColumnKey>('start');
  const pattern = useSearch(search);
  const sorted = useMemo(() => sortedFiles(files ?? [], sort), [files, sort]);
  const fresh = useNewOnes(files);
  const shown = sorted.filter((file) => !(pattern instanceof RegExp) || pattern.test(textOf(file)));
  useSearchKey();
  useEffect(() => {
    document.title = 'MARPLE: data files';
  }, []);
  return (
    <div class="page">
      <header>
        <h1>Data files</h1>
        <div class="origin" role="status">
          {files === undefined ? 'Looking for them' : plural(files.length, 'file')}
          {shown.length < sorted.length && `, ${formatCount(shown.length)} of them shown`}
        </div>
      </header>
      <div class="bar" role="toolbar" aria-label="Files">
        A click on a name opens its report. New files appear here by themselves.
        <span class="space" />
        <NameSearch text={search} onInput={setSearch} pattern={pattern} />
      </div>
      {problem !== undefined && (
        <div class="bar reduced bad" role="alert">
          {problem}
        </div>
      )}
      <div class="view">
        <div class="scroll">
          {files?.length === 0 && (
            <p class="empty">There is no data file yet. One comes with: marple collect -o FILE</p>
          )}
          {sorted.length > 0 && (
            <table class="files">
              <thead>
                <tr>
                  {COLUMNS.map(({ key, label }) => (
                    <th key={key} aria-sort={key === sort ? (key === 'name' ? 'ascending' : 'descending') : 'none'}>
                      <button type="button" onClick={() => setSort(key)}>
                        {label}
                      </button>
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {shown.map((file) => (
                  <Row key={file.id} file={file} isNew={fresh.has(file.id)} />
                ))}
              </tbody>
            </table>
          )}
        </div>
      </div>
    </div>
  );
}

function Row({ file, isNew }: { readonly file: FileListing; readonly isNew: boolean }) {
  const { id, name, folder, size, isPartial, problem, host, start, seconds, interfaces } = file;
  return (
    <tr class={isNew ? 'new' : ''}>
      <td>{start === undefined ? '' : start.slice(0, 19).replace('T', ' ')}</td>
      <td>{seconds === undefined || seconds === null ? '' : formatValue(seconds)}</td>
      <td>{formatSize(size)}</td>
      <td>{host}</td>
      <td>
        {problem === undefined ? <a href={`/report/${id}`}>{name}</a> : name} {isNew && <b class="mark">new</b>}{' '}
        {isPartial && (
          <span class="note" title="What a run has written so far that was cut off, or still goes on">
            unfinished run
          </span>
        )}{' '}
        {problem !== undefined && <span class="note">{problem}</span>}{' '}
        <span class="faint">{interfaces?.join(', ')}</span>{' '}
        {folder !== undefined && <span class="faint">in {folder}</span>}
      </td>
    </tr>
  );
}

/** The list as it is now; undefined before it is there. */
function useFiles(): { files: readonly FileListing[] | undefined; problem: string | undefined } {
  const [listed, setListed] = useState<Partial<Listed>>({});
  useEffect(() => {
    const stop = new AbortController();
    const ask = async (): Promise<void> => {
      if (document.visibilityState === 'hidden') return;
      try {
        const response = await fetch('/files', { signal: stop.signal });
        if (!response.ok) throw new Error((await response.text()).trim());
        const { files } = (await response.json()) as { files: FileListing[] };
        setListed({ files });
      } catch (error) {
        if (stop.signal.aborted) return;
        const reason = error instanceof Error && !(error instanceof TypeError) ? error.message : 'the server has ended';
        setListed((old) => ({ ...old, problem: `The list is not new any more: ${reason}.` }));
      }
    };
    void ask();
    const timer = setInterval(() => void ask(), EVERY);
    document.addEventListener('visibilitychange', ask);
    return () => {
      stop.abort();
      clearInterval(timer);
      document.removeEventListener('visibilitychange', ask);
    };
  }, []);
  return { files: listed.files, problem: listed.problem };
}

/** Files that were not there at first. */
function useNewOnes(files: readonly FileListing[] | undefined): ReadonlySet<string> {
  const first = useRef<ReadonlySet<string> | undefined>(undefined);
  if (files !== undefined) first.current ??= new Set(files.map(({ id }) => id));
  return useMemo(
    () => new Set(files?.map(({ id }) => id).filter((id) => first.current?.has(id) !== true) ?? []),
    [files],
  );
}

function textOf({ name, host = '', interfaces = [], folder = '' }: FileListing): string {
  return [name, host, ...interfaces, folder].join(' ');
}

/** Names from the first letter on, numbers and times from the greatest on. */
function sortedFiles(files: readonly FileListing[], sort: ColumnKey): FileListing[] {
  return files.toSorted((a, b) => {
    if (sort === 'size' || sort === 'seconds') return (b[sort] ?? -1) - (a[sort] ?? -1);
    const [left, right] = [a[sort] ?? '', b[sort] ?? ''];
    return sort === 'start' ? right.localeCompare(left) : left.localeCompare(right);
  });
}

/** Empty where it is not known. */
function formatSize(bytes: number): string {
  if (bytes < 1000) return bytes === 0 ? '' : `${bytes} B`;
  return bytes < 1e6 ? `${formatValue(bytes / 1e3)} kB` : `${formatValue(bytes / 1e6)} MB`;
}
