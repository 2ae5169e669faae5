import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach } from 'vitest';

const CLI = join(import.meta.dirname, '../../dist/marple.cjs');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A private folder to run in, with state and config of its own. */
export interface Place {
  readonly dir: string;
  path(name: string): string;
  /** Runs `marple` to its end. */
  marple(args: readonly string[], options?: RunOptions): Promise<Ended>;
  /** Starts `marple` and leaves it running. */
  start(args: readonly string[], options?: RunOptions): Running;
  /** Temporary folders and tracefs instances of the MARPLEs that were started here. */
  leftovers(): string[];
  remove(): void;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** A program and its arguments that starts marple, such as `setpriv --reuid 65534`. */
  readonly through?: readonly string[];
}

export interface Running {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when stderr holds the text. */
  says(text: string): Promise<void>;
}

const places = new Set<string>();

// A test that failed may be tried again: what it wrote is taken away, so that it begins as it did.
beforeEach(({ onTestFailed }) => {
  const before = new Map([...places].map((dir) => [dir, new Set(filesBelow(dir))]));
  onTestFailed(() => {
    for (const dir of places) {
      for (const file of filesBelow(dir)) {
        if (before.get(dir)?.has(file) !== true) rmSync(join(dir, file), { recursive: true, force: true });
      }
    }
  });
});

export function makePlace(): Place {
  const dir = mkdtempSync(join(tmpdir(), 'marple-e2e-'));
  places.add(dir);
  // Some tests run as another user.
  chmodSync(dir, 0o755);
  const temp = join(dir, 'temp');
  mkdirSync(temp);
  chmodSync(temp, 0o1777);
  const pids = new Set<number>();
  const start = (args: readonly string[], options: RunOptions = {}): Running => {
    const [program, ...rest] = [...(options.through ?? []), process.execPath, CLI, ...args];
    const child = spawn(program as string, rest, {
      cwd: dir,
      env: {
        PATH: process.env['PATH'],
        LC_ALL: 'C',
        TZ: 'UTC',
        HOME: dir,
        TMPDIR: temp,
        XDG_STATE_HOME: join(dir, 'state'),
        XDG_CONFIG_HOME: join(dir, 'config'),
        ...options.env,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    pids.add(child.pid as number);
    const stdout: Buffer[] = [];
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    const ended = new Promise<Ended>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, stdout: Buffer.concat(stdout).toString(), stderr }));
    });
    return {
      pid: child.pid as number,
      ended,
      kill: (signal) => child.kill(signal),
      says: async (text) => {
        let over = false;
        void ended.then(() => {
          over = true;
        });
        while (!stderr.includes(text)) {
          if (over) throw new Error(`marple ended without saying '${text}': ${stderr}`);
          await sleep(10);
        }
      },
    };
  };
  return {
    dir,
    path: (name) => join(dir, name),
    marple: (args, options) => start(args, options).ended,
    start,
    leftovers: () => [...readdirSync(temp), ...instancesOf(pids)],
    remove: () => {
      places.delete(dir);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function filesBelow(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' });
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Names of the tracefs instances that these processes have made. */
function instancesOf(pids: ReadonlySet<number>): string[] {
  try {
    return readdirSync('/sys/kernel/tracing/instances').filter((name) =>
      pids.has(Number(/^marple-(\d+)-/.exec(name)?.[1])),
    );
  } catch {
    return [];
  }
}
