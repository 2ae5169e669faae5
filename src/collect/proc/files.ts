import { closeSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';

/**
 * One read of this size takes a whole stat, status or smaps_rollup: the kernel makes such a file (seq_file, single_open)
 * at once, and none of them comes near to it.
 */
const SIZE = 16 * 1024;
const shared = Buffer.allocUnsafe(SIZE);

/**
 * The bytes of a small file in /proc. They lie in a buffer that the next call overwrites.
 * @throws the system's error: ENOENT or ESRCH where the process is gone, EACCES or EPERM where it is not permitted.
 */
export function readProcFile(path: string): Buffer {
  const file = openSync(path, 'r');
  try {
    return shared.subarray(0, readSync(file, shared, 0, SIZE, 0));
  } finally {
    closeSync(file);
  }
}

/** The same, off the main thread: for a file that the kernel takes long to make. */
export async function readProcFileAside(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(SIZE), 0, SIZE, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
