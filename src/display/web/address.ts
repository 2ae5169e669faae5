import { createContext } from 'preact';
import { type Dispatch, type StateUpdater, useContext, useEffect, useState } from 'preact/hooks';
import type { Filter } from './filters.ts';

/*
 * What is shown is kept in the fragment of the address: a copy of it shows the same, for whoever has the page.
 */

/** What of a page can be shared by its address. */
export interface AddressState {
  readonly tab: string;
  readonly filters: readonly Filter[];
  /** What they are compared with. */
  readonly base?: readonly Filter[] | undefined;
  /** By tab: what of it is not as it was at first, by name. */
  readonly views: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** Milliseconds between two changes of the address: Chromium allows 200 in 10 s. */
const PAUSE = 60;

/** The fragment of the address of this page. */
export class Address {
  #state = readState(location.hash);
  #written = location.hash;
  #waits = false;
  #isStale = false;

  get state(): AddressState {
    return this.#state;
  }

  change(part: Partial<AddressState>): void {
    const before = writeState(this.#state);
    this.#state = { ...this.#state, ...part };
    if (writeState(this.#state) !== before) this.#write();
  }

  /** The part of one tab. */
  view(tab: string): SavedView {
    return {
      get: (name) => this.#state.views[tab]?.[name],
      set: (name, value) => {
        const { [name]: _, ...others } = this.#state.views[tab] ?? {};
        const view = value === undefined ? others : { ...others, [name]: value };
        const { [tab]: __, ...rest } = this.#state.views;
        this.change({ views: Object.keys(view).length === 0 ? rest : { ...rest, [tab]: view } });
      },
    };
  }

  /** At once, and then not again for a while. */
  #write(): void {
    this.#isStale = true;
    if (this.#waits) return;
    this.#flush();
    this.#waits = true;
    setTimeout(() => {
      this.#waits = false;
      if (this.#isStale) this.#write();
    }, PAUSE);
  }

  #flush(): void {
    this.#isStale = false;
    // Somebody else has put another one there, and there will be another Address for that.
    if (location.hash !== this.#written) return;
    history.replaceState(null, '', writeState(this.#state));
    this.#written = location.hash;
  }
}

export function writeState(state: AddressState): string {
  return `#${encodeURIComponent(JSON.stringify(state))}`;
}

/** What the fragment of an address says; nothing of what it should not. */
export function readState(hash: string): AddressState {
  try {
    const value: unknown = JSON.parse(decodeURIComponent(hash.slice(1)));
    if (!isObject(value)) return NOTHING;
    const { tab, filters, base, views } = value;
    return {
      tab: typeof tab === 'string' ? tab : '',
      filters: Array.isArray(filters) ? filters.filter(isFilter) : [],
      ...(Array.isArray(base) ? { base: base.filter(isFilter) } : {}),
      views: isObject(views)
        ? Object.fromEntries(
            Object.entries(views).filter((view): view is [string, Record<string, unknown>] => isObject(view[1])),
          )
        : {},
    };
  } catch {
    return NOTHING;
  }
}

const NOTHING: AddressState = { tab: '', filters: [], views: {} };

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isFilter(value: unknown): value is Filter {
  if (!isObject(value)) return false;
  const { kind, from, to, field, values, not, name: frame, interface: name } = value;
  const isRange = typeof from === 'number' && typeof to === 'number';
  switch (kind) {
    case 'time':
      return isRange;
    case 'values':
      return isRange && typeof name === 'string';
    case 'frame':
      return typeof frame === 'string' && typeof not === 'boolean';
    case 'field':
      return typeof field === 'string' && typeof not === 'boolean' && isTexts(values);
    default:
      return false;
  }
}

/** What a view keeps in the address. Undefined is what it has at first. */
export interface SavedView {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
}

/** The part of the address of the tab that is shown. */
export const SavedViewContext = createContext<SavedView>({ get: () => undefined, set: () => undefined });

/**
 * useState() whose value is kept in the address, as JSON. What stands there is taken where `accepts` says so: anybody may have
 * written it.
 */
export function useSaved<T>(
  name: string,
  initial: T,
  accepts: (value: unknown) => value is T = (value): value is T => typeof value === typeof initial,
): [value: T, set: Dispatch<StateUpdater<T>>] {
  const saved = useContext(SavedViewContext);
  const [value, set] = useState<T>(() => {
    const found = saved.get(name);
    return found !== undefined && accepts(found) ? found : initial;
  });
  const isFirst = JSON.stringify(value) === JSON.stringify(initial);
  useEffect(() => saved.set(name, isFirst ? undefined : value), [value, isFirst]);
  return [value, set];
}

export function isText(value: unknown): value is string {
  return typeof value === 'string';
}

export function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}

export function isRange(value: unknown): value is readonly [number, number] {
  return (
    Array.isArray(value) && value.length === 2 && value.every((edge) => Number.isFinite(edge)) && value[0] < value[1]
  );
}

export function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((number) => Number.isFinite(number));
}

/** A whole number from `least` to `most`. */
export function isCount(least: number, most: number): (value: unknown) => value is number {
  return (value): value is number => Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
}

/** One of some texts. */
export function isOneOf<T extends string>(...choices: readonly T[]): (value: unknown) => value is T {
  return (value): value is T => choices.some((choice) => choice === value);
}
