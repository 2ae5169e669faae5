import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';
import { UnavailableError } from './errors.ts';

const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Where tools are looked for: the system's folders, behind those in MARPLE_TOOL_PATH, where that is set. */
export const TOOL_PATH = [process.env['MARPLE_TOOL_PATH'], SYSTEM_PATH].filter((part) => part).join(':');

export function findExecutable(name: string): string;
export function findExecutable(name: string, options: { optional: true }): string | undefined;
/**
 * The path of a program: `name` itself where it has a slash, else the first match in TOOL_PATH.
 * @throws UnavailableError where there is none and it is not optional.
 */
export function findExecutable(name: string, options?: { optional: true }): string | undefined {
  const candidates = name.includes('/') ? [name] : TOOL_PATH.split(':').map((folder) => join(folder, name));
  const found = candidates.find(isExecutable);
  if (found === undefined && options === undefined) {
    throw new UnavailableError(`${name} is not installed`, 'install it with ./setup.sh');
  }
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
