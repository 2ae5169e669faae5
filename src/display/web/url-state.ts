import type { Filter } from './filters.ts';

/** What of a report can be shared by its address. */
export interface UrlState {
  readonly tab: string;
  readonly filters: readonly Filter[];
  /** What they are compared with. */
  readonly base?: readonly Filter[];
}

export function writeState(state: UrlState): string {
  return `#${encodeURIComponent(JSON.stringify(state))}`;
}

/** What the fragment of an address says; nothing of what it should not. */
export function readState(hash: string): UrlState {
  try {
    const value: unknown = JSON.parse(decodeURIComponent(hash.slice(1)));
    if (typeof value !== 'object' || value === null) return NOTHING;
    const { tab, filters, base } = value as Partial<Record<keyof UrlState, unknown>>;
    return {
      tab: typeof tab === 'string' ? tab : '',
      filters: Array.isArray(filters) ? filters.filter(isFilter) : [],
      ...(Array.isArray(base) ? { base: base.filter(isFilter) } : {}),
    };
  } catch {
    return NOTHING;
  }
}

const NOTHING: UrlState = { tab: '', filters: [] };

function isFilter(value: unknown): value is Filter {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, from, to, field, values, not, interface: name } = value as Record<string, unknown>;
  const isRange = typeof from === 'number' && typeof to === 'number';
  switch (kind) {
    case 'time':
      return isRange;
    case 'values':
      return isRange && typeof name === 'string';
    case 'field':
      return (
        typeof field === 'string' &&
        typeof not === 'boolean' &&
        Array.isArray(values) &&
        values.every((text) => typeof text === 'string')
      );
    default:
      return false;
  }
}
