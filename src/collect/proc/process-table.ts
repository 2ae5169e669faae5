import type { Lineage } from '../../common/scope.ts';
import type { Slices } from './slices.ts';
import { readStat, type TaskStat } from './stat.ts';
import { numbersIn } from './tasks.ts';

/** A process as the last update saw it. `parent` is who was its parent when it was first seen. */
export interface LiveProcess {
  readonly pid: number;
  readonly stat: TaskStat;
  readonly parent: LiveProcess | undefined;
}

interface Entry extends LiveProcess {
  stat: TaskStat;
  parent: Entry | undefined;
  update: number;
}

/** No line of ancestors is this long; a circle, which pids used again might make, is. */
const MAX_DEPTH = 10_000;

/**
 * The processes of the machine, as they come and go. A process keeps the parent with which it was first seen, so a
 * descendant stays one when its parent ends and init adopts it. (One whose parent had come and gone between two
 * updates has init for a parent from the first: whose descendant it is, /proc does not tell.)
 */
export class ProcessTable implements Lineage {
  readonly #entries = new Map<number, Entry>();
  #update = 0;

  async update(slices: Slices): Promise<void> {
    this.#update++;
    const fresh: Entry[] = [];
    for (const pid of numbersIn('/proc')) {
      const stat = readStat(pid);
      if (stat !== undefined) this.#see(pid, stat, fresh);
      await slices.breathe();
    }
    // A parent can have a higher pid than its child, and be gone already: so the links come last, the removals later.
    for (const entry of fresh) entry.parent = this.#entries.get(entry.stat.parent);
    for (const [pid, entry] of this.#entries) if (entry.update !== this.#update) this.#entries.delete(pid);
  }

  processes(): IterableIterator<LiveProcess> {
    return this.#entries.values();
  }

  get(pid: number): LiveProcess | undefined {
    return this.#entries.get(pid);
  }

  pidOf(pid: number): number {
    return pid;
  }

  descends(pid: number, ancestor: number | ReadonlySet<number>): boolean {
    let process = this.#entries.get(pid);
    for (let depth = 0; process !== undefined && depth < MAX_DEPTH; depth++) {
      if (typeof ancestor === 'number' ? process.pid === ancestor : ancestor.has(process.pid)) return true;
      process = process.parent;
    }
    return false;
  }

  #see(pid: number, stat: TaskStat, fresh: Entry[]): void {
    const known = this.#entries.get(pid);
    if (known !== undefined && known.stat.startTime === stat.startTime) {
      known.stat = stat;
      known.update = this.#update;
      return;
    }
    const entry: Entry = { pid, stat, parent: undefined, update: this.#update };
    this.#entries.set(pid, entry);
    fresh.push(entry);
  }
}

/** Whether it has memory of its own to measure: a kernel thread and a zombie have none. */
export function hasMemory({ stat }: LiveProcess): boolean {
  return !stat.isKernelThread && stat.state !== 'Z';
}
