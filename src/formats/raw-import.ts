import { UsageError } from '../common/errors.ts';
import type { Importer } from './importer.ts';

/** Archives of raw recordings: there is nothing yet that writes them. */
export const rawImporter: Importer = {
  format: 'raw',
  summary: 'archives of collect --raw (not yet)',
  detects: () => false,
  run: async ({ name }) => {
    throw new UsageError(
      `${name} cannot be imported: this MARPLE reads no archives of raw recordings`,
      'the partial folder of a run that was cut off can be: marple import NAME.partial',
    );
  },
};
