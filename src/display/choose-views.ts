import { extname } from 'node:path';
import type { DataSet } from '../analysis/fleet/data-sets.ts';
import type { HostGroups } from '../analysis/fleet/joined.ts';
import type { SectionGroup } from '../analysis/select.ts';
import type { Config } from '../common/config.ts';
import { UsageError } from '../common/errors.ts';
import type { SectionReader } from '../common/reader.ts';
import type { ViewDescription } from './generic-display.ts';
import { displayChoices, VIEWS, type ViewName } from './registry.ts';

export type View = ViewDescription<ViewName, unknown>;

/** The format of what a terminal shows. */
export const TEXT = 'txt';

/** The views of one interface. */
const SINGLE_VIEWS = VIEWS.filter((view) => view.showsAll !== true);

/** What of one file, or of files of several hosts, is to be shown. */
export interface Source {
  readonly data: DataSet;
  readonly groups: readonly SectionGroup[];
  /** The groups of each host, where there are several. */
  readonly each?: readonly HostGroups[];
}

/** What one picture shows: a section of a group, or for a view of everything all groups of the file. */
export interface Choice {
  readonly source: Source;
  readonly view: View;
  readonly group: SectionGroup;
  readonly section: SectionReader;
}

export interface Wanted {
  /** A view that was asked for by its flag. */
  readonly view?: ViewName | undefined;
  /** As -o has it. */
  readonly output?: string | undefined;
}

/**
 * Which view shows which section of each group: the one that was asked for, the one that config names, or the first that fits; of
 * a file of several interfaces, or files of several hosts, the report.
 * @throws UsageError (2) where none fits.
 */
export function chooseViews(
  sources: readonly Source[],
  wanted: Wanted,
  config: Config,
  warn: (sentence: string) => void,
): Choice[] {
  const chosen: Choice[] = [];
  const unshown: string[] = [];
  for (const source of sources) {
    const whole = wholeView(source, wanted);
    if (whole !== undefined) chosen.push(whole);
    else chosen.push(...choosePerGroup(source, wanted.view, wantsAnyText(wanted), config, warn, unshown));
  }
  const groups = sources.flatMap((source) => source.groups);
  if (chosen.length === 0) {
    const flag = VIEWS.find((view) => view.name === wanted.view)?.flag;
    throw new UsageError(
      groups.length === 0
        ? 'the file has no sections'
        : `${flag === undefined ? 'no view fits' : `${flag} does not fit`} what the file holds: ${unshown.join(', ')}`,
      groups.length === 0 ? 'marple collect --stack -t 5' : hintFor(groups),
    );
  }
  if (wanted.view === undefined) for (const name of unshown) warn(`not shown: ${name}`);
  return chosen;
}

/** Whether text is wanted and no view named: then it is those that can be text. */
function wantsAnyText({ view, output }: Wanted): boolean {
  return view === undefined && output !== undefined && (output === '-' || extname(output) === `.${TEXT}`);
}

/** The view of everything, where it was asked for or there are several interfaces or hosts. */
function wholeView(source: Source, wanted: Wanted): Choice | undefined {
  const [group] = source.groups;
  const section = group?.shown[0];
  const isMuch = source.groups.length > 1 || source.data.hosts !== undefined;
  const view = VIEWS.find(
    ({ showsAll, name }) => showsAll === true && (name === wanted.view || (wanted.view === undefined && isMuch)),
  );
  return view === undefined || group === undefined || section === undefined
    ? undefined
    : { source, view, group, section };
}

/**
 * A view of its own for each group of a file: `asked`, the one that config names, or the first that fits.
 * @param isText whether it must be one that can be text. @param unshown gets the groups that none shows.
 */
export function choosePerGroup(
  source: Source,
  asked: ViewName | undefined,
  isText: boolean,
  config: Config,
  warn: (sentence: string) => void,
  unshown: string[],
): Choice[] {
  const choices = config.get('Display', displayChoices);
  return source.groups.flatMap((group): Choice[] => {
    const fitting = SINGLE_VIEWS.filter((view) => !isText || view.formats.includes(TEXT)).flatMap((view): Choice[] => {
      const section = group.shown.find(({ header }) => view.fits(header));
      return section === undefined ? [] : [{ source, view, group, section }];
    });
    const named = asked ?? choices[group.interface];
    const choice = fitting.find(({ view }) => view.name === named) ?? (asked === undefined ? fitting[0] : undefined);
    if (choice === undefined) {
      unshown.push(`${group.interface} (${fitText(fitting, isText)})`);
      return [];
    }
    if (asked === undefined && named !== undefined && choice.view.name !== named) {
      const why = isText ? 'is no text' : 'does not fit';
      warn(`${group.interface}: config names ${named}, which ${why}: shown as ${choice.view.name}`);
    }
    return [choice];
  });
}

function fitText(fitting: readonly Choice[], isText: boolean): string {
  if (fitting.length === 0) return isText ? 'no view shows it as text' : 'no view shows it yet';
  return `fits ${fitting.map(({ view }) => view.flag).join(', ')}`;
}

function hintFor(groups: readonly SectionGroup[]): string {
  const view = VIEWS.find((candidate) =>
    groups.some((group) => group.shown.some(({ header }) => candidate.fits(header))),
  );
  return view === undefined ? 'marple display -l lists what it holds' : `marple display ${view.flag}`;
}
