import type { Column, ColumnRequest, PointColumns } from '../common/column-data.ts';
import type { SectionReader } from '../common/reader.ts';
import { timesOf } from './counted.ts';
import { type Filter, selectPoints } from './select.ts';

/** Points as often as they are counted. */
export interface RepeatedPoints {
  readonly chunks: AsyncIterable<PointColumns>;
  /** How many records they stand for; undefined where each is one. */
  readonly records: number | undefined;
}

/**
 * The points of a summary, each as often as its field `counted` says, for what counts records one by one. Of more than
 * `most` one stands for some, alike everywhere.
 */
export async function repeatedPoints(
  section: SectionReader,
  want: readonly ColumnRequest[],
  counted: string,
  filter: Filter,
  most: number,
): Promise<RepeatedPoints> {
  const count: ColumnRequest = { field: counted, as: 'number' };
  let records = 0;
  for await (const { length, columns } of selectPoints(section, [count], filter)) {
    for (let i = 0; i < length; i++) records += timesOf(columns[0]!.values[i]!);
  }
  const each = Math.max(1, records / most);
  async function* chunks(): AsyncGenerator<PointColumns> {
    let left = 0;
    for await (const { length, x, y, columns } of selectPoints(section, [...want, count], filter)) {
      const counts = columns[want.length]!.values;
      const times = new Int32Array(length);
      for (let i = 0; i < length; i++) {
        left += timesOf(counts[i]!) / each;
        times[i] = Math.floor(left + 1e-9);
        left -= times[i]!;
      }
      const repeat = <Values extends Float64Array | Int32Array>(values: Values): Values => repeated(values, times);
      yield {
        length: times.reduce((sum, n) => sum + n, 0),
        x: repeat(x),
        y: repeat(y),
        columns: columns
          .slice(0, want.length)
          .map(({ values, dictionary }): Column => ({ values: repeat(values), dictionary })),
      };
    }
  }
  return { chunks: chunks(), records: each > 1 ? records : undefined };
}

function repeated<Values extends Float64Array | Int32Array>(values: Values, times: Int32Array): Values {
  const length = times.reduce((sum, n) => sum + n, 0);
  const all = (values instanceof Float64Array ? new Float64Array(length) : new Int32Array(length)) as Values;
  let at = 0;
  for (let i = 0; i < times.length; i++) {
    all.fill(values[i]!, at, at + times[i]!);
    at += times[i]!;
  }
  return all;
}
