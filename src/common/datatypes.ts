/** The three datatypes of a MARPLE data file, as they are in memory. Their text forms are in codec.ts. */
export const DATATYPES = ['datapoint', 'event', 'stack'] as const;

export type Datatype = (typeof DATATYPES)[number];

/**
 * One measured point. `x` and `y` are finite numbers in the units of the section's header (x, where it is time, in
 * seconds since the file's origin). `info` holds the values of the header's `fields`, in their order; in a section
 * without `fields` it is one free text.
 */
export interface Datapoint {
  readonly x: number;
  readonly y: number;
  readonly info: readonly string[];
}

/**
 * One event. `time` is an integer number of nanoseconds since the file's origin. `datum` holds the values of the
 * header's `fields`, in their order, and is empty in a section without `fields`.
 */
export interface EventData {
  readonly time: number;
  readonly type: string;
  readonly datum: readonly string[];
}

/** One weighted call stack. `weight` is an integer 0 .. 2^53-1; `stack` has one frame or more, root first. */
export interface StackData {
  readonly weight: number;
  readonly stack: readonly string[];
}

export type MarpleRecord = Datapoint | EventData | StackData;

/** An event that is to be written: values that are numbers need not become strings first. */
export interface NewEvent extends Omit<EventData, 'datum'> {
  readonly datum: readonly (string | number)[];
}

export type NewRecord = Datapoint | NewEvent | StackData;

/** The record type that belongs to a datatype's name. */
export interface RecordOf {
  datapoint: Datapoint;
  event: EventData;
  stack: StackData;
}
