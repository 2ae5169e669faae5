import { useEffect } from 'preact/hooks';
import { clearFilters, describeFilter, type FilterHistory, redo, undo, withoutFilter } from './filters.ts';

type Change = (change: (history: FilterHistory) => FilterHistory) => void;

/** Ctrl+Z and Ctrl+Y for the list of filters. */
export function useFilterKeys(onChange: Change): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (!(event.ctrlKey || event.metaKey) || event.target instanceof HTMLInputElement) return;
      if (event.key === 'z') onChange(undo);
      else if (event.key === 'y') onChange(redo);
      else return;
      event.preventDefault();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [onChange]);
}

interface FilterBarProps {
  readonly history: FilterHistory;
  readonly onChange: Change;
}

/** The conditions, each with a button that takes it away. Nothing where there are and were none. */
export function FilterBar({ history, onChange }: FilterBarProps) {
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
