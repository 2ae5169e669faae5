import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { toolPath } from '../common/executables.ts';
import { type ProcessExit, startTool } from '../common/process.ts';
import { LineCutter } from './line-cutter.ts';

/** One thing that clush tells. */
export type ClushEvent =
  | { readonly node: string; readonly on: 'stdout' | 'stderr'; readonly line: string }
  /** The command of a host has ended with something else than 0; ssh itself ends with 255. */
  | { readonly node: string; readonly code: number }
  /** What clush says of itself, or a gateway. */
  | { readonly line: string };

export interface Clush {
  /** Gives a line to all hosts. */
  write(line: string): void;
  /** Gives bytes to all hosts. */
  writeBytes(bytes: Buffer): void;
  /** What the hosts print, and what clush says of them, until it has ended. */
  events(): AsyncGenerator<ClushEvent>;
  /** Closes the stdin of all hosts. */
  closeInput(): void;
  /** Ends it: the connections are closed. */
  stop(): Promise<ProcessExit>;
  readonly exit: Promise<ProcessExit>;
}

/** ClusterShell's own settings, and those of ssh, are the user's; programs are found as all tools are. */
export function clusterEnvironment(): Record<string, string> {
  const own = Object.fromEntries(Object.entries(process.env).flatMap(([k, v]) => (v === undefined ? [] : [[k, v]])));
  // Groups may be asked of programs that are elsewhere. Root runs nothing that others can put there.
  const path = process.geteuid?.() === 0 ? toolPath() : [toolPath(), own['PATH'] ?? ''].join(':');
  return { ...own, PATH: path, LC_ALL: 'C.UTF-8', PYTHONUNBUFFERED: '1' };
}

/** Starts a command on hosts, all at once. Nodes are names that were checked (nodes.ts). */
export function startClush(nodes: readonly string[], command: string, tempDir: string): Clush {
  const hostFile = join(tempDir, 'hosts');
  writeFileSync(hostFile, `${nodes.join('\n')}\n`, { mode: 0o600 });
  const input = new PassThrough();
  const queue = new Queue<ClushEvent>();
  const errors = new LineCutter((line) => queue.push(errorEvent(line, known)));
  const known = new Set(nodes);
  const tool = startTool(
    [
      'clush',
      '--quiet',
      '--color=never',
      '-O',
      'maxrc=no',
      // All run at the same time.
      `--fanout=${Math.max(nodes.length, 1)}`,
      // A gateway gathers lines for so many seconds, a quarter of one by default.
      '--grooming=0.01',
      `--hostfile=${hostFile}`,
      command,
    ],
    { input, env: clusterEnvironment(), onStderr: (chunk) => errors.add(chunk) },
  );
  void readLines(tool.stdout, queue, known).then(async () => {
    await tool.exit;
    errors.end();
    queue.end();
  });
  return {
    write: (line) => void input.write(`${line}\n`),
    writeBytes: (bytes) => void input.write(bytes),
    events: () => queue.all(),
    closeInput: () => void input.end(),
    stop: () => tool.stop(),
    exit: tool.exit,
  };
}

async function readLines(stdout: Readable, queue: Queue<ClushEvent>, known: ReadonlySet<string>): Promise<void> {
  const lines = new LineCutter((line) => {
    const event = labelled(line, known);
    queue.push(event === undefined ? { line } : { ...event, on: 'stdout' });
  });
  for await (const chunk of stdout as AsyncIterable<Buffer>) {
    lines.add(chunk);
    await queue.hasRoom();
  }
  lines.end();
}

/** `web1: text`. Names hold no blank, so the first `: ` is behind the name. */
function labelled(line: string, known: ReadonlySet<string>): { node: string; line: string } | undefined {
  const end = line.indexOf(': ');
  const node = end < 0 ? line.replace(/:$/, '') : line.slice(0, end);
  if (!known.has(node)) return undefined;
  return { node, line: end < 0 ? '' : line.slice(end + 2) };
}

// clush: web1: exited with exit code 255
const EXITED = /^clush: ([^ ]+): exited with exit code (\d+)$/;

function errorEvent(line: string, known: ReadonlySet<string>): ClushEvent {
  const event = labelled(line, known);
  if (event !== undefined) return { ...event, on: 'stderr' };
  const [, node, code] = EXITED.exec(line) ?? [];
  return node !== undefined && known.has(node) ? { node, code: Number(code) } : { line };
}

/** Events that wait to be taken; who brings them waits where they are many. */
class Queue<T> {
  #waiting: T[] = [];
  #isOver = false;
  #wake: () => void = () => undefined;
  #taken: () => void = () => undefined;

  push(event: T): void {
    this.#waiting.push(event);
    this.#wake();
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  async hasRoom(): Promise<void> {
    while (this.#waiting.length > 256) {
      await new Promise<void>((resolve) => {
        this.#taken = resolve;
      });
    }
  }

  async *all(): AsyncGenerator<T> {
    for (;;) {
      const events = this.#waiting;
      this.#waiting = [];
      this.#taken();
      yield* events;
      if (this.#waiting.length > 0) continue;
      if (this.#isOver) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
