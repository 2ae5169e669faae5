import type { Command } from 'commander';
import { z } from 'zod';
import { type Condition, evaluate, type Outcome, parseFailIf } from '../analysis/diff/fail-if.ts';
import { sectionMetrics } from '../analysis/diff/metrics.ts';
import { Comparer, type Run } from '../analysis/diff.ts';
import { answerable, checkAnyFilter, type Filter, groupSections, makeFilter } from '../analysis/select.ts';
import { sectionStats } from '../analysis/stats.ts';
import { EXIT, UsageError } from '../common/errors.ts';
import { makeTempDir } from '../common/temp.ts';
import { joinWords } from '../common/text.ts';
import { openData } from '../formats/open.ts';
import type { Context, ProgramCommand } from './context.ts';
import { diffText } from './diff-text.ts';
import { declareFilter, parseSelection, selectionFlags } from './selection.ts';
import { parseCount } from './values.ts';

const { from, to, pid, comm } = selectionFlags;
const optionsSchema = z.object({
  from,
  to,
  pid,
  comm,
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

export const diffCommand: ProgramCommand = { declare, run: runDiff };

function declare(command: Command): void {
  command
    .summary('compare runs before and after a change')
    .description('Compares two data files, or several runs of each side, and tells what is noise.')
    .usage('BEFORE AFTER [options]\n       marple diff --before FILE... --after FILE... [options]')
    .argument('[files...]', 'the file before the change, and the one after')
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
  declareFilter(command);
}

async function runDiff(
  files: readonly string[],
  rawFlags: Record<string, unknown>,
  { output }: Context,
): Promise<number> {
  const flags = optionsSchema.parse(rawFlags);
  const sides = sidesOf(files, flags);
  const conditions = flags.failIf === undefined ? [] : parseFailIf(flags.failIf);
  const filter = makeFilter(parseSelection('diff', flags));
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
  const tempDir = makeTempDir();
  const [before, after] = [
    await readRuns(sides.before, filter, tempDir, warn),
    await readRuns(sides.after, filter, tempDir, warn),
  ];
  const comparer = new Comparer(before, after, settings);
  const outcomes =
    flags.failIf === undefined ? [] : conditions.map((condition) => judge(condition, comparer, flags.failIf!));
  const diff = comparer.diff();
  if (diff.sections.length === 0) {
    throw new UsageError(
      'the files have no section in common',
      `marple display -l -i ${sides.before[0]}, and the same of the other, list what they hold`,
    );
  }
  for (const section of diff.leftOut) warn(`left out: ${section} is not in all files`);
  const holds = outcomes.some((outcome) => outcome.holds);
  if (flags.json !== undefined) {
    output.json(
      {
        version: 1,
        before: sides.before,
        after: sides.after,
        method: diff.method,
        normalised: settings.normalised,
        sections: diff.sections,
        left_out: diff.leftOut,
        fail_if: flags.failIf === undefined ? null : { expression: flags.failIf, holds, conditions: outcomes },
        warnings: [...warnings],
      },
      flags.json,
    );
  } else output.result(diffText(diff, sides, outcomes));
  return holds ? EXIT.failIf : EXIT.ok;
}

interface Sides {
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** @throws UsageError (2) */
function sidesOf(files: readonly string[], { before = [], after = [] }: z.infer<typeof optionsSchema>): Sides {
  const [first, second, ...others] = files;
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

/** The files of one side in metrics. A section is measured over the part of the filter that it can answer. */
async function readRuns(
  paths: readonly string[],
  filter: Filter,
  tempDir: string,
  warn: (sentence: string) => void,
): Promise<Run[]> {
  const runs: Run[] = [];
  for (const path of paths) {
    const file = await openData(path, tempDir);
    try {
      for (const warning of file.warnings) warn(warning);
      const groups = groupSections(file.sections);
      checkAnyFilter(groups, filter);
      const sections = [];
      for (const group of groups) {
        for (const section of group.shown) {
          const own = answerable(group, section, filter);
          if (Object.keys(own).length < Object.keys(filter).length) {
            const { interface: name, datatype } = section.header;
            warn(`${path}: ${name} (${datatype}) cannot answer all of the filter, and is left out`);
            continue;
          }
          const options = { filter: own, by: 'comm', top: Number.POSITIVE_INFINITY, sampled: SAMPLED } as const;
          sections.push(sectionMetrics(await sectionStats(group, section, options)));
        }
      }
      runs.push({ file: path, sections });
    } finally {
      await file.close();
    }
  }
  return runs;
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
