import { extname } from 'node:path';
import type { Command } from 'commander';
import * as z from 'zod';
import { dataSets } from '../analysis/fleet/data-sets.ts';
import { filesOfHosts } from '../analysis/fleet/hosts.ts';
import { isWide, makeFilter, pickedSections } from '../analysis/select.ts';
import { EXIT, UsageError } from '../common/errors.ts';
import { FileName } from '../common/file-names.ts';
import { checkFree, saveFile, writeToStdout } from '../common/save.ts';
import { makeTempDir } from '../common/temp.ts';
import { joinWords } from '../common/text.ts';
import { exportSources, hostsSource, joinedSource } from '../formats/export.ts';
import type { Exporter, ExportSource } from '../formats/exporter.ts';
import { EXPORTERS, findExporter } from '../formats/exporters.ts';
import { importForeign } from '../formats/import.ts';
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

const optionsSchema = z.object({
  ...selectionFlags,
  format: z.string().optional(),
  output: z.string().optional(),
  force: z.boolean().optional(),
  by: z.string().optional(),
  join: z.boolean().optional(),
  json: z.string().optional(),
});

export const exportCommand: ProgramCommand = {
  declare,
  examples: [
    ['marple export --format speedscope -o slow.speedscope.json', 'the last file, for speedscope'],
    ['marple export -i slow.marple --format folded -o -', 'stacks for flamegraph.pl, on stdout'],
    ['marple export -i slow.marple --format marple --from 1 --to 2 -o second.marple', 'one second as a data file'],
    ['marple export -i slow.marple -e 1 --format csv -o slow.csv', 'the first section as a table'],
    ['perf script -i perf.data | marple export -i - --format folded -o perf.folded', 'from one tool to another'],
    ['marple export -i fleet --by host --format folded -o fleet.folded', 'the stacks of several hosts'],
  ],
  words: { '--format': EXPORTERS.map(({ format }) => format), '--input': [DATA_FILES] },
  run: runExport,
};

function declare(command: Command): void {
  command
    .summary('write a data file, or a selection of it, for other tools')
    .description(
      'Writes a data file, the last one where none is named, in the format of another tool. What import reads may be named too, where it is a file and not compressed.',
    )
    .usage('[-i FILE] --format FORMAT -o FILE [options]')
    .option('--format <format>', EXPORTERS.map(({ format, summary }) => `${format}: ${summary}`).join('\n'))
    .option('-o, --output <file>', 'where to; - is stdout')
    .option('--join', 'files of several hosts that were collected together as one')
    .option('--by <what>', 'the same; host: its name is the first frame of stacks')
    .option('--force', 'overwrite an existing file');
  declareFilter(declareEntries(declareInput(command)));
}

async function runExport(
  _: readonly string[],
  rawFlags: Record<string, unknown>,
  { output }: Context,
): Promise<number> {
  const flags = optionsSchema.parse(rawFlags);
  const { format, output: path } = flags;
  if (format === undefined || path === undefined) {
    throw new UsageError(
      `export needs ${format === undefined ? '--format' : '-o'}`,
      `marple export --format ${format ?? EXPORTERS[0]?.format} -o FILE`,
    );
  }
  if (flags.json === '-' && path === '-')
    throw new UsageError('--json needs a file here, since stdout is taken', 'write --json=FILE');
  const exporter = findExporter(format);
  const selection = parseSelection('export', flags);
  const tempDir = makeTempDir();
  // What is selected of stacks is found by their events, and sections are counted with those of events.
  const only = isWide(makeFilter(selection)) && selection.pick === undefined ? exporter.only : undefined;
  const data = await openAll(selection.inputs, tempDir, {
    convert: (file, name) => importForeign(file, name, { only, tempDir }),
  });
  try {
    const sources = sourcesOf(data, selection, exporter, { isJoined: flags.join === true, by: flags.by }, tempDir);
    if (path === '-' && sources.all.length > 1) {
      throw new UsageError(
        `only one file goes to stdout, not ${sources.all.length}`,
        `name one with -i, join hosts with --join, or write to files: -o FILE, which gives FILE, FILE-2 and so on`,
      );
    }
    const warnings: string[] = [];
    const warn = (sentence: string): void => {
      output.warn(sentence);
      warnings.push(sentence);
    };
    for (const warning of [...data.warnings, ...sources.notes]) warn(warning);
    const files = await exportAll(sources.all, exporter, path, flags.force === true, warn);
    if (flags.json !== undefined) output.json({ file: path, files, format, warnings }, flags.json);
    else if (path !== '-') for (const file of files) output.result(file);
  } finally {
    await data.close();
  }
  return EXIT.ok;
}

interface Sources {
  readonly all: readonly ExportSource[];
  /** What is to be known of them: a sentence each. */
  readonly notes: readonly string[];
}

/**
 * What becomes a file each: every data file, or all hosts that were collected together.
 * @throws UsageError (2)
 */
function sourcesOf(
  { files }: DataFiles,
  selection: Selection,
  exporter: Exporter,
  { isJoined, by }: { readonly isJoined: boolean; readonly by: string | undefined },
  tempDir: string,
): Sources {
  const filter = makeFilter(selection);
  if (by !== undefined && by !== 'host')
    throw new UsageError(`--by takes host, not '${by}'`, 'marple export --by host');
  if (!isJoined && by === undefined) {
    const wanted = selection.hosts === undefined ? files : filesOfHosts(files, selection.hosts);
    const each = exportSources(wanted, selection.pick, filter, tempDir, files);
    return { all: exporter.joins === true && each.length > 1 ? [joinedSource(each)] : each, notes: [] };
  }
  if (exporter.hosts === undefined) {
    const able = EXPORTERS.filter(({ hosts }) => hosts !== undefined).map(({ format }) => format);
    throw new UsageError(
      `${exporter.format} does not hold several hosts`,
      `${joinWords(able)} do; without --join and --by there is a file for each host`,
    );
  }
  const picked = pickedSections(files, selection.pick);
  const sets = dataSets(files, selection.hosts);
  return {
    all: sets.map((set) => ({
      ...hostsSource(set, picked, filter, tempDir, exporter.hosts === 'sections'),
      byHost: by === 'host',
    })),
    notes: [...new Set(sets.flatMap(({ notes }) => notes))],
  };
}

/**
 * A file for each source: the first has the name that was given, the others NAME-2 and so on. Of several those that have nothing for
 * the format are left out.
 * @returns their paths.
 */
async function exportAll(
  sources: readonly ExportSource[],
  exporter: Exporter,
  path: string,
  force: boolean,
  warn: (sentence: string) => void,
): Promise<string[]> {
  const name = new FileName({ givenName: path, extension: extname(path).slice(1) });
  const written: string[] = [];
  let refusal: UsageError | undefined;
  for (const source of sources) {
    const target = written.length === 0 ? path : name.numbered(written.length + 1);
    if (path !== '-') await checkFree(target, force);
    let pieces: AsyncIterable<Uint8Array>;
    try {
      pieces = await begun(exporter.run(source, warn));
    } catch (error) {
      if (!(error instanceof UsageError) || sources.length === 1) throw error;
      refusal ??= error;
      warn(`left out: ${source.name}: ${error.message}`);
      continue;
    }
    if (path === '-') await writeToStdout(pieces);
    else await saveFile(pieces, target, force);
    written.push(target);
  }
  if (written.length === 0 && refusal !== undefined) throw refusal;
  return written;
}

/** The same, with its first piece made: an exporter that has nothing to write says so then. */
async function begun<Piece>(pieces: AsyncIterable<Piece>): Promise<AsyncIterable<Piece>> {
  const iterator = pieces[Symbol.asyncIterator]();
  const first = await iterator.next();
  return (async function* () {
    if (first.done === true) return;
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => iterator };
  })();
}
