import type { BinGrid } from './bins.ts';
import { timeOf } from './heat.ts';
import { nextUp, ordered, type Range } from './zoom.ts';

/** A bin of a grid. Row -1 is that of what lies below its rows, row `rows` that of what lies above. */
export interface Bin {
  readonly column: number;
  readonly row: number;
}

/** What is selected of points: x and y from the first number up to the second, which is not in it. */
export interface Box {
  readonly x: Range;
  readonly y: Range;
}

/** The bins between two, as a box. */
export function boxOf(grid: BinGrid, a: Bin, b: Bin): Box {
  const [left, right] = ordered(a.column, b.column);
  const [low, high] = ordered(a.row, b.row);
  const { xRange, viewport, rows, columns } = grid;
  // A point on the right or top edge of the grid is in its last column or row.
  const xEnd = right === columns - 1 ? nextUp(xRange[1]) : grid.columnRange(right)[1];
  const yEnd = high === rows - 1 ? nextUp(viewport.top) : grid.rowRange(Math.max(0, high))[1];
  return {
    x: [grid.columnRange(left)[0], xEnd],
    y: [
      low < 0 ? Number.NEGATIVE_INFINITY : low === rows ? nextUp(viewport.top) : grid.rowRange(low)[0],
      high < 0 ? viewport.bottom : high === rows ? Number.POSITIVE_INFINITY : yEnd,
    ],
  };
}

/**
 * The samples between two bins of a grid by second and offset, as a range of time, seconds: time runs up each column, and on
 * from the bottom of the next. Two bins of one row alone are the times between them, not those bins.
 */
export function runOf(grid: BinGrid, a: Bin, b: Bin): Range {
  const inOrder = a.column < b.column || (a.column === b.column && a.row <= b.row);
  const [first, last] = inOrder ? [a, b] : [b, a];
  const offset = (row: number, end: 0 | 1) => grid.rowRange(Math.max(0, Math.min(grid.rows - 1, row)))[end];
  const start = timeOf(grid.columnRange(first.column)[0], offset(first.row, 0));
  return [start, timeOf(grid.columnRange(last.column)[1] - 1, offset(last.row, 1))];
}

/** The rows of a column of a grid by second and offset that a range of time covers, from the bottom: [first, end). */
export function rowsOfRun(grid: BinGrid, column: number, [from, to]: Range): Range {
  const [second, end] = grid.columnRange(column);
  const { bottom, top } = grid.viewport;
  const rowAt = (time: number): number => {
    const offset = time >= end ? 1000 : time <= second ? 0 : (time - Math.floor(time)) * 1000;
    const row = ((offset - bottom) / (top - bottom)) * grid.rows;
    return Math.max(0, Math.min(grid.rows, Math.round(row)));
  };
  return to <= second || from >= end ? [0, 0] : [rowAt(from), rowAt(to)];
}
