import { UsageError } from '../common/errors.ts';
import { didYouMean } from '../common/suggest.ts';
import { cpelExporter } from './cpel-events.ts';
import { csvExporter } from './csv.ts';
import type { Exporter } from './exporter.ts';
import { foldedExporter } from './folded.ts';
import { marpleExporter } from './marple.ts';
import { pprofExporter } from './pprof.ts';
import { speedscopeExporter } from './speedscope.ts';
import { summaryExporter } from './summary.ts';
import { traceEventExporter } from './trace-event.ts';

/** Every format that is written. */
export const EXPORTERS: readonly Exporter[] = [
  foldedExporter,
  speedscopeExporter,
  pprofExporter,
  traceEventExporter,
  csvExporter,
  cpelExporter,
  marpleExporter,
  summaryExporter,
];

/** @throws UsageError (2) */
export function findExporter(format: string): Exporter {
  const found = EXPORTERS.find((exporter) => exporter.format === format);
  if (found !== undefined) return found;
  const known = EXPORTERS.map((exporter) => exporter.format);
  throw new UsageError(
    `there is no format '${format}' to export to`,
    didYouMean(format, known, `use one of: ${known.join(', ')}`),
  );
}
