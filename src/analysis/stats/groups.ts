import type { Column, ColumnRequest } from '../../common/column-data.ts';
import { ALL_PIDS, pidOf } from '../../common/host-keys.ts';

/** Whom the records of a group belong to: processes of one name together, or each process by itself. */
export interface ProcessName {
  readonly comm: string;
  /** The process, where the group is one alone. */
  readonly pid: number | null;
  /** How many processes were seen. */
  readonly processes: number;
}

export type ByProcess = 'comm' | 'pid';

/** More groups than this are added up in one: memory is bounded, whatever the file holds. */
const MOST_GROUPS = 1000;
/** The name of that group. */
export const OTHERS = '(others)';

/** Groups by key, made as they are first seen; what comes when there are too many belongs to one last group. */
export class Groups<Key, Group> {
  readonly #groups = new Map<Key, Group>();
  #others: Group | undefined;

  constructor(
    readonly make: (key: Key) => Group,
    readonly makeOthers: () => Group,
    readonly most = MOST_GROUPS,
  ) {}

  of(key: Key): Group {
    let group = this.#groups.get(key);
    if (group !== undefined) return group;
    if (this.#groups.size >= this.most) {
      this.#others ??= this.makeOthers();
      return this.#others;
    }
    group = this.make(key);
    this.#groups.set(key, group);
    return group;
  }

  all(): Group[] {
    return this.#others === undefined ? [...this.#groups.values()] : [...this.#groups.values(), this.#others];
  }
}

/** Groups by the texts of a column: each text is looked for once, and then by its number. */
export class TextGroups<Group> extends Groups<string, Group> {
  readonly #byId: Group[] = [];

  at({ values, dictionary }: Column, row: number): Group {
    const id = values[row]!;
    let group = this.#byId[id];
    if (group === undefined) {
      group = this.of(dictionary[id]!);
      this.#byId[id] = group;
    }
    return group;
  }
}

/** The records of one process, or of all of one name, and what is counted of them. */
export class ProcessGroup<Totals> {
  readonly #pids = new Set<number>();

  constructor(
    readonly comm: string,
    readonly totals: Totals,
  ) {}

  see(pid: number): void {
    this.#pids.add(pid);
  }

  get name(): ProcessName {
    const [first] = this.#pids;
    return {
      comm: this.comm,
      pid: this.#pids.size === 1 && first !== undefined ? pidOf(first) : null,
      processes: this.#pids.size,
    };
  }
}

/**
 * Groups the records of a section by process, from its columns comm and pid (or whichever of them it has). A process
 * that changes its name is two, as it is in the data.
 */
export class ProcessGroups<Totals> {
  readonly want: readonly ColumnRequest[];
  readonly #groups: Groups<number, ProcessGroup<Totals>>;
  /** Those of one name that are no process alone, by the number of the name. */
  readonly #named: ProcessGroup<Totals>[] = [];
  readonly #hasComm: boolean;
  readonly #hasPid: boolean;
  #comm = '';

  constructor(
    fields: readonly string[],
    readonly by: ByProcess,
    makeTotals: () => Totals,
  ) {
    this.#hasComm = fields.includes('comm');
    this.#hasPid = fields.includes('pid');
    this.want = [
      ...(this.#hasComm ? [{ field: 'comm', as: 'text' } as const] : []),
      ...(this.#hasPid ? [{ field: 'pid', as: 'number' } as const] : []),
    ];
    this.#groups = new Groups(
      () => new ProcessGroup(this.#comm, makeTotals()),
      () => new ProcessGroup(OTHERS, makeTotals()),
    );
  }

  get possible(): boolean {
    return this.want.length > 0;
  }

  /** The group of a row. `columns` are those of `want`. */
  of(columns: readonly Column[], row: number): ProcessGroup<Totals> {
    const comm = this.#hasComm ? columns[0] : undefined;
    const pid = this.#hasPid ? (columns[columns.length - 1]?.values[row] ?? Number.NaN) : Number.NaN;
    const commId = comm?.values[row] ?? 0;
    // A pid that is no number is none.
    const alone = (this.by === 'pid' || !this.#hasComm) && pid >= 0 && pid < ALL_PIDS - 1;
    let group = alone ? undefined : this.#named[commId];
    if (group === undefined) {
      this.#comm = comm?.dictionary[commId] ?? '';
      group = this.#groups.of(commId * ALL_PIDS + (alone ? pid + 1 : 0));
      if (!alone) this.#named[commId] = group;
    }
    if (pid >= 0) group.see(pid);
    return group;
  }

  all(): ProcessGroup<Totals>[] {
    return this.#groups.all();
  }
}
