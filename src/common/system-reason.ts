import { errorCode, errorMessage } from './errors.ts';

/** The system's refusal as a sentence that names the file, where it is one's. */
export function systemSentence(error: unknown): string {
  const path = error instanceof Error && 'path' in error && typeof error.path === 'string' ? `${error.path}: ` : '';
  return `${path}${systemReason(error)}`;
}

/** Refusals that come of the machine's state, whatever MARPLE does: never a bug of its own. */
const SHORTAGES = ['EAGAIN', 'EDQUOT', 'EFBIG', 'EIO', 'EMFILE', 'ENFILE', 'ENOMEM', 'ENOSPC', 'EROFS'];

/** Whether the system refused something that it grants to a machine in order. */
export function isShortage(error: unknown): boolean {
  return SHORTAGES.includes(errorCode(error) ?? '');
}

/** What helps where a disk is full. */
export const ROOM = 'see what has room, and write there with -o FILE: df -h';

/** The command that helps against the system's refusal; undefined where there is no one such. */
export function systemHint(error: unknown): string | undefined {
  switch (errorCode(error)) {
    case 'EMFILE':
      return 'ulimit -n 65536';
    case 'EFBIG':
      return 'ulimit -f unlimited';
    case 'EAGAIN':
      return 'ulimit -u unlimited';
    case 'ENOSPC':
    case 'EDQUOT':
      return ROOM;
    default:
      return undefined;
  }
}

/** What the system's refusal of a file operation means, in words (errno(3)). */
export function systemReason(error: unknown): string {
  switch (errorCode(error)) {
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    case 'EAGAIN':
      return 'the system has no room for it now';
    case 'EDQUOT':
      return 'the disk quota is used up';
    case 'EFBIG':
      return 'the file would be larger than the system allows';
    case 'EIO':
      return 'the disk reports an error';
    case 'EISDIR':
      return 'it is a folder';
    case 'ELOOP':
      return 'its path has too many symbolic links';
    case 'EMFILE':
    case 'ENFILE':
      return 'too many files are open';
    case 'ENAMETOOLONG':
      return 'its name is too long';
    case 'ENOENT':
      return 'there is no such file or folder';
    case 'ENOMEM':
      return 'there is not enough memory';
    case 'ENOSPC':
      return 'the disk is full';
    case 'ENOTDIR':
      return 'a part of its path is no folder';
    case 'EPIPE':
      return 'its reader has gone';
    case 'EROFS':
      return 'the file system is read-only';
    default:
      return errorMessage(error);
  }
}
