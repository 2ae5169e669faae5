import { basename } from 'node:path';
import { UsageError } from '../../common/errors.ts';
import type { SectionHeader } from '../../common/header.ts';
import { DATA_FILE } from '../../common/partial.ts';
import type { DataFile } from '../../common/reader.ts';
import { didYouMean } from '../../common/suggest.ts';
import { joinWords } from '../../common/text.ts';

/** The host that a section is of: what it was reached by, else what it calls itself; undefined where it does not say. */
export function hostOf({ node, host }: SectionHeader): string | undefined {
  return node ?? host;
}

/** The host of a file, which one that does not say is called by its name. */
export function hostOfFile({ path, sections }: DataFile): string {
  for (const { header } of sections) {
    const host = hostOf(header);
    if (host !== undefined) return host;
  }
  return basename(path).replace(DATA_FILE, '');
}

/** Names that one pattern may stand for. */
const MOST_NAMES = 100_000;

/**
 * The files of the hosts that are asked for by name: `web1`, `web[01-40,50]` as ClusterShell has it, or `web*`.
 * @throws UsageError (2) where a pattern is none, or no file is of such a host.
 */
export function filesOfHosts(files: readonly DataFile[], patterns: readonly string[]): DataFile[] {
  const hosts = [...new Set(files.map(hostOfFile))];
  const wanted = patterns.map((pattern) => {
    const matches = hostPattern(pattern);
    const found = hosts.filter(matches);
    if (found.length > 0) return new Set(found);
    throw new UsageError(
      `no file is of a host ${pattern}`,
      didYouMean(
        pattern,
        hosts,
        `there ${hosts.length === 1 ? 'is' : 'are'} ${joinWords(hosts.slice(0, SHOWN))}${hosts.length > SHOWN ? ` and ${hosts.length - SHOWN} more` : ''}`,
        (host) => `--host ${host}`,
      ),
    );
  });
  return files.filter((file) => wanted.some((names) => names.has(hostOfFile(file))));
}

/** Hosts that a hint lists. */
const SHOWN = 8;

/** `a,b[1,3]` as its parts: a comma in brackets is none between names. */
export function splitHosts(text: string): string[] {
  return text
    .split(/,(?![^[\]]*\])/)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** Which names a pattern stands for. @throws UsageError (2) */
function hostPattern(pattern: string): (host: string) => boolean {
  const parts = pattern.split(/\[([^[\]]*)\]/);
  let names = 1;
  const source = parts.map((part, i) => {
    if (i % 2 === 0) return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('\\*', '.*');
    const numbers = rangeNumbers(part, pattern);
    names *= numbers.length;
    if (names > MOST_NAMES) throw wrongPattern(pattern);
    return `(?:${numbers.join('|')})`;
  });
  if (parts.some((part, i) => i % 2 === 0 && /[[\]]/.test(part))) throw wrongPattern(pattern);
  const expression = new RegExp(`^${source.join('')}$`, 'u');
  return (host) => host === pattern || expression.test(host);
}

// 01-04,7
function rangeNumbers(text: string, pattern: string): string[] {
  return text.split(',').flatMap((part) => {
    const [, from, to] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part.trim()) ?? [];
    if (from === undefined) throw wrongPattern(pattern);
    const [first, last] = [Number(from), Number(to ?? from)];
    if (last < first || last - first >= MOST_NAMES) throw wrongPattern(pattern);
    return Array.from({ length: last - first + 1 }, (_, i) => String(first + i).padStart(from.length, '0'));
  });
}

function wrongPattern(pattern: string): UsageError {
  return new UsageError(`--host ${pattern} names no hosts`, "for example: --host 'web[01-40],db1' or --host 'web*'");
}
