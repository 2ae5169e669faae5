import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
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

/** Bytes of V8's space for new objects when a command is done, and `work` after it. */
function newSpace(work: string, ...args: readonly string[]): number {
  const folder = installed();
  const spy = join(folder, 'spy.cjs');
  writeFileSync(
    spy,
    `process.once('exit', () => {
       ${work}
       const spaces = require('node:v8').getHeapSpaceStatistics();
       process.stderr.write('new space: ' + spaces.find((space) => space.space_name === 'new_space').space_size);
     });`,
  );
  const env = { ...process.env, XDG_STATE_HOME: folder, XDG_CONFIG_HOME: folder };
  const { stderr } = spawnSync(process.execPath, ['-r', spy, join(folder, 'dist/marple.cjs'), ...args], {
    env,
    encoding: 'utf8',
  });
  return Number(/new space: (\d+)/.exec(stderr)?.[1]);
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
});
