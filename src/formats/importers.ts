import { UsageError } from '../common/errors.ts';
import { didYouMean } from '../common/suggest.ts';
import { biosnoopImporter } from './biosnoop.ts';
import { cpelImporter } from './cpel-import.ts';
import { foldedImporter } from './folded.ts';
import type { Importer } from './importer.ts';
import { iosnoopImporter } from './iosnoop.ts';
import { marplePyImporter } from './marple-py.ts';
import { partialImporter } from './partial-import.ts';
import { perfDataImporter } from './perf-data-import.ts';
import { perfScriptImporter } from './perf-script-import.ts';
import { rawImporter } from './raw-import.ts';

/** Every format that is read, in the order in which they are tried where none is named. */
export const IMPORTERS: readonly Importer[] = [
  perfDataImporter,
  cpelImporter,
  marplePyImporter,
  iosnoopImporter,
  biosnoopImporter,
  foldedImporter,
  perfScriptImporter,
  partialImporter,
  rawImporter,
];

const NAMES = IMPORTERS.map(({ format }) => format);

/** @throws UsageError (2) */
export function findImporter(format: string): Importer {
  const found = IMPORTERS.find((importer) => importer.format === format);
  if (found !== undefined) return found;
  throw new UsageError(
    `there is no format '${format}' to import`,
    didYouMean(format, NAMES, `use one of: ${NAMES.join(', ')}`),
  );
}

/** The format of a file that begins so; undefined where it is none of these. */
export function knownFormat(head: Buffer): string | undefined {
  return importerOf(head)?.format;
}

function importerOf(head: Buffer): Importer | undefined {
  return IMPORTERS.find((importer) => importer.readsFolders !== true && importer.detects(head));
}

/**
 * `head` is undefined for a folder.
 * @throws UsageError (2) where the beginning of `name` is like none of them.
 */
export function detectImporter(head: Buffer | undefined, name: string): Importer {
  const found = head === undefined ? IMPORTERS.find(({ readsFolders }) => readsFolders === true) : importerOf(head);
  if (found !== undefined) return found;
  if (head?.toString('latin1', 0, OWN.length) === OWN) {
    throw new UsageError(`${name} is a data file of MARPLE already`, `marple display -i ${name}`);
  }
  throw new UsageError(`what ${name} holds is not known`, `say what it is: --format ${NAMES.join(', ')}`);
}

/** What a data file begins with, as MARPLE writes it. */
const OWN = '{"marple":';
