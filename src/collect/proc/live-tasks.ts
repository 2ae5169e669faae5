import { ScopeFilter, type Task, TaskTable } from '../../common/scope.ts';
import type { RunInfo } from '../../formats/recording.ts';
import { readTasks } from './tasks.ts';

const LOOK_MS = 500;

/** Who is whose thread and child, as /proc shows it from time to time: the rows themselves tell nothing of it. */
export class LiveTasks {
  readonly #known: Map<number, Task>;
  readonly #timer: NodeJS.Timeout;
  #table = new TaskTable();
  #filter: ScopeFilter | undefined;

  constructor(private readonly run: { info(): RunInfo }) {
    this.#known = new Map(run.info().tasks.map((task) => [task.tid, task]));
    this.#look();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  pidOf(tid: number): number {
    return this.#table.pidOf(tid);
  }

  commOf(tid: number): string | undefined {
    return this.#table.commOf(tid);
  }

  keeps(tid: number, comm: string): boolean {
    const { scope } = this.run.info();
    // The scope has the pid of the user's command only when that has started.
    if (this.#filter?.scope !== scope) this.#filter = new ScopeFilter(scope, this.#table);
    return this.#filter.keeps(tid, comm);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const task of readTasks()) this.#known.set(task.tid, task);
    this.#table = new TaskTable(this.#known.values());
    this.#filter = undefined;
  }
}
