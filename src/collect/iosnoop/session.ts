import { lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { EXIT, MarpleError, UnavailableError } from '../../common/errors.ts';
import { findExecutable } from '../../common/executables.ts';
import { installRoot } from '../../common/paths.ts';
import { describeExit, startTool, type ToolProcess } from '../../common/process.ts';
import { type KernelMount, useDebugfs } from '../ftrace/mounts.ts';
import { isTitle } from './rows.ts';

/** The tools of perf-tools share it; each writes its pid, and a killed one leaves it. */
const LOCK = '/var/tmp/.ftrace-lock';
const INSTALL = 'apt-get install perf-tools-unstable, then ./setup.sh';

const live = new Set<IosnoopSession>();

process.on('exit', () => {
  for (const session of live) session.restore();
});

/**
 * One run of iosnoop(8) of perf-tools. It works in the global trace under /sys/kernel/debug/tracing and changes its
 * tracer and buffer size; both are as before when the session is closed. What was in the global trace is lost.
 */
export class IosnoopSession {
  readonly #tracing: string;
  readonly #before: ReadonlyMap<string, string>;
  readonly tool: ToolProcess;
  /** What should be known about the run. */
  readonly notes: readonly string[];
  #stopped = false;
  #lost = 0;

  private constructor(
    readonly debugfs: KernelMount,
    notes: readonly string[],
  ) {
    this.#tracing = join(debugfs.root, 'tracing');
    this.notes = notes;
    const names = ['buffer_size_kb', 'current_tracer'];
    this.#before = new Map(names.map((name) => [name, firstWord(readFileSync(join(this.#tracing, name), 'utf8'))]));
    live.add(this);
    // Its live mode: rows come while it runs, there is no end to the buffer, and it can be stopped at any time.
    this.tool = startTool([iosnoopPath(), '-ts'], { graceMs: 5000 });
  }

  /** @throws UnavailableError where the tool is missing, its file system is, or another program has the global trace. */
  static async start(): Promise<IosnoopSession> {
    iosnoopPath();
    const debugfs = await useDebugfs();
    try {
      const notes = clearLock();
      const tracer = readFileSync(join(debugfs.root, 'tracing/current_tracer'), 'utf8').trim();
      if (tracer !== 'nop') {
        throw new UnavailableError(
          `the global trace is in use (tracer ${tracer}), and iosnoop would end that`,
          'echo nop | sudo tee /sys/kernel/tracing/current_tracer',
        );
      }
      return new IosnoopSession(debugfs, notes);
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
    for await (const line of createInterface({ input: this.tool.stdout, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (titled) {
        if (line !== '' && line !== 'Ending tracing...') yield line;
      } else if (isTitle(line)) {
        titled = true;
        started();
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
   * Ends the tracing so that no row is lost: the reader of the trace, a child of the tool, is ended, and the tool then
   * prints what it has and cleans up behind itself.
   */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#lost = this.#overruns();
    for (const pid of membersOf(this.tool.pid, 'cat')) process.kill(pid, 'SIGTERM');
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
      for (const [name, value] of this.#before) writeFileSync(join(this.#tracing, name), value);
      clearLock();
    } finally {
      this.debugfs.release();
    }
  }

  #overruns(): number {
    return readdirSync(join(this.#tracing, 'per_cpu'))
      .map((cpu) => readFileSync(join(this.#tracing, 'per_cpu', cpu, 'stats'), 'utf8'))
      .reduce((sum, text) => sum + Number(/^overrun: *(\d+)/mu.exec(text)?.[1] ?? 0), 0);
  }
}

/** The tool: as ./setup.sh links it, else as the package installs it. @throws UnavailableError where it is missing. */
function iosnoopPath(): string {
  const linked = findExecutable(join(installRoot(), 'vendor/perf-tools/iosnoop'), { optional: true });
  const path = linked ?? findExecutable('iosnoop-perf', { optional: true });
  if (path === undefined) throw new UnavailableError('iosnoop is not installed', INSTALL);
  return path;
}

/** `7 (expanded: 1410)` is a buffer that nobody has used yet. */
function firstWord(text: string): string {
  return text.trim().split(' ')[0] ?? '';
}

/**
 * Removes the lock of a tool that is dead. Returns a sentence where there was one.
 * @throws UnavailableError where its tool is alive.
 */
function clearLock(): string[] {
  let pid: string;
  try {
    if (!lstatSync(LOCK).isFile()) return [];
    pid = readFileSync(LOCK, 'utf8').trim();
  } catch {
    return [];
  }
  if (/^\d+$/u.test(pid) && isAlive(Number(pid))) {
    throw new UnavailableError(`another tool uses the global trace (pid ${pid}, ${LOCK})`, 'end that tool');
  }
  rmSync(LOCK, { force: true });
  return [`removed the lock ${LOCK} that a killed tool (pid ${pid}) had left`];
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
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
