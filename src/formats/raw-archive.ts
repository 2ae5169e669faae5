import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/*
 * An archive of `marple collect --raw`: the partial folder of a run (common/partial.ts), with what names come from in
 * symbols/, as tar, compressed by gzip.
 */

/** The folder in the archive. */
export const RAW_FOLDER = 'marple.partial';
/** What names come from, within the partial folder. */
export const SYMBOLS_FOLDER = 'symbols';
/** How the names of archives end. */
export const RAW_EXTENSION = 'raw.tgz';

/** Bytes of a tar header up to its magic (POSIX ustar). */
const MAGIC_AT = 257;

/** Whether bytes, decompressed, are the beginning of such an archive. */
export function isRawArchive(head: Buffer): boolean {
  const isTar = head.toString('latin1', MAGIC_AT, MAGIC_AT + 5) === 'ustar';
  return isTar && head.toString('latin1', 0, RAW_FOLDER.length + 1) === `${RAW_FOLDER}/`;
}

/** Packs a folder; `output` is a path, which gets its name when the archive is whole, or a stream, which stays open. */
export async function packRaw(folder: string, output: string | Writable): Promise<void> {
  const { create } = await import('tar');
  // A weak box has more room than time.
  const packed = create({ cwd: folder, prefix: RAW_FOLDER, gzip: { level: 1 }, portable: true }, ['.']);
  if (typeof output !== 'string') return pipeline(packed, output, { end: false });
  const unfinished = `${output}.${process.pid}`;
  try {
    await pipeline(packed, createWriteStream(unfinished, { flags: 'wx', mode: 0o600 }));
    await rename(unfinished, output);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

/** Unpacks an archive, decompressed or not, below `folder`. Only files and folders are taken, and none that would lie elsewhere. */
export async function unpackRaw(archive: string, folder: string): Promise<void> {
  const { extract, list } = await import('tar');
  // Where extract() finds damage it does not wait for what it has begun to write.
  await list({ file: archive, strict: true });
  await extract({
    file: archive,
    cwd: folder,
    strict: true,
    preserveOwner: false,
    filter: (_, entry) => 'type' in entry && (entry.type === 'File' || entry.type === 'Directory'),
  });
}
