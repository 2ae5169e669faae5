import { useMemo, useState } from 'preact/hooks';
import { DiffPage } from './diff.tsx';
import { FilterBar, useFilterKeys } from './filter-bar.tsx';
import { type FilterHistory, NO_FILTERS, withFilter } from './filters.ts';
import type { PageData } from './model.ts';
import { Report } from './report.tsx';
import { VIEWS } from './views.ts';

/** The report of everything, a comparison, or one view of one section. */
export function App({ data }: { readonly data: PageData }) {
  if (data.manifest.diff !== undefined) return <DiffPage data={data} diff={data.manifest.diff} />;
  return data.manifest.view === 'report' ? <Report data={data} /> : <SingleView data={data} />;
}

/** One view of one section, with the conditions that narrow it. */
function SingleView({ data }: { readonly data: PageData }) {
  const { manifest } = data;
  const [history, setHistory] = useState<FilterHistory>(NO_FILTERS);
  const section = useMemo(
    () => data.sections.find(({ number }) => number === manifest.section) ?? data.sections[0],
    [data, manifest],
  );
  useFilterKeys(setHistory);
  const View = VIEWS.find(({ name }) => name === manifest.view)?.View;
  if (section === undefined || View === undefined) return <p>This page holds nothing that can be shown.</p>;
  const notes = [
    ...new Set(data.sections.filter((other) => other.interface === section.interface).flatMap((other) => other.notes)),
  ];
  return (
    <div class="page">
      <header>
        <h1>{manifest.title}</h1>
        <div class="origin">{manifest.origin}</div>
      </header>
      <FilterBar history={history} onChange={setHistory} />
      <View
        data={data}
        section={section}
        filters={history.filters}
        select={(...filters) => setHistory((old) => withFilter(old, ...filters))}
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
