import { type PageData, rootNode, type Section, stackIndexOf, stackLines } from './model.ts';

/** One condition on records. Those that a section has no data for do not apply to it. */
export type Filter =
  | { readonly kind: 'time'; readonly from: number; readonly to: number }
  | {
      readonly kind: 'field';
      /** pid, comm, cpu, dev, type, ... */
      readonly field: string;
      readonly values: readonly string[];
      /** Everything but these. */
      readonly not: boolean;
    }
  | {
      readonly kind: 'values';
      /** A range of y of one interface: the slow I/Os, for one. */
      readonly interface: string;
      readonly from: number;
      readonly to: number;
    };

/** A list of conditions, all of which hold, that can be undone and redone. */
export interface FilterHistory {
  readonly past: readonly (readonly Filter[])[];
  readonly filters: readonly Filter[];
  readonly future: readonly (readonly Filter[])[];
}

/** The range of time that is asked for, by the page or by a filter. */
export function askedTime({ manifest }: PageData, filters: readonly Filter[]): { from?: number; to?: number } {
  const time = filters.find((filter) => filter.kind === 'time');
  return time === undefined ? manifest.filter : { from: time.from, to: time.to };
}

export const NO_FILTERS: FilterHistory = { past: [], filters: [], future: [] };

/** A new range of time, or of the same values, takes the place of the old one; other conditions are added. */
export function withFilter(history: FilterHistory, ...added: readonly Filter[]): FilterHistory {
  const others = history.filters.filter((old) => !added.some((filter) => replaces(filter, old)));
  return step(history, [...others, ...added]);
}

function replaces(filter: Filter, old: Filter): boolean {
  if (filter.kind === 'values') return old.kind === 'values' && old.interface === filter.interface;
  return filter.kind === 'time' && old.kind === 'time';
}

export function withoutFilter(history: FilterHistory, filter: Filter): FilterHistory {
  return step(
    history,
    history.filters.filter((other) => other !== filter),
  );
}

export function clearFilters(history: FilterHistory): FilterHistory {
  return history.filters.length === 0 ? history : step(history, []);
}

function step(history: FilterHistory, filters: readonly Filter[]): FilterHistory {
  return { past: [...history.past, history.filters], filters, future: [] };
}

export function undo({ past, filters, future }: FilterHistory): FilterHistory {
  const before = past.at(-1);
  return before === undefined
    ? { past, filters, future }
    : { past: past.slice(0, -1), filters: before, future: [filters, ...future] };
}

export function redo({ past, filters, future }: FilterHistory): FilterHistory {
  const [next, ...rest] = future;
  return next === undefined ? { past, filters, future } : { past: [...past, filters], filters: next, future: rest };
}

/** In words, for the list of filters. */
export function describeFilter(filter: Filter): string {
  switch (filter.kind) {
    case 'time':
      return `${round(filter.from)} to ${round(filter.to)} s`;
    case 'field':
      return `${filter.field} ${filter.not ? 'not ' : ''}${filter.values.join(', ')}`;
    case 'values':
      return `${filter.interface} from ${round(filter.from)} to ${round(filter.to)}`;
  }
}

function round(value: number): string {
  return String(Number(value.toPrecision(6)));
}

/** Which records of a section pass: 1 or 0 by row; undefined where all do. */
export function maskOf(section: Section, filters: readonly Filter[]): Uint8Array | undefined {
  let mask: Uint8Array | undefined;
  const keep = (passes: (row: number) => boolean): void => {
    mask ??= new Uint8Array(section.rows).fill(1);
    for (let row = 0; row < mask.length; row++) if (mask[row] === 1 && !passes(row)) mask[row] = 0;
  };
  for (const filter of filters) {
    switch (filter.kind) {
      case 'time': {
        const times = section.times;
        if (times !== undefined) keep((row) => times[row]! >= filter.from && times[row]! <= filter.to);
        break;
      }
      case 'field': {
        const column = section.columns.get(filter.field);
        if (column === undefined) break;
        const { values, texts } = column;
        const wanted = new Set(
          texts === undefined
            ? filter.values.map(Number)
            : texts.flatMap((text, i) => (filter.values.includes(text) ? [i] : [])),
        );
        keep((row) => wanted.has(values[row]!) !== filter.not);
        break;
      }
      case 'values': {
        const y = section.columns.get('y')?.values;
        if (filter.interface !== section.interface || y === undefined) break;
        keep((row) => y[row]! >= filter.from && y[row]! <= filter.to);
      }
    }
  }
  return mask;
}

/** The weight of each stack of a section, by its line, over the records that pass. */
export function stackWeights(data: PageData, section: Section, filters: readonly Filter[]): Float64Array {
  const { stacks } = section;
  if (stacks === undefined) return new Float64Array(0);
  const index = stackIndexOf(data, section);
  const mask = index === undefined ? undefined : maskOf(index, filters);
  const byLine = mask === undefined ? stacks.weights : weigh(index!, mask, stacks.weights.length);
  const names = filters.flatMap((filter) => (filter.kind === 'field' && filter.field === 'comm' ? [filter] : []));
  if (names.length === 0 || index?.columns.has('comm') === true) return byLine;
  // The root frame is the process name.
  const kept = new Float64Array(byLine);
  for (let line = 0; line < kept.length; line++) {
    const root = rootOf(stacks, stacks.ends[line]!);
    if (names.some(({ values, not }) => values.includes(root) === not)) kept[line] = 0;
  }
  return kept;
}

function weigh(index: Section, mask: Uint8Array, lines: number): Float64Array {
  const weights = new Float64Array(lines);
  const lineAt = stackLines(index);
  const weight = index.columns.get('weight')?.values;
  for (let row = 0; row < mask.length; row++) {
    if (mask[row] === 0) continue;
    const line = lineAt(row);
    if (line >= 0 && line < lines) weights[line]! += weight?.[row] ?? 1;
  }
  return weights;
}

/** Name of the first frame of the stack that ends at `node`. */
export function rootOf(
  stacks: { parents: Int32Array; frames: Int32Array; names: readonly string[] },
  node: number,
): string {
  const root = rootNode(stacks, node);
  return root === 0 ? '' : (stacks.names[stacks.frames[root]!] ?? '');
}
