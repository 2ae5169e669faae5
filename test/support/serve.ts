import { connect, createServer } from 'node:net';
import { onTestFinished } from 'vitest';
import type { Place, Running, RunOptions } from '../e2e/marple.ts';

/** A port that nobody listened at a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (typeof address === 'object' && address !== null ? resolve(address.port) : reject()));
    });
  });
}

export interface Served extends Running {
  readonly port: number;
  /** With a slash at the end. */
  readonly url: string;
}

/** Starts `marple serve`, which ends with the test, and waits until it listens. */
export async function serve(place: Place, args: readonly string[], options: RunOptions = {}): Promise<Served> {
  const port = await freePort();
  const running = place.start(['serve', '--no-open', '--port', String(port), ...args], options);
  onTestFinished(async () => {
    running.kill('SIGTERM');
    await running.ended;
  });
  await running.says('Ctrl-C ends it');
  return { ...running, port, url: `http://127.0.0.1:${port}/` };
}

/** What comes back for some bytes that are sent, until the server ends the connection or nothing comes for a while. */
export function exchange(
  port: number,
  bytes: string,
  options: { host?: string; quietMs?: number } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ port, host: options.host ?? '127.0.0.1' });
    socket.setTimeout(options.quietMs ?? 1000, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.once('error', (error) => (text === '' ? reject(error) : resolve(text)));
    socket.once('close', () => resolve(text));
    socket.write(bytes);
  });
}

/** A request with headers as they are given, and nothing else. */
export function request(line: string, headers: readonly string[]): string {
  return `${[line, ...headers, 'Connection: close'].join('\r\n')}\r\n\r\n`;
}

/** A line of what `/data/ID` answers, and what follows the last. */
export interface DataLine {
  readonly share?: number;
  readonly manifest?: import('../../src/display/shape/page.ts').PageManifest;
  readonly error?: string;
  readonly hint?: string;
}

export async function dataOf(address: string): Promise<{ lines: DataLine[]; packed: Buffer }> {
  let rest = Buffer.from(await (await fetch(address)).arrayBuffer());
  const lines: DataLine[] = [];
  while (lines.at(-1)?.manifest === undefined && lines.at(-1)?.error === undefined) {
    const end = rest.indexOf('\n');
    if (end < 0) throw new Error(`no line ends in ${rest.toString('latin1')}`);
    lines.push(JSON.parse(rest.toString('utf8', 0, end)) as DataLine);
    rest = rest.subarray(end + 1);
  }
  return { lines, packed: rest };
}
