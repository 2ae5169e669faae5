import type { Command } from 'commander';
import { z } from 'zod';
import { checkFilter, groupSections, makeFilter, pickedSections } from '../analysis/select.ts';
import { type SectionStats, type StatsOptions, sectionStats } from '../analysis/stats.ts';
import { EXIT, UsageError } from '../common/errors.ts';
import { lastDataFile } from '../common/last-file.ts';
import type { DataFile } from '../common/reader.ts';
import { makeTempDir } from '../common/temp.ts';
import { openData } from '../formats/open.ts';
import type { Context, ProgramCommand } from './context.ts';
import {
  declareEntries,
  declareFilter,
  declareInput,
  parseSelection,
  type Selection,
  selectionFlags,
} from './selection.ts';
import { statsText } from './stats-text.ts';
import { parseCount } from './values.ts';

const optionsSchema = z.object({
  ...selectionFlags,
  by: z.string().optional(),
  top: z.string().optional(),
  json: z.string().optional(),
});

const DEFAULT_TOP = 10;

export const statsCommand: ProgramCommand = { declare, run: runStats };

function declare(command: Command): void {
  command
    .summary('a data file in numbers')
    .description('The numbers of a data file: the last one that was collected where none is named.')
    .usage('[-i FILE] [-e N,...] [options]');
  declareEntries(declareInput(command));
  declareFilter(command)
    .option('--by <process>', 'comm: processes of one name together; pid: each by itself', 'comm')
    .option('--top <count>', `entries of each list, ${DEFAULT_TOP}`);
}

async function runStats(_: readonly string[], rawFlags: Record<string, unknown>, { output }: Context): Promise<number> {
  const flags = optionsSchema.parse(rawFlags);
  const selection = parseSelection('stats', flags);
  const { by } = flags;
  if (by !== 'comm' && by !== 'pid')
    throw new UsageError(`--by takes comm or pid, not '${by}'`, 'marple stats --by pid');
  const options: StatsOptions = {
    filter: makeFilter(selection),
    by,
    top: flags.top === undefined ? DEFAULT_TOP : parseCount('--top', flags.top, 1, 1_000_000),
  };
  const input = selection.input ?? lastDataFile();
  if (input === undefined) {
    throw new UsageError('no data has been collected yet', 'sudo marple collect --stack -t 5, or marple stats -i FILE');
  }
  const file = await openData(input, makeTempDir());
  try {
    const { sections, warnings } = await fileStats(file, selection, options);
    for (const warning of [...file.warnings, ...warnings]) output.warn(warning);
    if (flags.json === undefined) output.result(statsText(sections));
    else output.json(jsonResult(file, selection, sections, warnings), flags.json);
  } finally {
    await file.close();
  }
  return EXIT.ok;
}

/**
 * The sections that were named, or all: of these, those that cannot answer the filter are left out, and said.
 * @throws UsageError (2) where none can, or one that was named cannot.
 */
async function fileStats(
  file: DataFile,
  { pick }: Selection,
  options: StatsOptions,
): Promise<{ sections: SectionStats[]; warnings: string[] }> {
  const groups = groupSections(file.sections, pickedSections(file, pick));
  const warnings: string[] = [];
  const refusals: UsageError[] = [];
  const sections: SectionStats[] = [];
  for (const group of groups) {
    for (const section of group.shown) {
      try {
        checkFilter(group, section, options.filter);
      } catch (error) {
        if (!(error instanceof UsageError) || pick !== undefined) throw error;
        refusals.push(error);
        warnings.push(`left out: ${error.message}`);
        continue;
      }
      sections.push(await sectionStats(group, section, options));
    }
  }
  const [refusal] = refusals;
  if (sections.length === 0 && refusal !== undefined) throw refusal;
  if (sections.length === 0) throw new UsageError('the file has no sections', 'marple collect --stack -t 5');
  return { sections: sections.sort((a, b) => a.section - b.section), warnings };
}

function jsonResult(
  file: DataFile,
  { from, to, pids, comm }: Selection,
  sections: readonly SectionStats[],
  warnings: readonly string[],
): unknown {
  return {
    version: 1,
    file: file.path,
    partial: file.partial,
    filter: { from: from ?? null, to: to ?? null, pids: pids ?? null, comm: comm ?? null },
    sections,
    warnings: [...file.warnings, ...warnings],
  };
}
