import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { UnavailableError } from '../common/errors.ts';
import type { Report } from '../common/section.ts';
import { type PerfDataState, preparePerfData } from './perf-data.ts';
import type { RunInfo } from './recording.ts';

/** What every recording of perf tells about itself, beside perf.data. */
export const perfDetailsSchema = z.object({
  tool: z.object({ name: z.string(), version: z.string(), command: z.array(z.string()) }),
  options: z.record(z.string(), z.unknown()),
  warnings: z.array(z.string()),
  /** The perf that writes the file. */
  writer: z.object({ pid: z.number(), startTime: z.number() }).optional(),
});
export type PerfDetails = z.infer<typeof perfDetailsSchema>;

/** Where perf records to. */
export function perfDataFile(dir: string): string {
  return join(dir, 'perf.data');
}

/** Tells the report what was run. */
export function describePerf(details: PerfDetails, report: Report): void {
  report.tool(details.tool);
  for (const [name, value] of Object.entries(details.options)) report.option(name, value);
  for (const warning of details.warnings) report.warn(warning);
}

/**
 * Makes perf.data readable, should perf have been killed, and gives its path; undefined where nothing was recorded.
 * @throws DamagedFileError where the file is no perf.data, or cannot be opened.
 */
export async function openPerfData(dir: string, details: PerfDetails, report: Report): Promise<string | undefined> {
  const path = perfDataFile(dir);
  const state = await preparePerfData(path, details.writer);
  sayState(state, report);
  return state === 'missing' || state === 'empty' ? undefined : path;
}

/**
 * Addresses mean something only on the machine that ran, and the kernel's only until it is booted again, but where what names
 * come from was kept with the recording.
 * @throws UnavailableError where the recording is not of this machine since it was booted.
 */
export function checkBoot(run: RunInfo): void {
  if (run.modules !== undefined || run.bootId === (readSetting('random/boot_id') ?? '')) return;
  throw new UnavailableError(
    "the stacks were recorded on another machine, or before this one was booted anew: their functions' names cannot be found out here",
    'next time let the run end by itself (or with one Ctrl-C), then the names are in the file',
  );
}

/** A file of /proc/sys/kernel, see Documentation/admin-guide/sysctl/kernel.rst; of another machine, as it was kept in a folder. */
export function readSetting(name: string, kept = ''): string | undefined {
  try {
    return readFileSync(join(kept, '/proc/sys/kernel', name), 'latin1').trim();
  } catch {
    return undefined;
  }
}

function sayState(state: PerfDataState, report: Report): void {
  if (state === 'missing' || state === 'empty') report.warn('perf was ended before it had recorded anything');
  if (state === 'repaired') report.warn('perf was killed: what it had not yet written to its file is lost');
}
