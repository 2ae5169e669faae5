import { execFileSync } from 'node:child_process';
import { lchownSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { findExecutable, toolPath } from './executables.ts';
import { randomName } from './random-name.ts';

/** Whom files, state and config belong to. */
export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly name: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The user who typed the command: under sudo(8) the one whom SUDO_UID and SUDO_GID name, else the one we run as. The two
 * variables are believed only where we are root: anybody can set them.
 */
export function invokingUser(env: Environment = process.env): User {
  const uid = idOf(env['SUDO_UID']);
  const gid = idOf(env['SUDO_GID']);
  if (process.geteuid?.() !== 0 || uid === undefined || gid === undefined || uid === 0) return ownUser(env);
  const entry = passwdEntry(uid);
  // Someone without an entry has no home either: root's is taken.
  return { uid, gid, home: entry?.home ?? ownUser({}).home, name: entry?.name ?? String(uid) };
}

/**
 * Makes the invoking user the owner of a file, folder or link (not of what the link leads to). Nothing happens where we
 * are that user.
 * @returns whether it is theirs now; a file system without owners (vfat), or one that lets root do nothing (NFS), refuses.
 */
export function giveToUser(path: string): boolean {
  if (process.geteuid?.() !== 0) return true;
  const { uid, gid } = invokingUser();
  if (uid === 0) return true;
  try {
    lchownSync(path, uid, gid);
    return true;
  } catch {
    return false;
  }
}

/** The same for a folder and all that is in it. */
export function giveTreeToUser(folder: string): void {
  if (process.geteuid?.() !== 0 || invokingUser().uid === 0) return;
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) giveToUser(join(folder, entry));
  giveToUser(folder);
}

/** Makes a folder and those above it where they are missing, owned by the invoking user. */
export function makeUserFolder(path: string, mode = 0o700): void {
  const folder = resolve(path);
  const first = mkdirSync(folder, { recursive: true, mode });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made)) giveToUser(made);
}

/**
 * Writes a file of the invoking user, readable by them alone, in one step: a reader finds the old text or the new, and a
 * link at `path` is replaced, not followed.
 */
export function writeUserFile(path: string, text: string): void {
  makeUserFolder(dirname(path));
  const temporary = join(dirname(path), `.${randomName()}`);
  try {
    writeFileSync(temporary, text, { mode: 0o600, flag: 'wx' });
    giveToUser(temporary);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function ownUser(env: Environment): User {
  const uid = process.geteuid?.() ?? 0;
  const gid = process.getegid?.() ?? 0;
  const home = env['HOME'];
  try {
    const { username, homedir: theirs } = userInfo();
    return { uid, gid, home: home?.startsWith('/') ? home : theirs, name: username };
  } catch {
    // A uid without an entry in the user database, as containers have it.
    return { uid, gid, home: home?.startsWith('/') ? home : homedir() || '/', name: String(uid) };
  }
}

function idOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

// ada:x:1000:1000:Ada Lovelace,,,:/home/ada:/bin/bash
function passwdEntry(uid: number): { name: string; home: string } | undefined {
  return entryIn(readFileSync('/etc/passwd', 'utf8'), uid) ?? entryIn(askDatabase(uid), uid);
}

function entryIn(passwd: string, uid: number): { name: string; home: string } | undefined {
  for (const line of passwd.split('\n')) {
    const [name, , id, , , home] = line.split(':');
    if (id === String(uid) && name && home?.startsWith('/')) return { name, home };
  }
  return undefined;
}

/** Users of LDAP and its like are not in /etc/passwd; getent(1) asks whatever nsswitch.conf names. */
function askDatabase(uid: number): string {
  const getent = findExecutable('getent', { optional: true });
  if (getent === undefined) return '';
  try {
    const env = { PATH: toolPath(), LC_ALL: 'C' };
    return execFileSync(getent, ['passwd', String(uid)], { encoding: 'utf8', env, stdio: 'pipe', timeout: 10_000 });
  } catch {
    return '';
  }
}
