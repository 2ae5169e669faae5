import type { CollectRun } from './collecter.ts';

/** Says what it costs to probe malloc, where it is probed in processes that nobody named. */
export function reportMallocCost({ scope, report }: CollectRun<unknown>): void {
  if (scope.pids !== undefined) return;
  report.warn(
    'every call of malloc of every process was slowed down by the probes, by some microseconds each ' +
      '(marple collect -p PID keeps it to one process)',
  );
}
