import { sectionSeconds } from '../analysis/notes.ts';
import type { Filter } from '../analysis/select.ts';
import type { SectionHeader } from '../common/header.ts';
import { formatCount, plural, visible, wrap } from '../common/text.ts';

export { sectionNotes, sectionSeconds } from '../analysis/notes.ts';

/** More would crowd the picture; all notes are printed as well. */
const FOOTER_LINES = 5;

/**
 * Where and when a section comes from, and what of it is shown: the parts of a picture's subtitle.
 * @param file the data file, where there are several.
 */
export function sectionOrigin(header: SectionHeader, filter: Filter, file?: string): string[] {
  const seconds = sectionSeconds(header);
  return [
    ...(file === undefined ? [] : [visible(file)]),
    ...hostText(header),
    `${header.start.slice(0, 19).replace('T', ' ')} UTC`,
    ...(seconds === null ? [] : [`${formatSeconds(seconds)} s`]),
    ...(header.tool === undefined ? [] : [visible(`${header.tool.name} ${header.tool.version}`.trim())]),
    ...filterText(filter),
  ];
}

function hostText({ host, node, hosts }: SectionHeader): string[] {
  if (hosts !== undefined) return [hosts.length > NAMED ? plural(hosts.length, 'host') : hosts.map(visible).join(', ')];
  if (node !== undefined && host !== undefined && node !== host) return [visible(`${node} (${host})`)];
  return [node ?? host].flatMap((name) => (name === undefined ? [] : [visible(name)]));
}

/** Hosts that are named; of more there is a count. */
const NAMED = 4;

function formatSeconds(seconds: number): string {
  return seconds < 100 ? seconds.toFixed(1) : formatCount(seconds);
}

function filterText(filter: Filter): string[] {
  const parts: string[] = [];
  if (filter.from !== undefined && filter.to !== undefined) parts.push(`only ${filter.from} to ${filter.to} s`);
  else if (filter.from !== undefined) parts.push(`only from ${filter.from} s`);
  else if (filter.to !== undefined) parts.push(`only up to ${filter.to} s`);
  if (filter.pids !== undefined) parts.push(`only pid ${filter.pids.join(', ')}`);
  if (filter.comm !== undefined) parts.push(`only processes like ${visible(filter.comm.source)}`);
  return parts;
}

/** Notes as lines of at most `length` characters below a picture: whole notes as far as there is room, and how many more there are. */
export function footerLines(notes: readonly string[], length: number): string[] {
  const lines: string[] = [];
  for (const [i, note] of notes.entries()) {
    const wrapped = wrap(note, length);
    const isLast = i === notes.length - 1;
    if (lines.length + wrapped.length > (isLast ? FOOTER_LINES : FOOTER_LINES - 1)) {
      const rest = notes.length - i;
      const more = lines.length === 0 ? plural(rest, 'note') : `and ${plural(rest, 'more note')}`;
      return [...lines, `${more}, printed by marple display`];
    }
    lines.push(...wrapped);
  }
  return lines;
}
