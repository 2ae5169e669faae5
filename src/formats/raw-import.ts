import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { DamagedFileError, errorMessage } from '../common/errors.ts';
import type { Importer, ImportInput, ImportOptions, ImportSink } from './importer.ts';
import { importFolder } from './partial-import.ts';
import { isRawArchive, RAW_FOLDER, unpackRaw } from './raw-archive.ts';

/** Archives of raw recordings, which are decoded here. */
export const rawImporter: Importer = {
  format: 'raw',
  summary: 'archives of marple collect --raw, which are decoded',
  detects: isRawArchive,
  run: importRaw,
};

async function importRaw(input: ImportInput, sink: ImportSink, { tempDir }: ImportOptions): Promise<void> {
  const folder = await mkdtemp(join(tempDir, 'raw-'));
  try {
    await unpackRaw(await input.file(), folder);
  } catch (error) {
    throw new DamagedFileError(input.name, `the archive is damaged or cut off: ${errorMessage(error)}`, undefined, {
      cause: error,
    });
  }
  await importFolder(join(folder, RAW_FOLDER), sink, { name: input.name, isEnded: true });
}
