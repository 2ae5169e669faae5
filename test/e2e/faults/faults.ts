import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test as base, expect } from 'vitest';
import { type Ended, makePlace, type Place, type RunOptions, sleep, toolsOf } from '../marple.ts';

/** A place with what a test of a fault needs besides. */
export interface FaultPlace extends Place {
  /** Puts a program of this text before all others of its name; `standIns` is the environment that makes MARPLE take it. */
  standIn(name: string, script: string): void;
  readonly standIns: Readonly<Record<string, string>>;
  /** The user's own config.txt. */
  configure(text: string): void;
}

/** No tool in these tests gets more than this to begin, to answer and to end. */
export const TOOL_TIMEOUT = '[General]\ntool_timeout = 2\n';

/**
 * A test with a place of its own. When it is over nothing of the MARPLEs that it ran may be left: no tool, no temporary
 * folder, no trace instance, no probe, no changed setting.
 */
export const test = base.extend<{ place: FaultPlace }>({
  // biome-ignore lint/correctness/noEmptyPattern: the framework wants a pattern here.
  place: async ({}, use) => {
    const before = kernelSettings();
    const place = faultPlace();
    try {
      await use(place);
      await settled(() => place.leftovers().length === 0);
      expect(place.leftovers()).toEqual([]);
      expect(kernelSettings()).toEqual(before);
    } finally {
      place.remove();
    }
  },
});

function faultPlace(): FaultPlace {
  const place = makePlace({ shared: false });
  const programs = place.path('programs');
  mkdirSync(programs);
  const configure = (text: string): void => {
    mkdirSync(place.path('config/marple'), { recursive: true });
    writeFileSync(place.path('config/marple/config.txt'), text);
  };
  configure(TOOL_TIMEOUT);
  return {
    ...place,
    standIns: { MARPLE_TOOL_PATH: programs },
    standIn: (name, script) => {
      writeFileSync(join(programs, name), `#!/bin/bash\n${script}\n`);
      chmodSync(join(programs, name), 0o755);
    },
    configure,
  };
}

const TRACING = '/sys/kernel/tracing';

/** What MARPLE, or a tool that it runs, could have changed for all. */
export function kernelSettings(): Record<string, string> {
  const values: Record<string, string> = {};
  const read = (path: string): string => readFileSync(path, 'utf8').trim();
  for (const name of ['perf_event_paranoid', 'perf_event_mlock_kb', 'kptr_restrict', 'perf_event_max_stack']) {
    values[name] = read(`/proc/sys/kernel/${name}`);
  }
  for (const name of ['current_tracer', 'tracing_on', 'trace_clock', 'set_event', 'events/block/enable']) {
    values[name] = read(join(TRACING, name));
  }
  values['mounts'] = read('/proc/self/mounts')
    .split('\n')
    .filter((line) => / \/sys\/kernel/.test(line))
    .join('\n');
  return values;
}

/** Waits, five seconds at most. */
export async function settled(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 250 && !condition(); i++) await sleep(20);
}

/** An error as DESIGN has it: the exit code, one sentence (of `marple:`), and a hint. */
export function expectFailure(ended: Ended, code: number, sentence: RegExp, hint: RegExp): void {
  expect({ code: ended.code, stderr: ended.stderr }).toMatchObject({ code, stderr: expect.stringMatching(sentence) });
  expect(ended.stderr).toMatch(/^marple: /m);
  expect(ended.stderr.match(/^hint: .*$/gm)?.join('\n') ?? 'no hint').toMatch(hint);
  expect(ended.stderr).not.toMatch(/^ +at .*:\d+/m);
}

/** One section of a data file: its header, and its record lines. */
export interface Section {
  readonly header: Readonly<Record<string, unknown>> & { readonly interface: string; readonly warnings?: string[] };
  readonly lines: readonly string[];
}

/** The sections of a whole data file, whose headers count their records rightly. */
export function sectionsOf(path: string): Section[] {
  const found: { header: Section['header']; lines: string[] }[] = [];
  for (const line of readFileSync(path, 'utf8').trimEnd().split('\n')) {
    if (line.startsWith('{')) found.push({ header: JSON.parse(line) as Section['header'], lines: [] });
    else found.at(-1)!.lines.push(line);
  }
  for (const { header, lines } of found) expect(header['records']).toBe(lines.length);
  return found;
}

/** Runs the next `marple collect`, which clears what is left; gives what it says. */
export async function nextRun(place: Place, options: RunOptions = {}): Promise<string> {
  const next = await place.marple(['collect', 'system', '-t', '0.1', '-o', 'next.marple', '--force'], options);
  expect(next).toMatchObject({ code: 0 });
  return next.stderr;
}

/** Whether no tool of this MARPLE runs any more. */
export function noToolOf(pid: number): boolean {
  return toolsOf(new Set([pid])).length === 0;
}
