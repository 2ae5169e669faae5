import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type OpenOptions, openDataFile } from '../common/reader.ts';
import type { Importer, ImportInput, ImportSink } from './importer.ts';
import { withoutSlash } from './open.ts';
import { decodeInto, recordingsIn } from './partial-recordings.ts';

/** The folder of a run that was cut off: its sections as far as they were written, and what its recordings decode to. */
export const partialImporter: Importer = {
  format: 'partial',
  summary: 'the NAME.partial of a run that was cut off, which becomes whole',
  readsFolders: true,
  detects: () => false,
  run: importPartial,
};

async function importPartial(input: ImportInput, sink: ImportSink): Promise<void> {
  await importFolder(withoutSlash(await input.file()), sink);
}

/** Makes the partial folder of a run whole; `options` as openDataFile() has them. */
export async function importFolder(folder: string, sink: ImportSink, options: OpenOptions = {}): Promise<void> {
  const file = await openDataFile(folder, options);
  try {
    const end = new Date(await lastChange(folder)).toISOString();
    const sections = file.sections.map(({ header }) => {
      const section = sink.section({ ...header, end: header.end ?? end, records: null, bytes: null });
      // What recorded it was to be said at the end.
      if (header.tool === undefined) delete section.header.tool;
      return section;
    });
    const recordings = await recordingsIn(folder, file.sections);
    const toDecode = new Set(recordings.flatMap((recorded) => recorded.sections));
    for (const [i, part] of file.sections.entries()) {
      if (toDecode.has(part)) continue;
      for await (const records of part.batches(part.header.datatype)) await sections[i]!.write(records);
    }
    for (const warning of file.warnings) sink.warn(warning);
    for (const recorded of recordings) {
      const own = recorded.sections.map(({ number }) => sections[number - 1]!);
      const problem = await decodeInto(folder, recorded.folder, own);
      if (problem !== undefined) sink.warn(`${recorded.interface}: ${problem}`);
    }
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
