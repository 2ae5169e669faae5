import { UsageError } from '../common/errors.ts';
import { foldedImporter } from './folded.ts';
import type { Importer } from './importer.ts';

/** Every format that is read, in the order in which they are tried where none is named. */
export const IMPORTERS: readonly Importer[] = [foldedImporter];

/** @throws UsageError (2) */
export function findImporter(format: string): Importer {
  const found = IMPORTERS.find((importer) => importer.format === format);
  if (found !== undefined) return found;
  throw new UsageError(`there is no format '${format}' to import`, `use one of: ${names(IMPORTERS)}`);
}

/** @throws UsageError (2) where the beginning of `name` is like none of them. */
export function detectImporter(head: Buffer, name: string): Importer {
  const found = IMPORTERS.find((importer) => importer.detects(head));
  if (found !== undefined) return found;
  throw new UsageError(`what ${name} holds is not known`, `say what it is: --format ${names(IMPORTERS)}`);
}

function names(all: readonly { readonly format: string }[]): string {
  return all.map(({ format }) => format).join(', ');
}
