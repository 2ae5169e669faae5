import { readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';

/** Reads from a place in a file until the buffer is full. Gives the bytes that were read: fewer only where the file ends. */
export async function fill(handle: FileHandle, buffer: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < buffer.length) {
    const { bytesRead } = await handle.read(buffer, done, buffer.length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

/** The same for a thread that has nothing else to do. */
export function fillSync(fd: number, buffer: Uint8Array, position: number): number {
  let done = 0;
  while (done < buffer.length) {
    const count = readSync(fd, buffer, done, buffer.length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}
