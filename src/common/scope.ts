/**
 * Whose activity is kept. System-wide where nothing is set. `root` is the pid of the user's command, 0 until
 * it has started: it and its descendants are kept. `own` is MARPLE's own pid: it and its tools (not the user's command) are left out.
 * Plain JSON, so that a recording can carry it.
 */
export interface Scope {
  readonly own: number;
  readonly root?: number;
  /** Where a command runs and the whole machine is kept all the same (-a): its pid. It is not left out with MARPLE. */
  readonly command?: number;
  readonly pids?: readonly number[];
  /** Source of a regular expression on the process name. */
  readonly comm?: string;
  /**
   * Pids (in threaded cgroups tids) that the cgroup was seen to have: those of now while a run goes on, all that were
   * there at any time for a decoder. They and their descendants are kept.
   */
  readonly members?: readonly number[];
}

/** Whether nothing is left out but MARPLE itself. */
export function isSystemWide({ root, pids, comm, members }: Scope): boolean {
  return root === undefined && pids === undefined && comm === undefined && members === undefined;
}

/** Name of the header's option that lists the threads whose every switch a section holds, as ranges (ranges.ts). */
export const TASKS_IN_SCOPE = 'tasks_in_scope';

/** One thread as /proc, or a fork event, shows it. */
export interface Task {
  readonly tid: number;
  readonly pid: number;
  readonly parent: number;
  readonly comm: string;
}

/**
 * Who is whose thread and child: a snapshot of /proc at the start of a run, kept up to date by the fork, exec and
 * rename events that a decoder feeds in time order. Tasks that nobody told of are taken for processes of their own.
 */
export class TaskTable {
  readonly #tasks = new Map<number, { pid: number; parent: number; comm: string }>();

  constructor(snapshot: Iterable<Task> = []) {
    for (const task of snapshot) this.#tasks.set(task.tid, { pid: task.pid, parent: task.parent, comm: task.comm });
  }

  /** A new task. A thread shares its creator's pid; a process is its own, and the creator's process is its parent. */
  fork(child: number, creator: number, isThread: boolean, comm: string): void {
    const creatorPid = this.pidOf(creator);
    this.#tasks.set(
      child,
      isThread
        ? { pid: creatorPid, parent: this.#tasks.get(creator)?.parent ?? 0, comm }
        : { pid: child, parent: creatorPid, comm },
    );
  }

  rename(tid: number, comm: string): void {
    const task = this.#tasks.get(tid);
    if (task) task.comm = comm;
    else this.#tasks.set(tid, { pid: tid, parent: 0, comm });
  }

  has(tid: number): boolean {
    return this.#tasks.has(tid);
  }

  /** The process (thread group) of a thread; an unknown thread is its own. */
  pidOf(tid: number): number {
    return this.#tasks.get(tid)?.pid ?? tid;
  }

  commOf(tid: number): string | undefined {
    return this.#tasks.get(tid)?.comm;
  }

  /** Whether the process of `tid` is `ancestor`, or one of them, or descends from it. */
  descends(tid: number, ancestor: number | ReadonlySet<number>): boolean {
    let pid = this.pidOf(tid);
    // A reused pid can close a circle, so the walk is bounded.
    for (let depth = 0; depth < 1000 && pid > 0; depth++) {
      if (typeof ancestor === 'number' ? pid === ancestor : ancestor.has(pid)) return true;
      const parent = this.#tasks.get(pid)?.parent;
      if (parent === undefined || parent === pid) return false;
      pid = parent;
    }
    return false;
  }
}

/** The part of a task table that a scope needs; the table of a live sampler has it too. */
export type Lineage = Pick<TaskTable, 'pidOf' | 'descends'>;

/** Decides for each record whether its task is in scope. The answer can change as tasks come, so it is asked each time. */
export class ScopeFilter {
  readonly #comm: RegExp | undefined;
  readonly #pids: ReadonlySet<number> | undefined;
  readonly #members: ReadonlySet<number> | undefined;

  constructor(
    readonly scope: Scope,
    readonly tasks: Lineage,
  ) {
    this.#comm = scope.comm === undefined ? undefined : new RegExp(scope.comm, 'u');
    this.#pids = scope.pids === undefined ? undefined : new Set(scope.pids);
    this.#members = scope.members === undefined ? undefined : new Set(scope.members);
  }

  keeps(tid: number, comm: string): boolean {
    const { own, root, command } = this.scope;
    const ofCommand = root !== undefined && this.tasks.descends(tid, root);
    const isUsers = ofCommand || (command !== undefined && this.tasks.descends(tid, command));
    if (!isUsers && this.tasks.descends(tid, own)) return false;
    if (root !== undefined && !ofCommand) return false;
    if (this.#pids !== undefined && !this.#pids.has(this.tasks.pidOf(tid))) return false;
    if (this.#members !== undefined && !this.#members.has(tid) && !this.tasks.descends(tid, this.#members))
      return false;
    return this.#comm === undefined || this.#comm.test(comm);
  }
}
