import type { Datatype, NewRecord } from './datatypes.ts';
import type { Axis } from './header.ts';

/** What is known of a section before anything is collected. An interface has one section or more, in this order. */
export interface SectionSpec {
  readonly datatype: Datatype;
  /** Names of the columns of info (datapoint) or datum (event). */
  readonly fields?: readonly string[];
  readonly x?: Axis;
  readonly y?: Axis;
  readonly weight?: Axis;
  /** Pairs of fields that name the two ends of a connection. */
  readonly links?: readonly (readonly [string, string])[];
}

/** Some records of one section of an interface, in the order in which they go into the file. */
export interface Batch {
  /** Index into the interface's list of sections. */
  readonly section: number;
  readonly records: readonly NewRecord[];
}

/**
 * What a collecter, or the decoder of a recording, says about its data beside the data itself. All of it ends in the
 * headers of the interface's sections and, where a person should know it, on the terminal.
 */
export interface Report {
  /** What was really run: name, version and argument list. */
  tool(tool: { name: string; version: string; command: readonly string[] }): void;
  /** Something that makes the numbers less than they seem: one sentence. A repeated sentence is kept once. */
  warn(sentence: string): void;
  /** What is worth knowing and no cause for concern: one sentence. */
  note(sentence: string): void;
  /** Like warn, for output that cannot be believed: the next tool in the order is taken the next time. */
  distrust(sentence: string): void;
  /** `count` records that the kernel or the tool dropped before they could be read. */
  lost(count: number): void;
  /** A line (or record) of the tool that could not be read: counted, the first few quoted. */
  skipped(line: string): void;
  /** The data stands in for what was asked: for what, and why. */
  substitute(substitute: { for: string; why: string }): void;
  /** An effective setting, for the header's `options`: interval, frequency, ... */
  option(name: string, value: unknown): void;
  /** Records seen so far, for the progress line; needed only where they are not yet in the batches. */
  progress(records: number): void;
}
