import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';

const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;

export interface RegularFile {
  readonly fd: number;
  readonly status: Stats;
}

/**
 * Opens a file for reading where another user may have put something else: not a pipe, which would be waited for, nor a
 * device, which has no end, or does something when it is opened. `links: false`: nor a link.
 * @throws what open(2) and stat(2) refuse; Error where it is no regular file.
 */
export function openRegular(path: string, { links }: { readonly links: boolean }): RegularFile {
  requireFile(path, (links ? statSync : lstatSync)(path));
  // It may have been exchanged since.
  const fd = openSync(path, O_RDONLY | O_NONBLOCK | (links ? 0 : O_NOFOLLOW));
  try {
    const status = fstatSync(fd);
    requireFile(path, status);
    return { fd, status };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/**
 * All of such a file, which is no link.
 * @throws as openRegular(); Error where it has more than `largest` bytes, or is not to be trusted.
 */
export function readRegular(path: string, largest: number, isTrusted: (status: Stats) => boolean = () => true): Buffer {
  const { fd, status } = openRegular(path, { links: false });
  try {
    if (!isTrusted(status)) throw new Error(`${path} is another user's`);
    if (status.size > largest) throw new Error(`${path} has more than ${largest} bytes`);
    const bytes = Buffer.alloc(status.size);
    return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(fd);
  }
}

const PIECE = 1 << 20;

/** Copies such a file, readable by its owner only. @throws as openRegular(), and what writing refuses. */
export function copyRegular(path: string, target: string): void {
  const { fd } = openRegular(path, { links: true });
  try {
    const copy = openSync(target, 'wx', 0o600);
    try {
      const piece = Buffer.allocUnsafe(PIECE);
      for (let count = -1; count !== 0; ) {
        count = readSync(fd, piece);
        writeSync(copy, piece, 0, count);
      }
    } finally {
      closeSync(copy);
    }
  } finally {
    closeSync(fd);
  }
}

function requireFile(path: string, status: Stats): void {
  if (!status.isFile()) throw new Error(`${path} is no regular file`);
}
