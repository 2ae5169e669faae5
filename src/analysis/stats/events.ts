import type { SectionHeader } from '../../common/header.ts';
import { hostValue } from '../../common/host-keys.ts';
import type { Column, ColumnRequest, EventColumns } from '../../common/reader.ts';
import { largest } from '../largest.ts';
import { type ByProcess, OTHERS, ProcessGroups, type ProcessName, TextGroups } from './groups.ts';

/** How many events, and what their fields `weight` and `bytes` come to; null where the section has no such field. */
export interface EventTotals {
  readonly count: number;
  readonly weight: number | null;
  readonly bytes: number | null;
}

/** The events of an event section. */
export interface EventStats {
  readonly all: EventTotals;
  readonly types: readonly ({ readonly type: string } & EventTotals)[];
  /** Those with the most events first; empty where the section does not name processes. */
  readonly processes: readonly (ProcessName & EventTotals)[];
  /** By device and by CPU, where the section tells them. */
  readonly by: readonly {
    readonly field: string;
    readonly groups: readonly ({ readonly name: string } & EventTotals)[];
  }[];
}

const TELLING = ['dev', 'cpu'];
const AMOUNTS = ['weight', 'bytes'] as const;

class Tally {
  count = 0;
  readonly amounts = { weight: 0, bytes: 0 };

  constructor(readonly name = '') {}
}

/** Gathers EventStats, chunk by chunk. */
export class EventCounter {
  readonly want: readonly ColumnRequest[];
  readonly #amounts: readonly (typeof AMOUNTS)[number][];
  readonly #processes: ProcessGroups<Tally> | undefined;
  readonly #fields: readonly string[];
  readonly #by: readonly TextGroups<Tally>[];
  readonly #all = new Tally();
  readonly #types = namedTallies();

  constructor(
    readonly header: SectionHeader,
    by: ByProcess,
  ) {
    const fields = header.fields ?? [];
    this.#processes = fields.includes('comm') ? new ProcessGroups(fields, by, () => new Tally()) : undefined;
    this.#fields = TELLING.filter((field) => fields.includes(field));
    this.#by = this.#fields.map(namedTallies);
    this.#amounts = AMOUNTS.filter((field) => fields.includes(field));
    this.want = [
      ...this.#amounts.map((field) => ({ field, as: 'number' }) as const),
      ...this.#fields.map((field) => ({ field, as: 'text' }) as const),
      ...(this.#processes?.want ?? []),
    ];
  }

  get count(): number {
    return this.#all.count;
  }

  add({ length, type, columns }: EventColumns): void {
    const amounts = columns.slice(0, this.#amounts.length);
    const telling = columns.slice(amounts.length, amounts.length + this.#fields.length);
    const ofProcess = columns.slice(amounts.length + telling.length);
    for (let i = 0; i < length; i++) {
      this.#count(this.#all, amounts, i);
      this.#count(this.#types.at(type, i), amounts, i);
      if (this.#processes !== undefined) this.#count(this.#processes.of(ofProcess, i).totals, amounts, i);
      for (let place = 0; place < telling.length; place++) {
        this.#count(this.#by[place]!.at(telling[place]!, i), amounts, i);
      }
    }
  }

  #count(tally: Tally, amounts: readonly Column[], row: number): void {
    tally.count++;
    for (let place = 0; place < amounts.length; place++) {
      const value = amounts[place]!.values[row]!;
      // A field that is empty has no amount.
      if (!Number.isNaN(value)) tally.amounts[this.#amounts[place]!] += value;
    }
  }

  /** Of several hosts a CPU is one of a host. */
  #nameOf(field: string, name: string): string {
    const { value, host } = hostValue(field, name);
    const { hosts } = this.header;
    return hosts === undefined || host === undefined ? name : `${hosts[host] ?? ''} ${value}`;
  }

  stats(top: number): EventStats {
    const totals = ({ count, amounts }: Tally): EventTotals => ({
      count,
      weight: this.#amounts.includes('weight') ? amounts.weight : null,
      bytes: this.#amounts.includes('bytes') ? amounts.bytes : null,
    });
    const size = ({ count }: Tally) => count;
    return {
      all: totals(this.#all),
      types: largest(this.#types.all(), Number.POSITIVE_INFINITY, size).map((tally) => ({
        type: tally.name,
        ...totals(tally),
      })),
      processes: largest(this.#processes?.all() ?? [], top, (group) => group.totals.count).map((group) => ({
        ...group.name,
        ...totals(group.totals),
      })),
      by: this.#fields.map((field, place) => ({
        field,
        groups: largest(this.#by[place]!.all(), top, size).map((tally) => ({
          name: this.#nameOf(field, tally.name),
          ...totals(tally),
        })),
      })),
    };
  }
}

function namedTallies(): TextGroups<Tally> {
  return new TextGroups(
    (name) => new Tally(name),
    () => new Tally(OTHERS),
  );
}
