import { existsSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { isSea } from 'node:sea';
import { UsageError } from './errors.ts';
import { invokingUser } from './user.ts';

/**
 * The folder that MARPLE is installed in: it holds the shipped config.txt and vendor/. It is the first folder with a
 * config.txt from the program upward, whether that is the bundle in dist/ (behind a link, too) or the source. Where MARPLE is
 * one file, it is the folder of that, and may hold neither.
 * @throws UsageError where the program was taken out of its folder.
 */
export function installRoot(): string {
  if (isSea()) return dirname(process.execPath);
  // The bundle is CommonJS and knows its own folder; the source, run as a module, is found by the script's path.
  const start = typeof __dirname === 'string' ? __dirname : dirname(realpathSync(process.argv[1] ?? '.'));
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'config.txt'))) return folder;
    if (folder === dirname(folder)) {
      throw new UsageError(
        `MARPLE's config.txt is neither in ${start} nor above it`,
        'run MARPLE from the folder that it was installed in: ./setup.sh there puts marple on the PATH',
      );
    }
  }
}

/** What runs this MARPLE once more: program and arguments. */
export function ownProgram(): string[] {
  return isSea() ? [process.execPath] : [process.execPath, process.argv[1] as string];
}

/** The defaults that MARPLE ships. Where MARPLE is one file, they are in it, and this is only their name. */
export function shippedConfigFile(): string {
  return isSea() ? 'config.txt' : join(installRoot(), 'config.txt');
}

/** The invoking user's own settings; the file need not exist. */
export function userConfigFile(): string {
  return join(userFolder('XDG_CONFIG_HOME', '.config'), 'marple', 'config.txt');
}

/** What MARPLE remembers between runs of the invoking user; the folder need not exist. */
export function stateDir(): string {
  return join(userFolder('XDG_STATE_HOME', '.local/state'), 'marple');
}

export function logFile(): string {
  return join(stateDir(), 'marple.log');
}

/** A folder from the config: `~/` is the invoking user's home. */
export function expandHome(path: string): string {
  return path === '~' || path.startsWith('~/') ? join(invokingUser().home, path.slice(1)) : path;
}

/** A base directory; a relative path in the variable counts as none (XDG Base Directory Specification). */
function userFolder(variable: string, below: string): string {
  const set = process.env[variable];
  return set !== undefined && isAbsolute(set) ? set : join(invokingUser().home, below);
}
