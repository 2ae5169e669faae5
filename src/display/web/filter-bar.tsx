import { useEffect } from 'preact/hooks';
import { clearFilters, describeFilter, type Filter, type FilterHistory, redo, undo, withoutFilter } from './filters.ts';
import { isTyped } from './keys.tsx';

type Change = (change: (history: FilterHistory) => FilterHistory) => void;

/** Ctrl+Z and Ctrl+Y for the list of filters. */
export function useFilterKeys(onChange: Change): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (!(event.ctrlKey || event.metaKey) || isTyped(event)) return;
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
  /** What is compared with; `onPin` sets it, and is not there where nothing can be compared. */
  readonly base?: readonly Filter[] | undefined;
  readonly onPin?: (base: readonly Filter[] | undefined) => void;
}

/** The conditions, each with a button that takes it away. Nothing where there are and were none. */
export function FilterBar({ history, onChange, base, onPin }: FilterBarProps) {
  const { past, filters, future } = history;
  if (filters.length === 0 && past.length === 0 && future.length === 0 && base === undefined) return null;
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
      {base !== undefined && (
        <span class="faint">
          compared with {base.length === 0 ? 'everything' : base.map(describeFilter).join(', ')}
        </span>
      )}
      <span class="space" />
      {onPin !== undefined && (
        <button
          type="button"
          aria-pressed={base !== undefined}
          onClick={() => onPin(base === undefined ? filters : undefined)}
          title="b: compare what is selected from now on with this selection"
        >
          {base === undefined ? 'Pin as base' : 'Unpin'}
        </button>
      )}
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
