import type { SectionHeader } from '../../common/header.ts';
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
}

/** One section of the page. */
export class Section {
  readonly number: number;
  readonly header: SectionHeader;
  readonly notes: readonly string[];
  readonly columns: ReadonlyMap<string, Column>;
  readonly stacks: Stacks | undefined;

  constructor(page: PageSection, bytes: Uint8Array) {
    this.number = page.number;
    this.header = page.header;
    this.notes = page.notes;
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

function unpackStacks({ names, parents, frames, ends, weights }: PageStacks, bytes: Uint8Array): Stacks {
  const integers = (column: PackedColumn): Int32Array => Int32Array.from(unpack(bytes, column));
  return {
    names,
    parents: integers(parents),
    frames: integers(frames),
    ends: integers(ends),
    weights: unpack(bytes, weights),
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
  return { manifest, sections: manifest.sections.map((section) => new Section(section, bytes)) };
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
