import type { SectionHeader } from '../common/header.ts';
import { isScheduling } from './scheduling.ts';

/** What was taken of a section. */
export interface Part {
  /** Seconds since the origin. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Whether only some tasks are in it; and which, where that is known. */
  readonly isOfTasks: boolean;
  readonly pids?: readonly number[] | undefined;
  /** For programs, and for people. */
  readonly selection: Readonly<Record<string, unknown>>;
  readonly note: string;
}

/** The header of a part of a section. Times stay those of the whole, and so do counts of what was lost, and the like. */
export function partHeader(header: SectionHeader, part: Part): SectionHeader {
  const { from, to, pids } = part;
  const origin = Date.parse(header.clock?.realtime ?? header.start);
  const at = (seconds: number): string => new Date(origin + 1000 * seconds).toISOString();
  const start = from === undefined || at(from) < header.start ? header.start : at(from);
  const end = to === undefined || (header.end !== null && at(to) > header.end) ? header.end : at(to);
  return {
    ...header,
    start,
    end: end !== null && end < start ? start : end,
    // Who follows tasks must know that only the switches of some are there.
    ...(isScheduling(header) && part.isOfTasks
      ? { scope: { ...header.scope, system_wide: false, ...(pids === undefined ? {} : { pids }) } }
      : {}),
    selection: part.selection,
    notes: [...(header.notes ?? []), part.note],
  };
}
