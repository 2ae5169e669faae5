import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import * as z from 'zod';
import { EXIT, UsageError } from '../common/errors.ts';
import { didYouMean } from '../common/suggest.ts';
import { systemReason } from '../common/system-reason.ts';
import { COMMANDS, type Context, type DeclaredProgram, type ProgramCommand } from './context.ts';
import { commandPage, pageName, programPage } from './manual/man-page.ts';

const optionsSchema = z.object({ output: z.string().optional(), json: z.string().optional() });

export const manCommand: ProgramCommand = {
  declare,
  examples: [
    ['marple man collect | man -l -', 'read the page of marple collect'],
    ['marple man -o ./man1', 'write all pages into a folder'],
  ],
  words: { command: [COMMANDS] },
  run: runMan,
};

function declare(command: Command): void {
  command
    .summary('the manual, as pages for man')
    .description('Prints the manual page of a command, that of marple where none is named, in the format of man(7).')
    .argument('[command]', 'whose page')
    .option('-o, --output <folder>', 'write all pages into this folder, which is made where it is missing');
}

async function runMan(
  [name]: readonly string[],
  rawFlags: Record<string, unknown>,
  { output, program }: Context,
): Promise<number> {
  const flags = optionsSchema.parse(rawFlags);
  if (flags.output !== undefined) {
    const paths = await writePages(flags.output, program);
    if (flags.json !== undefined) output.json({ files: paths }, flags.json);
    else for (const path of paths) output.result(path);
    return EXIT.ok;
  }
  const page = pageOf(name, program);
  if (flags.json !== undefined) output.json({ name: pageName(name), page }, flags.json);
  else output.result(page.trimEnd());
  return EXIT.ok;
}

/** @throws UsageError (2) */
function pageOf(name: string | undefined, program: DeclaredProgram): string {
  if (name === undefined) return programPage(program);
  const declared = program.parts.get(name);
  if (declared !== undefined) return commandPage(declared);
  const known = [...program.parts.keys()];
  throw new UsageError(
    `there is no command '${name}'`,
    didYouMean(name, known, `use one of: ${known.join(', ')}`, (near) => `marple man ${near}`),
  );
}

async function writePages(folder: string, program: DeclaredProgram): Promise<string[]> {
  const paths: string[] = [];
  try {
    await mkdir(folder, { recursive: true });
    for (const name of [undefined, ...program.parts.keys()]) {
      const path = join(folder, `${pageName(name)}.1`);
      await writeFile(path, pageOf(name, program));
      paths.push(path);
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${folder} cannot be written to: ${systemReason(error)}`, 'marple man -o FOLDER', {
      cause: error,
    });
  }
  return paths;
}
