import { type DataSet, dataSets, filterOfAll, groupsOf, hostSets } from '../analysis/fleet/data-sets.ts';
import { hostOf } from '../analysis/fleet/hosts.ts';
import {
  answerable,
  checkAnyFilter,
  checkFilter,
  type Filter,
  makeFilter,
  pickedSections,
} from '../analysis/select.ts';
import type { Config } from '../common/config.ts';
import { UsageError } from '../common/errors.ts';
import type { DataFile, SectionReader } from '../common/reader.ts';
import { stdoutTerminal } from '../common/save.ts';
import { joinWords } from '../common/text.ts';
import { type DataFiles, openAll } from '../formats/open-all.ts';
import { canvasProblem } from './chart.ts';
import { choosePerGroup, chooseViews, type Source, TEXT, type View } from './choose-views.ts';
import { checkTarget, type GenericDisplay, type Replace } from './generic-display.ts';
import { sectionNotes, sectionSeconds } from './notes.ts';
import { hasDesktop } from './opener.ts';
import { type Drawing, nameOutputs } from './output-names.ts';
import { findDisplay, VIEWS, type ViewName } from './registry.ts';
import type { TrackKind } from './shape/track-choice.ts';
import { screenOf } from './text/screen.ts';

export interface DisplayOptions {
  /** Data files or partial directories, folders of them, or `-` for stdin. */
  readonly inputs: readonly string[];
  /** Taken literally; its extension chooses the format. `-` is stdout, as text; `-.svg` is stdout in another format. */
  readonly output?: string;
  readonly list?: boolean;
  /** Numbers of the sections to show, from 1. */
  readonly pick?: readonly number[];
  readonly view?: ViewName;
  /** Seconds since the file's origin. */
  readonly from?: number;
  readonly to?: number;
  readonly pids?: readonly number[];
  /** Source of a regular expression on the process name. */
  readonly comm?: string;
  /** Names and patterns of the hosts to show; all where it is undefined. */
  readonly hosts?: readonly string[];
  /** Of several hosts: each by itself within a picture. */
  readonly by?: 'host';
  /** Of several hosts: a picture for each. */
  readonly perHost?: boolean;
  readonly title?: string;
  /** Pixels. */
  readonly width?: number;
  readonly height?: number;
  /** Undefined: only where there is a desktop. */
  readonly open: boolean | undefined;
  readonly force: boolean;
  readonly showIdle?: boolean;
  /** What the tracks of event views are. */
  readonly track?: TrackKind;
}

export interface SectionListing {
  readonly number: number;
  readonly file: string;
  /** Undefined where the section does not say. */
  readonly host: string | undefined;
  readonly interface: string;
  readonly datatype: string;
  /** What is measured, where the section says so. */
  readonly quantity: string | undefined;
  /** Null where the run was cut off. */
  readonly records: number | null;
  readonly seconds: number | null;
  readonly tool: string | undefined;
  readonly lost: number | undefined;
}

export interface DisplayOutput {
  readonly path: string;
  /** The data file. */
  readonly file: string;
  /** Where it is of several. */
  readonly hosts?: readonly string[];
  readonly view: string;
  /** Number of the section that was drawn. */
  readonly section: number;
  readonly interface: string;
  readonly notes: readonly string[];
  readonly opened: boolean;
}

export interface DisplayResult {
  readonly listing?: readonly SectionListing[];
  readonly outputs: readonly DisplayOutput[];
  readonly warnings: readonly string[];
}

/**
 * Lists or draws data files.
 * @throws UsageError, DamagedFileError
 */
export async function runDisplay(
  options: DisplayOptions,
  deps: { readonly config: Config; readonly tempDir: string },
): Promise<DisplayResult> {
  const data = await openAll(options.inputs, deps.tempDir);
  try {
    if (options.list !== true) return await drawFiles(data, options, deps.config);
    const files = dataSets(data.files, options.hosts).flatMap((set) => set.files);
    const listing = files
      .flatMap((file) => file.sections.map((section) => listSection(file, section)))
      .sort((a, b) => a.number - b.number);
    return { listing, outputs: [], warnings: data.warnings };
  } finally {
    await data.close();
  }
}

async function drawFiles(data: DataFiles, options: DisplayOptions, config: Config): Promise<DisplayResult> {
  const { files } = data;
  const filter = makeFilter(options);
  const warnings = new Set(data.warnings);
  const warn = (sentence: string): void => {
    warnings.add(sentence);
  };
  const picked = pickedSections(files, options.pick);
  const sets = dataSets(files, options.hosts);
  const shown = options.perHost === true ? sets.flatMap(hostSets) : sets;
  checkHosts(sets, options);
  const sources = shown.map((set): Source => {
    const { hosts } = set;
    const each = hosts && hostSets(set).map((own, i) => ({ host: hosts[i]!, groups: groupsOf(own, picked) }));
    return { data: set, groups: groupsOf(set, picked), ...(each === undefined ? {} : { each }) };
  });
  const chosen = chooseViews(sources, options, config, warn);
  // Only a view that would be a PNG has to know.
  const needsCanvas = options.output === undefined && chosen.some(({ view }) => view.formats[0] === 'png');
  const problem = needsCanvas ? await canvasProblem() : undefined;
  const drawings = nameOutputs(chosen, options.output, (format) => format !== 'png' || problem === undefined);
  if (problem !== undefined) warn(`${problem.message}: drawn as HTML`);
  const replace: Replace = options.force ? 'any' : options.output === undefined ? 'own' : 'nothing';
  checkTrack(options.track, drawings);
  // Everything that can be refused is refused before the first picture is drawn.
  for (const { source, view, group, section, path, format } of drawings) {
    for (const note of source.data.notes) warn(note);
    if (view.showsAll === true) checkAnyFilter(source.groups, filter);
    else checkFilter(group, section, filter);
    if (path === '-') checkTerminal(view, format);
    else await checkTarget(path, replace);
  }
  const settings: Settings = { options, filter, config, isOneOfMany: sources.length > 1, warn };
  const outputs: DisplayOutput[] = [];
  for (const drawing of drawings) {
    const { source, view, group, section, path, format } = drawing;
    const display = makeDisplay(drawing, settings);
    const open = (options.open ?? hasDesktop()) && path !== '-';
    const opened = await display.show({ path, replace, open, follows: outputs.length > 0 });
    outputs.push({
      path,
      file: source.data.path,
      ...(source.data.hosts === undefined ? {} : { hosts: source.data.hosts }),
      view: view.name,
      section: section.number,
      interface: group.interface,
      notes: display.notes,
      opened,
    });
    // A text on stdout says them itself.
    if (path === '-' && format === TEXT) continue;
    const of = sources.length > 1 ? `${source.data.path}: ` : '';
    for (const { header } of view.showsAll === true ? source.groups.flatMap(({ all }) => all) : group.all) {
      for (const note of sectionNotes(header)) warn(`${of}${header.interface}: ${note}`);
    }
  }
  return { outputs, warnings: [...warnings] };
}

function listSection({ path }: DataFile, { number, header }: SectionReader): SectionListing {
  return {
    number,
    file: path,
    host: hostOf(header),
    interface: header.interface,
    datatype: header.datatype,
    quantity: header.y?.label ?? header.weight?.label,
    records: header.records ?? null,
    seconds: sectionSeconds(header),
    tool: header.tool === undefined ? undefined : `${header.tool.name} ${header.tool.version}`.trim(),
    lost: header.lost,
  };
}

/** @throws UsageError (2) where a picture that is no text would go to a terminal. */
function checkTerminal(view: View, format: string): void {
  if (format === TEXT || !stdoutTerminal().isTTY) return;
  throw new UsageError(
    `a ${view.name} in ${format} is nothing that a terminal shows`,
    view.formats.includes(TEXT) ? 'as text: -o -' : `write it to a file: -o FILE.${format}`,
  );
}

/** @throws UsageError (2) where no view has tracks. */
function checkTrack(track: TrackKind | undefined, drawings: readonly Drawing[]): void {
  if (track === undefined || drawings.some(({ view }) => view.hasTracks === true)) return;
  const names = VIEWS.filter((view) => view.hasTracks === true).map((view) => view.flag);
  throw new UsageError(
    `--track is for views with tracks, ${joinWords(names)}`,
    `marple display ${names[0]} --track ${track}`,
  );
}

/** @throws UsageError (2) where hosts are to be told apart, and there is one alone. */
function checkHosts(sets: readonly DataSet[], { by, perHost }: DisplayOptions): void {
  const flag = by === 'host' ? '--by host' : perHost === true ? '--per-host' : undefined;
  if (flag === undefined || sets.some(({ hosts }) => hosts !== undefined)) return;
  throw new UsageError(
    `${flag} is for files of several hosts that were collected at the same time, and there are none`,
    'marple display -l lists the sections, and of which host they are',
  );
}

/** What is the same for all pictures. */
interface Settings {
  readonly options: Omit<DisplayOptions, 'title'> & { readonly title?: string | undefined };
  readonly filter: Filter;
  readonly config: Config;
  readonly isOneOfMany: boolean;
  readonly warn: (sentence: string) => void;
}

function makeDisplay(
  { source, view, group, section, format, path }: Drawing,
  settings: Settings,
): GenericDisplay<unknown> {
  const { options, config, isOneOfMany, warn } = settings;
  const filter = filterOfAll(source.data, settings.filter);
  const Display = findDisplay(view.name);
  const parts =
    view.showsAll === true && format === TEXT
      ? choosePerGroup(source, undefined, true, config, warn, []).map((choice) => {
          const own = { ...options, title: undefined };
          const answered = answerable(choice.group, choice.section, settings.filter);
          const display = makeDisplay({ ...choice, format, path }, { ...settings, options: own, filter: answered });
          return [choice.group, display] as const;
        })
      : [];
  return new Display({
    section,
    group,
    groups: source.groups,
    filter,
    options: config.get(view.name, view.options),
    format,
    title: options.title,
    width: options.width,
    height: options.height,
    showIdle: options.showIdle === true,
    screen: screenOf(path === '-' ? stdoutTerminal() : undefined, options),
    ...(parts.length > 0 ? { parts: new Map(parts) } : {}),
    ...(isOneOfMany ? { file: source.data.path } : {}),
    ...(source.data.notes.length === 0 ? {} : { known: source.data.notes }),
    ...(options.by === undefined ? {} : { by: options.by }),
    ...(source.each === undefined || view.showsAll !== true ? {} : { each: source.each }),
    ...(options.track === undefined ? {} : { track: options.track }),
  });
}
