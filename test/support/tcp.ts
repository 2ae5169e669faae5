import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { onTestFinished } from 'vitest';

/** A running test/programs/tcp.c. */
export interface TcpProgram {
  readonly pid: number;
  /** The next line that it writes. */
  line(): Promise<string>;
  write(line: string): void;
  /** Closes its stdin and waits for its end. */
  end(): Promise<void>;
}

export interface TcpServer extends TcpProgram {
  readonly port: number;
}

/** Starts it with these arguments, through another program (`ip netns exec NAME`) if asked; it ends with the test. */
export function startTcp(
  path: string,
  args: readonly (string | number)[],
  through: readonly string[] = [],
): TcpProgram {
  const [program, ...rest] = [...through, path, ...args.map(String)];
  const child: ChildProcess = spawn(program as string, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface(child.stdout as NonNullable<Interface & typeof child.stdout>)[Symbol.asyncIterator]();
  const exit = once(child, 'exit');
  return {
    pid: child.pid as number,
    line: async () => String((await lines.next()).value),
    write: (line) => child.stdin?.write(`${line}\n`),
    end: async () => {
      child.stdin?.end();
      await exit;
    },
  };
}

/** Starts a server and waits until it listens: mode, count, bytes in and out of each connection. */
export async function startServer(
  path: string,
  [name, address, ...rest]: readonly (string | number)[],
  through: readonly string[] = [],
): Promise<TcpServer> {
  const server = startTcp(path, ['serve', name as string, address as string, 0, ...rest], through);
  const port = Number(/^ready (\d+)$/u.exec(await server.line())?.[1]);
  return { ...server, port };
}
