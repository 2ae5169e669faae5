import type { ScopeFilter, TaskTable } from '../common/scope.ts';
import type { Party } from './connections.ts';

/** The processes that a recording tells of, as parties of connections: under their names, and with their ancestors. */
export class Parties {
  readonly #parties = new Map<number, Party>();
  readonly #births = new Map<number, { readonly time: number; readonly parent: Party | undefined }>();

  constructor(
    readonly tasks: TaskTable,
    readonly filter: ScopeFilter,
  ) {}

  /** The process of a thread. */
  of(tid: number): Party {
    const pid = this.tasks.pidOf(tid);
    let party = this.#parties.get(pid);
    if (party === undefined) {
      const comm = this.tasks.commOf(pid) ?? '';
      const birth = this.#births.get(pid);
      party = {
        pid,
        comm,
        kept: this.filter.keeps(pid, comm),
        born: birth?.time ?? Number.NEGATIVE_INFINITY,
        parent: birth?.parent,
      };
      this.#parties.set(pid, party);
    }
    return party;
  }

  /** A new task; times are nanoseconds since the origin. */
  fork(time: number, child: number, creator: number, isThread: boolean, comm: string): void {
    this.tasks.fork(child, creator, isThread, comm);
    if (isThread) return;
    // The pid may have been another process's.
    this.#parties.delete(child);
    this.#births.set(child, { time, parent: this.of(creator) });
  }

  rename(tid: number, comm: string): void {
    this.tasks.rename(tid, comm);
    this.#parties.delete(this.tasks.pidOf(tid));
  }
}
