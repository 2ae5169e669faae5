import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from '../common/section.ts';

/*
 * What the scheduler itself counts of switches, with which a recording of them is compared: at its start in its description,
 * at its end in a file beside it.
 */

export function switchesFile(dir: string): string {
  return join(dir, 'switches');
}

/**
 * Switches that the scheduler counted during a recording, from the number at its start; undefined where one of the two is
 * not known (the recording was cut off).
 */
export function countedSwitches(dir: string, before: number | undefined): number | undefined {
  try {
    const after = Number.parseInt(readFileSync(switchesFile(dir), 'latin1'), 10);
    return before === undefined || Number.isNaN(after) ? undefined : after - before;
  } catch {
    return undefined;
  }
}

/** A recording that misses more than this many switches, and more than 1 in 100, is said to. */
const SLACK = 100;
const SHARE = 0.99;

/** Says where fewer switches were `seen` than the scheduler `counted` meanwhile, or in less time. */
export function reportMissingSwitches(seen: number, counted: number | undefined, report: Report): void {
  if (counted === undefined || seen >= counted * SHARE || counted - seen <= SLACK) return;
  report.warn(
    `the scheduler counted ${counted} switches, and ${seen} are in the trace: what is shown of tasks and CPUs is too little`,
  );
}
