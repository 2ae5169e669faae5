import { resolve } from 'node:path';
import { errorMessage } from '../common/errors.ts';
import { findExecutable } from '../common/executables.ts';
import { invokingUser } from '../common/user.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether there is a desktop to open a picture on. */
export function hasDesktop(env: Environment = process.env): boolean {
  return Boolean(env['DISPLAY']) || Boolean(env['WAYLAND_DISPLAY']);
}

/**
 * Opens a file in the user's own viewer and does not wait for it. Under sudo the viewer runs as the invoking user: a
 * browser must not run as root.
 * @returns undefined, or a sentence that says why it could not be opened.
 */
export function openInViewer(path: string): Promise<string | undefined> {
  return openAddress(resolve(path));
}

/** The same for an address of the web. */
export async function openAddress(address: string): Promise<string | undefined> {
  try {
    const { default: open } = await import('open');
    const xdgOpen = findExecutable('xdg-open', { optional: true });
    if (xdgOpen === undefined) return 'not opened: xdg-open is not installed (apt-get install xdg-utils)';
    const [name, ...args] = viewerCommand(xdgOpen, process.getuid?.() ?? 0, invokingUser(), process.env);
    await open(address, { app: { name: name as string, arguments: args } });
    return undefined;
  } catch (error) {
    return `not opened: ${errorMessage(error)}`;
  }
}

/** The command that opens a file which is added as its last argument. */
export function viewerCommand(
  xdgOpen: string,
  ownUid: number,
  user: { readonly uid: number; readonly gid: number; readonly home: string; readonly name: string },
  env: Environment,
): string[] {
  if (user.uid === ownUid) return [xdgOpen];
  // sudo has replaced these by root's.
  const theirs = {
    HOME: user.home,
    USER: user.name,
    LOGNAME: user.name,
    XDG_RUNTIME_DIR: `/run/user/${user.uid}`,
    DBUS_SESSION_BUS_ADDRESS: env['DBUS_SESSION_BUS_ADDRESS'] ?? `unix:path=/run/user/${user.uid}/bus`,
  };
  return [
    findExecutable('setpriv'),
    `--reuid=${user.uid}`,
    `--regid=${user.gid}`,
    '--init-groups',
    'env',
    ...Object.entries(theirs).map(([key, value]) => `${key}=${value}`),
    xdgOpen,
  ];
}
