import type { Command } from 'commander';
import * as z from 'zod';
import type { Finding } from '../analysis/finding.ts';
import { FINDING_TOP, type FindingOptions, findingOptions, findings } from '../analysis/findings.ts';
import { type DataSet, dataSets, filterOfAll, groupsOf, hostSets } from '../analysis/fleet/data-sets.ts';
import { hostOf } from '../analysis/fleet/hosts.ts';
import { type HostStats, outliers } from '../analysis/fleet/outliers.ts';
import { checkFilter, makeFilter, pickedSections } from '../analysis/select.ts';
import { type SectionStats, type StatsOptions, sectionStats, withTop } from '../analysis/stats.ts';
import { EXIT, UsageError } from '../common/errors.ts';
import { makeTempDir } from '../common/temp.ts';
import { type FileSectionStats, type SetStats, statsText } from '../display/text/stats.ts';
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
import { loadDisplaySettings } from './settings.ts';
import { parseCount } from './values.ts';

const optionsSchema = z.object({
  ...selectionFlags,
  by: z.string().optional(),
  top: z.string().optional(),
  perHost: z.boolean().optional(),
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
    ["marple stats -i fleet --host 'web*' --per-host", 'files of several hosts: each host by itself too'],
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
    .option('--per-host', 'of several hosts: the numbers of each, and not only of all together')
    .option('--top <count>', `entries of each list, ${DEFAULT_TOP}`);
}

async function runStats(_: readonly string[], rawFlags: Record<string, unknown>, { output }: Context): Promise<number> {
  const flags = optionsSchema.parse(rawFlags);
  const selection = parseSelection('stats', flags);
  const { by } = flags;
  if (by !== 'comm' && by !== 'pid')
    throw new UsageError(
      `--by takes comm or pid, not '${by}'`,
      by === 'host' ? 'marple stats --per-host' : 'marple stats --by pid',
    );
  const options: StatsOptions = {
    filter: makeFilter(selection),
    by,
    top: flags.top === undefined ? DEFAULT_TOP : parseCount('--top', flags.top, 1, 1_000_000),
  };
  const data = await openAll(selection.inputs, makeTempDir());
  try {
    const thresholds = (await loadDisplaySettings()).get('report', findingOptions);
    const numbers = await allStats(data, selection, options, thresholds);
    for (const warning of numbers.warnings) output.warn(warning);
    if (flags.json === undefined) output.result(statsText(numbers.sets, numbers.findings, flags.perHost === true));
    else output.json(jsonResult(data, selection, numbers), flags.json);
  } finally {
    await data.close();
  }
  return EXIT.ok;
}

interface FileStats {
  readonly sets: readonly SetStats[];
  /** Of all hosts together first, and what makes one of them stand out. */
  readonly findings: readonly Finding[];
  readonly warnings: readonly string[];
}

/** The numbers of some sections, and the same with processes of one name together: what findings are made of. */
interface Measured {
  readonly sections: readonly FileSectionStats[];
  readonly byName: readonly SectionStats[];
}

/**
 * The sections that were named, or all: of these, those that cannot answer the filter are left out, and said.
 * @throws UsageError (2) where none can, or one that was named cannot.
 */
async function allStats(
  data: DataFiles,
  { pick, hosts }: Selection,
  options: StatsOptions,
  thresholds: FindingOptions,
): Promise<FileStats> {
  const picked = pickedSections(data.files, pick);
  const warnings = new Set(data.warnings);
  const refusals: UsageError[] = [];
  const measure = async (set: DataSet): Promise<Measured> => {
    const sections: FileSectionStats[] = [];
    const byName: SectionStats[] = [];
    const own = { ...options, filter: filterOfAll(set, options.filter) };
    for (const group of groupsOf(set, picked)) {
      for (const section of group.shown) {
        try {
          checkFilter(group, section, own.filter);
        } catch (error) {
          if (!(error instanceof UsageError) || pick !== undefined) throw error;
          refusals.push(error);
          warnings.add(`left out: ${error.message}`);
          continue;
        }
        const { by, top } = own;
        const whole = await sectionStats(group, section, { ...own, by: 'comm', top: Math.max(top, FINDING_TOP) });
        byName.push(whole);
        const stats = by === 'comm' ? withTop(whole, top) : await sectionStats(group, section, own);
        sections.push({ ...stats, file: set.path, host: hostOf(section.header) ?? null });
      }
    }
    return { sections: inOrder(sections), byName: inOrder(byName) };
  };
  const sets: SetStats[] = [];
  const found: Finding[] = [];
  for (const set of dataSets(data.files, hosts)) {
    for (const note of set.notes) warnings.add(note);
    const all = await measure(set);
    found.push(...findings(all.byName, thresholds));
    if (set.hosts === undefined) {
      sets.push({ path: set.path, sections: all.sections });
      continue;
    }
    const single: Measured[] = [];
    for (const own of hostSets(set)) single.push(await measure(own));
    const compared = single.map(({ byName }, i): HostStats => ({ host: set.hosts![i]!, stats: byName }));
    found.push(...outliers(compared, thresholds));
    sets.push({
      path: set.path,
      sections: single.flatMap(({ sections }) => sections),
      hosts: set.hosts,
      all: all.sections,
    });
  }
  const [refusal] = refusals;
  const count = sets.reduce((sum, { sections }) => sum + sections.length, 0);
  if (count === 0 && refusal !== undefined) throw refusal;
  if (count === 0) throw new UsageError('the file has no sections', 'marple collect --stack -t 5');
  return { sets, findings: found, warnings: [...warnings] };
}

function inOrder<Stats extends SectionStats>(all: readonly Stats[]): Stats[] {
  return all.toSorted((a, b) => a.section - b.section);
}

function jsonResult(
  { files }: DataFiles,
  { from, to, pids, comm, hosts }: Selection,
  { sets, findings: found, warnings }: FileStats,
): unknown {
  const together = sets.flatMap(({ path, hosts: own, all }) =>
    own === undefined ? [] : [{ path, hosts: own, sections: all ?? [] }],
  );
  return {
    version: 1,
    file: files.length === 1 ? files[0]!.path : null,
    files: files.map(({ path, partial }) => ({ path, partial })),
    partial: files.some(({ partial }) => partial),
    filter: { from: from ?? null, to: to ?? null, pids: pids ?? null, comm: comm ?? null, hosts: hosts ?? null },
    findings: found,
    sections: inOrder(sets.flatMap((set) => set.sections)),
    together,
    warnings,
  };
}
