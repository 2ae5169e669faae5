import { useEffect, useLayoutEffect, useMemo, useState } from 'preact/hooks';
import { Address, SavedViewContext } from './address.ts';
import { DiffPage } from './diff.tsx';
import { FilterBar, useFilterKeys } from './filter-bar.tsx';
import { type FilterHistory, NO_FILTERS, withFilter } from './filters.ts';
import { Hosts } from './hosts.tsx';
import { isTyped } from './keys.tsx';
import type { PageData } from './model.ts';
import { type PageProps, Report, withHosts } from './report.tsx';
import { VIEWS } from './views.ts';

/** The report of everything, a comparison, or one view of one section. */
export function App({ data }: { readonly data: PageData }) {
  const [address, setAddress] = useState(() => new Address());
  const [version, setVersion] = useState(0);
  // Whoever puts another fragment behind the address wants to see that.
  useEffect(() => {
    const change = (): void => {
      setAddress(new Address());
      setVersion((old) => old + 1);
    };
    window.addEventListener('hashchange', change);
    return () => window.removeEventListener('hashchange', change);
  }, []);
  useSearchKey();
  if (data.manifest.diff !== undefined) return <DiffPage data={data} diff={data.manifest.diff} />;
  const Page = data.manifest.view === 'report' ? Report : SingleView;
  return <Page key={version} data={data} address={address} />;
}

/** The key `/` puts the cursor into the search field of what is shown. */
export function useSearchKey(): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== '/' || isTyped(event)) return;
      const field = document.querySelector<HTMLInputElement>('input[type="search"]');
      if (field === null) return;
      field.focus();
      field.select();
      event.preventDefault();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);
}

/** One view of one section, with the conditions that narrow it. */
function SingleView({ data, address }: PageProps) {
  const { manifest } = data;
  const [history, setHistory] = useState<FilterHistory>({ ...NO_FILTERS, filters: address.state.filters });
  const saved = useMemo(() => address.view(manifest.view), [address, manifest]);
  const section = useMemo(
    () => data.sections.find(({ number }) => number === manifest.section) ?? data.sections[0],
    [data, manifest],
  );
  useFilterKeys(setHistory);
  useLayoutEffect(() => address.change({ filters: history.filters }), [address, history.filters]);
  const View = VIEWS.find(({ name }) => name === manifest.view)?.View;
  if (section === undefined || View === undefined) return <p>This page holds nothing that can be shown.</p>;
  const ofInterface = data.sections.filter((other) => other.interface === section.interface);
  const notes = [
    ...new Set([...data.notes, ...(manifest.known ?? []), ...ofInterface.flatMap((other) => other.notes)]),
  ];
  return (
    <div class="page">
      <header>
        <h1>{manifest.title}</h1>
        <div class="origin">{manifest.origin}</div>
      </header>
      <Hosts data={data} filters={history.filters} onChange={(filter) => setHistory((old) => withHosts(old, filter))} />
      <FilterBar history={history} onChange={setHistory} />
      <SavedViewContext.Provider value={saved}>
        <View
          data={data}
          section={section}
          filters={history.filters}
          select={(...filters) => setHistory((old) => withFilter(old, ...filters))}
        />
      </SavedViewContext.Provider>
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
