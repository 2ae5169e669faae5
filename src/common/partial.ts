import type { SectionHeader } from './header.ts';

/** The folder NAME.partial in which the data file NAME comes into being: a file per section, and raw recordings. */
export const PARTIAL = '.partial';

/** The names that data files have in a folder, and what a run left that was cut off. */
export const DATA_FILE = /\.marple(\.partial)?$/;

/** `00-callstack-stack.section`: its place in the file, then what it holds. The name in the header is what counts. */
export function sectionFileName(header: SectionHeader, order: number): string {
  const name = header.interface.replace(/[^\w.-]/g, '_');
  return `${String(order).padStart(2, '0')}-${name}-${header.datatype}.section`;
}

/** The section files among a folder's names, in the order of the file. */
export function sectionFiles(names: readonly string[]): string[] {
  return names
    .filter((name) => /^\d+-.*\.section$/.test(name))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1));
}

/** Whether a folder is that of a run, and not one of other things; `names` are those of what is in it. */
export function isPartialFolder(path: string, names: readonly string[]): boolean {
  return names.includes('run.json') || sectionFiles(names).length > 0 || path.replace(/\/+$/, '').endsWith(PARTIAL);
}
