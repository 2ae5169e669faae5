import type { SectionHeader } from '../../common/header.ts';
import type { SectionReader } from '../../common/reader.ts';
import { type Named, RUNNABLE, SCHEDULING_COLUMNS, type SpanSink, TaskFollower } from '../scheduling.ts';
import type { Filter } from '../select.ts';
import type { LatencySummary } from './latencies.ts';
import type { StackSummary } from './stacks.ts';

const RUNNING = 'running';

/** Adds what the tasks of one section did: nanoseconds by process and what it did, and how long each waited for a CPU. */
export async function addScheduling(
  section: SectionReader,
  { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY, pids, comm }: Filter,
  times: StackSummary,
  latencies: LatencySummary,
): Promise<void> {
  const [start, end] = [from * 1e9, to * 1e9];
  const isShown = (task: Named): boolean =>
    (pids === undefined || pids.includes(task.pid)) && (comm === undefined || comm.test(task.comm));
  // A line for each span would be many: they are added up by process first.
  const totals = new Map<string, Map<string, number>>();
  const add = (task: Named, doing: string, since: number, until: number): void => {
    const time = Math.min(until, end) - Math.max(since, start);
    if (time <= 0 || !isShown(task)) return;
    const own = totals.get(task.comm) ?? new Map<string, number>();
    totals.set(task.comm, own);
    own.set(doing, (own.get(doing) ?? 0) + time);
  };
  const sink: SpanSink = {
    ran: (_, who, since, until) => {
      if (who !== undefined) add(who, RUNNING, since, until);
    },
    waited: (task, reason, since, until, comes) => {
      add(task, reason, since, until);
      if (!comes || reason !== RUNNABLE || until < start || until > end || !isShown(task)) return;
      latencies.add(until / 1e9, [task.comm], (until - since) / 1e6);
    },
    switched: () => undefined,
  };
  const follower = new TaskFollower(section.header, sink);
  for await (const events of section.events(SCHEDULING_COLUMNS)) if (!follower.add(events, end)) break;
  follower.end();
  for (const [name, own] of totals) for (const [doing, time] of own) times.add([name, doing], Math.round(time));
}

export const TIMES_WEIGHT = { label: 'time of tasks', unit: 'ns' };

/** Of the points of waits for a CPU, beside those of every section. */
export function waitHeader(): Pick<SectionHeader, 'x' | 'y' | 'fields'> {
  return { x: { label: 'time', unit: 's' }, y: { label: 'wait for a CPU', unit: 'ms' }, fields: ['comm'] };
}
