import { terminalSafe } from './output.ts';
import { shorten } from './text.ts';

/** Text of a terminal is to be readable at this width. */
export const WIDTH = 100;
const GAP = '  ';
/** A column of names is not cut below this. */
const LEAST = 12;

export interface TableColumn {
  readonly title: string;
  /** Numbers stand to the right. */
  readonly align?: 'left' | 'right';
  /** May be cut where the table would be too wide. */
  readonly shrinks?: boolean;
}

/**
 * Lines of columns that are as wide as their longest entry, with a line of titles. Entries are made safe for the
 * terminal; those of columns that may shrink are cut with an ellipsis where a line would be wider than `width`.
 */
export function table(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  { width = WIDTH, indent = '' }: { readonly width?: number; readonly indent?: string } = {},
): string[] {
  const lines = [columns.map(({ title }) => title), ...rows].map((row) => row.map(terminalSafe));
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => lengthOf(line[i] ?? ''))));
  let excess = indent.length + widths.reduce((sum, w) => sum + w, 0) + GAP.length * (columns.length - 1) - width;
  for (const [i] of columns.entries()) {
    if (excess <= 0 || !columns[i]?.shrinks) continue;
    const cut = Math.max(0, Math.min(excess, (widths[i] ?? 0) - LEAST));
    widths[i] = (widths[i] ?? 0) - cut;
    excess -= cut;
  }
  return lines.map((line) =>
    `${indent}${line.map((entry, i) => padded(entry, widths[i] ?? 0, columns[i]?.align)).join(GAP)}`.trimEnd(),
  );
}

function padded(entry: string, width: number, align: TableColumn['align']): string {
  const text = shorten(entry, width);
  const padding = ' '.repeat(width - lengthOf(text));
  return align === 'right' ? padding + text : text + padding;
}

/** Characters, where one beyond U+FFFF is one and not two. */
function lengthOf(text: string): number {
  return [...text].length;
}
