import { dirname, extname, join, parse } from 'node:path';
import {
  checkAnyFilter,
  checkFilter,
  type Filter,
  groupSections,
  makeFilter,
  pickedSections,
  type SectionGroup,
} from '../analysis/select.ts';
import type { Config } from '../common/config.ts';
import { UsageError } from '../common/errors.ts';
import { lastDataFile } from '../common/last-file.ts';
import type { DataFile, SectionReader } from '../common/reader.ts';
import { stdoutTerminal } from '../common/save.ts';
import { joinWords } from '../common/text.ts';
import { openData } from '../formats/open.ts';
import { checkTarget, type GenericDisplay, type Replace, type ViewDescription } from './generic-display.ts';
import { sectionNotes, sectionSeconds } from './notes.ts';
import { hasDesktop } from './opener.ts';
import { displayChoices, findDisplay, VIEWS, type ViewName } from './registry.ts';
import type { TrackKind } from './shape/track-choice.ts';
import { screenOf } from './text/screen.ts';

export interface DisplayOptions {
  /** A data file or partial directory, or `-` for stdin; the last data file where it is left out. */
  readonly input?: string;
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

type View = ViewDescription<ViewName, unknown>;

/** The format of what a terminal shows. */
const TEXT = 'txt';

/** The views of one interface. */
const SINGLE_VIEWS = VIEWS.filter((view) => view.showsAll !== true);

/** One picture to be drawn. */
interface Drawing {
  readonly view: View;
  readonly group: SectionGroup;
  readonly section: SectionReader;
  readonly format: string;
  readonly path: string;
}

/**
 * Lists or draws a data file.
 * @throws UsageError, DamagedFileError
 */
export async function runDisplay(
  options: DisplayOptions,
  deps: { readonly config: Config; readonly tempDir: string },
): Promise<DisplayResult> {
  const input = options.input ?? lastDataFile();
  if (input === undefined) {
    throw new UsageError(
      'no data has been collected yet',
      'sudo marple collect --stack -t 5, or marple display -i FILE',
    );
  }
  const file = await openData(input, deps.tempDir);
  try {
    if (options.list === true) return { listing: file.sections.map(listSection), outputs: [], warnings: file.warnings };
    return await drawFile(file, input, options, deps.config);
  } finally {
    await file.close();
  }
}

async function drawFile(
  file: DataFile,
  input: string,
  options: DisplayOptions,
  config: Config,
): Promise<DisplayResult> {
  const filter = makeFilter(options);
  const warnings = [...file.warnings];
  const groups = groupSections(file.sections, pickedSections(file, options.pick));
  const chosen = chooseViews(groups, options, config, warnings);
  const drawings = nameOutputs(chosen, input, options.output);
  const replace: Replace = options.force ? 'any' : options.output === undefined ? 'own' : 'nothing';
  checkTrack(options.track, drawings);
  // Everything that can be refused is refused before the first picture is drawn.
  for (const { view, group, section, path, format } of drawings) {
    if (view.showsAll === true) checkAnyFilter(groups, filter);
    else checkFilter(group, section, filter);
    if (path === '-') checkTerminal(view, format);
    else await checkTarget(path, replace);
  }
  const outputs: DisplayOutput[] = [];
  for (const drawing of drawings) {
    const display = makeDisplay(drawing, groups, options, filter, config);
    const open = (options.open ?? hasDesktop()) && drawing.path !== '-';
    const opened = await display.show({ path: drawing.path, replace, open, follows: outputs.length > 0 });
    outputs.push({
      path: drawing.path,
      view: drawing.view.name,
      section: drawing.section.number,
      interface: drawing.group.interface,
      notes: display.notes,
      opened,
    });
    // A text on stdout says them itself.
    if (drawing.path === '-' && drawing.format === TEXT) continue;
    for (const { header } of drawing.view.showsAll === true ? groups.flatMap(({ all }) => all) : drawing.group.all) {
      for (const note of sectionNotes(header)) warnings.push(`${header.interface}: ${note}`);
    }
  }
  return { outputs, warnings: [...new Set(warnings)] };
}

function listSection({ number, header }: SectionReader): SectionListing {
  return {
    number,
    interface: header.interface,
    datatype: header.datatype,
    quantity: header.y?.label ?? header.weight?.label,
    records: header.records ?? null,
    seconds: sectionSeconds(header),
    tool: header.tool === undefined ? undefined : `${header.tool.name} ${header.tool.version}`.trim(),
    lost: header.lost,
  };
}

/** Which view shows which section of each group. */
function chooseViews(
  groups: readonly SectionGroup[],
  { view: asked, output }: DisplayOptions,
  config: Config,
  warnings: string[],
): { view: View; group: SectionGroup; section: SectionReader }[] {
  // Where text is wanted and no view named, it is those that can be text.
  const isText = asked === undefined && output !== undefined && (output === '-' || extname(output) === `.${TEXT}`);
  const canBe = (view: View): boolean => !isText || view.formats.includes(TEXT);
  const whole = VIEWS.find(
    (view) =>
      view.showsAll === true && (view.name === asked || (asked === undefined && groups.length > 1 && canBe(view))),
  );
  const [first] = groups;
  if (whole !== undefined && first !== undefined) return [{ view: whole, group: first, section: first.shown[0]! }];
  const choices = config.get('Display', displayChoices);
  const chosen: { view: View; group: SectionGroup; section: SectionReader }[] = [];
  const unshown: string[] = [];
  for (const group of groups) {
    const fitting = SINGLE_VIEWS.filter(canBe).flatMap((view) => {
      const section = group.shown.find(({ header }) => view.fits(header));
      return section === undefined ? [] : [{ view, group, section }];
    });
    const wanted = asked ?? choices[group.interface];
    const choice = fitting.find(({ view }) => view.name === wanted) ?? (asked === undefined ? fitting[0] : undefined);
    if (choice === undefined)
      unshown.push(
        `${group.interface} (${fits(
          fitting.map(({ view }) => view),
          isText,
        )})`,
      );
    else chosen.push(choice);
    if (asked === undefined && wanted !== undefined && choice !== undefined && choice.view.name !== wanted) {
      const why = isText ? 'is no text' : 'does not fit';
      warnings.push(`${group.interface}: config names ${wanted}, which ${why}: shown as ${choice.view.name}`);
    }
  }
  if (chosen.length === 0) {
    const flag = VIEWS.find((view) => view.name === asked)?.flag;
    throw new UsageError(
      groups.length === 0
        ? 'the file has no sections'
        : `${flag === undefined ? 'no view' : `${flag} does not`} ${flag === undefined ? 'fits' : 'fit'} what the file holds: ${unshown.join(', ')}`,
      groups.length === 0 ? 'marple collect --stack -t 5' : hintFor(groups),
    );
  }
  if (asked === undefined) for (const name of unshown) warnings.push(`not shown: ${name}`);
  return chosen;
}

function fits(views: readonly View[], isText: boolean): string {
  if (views.length === 0) return isText ? 'no view shows it as text' : 'no view shows it yet';
  return `fits ${views.map((view) => view.flag).join(', ')}`;
}

function hintFor(groups: readonly SectionGroup[]): string {
  const view = VIEWS.find((candidate) =>
    groups.some((group) => group.shown.some(({ header }) => candidate.fits(header))),
  );
  return view === undefined ? 'marple display -l lists what it holds' : `marple display ${view.flag}`;
}

/**
 * Where each picture goes. With -o the first goes there, the others to NAME-2.EXT and so on. Without, beside the data
 * file, with interface and view in the name: x.marple gives x.callstack.flamegraph.svg.
 */
function nameOutputs(
  chosen: readonly { view: View; group: SectionGroup; section: SectionReader }[],
  input: string,
  output: string | undefined,
): Drawing[] {
  const isStdout = output !== undefined && /^-(\.\w+)?$/.test(output);
  const used = new Set<string>();
  const drawings = chosen.map((choice) => {
    const { view, group } = choice;
    const format = chosenFormat(output, view, chosen);
    const of = view.showsAll === true ? '' : `${fileNamePart(group.interface)}.`;
    const wanted = output ?? join(outputDir(input), `${outputStem(input)}.${of}${view.name}.${format}`);
    const path = isStdout ? '-' : unusedName(wanted, used);
    used.add(path);
    return { ...choice, format, path };
  });
  if (isStdout && drawings.length > 1 && drawings.some(({ format }) => format !== TEXT)) {
    throw new UsageError(
      `only one picture goes to stdout, not ${chosen.length}`,
      `choose one with -e, for example: marple display -e ${chosen[0]?.section.number} -o ${output}`,
    );
  }
  return drawings;
}

/** By the extension of -o. A bare `-` is a person at a terminal: text, where the view can be text. */
function chosenFormat(
  output: string | undefined,
  view: View,
  chosen: readonly { view: View; section: SectionReader }[],
): string {
  if (output === undefined) return view.formats[0];
  if (output === '-') return view.formats.includes(TEXT) ? TEXT : view.formats[0];
  return formatOf(output.startsWith('-.') ? `x${output.slice(1)}` : output, view, chosen);
}

/** @throws UsageError (2) where a picture that is no text would go to a terminal. */
function checkTerminal(view: View, format: string): void {
  if (format === TEXT || !stdoutTerminal().isTTY) return;
  throw new UsageError(
    `a ${view.name} in ${format} is nothing that a terminal shows`,
    view.formats.includes(TEXT) ? 'as text: -o -' : `write it to a file: -o FILE.${format}`,
  );
}

function formatOf(output: string, view: View, chosen: readonly { view: View; section: SectionReader }[]): string {
  const format = extname(output).slice(1).toLowerCase();
  if (view.formats.includes(format)) return format;
  const what = format === '' ? `${output} has no extension` : `a ${view.name} cannot be written as .${format}`;
  const known = joinWords(view.formats.map((extension) => `.${extension}`));
  const several = new Set(chosen.map((choice) => choice.view.name)).size > 1;
  throw new UsageError(
    `${what}: it can be ${known}`,
    several
      ? 'the file needs several views: name one (-fg, -hm, -sp), or choose sections with -e'
      : `marple display ${view.flag} -o ${parse(output).name}.${view.formats[0]}`,
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

function outputDir(input: string): string {
  return input === '-' ? '.' : dirname(input);
}

/** The data file's name without its extension; a partial directory counts as the file that it would have become. */
function outputStem(input: string): string {
  if (input === '-') return 'stdin';
  const whole = parse(input.replace(/\/+$/, '').replace(/\.partial$/, ''));
  return whole.ext === '.marple' ? whole.name : whole.base;
}

/** An interface's name comes from the file's header: it must not lead to another folder. */
function fileNamePart(name: string): string {
  return name.replace(/[^\p{L}\p{N}_-]/gu, '_');
}

function unusedName(path: string, used: ReadonlySet<string>): string {
  const { dir, name, ext } = parse(path);
  let candidate = path;
  for (let n = 2; used.has(candidate); n++) candidate = join(dir, `${name}-${n}${ext}`);
  return candidate;
}

function makeDisplay(
  { view, group, section, format, path }: Drawing,
  groups: readonly SectionGroup[],
  options: DisplayOptions,
  filter: Filter,
  config: Config,
): GenericDisplay<unknown> {
  const Display = findDisplay(view.name);
  return new Display({
    section,
    group,
    groups,
    filter,
    options: config.get(view.name, view.options),
    format,
    title: options.title,
    width: options.width,
    height: options.height,
    showIdle: options.showIdle === true,
    screen: screenOf(path === '-' ? stdoutTerminal() : undefined, options),
    ...(options.track === undefined ? {} : { track: options.track }),
  });
}
