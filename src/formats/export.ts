import { basename } from 'node:path';
import { checkFilter, type Filter, groupSections, pickedSections, selectedSection } from '../analysis/select.ts';
import type { DataFile } from '../common/reader.ts';
import type { ExportSource } from './exporter.ts';

/**
 * What of each file is to be exported: the sections `pick`, or all, and of these the records that pass the filter. A file of
 * which nothing was picked is left out.
 * @throws UsageError (2) where there is no such section, or one cannot answer the filter.
 */
export function exportSources(
  files: readonly DataFile[],
  pick: readonly number[] | undefined,
  filter: Filter,
  tempDir: string,
): ExportSource[] {
  const picked = pickedSections(files, pick);
  return files
    .map((file) => exportSource(file, picked, filter, tempDir))
    .filter(({ sections }) => picked === undefined || sections.length > 0);
}

/** Several sources as one: what is exported of all of them, of which there is at least one. */
export function joinedSource(sources: readonly ExportSource[]): ExportSource {
  return {
    ...sources[0]!,
    sections: sources.flatMap(({ sections }) => sections),
    groups: sources.flatMap(({ groups }) => groups),
  };
}

function exportSource(
  file: DataFile,
  picked: ReadonlySet<number> | undefined,
  filter: Filter,
  tempDir: string,
): ExportSource {
  const groups = groupSections(file.sections, picked);
  for (const group of groups) for (const section of group.shown) checkFilter(group, section, filter);
  const sections = groups
    .flatMap((group) => group.shown.map((section) => selectedSection(group, section, filter)))
    .sort((a, b) => a.number - b.number);
  return { name: basename(file.path), sections, groups, filter, tempDir };
}
