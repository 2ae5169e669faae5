/*
 * Records as columns. The types stand alone so that what counts and draws columns needs nothing of what reads them.
 */

/** A field of the header's `fields` (`info` where it has none), and how it is wanted: as a number, NaN where it is none, or as text. */
export interface ColumnRequest {
  readonly field: string;
  readonly as: 'number' | 'text';
}

/** One value per record. Of a text column it is an index into `dictionary`, which grows from chunk to chunk. */
export interface Column {
  readonly values: Float64Array | Int32Array;
  /** Every text once, in the order in which they were first seen; empty for a column of numbers. */
  readonly dictionary: readonly string[];
}

/** Records that stand together: between two bytes of the file, those that `end` of chunks names. Undefined: the section's own. */
export interface Part {
  readonly start: number | undefined;
  readonly end: number | undefined;
}

/** Some datapoints, in file order; each array has `length` entries. */
export interface PointColumns {
  readonly length: number;
  readonly x: Float64Array;
  readonly y: Float64Array;
  /** In the order of the request. */
  readonly columns: readonly Column[];
  /** The byte of the file behind them; undefined where records were left out. */
  readonly end?: number;
}

/** Some events, in file order; each array has `length` entries. */
export interface EventColumns {
  readonly length: number;
  /** Nanoseconds since the file's origin. */
  readonly time: Float64Array;
  readonly type: Column;
  /** In the order of the request. */
  readonly columns: readonly Column[];
  /** The byte of the file behind them; undefined where records were left out. */
  readonly end?: number;
}

/**
 * Some stacks, in file order. What a stack has in common with the one before it, the last of the chunk before for the first,
 * is not told again: stacks of a profile are mostly alike.
 */
export interface StackColumns {
  readonly length: number;
  readonly weight: Float64Array;
  /** How many of the outermost frames are those of the stack before. */
  readonly shared: Int32Array;
  /** Where the other frames of each stack end in `frames`. */
  readonly ends: Int32Array;
  /** Frames, root first, as places in `names`. */
  readonly frames: Int32Array;
  /** Every frame once; it grows from chunk to chunk. */
  readonly names: readonly string[];
}
