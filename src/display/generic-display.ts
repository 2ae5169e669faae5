import { open } from 'node:fs/promises';
import type * as z from 'zod';
import type { HostGroups } from '../analysis/fleet/joined.ts';
import type { Filter, SectionGroup } from '../analysis/select.ts';
import type { SectionHeader } from '../common/header.ts';
import type { SectionReader } from '../common/reader.ts';
import { checkFree, type MayReplace, saveFile, unwritable, writeToStdout } from '../common/save.ts';
import { visible } from '../common/text.ts';
import { sectionNotes, sectionOrigin } from './notes.ts';
import { openInViewer } from './opener.ts';
import type { TrackKind } from './shape/track-choice.ts';
import type { Screen } from './text/screen.ts';

/** The static description of a view: flags, help and config derive from it. */
export interface ViewDescription<Name extends string, Options> {
  /** Its name in config and file names. */
  readonly name: Name;
  /** The short flag, `-fg`, and the long one that it stands for. */
  readonly flag: string;
  readonly long: string;
  /** One line for --help. */
  readonly summary: string;
  /** File extensions that it can write, the default first. */
  readonly formats: readonly [string, ...string[]];
  /** Options of the config section that has the view's name; every key has a default. */
  readonly options: z.ZodType<Options>;
  /** Whether it has tracks, which --track chooses. */
  readonly hasTracks?: boolean;
  /** Whether it can show a section. */
  fits(header: SectionHeader): boolean;
  /** One picture of everything in the file, and not one for each interface. */
  readonly showsAll?: boolean;
}

/** Everything that a display is given for one picture. */
export interface DisplayJob<Options> {
  /** The section to show. */
  readonly section: SectionReader;
  /** The section and those that belong to it. */
  readonly group: SectionGroup;
  /** All groups that are to be shown, for a view that shows everything. */
  readonly groups: readonly SectionGroup[];
  readonly filter: Filter;
  readonly options: Options;
  /** One of the view's formats. */
  readonly format: string;
  /** Replaces the title that the view would choose. */
  readonly title: string | undefined;
  /** Pixels; the view's own where they are undefined. */
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly showIdle: boolean;
  /** The data file, where there are several. */
  readonly file?: string;
  /** What is to be known of all the data: a sentence each. */
  readonly known?: readonly string[];
  /** Of data of several hosts: the groups of each, for what compares hosts. */
  readonly each?: readonly HostGroups[];
  /** Of data of several hosts: what is of each by itself within the picture, and not all of it together. */
  readonly by?: 'host';
  /** What tracks are, where it was asked for; else as the view's options say. */
  readonly track?: TrackKind;
  /** For the text of a view that shows everything: what shows a group by itself. */
  readonly parts?: ReadonlyMap<SectionGroup, GenericDisplay<unknown>>;
  /** What a text is laid out for. */
  readonly screen: Screen;
}

export type Rendered = Uint8Array | AsyncIterable<Uint8Array>;

/** What may stand where a picture is written: nothing, a picture that MARPLE made, or anything. */
export type Replace = 'nothing' | 'own' | 'any';

export interface ShowTarget {
  /** `-` is stdout. */
  readonly path: string;
  /** Whether something was written there before: a line is left free then. */
  readonly follows?: boolean;
  readonly replace: Replace;
  readonly open: boolean;
}

/** Stands in every picture, so that one can be known as ours and drawn anew. */
export const SIGNATURE = 'Drawn by MARPLE';
const SIGNATURE_WITHIN = 4096;

/** Base class of all views: one subclass per view. */
export abstract class GenericDisplay<Options> {
  /** What a person should be told of the drawing: what was hidden, cut or substituted. Complete after render(). */
  readonly notes: string[] = [];

  constructor(protected readonly job: DisplayJob<Options>) {}

  /** Adds a note. */
  protected readonly tell = (note: string): void => {
    this.notes.push(note);
  };

  /** The title that was asked for, else that of the config, else the view's own. */
  protected titleOr(configured: string, own: string): string {
    return visible(this.job.title || configured || own);
  }

  /** Where and when what is shown comes from, and what of it is shown. */
  protected origin(): string[] {
    const { section, filter, file } = this.job;
    return sectionOrigin(section.header, filter, file);
  }

  /** What one has to know of the data, a sentence each. */
  protected dataNotes(): string[] {
    const { known = [], group } = this.job;
    return [...new Set([...known, ...group.all.flatMap(({ header }) => sectionNotes(header))])];
  }

  /** Draws: bytes of the format that the job names. They hold SIGNATURE within the first 4 KiB. */
  abstract render(): Promise<Rendered>;

  /**
   * Draws, saves and opens the picture. Under the final name there is only ever a whole file.
   * @returns whether it was opened.
   */
  async show(target: ShowTarget): Promise<boolean> {
    if (target.path !== '-') await checkTarget(target.path, target.replace);
    const rendered = await this.render();
    const pieces = rendered instanceof Uint8Array ? [rendered] : rendered;
    if (target.path === '-') {
      if (target.follows === true) await writeToStdout(['\n']);
      await writeToStdout(pieces);
      return false;
    }
    await saveFile(pieces, target.path, mayReplace(target.replace));
    if (!target.open) return false;
    const failure = await this.open(target.path);
    if (failure !== undefined) this.notes.push(failure);
    return failure === undefined;
  }

  /**
   * Opens the picture where a person looks at it, and does not wait for that.
   * @returns undefined, or a sentence that says why it could not be opened.
   */
  protected open(path: string): Promise<string | undefined> {
    return openInViewer(path);
  }
}

/** @throws UsageError where something stands at `path` that must not be replaced. */
export function checkTarget(path: string, replace: Replace): Promise<void> {
  return checkFree(path, mayReplace(replace));
}

function mayReplace(replace: Replace): MayReplace {
  if (replace !== 'own') return replace === 'any';
  return async (path) => (await isOwn(path)) || `${path} exists and is no picture of MARPLE's`;
}

/** Whether a file is a picture that MARPLE drew. */
async function isOwn(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(SIGNATURE_WITHIN), position: 0 });
      return buffer.subarray(0, bytesRead).includes(SIGNATURE);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw unwritable(path, error);
  }
}
