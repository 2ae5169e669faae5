import type { Command } from 'commander';
import * as z from 'zod';
import { type Condition, evaluate, type Outcome, parseFailIf } from '../analysis/diff/fail-if.ts';
import { type SectionMetrics, sectionMetrics } from '../analysis/diff/metrics.ts';
import { Comparer, type Diff, type Run } from '../analysis/diff.ts';
import { dataSets, hostSets } from '../analysis/fleet/data-sets.ts';
import { hostOf, hostOfFile, splitHosts } from '../analysis/fleet/hosts.ts';
import {
  answerable,
  checkAnyFilter,
  type Filter,
  groupSections,
  makeFilter,
  type SectionGroup,
} from '../analysis/select.ts';
import { sectionStats } from '../analysis/stats.ts';
import { EXIT, UsageError } from '../common/errors.ts';
import type { DataFile } from '../common/reader.ts';
import { checkFree, saveFile, writeToStdout } from '../common/save.ts';
import { makeTempDir } from '../common/temp.ts';
import { joinWords } from '../common/text.ts';
import { openData } from '../formats/open.ts';
import { dataFilesIn } from '../formats/open-all.ts';
import { type Context, DATA_FILES, type ProgramCommand } from './context.ts';
import { type DiffSide, diffText, methodText, sectionTables } from './diff-text.ts';
import { declareFilter, declareInput, parseConditions, selectionFlags } from './selection.ts';
import { parseCount } from './values.ts';

const { input, from, to, pid, comm, host } = selectionFlags;
const optionsSchema = z.object({
  from,
  to,
  pid,
  comm,
  input,
  host,
  againstHost: z.string().optional(),
  before: z.array(z.string()).optional(),
  after: z.array(z.string()).optional(),
  output: z.string().optional(),
  force: z.boolean().optional(),
  failIf: z.string().optional(),
  normalize: z.boolean().optional(),
  seed: z.string(),
  top: z.string(),
  json: z.string().optional(),
});

const DEFAULT_TOP = '10';
const DEFAULT_SEED = '1';
/** Values of a section that are kept for resampling, and a tenth of it of a process. */
const SAMPLED = 20_000;

export const diffCommand: ProgramCommand = {
  declare,
  examples: [
    ['marple diff before.marple after.marple', 'two runs in numbers'],
    ['marple diff before.marple after.marple -o diff.html', 'and as a page'],
    ['marple diff --before before-*.marple --after after-*.marple', 'several runs of each side: what is noise?'],
    ['marple diff before-fleet after-fleet', 'the files of two folders: the hosts of each'],
    ["marple diff -i fleet --host 'web[01-03]' --against-host 'web[04-05]'", 'some hosts of a folder, and others'],
    [
      "marple diff before.marple after.marple --fail-if 'callstack.total > 1000x'",
      'ends with 1 where a number grew too much',
    ],
  ],
  words: { files: [DATA_FILES], '--before': [DATA_FILES], '--after': [DATA_FILES] },
  run: runDiff,
};

function declare(command: Command): void {
  command
    .summary('compare runs before and after a change')
    .description('Compares two data files, or several runs of each side, and tells what is noise.')
    .usage(
      'BEFORE AFTER [options]\n       marple diff --before FILE... --after FILE... [options]\n       marple diff -i FILE --host NAMES --against-host NAMES [options]',
    )
    .argument('[files...]', 'the file or folder before the change, and the one after')
    .option('--before <file...>', 'runs before the change')
    .option('--after <file...>', 'runs after it')
    .option('-o, --output <file>', 'an HTML page: differential flame graphs, heat maps side by side')
    .option('--force', 'overwrite an existing page')
    .option(
      '--fail-if <expression>',
      "exit with 1 where it holds, such as 'disklat.p99 > 1.2x or callstack.total > 500'",
    )
    .option('--normalize', 'functions by their share of all stacks')
    .option('--top <count>', 'entries of each list', DEFAULT_TOP)
    .option('--seed <number>', 'of the random numbers that tell noise', DEFAULT_SEED);
  declareInput(declareFilter(command)).option(
    '--against-host <names>',
    'with -i: the hosts that those of --host are compared with, and stand as after',
  );
}

async function runDiff(
  files: readonly string[],
  rawFlags: Record<string, unknown>,
  { output }: Context,
): Promise<number> {
  const flags = optionsSchema.parse(rawFlags);
  const sides = sidesOf(files, flags);
  const conditions = flags.failIf === undefined ? [] : parseFailIf(flags.failIf);
  const filter = makeFilter(parseConditions(flags));
  const settings = {
    seed: parseCount('--seed', flags.seed, 0, 2 ** 32 - 1),
    top: parseCount('--top', flags.top, 1, 100_000),
    normalised: flags.normalize === true,
  };
  const warnings = new Set<string>();
  const warn = (sentence: string): void => {
    if (!warnings.has(sentence)) output.warn(sentence);
    warnings.add(sentence);
  };
  const path = flags.output;
  if (path !== undefined) await checkPage(path, flags.force === true, flags.json);
  const tempDir = makeTempDir();
  const opened: DataFile[] = [];
  try {
    const [before, after] = [
      await readRuns(sides.before, sides.hosts?.before, filter, tempDir, opened, warn),
      await readRuns(sides.after, sides.hosts?.after, filter, tempDir, opened, warn),
    ];
    const comparer = new Comparer(before, after, settings);
    const outcomes = conditions.map((condition) => judge(condition, comparer, flags.failIf ?? ''));
    const diff = comparer.diff();
    if (diff.sections.length === 0) {
      throw new UsageError(
        'the files have no section in common',
        `marple display -l -i ${sides.before[0]}, and the same of the other, list what they hold`,
      );
    }
    for (const section of diff.leftOut) warn(`left out: ${section} is not in all files`);
    const holds = outcomes.some((outcome) => outcome.holds);
    if (path !== undefined) await savePage(path, flags.force === true, diff, before, after, filter);
    if (flags.json !== undefined) {
      output.json(
        {
          version: 1,
          before: before.map(({ file }) => file),
          after: after.map(({ file }) => file),
          hosts: { before: hostsOf(before), after: hostsOf(after) },
          method: diff.method,
          normalised: settings.normalised,
          sections: diff.sections,
          left_out: diff.leftOut,
          fail_if: flags.failIf === undefined ? null : { expression: flags.failIf, holds, conditions: outcomes },
          page: path ?? null,
          warnings: [...warnings],
        },
        flags.json,
      );
    } else if (path !== '-') {
      output.result(diffText(diff, { before: sideOf(before), after: sideOf(after) }, outcomes));
      if (path !== undefined) output.result(path);
    }
    return holds ? EXIT.failIf : EXIT.ok;
  } finally {
    for (const file of opened) await file.close();
  }
}

/** @throws UsageError (2) where the page cannot be written as asked. */
async function checkPage(path: string, force: boolean, json: string | undefined): Promise<void> {
  if (path === '-') {
    if (json === '-') throw new UsageError('--json needs a file here, since stdout is taken', 'write --json=FILE');
    return;
  }
  if (!/\.html?$/i.test(path))
    throw new UsageError(`a comparison is drawn as HTML, and not as ${path}`, '-o diff.html');
  await checkFree(path, force);
}

async function savePage(
  path: string,
  force: boolean,
  diff: Diff,
  before: readonly MeasuredRun[],
  after: readonly MeasuredRun[],
  filter: Filter,
): Promise<void> {
  // Only a page needs what draws.
  const { renderDiff } = await import('../display/diff-page.ts');
  const names = (runs: readonly MeasuredRun[]): string => labelsOf(runs).join(', ');
  const several = before.length > 1 || after.length > 1;
  const page = await renderDiff({
    title: 'Before and after',
    origin: `${names(before)} → ${names(after)}${several ? ' · stacks: mean of the runs; heat maps: the first run' : ''}`,
    method: methodText(diff.method),
    tables: diff.sections.flatMap((section) => sectionTables(section, diff.method)),
    before: before.map(({ groups }) => groups),
    after: after.map(({ groups }) => groups),
    filter,
  });
  if (path === '-') await writeToStdout([page]);
  else await saveFile([page], path, force);
}

interface Sides {
  /** Data files, and folders of them. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** The hosts of each side, where they were asked for: patterns, see filesOfHosts(). */
  readonly hosts?: { readonly before: readonly string[]; readonly after: readonly string[] };
}

/** What runs are called: their hosts, where each is of another one, else their files. */
function labelsOf(runs: readonly MeasuredRun[]): string[] {
  return hostsOf(runs) ?? runs.map(({ file }) => file);
}

function sideOf(runs: readonly MeasuredRun[]): DiffSide {
  return { names: labelsOf(runs), hosts: hostsOf(runs) !== null };
}

/** The host of each run; null where there are not several, or one does not say. */
function hostsOf(runs: readonly MeasuredRun[]): string[] | null {
  const hosts = runs.flatMap(({ host: own }) => (own === undefined ? [] : [own]));
  return runs.length > 1 && new Set(hosts).size === runs.length ? hosts : null;
}

/** @throws UsageError (2) */
function sidesOf(files: readonly string[], flags: z.infer<typeof optionsSchema>): Sides {
  const { before, after } = pathsOf(files, flags);
  const { host: own, againstHost: other } = flags;
  if (flags.input !== undefined && (own === undefined || other === undefined)) {
    throw new UsageError(
      '-i is of both sides: which hosts are before and which after is missing',
      `marple diff -i ${flags.input[0]} --host 'web[01-03]' --against-host 'web[04-05]'`,
    );
  }
  const first = own ?? other;
  if (first === undefined) return { before, after };
  return { before, after, hosts: { before: splitHosts(own ?? first), after: splitHosts(other ?? first) } };
}

/** @throws UsageError (2) */
function pathsOf(
  files: readonly string[],
  { before = [], after = [], input: both = [] }: z.infer<typeof optionsSchema>,
): Sides {
  const [first, second, ...others] = files;
  if (both.length > 0) {
    const [other] = [...files, ...before, ...after];
    if (other !== undefined) throw new UsageError(`-i is of both sides, and ${other} of one`, 'leave one of them out');
    return { before: both, after: both };
  }
  const hint = 'marple diff BEFORE AFTER, or: marple diff --before FILE... --after FILE...';
  if (before.length > 0 || after.length > 0) {
    if (first !== undefined) throw new UsageError(`${first} is on neither side`, hint);
    if (before.length === 0 || after.length === 0)
      throw new UsageError(`--${before.length === 0 ? 'before' : 'after'} is missing`, hint);
    return { before, after };
  }
  if (first === undefined || second === undefined) throw new UsageError('diff needs a file before and one after', hint);
  if (others.length > 0) throw new UsageError(`diff takes two files, and here are ${files.length}`, hint);
  return { before: [first], after: [second] };
}

interface MeasuredRun extends Run {
  /** Undefined where the file does not say. */
  readonly host: string | undefined;
  /** The sections that were measured, as the page shows them. */
  readonly groups: readonly SectionGroup[];
}

/**
 * The files of one side in metrics, each a run; those of hosts that were collected together on one clock. They stay open: `opened` has them.
 * @param hosts patterns of those that are asked for; undefined for all.
 */
async function readRuns(
  paths: readonly string[],
  hosts: readonly string[] | undefined,
  filter: Filter,
  tempDir: string,
  opened: DataFile[],
  warn: (sentence: string) => void,
): Promise<MeasuredRun[]> {
  const files: DataFile[] = [];
  for (const path of paths) {
    for (const name of (await dataFilesIn(path)) ?? [path]) {
      const file = await openData(name, tempDir);
      opened.push(file);
      for (const warning of file.warnings) warn(warning);
      files.push(file);
    }
  }
  const sets = dataSets(files, hosts);
  for (const note of new Set(sets.flatMap(({ notes }) => notes))) warn(note);
  const runs: MeasuredRun[] = [];
  for (const {
    path,
    files: [file],
  } of sets.flatMap(hostSets)) {
    const groups = groupSections(file!.sections);
    checkAnyFilter(groups, filter);
    const host = file!.sections.some(({ header }) => hostOf(header) !== undefined) ? hostOfFile(file!) : undefined;
    runs.push({ file: path, host, ...(await measure(groups, filter, (sentence) => warn(`${path}: ${sentence}`))) });
  }
  return runs;
}

/** The sections in metrics; those that cannot answer the filter are left out, and that is said. */
async function measure(
  groups: readonly SectionGroup[],
  filter: Filter,
  warn: (sentence: string) => void,
): Promise<Pick<MeasuredRun, 'sections' | 'groups'>> {
  const sections: SectionMetrics[] = [];
  const measured: SectionGroup[] = [];
  for (const group of groups) {
    const shown = group.shown.filter((section) => {
      const isWhole = Object.keys(answerable(group, section, filter)).length === Object.keys(filter).length;
      const { interface: name, datatype } = section.header;
      if (!isWhole) warn(`${name} (${datatype}) cannot answer all of the filter, and is left out`);
      return isWhole;
    });
    for (const section of shown) {
      const options = { filter, by: 'comm', top: Number.POSITIVE_INFINITY, sampled: SAMPLED } as const;
      sections.push(sectionMetrics(await sectionStats(group, section, options)));
    }
    measured.push({ ...group, shown });
  }
  return { sections, groups: measured };
}

/** @throws UsageError (2) where there is no such metric. */
function judge(condition: Condition, comparer: Comparer, expression: string): Outcome {
  const { metric, at } = condition;
  const comparison = comparer.metric(metric);
  if (comparison !== undefined) return evaluate(condition, comparison, expression);
  const [key = ''] = /^\w+/.exec(metric) ?? [];
  const near = comparer.names.filter((name) => name.startsWith(`${key}.`));
  throw new UsageError(
    `--fail-if '${expression}', character ${at}: the files have no metric ${metric}`,
    near.length > 0
      ? `of ${key} there are: ${joinWords(near)}; and of processes, such as ${key}[NAME].${near[0]!.slice(key.length + 1)}`
      : `there are metrics of ${joinWords([...new Set(comparer.names.map((name) => name.split('.')[0]!))])}; --json lists them`,
  );
}
