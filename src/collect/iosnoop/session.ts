import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { EXIT, errorCode, errorMessage, MarpleError, UnavailableError } from '../../common/errors.ts';
import { findExecutable, installHint } from '../../common/executables.ts';
import { log } from '../../common/log.ts';
import { installRoot } from '../../common/paths.ts';
import { describeExit, startTool, type ToolProcess } from '../../common/process.ts';
import { isAlive, processIdentity } from '../../common/process-identity.ts';
import { readRegular } from '../../common/regular-file.ts';
import { parseStats } from '../../formats/ftrace.ts';
import { isTitle } from '../../formats/iosnoop.ts';
import { plainLines } from '../../formats/lines.ts';
import { type KernelMount, mountedTracefs, useDebugfs } from '../ftrace/mounts.ts';

/** The tools of perf-tools share it; each writes its pid, and a killed one leaves it. */
const LOCK = '/var/tmp/.ftrace-lock';

/** Files of the global trace that the tool writes. The events come first: nothing is recorded while the rest changes. */
const EVENT_SWITCHES = ['events/block/block_rq_issue/enable', 'events/block/block_rq_complete/enable'] as const;
const CHANGED = [...EVENT_SWITCHES, 'current_tracer', 'buffer_size_kb'] as const;

/**
 * Where a session notes what the global trace was like, so that a later run can put it back if this one is killed:
 * marple-<pid>-<start time of that process>-global-trace. It goes with a reboot, as the trace does.
 */
const NOTES = '/run';
const NOTE_NAME = /^marple-(?<pid>\d+)-(?<startTime>\d+)-global-trace$/u;
const noteSchema = z.array(z.tuple([z.enum(CHANGED), z.string()]));

const DRAIN_STEP_MS = 20;
/** Longest wait for the tool to have read the events that are recorded when it is stopped. */
const DRAIN_MS = 5000;

const live = new Set<IosnoopSession>();

process.on('exit', () => {
  for (const session of live) session.restore();
});

/**
 * One run of iosnoop(8) of perf-tools. It works in the global trace under /sys/kernel/debug/tracing and changes its
 * tracer, buffer size and events; all are as before when the session is closed. What was in the global trace is lost.
 */
export class IosnoopSession {
  readonly #tracing: string;
  readonly #before: ReadonlyMap<string, string>;
  readonly #note: string;
  readonly tool: ToolProcess;
  /** What should be known about the run. */
  readonly notes: readonly string[];
  #stopped = false;
  #lost = 0;

  private constructor(
    readonly debugfs: KernelMount,
    notes: readonly string[],
    stop: AbortSignal,
  ) {
    this.#tracing = join(debugfs.root, 'tracing');
    this.notes = notes;
    this.#before = new Map(CHANGED.map((name) => [name, valueIn(readFileSync(join(this.#tracing, name), 'utf8'))]));
    this.#note = join(NOTES, `marple-${process.pid}-${processIdentity()?.startTime ?? 0}-global-trace`);
    writeFileSync(this.#note, JSON.stringify([...this.#before]), { mode: 0o600 });
    live.add(this);
    // Its live mode: rows come while it runs, there is no end to the buffer, and it can be stopped at any time.
    this.tool = startTool([iosnoopPath(), '-ts'], { graceMs: 5000, mustBegin: stop });
  }

  /**
   * The tool is ended where `stop` aborts before it traces.
   * @throws UnavailableError where the tool is missing, its file system is, or another program has the global trace.
   */
  static async start(stop: AbortSignal): Promise<IosnoopSession> {
    iosnoopPath();
    const debugfs = await useDebugfs();
    try {
      const notes = clearLock();
      refuseIfInUse(join(debugfs.root, 'tracing'));
      return new IosnoopSession(debugfs, notes, stop);
    } catch (error) {
      debugfs.release();
      throw error;
    }
  }

  /** Clock of the global trace, `local` for one. */
  clock(): string {
    return /\[(\w[\w-]*)\]/u.exec(readFileSync(join(this.#tracing, 'trace_clock'), 'utf8'))?.[1] ?? 'local';
  }

  /**
   * The tool's lines behind its title; `started` is called at the title. Ends when the tool has ended.
   * @throws MarpleError where the tool failed before it traced.
   */
  async *lines(started: () => void): AsyncGenerator<string> {
    let titled = false;
    for await (const lines of plainLines(this.tool.stdout as AsyncIterable<Buffer>)) {
      for (const line of lines) {
        if (titled) {
          if (line !== '' && line !== 'Ending tracing...') yield line;
        } else if (isTitle(line)) {
          titled = true;
          this.tool.begun();
          started();
        }
      }
    }
    const exit = await this.tool.exit;
    if (!titled) {
      const why = describeExit(exit, this.tool.stderr());
      throw new MarpleError(
        `iosnoop could not trace: it ${why}`,
        EXIT.someFailed,
        'marple collect --tool disklat=ftrace',
      );
    }
  }

  /**
   * Ends the tracing so that no row is lost: the events are switched off, and when the tool has read what was recorded its
   * child that reads the trace is ended. The tool then prints what it has and cleans up behind itself.
   */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const path of EVENT_SWITCHES) writeFileSync(join(this.#tracing, path), '0');
    for (let waited = 0; waited < DRAIN_MS && this.#counted('entries') > 0; waited += DRAIN_STEP_MS) {
      await sleep(DRAIN_STEP_MS);
    }
    this.#lost = this.#counted('overrun');
    let ended = false;
    void this.tool.exit.then(() => (ended = true));
    // The reader starts a moment after the title, so that it can be too early to end it.
    while (!ended) {
      for (const pid of membersOf(this.tool.pid, 'cat')) endProcess(pid);
      await Promise.race([sleep(DRAIN_STEP_MS), this.tool.exit]);
    }
  }

  /** Events that were overwritten before the tool read them. */
  get lost(): number {
    return this.#lost;
  }

  /** Ends the tool if it still runs, and puts the global trace back to what it was. */
  async close(): Promise<void> {
    await this.tool.stop();
    this.restore();
  }

  /** Puts back what the tool changed, at once, so that it works on the way out of the process too. */
  restore(): void {
    if (!live.delete(this)) return;
    try {
      putBack(this.#tracing, this.#before);
      clearLock();
      rmSync(this.#note, { force: true });
    } finally {
      this.debugfs.release();
    }
  }

  /** A counter of the global trace, over all CPUs. */
  #counted(name: 'entries' | 'overrun'): number {
    return readdirSync(join(this.#tracing, 'per_cpu'))
      .map((cpu) => parseStats(0, readFileSync(join(this.#tracing, 'per_cpu', cpu, 'stats'), 'utf8')))
      .reduce((sum, stats) => sum + stats[name], 0);
  }
}

function putBack(tracing: string, before: Iterable<readonly [string, string]>): void {
  for (const [name, value] of before) writeFileSync(join(tracing, name), value);
}

/**
 * Puts the global trace back to what it was before sessions whose MARPLE was killed, unless a tool uses it now: then it is
 * for the next run. Returns how many there were; nothing is mounted for it.
 */
export function clearStaleSessions(): number {
  const tracing = mountedTracefs();
  if (tracing === undefined) return 0;
  let cleared = 0;
  for (const name of readdirSync(NOTES)) {
    const { pid, startTime } = NOTE_NAME.exec(name)?.groups ?? {};
    if (pid === undefined || isAlive({ pid: Number(pid), startTime: Number(startTime) })) continue;
    const path = join(NOTES, name);
    try {
      clearLock();
      putBack(tracing, noteSchema.parse(JSON.parse(readFileSync(path, 'utf8'))));
      rmSync(path);
      cleared++;
    } catch (error) {
      log('warn', 'global trace not put back', { path, error: errorMessage(error) });
    }
  }
  return cleared;
}

/** The tool: as ./setup.sh links it, else as the package installs it. @throws UnavailableError where it is missing. */
function iosnoopPath(): string {
  const linked = findExecutable(join(installRoot(), 'vendor/perf-tools/iosnoop'), { optional: true });
  const path = linked ?? findExecutable('iosnoop-perf', { optional: true });
  if (path === undefined) throw new UnavailableError('iosnoop is not installed', installHint('iosnoop'));
  return path;
}

/**
 * The value to put back. `7 (expanded: 1410)` is a buffer that nobody has used yet: whoever uses it first gets 1410 KiB. That
 * happens once only, so that 7 KiB would be all that the next one got. `0*` is a switch whose event has triggers.
 */
function valueIn(text: string): string {
  return /\(expanded: (\d+)\)/u.exec(text)?.[1] ?? text.trim().replace('*', '');
}

/** @throws UnavailableError where another program uses the global trace: iosnoop would end that. */
function refuseIfInUse(tracing: string): void {
  const tracer = readFileSync(join(tracing, 'current_tracer'), 'utf8').trim();
  if (tracer !== 'nop') {
    throw new UnavailableError(
      `the global trace is in use (tracer ${tracer}), and iosnoop would end that`,
      'echo nop | sudo tee /sys/kernel/tracing/current_tracer',
    );
  }
  const [event] = readFileSync(join(tracing, 'set_event'), 'utf8').trim().split('\n');
  if (event !== undefined && event !== '') {
    throw new UnavailableError(
      `the global trace is in use (event ${event}), and iosnoop would clear it`,
      'echo | sudo tee /sys/kernel/tracing/set_event',
    );
  }
}

/**
 * Removes the lock of a tool that is dead. Returns a sentence where there was one.
 * @throws UnavailableError where its tool is alive.
 */
function clearLock(): string[] {
  let pid: string;
  try {
    // Anybody can put something there.
    pid = readRegular(LOCK, 4096).toString().trim();
  } catch {
    return [];
  }
  if (/^\d+$/u.test(pid) && processIdentity(Number(pid)) !== undefined) {
    throw new UnavailableError(`another tool uses the global trace (pid ${pid}, ${LOCK})`, 'end that tool');
  }
  rmSync(LOCK, { force: true });
  return [`removed the lock ${LOCK} that a killed tool (pid ${pid}) had left`];
}

/** Processes of a process group that have this name. Group: field 5 of /proc/PID/stat (proc_pid_stat(5)). */
function membersOf(group: number, comm: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/u.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
        const end = stat.lastIndexOf(')');
        const name = stat.slice(stat.indexOf('(') + 1, end);
        return name === comm && Number(stat.slice(end + 2).split(' ')[2]) === group;
      } catch {
        return false;
      }
    });
}

/** Asks a process to end; one that has ended by now needs no asking. */
function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}
