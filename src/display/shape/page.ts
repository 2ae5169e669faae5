import type { Finding } from '../../analysis/finding.ts';
import type { Named, SchedulingState } from '../../analysis/scheduling.ts';
import type { SectionHeader } from '../../common/header.ts';
import type { PackedColumn } from './packing.ts';

/*
 * What a page holds beside the app: one JSON manifest, and the packed bytes of the columns. Written by display/page.ts,
 * read by display/web/model.ts.
 */

/** A column of numbers, or of texts: then the numbers are places in `texts`. */
export interface PageColumn {
  readonly name: string;
  readonly values: PackedColumn;
  readonly texts?: readonly string[];
}

/**
 * The stacks of a section as a tree: node 0 is above all roots; the parent of a node has a lower number. `frames` are
 * places in `names`. Stack i of the section (the line that events refer to) ends at node `ends[i]` and weighs `weights[i]`.
 */
export interface PageStacks {
  readonly names: readonly string[];
  readonly parents: PackedColumn;
  readonly frames: PackedColumn;
  readonly ends: PackedColumn;
  readonly weights: PackedColumn;
  /** Of several hosts: how many lines of stacks those of each have, one behind the other; by their places in the header's `hosts`. */
  readonly hostLines?: readonly (readonly [host: number, lines: number])[];
  /** On a page that compares: what each stack weighed before. */
  readonly baseline?: PackedColumn;
}

/** See TaskSpans. */
export interface PageSpans {
  readonly cpus: number;
  readonly start: PackedColumn;
  readonly end: PackedColumn;
  readonly doing: PackedColumn;
  readonly ran: PackedColumn;
  readonly cpu: PackedColumn;
  readonly task: PackedColumn;
  readonly tasks: readonly Named[];
  readonly bins?: number;
  readonly waits?: number;
}

export interface PageSection {
  /** Its place in the file, from 1. */
  readonly number: number;
  readonly header: SectionHeader;
  /** Of a datapoint section `x` and `y` and its fields; of events `time` (seconds), `type` and their fields. */
  readonly columns: readonly PageColumn[];
  readonly stacks?: PageStacks;
  /** Of records that name stacks: the number of the section that holds them. */
  readonly namesStacksOf?: number;
  /** What tasks and CPUs did before the first event, where the page begins later than the section. */
  readonly before?: SchedulingState;
  /** Of stacks that the page has already: what each of them weighs in a range of time. */
  readonly weights?: PackedColumn;
  /** How many records there are, where the rows are only some of them, evenly picked, or none. */
  readonly records?: number;
  /** Of scheduler events that are too many: what tasks did, added up. */
  readonly spans?: PageSpans;
  /** One sentence each: what a reader must know. */
  readonly notes: readonly string[];
}

/** What a page shows that compares runs before and after. */
export interface PageDiff {
  /** How it is told what is noise. */
  readonly method: string;
  /** A table for each section, each row a metric and its cells. */
  readonly tables: readonly { readonly titles: readonly string[]; readonly rows: readonly (readonly string[])[] }[];
  /** Sections with stacks before and after in one, and pairs of sections with points, by their numbers. */
  readonly stacks: readonly number[];
  readonly points: readonly { readonly before: number; readonly after: number }[];
}

/** What a page of a server knows of the file. */
export interface PageServed {
  /** Changes when the file does. */
  readonly version: string;
  /** Records of one section that are given at once. */
  readonly most: number;
  /** All of the time, seconds since the origin. */
  readonly time: { readonly from: number; readonly to: number };
}

export interface PageManifest {
  readonly version: 1;
  readonly title: string;
  /** Where and when the data comes from. */
  readonly origin: string;
  /** The view that is shown: a view's name, or `report`. */
  readonly view: string;
  /** The section that a single view shows. */
  readonly section: number;
  readonly sections: readonly PageSection[];
  /** How long the packed bytes of all columns are. */
  readonly bytes: number;
  /** The hosts, where there are several. */
  readonly hosts?: readonly string[];
  /** Whether each host is shown by itself from the start. */
  readonly byHost?: boolean;
  /** What is to be known of all the data: a sentence each. */
  readonly known?: readonly string[];
  /** What stands out, for a report. */
  readonly findings: readonly Finding[];
  /** Options of the views, as the config has them. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Whether idle time (swapper) is shown from the start. */
  readonly showIdle: boolean;
  /** Of a page of a server, which gives out ranges of time too: what it needs to ask for them. */
  readonly served?: PageServed;
  /** What was selected when the page was made. */
  readonly filter: { readonly from?: number; readonly to?: number };
  /** On a page that compares, whose view is `diff`. */
  readonly diff?: PageDiff;
  /** Size in pixels, where it was asked for; else the window's. */
  readonly width?: number;
  readonly height?: number;
}
