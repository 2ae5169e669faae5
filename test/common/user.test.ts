import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { giveToUser, invokingUser, makeUserFolder, writeUserFile } from '../../src/common/user.ts';
import { ROOT, testFolder } from '../support/folder.ts';

/** Somebody in the user database whose uid and gid differ: `man` of Debian. */
const passwd = readFileSync('/etc/passwd', 'utf8')
  .split('\n')
  .map((line) => line.split(':'));
const [name = '', , uidText = '', gidText = '', , home = ''] = passwd.find(
  ([, , uid, gid]) => uid !== gid && Number(uid) > 0,
)!;
const [uid, gid] = [Number(uidText), Number(gidText)];

beforeEach(() => {
  for (const variable of ['SUDO_UID', 'SUDO_GID']) vi.stubEnv(variable, undefined);
  return () => vi.unstubAllEnvs();
});

function sudo(): void {
  vi.stubEnv('SUDO_UID', uidText);
  vi.stubEnv('SUDO_GID', gidText);
}

function ownerOf(path: string): [number, number] {
  const { uid, gid } = lstatSync(path);
  return [uid, gid];
}

describe('invokingUser', () => {
  test('without sudo it is the one that we run as, at $HOME', () => {
    const own = userInfo();
    expect(invokingUser({ HOME: '/some/where' })).toEqual({
      uid: own.uid,
      gid: own.gid,
      name: own.username,
      home: '/some/where',
    });
    expect(invokingUser({}).home).toBe(own.homedir);
    expect(invokingUser({ HOME: 'relative' }).home).toBe(own.homedir);
  });

  test.runIf(ROOT)('under sudo it is the one that called sudo, at the home of the user database', () => {
    const env = { SUDO_UID: uidText, SUDO_GID: gidText, HOME: '/root' };
    expect(invokingUser(env)).toEqual({ uid, gid, name, home });
  });

  test.runIf(ROOT)('a uid without an entry still owns its files', () => {
    expect(invokingUser({ SUDO_UID: '3999999999', SUDO_GID: '5' })).toMatchObject({ uid: 3_999_999_999, gid: 5 });
  });

  test('what is no uid is not believed', () => {
    for (const text of ['', '-1', '0', 'root', '12x', ' 12']) {
      expect(invokingUser({ SUDO_UID: text, SUDO_GID: gidText }).uid).toBe(userInfo().uid);
    }
    expect(invokingUser({ SUDO_UID: uidText }).uid).toBe(userInfo().uid);
  });

  test.runIf(ROOT)('who is not root is not believed at all', () => {
    try {
      process.seteuid?.(65534);
      expect(invokingUser({ SUDO_UID: uidText, SUDO_GID: gidText, HOME: '/x' })).toMatchObject({
        uid: 65534,
        home: '/x',
      });
    } finally {
      process.seteuid?.(0);
    }
  });
});

describe('what belongs to the invoking user', () => {
  test.runIf(ROOT)('giveToUser changes the owner of a file, and of a link instead of what it leads to', () => {
    const folder = testFolder();
    const [file, link] = [join(folder, 'file'), join(folder, 'link')];
    writeFileSync(file, '');
    symlinkSync(file, link);
    expect(giveToUser(file)).toBe(true);
    expect(ownerOf(file)).toEqual([0, 0]);
    sudo();
    expect(giveToUser(link)).toBe(true);
    expect(ownerOf(link)).toEqual([uid, gid]);
    expect(ownerOf(file)).toEqual([0, 0]);
    expect(giveToUser(file)).toBe(true);
    expect(ownerOf(file)).toEqual([uid, gid]);
    expect(giveToUser(join(folder, 'none'))).toBe(false);
  });

  test.runIf(ROOT)('makeUserFolder gives away the folders that it makes, and no others', () => {
    const folder = testFolder();
    mkdirSync(join(folder, 'theirs'));
    sudo();
    makeUserFolder(join(folder, 'theirs/a/../a/b'));
    expect(ownerOf(join(folder, 'theirs'))).toEqual([0, 0]);
    for (const made of ['theirs/a', 'theirs/a/b']) {
      expect(ownerOf(join(folder, made))).toEqual([uid, gid]);
      expect(statSync(join(folder, made)).mode & 0o777).toBe(0o700);
    }
    makeUserFolder(join(folder, 'theirs'));
    expect(ownerOf(join(folder, 'theirs'))).toEqual([0, 0]);
  });

  test.runIf(ROOT)('writeUserFile: private, theirs, replaced as a whole', () => {
    const folder = testFolder();
    const path = join(folder, 'made/file');
    sudo();
    writeUserFile(path, 'first');
    writeUserFile(path, 'second');
    expect(readFileSync(path, 'utf8')).toBe('second');
    expect(ownerOf(path)).toEqual([uid, gid]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(folder, 'made'))).toEqual(['file']);
  });

  test('writeUserFile replaces a link and leaves alone what it leads to', () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'precious'), 'as it was');
    symlinkSync(join(folder, 'precious'), join(folder, 'file'));
    writeUserFile(join(folder, 'file'), 'new');
    expect(readFileSync(join(folder, 'precious'), 'utf8')).toBe('as it was');
    expect(lstatSync(join(folder, 'file')).isFile()).toBe(true);
  });

  test('writeUserFile leaves nothing behind where it fails', () => {
    const folder = testFolder();
    mkdirSync(join(folder, 'file/not empty'), { recursive: true });
    chmodSync(folder, 0o755);
    expect(() => writeUserFile(join(folder, 'file'), 'new')).toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    expect(readdirSync(folder)).toEqual(['file']);
    expect(existsSync(join(folder, 'file/not empty'))).toBe(true);
  });
});
