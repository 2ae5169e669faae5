import type { Column, ColumnRequest, EventColumns } from '../../common/column-data.ts';

/** A column in memory: numbers, or places in `texts`. */
export interface TableColumn {
  readonly values: Float64Array | Int32Array;
  readonly texts: readonly string[] | undefined;
}

/** All events of a section, in the order of time. */
export interface EventTable {
  readonly length: number;
  /** Nanoseconds since the origin. */
  readonly time: Float64Array;
  readonly type: TableColumn;
  /** By field. */
  readonly columns: ReadonlyMap<string, TableColumn>;
}

/** Names of the types, as text columns have them. */
export function typeNames({ type }: EventTable): readonly string[] {
  return textColumn(type).dictionary;
}

/** The text of a field of an event; empty where there is no such field. */
export function textAt({ columns }: EventTable, field: string, row: number): string {
  const column = columns.get(field);
  if (column === undefined) return '';
  const value = column.values[row]!;
  return column.texts === undefined ? String(value) : (column.texts[value] ?? '');
}

/** The events as a reader gives them: for what counts events. */
export function eventColumns(table: EventTable, want: readonly ColumnRequest[]): EventColumns {
  const { length, time, type } = table;
  return {
    length,
    time,
    type: textColumn(type),
    columns: want.map(({ field, as }) => {
      const column = table.columns.get(field) ?? { values: new Int32Array(length), texts: [''] };
      return as === 'number' ? { values: numbersOf(column), dictionary: [] } : textColumn(column);
    }),
  };
}

/** The values of a column as numbers; NaN where one is none. */
export function numbersOf({ values, texts }: TableColumn): Float64Array {
  if (texts === undefined) return values instanceof Float64Array ? values : Float64Array.from(values);
  const numbers = texts.map((text) => (text === '' ? Number.NaN : Number(text)));
  return Float64Array.from(values, (value) => numbers[value]!);
}

function textColumn({ values, texts }: TableColumn): Column {
  if (texts !== undefined) return { values, dictionary: texts };
  const ids = new Map<number, number>();
  const places = Int32Array.from(values, (value) => {
    let id = ids.get(value);
    if (id === undefined) {
      id = ids.size;
      ids.set(value, id);
    }
    return id;
  });
  return { values: places, dictionary: [...ids.keys()].map(String) };
}

/** The events between two rows. */
export function sliceTable(table: EventTable, from: number, to: number): EventTable {
  const slice = ({ values, texts }: TableColumn): TableColumn => ({ values: values.subarray(from, to), texts });
  return {
    length: to - from,
    time: table.time.subarray(from, to),
    type: slice(table.type),
    columns: new Map([...table.columns].map(([field, column]) => [field, slice(column)])),
  };
}
