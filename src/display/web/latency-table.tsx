import { formatCount, formatValue, visible } from '../../common/text.ts';
import { InBase } from './base.tsx';
import type { Filter } from './filters.ts';
import { type Latency, latencies } from './latencies.ts';
import type { PageData } from './model.ts';
import { type Sliced, useSliced } from './sliced.ts';
import type { Base } from './views.ts';

interface LatenciesProps {
  readonly data: PageData;
  readonly filters: readonly Filter[];
  /** What the selection is compared with: its numbers stand in brackets. */
  readonly base?: Base;
}

const QUANTILES = [
  ['p50', 'p50'],
  ['p90', 'p90'],
  ['p99', 'p99'],
  ['p999', 'p99.9'],
  ['max', 'max'],
] as const;

/** How long what takes time took, as quantiles: waits for a CPU, waits of all kinds, I/Os. Nothing where no section tells. */
export function Latencies({ data, filters, base }: LatenciesProps) {
  const { value: own, isStale } = useSliced(() => latencies(data, filters), [data, filters]);
  const { value: before } = useSliced(() => latenciesOf(base), [base]);
  if (own === undefined || own.length === 0) return null;
  return (
    <table class="named latencies" aria-busy={isStale}>
      <thead>
        <tr>
          <th>Milliseconds</th>
          <th>Count</th>
          {QUANTILES.map(([key, label]) => (
            <th key={key}>{label}</th>
          ))}
        </tr>
      </thead>
      <tbody>
        {own.map(({ section, name, summary, scale }) => {
          const compared = before?.find((other) => other.section.number === section.number);
          return (
            <tr key={section.number}>
              <td title={scale > 1 ? 'About, for it was made of some of the records' : undefined}>
                {scale > 1 && '≈ '}
                {visible(name)} <span class="faint">{visible(section.interface)}</span>
              </td>
              <td>
                {formatCount(scale * summary.count)}
                {compared !== undefined && <InBase>{formatCount(compared.scale * compared.summary.count)}</InBase>}
              </td>
              {QUANTILES.map(([key]) => (
                <td key={key}>
                  {valueText(summary[key])}
                  {compared !== undefined && <InBase>{valueText(compared.summary[key])}</InBase>}
                </td>
              ))}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function* latenciesOf(base: Base | undefined): Sliced<Latency[] | undefined> {
  return base && (yield* latencies(base.data, base.filters));
}

function valueText(value: number | null): string {
  return value === null ? '' : formatValue(value);
}
