import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MarpleError, UsageError } from '../common/errors.ts';
import { DATA_FILE, isPartialFolder, PARTIAL } from '../common/partial.ts';
import { type DataFile, renumbered } from '../common/reader.ts';
import { systemReason } from '../common/system-reason.ts';
import { type OpenDataOptions, openData } from './open.ts';

/** Data files that are open together; there is at least one. */
export interface DataFiles {
  readonly files: readonly DataFile[];
  /** Of all files, and what was left out. */
  readonly warnings: readonly string[];
  close(): Promise<void>;
}

/**
 * Opens all that a user may name as data: what openData() takes, and folders, whose data files are taken in the order of their
 * names. The numbers of the sections go through all files. What is named twice is opened once; what is damaged in a folder is
 * left out, and said.
 * @throws UsageError (2), DamagedFileError (65)
 */
export async function openAll(
  paths: readonly string[],
  tempDir: string,
  options: Pick<OpenDataOptions, 'convert'> = {},
): Promise<DataFiles> {
  const files: DataFile[] = [];
  const warnings: string[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(files.map((file) => file.close()));
  };
  const refusals: MarpleError[] = [];
  const known = new Set<string>();
  try {
    for (const path of paths) {
      const inFolder = await dataFilesIn(path);
      for (const name of inFolder ?? [path]) {
        const real = await realpath(name).catch(() => name);
        if (known.has(real)) continue;
        known.add(real);
        try {
          const file = await openData(name, tempDir, options);
          const before = files.reduce((count, { sections }) => count + sections.length, 0);
          const sections = file.sections.map((section) =>
            before === 0 ? section : renumbered(section, before + section.number),
          );
          files.push({ ...file, sections });
          warnings.push(...file.warnings);
        } catch (error) {
          if (inFolder === undefined || !(error instanceof MarpleError)) throw error;
          refusals.push(error);
          warnings.push(`left out: ${error.message}`);
        }
      }
    }
    if (files.length === 0 && refusals[0] !== undefined) throw refusals[0];
    return { files, warnings, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * The data files of a folder, by name; undefined where the path is none, or the folder is a run that was cut off.
 * @throws UsageError (2) where it holds no data file.
 */
export async function dataFilesIn(path: string): Promise<string[] | undefined> {
  if (path === '-' || (await stat(path).catch(() => undefined))?.isDirectory() !== true) return undefined;
  const names = await readdir(path).catch((error: unknown) => {
    throw new UsageError(
      `the folder ${path} cannot be read: ${systemReason(error)}`,
      `look at it with: ls -ld ${path}`,
      {
        cause: error,
      },
    );
  });
  if (isPartialFolder(path, names)) return undefined;
  const found = names.filter((name) => DATA_FILE.test(name)).sort();
  if (found.length > 0) return found.map((name) => join(path, name));
  throw new UsageError(
    `the folder ${path} holds no data file: none of its names ends in .marple or .marple${PARTIAL}`,
    `marple collect -o ${join(path, 'FILE.marple')}, or name a file: -i FILE`,
  );
}
