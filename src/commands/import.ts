import { basename, resolve } from 'node:path';
import type { Command } from 'commander';
import * as z from 'zod';
import { EXIT, UsageError } from '../common/errors.ts';
import { rememberDataFile } from '../common/last-file.ts';
import { PARTIAL } from '../common/partial.ts';
import { didYouMean } from '../common/suggest.ts';
import { makeTempDir } from '../common/temp.ts';
import { giveToUser } from '../common/user.ts';
import { importFile } from '../formats/import.ts';
import { IMPORTERS } from '../formats/importers.ts';
import type { Context, ProgramCommand } from './context.ts';

const optionsSchema = z.object({
  format: z.string().optional(),
  event: z.string().optional(),
  annotate: z.string().optional(),
  output: z.string().optional(),
  force: z.boolean().optional(),
  json: z.string().optional(),
});

const ANNOTATIONS = ['pid', 'tid', 'kernel', 'jit', 'addrs'] as const;

export const importCommand: ProgramCommand = {
  declare,
  examples: [
    ['marple import perf.data', 'a recording of perf, into perf.data.marple'],
    ['perf script -i perf.data | marple import - -o perf.marple', 'its text, where the recording was made'],
    ['marple import stacks.folded --format folded --force', 'what was folded by another tool'],
  ],
  words: { '--format': IMPORTERS.map(({ format }) => format), '--annotate': [...ANNOTATIONS, 'all'] },
  run: runImport,
};

function declare(command: Command): void {
  command
    .summary('make a data file of another tool’s')
    .description('Reads what another tool wrote into a data file. What it is, is found by its content.')
    .argument(
      '<file>',
      'the file, or - for stdin (it may be compressed by gzip), or the NAME.partial of a run that was cut off',
    )
    .option('--format <format>', IMPORTERS.map(({ format, summary }) => `${format}: ${summary}`).join('\n'))
    .option('--event <name>', 'only samples of this event')
    .option('--annotate <parts>', `names of frames: ${ANNOTATIONS.join(', ')}, or all for kernel and jit`)
    .option('-o, --output <file>', 'the data file; - is stdout')
    .option('--force', 'overwrite an existing data file');
}

async function runImport(
  [input = '']: readonly string[],
  rawFlags: Record<string, unknown>,
  { output }: Context,
): Promise<number> {
  const flags = optionsSchema.parse(rawFlags);
  const path = flags.output ?? outputName(input);
  if (flags.json === '-' && path === '-')
    throw new UsageError('--json needs a file here, since stdout is taken', 'write --json=FILE');
  const result = await importFile({
    input,
    stdin: process.stdin,
    output: path,
    force: flags.force === true,
    format: flags.format,
    event: flags.event,
    annotate: parseAnnotations(flags.annotate),
    tempDir: makeTempDir(),
  });
  if (path !== '-') {
    giveToUser(path);
    const problem = rememberDataFile(resolve(path));
    if (problem !== undefined) output.warn(problem);
  }
  for (const warning of result.warnings) output.warn(warning);
  if (flags.json !== undefined) output.json({ file: path, ...result }, flags.json);
  else {
    for (const section of result.sections) output.info(`${section.interface}: ${section.records} ${section.datatype}s`);
    if (path !== '-') output.result(path);
  }
  return EXIT.ok;
}

/** In the working directory; but the partial folder of a run becomes the file that the run would have written. */
function outputName(input: string): string {
  const folder = input.replace(/(?<=.)\/+$/, '');
  if (folder.endsWith(PARTIAL)) return folder.slice(0, -PARTIAL.length);
  return `${basename(input === '-' ? 'stdin' : folder).replace(/(\.raw\.tgz|\.gz)$/, '')}.marple`;
}

function parseAnnotations(text: string | undefined): ReadonlySet<string> {
  const parts = text === undefined ? [] : text.split(',').map((part) => part.trim());
  const unknown = parts.find((part) => part !== 'all' && !ANNOTATIONS.some((known) => known === part));
  if (unknown !== undefined) {
    const known = [...ANNOTATIONS, 'all'];
    throw new UsageError(
      `--annotate has no part '${unknown}'`,
      didYouMean(unknown, known, `use one or more of: ${known.join(',')}`),
    );
  }
  return new Set(parts.flatMap((part) => (part === 'all' ? ['kernel', 'jit'] : [part])));
}
