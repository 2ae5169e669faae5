import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNow } from '../common/clock.ts';
import type { Scope } from '../common/scope.ts';

/** How often it is looked whether the user's command has started. */
const COMMAND_POLL_SECONDS = 0.005;

/** Waits, but no longer than until the stop. */
export async function pause(seconds: number, stop: AbortSignal): Promise<void> {
  if (seconds <= 0 || stop.aborted) return;
  await sleep(seconds * 1000, undefined, { signal: stop }).catch(() => undefined);
}

/** Waits until the user's command runs, where there is one: until then it has the pid 0. */
export async function commandStarted(run: { readonly scope: Scope; readonly stop: AbortSignal }): Promise<void> {
  while (run.scope.root === 0 && !run.stop.aborted) await pause(COMMAND_POLL_SECONDS, run.stop);
}

/** Seconds since a time of CLOCK_MONOTONIC. */
export function elapsed(since: bigint): number {
  return Number(monotonicNow() - since) / 1e9;
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
