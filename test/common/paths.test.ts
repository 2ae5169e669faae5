import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import {
  expandHome,
  installRoot,
  logFile,
  shippedConfigFile,
  stateDir,
  userConfigFile,
} from '../../src/common/paths.ts';
import { bundleScript } from '../support/bundle.ts';
import { ROOT, testFolder } from '../support/folder.ts';

const root = join(import.meta.dirname, '../..');

beforeEach(() => {
  for (const variable of ['SUDO_UID', 'SUDO_GID', 'XDG_STATE_HOME', 'XDG_CONFIG_HOME']) vi.stubEnv(variable, undefined);
  vi.stubEnv('HOME', '/home/ada');
  return () => vi.unstubAllEnvs();
});

describe('installRoot', () => {
  const script = bundleScript(`
    import { installRoot } from './common/paths.ts';
    try { process.stdout.write(installRoot()); } catch (error) { process.stdout.write(String(error)); }
  `);
  const run = (program: string, cwd: string): string =>
    execFileSync(process.execPath, [program], { cwd, encoding: 'utf8' });

  test('of the source', () => {
    expect(installRoot()).toBe(root);
    expect(existsSync(shippedConfigFile())).toBe(true);
  });

  test('of a bundle in dist/, started directly or by a link from elsewhere', () => {
    const folder = testFolder();
    mkdirSync(join(folder, 'opt/marple/dist'), { recursive: true });
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'opt/marple/config.txt'), '');
    copyFileSync(script, join(folder, 'opt/marple/dist/marple.cjs'));
    symlinkSync('../opt/marple/dist/marple.cjs', join(folder, 'bin/marple'));
    // A config.txt where the user happens to be is nothing to us.
    writeFileSync(join(folder, 'config.txt'), '');
    writeFileSync(join(folder, 'bin/config.txt'), '');
    expect(run(join(folder, 'opt/marple/dist/marple.cjs'), '/')).toBe(join(folder, 'opt/marple'));
    expect(run(join(folder, 'bin/marple'), join(folder, 'bin'))).toBe(join(folder, 'opt/marple'));
    expect(run('../bin/marple', join(folder, 'opt'))).toBe(join(folder, 'opt/marple'));
  });

  test('of the source, run as a module', () => {
    const folder = testFolder();
    mkdirSync(join(folder, 'src/common'), { recursive: true });
    writeFileSync(join(folder, 'config.txt'), '');
    writeFileSync(join(folder, 'src/cli.mjs'), readFileSync(script, 'utf8').replaceAll('__dirname', 'undefined_here'));
    // Only the variable's absence is of interest, so the bundle is run as CommonJS without it.
    writeFileSync(join(folder, 'src/cli.cjs'), readFileSync(join(folder, 'src/cli.mjs')));
    expect(run(join(folder, 'src/cli.cjs'), '/')).toBe(folder);
  });

  test('a program that was taken out of its folder says so', () => {
    expect(run(script, '/')).toMatch(/^UsageError: MARPLE's config\.txt is neither in .* nor above it$/);
  });
});

describe('folders of the user', () => {
  test('below the home, or where the XDG variables say', () => {
    expect(stateDir()).toBe('/home/ada/.local/state/marple');
    expect(logFile()).toBe('/home/ada/.local/state/marple/marple.log');
    expect(userConfigFile()).toBe('/home/ada/.config/marple/config.txt');
    vi.stubEnv('XDG_STATE_HOME', '/var/x');
    vi.stubEnv('XDG_CONFIG_HOME', '/etc/y');
    expect(stateDir()).toBe('/var/x/marple');
    expect(userConfigFile()).toBe('/etc/y/marple/config.txt');
  });

  test('a relative path in an XDG variable counts as none', () => {
    vi.stubEnv('XDG_STATE_HOME', 'state');
    vi.stubEnv('XDG_CONFIG_HOME', '');
    expect(stateDir()).toBe('/home/ada/.local/state/marple');
    expect(userConfigFile()).toBe('/home/ada/.config/marple/config.txt');
  });

  test.runIf(ROOT)('under sudo they are those of the invoking user', () => {
    const [name, , uid, gid, , home] = readFileSync('/etc/passwd', 'utf8').split('\n')[1]!.split(':');
    expect(name).not.toBe('root');
    vi.stubEnv('SUDO_UID', uid);
    vi.stubEnv('SUDO_GID', gid);
    expect(stateDir()).toBe(join(home!, '.local/state/marple'));
    expect(expandHome('~/out')).toBe(join(home!, 'out'));
  });

  test('expandHome', () => {
    expect(expandHome('~')).toBe('/home/ada');
    expect(expandHome('~/a/b')).toBe('/home/ada/a/b');
    expect(expandHome('~bob/a')).toBe('~bob/a');
    expect(expandHome('a/~/b')).toBe('a/~/b');
  });
});
