import { closeSync, fsyncSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { randomName } from '../common/random-name.ts';

/** f_type of tmpfs, statfs(2): a file there makes no disk I/O. */
const TMPFS = 0x01021994;

/** Makes `writes` writes of 4 KiB that reach the disk one after the other, for a probe to have something to see. The file has no name. */
export async function writeToDisk(tempDir: string, writes: number): Promise<void> {
  const folder = [tempDir, '/var/tmp'].find((path) => statfsSync(path).type !== TMPFS) ?? tempDir;
  const path = join(folder, `marple-probe-${randomName()}`);
  const fd = openSync(path, 'wx', 0o600);
  try {
    rmSync(path);
    for (let i = 0; i < writes; i++) {
      writeSync(fd, Buffer.alloc(4096, i), 0, 4096, i * 4096);
      fsyncSync(fd);
      await yieldToOthers();
    }
  } finally {
    closeSync(fd);
  }
}
