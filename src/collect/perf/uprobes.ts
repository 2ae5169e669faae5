import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode, errorMessage, UnavailableError } from '../../common/errors.ts';
import { log } from '../../common/log.ts';
import { isAlive, processIdentity } from '../../common/process-identity.ts';
import { type KernelMount, mountedTracefs, useTracefs } from '../ftrace/mounts.ts';

/** A place in a program or library. */
export interface ProbePlace {
  readonly path: string;
  /** Of the instruction, in the file. */
  readonly offset: number;
}

/** Our group of events: marple_<pid>_<start time of that process>. */
const GROUP = /^marple_(?<pid>\d+)_(?<startTime>\d+)(?:_\w+)?$/;
const FILES = ['uprobe_events', 'kprobe_events'] as const;
/** On the way out, perf may still be ending: its events are in use until it has. */
const RETRIES = 20;
const RETRY_MS = 50;

const live = new Set<Uprobes>();

process.on('exit', () => {
  for (const probes of live) probes.remove();
});

/**
 * Probes of our own on places in programs (Documentation/trace/uprobetracer.rst), as `perf probe` makes them: it writes
 * the same lines to the same file, but takes names that others use (in another group even) for its own, and reads debug
 * information of any size first. They go with `remove`, and at the latest when the process ends; should it be killed, with
 * the next run.
 */
export class Uprobes {
  private constructor(
    readonly tracefs: KernelMount,
    readonly group: string,
    /** `GROUP:NAME` of each place, in their order. */
    readonly events: readonly string[],
  ) {}

  /**
   * `name` begins the events' names: letters, digits, `_`. `args` is what is recorded, such as `size=%di:u64`.
   * @throws UnavailableError where the kernel refuses one: then there is none.
   */
  static async create(name: string, places: readonly ProbePlace[], args: string): Promise<Uprobes> {
    const tracefs = await useTracefs();
    const group = `marple_${process.pid}_${processIdentity()?.startTime ?? 0}`;
    const probes = new Uprobes(
      tracefs,
      group,
      places.map((_, index) => `${group}:${name}_${index}`),
    );
    live.add(probes);
    try {
      for (const [index, { path, offset }] of places.entries()) {
        const line = `p:${slashed(probes.events[index] as string)} ${path}:0x${offset.toString(16)} ${args}\n`;
        // Opened to append: opening it anew would remove everybody's probes.
        appendFileSync(join(tracefs.root, 'uprobe_events'), line);
      }
      return probes;
    } catch (error) {
      probes.remove();
      throw new UnavailableError(
        `the kernel refuses probes in programs (writing ${join(tracefs.root, 'uprobe_events')}: ${errorMessage(error)})`,
        process.geteuid?.() === 0
          ? 'see cat /sys/kernel/security/lockdown; the kernel needs CONFIG_UPROBE_EVENTS=y'
          : 'run it as root: sudo marple collect ...',
        { cause: error },
      );
    }
  }

  /** Texts of the events' format files, in their order. */
  formats(): string[] {
    return this.events.map((event) =>
      readFileSync(join(this.tracefs.root, 'events', slashed(event), 'format'), 'utf8'),
    );
  }

  /** At once, so that it works on the way out of the process too. */
  remove(): void {
    if (!live.delete(this)) return;
    for (const event of this.events) {
      const error = removeEvent(this.tracefs.root, 'uprobe_events', slashed(event), RETRIES);
      if (error !== undefined) log('warn', 'probe not removed', { event, error: errorMessage(error) });
    }
    this.tracefs.release();
  }
}

/**
 * Removes the probes of MARPLE processes that are dead, and nobody else's. What is still in use stays, for the run after.
 * Nothing is mounted for it. Returns how many were removed.
 */
export function clearStaleProbes(): number {
  const root = mountedTracefs();
  if (root === undefined) return 0;
  let removed = 0;
  for (const group of foldersIn(join(root, 'events'))) {
    const { pid, startTime } = GROUP.exec(group)?.groups ?? {};
    if (pid === undefined || isAlive({ pid: Number(pid), startTime: Number(startTime) })) continue;
    for (const file of FILES) {
      for (const event of eventsIn(join(root, file)).filter((name) => name.startsWith(`${group}/`))) {
        if (removeEvent(root, file, event, RETRIES) === undefined) removed++;
      }
    }
  }
  return removed;
}

// p:uprobes/p__usr_lib_x86_64_linux_gnu_libc_so_6_99130_1_bcc_14032 /usr/lib/x86_64-linux-gnu/libc.so.6:0x0000000000099130
/** Removes the probes that a BCC of ours, which has ended, has left: their names end with its pid. Returns how many, and how many are still in use. */
export function removeBccProbes(pid: number): { readonly removed: number; readonly left: number } {
  const root = mountedTracefs();
  let [removed, left] = [0, 0];
  if (root === undefined) return { removed, left };
  for (const file of FILES) {
    for (const event of eventsIn(join(root, file)).filter((name) => name.endsWith(`_bcc_${pid}`))) {
      const error = removeEvent(root, file, event, RETRIES);
      if (error === undefined) removed++;
      else {
        left++;
        log('warn', "BCC's probe not removed", { event, error: errorMessage(error) });
      }
    }
  }
  return { removed, left };
}

// p:marple_5201_417/perf_malloc_0 /usr/lib/x86_64-linux-gnu/libc.so.6:0x0000000000098930 size=%di:u64
/** `GROUP/NAME` of all events in a list; none where this kernel has no such events. */
function eventsIn(path: string): string[] {
  try {
    const lines = readFileSync(path, 'latin1').split('\n');
    return lines.flatMap((line) => /^[pr]\d*:(\S+)/.exec(line)?.[1] ?? []);
  } catch {
    return [];
  }
}

/** Gives the error where it could not be removed; one that is not there counts as removed. */
function removeEvent(root: string, file: string, event: string, retries: number): unknown {
  for (let attempt = 0; ; attempt++) {
    try {
      appendFileSync(join(root, file), `-:${event}\n`);
      return undefined;
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      if (errorCode(error) !== 'EBUSY' || attempt === retries) return error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
  }
}

function slashed(event: string): string {
  return event.replace(':', '/');
}

function foldersIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
