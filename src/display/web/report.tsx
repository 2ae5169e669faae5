import { useEffect, useMemo, useState } from 'preact/hooks';
import type { Finding } from '../../analysis/finding.ts';
import { formatCount, visible } from '../../common/text.ts';
import { FilterBar, useFilterKeys } from './filter-bar.tsx';
import { type Filter, type FilterHistory, NO_FILTERS, withFilter, withoutFilter } from './filters.ts';
import { Lanes, timeRangeOf } from './lanes.tsx';
import type { PageData, Section } from './model.ts';
import { Processes } from './processes.tsx';
import { readState, writeState } from './url-state.ts';
import { VIEWS, type WebView } from './views.ts';

interface Tab {
  readonly id: string;
  readonly label: string;
  readonly section?: Section;
  readonly view?: WebView;
}

/** Everything in the file: lanes over one clock, one selection for all views, and the views as tabs. */
export function Report({ data }: { readonly data: PageData }) {
  const { manifest } = data;
  const saved = useMemo(() => readState(location.hash), []);
  const [history, setHistory] = useState<FilterHistory>({ ...NO_FILTERS, filters: saved.filters });
  const tabs = useMemo(() => tabsOf(data), [data]);
  const [open, setOpen] = useState(tabs.some(({ id }) => id === saved.tab) ? saved.tab : tabs[0]!.id);
  const [help, setHelp] = useState(false);
  const range = useMemo(() => timeRangeOf(data), [data]);
  const tab = tabs.find(({ id }) => id === open) ?? tabs[0]!;
  useFilterKeys(setHistory);
  useEffect(() => {
    window.history.replaceState(null, '', writeState({ tab: open, filters: history.filters }));
  }, [open, history.filters]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.target instanceof HTMLInputElement) return;
      if (event.key === '?') setHelp((old) => !old);
      else if (event.key === '[' || event.key === ']') {
        const at = tabs.findIndex(({ id }) => id === open) + (event.key === ']' ? 1 : -1);
        setOpen(tabs[(at + tabs.length) % tabs.length]!.id);
      } else return;
      event.preventDefault();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [tabs, open]);

  const select = (...filters: readonly Filter[]): void => setHistory((old) => withFilter(old, ...filters));
  const onTime = (time: { from: number; to: number } | undefined): void =>
    setHistory((old) => {
      if (time !== undefined) return withFilter(old, { kind: 'time', ...time });
      const filter = old.filters.find(({ kind }) => kind === 'time');
      return filter === undefined ? old : withoutFilter(old, filter);
    });
  const View = tab.view?.View;
  return (
    <div class="page">
      <header>
        <h1>{manifest.title}</h1>
        <div class="origin">{manifest.origin}</div>
      </header>
      <Lanes data={data} filters={history.filters} range={range} onTime={onTime} />
      <FilterBar history={history} onChange={setHistory} />
      <div class="bar tabs" role="tablist">
        {tabs.map(({ id, label }) => (
          <button type="button" role="tab" key={id} aria-selected={id === open} onClick={() => setOpen(id)}>
            {label}
          </button>
        ))}
        <span class="space" />
        <button type="button" aria-pressed={help} onClick={() => setHelp(!help)} title="?">
          Keys
        </button>
      </div>
      {help && <Keys />}
      {View !== undefined && tab.section !== undefined ? (
        <View key={tab.id} data={data} section={tab.section} filters={history.filters} select={select} />
      ) : tab.id === 'processes' ? (
        <Processes data={data} filters={history.filters} select={select} />
      ) : tab.id === 'findings' ? (
        <Findings data={data} show={(finding) => select(...finding.select)} />
      ) : (
        <About data={data} />
      )}
    </div>
  );
}

/** What stands out, each with a link that selects what it speaks of. */
function Findings({ data, show }: { readonly data: PageData; readonly show: (finding: Finding) => void }) {
  const { findings } = data.manifest;
  return (
    <div class="view">
      <div class="scroll">
        {findings.length === 0 && <p class="empty">Nothing stands out by the thresholds in [report] of the config.</p>}
        <ul class="findings">
          {findings.map((finding) => (
            <li key={finding.sentence} class={finding.kind}>
              <span class="faint">{visible(finding.interface)}</span> {finding.sentence}.{' '}
              {finding.select.length > 0 && (
                <button type="button" onClick={() => show(finding)}>
                  Select
                </button>
              )}
            </li>
          ))}
        </ul>
      </div>
    </div>
  );
}

function tabsOf(data: PageData): Tab[] {
  const names = new Map<string, number>();
  for (const { interface: name } of data.sections) names.set(name, (names.get(name) ?? 0) + 1);
  const views = data.sections.flatMap((section) =>
    VIEWS.filter((view) => view.fits(section)).map((view): Tab => {
      const quantity = section.header.y?.label ?? section.header.weight?.label;
      const of = (names.get(section.interface) ?? 0) > 2 && quantity !== undefined ? ` (${visible(quantity)})` : '';
      return {
        id: `${section.number}-${view.name}`,
        label: `${visible(section.interface)}${of}: ${view.label.toLowerCase()}`,
        section,
        view,
      };
    }),
  );
  const found = data.manifest.findings.length;
  return [
    { id: 'findings', label: found === 0 ? 'Findings' : `Findings (${found})` },
    ...views,
    { id: 'processes', label: 'Processes' },
    { id: 'about', label: 'About this data' },
  ];
}

/** Where the data comes from, by section: what was really run, what was lost, skipped or substituted. */
function About({ data }: { readonly data: PageData }) {
  return (
    <div class="view">
      <div class="scroll about">
        {data.sections.map(({ number, header, notes, rows, stacks }) => (
          <section key={number}>
            <h2>
              {number}. {visible(header.interface)} <span class="faint">{header.datatype}</span>
            </h2>
            <p>
              {formatCount(stacks?.ends.length ?? rows)} records
              {header.tool === undefined ? '' : `, by ${visible(`${header.tool.name} ${header.tool.version}`)}`}
              {(header.lost ?? 0) > 0 ? `, ${formatCount(header.lost ?? 0)} lost` : ''}
              {(header.skipped ?? 0) > 0 ? `, ${formatCount(header.skipped ?? 0)} skipped` : ''}
            </p>
            {header.tool !== undefined && <p class="command">{visible(header.tool.command.join(' '))}</p>}
            {notes.length > 0 && (
              <ul class="notes">
                {notes.map((note) => (
                  <li key={note}>{note}</li>
                ))}
              </ul>
            )}
          </section>
        ))}
      </div>
    </div>
  );
}

const KEYS: readonly (readonly [string, string])[] = [
  ['drag in the lanes', 'select a range of time; a click takes it back'],
  ['[ and ]', 'the view before, the next one'],
  ['/', 'search in the view'],
  ['Ctrl+Z, Ctrl+Y', 'undo and redo filters'],
  ['arrows, Enter, Escape', 'move, go in, go out in the view that has the focus'],
  ['?', 'these keys'],
];

function Keys() {
  return (
    <dl class="keys bar">
      {KEYS.map(([key, what]) => (
        <div key={key}>
          <dt>{key}</dt>
          <dd>{what}</dd>
        </div>
      ))}
    </dl>
  );
}
