import { hostValue } from '../../../common/host-keys.ts';
import { askedTime, describeFilter, type Filter, hostsIn, isHostFilter, knows } from '../filters.ts';
import type { PageData } from '../model.ts';

/** A command, and the filters that no flag can say. */
export interface ExportCommand {
  readonly command: string;
  readonly without: readonly string[];
}

/** The command that writes what passes the filters into a data file: of the sections that can tell what passes. */
export function exportCommand(data: PageData, filters: readonly Filter[]): ExportCommand {
  const { hosts } = data.manifest;
  const words = [
    'marple',
    'export',
    '-i',
    hosts === undefined ? 'FILE' : 'FOLDER',
    '--format',
    'marple',
    '-o',
    'part.marple',
  ];
  if (hosts !== undefined) words.push('--join');
  const without: string[] = [];
  const comms: string[] = [];
  let pids: readonly string[] | undefined;
  const { from, to } = askedTime(data, filters);
  if (from !== undefined) words.push('--from', String(from));
  if (to !== undefined) words.push('--to', String(to));
  for (const filter of filters) {
    if (filter.kind === 'time' || (isHostFilter(filter) && hosts !== undefined)) continue;
    if (filter.kind === 'field' && filter.field === 'comm') {
      comms.push(`(?${filter.not ? '!' : '='}(${filter.values.map(escaped).join('|')})$)`);
    } else if (filter.kind === 'field' && filter.field === 'pid' && !filter.not) {
      // The flag takes a pid of any host.
      if (hosts !== undefined) without.push(describeFilter(filter));
      const own = filter.values.map((pid) => hostValue('pid', pid).value);
      pids = pids === undefined ? own : pids.filter((pid) => own.includes(pid));
    } else without.push(describeFilter(filter));
  }
  if (comms.length > 0) words.push('--comm', `^${comms.join('')}`);
  if (pids !== undefined) words.push('--pid', pids.join(','));
  const chosen = hosts && hostsIn(filters, hosts);
  if (chosen !== undefined) words.push('--host', chosen.join(','));
  const able = data.sections.filter((section) => filters.every((filter) => knows(section, filter)));
  // Of several hosts each has numbers of its own.
  if (able.length < data.sections.length && hosts === undefined)
    words.push('-e', able.map(({ number }) => number).join(','));
  return { command: words.map(quoted).join(' '), without };
}

/** As a regular expression that matches only this text. */
function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** As one word of a shell, whatever is in it. */
function quoted(word: string): string {
  return /^[\w.,:=/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
