import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeFile } from '../support/data-files.ts';
import { sections } from '../support/data-of-a-run.ts';
import { commandsOf } from '../support/help-text.ts';
import type { Ended } from './marple.ts';

const REPOSITORY = join(import.meta.dirname, '../..');
/** What drawing as PNG needs, and npm leaves out where it cannot be built. */
const OPTIONAL = ['canvas', 'chart.js', 'chartjs-node-canvas'];

const place = realpathSync(mkdtempSync(join(tmpdir(), 'marple-npm-')));
afterAll(() => rmSync(place, { recursive: true, force: true }));

const [prefix, empty] = [join(place, 'prefix'), join(place, 'empty')];
const env = {
  PATH: `${join(prefix, 'bin')}:${process.env['PATH']}`,
  HOME: place,
  LC_ALL: 'C',
  npm_config_update_notifier: 'false',
};

function marple(...args: readonly string[]): Ended {
  const ran = spawnSync('marple', args, { cwd: empty, env, encoding: 'utf8' });
  return { code: ran.status, stdout: ran.stdout, stderr: ran.stderr };
}

beforeAll(async () => {
  // A clone as git would make it, with the packages that are here.
  const clone = join(place, 'clone');
  const files = execFileSync('git', ['-c', 'safe.directory=*', 'ls-files', '-z'], {
    cwd: REPOSITORY,
    encoding: 'utf8',
  });
  for (const file of files.split('\0').filter((name) => /^(src|scripts)\/|^[^/]+$/.test(name)))
    cpSync(join(REPOSITORY, file), join(clone, file));
  symlinkSync(realpathSync(join(REPOSITORY, 'node_modules')), join(clone, 'node_modules'));
  const npm = (cwd: string, ...args: readonly string[]): string =>
    execFileSync('npm', args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const packed = npm(clone, 'pack', '--pack-destination', place);
  const archive = join(place, packed.trim().split('\n').at(-1) ?? '');
  mkdirSync(empty);
  mkdirSync(join(prefix, 'lib'), { recursive: true });
  // Nothing else is to be fetched: what has to be there is in the package.
  const flags = ['--omit=optional', '--offline', '--no-audit', '--no-fund'];
  npm(empty, 'install', '-g', '--prefix', prefix, ...flags, archive);
  await writeFile(join(empty, 'x.marple'), sections());
}, 300_000);

describe('the package that npm packs and installs', () => {
  test('holds what it needs, and neither sources nor tests', () => {
    const root = join(prefix, 'lib/node_modules/marple');
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' });
    expect(files).toEqual(expect.arrayContaining(['dist/marple.cjs', 'config.txt', 'README.md', 'LICENSE']));
    expect(files.filter((file) => /^(src|test|node_modules)/.test(file))).toEqual([]);
  });

  test('runs in an empty folder', () => {
    expect(marple('--version')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      stderr: '',
    });
    expect(marple('config')).toMatchObject({ code: 0, stderr: '' });
    const collected = marple('collect', '--mem', '-t', '0.5', '-o', 'own.marple');
    expect(collected.code, collected.stderr).toBe(0);
    expect(marple('display', '-i', 'own.marple', '-r', '-o', 'own.html')).toMatchObject({ code: 0 });
    expect(readFileSync(join(empty, 'own.html'), 'utf8')).toContain('Drawn by MARPLE');
  });

  test('brings the manual, with a page for each command', () => {
    const { man } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8'));
    const pages = commandsOf(marple('--help').stdout).map((name) => `dist/man/marple-${name}.1`);
    expect(man).toEqual(['dist/man/marple.1', ...pages]);
    expect(readFileSync(join(prefix, 'share/man/man1/marple-collect.1'), 'utf8')).toMatch(/^\.TH MARPLE\\-COLLECT 1 /);
  });

  test('without canvas a picture that would be a PNG is HTML, and that is said', () => {
    const drawn = marple('display', '-i', 'x.marple', '-e', '4');
    expect(drawn).toMatchObject({ code: 0, stdout: 'x.disklat.heatmap.html\n' });
    expect(drawn.stderr).toMatch(/^warning: PNG pictures need the package canvas, .*: drawn as HTML$/m);
    const refused = marple('display', '-i', 'x.marple', '-e', '4', '-o', 'x.png');
    expect(refused).toMatchObject({ code: 69, stdout: '' });
    expect(refused.stderr).toMatch(
      /^hint: npm install -g canvas chart\.js chartjs-node-canvas installs it; .*-o FILE\.html$/m,
    );
  });

  test('draws it as PNG when canvas has been installed', () => {
    for (const name of OPTIONAL)
      symlinkSync(realpathSync(join(REPOSITORY, 'node_modules', name)), join(prefix, 'lib/node_modules', name));
    expect(marple('display', '-i', 'x.marple', '-e', '4')).toMatchObject({
      code: 0,
      stdout: 'x.disklat.heatmap.png\n',
    });
  });

  test('depends on nothing else that has to be fetched', () => {
    const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8'));
    expect(dependencies).toBeUndefined();
    expect(Object.keys(optionalDependencies)).toEqual(OPTIONAL);
  });
});

test('the built program is ASCII, as what starts it takes it to be', () => {
  const bytes = readFileSync(join(REPOSITORY, 'dist/program.cjs'));
  expect(bytes.findIndex((byte) => byte > 0x7f)).toBe(-1);
});
