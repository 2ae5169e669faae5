import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Ended } from '../e2e/marple.ts';

const DIST = join(import.meta.dirname, '../../dist');
const BINARY = join(DIST, 'marple-linux-x64');
/** Systems are kept for the next run. */
const ROOTS = join(DIST, 'roots');
const ARCHIVE = 'http://deb.debian.org/debian';

const hasDebootstrap = spawnSync('debootstrap', ['--version']).status === 0 && process.geteuid?.() === 0;

/** A Debian that has what is essential, and nothing else. */
function installRoot(suite: string): string {
  const root = join(ROOTS, suite);
  if (!existsSync(root)) {
    const unfinished = `${root}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(ROOTS, { recursive: true });
    execFileSync('debootstrap', ['--variant=minbase', suite, unfinished, ARCHIVE], { stdio: 'ignore' });
    renameSync(unfinished, root);
  }
  copyFileSync(BINARY, join(root, 'usr/local/bin/marple'));
  rmSync(join(root, 'work'), { recursive: true, force: true });
  mkdirSync(join(root, 'work'));
  return root;
}

/** Runs in the system, which sees /proc and /sys of this machine for as long as that takes. */
function runIn(root: string, ...argv: readonly string[]): Ended {
  const script =
    'root=$1 && shift && mount --rbind /proc "$root/proc" && mount --rbind /sys "$root/sys" && exec chroot "$root" env -C /work "$@"';
  const ran = spawnSync('unshare', ['--mount', 'bash', '-c', script, 'bash', root, ...argv], {
    encoding: 'utf8',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', HOME: '/root', LC_ALL: 'C.UTF-8' },
  });
  return { code: ran.status, stdout: ran.stdout, stderr: ran.stderr };
}

test('it is smaller than the Node that it is made of', () => {
  expect(statSync(BINARY).size).toBeLessThan(statSync(process.execPath).size);
});

test('the program in it is the one that was built, with its code cache', () => {
  const bytes = readFileSync(BINARY);
  for (const name of ['program.cjs', `program.${process.arch}.cache`]) {
    expect(bytes.includes(readFileSync(join(DIST, name)).subarray(0, 4096))).toBe(true);
  }
});

describe.runIf(hasDebootstrap || process.env['CI'] === 'true').each([
  ['bookworm', 'Debian 12'],
  ['bullseye', 'Debian 11, glibc 2.31'],
])('on a bare %s (%s)', (suite) => {
  let root: string;
  const marple = (...args: readonly string[]): Ended => runIn(root, 'marple', ...args);
  const file = (name: string): string => readFileSync(join(root, 'work', name), 'utf8');

  beforeAll(() => {
    root = installRoot(suite);
    writeFileSync(join(root, 'work/stacks.folded'), 'web;main;parse 3\nweb;main;render 2\n');
  });

  test('there is no Node, no npm, no Perl script, no perf', () => {
    for (const name of ['node', 'npm', 'perf', 'flamegraph.pl']) {
      expect(runIn(root, 'sh', '-c', `command -v ${name}`)).toMatchObject({ code: 127 });
    }
  });

  test('help, manual and completion', () => {
    expect(marple('--version')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      stderr: '',
    });
    expect(marple('collect', '--help')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Examples:'),
      stderr: '',
    });
    expect(marple('man', 'collect')).toMatchObject({ code: 0, stdout: expect.stringContaining('.SH EXAMPLES') });
    expect(marple('completion', 'bash')).toMatchObject({ code: 0, stdout: expect.stringContaining('overview') });
  });

  test('config.txt is in it', () => {
    const ended = marple('config');
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout).toMatch(/^\[General\] +frequency +99 +config\.txt:\d+$/m);
  });

  test('doctor', () => {
    const ended = marple('doctor', 'memtime', 'disklat', 'callstack');
    expect(ended.code).toBe(3);
    expect(ended.stdout).toMatch(/^memtime +proc /m);
    expect(ended.stdout).toMatch(/^disklat +ftrace /m);
    expect(ended.stdout).toMatch(/^callstack +NONE/m);
    expect(ended.stdout).toContain('sudo apt-get install');
  });

  test('collect, stats and the report', () => {
    const collected = marple('collect', '--mem', '--system', '--disk', '--cpu', '-t', '1', '-o', 'x.marple');
    expect(collected.code, collected.stderr).toBe(0);
    expect(marple('stats', '-i', 'x.marple')).toMatchObject({ code: 0, stdout: expect.stringContaining('memtime') });
    expect(marple('display', '-i', 'x.marple', '-l')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('cpusched'),
    });
    expect(marple('display', '-i', 'x.marple', '-r', '-o', 'x.html').code).toBe(0);
    expect(file('x.html')).toContain('Drawn by MARPLE');
    expect(marple('display', '-i', 'x.marple', '-plt', '-o', 'timeline.html').code).toBe(0);
  });

  test('an archive of raw recordings, and what it decodes to', () => {
    expect(marple('collect', '--disk', '--mem', '-t', '1', '--raw', '-o', 'r.raw.tgz').code).toBe(0);
    expect(marple('import', 'r.raw.tgz')).toMatchObject({ code: 0, stdout: 'r.marple\n' });
    expect(marple('display', '-i', 'r.marple', '-l').stdout).toContain('disklat');
  });

  test('serve', () => {
    // The page is fetched with what there is: bash.
    const script = `
      marple serve . --port 8642 --no-open >served & pid=$!
      for ((i = 0; i < 100; i++)); do grep -q http served && break; sleep 0.1; done
      exec 3<>/dev/tcp/127.0.0.1/8642
      printf 'GET / HTTP/1.1\r\nHost: 127.0.0.1:8642\r\nConnection: close\r\n\r\n' >&3
      cat <&3 | head -n 1; kill -INT $pid; wait $pid`;
    expect(runIn(root, 'bash', '-c', script)).toMatchObject({
      code: 130,
      stdout: expect.stringMatching(/^HTTP\/1\.1 [234]/),
    });
  });

  test('what needs perf says which package to install', () => {
    const ended = marple('collect', '--stack', '-t', '1', '-o', 'y.marple');
    expect(ended.code).toBe(69);
    expect(ended.stderr).toMatch(/^hint: .*apt-get install .*linux-perf/m);
  });

  test('import, flame graph as SVG and HTML, export, diff', () => {
    expect(marple('import', 'stacks.folded', '--format', 'folded', '-o', 's.marple').code).toBe(0);
    expect(marple('display', '-i', 's.marple', '-fg', '-o', 's.svg').code).toBe(0);
    expect(file('s.svg')).toContain('parse');
    expect(marple('display', '-i', 's.marple', '-fg', '-o', 's.html').code).toBe(0);
    expect(marple('display', '-i', 's.marple', '-tm', '-o', 't.html').code).toBe(0);
    expect(marple('export', '-i', 's.marple', '--format', 'folded', '-o', '-').stdout).toBe(
      'web;main;parse 3\nweb;main;render 2\n',
    );
    expect(marple('diff', 's.marple', 's.marple', '-o', 'd.html').code).toBe(0);
    expect(file('d.html')).toContain('parse');
  });

  test('a view that would be a PNG is HTML, and that is said; a PNG that is asked for is refused with a hint', () => {
    expect(marple('collect', '--mem', '-t', '1', '-o', 'm.marple').code).toBe(0);
    const drawn = marple('display', '-i', 'm.marple');
    expect(drawn).toMatchObject({ code: 0, stdout: 'm.memtime.stackplot.html\n' });
    expect(drawn.stderr).toMatch(/^warning: PNG pictures need the package canvas, .*: drawn as HTML$/m);
    const refused = marple('display', '-i', 'm.marple', '-o', 'm.png');
    expect(refused).toMatchObject({ code: 69, stdout: '' });
    expect(refused.stderr.split('\n')).toEqual([
      expect.stringMatching(/^marple: PNG pictures need the package canvas/),
      expect.stringMatching(/^hint: .*-o FILE\.html/),
      '',
    ]);
  });
});
