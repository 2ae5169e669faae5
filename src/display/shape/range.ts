import { sectionSeconds, xIsTime } from '../../analysis/notes.ts';
import type { SectionHeader } from '../../common/header.ts';

/** The range of time that was asked for, seconds. */
export interface TimeFilter {
  readonly from?: number;
  readonly to?: number;
}

/**
 * What x covers in a picture: the whole run where it is time, so that a quiet beginning or end shows; else from the
 * first to the last point.
 */
export function shownRange(
  header: SectionHeader,
  filter: TimeFilter,
  { count, xMin, xMax }: { readonly count: number; readonly xMin: number; readonly xMax: number },
): [from: number, to: number] {
  const [first, last] = count === 0 ? [0, 0] : [xMin, xMax];
  const duration = sectionSeconds(header) ?? 0;
  const isTime = header.datatype === 'event' || xIsTime(header);
  const coversRun = isTime && first >= 0 && last <= 1.1 * duration + 1;
  const from = filter.from ?? (coversRun ? 0 : first);
  const to = filter.to ?? (coversRun ? Math.max(last, duration) : last);
  return to > from ? [from, to] : [from, from + 1];
}
