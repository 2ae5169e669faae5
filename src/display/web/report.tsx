import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useState } from 'preact/hooks';
import type { Finding } from '../../analysis/finding.ts';
import { visible } from '../../common/text.ts';
import { About, Collected } from './about.tsx';
import { type Address, SavedViewContext } from './address.ts';
import { FilterBar, useFilterKeys } from './filter-bar.tsx';
import { type Filter, type FilterHistory, isHostFilter, NO_FILTERS, withFilter, withoutFilter } from './filters.ts';
import { Hosts } from './hosts.tsx';
import { isTyped, KeyHelp } from './keys.tsx';
import { hasLane } from './lane.ts';
import { Lanes, timeRangeOf } from './lanes.tsx';
import { Latencies } from './latency-table.tsx';
import { type PageData, sameSection } from './model.ts';
import { Processes } from './processes.tsx';
import { Reduced } from './reduced.tsx';
import { type Tab, type TabGroup, tabGroups } from './report-tabs.ts';
import { Save } from './save/save.tsx';
import { useShown } from './shown.ts';

const NONE: readonly Filter[] = [];

/** Tabs that are of no section. */
const OVERVIEW = 'overview';
const ABOUT = 'about';

export interface PageProps {
  readonly data: PageData;
  readonly address: Address;
}

/** Everything in the file: lanes over one clock, one selection for all views, and the views as tabs. */
export function Report({ data, address }: PageProps) {
  const { manifest } = data;
  const saved = address.state;
  const [history, setHistory] = useState<FilterHistory>({ ...NO_FILTERS, filters: saved.filters });
  const groups = useMemo(() => tabGroups(data), [data]);
  const tabs = useMemo(() => groups.flatMap(({ parts }) => parts.flatMap((part) => part.tabs)), [groups]);
  const ids = useMemo(() => [OVERVIEW, ...tabs.map(({ id }) => id), ABOUT], [tabs]);
  const [open, setOpen] = useState(ids.includes(saved.tab) ? saved.tab : OVERVIEW);
  const [base, setBase] = useState(saved.base);
  const [help, setHelp] = useState(false);
  const [saving, setSaving] = useState(false);
  const [perHost, setPerHost] = useState(
    () => (manifest.hosts?.length ?? 0) * data.sections.filter(hasLane).length <= MOST_LANES,
  );
  const range = useMemo(() => timeRangeOf(data), [data]);
  const tab = tabs.find(({ id }) => id === open);
  const shown = useShown(data, history.filters);
  const shownBase = useShown(data, base ?? NONE);
  const compared = useMemo(
    () => (base === undefined ? {} : { base: { data: shownBase.data, filters: shownBase.filters } }),
    [base, shownBase.data, shownBase.filters],
  );
  useFilterKeys(setHistory);
  useLayoutEffect(() => {
    address.change({ tab: open, filters: history.filters, base });
  }, [address, open, history.filters, base]);
  const savedView = useMemo(() => address.view(open), [address, open]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (isTyped(event) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === '?') setHelp((old) => !old);
      else if (event.key === 's') setSaving((old) => !old);
      else if (event.key === 'b') setBase((old) => (old === undefined ? history.filters : undefined));
      else if (event.key === '[' || event.key === ']') {
        const step = event.key === ']' ? 1 : -1;
        setOpen((old) => ids[(ids.indexOf(old) + step + ids.length) % ids.length]!);
      } else return;
      event.preventDefault();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [ids, history.filters]);

  const select = (...filters: readonly Filter[]): void => setHistory((old) => withFilter(old, ...filters));
  const onTime = (time: { from: number; to: number } | undefined): void =>
    setHistory((old) => {
      if (time !== undefined) return withFilter(old, { kind: 'time', ...time });
      const filter = old.filters.find(({ kind }) => kind === 'time');
      return filter === undefined ? old : withoutFilter(old, filter);
    });
  const onHosts = (filter: Filter | undefined): void => setHistory((old) => withHosts(old, filter));
  const View = tab?.view.View;
  const section = tab === undefined ? undefined : sameSection(shown.data, tab.section);
  return (
    <div class="page">
      <header>
        <h1>{manifest.title}</h1>
        <div class="origin">{manifest.origin}</div>
      </header>
      <Hosts data={data} filters={history.filters} onChange={onHosts} lanes={{ perHost, set: setPerHost }} />
      <Lanes
        perHost={perHost}
        data={data}
        filters={history.filters}
        range={range}
        {...compared}
        above={tab === undefined ? 'overview' : 'view'}
        onTime={onTime}
      />
      <FilterBar history={history} onChange={setHistory} base={base} onPin={setBase} />
      <Reduced shown={shown} base={base === undefined ? undefined : shownBase} range={range} onTime={onTime} />
      <Tabs groups={groups} tab={tab} open={open} onOpen={setOpen}>
        <button
          type="button"
          aria-pressed={saving}
          onClick={() => setSaving(!saving)}
          title="s: what is shown, or selected, as a file"
        >
          Save
        </button>
        <button type="button" aria-pressed={help} onClick={() => setHelp(!help)} title="?">
          Keys
        </button>
      </Tabs>
      {saving && <Save name={`marple-${open}`} data={shown.data} filters={shown.filters} {...compared} />}
      {help && <KeyHelp view={tab?.view.name} />}
      {View !== undefined && tab !== undefined && section !== undefined ? (
        <SavedViewContext.Provider value={savedView}>
          <View
            key={tab.id}
            data={shown.data}
            section={section}
            filters={shown.filters}
            {...compared}
            select={select}
          />
        </SavedViewContext.Provider>
      ) : open === ABOUT ? (
        <About data={data} />
      ) : (
        <div class="view">
          <div class="scroll">
            <Collected data={data} onMore={() => setOpen(ABOUT)} />
            <Findings
              data={data}
              onSelect={(finding) => select(...finding.select)}
              onShow={(finding) => {
                // Where a section has no records, its notes are what there is.
                setOpen(tabs.find(({ section }) => section.number === finding.section)?.id ?? ABOUT);
              }}
            />
            <SavedViewContext.Provider value={savedView}>
              <Latencies data={shown.data} filters={shown.filters} {...compared} />
              <Processes data={shown.data} filters={shown.filters} {...compared} select={select} />
            </SavedViewContext.Provider>
          </div>
        </div>
      )}
    </div>
  );
}

/** Lanes with which each host has its own from the start. */
const MOST_LANES = 24;

/** The same conditions with another choice of hosts; undefined for all. */
export function withHosts(history: FilterHistory, filter: Filter | undefined): FilterHistory {
  if (filter !== undefined) return withFilter(history, filter);
  const old = history.filters.find(isHostFilter);
  return old === undefined ? history : withoutFilter(history, old);
}

interface TabsProps {
  readonly groups: readonly TabGroup[];
  readonly tab: Tab | undefined;
  readonly open: string;
  readonly onOpen: (id: string) => void;
  readonly children: ComponentChildren;
}

/** A row of interfaces, and below it the views of the one that is open. */
function Tabs({ groups, tab, open, onOpen, children }: TabsProps) {
  const group = groups.find(({ parts }) => parts.some(({ tabs }) => tabs.some(({ id }) => id === open)));
  const part = group?.parts.find(({ tabs }) => tabs.some(({ id }) => id === open));
  const button = (id: string, label: string, isOpen: boolean) => (
    <button type="button" role="tab" key={id} aria-selected={isOpen} onClick={() => onOpen(id)}>
      {label}
    </button>
  );
  return (
    <>
      <div class="bar tabs" role="tablist" aria-label="Interfaces">
        {button(OVERVIEW, 'Overview', open === OVERVIEW)}
        {groups.map(({ name, parts }) => button(parts[0]!.tabs[0]!.id, name, name === group?.name))}
        {button(ABOUT, 'About this data', open === ABOUT)}
        <span class="space" />
        {children}
      </div>
      {group !== undefined && part !== undefined && (group.parts.length > 1 || part.tabs.length > 1) && (
        <div class="bar tabs" role="tablist" aria-label={`Views of ${group.name}`}>
          {group.parts.length > 1 &&
            group.parts.map(({ name, tabs }) => {
              const same = tabs.find(({ view }) => view.name === tab?.view.name) ?? tabs[0]!;
              return button(same.id, name, name === part.name);
            })}
          {group.parts.length > 1 && <span class="faint">as</span>}
          {part.tabs.map(({ id, view }) => button(id, view.label, id === open))}
        </div>
      )}
    </>
  );
}

interface FindingsProps {
  readonly data: PageData;
  readonly onSelect: (finding: Finding) => void;
  readonly onShow: (finding: Finding) => void;
}

/** What stands out, each with a link that selects what it speaks of. */
function Findings({ data, onSelect, onShow }: FindingsProps) {
  const { findings } = data.manifest;
  return (
    <ul class="findings" aria-label="Findings">
      {findings.length === 0 && <li>Nothing stands out by the thresholds in [report] of the config.</li>}
      {findings.map((finding) => (
        <li key={finding.sentence} class={finding.kind}>
          <span class="faint">{visible(finding.interface)}</span> {finding.sentence}.{' '}
          {finding.select.length > 0 && (
            <button type="button" title="Only what this speaks of" onClick={() => onSelect(finding)}>
              Select
            </button>
          )}{' '}
          <button type="button" title="The view of this interface" onClick={() => onShow(finding)}>
            Show
          </button>
        </li>
      ))}
    </ul>
  );
}
