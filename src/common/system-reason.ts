import { errorCode, errorMessage } from './errors.ts';

/** What the system's refusal of a file operation means, in words (errno(3)). */
export function systemReason(error: unknown): string {
  switch (errorCode(error)) {
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
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
