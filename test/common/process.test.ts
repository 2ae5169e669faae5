import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterEach, describe, expect, test } from 'vitest';
import { UnavailableError } from '../../src/common/errors.ts';
import { describeExit, runningTools, runTool, startCommand, startTool } from '../../src/common/process.ts';

const folder = mkdtempSync(join(tmpdir(), 'marple-test-process-'));
afterEach(() => expect(runningTools()).toEqual([]));

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe('startTool', () => {
  test('streams stdout, keeps stderr, gives the exit status', async () => {
    const tool = startTool(['sh', '-c', 'echo out; echo err >&2; exit 3']);
    expect(await text(tool.stdout)).toBe('out\n');
    expect(await tool.exit).toEqual({ code: 3, signal: undefined });
    expect(tool.stderr()).toBe('err\n');
  });

  test('the environment is fixed', async () => {
    process.env['MARPLE_TEST_LEAK'] = 'x';
    const tool = startTool(['env']);
    const lines = (await text(tool.stdout)).trim().split('\n');
    await tool.exit;
    const names = lines.map((line) => line.split('=')[0]);
    expect(names.sort()).toEqual(['HOME', 'LC_ALL', 'MARPLE_OWNER', 'PATH', 'TERM', 'TZ']);
    expect(lines).toContain('LC_ALL=C');
  });

  test('extra pipes are fd 3 and up', async () => {
    const tool = startTool(['sh', '-c', 'read x <&3; echo "got $x" >&4'], { pipes: 2 });
    tool.pipes[0]?.write('ping\n');
    expect(await text(tool.pipes[1] as AsyncIterable<Buffer>)).toBe('got ping\n');
    tool.stdout.resume();
    await tool.exit;
  });

  test('stop ends the whole group, a child that holds the pipe included', async () => {
    const tool = startTool(['sh', '-c', 'trap "" INT; sleep 300 & echo $!; wait'], { graceMs: 200 });
    const first = await new Promise<Buffer>((resolve) => tool.stdout.once('data', resolve));
    const child = Number(first.toString());
    const exit = await tool.stop();
    expect(exit.signal).toBe('SIGKILL');
    expect(isRunning(child)).toBe(false);
  });

  test('a tool that finishes on SIGINT keeps its last words', async () => {
    const tool = startTool(['sh', '-c', 'trap "echo bye; exit 0" INT; echo ready; while :; do sleep 0.05; done']);
    const chunks: string[] = [];
    tool.stdout.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
    await once(tool.stdout, 'data');
    expect(await tool.stop()).toEqual({ code: 0, signal: undefined });
    expect(chunks.join('')).toBe('ready\nbye\n');
  });

  test('a program that is not there is an error with a hint', () => {
    expect(() => startTool(['no-such-tool'])).toThrowError(UnavailableError);
  });

  test('the kernel ends the tool when its parent is killed', async () => {
    const script = join(folder, 'parent.cjs');
    const pidFile = join(folder, 'pid');
    buildSync({
      stdin: {
        contents: `import { writeFileSync } from 'node:fs';
          import { startTool } from './src/common/process.ts';
          writeFileSync(${JSON.stringify(pidFile)}, String(startTool(['sleep', '300']).pid));
          setInterval(() => {}, 1000);`,
        loader: 'ts',
        resolveDir: process.cwd(),
      },
      bundle: true,
      platform: 'node',
      format: 'cjs',
      outfile: script,
      logLevel: 'error',
    });
    const parent = spawn(process.execPath, [script]);
    while (!existsSync(pidFile) || readFileSync(pidFile, 'utf8') === '') await sleep(20);
    const pid = Number(readFileSync(pidFile, 'utf8'));
    // setpriv must have become sleep before the parent dies.
    while (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('/usr/bin/sleep')) await sleep(5);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    for (let i = 0; i < 100 && isRunning(pid); i++) await sleep(20);
    expect(isRunning(pid)).toBe(false);
    rmSync(folder, { recursive: true });
  });
});

describe('runTool', () => {
  test('gives the output of a short tool', async () => {
    const output = await runTool(['sh', '-c', 'cat; echo oops >&2'], { input: 'hello' });
    expect(output).toMatchObject({ code: 0, stdout: 'hello', stderr: 'oops\n', timedOut: false });
  });

  test('ends a tool that hangs', async () => {
    const output = await runTool(['sleep', '300'], { timeoutMs: 100 });
    expect(output).toMatchObject({ signal: 'SIGINT', timedOut: true });
  });
});

describe('startCommand', () => {
  test('gives the status as a shell does', async () => {
    expect(await startCommand(['sh', '-c', 'exit 7']).status).toBe(7);
    expect(await startCommand(['sh', '-c', 'kill -TERM $$']).status).toBe(143);
    expect(await startCommand(['/no/such/command']).status).toBe(127);
    expect(await startCommand(['/etc/passwd']).status).toBe(126);
  });
});

test('describeExit names the status and the last line of stderr', () => {
  expect(describeExit({ code: 1, signal: undefined }, 'a\nb\n')).toBe('exited with status 1: b');
  expect(describeExit({ code: undefined, signal: 'SIGKILL' }, '')).toBe('was ended by SIGKILL');
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
