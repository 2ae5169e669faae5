import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
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
  /** Temporary folders, tracefs instances, probes and tools of the MARPLEs that were started here. */
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

/** @param options.shared whether several tests use it: then what a failed one wrote is taken away. */
export function makePlace(options: { readonly shared?: boolean } = {}): Place {
  const dir = mkdtempSync(join(tmpdir(), 'marple-e2e-'));
  if (options.shared !== false) places.add(dir);
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
    leftovers: () => [...readdirSync(temp), ...tracesOf(pids), ...toolsOf(pids).map(({ command }) => command)],
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

/** A tool that MARPLE has started, or a program that this has started. */
export interface RunningTool {
  readonly pid: number;
  readonly command: string;
  /** One letter, as ps(1) has it. */
  readonly state: string;
}

/** The tools of these MARPLEs that run now: their environment says whose they are. Zombies do not count. */
export function toolsOf(marples: ReadonlySet<number>): RunningTool[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const owner = /(?:^|\0)MARPLE_OWNER=(\d+)-/.exec(readFileSync(`/proc/${name}/environ`, 'latin1'))?.[1];
        if (owner === undefined || !marples.has(Number(owner))) return [];
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        const state = /^State:\s+(\w)/m.exec(readFileSync(`/proc/${name}/status`, 'latin1'))?.[1] ?? '?';
        return [{ pid: Number(name), command, state }];
      } catch {
        return [];
      }
    });
}

/** Tracefs instances and probes that these processes have made. */
function tracesOf(pids: ReadonlySet<number>): string[] {
  const isOwn = (name: string): boolean => pids.has(Number(/marple[-_](\d+)[-_]/.exec(name)?.[1]));
  try {
    const instances = readdirSync('/sys/kernel/tracing/instances');
    const probes = readFileSync('/sys/kernel/tracing/uprobe_events', 'utf8').split('\n');
    return [...instances, ...probes].filter(isOwn);
  } catch {
    return [];
  }
}
