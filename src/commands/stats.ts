import type { Command } from 'commander';
import * as z from 'zod';
import type { Finding } from '../analysis/finding.ts';
import { FINDING_TOP, findingOptions, findings } from '../analysis/findings.ts';
import { checkFilter, groupSections, makeFilter, pickedSections } from '../analysis/select.ts';
import { type SectionStats, type StatsOptions, sectionStats, withTop } from '../analysis/stats.ts';
import { EXIT, UsageError } from '../common/errors.ts';
import { makeTempDir } from '../common/temp.ts';
import { type FileSectionStats, statsText } from '../display/text/stats.ts';
import { type DataFiles, openAll } from '../formats/open-all.ts';
import { type Context, DATA_FILES, type ProgramCommand } from './context.ts';
import {
  declareEntries,
  declareFilter,
  declareInput,
  parseSelection,
  type Selection,
  selectionFlags,
} from './selection.ts';
import { loadSettings } from './settings.ts';
import { parseCount } from './values.ts';

const optionsSchema = z.object({
  ...selectionFlags,
  by: z.string().optional(),
  top: z.string().optional(),
  json: z.string().optional(),
});

const DEFAULT_TOP = 10;

export const statsCommand: ProgramCommand = {
  declare,
  examples: [
    ['marple stats', 'the last file that was collected'],
    ['marple stats -i slow.marple --from 1 --to 2', 'one second of it'],
    ['marple stats --by pid --top 3', 'each process by itself, the three largest'],
    ['marple stats -i slow.marple --json=slow.json', 'for a script'],
  ],
  words: { '--input': [DATA_FILES], '--by': ['comm', 'pid'] },
  run: runStats,
};

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
  const data = await openAll(selection.inputs, makeTempDir());
  try {
    const numbers = await allStats(data, selection, options);
    for (const warning of numbers.warnings) output.warn(warning);
    const found = findings(numbers.byName, loadSettings().get('report', findingOptions));
    if (flags.json === undefined) output.result(statsText(numbers.sections, found));
    else output.json(jsonResult(data, selection, numbers, found), flags.json);
  } finally {
    await data.close();
  }
  return EXIT.ok;
}

interface FileStats {
  readonly sections: readonly FileSectionStats[];
  /** Processes of one name together, and all of them: what findings are made of. */
  readonly byName: readonly SectionStats[];
  readonly warnings: readonly string[];
}

/**
 * The sections that were named, or all: of these, those that cannot answer the filter are left out, and said.
 * @throws UsageError (2) where none can, or one that was named cannot.
 */
async function allStats(data: DataFiles, { pick }: Selection, options: StatsOptions): Promise<FileStats> {
  const { files } = data;
  const picked = pickedSections(files, pick);
  const warnings = [...data.warnings];
  const refusals: UsageError[] = [];
  const sections: FileSectionStats[] = [];
  const byName: SectionStats[] = [];
  const { filter, by, top } = options;
  const groups = files.flatMap(({ path, sections: all }) =>
    groupSections(all, picked).map((group) => ({ path, group })),
  );
  for (const { path, group } of groups) {
    for (const section of group.shown) {
      try {
        checkFilter(group, section, filter);
      } catch (error) {
        if (!(error instanceof UsageError) || pick !== undefined) throw error;
        refusals.push(error);
        warnings.push(`left out: ${error.message}`);
        continue;
      }
      const whole = await sectionStats(group, section, { filter, by: 'comm', top: Math.max(top, FINDING_TOP) });
      byName.push(whole);
      const stats = by === 'comm' ? withTop(whole, top) : await sectionStats(group, section, options);
      sections.push({ ...stats, file: path });
    }
  }
  const [refusal] = refusals;
  if (sections.length === 0 && refusal !== undefined) throw refusal;
  if (sections.length === 0) throw new UsageError('the file has no sections', 'marple collect --stack -t 5');
  const inOrder = <Stats extends SectionStats>(all: readonly Stats[]): Stats[] =>
    all.toSorted((a, b) => a.section - b.section);
  return { sections: inOrder(sections), byName: inOrder(byName), warnings };
}

function jsonResult(
  { files }: DataFiles,
  { from, to, pids, comm }: Selection,
  { sections, warnings }: FileStats,
  found: readonly Finding[],
): unknown {
  return {
    version: 1,
    file: files.length === 1 ? files[0]!.path : null,
    files: files.map(({ path, partial }) => ({ path, partial })),
    partial: files.some(({ partial }) => partial),
    filter: { from: from ?? null, to: to ?? null, pids: pids ?? null, comm: comm ?? null },
    findings: found,
    sections,
    warnings,
  };
}
