import { useEffect, useMemo, useState } from 'preact/hooks';
import {
  clearFilters,
  describeFilter,
  type Filter,
  type FilterHistory,
  NO_FILTERS,
  redo,
  undo,
  withFilter,
  withoutFilter,
} from './filters.ts';
import type { PageData } from './model.ts';
import { VIEWS } from './views.ts';

/** One view of one section, with the conditions that narrow it. */
export function App({ data }: { readonly data: PageData }) {
  const { manifest } = data;
  const [history, setHistory] = useState<FilterHistory>(NO_FILTERS);
  const section = useMemo(
    () => data.sections.find(({ number }) => number === manifest.section) ?? data.sections[0],
    [data, manifest],
  );
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (!(event.ctrlKey || event.metaKey) || event.target instanceof HTMLInputElement) return;
      if (event.key === 'z') setHistory(undo);
      else if (event.key === 'y') setHistory(redo);
      else return;
      event.preventDefault();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);
  const View = VIEWS.find(({ name }) => name === manifest.view)?.View;
  if (section === undefined || View === undefined) return <p>This page holds nothing that can be shown.</p>;
  const notes = [
    ...new Set(data.sections.filter((other) => other.interface === section.interface).flatMap((other) => other.notes)),
  ];
  const size = {
    ...(manifest.width === undefined ? {} : { width: `${manifest.width}px` }),
    ...(manifest.height === undefined ? {} : { height: `${manifest.height}px` }),
  };
  return (
    <div class="page" style={size}>
      <header>
        <h1>{manifest.title}</h1>
        <div class="origin">{manifest.origin}</div>
      </header>
      <FilterBar history={history} onChange={setHistory} />
      <View
        data={data}
        section={section}
        filters={history.filters}
        select={(filter) => setHistory((old) => withFilter(old, filter))}
      />
      {notes.length > 0 && (
        <ul class="notes" aria-label="What to know about this data">
          {notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
    </div>
  );
}

interface FilterBarProps {
  readonly history: FilterHistory;
  readonly onChange: (change: (history: FilterHistory) => FilterHistory) => void;
}

/** The conditions, each with a button that takes it away. Nothing where there are and were none. */
function FilterBar({ history, onChange }: FilterBarProps) {
  const { past, filters, future } = history;
  if (filters.length === 0 && past.length === 0 && future.length === 0) return null;
  return (
    <section class="bar filters" aria-label="Filters">
      <span class="faint">only</span>
      {filters.map((filter) => (
        <button
          type="button"
          key={describeFilter(filter)}
          title="Take this filter away"
          onClick={() => onChange((old) => withoutFilter(old, filter))}
        >
          {describeFilter(filter)} ✕
        </button>
      ))}
      {filters.length === 0 && <span>everything</span>}
      <span class="space" />
      <button type="button" disabled={past.length === 0} onClick={() => onChange(undo)} title="Ctrl+Z">
        Undo
      </button>
      <button type="button" disabled={future.length === 0} onClick={() => onChange(redo)} title="Ctrl+Y">
        Redo
      </button>
      <button type="button" disabled={filters.length === 0} onClick={() => onChange(clearFilters)}>
        Clear
      </button>
    </section>
  );
}
