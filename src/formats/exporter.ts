import type { Filter, SectionGroup } from '../analysis/select.ts';
import type { Datatype } from '../common/datatypes.ts';
import { UsageError } from '../common/errors.ts';
import type { SectionReader } from '../common/reader.ts';

/** What is to be exported. */
export interface ExportSource {
  /** Of the file, as a title. */
  readonly name: string;
  /** In file order, each with the records alone that were asked for. Events refer to the stacks of their interface. */
  readonly sections: readonly SectionReader[];
  /** The same sections as the file has them, and what was asked for: for what has to look beyond a selection. */
  readonly groups: readonly SectionGroup[];
  readonly filter: Filter;
  /** Stacks begin with the name of their host. */
  readonly byHost?: boolean;
  /** A private directory for what an exporter has to put somewhere. */
  readonly tempDir: string;
}

/** A format that is written. One file each, one line in exporters.ts. */
export interface Exporter {
  /** As --format names it. */
  readonly format: string;
  /** How it holds several hosts: as sections of each, or in records that name the host; not at all where it is undefined. */
  readonly hosts?: 'sections' | 'records';
  /** One line for --help. */
  readonly summary: string;
  /** The only datatype of which it writes anything. */
  readonly only?: Datatype;
  /** Whether several data files become one. */
  readonly joins?: boolean;
  /**
   * The bytes, in bounded memory. Sentences about what the format cannot hold go to `warn`.
   * @throws UsageError (2) where no section fits the format.
   */
  run(source: ExportSource, warn: (sentence: string) => void): AsyncIterable<Uint8Array>;
}

/**
 * The first section of some kind, for formats that hold only one: that others are left out is said.
 * @param what the sections of that kind hold, and `holder` what is written: as sentences name them.
 * @throws UsageError (2) where there is none.
 */
export function firstOf(
  { sections }: Pick<ExportSource, 'sections'>,
  isOfKind: (section: SectionReader) => boolean,
  what: string,
  holder: string,
  warn: (sentence: string) => void,
): SectionReader {
  const [first, ...others] = sections.filter(isOfKind);
  if (first === undefined) {
    throw new UsageError(
      `none of the sections has ${what}, which is all that ${holder} can hold`,
      'marple display -l lists what the file holds',
    );
  }
  if (others.length > 0) {
    const numbers = others.map(({ number }) => number).join(', ');
    warn(
      `section ${first.number} (${first.header.interface}) alone is written, and not ${numbers}: ${holder} holds one (choose with -e)`,
    );
  }
  return first;
}

export function hasStacks({ header }: SectionReader): boolean {
  return header.datatype === 'stack';
}
