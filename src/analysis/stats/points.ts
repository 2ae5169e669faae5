import type { SectionHeader } from '../../common/header.ts';
import type { ColumnRequest, PointColumns } from '../../common/reader.ts';
import { countField, timesOf } from '../counted.ts';
import { largest } from '../largest.ts';
import { type ByProcess, OTHERS, ProcessGroups, type ProcessName, TextGroups } from './groups.ts';
import { Summariser, type Summary } from './summary.ts';

/** The values of a datapoint section. */
export interface PointStats {
  readonly label: string;
  readonly unit: string;
  readonly all: Summary;
  /** Those that contribute most first; empty where the section has no fields comm and pid. */
  readonly processes: readonly (ProcessName & Summary)[];
  /** By what else the section tells apart: dev and op, or else its first field. */
  readonly by: readonly { readonly field: string; readonly groups: readonly ({ readonly name: string } & Summary)[] }[];
}

/** Fields with few values that it is worth to tell apart. */
const TELLING = ['dev', 'op'];

/** Gathers PointStats, chunk by chunk. */
export class PointCounter {
  readonly want: readonly ColumnRequest[];
  readonly #all: Summariser;
  readonly #processes: ProcessGroups<Summariser>;
  readonly #by: readonly { readonly field: string; readonly groups: TextGroups<NamedSummariser> }[];

  constructor(
    readonly header: SectionHeader,
    by: ByProcess,
    sampled = 0,
  ) {
    this.#all = new Summariser('all', sampled);
    const fields = header.fields ?? [];
    this.#processes = new ProcessGroups(fields, by, () => new Summariser('group', sampled));
    const telling = TELLING.filter((field) => fields.includes(field));
    const shown = telling.length > 0 || this.#processes.possible ? telling : fields.slice(0, 1);
    this.#by = shown.map((field) => ({
      field,
      groups: new TextGroups(
        (name) => new NamedSummariser(name, sampled),
        () => new NamedSummariser(OTHERS, sampled),
      ),
    }));
    const counted = countField(header);
    this.want = [
      ...this.#processes.want,
      ...shown.map((field) => ({ field, as: 'text' }) as const),
      ...(counted === undefined ? [] : [{ field: counted, as: 'number' } as const]),
    ];
  }

  get count(): number {
    return this.#all.count;
  }

  add({ length, y, columns }: PointColumns): void {
    const ofProcess = columns.slice(0, this.#processes.want.length);
    const others = columns.slice(this.#processes.want.length, this.#processes.want.length + this.#by.length);
    const counts = columns[this.#processes.want.length + this.#by.length];
    for (let i = 0; i < length; i++) {
      const value = y[i]!;
      const times = timesOf(counts?.values[i]);
      if (times === 0) continue;
      this.#all.add(value, times);
      if (ofProcess.length > 0) this.#processes.of(ofProcess, i).totals.add(value, times);
      for (let place = 0; place < others.length; place++) {
        this.#by[place]!.groups.at(others[place]!, i).add(value, times);
      }
    }
  }

  stats(top: number): PointStats {
    return {
      label: this.header.y?.label ?? 'y',
      unit: this.header.y?.unit ?? '',
      all: this.#all.summary(),
      processes: mostThenLargest(this.#processes.all(), top, ({ totals }) => totals).map(({ name, totals }) => ({
        ...name,
        ...totals.summary(),
      })),
      by: this.#by.map(({ field, groups }) => ({
        field,
        groups: mostThenLargest(groups.all(), top, (group) => group).map((group) => ({
          name: group.name,
          ...group.summary(),
        })),
      })),
    };
  }
}

class NamedSummariser extends Summariser {
  constructor(
    readonly name: string,
    sampled: number,
  ) {
    super('group', sampled);
  }
}

/** Those with the most values first; of equally many, those with the largest sum. */
function mostThenLargest<Group>(groups: Iterable<Group>, top: number, of: (group: Group) => Summariser): Group[] {
  const bySum = largest(groups, Number.POSITIVE_INFINITY, (group) => of(group).sum);
  return largest(bySum, top, (group) => of(group).count);
}
