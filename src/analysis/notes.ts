import type { SectionHeader } from '../common/header.ts';
import { plural, visible } from '../common/text.ts';

/** What a person must know of a section to read it rightly: one sentence each. */
export function sectionNotes(header: SectionHeader): string[] {
  const notes: string[] = [];
  if (header.end === null) notes.push('the collection was cut off: this is what had been written by then');
  if ((header.lost ?? 0) > 0) notes.push(`${plural(header.lost ?? 0, 'record')} lost by the kernel or the tool`);
  if ((header.skipped ?? 0) > 0) notes.push(`${plural(header.skipped ?? 0, 'line')} of the tool could not be read`);
  if (header.substitute !== undefined) {
    notes.push(`stands in for ${visible(header.substitute.for)}: ${visible(header.substitute.why)}`);
  }
  for (const sentence of [...(header.warnings ?? []), ...(header.notes ?? [])]) notes.push(visible(sentence));
  return notes;
}

/** How long was collected, seconds; null where the run was cut off. */
export function sectionSeconds(header: SectionHeader): number | null {
  return header.end === null ? null : Math.max(0, (Date.parse(header.end) - Date.parse(header.start)) / 1000);
}

/** Whether x of a datapoint section is time. */
export function xIsTime(header: SectionHeader): boolean {
  return header.x?.unit === 's';
}
