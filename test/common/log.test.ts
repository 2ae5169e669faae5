import { spawnSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { closeLog, log, onLogFailure } from '../../src/common/log.ts';
import { bundleScript } from '../support/bundle.ts';
import { ROOT, testFolder } from '../support/folder.ts';

let state = '';
let folder = '';
let path = '';
beforeEach(() => {
  state = testFolder();
  folder = join(state, 'marple');
  path = join(folder, 'marple.log');
  vi.stubEnv('XDG_STATE_HOME', state);
  for (const variable of ['SUDO_UID', 'SUDO_GID']) vi.stubEnv(variable, undefined);
  return () => vi.unstubAllEnvs();
});

function lines(file = path): Record<string, unknown>[] {
  return readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the log', () => {
  test('one JSON object a line, complete when it is closed, added to by later runs', async () => {
    log('info', 'first');
    log('warn', 'an \x1b[31mescape\n and a line', { path: '/x', count: 3n, nothing: undefined });
    await closeLog();
    log('error', 'second run', { message: 'kept apart' });
    await closeLog();
    expect(lines()).toEqual([
      { time: expect.stringMatching(/^\d{4}-.*Z$/), pid: process.pid, level: 'info', message: 'first' },
      expect.objectContaining({
        level: 'warn',
        message: 'an \x1b[31mescape\n and a line',
        fields: { path: '/x', count: expect.anything() },
      }),
      expect.objectContaining({ level: 'error', message: 'second run', fields: { message: 'kept apart' } }),
    ]);
    expect(readFileSync(path, 'utf8')).not.toContain('\x1b');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  test('closing what was never opened does nothing', async () => {
    await closeLog();
    expect(existsSync(folder)).toBe(false);
  });

  test('nothing is lost, however much comes at once', async () => {
    for (let i = 0; i < 5000; i++) log('debug', `line ${i}`);
    await closeLog();
    expect(lines().map(({ message }) => message)).toEqual(Array.from({ length: 5000 }, (_, i) => `line ${i}`));
  });

  test('it is rotated: three files at most, none much above a megabyte', async () => {
    for (let run = 0; run < 6; run++) {
      for (let i = 0; i < 8; i++) log('debug', `run ${run}`, { text: 'x'.repeat(100_000) });
      await closeLog();
    }
    expect(readdirSync(folder).sort()).toEqual(['marple.log', 'marple1.log', 'marple2.log']);
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).size).toBeLessThan(2.1 * 1024 * 1024);
    expect(lines().at(-1)?.['message']).toBe('run 5');
  });

  test('a run that never ends is rotated too, and loses nothing', async () => {
    for (let i = 0; i < 24; i++) {
      log('debug', `line ${i}`, { text: 'x'.repeat(100_000) });
      await new Promise((resolve) => setImmediate(resolve));
    }
    await closeLog();
    expect(readdirSync(folder).length).toBeGreaterThan(1);
    const all = ['marple2.log', 'marple1.log', 'marple.log']
      .map((name) => join(folder, name))
      .filter((file) => existsSync(file));
    const messages = all.flatMap((file) => lines(file)).map(({ message }) => message);
    expect(messages).toEqual(Array.from({ length: 24 }, (_, i) => `line ${i}`));
  });

  test.runIf(ROOT)('under sudo all of it belongs to the invoking user, after a rotation too', async () => {
    vi.stubEnv('SUDO_UID', '65534');
    vi.stubEnv('SUDO_GID', '65534');
    for (let run = 0; run < 2; run++) {
      for (let i = 0; i < 12; i++) log('debug', 'x'.repeat(100_000));
      await closeLog();
    }
    expect(readdirSync(folder).length).toBeGreaterThan(1);
    for (const name of ['', ...readdirSync(folder)]) expect(statSync(join(folder, name)).uid).toBe(65534);
  });
});

describe('a log that cannot be written', () => {
  const obstacles: [string, (precious: string) => void][] = [
    ['the folder is a file', () => writeFileSync(folder, '')],
    ['the log is a folder', () => mkdirSync(path, { recursive: true })],
    [
      'the log is a link',
      (precious) => {
        mkdirSync(folder);
        symlinkSync(precious, path);
      },
    ],
    [
      'the log is a pipe that nobody reads',
      () => {
        mkdirSync(folder);
        spawnSync('mkfifo', [path]);
      },
    ],
  ];
  test.each(obstacles)('%s: told once, and the run goes on', async (_, obstruct) => {
    const precious = join(state, 'precious');
    writeFileSync(precious, 'as it was');
    obstruct(precious);
    const told: string[] = [];
    onLogFailure((sentence) => {
      told.push(sentence);
      log('warn', sentence);
    });
    for (let i = 0; i < 3; i++) log('info', 'x');
    await closeLog();
    log('info', 'y');
    await closeLog();
    onLogFailure(() => undefined);
    expect(told.length).toBeGreaterThanOrEqual(1);
    expect(new Set(told).size).toBe(1);
    expect(told[0]).toMatch(/^no log is written: /);
    expect(readFileSync(precious, 'utf8')).toBe('as it was');
  });

  test.runIf(ROOT)('a folder that may not be written', async () => {
    mkdirSync(folder, { mode: 0o500 });
    chownSync(state, 65534, 65534);
    const told: string[] = [];
    onLogFailure((sentence) => told.push(sentence));
    try {
      process.seteuid?.(65534);
      log('info', 'x');
      await closeLog();
    } finally {
      process.seteuid?.(0);
      onLogFailure(() => undefined);
    }
    expect(told).toEqual([expect.stringMatching(/^no log is written: permission denied/)]);
    expect(lstatSync(folder).uid).toBe(0);
  });
});

describe('in a bundle', () => {
  test.runIf(ROOT)('a disk that becomes full: told once, and the run ends as it would have', () => {
    const script = bundleScript(`
      import { closeLog, log, onLogFailure } from './common/log.ts';
      onLogFailure((sentence) => process.stdout.write(sentence + '\\n'));
      async function run(): Promise<void> {
        for (let i = 0; i < 100; i++) {
          log('info', 'x'.repeat(1000));
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        await closeLog();
        process.exit(7);
      }
      void run();
    `);
    mkdirSync(folder);
    const mounted = 'mount -t tmpfs -o size=8k none "$1" && exec "$2" "$3"';
    const ended = spawnSync('unshare', ['--mount', 'sh', '-c', mounted, 'sh', folder, process.execPath, script], {
      encoding: 'utf8',
    });
    expect(ended).toMatchObject({ status: 7, stderr: '' });
    expect(ended.stdout).toMatch(/^no log is written: the disk is full\n$/);
  });

  test('it has written before the process exits', () => {
    const script = bundleScript(`
      import { closeLog, log } from './common/log.ts';
      log('info', 'from a bundle');
      void closeLog().then(() => process.exit(7));
    `);
    const ended = spawnSync(process.execPath, [script], { encoding: 'utf8' });
    expect(ended).toMatchObject({ status: 7, stdout: '', stderr: '' });
    expect(lines()).toEqual([expect.objectContaining({ message: 'from a bundle' })]);
  });
});
