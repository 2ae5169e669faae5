import type { Datatype, NewRecord } from '../common/datatypes.ts';
import type { SectionHeader } from '../common/header.ts';
import type { HeldStacks } from '../common/held-section.ts';
import type { Report } from '../common/section.ts';

/** What is to be imported: bytes, decompressed where they were compressed. */
export interface ImportInput {
  /** As messages name it. */
  readonly name: string;
  /**
   * A file that holds the bytes as they are, for formats that are read back and forth; streams are put into one first. The
   * folder, where that is what is imported.
   */
  file(): Promise<string>;
  /** Whether the file is the user's own, and so must not be touched. */
  readonly isOriginal: boolean;
  /** The bytes, once. */
  chunks(): AsyncIterable<Buffer>;
}

export interface ImportOptions {
  /** What is asked for: sections of other datatypes may be left out. */
  readonly only?: Datatype | undefined;
  /** Only samples of this event; every event has sections of its own otherwise. */
  readonly event: string | undefined;
  /** Parts of --annotate that are on: pid, tid, kernel, jit, addrs. */
  readonly annotate: ReadonlySet<string>;
  /** A private directory for what an importer has to put somewhere. */
  readonly tempDir: string;
}

/** One section that is being made. */
export interface ImportSection {
  /** May be completed until the import is. */
  readonly header: SectionHeader;
  write(records: readonly NewRecord[]): void | Promise<void>;
  /** Writes all of some stacks, which do not change any more. */
  writeStacks(stacks: HeldStacks): void | Promise<void>;
}

/** What a section's header says from the start. */
export type ImportHeader = Pick<SectionHeader, 'interface' | 'datatype'> & Partial<SectionHeader>;

/**
 * Where an importer puts what it finds. What it says as a report is in the headers of all sections, and warnings are on
 * the terminal too: `skipped` for what could not be read, `warn` for what the format holds and a data file cannot.
 */
export interface ImportSink extends Report {
  /** Begins a section; start, tool and the like are filled in where they are left out. */
  section(header: ImportHeader): ImportSection;
}

/** A format that is read. One file each, one line in importers.ts. */
export interface Importer {
  /** As --format names it. */
  readonly format: string;
  /** One line for --help. */
  readonly summary: string;
  /** Reads folders; the others read files. */
  readonly readsFolders?: boolean;
  /** Whether a file that begins with these bytes (64 KiB, or all) is of the format; what only looks like text is not enough. */
  detects(head: Buffer): boolean;
  /**
   * Reads it all, in bounded memory.
   * @throws DamagedFileError (65) where it is not of the format, or damaged beyond what can be skipped.
   */
  run(input: ImportInput, sink: ImportSink, options: ImportOptions): Promise<void>;
}
