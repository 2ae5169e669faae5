import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import * as z from 'zod';
import { type ExitCode, SIGNAL_EXIT, UsageError } from '../common/errors.ts';
import { lastDataFile } from '../common/last-file.ts';
import { expandHome } from '../common/paths.ts';
import { takeStopSignals } from '../common/stop-signals.ts';
import { makeTempDir } from '../common/temp.ts';
import { plural } from '../common/text.ts';
import { hasDesktop, openAddress } from '../display/opener.ts';
import { reportOptions } from '../display/report.ts';
import { Catalogue } from '../serve/catalogue.ts';
import { serveOptions } from '../serve/options.ts';
import { pagesOf } from '../serve/pages.ts';
import { Reports } from '../serve/reports.ts';
import { PortInUseError, type Serving, startServer } from '../serve/server.ts';
import { type Context, DATA_FILES, type ProgramCommand } from './context.ts';
import { loadSettings } from './settings.ts';
import { parseCount } from './values.ts';

const optionsSchema = z.object({
  host: z.string().optional(),
  port: z.string().optional(),
  open: z.boolean().optional(),
  json: z.string().optional(),
});

type Flags = z.infer<typeof optionsSchema>;

export const serveCommand: ProgramCommand = {
  declare,
  examples: [
    ['marple serve', 'the folder that marple collect writes to, in the browser'],
    ['marple serve slow.marple', 'one file, however large'],
    ['marple serve . --port 0 --no-open', 'all files of this folder, at a free port'],
  ],
  words: { path: [DATA_FILES] },
  run: runServe,
};

function declare(command: Command): void {
  command
    .summary('the report of many or very large files, from a local server')
    .description(
      'Gives out the report of data files, and of those that are in folders or come into them, until Ctrl-C: to browsers of this ' +
        'machine and this user alone. Without any: the folder that marple collect writes to. Exit code 130 after Ctrl-C, 143 ' +
        'after SIGTERM, 129 after SIGHUP.',
    )
    .argument('[path...]', 'folders of data files, and data files')
    .usage('[DIR|FILE ...] [--host ADDR] [--port N] [options]')
    .option('--host <address>', 'listen at this address: others who reach it can read the files then')
    .option('--port <number>', 'listen at this port; 0 takes a free one')
    .option('--open', 'open the page')
    .option('--no-open', 'do not open it');
}

async function runServe(
  paths: readonly string[],
  rawFlags: Record<string, unknown>,
  { output }: Context,
): Promise<number> {
  const flags = optionsSchema.parse(rawFlags);
  const ended = untilSignal();
  const config = await loadSettings();
  const settings = config.get('serve', serveOptions);
  const host = flags.host ?? settings.host;
  const catalogue = await Catalogue.of(paths.length > 0 ? paths : [usualFolder(config.section('General')['out_dir'])]);
  const files = await catalogue.list();
  const reports = new Reports(catalogue, {
    options: config.get('report', reportOptions),
    most: settings.records,
    tempDir: makeTempDir(),
  });
  const { serving, inUse } = await startAt(host, flags, settings.port, catalogue, reports);
  const { url, port } = serving;
  if (inUse !== undefined) output.warn(`port ${inUse} is in use: port ${port} is taken`);
  if (serving.isOpen) output.warn(`whoever reaches ${host} can read these files: there is no password`);
  if (flags.json !== undefined) output.json({ url, host, port, files: files.length }, flags.json);
  else output.result(url);
  output.info(`serving ${plural(files.length, 'data file')}; Ctrl-C ends it`);
  if (flags.open ?? hasDesktop()) {
    const failure = await openAddress(url);
    if (failure !== undefined) output.warn(failure);
  }
  const code = await ended;
  reports.close();
  await serving.close();
  return code;
}

/** The folder of config.txt, or that of the last data file. @throws UsageError (2) where there is neither. */
function usualFolder(outDir: string | undefined): string {
  const folder = expandHome(outDir ?? '');
  if (existsSync(folder)) return folder;
  const last = lastDataFile();
  if (last !== undefined && existsSync(dirname(last))) return dirname(last);
  throw new UsageError(`there is no folder ${folder} here`, 'name data files, or a folder of them: marple serve .');
}

/** At the port that was asked for; at that of the config, or where that is in use at a free one. */
async function startAt(
  host: string,
  flags: Flags,
  configured: number,
  catalogue: Catalogue,
  reports: Reports,
): Promise<{ serving: Serving; inUse?: number }> {
  const pages = pagesOf(catalogue, reports);
  if (flags.port !== undefined)
    return { serving: await startServer(host, parseCount('--port', flags.port, 0, 65_535), pages) };
  try {
    return { serving: await startServer(host, configured, pages) };
  } catch (error) {
    if (!(error instanceof PortInUseError)) throw error;
    return { serving: await startServer(host, 0, pages), inUse: configured };
  }
}

/** The exit code of the first signal. Others that follow change nothing: one Ctrl-C can arrive twice. */
function untilSignal(): Promise<ExitCode> {
  return new Promise((resolve) => {
    takeStopSignals((signal) => resolve(SIGNAL_EXIT[signal]));
  });
}
