import { Readable } from 'node:stream';
import type { Command } from 'commander';
import { z } from 'zod';
import { makeFilter } from '../analysis/select.ts';
import { EXIT, UsageError } from '../common/errors.ts';
import { lastDataFile } from '../common/last-file.ts';
import { checkFree, saveFile, writeToStdout } from '../common/save.ts';
import { makeTempDir } from '../common/temp.ts';
import { exportSource } from '../formats/export.ts';
import { EXPORTERS, findExporter } from '../formats/exporters.ts';
import { openData } from '../formats/open.ts';
import type { Context, ProgramCommand } from './context.ts';
import { declareEntries, declareFilter, declareInput, parseSelection, selectionFlags } from './selection.ts';

const optionsSchema = z.object({
  ...selectionFlags,
  format: z.string().optional(),
  output: z.string().optional(),
  force: z.boolean().optional(),
  json: z.string().optional(),
});

export const exportCommand: ProgramCommand = { declare, run: runExport };

function declare(command: Command): void {
  command
    .summary('write a data file, or a selection of it, for other tools')
    .description('Writes a data file, the last one where none is named, in the format of another tool.')
    .usage('[-i FILE] --format FORMAT -o FILE [options]')
    .option('--format <format>', EXPORTERS.map(({ format, summary }) => `${format}: ${summary}`).join('; '))
    .option('-o, --output <file>', 'where to; - is stdout')
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
  const input = selection.input ?? lastDataFile();
  if (input === undefined) {
    throw new UsageError('no data has been collected yet', `marple export -i FILE --format ${format} -o FILE`);
  }
  const tempDir = makeTempDir();
  const file = await openData(input, tempDir);
  try {
    const source = exportSource(file, selection.pick, makeFilter(selection), tempDir);
    for (const warning of file.warnings) output.warn(warning);
    const force = flags.force === true;
    if (path !== '-') await checkFree(path, force);
    const warnings = [...file.warnings];
    const warn = (sentence: string): void => {
      output.warn(sentence);
      warnings.push(sentence);
    };
    const bytes = Readable.from(exporter.run(source, warn), { objectMode: false });
    if (path === '-') await writeToStdout(bytes);
    else await saveFile(bytes, path, force, 0o600);
    if (flags.json !== undefined) output.json({ file: path, format, warnings }, flags.json);
    else if (path !== '-') output.result(path);
  } finally {
    await file.close();
  }
  return EXIT.ok;
}
