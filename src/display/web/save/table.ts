import { useLayoutEffect } from 'preact/hooks';
import { csvRow } from '../../../common/csv.ts';

/** What a view shows, as a table: all of it, and numbers in full. */
export interface Table {
  readonly head: readonly string[];
  readonly rows: Iterable<readonly (string | number)[]>;
}

/** Makes the table of the view that is shown, where it has one: of a page there is one view at a time. */
let shown: (() => Table) | undefined;

export function shownTable(): Table | undefined {
  return shown?.();
}

/** Offers what a view shows as a table, to be saved. */
export function useTable(make: () => Table): void {
  useLayoutEffect(() => {
    shown = make;
    return () => {
      if (shown === make) shown = undefined;
    };
  });
}

/** A table as CSV, in pieces. */
export function* csvOf({ head, rows }: Table): Generator<string> {
  yield csvRow(head);
  let text = '';
  for (const row of rows) {
    text += csvRow(row);
    if (text.length < 1 << 18) continue;
    yield text;
    text = '';
  }
  yield text;
}
