import type { Command } from 'commander';
import * as z from 'zod';
import { EXIT, UsageError } from '../common/errors.ts';
import { shippedConfigFile } from '../common/paths.ts';
import { didYouMean } from '../common/suggest.ts';
import type { Context, ProgramCommand } from './context.ts';
import { bashCompletion } from './manual/bash-completion.ts';
import { loadSettings } from './settings.ts';

const optionsSchema = z.object({ json: z.string().optional() });

const SHELLS = ['bash'] as const;

export const completionCommand: ProgramCommand = {
  declare,
  examples: [
    ['source <(marple completion bash)', 'complete in this shell'],
    ['marple completion bash > marple.bash', 'a file that ~/.bashrc can source; setup.sh installs one for all users'],
  ],
  words: { shell: SHELLS },
  run: runCompletion,
};

function declare(command: Command): void {
  command
    .summary('completion for the shell')
    .description('Prints the script that completes commands, flags, interfaces, groups, kinds, formats and files.')
    .argument('<shell>', SHELLS.join(', '));
}

async function runCompletion(
  [shell = '']: readonly string[],
  rawFlags: Record<string, unknown>,
  { output, program }: Context,
): Promise<number> {
  const { json } = optionsSchema.parse(rawFlags);
  if (!SHELLS.some((known) => known === shell)) {
    throw new UsageError(
      `there is no completion for '${shell}'`,
      didYouMean(shell, SHELLS, `use one of: ${SHELLS.join(', ')}`),
    );
  }
  const script = bashCompletion(program, await shippedGroups());
  if (json === undefined) output.result(script.trimEnd());
  else output.json({ shell, script }, json);
  return EXIT.ok;
}

/** Those that every user has; the user's own are looked up when they are completed. */
async function shippedGroups(): Promise<string[]> {
  const shipped = `${shippedConfigFile()}:`;
  const entries = (await loadSettings()).entries();
  return entries
    .filter(({ section, source }) => section === 'Groups' && source.startsWith(shipped))
    .map(({ key }) => key);
}
