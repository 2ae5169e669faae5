import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFilter, type SectionGroup } from '../analysis/select.ts';
import { isAlike, SUMMARY_DEFAULTS, type SummarySection, summarise } from '../analysis/summary/summary.ts';
import { UsageError } from '../common/errors.ts';
import { SectionWriter } from '../common/writer.ts';
import { exportSources, joinedSource } from './export.ts';
import type { Exporter, ExportSource } from './exporter.ts';
import { openAll } from './open-all.ts';

/*
 * A data file of only what can be summed (analysis/summary). Several data files become one: the summary of all of them.
 */

export const summaryExporter: Exporter = {
  format: 'summary',
  summary: 'a small data file of what can be summed; several files become one',
  joins: true,
  run: exportSummary,
};

/**
 * The summary of a whole data file.
 * @throws UsageError (2) where nothing of it adds up.
 */
export async function* summaryOf(
  path: string,
  tempDir: string,
  warn: (sentence: string) => void,
): AsyncGenerator<Uint8Array> {
  const data = await openAll([path], tempDir);
  try {
    yield* exportSummary(joinedSource(exportSources(data.files, undefined, makeFilter({}), tempDir)), warn);
  } finally {
    await data.close();
  }
}

async function* exportSummary(
  { groups, filter, tempDir }: ExportSource,
  warn: (sentence: string) => void,
): AsyncGenerator<Uint8Array> {
  let isEmpty = true;
  for (const alike of alikeGroups(groups)) {
    for (const section of await summarise(alike, filter, SUMMARY_DEFAULTS, warn)) {
      isEmpty = false;
      yield* sectionBytes(section, tempDir);
    }
  }
  if (isEmpty) {
    throw new UsageError('the data has nothing that adds up', 'marple display -l lists what the file holds');
  }
}

/** Groups of the same interface and quantities, those of several files together, in the order of the first of them. */
function alikeGroups(groups: readonly SectionGroup[]): SectionGroup[][] {
  const found: SectionGroup[][] = [];
  for (const group of groups) {
    const alike = found.find(([first]) =>
      first!.shown.some(({ header }) => group.shown.some((other) => isAlike(other.header, header))),
    );
    if (alike === undefined) found.push([group]);
    else alike.push(group);
  }
  return found;
}

async function* sectionBytes({ header, records }: SummarySection, tempDir: string): AsyncGenerator<Uint8Array> {
  const folder = await mkdtemp(join(tempDir, 'section-'));
  const writer = SectionWriter.create(join(folder, 'section'), header);
  try {
    await writer.write(records);
    await writer.complete();
    yield* writer.contents();
  } finally {
    await writer.discard();
    await rm(folder, { recursive: true, force: true });
  }
}
