import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Importer, ImportInput, ImportOptions, ImportSink } from './importer.ts';
import { type OpenDataOptions, openData } from './open.ts';

/** The folder of a run that was cut off: its sections as far as they were written, and what its recordings decode to. */
export const partialImporter: Importer = {
  format: 'partial',
  summary: 'the NAME.partial of a run that was cut off, which becomes whole',
  readsFolders: true,
  detects: () => false,
  run: importPartial,
};

async function importPartial(input: ImportInput, sink: ImportSink, { tempDir }: ImportOptions): Promise<void> {
  await importFolder(await input.file(), sink, tempDir);
}

/** Makes the partial folder of a run whole; `options` as openData() has them. */
export async function importFolder(
  folder: string,
  sink: ImportSink,
  tempDir: string,
  options: OpenDataOptions = {},
): Promise<void> {
  const file = await openData(folder, tempDir, options);
  try {
    const end = new Date(await lastChange(folder)).toISOString();
    for (const part of file.sections) {
      const { header } = part;
      const section = sink.section({ ...header, end: header.end ?? end, records: null, bytes: null });
      // What recorded it was to be said at the end.
      if (header.tool === undefined) delete section.header.tool;
      for await (const records of part.batches(header.datatype)) await section.write(records);
    }
    for (const warning of file.warnings) sink.warn(warning);
  } finally {
    await file.close();
  }
}

/** When the run last wrote something, milliseconds: it ended then, or soon after. */
async function lastChange(folder: string): Promise<number> {
  let last = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) last = Math.max(last, (await stat(join(entry.parentPath, entry.name))).mtimeMs);
  }
  return last;
}
