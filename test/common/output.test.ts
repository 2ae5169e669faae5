import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { EXIT, MarpleError, UsageError } from '../../src/common/errors.ts';
import { closeLog } from '../../src/common/log.ts';
import { Output, type OutputSettings, terminalSafe } from '../../src/common/output.ts';
import { bundleScript } from '../support/bundle.ts';
import { ROOT, testFolder } from '../support/folder.ts';

let state = '';
beforeEach(() => {
  state = testFolder();
  vi.stubEnv('XDG_STATE_HOME', state);
  for (const variable of ['SUDO_UID', 'SUDO_GID']) vi.stubEnv(variable, undefined);
  return async () => {
    await closeLog();
    vi.unstubAllEnvs();
  };
});

interface Captured {
  readonly output: Output;
  stdout(): string;
  stderr(): string;
}

function capture(settings: OutputSettings = {}, terminal = false): Captured {
  const make = (): { stream: PassThrough; text: () => string } => {
    const stream = Object.assign(new PassThrough(), terminal ? { isTTY: true, columns: 80 } : {});
    let text = '';
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    return { stream, text: () => text };
  };
  const [stdout, stderr] = [make(), make()];
  const output = new Output({ stdout: stdout.stream, stderr: stderr.stream, env: { TERM: 'xterm' }, ...settings });
  return { output, stdout: stdout.text, stderr: stderr.text };
}

/** What a script prints that runs with an Output of its own, called `output`. */
function outputScript(body: string): string {
  return bundleScript(`
    import { Output } from './common/output.ts';
    import { closeLog } from './common/log.ts';
    async function run(output: Output): Promise<number> { ${body} }
    const output = new Output();
    void run(output).then(async (code) => {
      const lost = await output.flush();
      if (lost !== undefined) output.error(lost);
      await closeLog();
      process.exit(lost?.exitCode ?? code);
    });
  `);
}

describe('terminalSafe', () => {
  test('controls, bidirectional controls and bytes are written out; other text is left', () => {
    expect(terminalSafe('a\nb\r\tc\x00\x1b[31m\x7f\u009bd')).toBe('a\\nb\\r\\tc\\x00\\x1b[31m\\x7f\\x9bd');
    expect(terminalSafe('x\u202ey\u2066z\u200f\u2028')).toBe('x\\u202ey\\u2066z\\u200f\\u2028');
    expect(terminalSafe('\udc80\udcff\ud800')).toBe('\\x80\\xff\\ud800');
    expect(terminalSafe('Zoë 日本 👩‍🔧 C:\\new')).toBe('Zoë 日本 👩‍🔧 C:\\new');
  });

  test('whatever comes in, nothing that a terminal obeys comes out', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(terminalSafe(text)).not.toMatch(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u);
      }),
    );
  });
});

describe('messages', () => {
  test('go to stderr, results to stdout', () => {
    const { output, stdout, stderr } = capture();
    output.info('hello');
    output.detail('more');
    output.warn('careful');
    output.result('one\ntwo');
    output.error(new UsageError('it is wrong', 'do this'));
    output.error(new MarpleError('without a hint', EXIT.damaged));
    expect(stderr()).toBe('hello\nwarning: careful\nmarple: it is wrong\nhint: do this\nmarple: without a hint\n');
    expect(stdout()).toBe('one\ntwo\n');
  });

  test('-q leaves errors and results, --verbose adds details', () => {
    const quiet = capture({ quiet: true, verbose: true });
    quiet.output.info('hello');
    quiet.output.detail('more');
    quiet.output.warn('careful');
    quiet.output.result('result');
    quiet.output.error(new UsageError('it is wrong'));
    expect(quiet.stderr()).toBe('marple: it is wrong\n');
    expect(quiet.stdout()).toBe('result\n');
    const verbose = capture({ verbose: true });
    verbose.output.detail('more');
    expect(verbose.stderr()).toBe('more\n');
  });

  test('text from outside cannot forge a line or steer the terminal', () => {
    const { output, stdout, stderr } = capture();
    output.info('a\nmarple: forged');
    output.warn('\x1b]0;title\x07');
    output.error(new UsageError('file \x1b[2J', 'rm \u202e'));
    output.result('x\x1b[31m\ny');
    output.bug('Error: \x1b[31m\n    at somewhere');
    expect(stderr().match(/[^\n\x20-\x7e]/)).toBeNull();
    expect(stderr()).toContain('a\\nmarple: forged\n');
    expect(stderr()).toContain('marple: this is a bug of MARPLE:\nError: \\x1b[31m\n    at somewhere\nhint: ');
    expect(stdout()).toBe('x\\x1b[31m\ny\n');
  });

  test('all messages go to the log too, the silent ones as well', async () => {
    const { output } = capture({ quiet: true });
    output.info('hello');
    output.detail('more');
    output.warn('careful');
    output.error(new UsageError('it is wrong', 'do this'));
    await closeLog();
    const lines = readFileSync(join(state, 'marple/marple.log'), 'utf8').trimEnd().split('\n');
    const entries = lines.map((line) => JSON.parse(line) as { level: string; message: string; fields?: unknown });
    expect(entries.map(({ level, message }) => `${level} ${message}`)).toEqual([
      'info hello',
      'debug more',
      'warn careful',
      'error it is wrong',
    ]);
    expect(entries[3]?.fields).toEqual({ hint: 'do this', exitCode: 2 });
  });

  test('colours on a terminal only, and not with NO_COLOR', () => {
    const say = ({ output, stderr }: Captured): string => {
      output.warn('x');
      return stderr();
    };
    expect(say(capture({}, true))).toBe('\x1b[1;33mwarning:\x1b[0m x\n');
    for (const env of [{ NO_COLOR: '1', TERM: 'xterm' }, { TERM: 'dumb' }]) {
      expect(say(capture({ env }, true))).toBe('warning: x\n');
    }
    expect(say(capture({ env: { NO_COLOR: '', TERM: 'xterm' } }, true))).toContain('\x1b[1;33m');
    expect(say(capture({}, false))).toBe('warning: x\n');
  });

  test('a log that cannot be written is one warning', async () => {
    writeFileSync(join(state, 'marple'), '');
    const { output, stderr } = capture();
    for (let i = 0; i < 3; i++) output.info('x');
    await closeLog();
    expect(
      stderr()
        .replace(/(no log is written: )[^\n]*/, '$1...')
        .split('\n')
        .sort(),
    ).toEqual(['', 'warning: no log is written: ...', 'x', 'x', 'x']);
  });
});

describe('json', () => {
  test('to stdout: an object that reads back, with nothing that a terminal obeys', () => {
    const value = { text: 'a\n\x1b\x7f\u009b\u202e\ud800"é', list: [1, null], nested: { x: 0.1 } };
    const { output, stdout } = capture({ quiet: true });
    output.json(value);
    expect(JSON.parse(stdout())).toEqual(value);
    expect(stdout()).toMatch(/^\{\n[^\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]*\}\n$/);
  });

  test('to a file: replaced as a whole', () => {
    const folder = testFolder();
    const path = join(folder, 'x.json');
    const { output, stdout } = capture();
    output.json({ a: 1 }, path);
    output.json({ a: 2 }, path);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ a: 2 });
    expect(readdirSync(folder)).toEqual(['x.json']);
    expect(stdout()).toBe('');
  });

  test('a link is replaced and not followed, a folder that is missing is a usage error', () => {
    const folder = testFolder();
    symlinkSync('target.json', join(folder, 'link.json'));
    const { output } = capture();
    output.json({ a: 1 }, join(folder, 'link.json'));
    expect(lstatSync(join(folder, 'link.json')).isFile()).toBe(true);
    expect(readFileSync(join(folder, 'link.json'), 'utf8')).toBe('{\n  "a": 1\n}\n');
    output.json({ a: 1 }, '/dev/null');
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
    expect(() => output.json({}, join(folder, 'none/x.json'))).toThrow(UsageError);
    expect(() => output.json({}, folder)).toThrow(/cannot be written: it is a folder/);
    expect(readdirSync(folder)).toEqual(['link.json']);
  });

  test.runIf(ROOT)('under sudo the file belongs to the invoking user', () => {
    vi.stubEnv('SUDO_UID', '65534');
    vi.stubEnv('SUDO_GID', '65534');
    const path = join(testFolder(), 'x.json');
    capture().output.json({}, path);
    expect(statSync(path).uid).toBe(65534);
  });
});

describe('progress', () => {
  const run = { seconds: 60, what: 'memtime (proc)' };

  test('lines where there is no terminal, ten seconds apart at least', () => {
    const { output, stderr } = capture();
    const progress = output.progress();
    progress.start(run);
    for (let elapsed = 0.2; elapsed < 59; elapsed += 0.2) progress.update({ elapsed, records: Math.floor(elapsed) });
    progress.stop();
    progress.stop();
    expect(stderr()).toMatch(/^recording memtime \(proc\) for 60 s\n(\d0 s of 60 s, \d0 records\n){5}$/);
  });

  test('lines of a run whose end is not known', () => {
    const { output, stderr } = capture();
    const progress = output.progress();
    progress.start({ ...run, seconds: undefined });
    progress.update({ elapsed: 47.5, records: 5 });
    progress.update({ elapsed: 48.5, records: 6 });
    expect(stderr()).toBe('recording memtime (proc)\n47 s, 5 records\n');
  });

  test('nothing with -q', () => {
    const { output, stderr } = capture({ quiet: true }, true);
    const progress = output.progress();
    progress.start(run);
    progress.update({ elapsed: 30, records: 5 });
    progress.stop();
    expect(stderr()).toBe('');
  });

  test('on a terminal a bar with the seconds left, the records and what runs; it is taken away at the end', () => {
    const { output, stderr } = capture({}, true);
    const progress = output.progress();
    progress.start({ seconds: 60, what: 'memtime (proc)\x1b[2J' });
    progress.update({ elapsed: 44.5, records: 1234 });
    progress.stop();
    expect(stderr()).toMatch(/░{24} 60 s left \| 0 records \| memtime \(proc\)\\x1b\[2J/);
    expect(stderr()).toMatch(/█{17,18}░{6,7} 16 s left \| 1234 records \| memtime/);
    expect(screen(stderr())).toEqual(['']);
  });

  test('lines that come during the bar stay, whole and once', () => {
    const { output, stderr } = capture({ env: { NO_COLOR: '1' } }, true);
    const progress = output.progress();
    progress.start(run);
    output.warn('first');
    progress.update({ elapsed: 10, records: 7 });
    output.info('second');
    expect(screen(stderr()).slice(0, 2)).toEqual(['warning: first', 'second']);
    expect(screen(stderr())[2]).toMatch(/50 s left \| 7 records/);
    progress.stop();
    output.info('third');
    expect(screen(stderr())).toEqual(['warning: first', 'second', 'third', '']);
  });

  test('a bar without a known end, and no bar where something else writes to the terminal', () => {
    const open = capture({}, true);
    const progress = open.output.progress();
    progress.start({ ...run, seconds: undefined });
    progress.update({ elapsed: 3.2, records: 9 });
    progress.stop();
    expect(open.stderr()).toContain('3 s | 9 records | memtime (proc)');
    expect(open.stderr()).not.toMatch(/[█░]/);
    const shared = capture({}, true);
    shared.output.progress({ bar: false }).start(run);
    expect(shared.stderr()).toBe('recording memtime (proc) for 60 s\n');
  });
});

describe('confirm', () => {
  test('without a terminal, or with -q, the answer is no, unasked', async () => {
    const piped = capture();
    expect(await piped.output.confirm('Overwrite?')).toBe(false);
    const quiet = capture({ quiet: true, stdin: Object.assign(new PassThrough(), { isTTY: true }) }, true);
    expect(await quiet.output.confirm('Overwrite?')).toBe(false);
    expect(piped.stderr() + quiet.stderr()).toBe('');
  });

  const answers: [string, boolean][] = [
    ['y\n', true],
    ['Yes\n', true],
    ['\n', false],
    ['n\n', false],
    ['yesterday\n', false],
    ['', false],
  ];
  test.each(answers)('on a terminal, %j', async (typed, expected) => {
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    const { output, stderr } = capture({ stdin }, true);
    const answer = output.confirm('Overwrite x\x1b?');
    stdin.end(typed);
    expect(await answer).toBe(expected);
    expect(stderr()).toBe('Overwrite x\\x1b? [y/N] ');
  });
});

describe('a real process', () => {
  const many = outputScript(`
    for (let i = 0; i < 20000; i++) { output.result('line ' + i); if (i % 100 === 0) await new Promise((r) => setImmediate(r)); }
    return 7;
  `);

  test('everything is written before it exits', () => {
    const ended = spawnSync(process.execPath, [many], { encoding: 'utf8' });
    expect(ended).toMatchObject({ status: 7, stderr: '' });
    expect(ended.stdout.split('\n')).toHaveLength(20_001);
  });

  test('a reader that goes away ends it quietly, with the code that it had earned', async () => {
    for (const closed of ['stdout', 'stderr'] as const) {
      const script =
        closed === 'stdout'
          ? many
          : outputScript(`
        for (let i = 0; i < 2000; i++) { output.info('line ' + i); if (i % 100 === 0) await new Promise((r) => setImmediate(r)); }
        return 7;
      `);
      const child = spawn(process.execPath, [script]);
      await once(child[closed], 'data');
      child[closed].destroy();
      let other = '';
      child[closed === 'stdout' ? 'stderr' : 'stdout'].on('data', (chunk: Buffer) => {
        other += chunk.toString();
      });
      const [code] = (await once(child, 'close')) as [number];
      expect([closed, code, other]).toEqual([closed, 7, '']);
    }
  });

  test('a full disk is one sentence and exit code 2', () => {
    const full = openSync('/dev/full', 'w');
    const ended = spawnSync(process.execPath, [many], { stdio: ['ignore', full, 'pipe'], encoding: 'utf8' });
    closeSync(full);
    expect(ended.status).toBe(2);
    expect(ended.stderr).toMatch(/^marple: stdout cannot be written: the disk is full\nhint: [^\n]*\n$/);
  });

  test('on a real terminal it asks, and shows a bar that leaves no trace', () => {
    const script = outputScript(`
      const yes = await output.confirm('Overwrite x?');
      const progress = output.progress();
      progress.start({ seconds: 2, what: 'memtime (proc)' });
      progress.update({ elapsed: 1, records: 12 });
      progress.stop();
      output.result(yes ? 'overwritten' : 'refused');
      return 7;
    `);
    // script(1) runs it on a pseudo terminal; -e hands its exit status on.
    const command = `${process.execPath} ${script}`;
    const typed = (input: string) =>
      spawnSync('script', ['-qec', command, '/dev/null'], {
        input,
        encoding: 'utf8',
        env: { ...process.env, TERM: 'xterm' },
      });
    const yes = typed('y\n');
    expect(yes.status).toBe(7);
    expect(yes.stdout).toContain('Overwrite x? [y/N] ');
    expect(yes.stdout).toMatch(/1 s left \| 12 records \| memtime \(proc\)/);
    expect(screen(yes.stdout).slice(-2)).toEqual(['overwritten', '']);
    expect(screen(typed('n\n').stdout).slice(-2)).toEqual(['refused', '']);
  });
});

/** The lines that a terminal shows after this text: the few sequences that the bar uses are obeyed. */
function screen(text: string): string[] {
  const lines = [''];
  let column = 0;
  let [savedRow, savedColumn] = [0, 0];
  let row = 0;
  for (const [token] of text.matchAll(/\x1b\[(\d*)([GKm]|[\d;]*m)|\x1b[78]|\r|\n|[^\x1b\r\n]/gu)) {
    if (token === '\n') {
      row++;
      column = 0;
      lines[row] ??= '';
    } else if (token === '\r') column = 0;
    else if (token === '\x1b7') [savedRow, savedColumn] = [row, column];
    else if (token === '\x1b8') [row, column] = [savedRow, savedColumn];
    else if (/^\x1b\[\d*G$/.test(token)) column = Number(token.slice(2, -1)) - 1;
    else if (token === '\x1b[0K' || token === '\x1b[K') lines[row] = (lines[row] ?? '').slice(0, column);
    else if (token === '\x1b[2K') lines[row] = '';
    else if (!token.startsWith('\x1b')) {
      const line = (lines[row] ?? '').padEnd(column);
      lines[row] = line.slice(0, column) + token + line.slice(column + 1);
      column++;
    }
  }
  return lines;
}

describe('a board', () => {
  test('is lines that change in place, out of the way of what is said', () => {
    const { output, stderr } = capture({}, true);
    const board = output.board();
    board?.show(['one\x1b[2J', 'two']);
    output.info('said');
    board?.show(['three']);
    board?.stop();
    board?.stop();
    expect(stderr()).toBe(
      'one\\x1b[2J\ntwo\n' + '\x1b[2A\x1b[Jsaid\n' + 'one\\x1b[2J\ntwo\n' + '\x1b[2A\x1b[Jthree\n' + '\x1b[1A\x1b[J',
    );
  });

  test('has lines no wider than the terminal', () => {
    const { output, stderr } = capture({}, true);
    output.board()?.show(['x'.repeat(200)]);
    expect(stderr().trimEnd()).toHaveLength(79);
  });

  test('is none where there is no terminal, and with -q', () => {
    expect(capture().output.board()).toBeUndefined();
    expect(capture({ quiet: true }, true).output.board()).toBeUndefined();
  });
});
