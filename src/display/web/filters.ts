import { isScheduling } from '../../analysis/scheduling.ts';
import { hostValue } from '../../common/host-keys.ts';
import { visible } from '../../common/text.ts';
import { type Column, type PageData, processOf, type Section, type Stacks, stackLines } from './model.ts';
import { SPAN_FIELDS } from './task-spans.ts';

/** One condition on records. Those that a section has no data for do not apply to it. */
export type Filter =
  | { readonly kind: 'time'; readonly from: number; readonly to: number }
  | {
      readonly kind: 'frame';
      /** A function that is in the stack, wherever. */
      readonly name: string;
      /** Stacks without it. */
      readonly not: boolean;
    }
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

/** The range of time that a filter asks for; all of it where none does. */
export function timeOf(filters: readonly Filter[]): { readonly from: number; readonly to: number } {
  return filters.find((filter) => filter.kind === 'time') ?? ALWAYS;
}

const ALWAYS = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY };

export const NO_FILTERS: FilterHistory = { past: [], filters: [], future: [] };

/** A new range of time, or of the same values, takes the place of the old one; other conditions are added. */
export function withFilter(history: FilterHistory, ...added: readonly Filter[]): FilterHistory {
  const others = history.filters.filter((old) => !added.some((filter) => replaces(filter, old)));
  return step(history, [...others, ...added]);
}

function replaces(filter: Filter, old: Filter): boolean {
  if (filter.kind === 'values') return old.kind === 'values' && old.interface === filter.interface;
  // Of hosts there is one choice.
  if (isHostFilter(filter)) return isHostFilter(old);
  return filter.kind === 'time' && old.kind === 'time';
}

/** The filter by host, which says which hosts are in. */
export function isHostFilter(filter: Filter): filter is Extract<Filter, { kind: 'field' }> {
  return filter.kind === 'field' && filter.field === 'host';
}

/** The hosts that are in; undefined where all are. */
export function hostsIn(filters: readonly Filter[], hosts: readonly string[]): readonly string[] | undefined {
  const own = filters.filter(isHostFilter);
  if (own.length === 0) return undefined;
  return hosts.filter((host) => own.every(({ values, not }) => values.includes(host) !== not));
}

export function hostFilter(hosts: readonly string[]): Filter {
  return { kind: 'field', field: 'host', values: hosts, not: false };
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

/** Fields that have a plainer name. */
const FIELD_TITLES: ReadonlyMap<string, string> = new Map(
  Object.entries<string>({ comm: 'process', tid: 'task', dev: 'device', op: 'operation' }),
);

export function fieldTitle(field: string): string {
  return FIELD_TITLES.get(field) ?? field;
}

/** The column of a field. Where tasks are followed, their numbers are in the field `pid`. */
export function columnOf({ columns, header }: Section, field: string): Column | undefined {
  return columns.get(field) ?? (field === 'tid' && isScheduling(header) ? columns.get('pid') : undefined);
}

/** In words, for the list of filters. Names are shown harmlessly. */
export function describeFilter(filter: Filter): string {
  return visible(filterText(filter));
}

function filterText(filter: Filter): string {
  switch (filter.kind) {
    case 'time':
      return `${round(filter.from)} to ${round(filter.to)} s`;
    case 'field':
      return `${fieldTitle(filter.field)} ${filter.not ? 'not ' : ''}${valuesText(filter)}`;
    case 'frame':
      return `${filter.not ? 'not ' : ''}in ${filter.name}`;
    case 'values':
      return `${filter.interface} from ${round(filter.from)} to ${round(filter.to)}`;
  }
}

/** Hosts may be many. Whatever number a process has among those of all hosts, it is told as its host has it. */
function valuesText({ field, values }: Extract<Filter, { kind: 'field' }>): string {
  if (field === 'host' && values.length > 4) return `${values.slice(0, 3).join(', ')} and ${values.length - 3} more`;
  return values.map((value) => hostValue(field, value).value).join(', ');
}

function round(value: number): string {
  return String(Number(value.toPrecision(6)));
}

/** What narrows all views to a function of the stacks of a section, or to all but it; to a process, where it is the name of one. */
export function frameFilter({ stacks, header }: Section, name: string, not: boolean): Filter {
  const { names, parents, frames, processes } = stacks!;
  const frame = names.indexOf(name);
  if (frame < 0 && header.hosts?.includes(name) === true) return { kind: 'field', field: 'host', values: [name], not };
  const isProcess =
    header.interface !== 'memmap' && frames.every((own, node) => node === 0 || own !== frame || parents[node] === 0);
  return isProcess ? { kind: 'field', field: 'comm', values: [processes[frame]!], not } : { kind: 'frame', name, not };
}

/** Whether the records of a section have what a filter asks for. */
export function appliesTo(section: Section, filter: Filter): boolean {
  switch (filter.kind) {
    case 'time':
      return true;
    case 'field':
      return section.spans?.bins === undefined
        ? columnOf(section, filter.field) !== undefined
        : SPAN_FIELDS.includes(filter.field);
    case 'frame':
      return section.named !== undefined;
    case 'values':
      return section.interface === filter.interface;
  }
}

/** Whether a section knows what a filter asks for: stacks by the records that name them, or else by their own frames. */
export function knows(section: Section, filter: Filter): boolean {
  const { stacks, naming, named } = section;
  const records = stacks === undefined ? section : naming;
  switch (filter.kind) {
    case 'time':
      return records?.times !== undefined;
    case 'field':
      return (
        (records !== undefined && columnOf(records, filter.field) !== undefined) ||
        (filter.field === 'comm' && stacks !== undefined) ||
        (filter.field === 'host' && stacks?.lineHosts !== undefined)
      );
    case 'frame':
      return stacks !== undefined || named !== undefined;
    case 'values':
      return true;
  }
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
        const column = columnOf(section, filter.field);
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
      case 'frame': {
        const stacks = section.named?.stacks;
        if (stacks === undefined) break;
        const isIn = linesWith(stacks, filter.name);
        const lineAt = stackLines(section);
        keep((row) => (isIn[lineAt(row)] === 1) !== filter.not);
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
export function stackWeights(section: Section, filters: readonly Filter[]): Float64Array {
  const { stacks, naming } = section;
  if (stacks === undefined) return new Float64Array(0);
  const isCounted = naming === undefined || areCounted(section, filters);
  const mask = isCounted ? undefined : maskOf(naming, filters);
  const weights = mask === undefined ? stacks.weights.slice() : weigh(naming!, mask, stacks.weights.length);
  // Stacks that no records name have their process and their frames.
  for (const filter of isCounted ? filters : []) {
    const passes = lineFilter(section, filter);
    for (let line = 0; line < weights.length; line++) if (passes?.(line) === false) weights[line] = 0;
  }
  return weights;
}

/**
 * Whether stacks whose records are too many to be given weigh what was counted of all of them: by filters that stacks alone answer,
 * in the time that they were given for.
 */
export function areCounted({ stacks, header, naming, given }: Section, filters: readonly Filter[]): boolean {
  return (
    naming?.isReduced === true &&
    filters.every((filter) =>
      filter.kind === 'time'
        ? filter.from === given.from && filter.to === given.to
        : lineFilter({ stacks, header }, filter) !== undefined || !appliesTo(naming, filter),
    ) &&
    filters.some(({ kind }) => kind === 'time') === (given.from !== undefined)
  );
}

/** Whether a stack passes a filter; undefined where it does not say. */
function lineFilter(
  { stacks: own, header }: Pick<Section, 'stacks' | 'header'>,
  filter: Filter,
): ((line: number) => boolean) | undefined {
  const stacks = own!;
  const { lineHosts } = stacks;
  if (isHostFilter(filter) && lineHosts !== undefined) {
    const isIn = (header.hosts ?? []).map((host) => filter.values.includes(host) !== filter.not);
    return (line) => isIn[lineHosts[line]!] === true;
  }
  if (filter.kind === 'frame') {
    const isIn = linesWith(stacks, filter.name);
    return (line) => (isIn[line] === 1) !== filter.not;
  }
  if (filter.kind !== 'field' || filter.field !== 'comm') return undefined;
  return (line) => filter.values.includes(processOf(stacks, stacks.ends[line]!)) !== filter.not;
}

/** The stacks that have a function, by their lines: 1 or 0. */
function linesWith({ names, parents, frames, ends }: Stacks, name: string): Uint8Array {
  const frame = names.indexOf(name);
  const isIn = new Uint8Array(parents.length);
  for (let node = 1; node < parents.length; node++) {
    isIn[node] = frame >= 0 && frames[node] === frame ? 1 : isIn[parents[node]!]!;
  }
  return Uint8Array.from(ends, (end) => isIn[end]!);
}

function weigh(naming: Section, mask: Uint8Array, lines: number): Float64Array {
  const weights = new Float64Array(lines);
  const lineAt = stackLines(naming);
  const weight = naming.columns.get('weight')?.values;
  for (let row = 0; row < mask.length; row++) {
    if (mask[row] === 0) continue;
    const line = lineAt(row);
    if (line >= 0 && line < lines) weights[line]! += naming.scale * (weight?.[row] ?? 1);
  }
  return weights;
}
