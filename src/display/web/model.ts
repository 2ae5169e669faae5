import type { SchedulingState } from '../../analysis/scheduling.ts';
import type { SectionHeader } from '../../common/header.ts';
import type { EventTable } from '../shape/event-table.ts';
import type { TimeRange } from '../shape/lanes.ts';
import type { PageManifest, PageSection, PageStacks } from '../shape/page.ts';
import type { TaskSpans } from '../shape/task-spans.ts';
import type { SectionData } from './decode.ts';

/** A column in memory: numbers, or places in `texts`. */
export interface Column {
  readonly name: string;
  readonly values: Float64Array;
  readonly texts: readonly string[] | undefined;
}

/** The numbers of the stacks of a section; see PageStacks. */
export interface StackArrays {
  readonly parents: Int32Array;
  readonly frames: Int32Array;
  readonly ends: Int32Array;
  readonly weights: Float64Array;
  readonly baseline?: Float64Array;
}

/** The stacks of a section as a tree. */
export interface Stacks extends StackArrays {
  readonly names: readonly string[];
  /** The names as those of processes, for the first frames. */
  processes: readonly string[];
  /** Of several hosts: the place of its host by line. */
  readonly lineHosts: Int32Array | undefined;
}

/** One section of the page. */
export class Section {
  readonly number: number;
  readonly header: SectionHeader;
  readonly notes: readonly string[];
  readonly columns: Map<string, Column>;
  readonly stacks: Stacks | undefined;
  /** How many records there are: more than `rows` where these are only some of them, or none. */
  readonly records: number;
  /** See PageSection. */
  readonly before: SchedulingState | undefined;
  /** The time that it was asked for, as far as it was. */
  given: { readonly from?: number; readonly to?: number } = {};
  /** What tasks did, once it is known: taskSpansOf() says. */
  spans: TaskSpans | undefined;
  /** Of records that name stacks: the section of those stacks. */
  named: Section | undefined;
  /** Of stacks: the section of the records that name them. */
  naming: Section | undefined;

  constructor(page: PageSection, data: SectionData) {
    this.number = page.number;
    this.header = page.header;
    this.notes = page.notes;
    this.before = page.before;
    this.columns = new Map(page.columns.map(({ name, texts }, i) => [name, { name, values: data.columns[i]!, texts }]));
    this.stacks =
      data.stacks === undefined
        ? undefined
        : {
            ...data.stacks,
            names: page.stacks!.names,
            processes: page.stacks!.names,
            lineHosts: lineHostsOf(page.stacks!, data.stacks.ends.length),
          };
    this.spans = data.spans;
    this.records = page.records ?? (this.stacks?.ends.length || this.rows);
  }

  get interface(): string {
    return this.header.interface;
  }

  /** Seconds since the origin of each record; undefined where the records have no time. */
  get times(): Float64Array | undefined {
    if (this.header.datatype === 'event') return this.columns.get('time')?.values;
    return this.header.x?.unit === 's' ? this.columns.get('x')?.values : undefined;
  }

  get rows(): number {
    return (this.columns.get('time') ?? this.columns.get('x'))?.values.length ?? 0;
  }

  /** Whether the rows are only some of the records. */
  get isReduced(): boolean {
    return this.stacks === undefined && this.records > this.rows;
  }

  /** How many records each row stands for. */
  get scale(): number {
    return this.isReduced && this.rows > 0 ? this.records / this.rows : 1;
  }

  /** The text of a field of a record. */
  textAt(field: string, row: number): string {
    const column = this.columns.get(field);
    if (column === undefined) return '';
    const value = column.values[row]!;
    return column.texts === undefined ? String(value) : (column.texts[value] ?? '');
  }
}

function lineHostsOf({ hostLines }: PageStacks, lines: number): Int32Array | undefined {
  if (hostLines === undefined) return undefined;
  const hosts = new Int32Array(lines);
  let line = 0;
  for (const [host, count] of hostLines) {
    hosts.fill(host, line, line + count);
    line += count;
  }
  return hosts;
}

/** Everything that the page holds. */
export interface PageData {
  readonly manifest: PageManifest;
  readonly sections: readonly Section[];
  /** What a reader must know of how the page itself was read. */
  readonly notes: readonly string[];
  /**
   * Of a page of a server, some of whose sections are reduced: the same page with all records of a range of time, or as many as the
   * server gives: of all of these sections, or of one by its number.
   */
  readonly ofRange?: (range: TimeRange, signal: AbortSignal, section?: number) => Promise<PageData>;
}

/** The section of the page that has the number of another page's of the same file. */
export function sameSection({ sections }: PageData, { number }: Section): Section | undefined {
  return sections.find((section) => section.number === number);
}

/** A page as it was decoded. */
export interface Decoded {
  readonly manifest: PageManifest;
  /** The numbers of its sections. */
  readonly decoded: readonly SectionData[];
  readonly notes: readonly string[];
}

export function pageData({ manifest, decoded, notes }: Decoded): PageData {
  const sections = manifest.sections.map((section, i) => new Section(section, decoded[i]!));
  for (const section of sections) section.given = manifest.filter;
  for (const [i, { namesStacksOf }] of manifest.sections.entries()) {
    const stacks = sections.find(({ number }) => number === namesStacksOf);
    if (stacks === undefined) continue;
    sections[i]!.named = stacks;
    stacks.naming = sections[i];
  }
  nameProcesses(sections);
  return { manifest, sections, notes };
}

/**
 * Gives records that have no process name of their own, but a stack, that of its first frame: a column `comm`. Stacks have `_`
 * for the spaces of names; where another section has such a name, it is that.
 */
function nameProcesses(sections: readonly Section[]): void {
  const spaced = new Map<string, string>();
  for (const { columns } of sections) {
    for (const text of columns.get('comm')?.texts ?? []) {
      if (text.includes(' ')) spaced.set(text.replaceAll(' ', '_'), text);
    }
  }
  for (const section of sections) {
    const { stacks, naming } = section;
    if (stacks === undefined) continue;
    stacks.processes = stacks.names.map((name) => spaced.get(name) ?? name);
    if (naming === undefined || naming.columns.has('comm')) continue;
    const roots = Int32Array.from(stacks.ends, (end) => rootNode(stacks, end));
    const lineAt = stackLines(naming);
    const values = Float64Array.from({ length: naming.rows }, (_, row) => {
      const root = roots[lineAt(row)] ?? 0;
      return root === 0 ? 0 : stacks.frames[root]! + 1;
    });
    naming.columns.set('comm', { name: 'comm', values, texts: ['', ...stacks.processes] });
  }
}

/** The number of the stack of each record of a section; -1 where it is unknown. */
export function stackLines(section: Section): (row: number) => number {
  const column = section.columns.get('stack');
  if (column === undefined) return () => -1;
  const { values, texts } = column;
  if (texts === undefined) return (row) => values[row]!;
  const lines = texts.map((text) => (text === '' ? -1 : Number(text)));
  return (row) => lines[values[row]!]!;
}

/** The first frame of the stack that ends at a node; 0 where there is none. */
export function rootNode({ parents }: Pick<Stacks, 'parents'>, node: number): number {
  let at = node;
  while (parents[at]! > 0) at = parents[at]!;
  return at;
}

/** The process of the stack that ends at a node. */
export function processOf(stacks: Stacks, node: number): string {
  const root = rootNode(stacks, node);
  return root === 0 ? '' : stacks.processes[stacks.frames[root]!]!;
}

/** The records of a section of events, for what follows them. */
export function eventTableOf(section: Section): EventTable {
  const times = section.times ?? new Float64Array(0);
  return {
    length: times.length,
    time: times.map((seconds) => Math.round(seconds * 1e9)),
    type: section.columns.get('type') ?? { values: new Float64Array(times.length), texts: [''] },
    columns: section.columns,
  };
}
