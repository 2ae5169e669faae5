import { closeSync, fstatSync, openSync, readSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { execa } from 'execa';
import { EXIT, MarpleError } from './errors.ts';
import { findExecutable, toolPath } from './executables.ts';
import { pidNamespace, processIdentity } from './process-identity.ts';
import { systemHint, systemReason } from './system-reason.ts';
import { makeTempDir } from './temp.ts';

/** How a process ended: its exit status, or the signal that ended it. */
export interface ProcessExit {
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  /** Why MARPLE ended it before its time, where it did: `had not begun after 60 s`. */
  readonly ended?: string;
}

/** A running tool, in a process group of its own, ended by the kernel if MARPLE dies. */
export interface ToolProcess {
  readonly pid: number;
  readonly argv: readonly string[];
  readonly stdout: Readable;
  /** Pipes 3 and up, in the order of `pipes`. */
  readonly pipes: readonly (Readable & Writable)[];
  /** What it wrote to stderr so far, the last 64 KiB. */
  stderr(): string;
  /** Ends when the process has exited and its stdout is closed. Never rejects. */
  readonly exit: Promise<ProcessExit>;
  /** To be called when the tool does what it was started for, where it `mustBegin`. */
  begun(): void;
  /** Asks the group to end, waits for `graceMs`, then kills it. Resolves when it is gone. */
  stop(): Promise<ProcessExit>;
}

export interface ToolOptions {
  /** Signal that asks the tool to finish its output; perf wants SIGINT. Default SIGINT. */
  readonly stopSignal?: NodeJS.Signals;
  /** Time between that signal and SIGKILL, milliseconds, where it is less than the time that every tool has. */
  readonly graceMs?: number;
  /** Where it is given: until begun() is called, the tool is ended when this aborts, or when its time is over. */
  readonly mustBegin?: AbortSignal;
  /** Number of extra two-way pipes (fd 3, 4, ...). */
  readonly pipes?: number;
  /**
   * Whether it has files to complete should MARPLE be killed. Its stdout and stderr are then no pipes: what it says at the
   * end would end it by SIGPIPE before it is done. Both are in `stderr()`, and `stdout` is empty.
   */
  readonly completesFiles?: boolean;
  /** Added to the fixed environment of tools. */
  readonly env?: Readonly<Record<string, string>>;
  /** Text for the tool's stdin; it is empty by default. */
  readonly input?: string | Readable;
  readonly cwd?: string;
  /** Is given what it writes to stderr, as it comes. */
  readonly onStderr?: (chunk: Buffer) => void;
}

export interface CommandOutput extends ProcessExit {
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

const STDERR_KEPT = 64 * 1024;
/** Most that is kept of what a tool prints. */
const STDOUT_KEPT = 64 * 1024 * 1024;
/** A tool that has not begun has nothing to complete. */
const EARLY_GRACE_MS = 2_000;
const running = new Set<number>();

/** Milliseconds that a tool may take to begin, to answer, or to end. */
let toolTimeoutMs = 60_000;

/** Sets how long a tool may take to begin, to answer, or to end. */
export function setToolTimeout(seconds: number): void {
  toolTimeoutMs = seconds * 1000;
}

/** So many milliseconds, or what a tool may take where that is less. */
export function patience(ms: number): number {
  return Math.min(ms, toolTimeoutMs);
}

// The last way out, for exits that could not wait for stop(): no tool outlives MARPLE.
process.on('exit', () => {
  for (const pid of running) signalGroup(pid, 'SIGKILL');
});

/** The pids of the tools that run now. */
export function runningTools(): number[] {
  return [...running];
}

/** The variable in a tool's environment that says whose it is: `<pid>-<its start time>-<its pid namespace>` of its MARPLE. */
export const OWNER_VARIABLE = 'MARPLE_OWNER';

/** Environment of every tool: fixed, so that neither locale nor PATH of the caller changes what is run or printed. */
export function toolEnvironment(): Record<string, string> {
  const owner = `${process.pid}-${processIdentity()?.startTime ?? 0}-${pidNamespace()}`;
  return { PATH: toolPath(), HOME: '/', LC_ALL: 'C', TZ: 'UTC', TERM: 'dumb', [OWNER_VARIABLE]: owner };
}

/**
 * Starts a tool. `argv[0]` is looked up in toolPath(). The tool leads a process group and session of its own and gets
 * SIGINT when MARPLE dies (setpriv(1) --pdeathsig).
 * @throws UnavailableError where the program is not there; MarpleError where the system has no room for it.
 */
export function startTool(argv: readonly string[], options: ToolOptions = {}): ToolProcess {
  const command = guarded(argv);
  const pipeCount = options.pipes ?? 0;
  checkDescriptors(command, 3 + pipeCount);
  const extra = Array.from({ length: pipeCount }, () => 'pipe' as const);
  const words = options.completesFiles === true ? new NamelessFile() : undefined;
  // Any number is a descriptor that is passed on; execa's types know them up to 9.
  const output = words === undefined ? 'pipe' : (words.fd as 9);
  const child = execa(command[0] as string, command.slice(1), {
    stdio: [options.input === undefined ? 'ignore' : 'pipe', output, output, ...extra],
    buffer: false,
    reject: false,
    detached: true,
    cleanup: false,
    extendEnv: false,
    env: { ...toolEnvironment(), ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const pid = child.pid;
  if (pid !== undefined) running.add(pid);
  if (options.input !== undefined) feed(child.stdin as Writable, options.input);
  const stderr = words === undefined ? tail(child.stderr as Readable) : () => words.tail();
  if (options.onStderr !== undefined) child.stderr?.on('data', options.onStderr);
  let ended: string | undefined;
  const exit = child.then((result): ProcessExit => {
    if (pid !== undefined) running.delete(pid);
    words?.close();
    const signal = result.signal as NodeJS.Signals | undefined;
    if (pid === undefined) ended = `could not be started: ${systemReason(result.cause)}`;
    return { code: result.exitCode, signal, ...(ended === undefined ? {} : { ended }) };
  });
  const stopSignal = options.stopSignal ?? 'SIGINT';
  const stop = (graceMs = toolTimeoutMs): Promise<ProcessExit> => {
    const limitMs = patience(graceMs);
    return stopGroup(pid, exit, stopSignal, limitMs, () => {
      ended ??= `had not ended ${limitMs / 1000} s after it was asked to, and was killed`;
    });
  };
  const stopEarly = (why: string): void => {
    ended = why;
    void stop(EARLY_GRACE_MS);
  };
  const begun = options.mustBegin === undefined ? undefined : new Beginning(options.mustBegin, exit, stopEarly);
  return {
    pid: pid ?? -1,
    argv,
    stdout: words === undefined ? (child.stdout as Readable) : Readable.from([]),
    pipes: (child.stdio as unknown[]).slice(3) as (Readable & Writable)[],
    stderr,
    exit,
    begun: () => begun?.done(),
    stop: () => stop(begun?.isDone === false ? EARLY_GRACE_MS : options.graceMs),
  };
}

/** Without enough file descriptors Node starts no process, and fails where nobody can catch it. */
function checkDescriptors([program]: readonly string[], pipes: number): void {
  const opened: number[] = [];
  try {
    // The two ends of each pipe, and what Node needs to learn whether the program could be run.
    for (let i = 0; i < 2 * pipes + 4; i++) opened.push(openSync('/dev/null', 'r'));
  } catch (error) {
    throw new MarpleError(
      `${program} cannot be started: ${systemReason(error)}`,
      EXIT.unavailable,
      systemHint(error) ?? 'see what is short: ulimit -a',
      { cause: error },
    );
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** Watches that a tool begins. */
class Beginning {
  isDone = false;
  readonly #timer: NodeJS.Timeout;
  readonly #onAbort: () => void;

  constructor(
    readonly signal: AbortSignal,
    exit: Promise<unknown>,
    end: (why: string) => void,
  ) {
    this.#timer = setTimeout(() => end(`had not begun after ${toolTimeoutMs / 1000} s`), toolTimeoutMs);
    this.#onAbort = () => end('was stopped before it had begun');
    if (signal.aborted) this.#onAbort();
    else signal.addEventListener('abort', this.#onAbort, { once: true });
    void exit.then(() => this.#off());
  }

  done(): void {
    this.isDone = true;
    this.#off();
  }

  #off(): void {
    clearTimeout(this.#timer);
    this.signal.removeEventListener('abort', this.#onAbort);
  }
}

/**
 * Runs a short tool to its end and gives its output. One that takes too long (`timedOut`), or prints more than 64 MiB, is
 * ended: `ended` says so.
 * @throws UnavailableError where the program is not there.
 */
export async function runTool(
  argv: readonly string[],
  options: ToolOptions & { readonly timeoutMs?: number } = {},
): Promise<CommandOutput> {
  const tool = startTool(argv, { graceMs: EARLY_GRACE_MS, ...options });
  const limitMs = patience(options.timeoutMs ?? toolTimeoutMs);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    void tool.stop();
  }, limitMs);
  const { bytes, isWhole } = await readOutput(tool);
  const exit = await tool.exit;
  clearTimeout(timer);
  const why = timedOut ? `had not ended after ${limitMs / 1000} s` : isWhole ? undefined : PRINTED_TOO_MUCH;
  const ended = why === undefined ? {} : { ended: why };
  return { ...exit, ...ended, stdout: bytes.toString('utf8'), stderr: tool.stderr(), timedOut };
}

/** What is said of a tool that does not cease to print. */
export const PRINTED_TOO_MUCH = `printed more than ${STDOUT_KEPT / 1024 / 1024} MiB`;

/** All that a tool prints to its stdout; one that prints more than 64 MiB is stopped, and what it printed is not whole. */
export async function readOutput(tool: ToolProcess): Promise<{ readonly bytes: Buffer; readonly isWhole: boolean }> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of tool.stdout as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= STDOUT_KEPT) chunks.push(chunk);
    else void tool.stop();
  }
  return { bytes: Buffer.concat(chunks), isWhole: size <= STDOUT_KEPT };
}

/** The user's own command: it shares MARPLE's group, terminal, stdin, stdout and stderr, and is never ended by MARPLE. */
export interface UserCommand {
  readonly pid: number;
  /** Exit status as a shell gives it: 128+n on a signal. */
  readonly status: Promise<number>;
}

export function startCommand(argv: readonly string[]): UserCommand {
  const child = execa(argv[0] as string, argv.slice(1), { stdio: 'inherit', reject: false, cleanup: false });
  const status = child.then((result) => {
    if (result.signal !== undefined) return 128 + constants.signals[result.signal as NodeJS.Signals];
    return result.exitCode ?? (result.code === 'EACCES' ? 126 : 127);
  });
  return { pid: child.pid ?? -1, status };
}

/** Describes how a tool ended, for an error sentence: `exited with status 1: <last line of stderr>`. */
export function describeExit(exit: ProcessExit, stderr: string): string {
  const itself = exit.signal === undefined ? `exited with status ${exit.code ?? '?'}` : `was ended by ${exit.signal}`;
  const how = exit.ended ?? itself;
  const last = stderr.trim().split('\n').at(-1) ?? '';
  return last === '' ? how : `${how}: ${last}`;
}

function guarded(argv: readonly string[]): string[] {
  const program = findExecutable(argv[0] as string);
  const setpriv = findExecutable('setpriv', { optional: true });
  const plain = [program, ...argv.slice(1)];
  return setpriv === undefined ? plain : [setpriv, '--pdeathsig', 'INT', ...plain];
}

function feed(stdin: Writable, input: string | Readable): void {
  // A tool that ends before it has read its input closes the pipe: its exit status tells, not the EPIPE.
  stdin.on('error', () => undefined);
  if (typeof input === 'string') stdin.end(input);
  else input.pipe(stdin);
}

function tail(stream: Readable): () => string {
  let kept = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    kept = Buffer.concat([kept, chunk]);
    if (kept.length > 2 * STDERR_KEPT) kept = Buffer.from(kept.subarray(-STDERR_KEPT));
  });
  return () => kept.subarray(-STDERR_KEPT).toString('utf8');
}

/** A file that is gone with the last process that has it open. */
class NamelessFile {
  readonly fd: number;
  #kept: string | undefined;

  constructor() {
    const folder = makeTempDir();
    this.fd = openSync(join(folder, 'text'), 'wx+', 0o600);
    rmSync(folder, { recursive: true });
  }

  /** The last that was written to it. */
  tail(): string {
    if (this.#kept !== undefined) return this.#kept;
    const { size } = fstatSync(this.fd);
    const bytes = Buffer.alloc(Math.min(size, STDERR_KEPT));
    const length = readSync(this.fd, bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString('utf8', 0, length);
  }

  close(): void {
    this.#kept = this.tail();
    closeSync(this.fd);
  }
}

function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

async function stopGroup(
  pid: number | undefined,
  exit: Promise<ProcessExit>,
  signal: NodeJS.Signals,
  graceMs: number,
  onKill: () => void,
): Promise<ProcessExit> {
  if (pid === undefined || !running.has(pid)) return exit;
  signalGroup(pid, signal);
  // One that somebody has stopped (SIGSTOP) would not see it.
  signalGroup(pid, 'SIGCONT');
  const timer = setTimeout(() => {
    onKill();
    signalGroup(pid, 'SIGKILL');
  }, graceMs);
  try {
    return await exit;
  } finally {
    clearTimeout(timer);
  }
}
