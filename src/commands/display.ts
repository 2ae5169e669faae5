import type { Command } from 'commander';
import * as z from 'zod';
import { EXIT, UsageError } from '../common/errors.ts';
import type { Output } from '../common/output.ts';
import { table } from '../common/table.ts';
import { makeTempDir } from '../common/temp.ts';
import { plural } from '../common/text.ts';
import { type DisplayOptions, type DisplayResult, runDisplay, type SectionListing } from '../display/controller.ts';
import { VIEWS } from '../display/registry.ts';
import type { TrackKind } from '../display/shape/track-choice.ts';
import { type Context, DATA_FILES, type ProgramCommand } from './context.ts';
import { declareEntries, declareFilter, declareInput, defined, parseSelection, selectionFlags } from './selection.ts';
import { loadDisplaySettings } from './settings.ts';
import { parseCount } from './values.ts';

const optionsSchema = z.object({
  ...selectionFlags,
  output: z.string().optional(),
  list: z.boolean().optional(),
  title: z.string().optional(),
  width: z.string().optional(),
  height: z.string().optional(),
  open: z.boolean().optional(),
  idle: z.boolean().optional(),
  force: z.boolean().optional(),
  track: z.string().optional(),
  by: z.string().optional(),
  perHost: z.boolean().optional(),
  json: z.string().optional(),
});

type Flags = z.infer<typeof optionsSchema>;

export const displayCommand: ProgramCommand = {
  declare,
  examples: [
    ['marple display', 'the last file that was collected, in the view that fits it'],
    ['marple display -l', 'what is in it?'],
    ['marple display -i slow.marple -r -o slow.html', 'everything on one page, which can be sent on'],
    ['marple display -i slow.marple -hm --from 1 --to 2', 'the heat map of one second'],
    ['marple display -fg --comm nginx -o nginx.svg', 'the flame graph of one program'],
    ['marple display -e 2 -o -', 'the second section as text, on the terminal'],
    ['marple display -i fleet -fg --by host', 'files of several hosts: the stacks of each on top of its name'],
    ['marple display -i marple_out -l', 'all files of a folder, and of which hosts they are'],
  ],
  words: { '--input': [DATA_FILES], '--track': ['pid', 'cpu'], '--by': ['host'] },
  grammar: { aliases: new Map(VIEWS.map((view) => [view.flag, view.long])) },
  run: runDisplayCommand,
};

function declare(command: Command): void {
  command
    .summary('show a data file')
    .description('Shows a data file: the last one that was collected where none is named, in the view that fits it.')
    .usage('[-i FILE] [-o FILE] [VIEW] [options]');
  declareInput(command)
    .option(
      '-o, --output <file>',
      'where to write the picture; the extension chooses the format, .txt is text; - is stdout, as text, -.svg as SVG, and so on',
    )
    .option('-l, --list', 'list the sections of the data');
  declareEntries(command);
  for (const view of VIEWS) command.option(view.long, `${view.flag}: ${view.summary}`);
  declareFilter(command)
    .option('--idle', 'show idle time too')
    .option('--track <what>', 'the tracks of events: pid (tasks) or cpu')
    .option('--by <what>', 'of several hosts: host, each by itself within a picture')
    .option('--per-host', 'of several hosts: a picture for each')
    .option('--title <text>', 'title of the picture')
    .option('--width <pixels>', 'width of the picture; of text, 8 are a character')
    .option('--height <pixels>', 'height of the picture; of text, 16 are a line')
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
  const result = await runDisplay(options, { config: await loadDisplaySettings(), tempDir: makeTempDir() });
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
  return {
    ...parseSelection('display', flags),
    ...defined('output', flags.output),
    ...defined('list', flags.list),
    ...defined('view', views[0]?.name),
    ...defined('title', flags.title),
    ...defined('width', flags.width === undefined ? undefined : parseCount('--width', flags.width, 200, 20_000)),
    ...defined('height', flags.height === undefined ? undefined : parseCount('--height', flags.height, 100, 20_000)),
    ...defined('showIdle', flags.idle),
    ...defined('track', flags.track === undefined ? undefined : parseTrack(flags.track)),
    ...defined('by', flags.by === undefined ? undefined : parseBy(flags.by)),
    ...defined('perHost', flags.perHost),
    open: flags.open,
    force: flags.force === true,
  };
}

function parseTrack(text: string): TrackKind {
  if (text === 'pid' || text === 'cpu') return text;
  throw new UsageError(`--track ${text}: tracks are tasks (pid) or CPUs (cpu)`, 'marple display -g2 --track cpu');
}

function parseBy(text: string): 'host' {
  if (text === 'host') return text;
  throw new UsageError(`--by takes host, not '${text}'`, 'marple display -fg --by host');
}

function say(result: DisplayResult, output: Output): void {
  if (result.listing !== undefined) output.result(sectionTable(result.listing));
  const hasFiles = new Set(result.outputs.map(({ file }) => file)).size > 1;
  const fleets = new Map(
    result.outputs.flatMap(({ file, hosts }) => (hosts === undefined ? [] : [[file, hosts.length]])),
  );
  for (const [file, hosts] of fleets) output.info(`${file}: ${plural(hosts, 'host')}, on one clock`);
  for (const drawn of result.outputs) {
    for (const note of drawn.notes) output.info(`${hasFiles ? `${drawn.file}: ` : ''}${drawn.interface}: ${note}`);
    if (drawn.path !== '-') output.result(drawn.path);
  }
}

function sectionTable(listing: readonly SectionListing[]): string {
  const hasFiles = new Set(listing.map(({ file }) => file)).size > 1;
  const hasHosts = new Set(listing.map(({ host }) => host)).size > 1;
  const rows = listing.map((s) => [
    String(s.number),
    ...(hasFiles ? [s.file] : []),
    ...(hasHosts ? [s.host ?? '-'] : []),
    s.interface,
    s.datatype,
    s.quantity ?? '-',
    s.records === null ? '?' : String(s.records),
    s.seconds === null ? '?' : s.seconds.toFixed(1),
    s.tool ?? '-',
    s.lost === undefined ? '-' : String(s.lost),
  ]);
  return table(
    [
      { title: '#', align: 'right' },
      ...(hasFiles ? [{ title: 'file' }] : []),
      ...(hasHosts ? [{ title: 'host' }] : []),
      { title: 'interface' },
      { title: 'datatype' },
      { title: 'of' },
      { title: 'records', align: 'right' },
      { title: 'seconds', align: 'right' },
      { title: 'tool', shrinks: true },
      { title: 'lost', align: 'right' },
    ],
    rows,
  ).join('\n');
}

function jsonResult(result: DisplayResult): unknown {
  return { sections: result.listing ?? null, outputs: result.outputs, warnings: result.warnings };
}
