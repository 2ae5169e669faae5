import { UnavailableError } from '../../common/errors.ts';
import type { Report } from '../../common/section.ts';
import type { BccStack } from '../../formats/bcc-stacks.ts';
import { foldSample } from '../../formats/folding.ts';
import { FRAME_POINTERS } from '../../formats/perf-stacks.ts';
import { StackQuality } from '../../formats/stack-quality.ts';
import { StackTable } from '../../formats/stack-table.ts';
import type { Probe, ProbeRequest } from '../collecter.ts';
import { readStat } from '../proc/stat.ts';

const NEEDS_PID = 'takes the pid of a process that runs already';
const NO_STACK = '[stack not recorded]';

/** Why a BCC tool cannot serve a scope; undefined where it can. */
export function refusedScope({ scope }: ProbeRequest): Probe | undefined {
  if (scope.pids !== undefined) return undefined;
  return { usable: false, why: NEEDS_PID, hint: 'name the processes: marple collect -p PID,...' };
}

/** The processes that were named. @throws UnavailableError where none was, for a tool that was forced. */
export function namedPids(pids: readonly number[] | undefined): readonly number[] {
  if (pids !== undefined) return pids;
  throw new UnavailableError(`it ${NEEDS_PID}`, 'name the processes: marple collect -p PID,...');
}

/** The processes that BCC's tools look at: their names, and whether they are still there. */
export class Targets {
  readonly table = new StackTable();
  readonly #names = new Map<number, string>();
  readonly #quality = new StackQuality();
  #bare = 0;

  constructor(readonly pids: readonly number[]) {
    this.look();
  }

  /** Reads their names; gives those that are not there any more. */
  look(): number[] {
    return this.pids.filter((pid) => {
      const stat = readStat(pid);
      if (stat !== undefined) this.#names.set(pid, stat.comm);
      return stat === undefined || stat.state === 'Z';
    });
  }

  /** Adds what a tool printed of a process, where the process's name is in scope. */
  add(pid: number, stacks: readonly BccStack[], comm: RegExp | undefined): void {
    const name = this.#names.get(pid) ?? `:${pid}`;
    if (comm !== undefined && !comm.test(name)) return;
    for (const { bytes, frames } of stacks) {
      if (bytes === 0) continue;
      if (frames.length === 0) this.#bare += bytes;
      else this.#quality.judge({ frames });
      const sample = { kind: 'sample', comm: name, pid, tid: pid, frames } as const;
      const stack = foldSample({ ...sample, cpu: undefined, time: undefined, period: undefined, event: undefined });
      this.table.add(frames.length === 0 ? [...stack, NO_STACK] : stack, bytes);
    }
  }

  report(report: Report): void {
    if (this.#bare > 0) report.warn(`${this.#bare} bytes count for their process alone: BCC has no stack for them`);
    this.#quality.report(report, FRAME_POINTERS);
  }
}
