import type { SectionHeader } from '../common/header.ts';

/** The field of a summary's points that says for how many records each of them stands. */
export const COUNT_FIELD = 'count';

/** That field of a section, where its records stand for several each; undefined where each is itself. */
export function countField({ summary, fields }: SectionHeader): string | undefined {
  const counted = summary?.counted;
  return counted !== undefined && fields?.includes(counted) === true ? counted : undefined;
}

/** How many records a count makes of one: each is itself where there is none; what is no number from 0 on is 0. */
export function timesOf(count: number | undefined): number {
  if (count === undefined) return 1;
  return count >= 0 && count <= Number.MAX_SAFE_INTEGER ? Math.floor(count) : 0;
}
