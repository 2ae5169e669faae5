import { visible } from '../../common/text.ts';
import { hasLane, isLevel } from './lane.ts';
import type { PageData, Section } from './model.ts';
import { VIEWS, type WebView } from './views.ts';

/** One view of one section. */
export interface Tab {
  /** Stays the same when the page is made again. */
  readonly id: string;
  readonly section: Section;
  readonly view: WebView;
}

/** The tabs of an interface: in parts where several of its sections have the same views, such as those of `system`. */
export interface TabGroup {
  readonly name: string;
  readonly parts: readonly TabPart[];
}

export interface TabPart {
  /** What its sections measure; empty where there is one part. */
  readonly name: string;
  readonly tabs: readonly Tab[];
}

/** The views of all sections that have records, by interface. */
export function tabGroups({ sections }: PageData): TabGroup[] {
  const byInterface = new Map<string, Section[]>();
  for (const section of sections) {
    byInterface.set(section.interface, [...(byInterface.get(section.interface) ?? []), section]);
  }
  return [...byInterface].flatMap(([name, own]): TabGroup[] => {
    const bySection = own.map((section) => tabsOf(section)).filter((tabs) => tabs.length > 0);
    const tabs = bySection.flat();
    if (tabs.length === 0) return [];
    const isSplit = new Set(tabs.map(({ view }) => view.name)).size < tabs.length;
    const parts = isSplit
      ? bySection.map((some) => ({ name: quantityOf(some[0]!.section), tabs: some }))
      : [{ name: '', tabs }];
    return [{ name: visible(name), parts }];
  });
}

function tabsOf(section: Section): Tab[] {
  if (section.records === 0) return [];
  const tabs = VIEWS.filter((view) => view.fits(section)).map((view) => ({
    id: `${section.number}-${view.name}`,
    section,
    view,
  }));
  // Parts of a whole over time are seen in the stack plot.
  if (!hasLane(section) || !isLevel(section)) return tabs;
  return tabs.toSorted((a, b) => Number(b.view.name === 'stackplot') - Number(a.view.name === 'stackplot'));
}

function quantityOf({ number, header }: Section): string {
  return visible(header.y?.label ?? header.weight?.label ?? `section ${number}`);
}
