import type { SchedulingState } from '../../analysis/scheduling.ts';
import type { SectionHeader } from '../../common/header.ts';
import type { EventTable } from '../shape/event-table.ts';
import { type PackedColumn, unpack } from '../shape/packing.ts';
import type { PageManifest, PageSection, PageStacks } from '../shape/page.ts';

/** A column in memory: numbers, or places in `texts`. */
export interface Column {
  readonly name: string;
  readonly values: Float64Array;
  readonly texts: readonly string[] | undefined;
}

/** The stacks of a section as a tree; see PageStacks. */
export interface Stacks {
  readonly names: readonly string[];
  readonly parents: Int32Array;
  readonly frames: Int32Array;
  readonly ends: Int32Array;
  readonly weights: Float64Array;
  readonly baseline?: Float64Array;
}

/** One section of the page. */
export class Section {
  readonly number: number;
  readonly header: SectionHeader;
  readonly notes: readonly string[];
  readonly columns: Map<string, Column>;
  readonly stacks: Stacks | undefined;
  /** See PageSection. */
  readonly before: SchedulingState | undefined;

  constructor(page: PageSection, bytes: Uint8Array) {
    this.number = page.number;
    this.header = page.header;
    this.notes = page.notes;
    this.before = page.before;
    this.columns = new Map(
      page.columns.map(({ name, values, texts }) => [name, { name, values: unpack(bytes, values), texts }]),
    );
    this.stacks = page.stacks === undefined ? undefined : unpackStacks(page.stacks, bytes);
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

  /** The text of a field of a record. */
  textAt(field: string, row: number): string {
    const column = this.columns.get(field);
    if (column === undefined) return '';
    const value = column.values[row]!;
    return column.texts === undefined ? String(value) : (column.texts[value] ?? '');
  }
}

function unpackStacks({ names, parents, frames, ends, weights, baseline }: PageStacks, bytes: Uint8Array): Stacks {
  const integers = (column: PackedColumn): Int32Array => Int32Array.from(unpack(bytes, column));
  return {
    names,
    parents: integers(parents),
    frames: integers(frames),
    ends: integers(ends),
    weights: unpack(bytes, weights),
    ...(baseline === undefined ? {} : { baseline: unpack(bytes, baseline) }),
  };
}

/** Everything that the page holds. */
export interface PageData {
  readonly manifest: PageManifest;
  readonly sections: readonly Section[];
}

/** Reads what display/page.ts has put into the document. */
export async function readPage(document: Document): Promise<PageData> {
  const text = (id: string): string => document.getElementById(id)?.textContent ?? '';
  const manifest = JSON.parse(text('manifest')) as PageManifest;
  const bytes = await inflate(fromBase64(text('data')));
  return { manifest, sections: withProcessNames(manifest.sections.map((section) => new Section(section, bytes))) };
}

/** Gives records that have no process name of their own, but a stack, that of its first frame: a column `comm`. */
function withProcessNames(sections: readonly Section[]): readonly Section[] {
  for (const section of sections) {
    const stacks = stacksOf(sections, section);
    if (stacks === undefined || section.columns.has('comm')) continue;
    const texts = ['', ...stacks.names];
    const roots = Int32Array.from(stacks.ends, (end) => rootNode(stacks, end));
    const lineAt = stackLines(section);
    const values = Float64Array.from({ length: section.rows }, (_, row) => {
      const root = roots[lineAt(row)] ?? 0;
      return root === 0 ? 0 : stacks.frames[root]! + 1;
    });
    section.columns.set('comm', { name: 'comm', values, texts });
  }
  return sections;
}

/** The stacks that the records of a section refer to, where they do. */
export function stacksOf(sections: readonly Section[], section: Section): Stacks | undefined {
  return stacksSectionOf(sections, section)?.stacks;
}

/** The section of stacks that the records of a section refer to, where they do. */
export function stacksSectionOf(sections: readonly Section[], section: Section): Section | undefined {
  if (!section.columns.has('stack')) return undefined;
  return sections.find((other) => other.interface === section.interface && other.stacks !== undefined);
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

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

async function inflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The section whose records refer to the stacks of `section`, where there is one: of the same interface, with a field `stack`. */
export function stackIndexOf(data: PageData, section: Section): Section | undefined {
  return data.sections.find((other) => other.interface === section.interface && other.columns.has('stack'));
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
