import type { Command } from 'commander';
import { z } from 'zod';
import { EXIT, UsageError } from '../common/errors.ts';
import type { Output } from '../common/output.ts';
import { makeTempDir } from '../common/temp.ts';
import { type DisplayOptions, type DisplayResult, runDisplay, type SectionListing } from '../display/controller.ts';
import { VIEWS } from '../display/registry.ts';
import type { Context, ProgramCommand } from './context.ts';
import { loadSettings } from './settings.ts';
import { parseCount, parseList, parsePattern, parseSeconds } from './values.ts';

const optionsSchema = z.object({
  input: z.array(z.string()).optional(),
  output: z.string().optional(),
  list: z.boolean().optional(),
  entries: z.string().optional(),
  from: z.string().optional(),
  to: z.string().optional(),
  pid: z.string().optional(),
  comm: z.string().optional(),
  title: z.string().optional(),
  width: z.string().optional(),
  height: z.string().optional(),
  open: z.boolean().optional(),
  idle: z.boolean().optional(),
  force: z.boolean().optional(),
  json: z.string().optional(),
});

type Flags = z.infer<typeof optionsSchema>;

export const displayCommand: ProgramCommand = {
  declare,
  grammar: { aliases: new Map(VIEWS.map((view) => [view.flag, view.long])) },
  run: runDisplayCommand,
};

function declare(command: Command): void {
  command
    .summary('show a data file')
    .description('Shows a data file: the last one that was collected where none is named, in the view that fits it.')
    .usage('[-i FILE] [-o FILE] [VIEW] [options]')
    .option('-i, --input <file>', 'the data file; - is stdin', (value, previous: string[] | undefined) => [
      ...(previous ?? []),
      value,
    ])
    .option('-o, --output <file>', 'where to write the picture; the extension chooses the format')
    .option('-l, --list', 'list the sections of the file')
    .option('-e, --entries <numbers>', 'only these sections, by the numbers of -l');
  for (const view of VIEWS) command.option(view.long, `${view.flag}: ${view.summary}`);
  command
    .option('--from <seconds>', 'from this time since the start')
    .option('--to <seconds>', 'up to this time since the start')
    .option('--pid <pids>', 'only these processes')
    .option('--comm <regex>', 'only processes whose name matches')
    .option('--idle', 'show idle time too')
    .option('--title <text>', 'title of the picture')
    .option('--width <pixels>', 'width of the picture')
    .option('--height <pixels>', 'height of the picture')
    .option('--open', 'open what was drawn')
    .option('--no-open', 'do not open it')
    .option('--force', 'overwrite an existing file');
}

async function runDisplayCommand(
  _: readonly string[],
  rawFlags: Record<string, unknown>,
  context: Context,
): Promise<number> {
  const flags = optionsSchema.parse(rawFlags);
  const options = displayOptions(flags, rawFlags);
  const { output } = context;
  const result = await runDisplay(options, { config: loadSettings(), tempDir: makeTempDir() });
  for (const warning of result.warnings) output.warn(warning);
  if (flags.json !== undefined) output.json(jsonResult(result), flags.json);
  else say(result, output);
  return EXIT.ok;
}

function displayOptions(flags: Flags, rawFlags: Record<string, unknown>): DisplayOptions {
  const views = VIEWS.filter((view) => rawFlags[view.name] === true);
  if (views.length > 1) {
    throw new UsageError(
      `one view at a time, not ${views.map((view) => view.flag).join(' and ')}`,
      `marple display ${views[0]?.flag}`,
    );
  }
  const [from, to] = [optionalSeconds('--from', flags.from), optionalSeconds('--to', flags.to)];
  if (from !== undefined && to !== undefined && from >= to) {
    throw new UsageError(
      `--from ${from} is not before --to ${to}`,
      'give a range of time, for example: --from 1 --to 2.5',
    );
  }
  if ((flags.input?.length ?? 0) > 1) throw new UsageError('one data file at a time', 'marple display -i FILE');
  return {
    ...defined('input', flags.input?.[0]),
    ...defined('output', flags.output),
    ...defined('list', flags.list),
    ...defined('pick', flags.entries === undefined ? undefined : parseList('-e', flags.entries)),
    ...defined('view', views[0]?.name),
    ...defined('from', from),
    ...defined('to', to),
    ...defined('pids', flags.pid === undefined ? undefined : parseList('--pid', flags.pid)),
    ...defined('comm', flags.comm === undefined ? undefined : parsePattern('--comm', flags.comm)),
    ...defined('title', flags.title),
    ...defined('width', flags.width === undefined ? undefined : parseCount('--width', flags.width, 200, 20_000)),
    ...defined('height', flags.height === undefined ? undefined : parseCount('--height', flags.height, 100, 20_000)),
    ...defined('showIdle', flags.idle),
    open: flags.open,
    force: flags.force === true,
  };
}

function optionalSeconds(flag: string, text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseSeconds(flag, text, 'zero');
}

/** `{key: value}`, or nothing where the value is undefined. */
function defined<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: V });
}

function say(result: DisplayResult, output: Output): void {
  if (result.listing !== undefined) output.result(table(result.listing));
  for (const drawn of result.outputs) {
    for (const note of drawn.notes) output.info(`${drawn.interface}: ${note}`);
    if (drawn.path !== '-') output.result(drawn.path);
  }
}

/** The sections in columns, as wide as their longest entry. */
function table(listing: readonly SectionListing[]): string {
  const head = ['#', 'interface', 'datatype', 'records', 'seconds', 'tool', 'lost'];
  const rows = listing.map((s) => [
    String(s.number),
    s.interface,
    s.datatype,
    s.records === null ? '?' : String(s.records),
    s.seconds === null ? '?' : s.seconds.toFixed(1),
    s.tool ?? '-',
    s.lost === undefined ? '-' : String(s.lost),
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  const right = new Set([0, 3, 4, 6]);
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, i) => (right.has(i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function jsonResult(result: DisplayResult): unknown {
  return { sections: result.listing ?? null, outputs: result.outputs, warnings: result.warnings };
}
