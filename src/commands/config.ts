import type { Command } from 'commander';
import * as z from 'zod';
import { type ConfigEntry, shippedConfig } from '../common/config.ts';
import { EXIT, UsageError } from '../common/errors.ts';
import { shippedConfigFile, userConfigFile } from '../common/paths.ts';
import { didYouMean } from '../common/suggest.ts';
import { table } from '../common/table.ts';
import type { Context, ProgramCommand } from './context.ts';
import { sectionNames } from './sections.ts';
import { loadSettings } from './settings.ts';

const optionsSchema = z.object({ shipped: z.boolean().optional(), json: z.string().optional() });

export const configCommand: ProgramCommand = {
  declare,
  examples: [
    ['marple config', 'all settings, and where each comes from'],
    ['marple config General heatmap', 'those of two sections'],
    ['marple config --shipped | less', 'the config.txt that MARPLE ships, which explains each setting'],
    ['marple config --json | less', 'for a script'],
  ],
  words: { section: sectionNames() },
  run: runConfig,
};

function declare(command: Command): void {
  command
    .summary('the effective settings, and where each comes from')
    .description('The effective settings, and where each comes from. Flags go before them all.')
    .argument('[section...]', 'sections of config.txt; all where none is named')
    .option('--shipped', 'print the config.txt that MARPLE ships, with its comments');
}

async function runConfig(
  names: readonly string[],
  rawFlags: Record<string, unknown>,
  { output }: Context,
): Promise<number> {
  const { shipped, json } = optionsSchema.parse(rawFlags);
  if (shipped === true) {
    output.result(shippedConfig().trimEnd());
    return EXIT.ok;
  }
  const entries = await entriesOf(names);
  const files = { shipped: shippedConfigFile(), own: userConfigFile() };
  if (json === undefined) output.result(configText(entries, files));
  else output.json({ version: 1, files, settings: entries }, json);
  return EXIT.ok;
}

/** @throws UsageError (2) where there is no such section. */
async function entriesOf(names: readonly string[]): Promise<ConfigEntry[]> {
  const known = sectionNames();
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(
      `there is no config section '${unknown}'`,
      didYouMean(unknown, known, `use one or more of: ${known.join(', ')}`),
    );
  }
  const entries = (await loadSettings()).entries();
  return entries.filter(({ section }) => names.length === 0 || names.includes(section));
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
  return [
    ...lines,
    '',
    `config.txt is ${files.shipped === 'config.txt' ? 'in this program' : files.shipped}: marple config --shipped`,
    `your own settings go into ${files.own}`,
  ].join('\n');
}
