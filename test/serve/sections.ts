import type { ColumnRequest, EventColumns, Part, PointColumns, SectionReader } from '../../src/common/reader.ts';
import { headerOf } from '../support/data-files.ts';

/** Records of `test`: points, or events whose times are whole nanoseconds. Each has a text of its own. */
export interface Row {
  readonly seconds: number;
  readonly y?: number;
}

/** A section of some rows that is read `size` rows at a time. A place in it is the number of the row. */
export function sectionOf(datatype: 'event' | 'datapoint', rows: readonly Row[], size: number): ReadParts {
  const read: Part[] = [];
  function* pieces(part: Part | undefined): Generator<{ rows: readonly Row[]; from: number; end: number }> {
    const { start = 0, end = rows.length } = part ?? {};
    read.push({ start, end });
    for (let from = start; from < end; from += size) {
      const to = Math.min(end, from + size);
      yield { rows: rows.slice(from, to), from, end: to };
    }
  }
  const columns = (want: readonly ColumnRequest[], from: number, count: number) =>
    want.map(() => ({
      values: Int32Array.from({ length: count }, (_, i) => i),
      dictionary: Array.from({ length: count }, (_, i) => `row ${from + i}`),
    }));
  return {
    read,
    number: 1,
    header: headerOf(datatype, {
      fields: ['text'],
      ...(datatype === 'event' ? {} : { x: { label: 'time', unit: 's' } }),
    }),
    batches: () => {
      throw new Error('these rows are read by columns');
    },
    stacks: () => {
      throw new Error('these rows are no stacks');
    },
    async *points(want, part): AsyncGenerator<PointColumns> {
      for (const piece of pieces(part)) {
        yield {
          length: piece.rows.length,
          x: Float64Array.from(piece.rows, ({ seconds }) => seconds),
          y: Float64Array.from(piece.rows, ({ y = 0 }) => y),
          columns: columns(want, piece.from, piece.rows.length),
          end: piece.end,
        };
      }
    },
    async *events(want, part): AsyncGenerator<EventColumns> {
      for (const piece of pieces(part)) {
        yield {
          length: piece.rows.length,
          time: Float64Array.from(piece.rows, ({ seconds }) => seconds * 1e9),
          type: { values: new Int32Array(piece.rows.length), dictionary: ['switch'] },
          columns: columns(want, piece.from, piece.rows.length),
          end: piece.end,
        };
      }
    },
  };
}

export interface ReadParts extends SectionReader {
  /** What was read of it, as it was. */
  readonly read: readonly Part[];
}
