import { isUtf8 } from 'node:buffer';
import type { ColumnRequest } from './column-data.ts';
import { ColumnParser, type ParsedColumns } from './columns.ts';
import type { SectionHeader } from './header.ts';
import type { FilePart, Task } from './threads.ts';
import { fillSync } from './util/fill.ts';

export interface ColumnSource {
  /** The file is open: all threads of a process know it by this. */
  readonly fd: number;
  readonly header: SectionHeader;
  readonly want: readonly ColumnRequest[];
}

/** Some rows, and where the line behind them begins. */
export type Chunk = ParsedColumns & { readonly end: number };

/**
 * Reads a part of the points or events of a large section. Of dictionaries it gives what it had not told before. Undefined where
 * a line is not as it should be: the reader says what is wrong with it.
 */
export const COLUMNS: Task<ColumnSource, FilePart, readonly Chunk[] | undefined> = {
  name: 'columns',
  begin({ fd, header, want }) {
    const parser = new ColumnParser(header, want, Number.POSITIVE_INFINITY);
    const told: number[] = [];
    const news = ({ length, leading, columns }: ParsedColumns): ParsedColumns => ({
      length,
      leading,
      columns: columns.map(({ values, dictionary }, place) => {
        const known = told[place] ?? 0;
        told[place] = dictionary.length;
        return { values, dictionary: dictionary.slice(known) };
      }),
    });
    let buffer = Buffer.alloc(0);
    return ({ start, end }) => {
      if (buffer.length < end - start) buffer = Buffer.allocUnsafeSlow(end - start);
      const bytes = buffer.subarray(0, end - start);
      // A file may become shorter.
      if (fillSync(fd, bytes, start) < bytes.length || !isUtf8(bytes)) return { result: undefined, transfer: [] };
      const result: Chunk[] = [];
      for (let place = 0; place < bytes.length; ) {
        place = parser.parse(bytes, place);
        if (parser.damaged) return { result: undefined, transfer: [] };
        if (parser.full || place === bytes.length) result.push({ ...news(parser.take()), end: start + place });
      }
      const arrays = result.flatMap(({ leading, columns }) => [...leading, ...columns.map(({ values }) => values)]);
      return { result, transfer: arrays.map((array) => array.buffer as ArrayBuffer) };
    };
  },
};
