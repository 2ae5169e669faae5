import { describeFilter, type Filter } from './filters.ts';
import type { PageData, Section } from './model.ts';

/** A command, and the filters that no flag can say. */
export interface ExportCommand {
  readonly command: string;
  readonly without: readonly string[];
}

/** The command that writes what passes the filters into a data file: of the sections that can tell what passes. */
export function exportCommand(data: PageData, filters: readonly Filter[]): ExportCommand {
  const words = ['marple', 'export', '-i', 'FILE', '--format', 'marple', '-o', 'part.marple'];
  const without: string[] = [];
  const comms: string[] = [];
  let pids: readonly string[] | undefined;
  for (const filter of filters) {
    if (filter.kind === 'time') words.push('--from', String(filter.from), '--to', String(filter.to));
    else if (filter.kind === 'field' && filter.field === 'comm') {
      comms.push(`(?${filter.not ? '!' : '='}(${filter.values.map(escaped).join('|')})$)`);
    } else if (filter.kind === 'field' && filter.field === 'pid' && !filter.not) {
      pids = pids === undefined ? filter.values : pids.filter((pid) => filter.values.includes(pid));
    } else without.push(describeFilter(filter));
  }
  if (comms.length > 0) words.push('--comm', `^${comms.join('')}`);
  if (pids !== undefined) words.push('--pid', pids.join(','));
  const able = data.sections.filter((section) => filters.every((filter) => canTell(section, filter)));
  if (able.length < data.sections.length) words.push('-e', able.map(({ number }) => number).join(','));
  return { command: words.map(quoted).join(' '), without };
}

/** Whether a section has what a flag asks for; a stack has the records that refer to it, and the program at its root. */
function canTell(section: Section, filter: Filter): boolean {
  const records = section.stacks === undefined ? section : section.naming;
  if (filter.kind === 'time') return records?.times !== undefined;
  if (filter.kind !== 'field' || (filter.field !== 'comm' && filter.field !== 'pid')) return true;
  return records?.columns.has(filter.field) === true || (filter.field === 'comm' && section.stacks !== undefined);
}

/** As a regular expression that matches only this text. */
function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** As one word of a shell, whatever is in it. */
function quoted(word: string): string {
  return /^[\w.,:=/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
