import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Sample } from './measurement.ts';

/** A program and its arguments. */
export type Command = readonly string[];

export interface RunOptions {
  /** File for stdin of the first program; empty where there is none. */
  readonly stdin?: string;
  /** File for stdout of the last one; it is thrown away where there is none. */
  readonly stdout?: string;
}

/**
 * Runs commands as a pipeline, and measures it from the first start to the last end.
 * @throws Error with what it wrote to stderr, where one of them fails.
 */
export async function runPipeline(commands: readonly Command[], options: RunOptions = {}): Promise<Sample> {
  const folder = await mkdtemp(join(tmpdir(), 'marple-bench-'));
  try {
    const input = openSync(options.stdin ?? '/dev/null', 'r');
    const output = openSync(options.stdout ?? '/dev/null', 'w');
    const pipes = commands.slice(1).map((_, i) => openPipe(join(folder, `pipe-${i}`)));
    const started = performance.now();
    const stages = commands.map((command, i) => {
      const [stdin, stdout] = [pipes[i - 1]?.read ?? input, pipes[i]?.write ?? output];
      return startStage(command, [stdin, stdout], join(folder, `${i}`));
    });
    // A reader sees the end only when nobody else holds the pipe.
    for (const fd of [input, output, ...pipes.flatMap(({ read, write }) => [read, write])]) closeSync(fd);
    const used = await Promise.all(stages);
    const seconds = (performance.now() - started) / 1000;
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
    return { seconds, cpu: sum(used.map(({ cpu }) => cpu)), peak: sum(used.map(({ peak }) => peak)) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export function runCommand(command: Command, options: RunOptions = {}): Promise<Sample> {
  return runPipeline([command], options);
}

/** GNU time: the system tells what a process used only to its parent, and Node does not pass it on. */
export const TIME = '/usr/bin/time';

/** The same command under time(1), which writes what it used to `file`. */
export function timed(command: Command, file: string): string[] {
  return [TIME, '-q', '-f', '%e %U %S %M', '-o', file, '--', ...command];
}

/** What time(1) wrote: the seconds, in hundredths. */
export function readTimes(file: string): Sample {
  const [seconds = 0, user = 0, system = 0, kibibytes = 0] = readFileSync(file, 'utf8').trim().split(' ').map(Number);
  return { seconds, cpu: user + system, peak: kibibytes * 1024 };
}

async function startStage(
  command: Command,
  [stdin, stdout]: readonly [number, number],
  files: string,
): Promise<Sample> {
  const errors = openSync(`${files}.err`, 'w');
  const [program = '', ...args] = timed(command, `${files}.time`);
  const child = spawn(program, args, { stdio: [stdin, stdout, errors], env: { ...process.env, LC_ALL: 'C' } });
  closeSync(errors);
  const code = await exitCode(child);
  if (code !== 0) {
    const said = readFileSync(`${files}.err`, 'utf8').trim();
    throw new Error(`${command.join(' ')} ended with ${code}: ${said}`);
  }
  return readTimes(`${files}.time`);
}

function exitCode(child: ChildProcess): Promise<number | string | null> {
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('exit', (code, signal) => done(signal ?? code));
  });
}

/** A pipe that two programs can be given: Node has none without itself at one end. */
function openPipe(path: string): { read: number; write: number } {
  spawnSync('mkfifo', [path]);
  // Opened for both first, since an end by itself waits for the other.
  const both = openSync(path, 'r+');
  const ends = { read: openSync(path, 'r'), write: openSync(path, 'w') };
  closeSync(both);
  return ends;
}
