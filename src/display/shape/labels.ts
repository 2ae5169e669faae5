import type { SectionHeader } from '../../common/header.ts';
import { pidOf } from '../../common/host-keys.ts';
import { visible } from '../../common/text.ts';

/** What contributors are: processes of one name, single ones, or of several hosts each host. */
export type LabelBy = 'comm' | 'pid' | 'host';

/** The field that says whose a point is: the process's name, else the first field, else the free text. */
export function labelField(header: SectionHeader, by: LabelBy = 'comm'): string {
  const fields = header.fields ?? [];
  if (by === 'host') return by;
  return fields.includes('comm') ? 'comm' : (fields[0] ?? 'info');
}

interface Label {
  readonly name: string;
  /** What is told apart, and what its colour goes by. */
  readonly key: string;
  readonly pids: Set<number> | undefined;
}

/** Gives each contributor of a section a number, in the order of their first points, and each number a text. */
export class Labels {
  readonly #numbers = new Map<string, number>();
  readonly #labels: Label[] = [];
  readonly #byPid: boolean;
  readonly #hasPid: boolean;

  constructor(header: SectionHeader, by: LabelBy) {
    this.#hasPid = hasPid(header) && by !== 'host';
    this.#byPid = by === 'pid' && this.#hasPid;
  }

  /** The number of a point's contributor. `pid` only counts where the section has that field. */
  of(name: string, pid: number | undefined): number {
    const key = this.#byPid ? `${pid} ${name}` : name;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#labels.length;
      this.#numbers.set(key, number);
      this.#labels.push({ name, key, pids: this.#hasPid ? new Set() : undefined });
    }
    if (pid !== undefined) this.#labels[number]!.pids?.add(pid);
    return number;
  }

  /** `postgres`, `postgres ×12` for twelve processes of that name together, `postgres (812)` where each is by itself. */
  text(number: number): string {
    const { name, pids } = this.#labels[number]!;
    const shown = visible(name) || '(no name)';
    if (this.#byPid) return `${shown} (${[...(pids ?? [])].map(pidOf).join(', ')})`;
    return pids !== undefined && pids.size > 1 ? `${shown} ×${pids.size}` : shown;
  }

  /** Does not change with what is selected, as the text does. */
  key(number: number): string {
    return this.#labels[number]!.key;
  }

  name(number: number): string {
    return this.#labels[number]!.name;
  }

  /** The processes of a contributor; undefined where the section does not tell them. */
  pids(number: number): number[] | undefined {
    const { pids } = this.#labels[number]!;
    return pids === undefined ? undefined : [...pids];
  }
}

/** Whether the points of a section are told apart by process. */
export function hasPid(header: SectionHeader): boolean {
  return header.fields?.includes('pid') === true;
}
