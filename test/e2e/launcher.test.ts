import { spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { testFolder } from '../support/folder.ts';

const ROOT = join(import.meta.dirname, '../..');

/** A copy of what the build made; `cache` stands in for its code cache, or there is none. */
function installed(cache?: Buffer): string {
  const folder = testFolder();
  mkdirSync(join(folder, 'dist'));
  copyFileSync(join(ROOT, 'config.txt'), join(folder, 'config.txt'));
  for (const name of ['marple.cjs', 'program.cjs', ...(cache === undefined ? [`program.${process.arch}.cache`] : [])]) {
    copyFileSync(join(ROOT, 'dist', name), join(folder, 'dist', name));
  }
  if (cache !== undefined && cache.length > 0) writeFileSync(join(folder, `dist/program.${process.arch}.cache`), cache);
  return folder;
}

/** Runs a command, and tells whether V8 took the cache: undefined where there was none. */
function run(folder: string, ...args: readonly string[]): { stdout: string; rejected: string | undefined } {
  const spy = join(folder, 'spy.cjs');
  writeFileSync(
    spy,
    `const vm = require('node:vm');
     vm.Script = class extends vm.Script {
       constructor(...args) { super(...args); process.stderr.write('rejected: ' + this.cachedDataRejected + '\\n'); }
     };`,
  );
  const env = { ...process.env, XDG_STATE_HOME: folder, XDG_CONFIG_HOME: folder };
  const { stdout, stderr } = spawnSync(process.execPath, ['-r', spy, join(folder, 'dist/marple.cjs'), ...args], {
    env,
    encoding: 'utf8',
  });
  return { stdout, rejected: /rejected: (\w+)/.exec(stderr)?.[1] };
}

const MIB = 1024 * 1024;

/** What `code` writes to stderr when a command is done. */
function atExit(code: string, ...args: readonly string[]): string {
  const folder = installed();
  const spy = join(folder, 'spy.cjs');
  writeFileSync(spy, `process.once('exit', () => { ${code} });`);
  const env = { ...process.env, XDG_STATE_HOME: folder, XDG_CONFIG_HOME: folder };
  const { stderr } = spawnSync(process.execPath, ['-r', spy, join(folder, 'dist/marple.cjs'), ...args], {
    cwd: folder,
    env,
    encoding: 'utf8',
  });
  return stderr;
}

/** Bytes of V8's space for new objects when a command is done, and `work` after it. */
function newSpace(work: string, ...args: readonly string[]): number {
  const code = `${work}
    const spaces = require('node:v8').getHeapSpaceStatistics();
    process.stderr.write('new space: ' + spaces.find((space) => space.space_name === 'new_space').space_size);`;
  return Number(/new space: (\d+)/.exec(atExit(code, ...args))?.[1]);
}

/** Modules of Node that take a while to load, of those that a command has loaded. */
function loadedModules(...args: readonly string[]): string[] {
  const text = atExit("process.stderr.write('loaded: ' + JSON.stringify(process.moduleLoadList))", ...args);
  const names = JSON.parse(/loaded: (\[.*\])/.exec(text)?.[1] ?? 'null') as string[];
  return ['child_process', 'crypto', 'worker_threads', 'zlib'].filter((name) => names.includes(`NativeModule ${name}`));
}

describe('the launcher', () => {
  test('takes the code cache of the build', () => {
    const folder = installed();
    expect(run(folder, '--version')).toEqual({ stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), rejected: 'false' });
    expect(run(folder, 'config').stdout).toMatch(/frequency/);
  });

  test.each([
    ['there is no cache', Buffer.alloc(0), 'undefined'],
    ['it is of another V8', Buffer.alloc(4096, 'no cache of this V8'), 'true'],
  ])('starts the program where %s', (_, cache, rejected) => {
    const folder = installed(cache);
    expect(run(folder, '--version')).toEqual({ stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), rejected });
  });

  test('writes nothing beside itself', () => {
    const folder = installed(Buffer.alloc(0));
    chmodSync(join(folder, 'dist'), 0o555);
    expect(run(folder, 'config').stdout).toMatch(/frequency/);
    expect(readdirSync(join(folder, 'dist')).sort()).toEqual(['marple.cjs', 'program.cjs']);
    expect(existsSync(join(folder, `dist/program.${process.arch}.cache`))).toBe(false);
    chmodSync(join(folder, 'dist'), 0o755);
  });

  test('keeps the space for new objects small where it collects, and lets it grow for other commands', () => {
    expect(newSpace('', 'collect', '--system', '-t', '0.3', '-o', '-')).toBeLessThanOrEqual(2 * MIB);
    const work = 'const live = []; while (live.length < 200_000) live.push({ number: live.length });';
    expect(newSpace(work, 'config')).toBeGreaterThan(2 * MIB);
  });

  test('loads no module of Node that a command does not use', () => {
    expect(loadedModules('--version')).toEqual([]);
    expect(loadedModules('config', '--json')).toEqual([]);
    // What starts a tool needs them.
    expect(loadedModules('doctor')).toContain('child_process');
  });
});

describe('the config.txt beside the program', () => {
  /** What a command says that does not come to use what the file says of collecters. */
  function said(appended: string): string {
    const folder = installed();
    appendFileSync(join(folder, 'config.txt'), appended);
    const env = { ...process.env, XDG_STATE_HOME: folder, XDG_CONFIG_HOME: folder };
    const args = [join(folder, 'dist/marple.cjs'), 'display', '-i', 'none.marple'];
    return spawnSync(process.execPath, args, { cwd: folder, env, encoding: 'utf8' }).stderr;
  }

  test.each([
    ['as it is shipped, nothing is refused', '', 'there is no file none.marple'],
    ['what was added is checked', '\n[callstacks]\nfrequency = 9\n', 'there is no config section [callstacks]'],
    [
      'so is what collecters alone use',
      '\n[callstack]\nfrequency = often\n',
      "frequency of [callstack] cannot be 'often'",
    ],
  ])('%s', (_, appended, message) => {
    expect(said(appended)).toContain(message);
  });
});
