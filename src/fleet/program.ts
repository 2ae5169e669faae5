import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isSea } from 'node:sea';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { UsageError } from '../common/errors.ts';
import { expandHome, installRoot } from '../common/paths.ts';
import { systemReason } from '../common/system-reason.ts';
import { PIECE } from './remote-command.ts';

/**
 * The program that --push takes to the hosts, compressed, in whole pieces: gzip takes no notice of zeros at the end.
 * @param configured [Fleet] binary; empty: this MARPLE where it is one file, else what `npm run binary` has made.
 * @throws UsageError (2)
 */
export async function programToPush(configured: string): Promise<Buffer> {
  const path = configured === '' ? ownBinary() : expandHome(configured);
  if (!existsSync(path)) {
    throw new UsageError(
      `--push takes MARPLE as one file to the hosts, and there is no ${path}`,
      'make it: npm run binary; or name one in config.txt: [Fleet] binary = ...',
    );
  }
  try {
    const packed = await promisify(gzip)(await readFile(path), { level: 6 });
    return Buffer.concat([packed], Math.ceil(packed.length / PIECE) * PIECE);
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${systemReason(error)}`, `ls -l ${path}`, { cause: error });
  }
}

function ownBinary(): string {
  return isSea() ? process.execPath : join(installRoot(), 'dist', `marple-linux-${process.arch}`);
}
