import { basename } from 'node:path';
import { type DataSet, groupsOf } from '../analysis/fleet/data-sets.ts';
import { checkFilter, type Filter, groupSections, pickedSections, selectedSection } from '../analysis/select.ts';
import type { DataFile } from '../common/reader.ts';
import type { ExportSource } from './exporter.ts';

/**
 * What of each file is to be exported: the sections `pick`, or all, and of these the records that pass the filter. A file of
 * which nothing was picked is left out.
 * @param all those through which the sections are numbered, where `files` are not all of them.
 * @throws UsageError (2) where there is no such section, or one cannot answer the filter.
 */
export function exportSources(
  files: readonly DataFile[],
  pick: readonly number[] | undefined,
  filter: Filter,
  tempDir: string,
  all: readonly DataFile[] = files,
): ExportSource[] {
  const picked = pickedSections(all, pick);
  return files
    .map((file) => exportSource(file, picked, filter, tempDir))
    .filter(({ sections }) => picked === undefined || sections.length > 0);
}

/**
 * The sections of hosts that were collected together as one source, each host with its own name: one after the other, their times on
 * one clock, for a format that holds any number of sections; else joined, with a field `host`.
 */
export function hostsSource(
  set: DataSet,
  pick: ReadonlySet<number> | undefined,
  filter: Filter,
  tempDir: string,
  isForSections: boolean,
): ExportSource {
  if (isForSections) return joinedSource(set.files.map((file) => exportSource(file, pick, filter, tempDir)));
  const groups = groupsOf(set, pick, { isForViews: false });
  for (const group of groups) for (const section of group.shown) checkFilter(group, section, filter);
  const sections = groups
    .flatMap((group) => group.shown.map((section) => selectedSection(group, section, filter)))
    .sort((a, b) => a.number - b.number);
  return { name: basename(set.path), sections, groups, filter, tempDir };
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
