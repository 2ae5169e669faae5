import type { MarpleRecord } from '../common/datatypes.ts';
import type { SectionHeader } from '../common/header.ts';

/** What is to be imported: bytes, decompressed where they were compressed. */
export interface ImportInput {
  /** As messages name it. */
  readonly name: string;
  /** A file that holds the bytes as they are, for formats that are read back and forth; streams are put into one first. */
  file(): Promise<string>;
  /** The bytes, once. */
  chunks(): AsyncIterable<Buffer>;
}

export interface ImportOptions {
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
  write(records: readonly MarpleRecord[]): void | Promise<void>;
}

/** Where an importer puts what it finds. */
export interface ImportSink {
  /** Begins a section; start, tool and the like are filled in where they are left out. */
  section(header: Pick<SectionHeader, 'interface' | 'datatype'> & Partial<SectionHeader>): ImportSection;
  /** A line or record that could not be read: counted, the first few quoted, in all sections and on the terminal. */
  skipped(line: string): void;
  /** Something that the format holds and a data file cannot: one sentence. */
  warn(sentence: string): void;
}

/** A format that is read. One file each, one line in importers.ts. */
export interface Importer {
  /** As --format names it. */
  readonly format: string;
  /** One line for --help. */
  readonly summary: string;
  /** Whether a file that begins with these bytes (64 KiB, or all) is of the format; what only looks like text is not enough. */
  detects(head: Buffer): boolean;
  /**
   * Reads it all, in bounded memory.
   * @throws DamagedFileError (65) where it is not of the format, or damaged beyond what can be skipped.
   */
  run(input: ImportInput, sink: ImportSink, options: ImportOptions): Promise<void>;
}
