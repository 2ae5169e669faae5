import type { Command } from 'commander';
import * as z from 'zod';
import type { ConfigEntry } from '../common/config.ts';
import { EXIT } from '../common/errors.ts';
import { shippedConfigFile, userConfigFile } from '../common/paths.ts';
import { table } from '../common/table.ts';
import type { Context, ProgramCommand } from './context.ts';
import { loadSettings } from './settings.ts';

const optionsSchema = z.object({ json: z.string().optional() });

export const configCommand: ProgramCommand = {
  declare,
  examples: [
    ['marple config', 'all settings'],
    ['marple config --json | less', 'for a script, or to page through'],
  ],
  run: runConfig,
};

function declare(command: Command): void {
  command
    .summary('the effective settings, and where each comes from')
    .description('The effective settings, and where each comes from. Flags go before them all.');
}

async function runConfig(
  _: readonly string[],
  rawFlags: Record<string, unknown>,
  { output }: Context,
): Promise<number> {
  const { json } = optionsSchema.parse(rawFlags);
  const entries = loadSettings().entries();
  const files = { shipped: shippedConfigFile(), own: userConfigFile() };
  if (json === undefined) output.result(configText(entries, files));
  else output.json({ version: 1, files, settings: entries }, json);
  return EXIT.ok;
}

/** A table of each section that has settings, as config.txt names them, with where they come from. */
function configText(entries: readonly ConfigEntry[], files: { shipped: string; own: string }): string {
  const short = (source: string): string =>
    source.startsWith(`${files.shipped}:`) ? `config.txt${source.slice(files.shipped.length)}` : source;
  const rows = entries.map(({ section, key, value, source }) => [`[${section}]`, key, value, short(source)]);
  const lines = table(
    [{ title: 'section' }, { title: 'setting' }, { title: 'value', shrinks: true }, { title: 'from' }],
    rows,
  );
  return [...lines, '', `config.txt is ${files.shipped}`, `your own settings go into ${files.own}`].join('\n');
}
