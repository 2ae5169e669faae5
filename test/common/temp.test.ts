import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { pidNamespace, processIdentity } from '../../src/common/process-identity.ts';
import { clearStaleTempDirs, makeTempDir, namesToUndo } from '../../src/common/temp.ts';
import { bundleScript } from '../support/bundle.ts';
import { ROOT, testFolder } from '../support/folder.ts';

let tmp = '';
beforeEach(() => {
  tmp = testFolder();
  vi.stubEnv('TMPDIR', tmp);
  return () => vi.unstubAllEnvs();
});

const START = 'import { makeTempDir } from "./common/temp.ts"; import { writeFileSync } from "node:fs";';

describe('makeTempDir', () => {
  test('a private folder, named after the process', () => {
    const folder = makeTempDir();
    expect(folder).toMatch(
      new RegExp(`^${tmp}/marple-${process.pid}-${processIdentity()!.startTime}-${pidNamespace()}-.{6}$`),
    );
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(makeTempDir()).not.toBe(folder);
  });

  const ways: [string, string, number][] = [
    ['the end', '', 0],
    ['process.exit', 'process.exit(3);', 3],
    ['an exception', 'throw new Error("x");', 1],
    ['a promise that nobody caught', 'void Promise.reject(new Error("x"));', 1],
  ];
  test.each(ways)('is gone with what is in it after %s', (_, way, code) => {
    const script = bundleScript(`${START}
      const folder = makeTempDir();
      writeFileSync(folder + '/file', 'x');
      makeTempDir();
      process.stdout.write(folder);
      ${way}
    `);
    const ended = spawnSync(process.execPath, [script], { encoding: 'utf8' });
    expect(ended.status).toBe(code);
    expect(ended.stdout).toContain(`${tmp}/marple-`);
    expect(readdirSync(tmp)).toEqual([]);
  });
});

describe('clearStaleTempDirs', () => {
  const script = bundleScript(`${START}
    writeFileSync(makeTempDir() + '/file', 'x');
    process.stdout.write('made');
    setInterval(() => undefined, 1000);
  `);
  const namespace = pidNamespace();

  test('what a kill left behind is cleared, and what runs is left alone', async () => {
    const [killed, running] = [spawn(process.execPath, [script]), spawn(process.execPath, [script])];
    await Promise.all([once(killed.stdout, 'data'), once(running.stdout, 'data')]);
    killed.kill('SIGKILL');
    await once(killed, 'close');
    expect(readdirSync(tmp)).toHaveLength(2);
    expect(clearStaleTempDirs()).toBe(1);
    expect(readdirSync(tmp)).toEqual([expect.stringMatching(new RegExp(`^marple-${running.pid}-`))]);
    running.kill('SIGKILL');
    await once(running, 'close');
    expect(clearStaleTempDirs()).toBe(1);
    expect(readdirSync(tmp)).toEqual([]);
  });

  test('a pid that is used again does not keep it', () => {
    mkdirSync(join(tmp, `marple-${process.pid}-1-${namespace}-abcdef`));
    expect(clearStaleTempDirs()).toBe(1);
  });

  test('what is to be undone, in a folder that another run has removed too', () => {
    expect(namesToUndo(join(tmp, 'gone'))).toEqual([]);
    writeFileSync(join(tmp, 'undo-x'), '');
    writeFileSync(join(tmp, 'other'), '');
    expect(namesToUndo(tmp)).toEqual(['undo-x']);
  });

  test('one that says what is to be undone stays until it is', () => {
    const folder = join(tmp, `marple-1-1-${namespace}-abcdef`);
    mkdirSync(folder);
    writeFileSync(join(folder, 'undo-something'), '');
    expect(clearStaleTempDirs()).toBe(0);
    rmSync(join(folder, 'undo-something'));
    expect(clearStaleTempDirs()).toBe(1);
  });

  test('a link is neither followed nor removed, nor is a file', () => {
    const precious = testFolder();
    writeFileSync(join(precious, 'file'), 'x');
    symlinkSync(precious, join(tmp, `marple-1-1-${namespace}-link`));
    writeFileSync(join(tmp, `marple-1-1-${namespace}-file`), '');
    expect(clearStaleTempDirs()).toBe(0);
    expect(existsSync(join(precious, 'file'))).toBe(true);
    expect(readdirSync(tmp)).toHaveLength(2);
  });

  test('a link inside goes, and what it leads to stays', () => {
    const precious = testFolder();
    writeFileSync(join(precious, 'file'), 'x');
    mkdirSync(join(tmp, `marple-1-1-${namespace}-abcdef`));
    symlinkSync(precious, join(tmp, `marple-1-1-${namespace}-abcdef/link`));
    expect(clearStaleTempDirs()).toBe(1);
    expect(existsSync(join(precious, 'file'))).toBe(true);
  });

  test.runIf(ROOT)('what is somebody else’s, of another pid namespace, or not named like ours, stays', () => {
    const names = [
      `marple-1-1-${namespace}-theirs`,
      `marple-1-1-${namespace + 1}-abcdef`,
      'marple-e2e-1',
      'marple-1-1',
      'x',
    ];
    for (const name of names) mkdirSync(join(tmp, name));
    lchownSync(join(tmp, names[0]!), 65534, 65534);
    expect(clearStaleTempDirs()).toBe(0);
    expect(readdirSync(tmp).sort()).toEqual([...names].sort());
    expect(lstatSync(join(tmp, names[0]!)).uid).toBe(65534);
  });
});
