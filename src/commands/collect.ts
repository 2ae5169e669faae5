import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import * as z from 'zod';
import { findCgroup } from '../collect/cgroup.ts';
import { type Choice, ProbeMemory } from '../collect/choose.ts';
import type { CollecterClass } from '../collect/collecter.ts';
import {
  type CollectOptions,
  type CollectResult,
  chooseTools,
  collect,
  type SectionResult,
} from '../collect/controller.ts';
import { findNetns } from '../collect/proc/netns.ts';
import { COLLECTERS, collectersByArea, findCollecter } from '../collect/registry.ts';
import type { Config } from '../common/config.ts';
import { beFast } from '../common/engine.ts';
import { EXIT, MarpleError, UsageError } from '../common/errors.ts';
import { DataFileName } from '../common/file-names.ts';
import { rememberDataFile } from '../common/last-file.ts';
import type { Output } from '../common/output.ts';
import { stateDir } from '../common/paths.ts';
import { saveFile, writeToStdout } from '../common/save.ts';
import { makeTempDir } from '../common/temp.ts';
import { giveToUser } from '../common/user.ts';
import type { StartGate } from '../fleet/start-gate.ts';
import { RAW_EXTENSION } from '../formats/raw-archive.ts';
import { type Context, GROUPS, type ProgramCommand } from './context.ts';
import { AREA_KINDS, collectersNamed } from './interfaces.ts';
import { loadSettings } from './settings.ts';
import { parseCount, parseList, parsePattern, parseSeconds } from './values.ts';

const CALL_GRAPHS = ['fp', 'dwarf', 'lbr'] as const;

const optionsSchema = z.object({
  time: z.string().optional(),
  output: z.string().optional(),
  pid: z.array(z.string()).optional(),
  comm: z.string().optional(),
  cgroup: z.string().optional(),
  all: z.boolean().optional(),
  frequency: z.string().optional(),
  callGraph: z.enum(CALL_GRAPHS).optional(),
  times: z.string().optional(),
  tool: z.array(z.string()).optional(),
  netns: z.string().optional(),
  stack: z.boolean().optional(),
  raw: z.boolean().optional(),
  summary: z.boolean().optional(),
  force: z.boolean().optional(),
  display: z.boolean().optional(),
  dryRun: z.boolean().optional(),
  on: z.array(z.string()).optional(),
  push: z.boolean().optional(),
  hostSide: z.boolean().optional(),
  startBy: z.string().optional(),
  quiet: z.boolean().optional(),
  json: z.string().optional(),
});

type Flags = z.infer<typeof optionsSchema>;

export const collectCommand: ProgramCommand = {
  declare,
  examples: [
    ['sudo marple collect --stack --disk --mem -t 5', 'the whole machine for five seconds: call stacks, disk, memory'],
    ['marple collect --stack -- make -j2', 'a command and its children, until it ends'],
    [
      'sudo marple collect --disk=latency,block_requests -o slow.marple',
      'several kinds of one area, into a named file',
    ],
    ['sudo marple collect --cpu=off -p $(pidof -s nginx) -t 5', 'what one program waits for'],
    ['sudo marple collect --mem=leaks -p $(pidof -s nginx) -t 5', 'what it allocates and does not give back'],
    ['sudo marple collect overview --display', 'a group of config.txt, shown when it has been collected'],
    ['sudo marple collect --stack --raw -t 5 -o box.raw.tgz', 'on a box too weak to decode: marple import finishes it'],
    ['marple collect --stack --disk --dry-run', 'which tools would be taken here?'],
    [
      "marple collect --on 'web[01-40],@db' --disk -t 10 -o busy",
      'on many hosts at the same moment: busy/web01.marple ...',
    ],
  ],
  words: {
    interface: [...COLLECTERS.map(({ description }) => description.interface), GROUPS],
    '--call-graph': CALL_GRAPHS,
    '--tool': COLLECTERS.flatMap(({ description }) =>
      description.tools.map((tool) => `${description.interface}=${tool.name}`),
    ),
  },
  grammar: {
    areas: new Map(
      collectersByArea().map(([area, collecters]) => {
        const kinds = collecters.map((collecter) => collecter.description.kind);
        const standard = collecters.find((collecter) => collecter.description.isDefaultKind) ?? collecters[0];
        return [`--${area}`, { kinds, defaultKind: standard?.description.kind ?? '' }];
      }),
    ),
  },
  run: runCollect,
};

function declare(command: Command): void {
  command
    .summary('record what was asked for into one data file')
    .description('Records the named parts of the system, side by side, into one data file.')
    .argument(
      '[interface...]',
      `interfaces (${COLLECTERS.map((c) => c.description.interface).join(', ')}) and groups of config.txt`,
    )
    .usage('[INTERFACE|GROUP ...] [AREA ...] [options] [-- COMMAND ARG...]');
  for (const [area, collecters] of collectersByArea()) {
    const kinds = collecters.map(({ description }) => `${description.kind}: ${description.summary}`).join('\n');
    command.option(`--${area} <kinds>`, kinds, accumulate);
  }
  command
    .option('--stack', 'call stacks, the same as --cpu=stacks')
    .option('-t, --time <seconds>', 'how long to collect; with a command, at the most')
    .option('-o, --output <file>', 'the data file; - is stdout')
    .option('-p, --pid <pids>', 'only these processes', accumulate)
    .option('--comm <regex>', 'only processes whose name matches')
    .option('--cgroup <path>', 'only processes of this cgroup and of those below it, as they come and go')
    .option('-a, --all', 'with a command: record the whole machine all the same')
    .option('-F, --frequency <hz>', 'call stack samples per second and CPU')
    .option('--call-graph <method>', 'how call stacks are taken: fp, dwarf or lbr')
    .option('-n, --times <count>', 'repeat, into NAME-1.marple to NAME-<count>.marple')
    .option('--tool <interface=tool>', 'take this tool for this interface', accumulate)
    .option('--netns <namespace>', 'TCP of this network namespace only: a name of `ip netns`, a path or a pid')
    .option('--raw', 'keep the recordings of the tools, undecoded, in one archive: marple import finishes it elsewhere')
    .option('--summary', 'keep only what can be summed, in a small data file: for many hosts (docs/fleet.md)')
    .option('--force', 'overwrite an existing data file')
    .option('--display', 'show the data when it has been collected')
    .option('--dry-run', 'say which tools would be used, and stop')
    .option(
      '--on <hosts>',
      'collect on these hosts, into a folder with a file of each: a node set of ClusterShell, such as web[01-40],@db',
      accumulate,
    )
    .option('--push', 'with --on: take MARPLE to the hosts as one file, and remove it afterwards')
    // What `--on` runs on a host, and what that runs (fleet/host-side.ts).
    .addOption(new Option('--host-side').hideHelp())
    .addOption(new Option('--start-by <descriptor>').hideHelp());
}

function accumulate(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

async function runCollect(
  names: readonly string[],
  rawFlags: Record<string, unknown>,
  context: Context,
): Promise<number> {
  const { output, command } = context;
  const flags = parseFlags(rawFlags);
  if (flags.hostSide === true) return beHost(output);
  const config = await loadSettings();
  const collecters = selectCollecters(names, rawFlags, flags, config);
  const repeat = flags.times === undefined ? 1 : parseCount('-n', flags.times, 1, 100_000);
  const tempDir = makeTempDir();
  const options = collectOptions(flags, collecters, command, config);
  checkJson(flags, command);
  checkRaw(flags);
  if (flags.on !== undefined) return collectOnFleet(flags.on.join(','), options, rawFlags, flags, config, context);
  if (flags.push === true) throw new UsageError('--push is for --on', "marple collect --on 'web[01-40]' --push ...");

  if (flags.dryRun) return dryRun(options, config, tempDir, output, flags.json);

  const { name, beforeWriting } = dataFile(flags, config);
  const paths = repeat === 1 ? [name] : Array.from({ length: repeat }, (_, i) => numbered(name, i + 1));
  const force = flags.force === true || (await mayOverwrite(paths, output));
  const gate = flags.startBy === undefined ? undefined : await startGate(flags.startBy);
  const results: CollectResult[] = [];
  for (const path of paths) {
    // Who is not root cannot take back that it gives way, neither for the next run nor for the viewer.
    const isLast = path === paths.at(-1) && flags.display !== true;
    const summed = flags.summary === true && path === '-' ? join(tempDir, 'collected.marple') : path;
    const result = await collectOnce(
      { ...options, output: summed, force, isLast, beforeWriting },
      config,
      tempDir,
      output,
      gate,
    );
    if (flags.summary === true && result.file !== undefined) await replaceBySummary(summed, path, tempDir, output);
    results.push(result);
    if (result.interrupted !== undefined) break;
  }
  if (flags.json !== undefined)
    output.json(repeat === 1 ? jsonResult(results[0]!) : { runs: results.map(jsonResult) }, flags.json);
  const codes = results.map((result) => result.exitCode);
  const worst = codes.find((code) => code !== EXIT.ok) ?? EXIT.ok;
  const last = results.at(-1)?.file;
  if (flags.display && last !== undefined && worst !== EXIT.allFailed) {
    const { displayCommand } = await import('./display.ts');
    const shown = await displayCommand.run([], { input: [last] }, { ...context, command: undefined });
    return worst === EXIT.ok ? shown : worst;
  }
  return worst;
}

/** The side of a host of `--on`. */
async function beHost(output: Output): Promise<number> {
  const { serveHost } = await import('../fleet/host-side.ts');
  return serveHost({
    input: process.stdin,
    write: async (line) => {
      output.result(line);
      await output.flush();
    },
    tempDir: makeTempDir(),
  });
}

async function startGate(descriptor: string): Promise<StartGate> {
  const { StartGate } = await import('../fleet/start-gate.ts');
  return new StartGate(parseCount('--start-by', descriptor, 3, 1_000_000));
}

/** The same on many hosts. */
async function collectOnFleet(
  set: string,
  options: Omit<CollectOptions, 'output' | 'force'>,
  rawFlags: Record<string, unknown>,
  flags: Flags,
  config: Config,
  context: Context,
): Promise<number> {
  beFast();
  const { collectOnHosts } = await import('./collect-fleet.ts');
  const { collecters, seconds, command } = options;
  const { output, force, json, display, dryRun, push, times, raw } = flags;
  return collectOnHosts({
    set,
    interfaces: collecters.map(({ description }) => description.interface),
    rawFlags,
    seconds,
    command,
    home: { output, force, json, display, dryRun, push, times, raw },
    config,
    context,
  });
}

function parseFlags(raw: Record<string, unknown>): Flags {
  const parsed = optionsSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new UsageError(`--${kebab(String(issue?.path[0]))}: ${issue?.message}`, 'see marple collect --help');
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The collecters of all interfaces, groups and areas that were named, in the registry's order, each once. */
function selectCollecters(
  names: readonly string[],
  rawFlags: Record<string, unknown>,
  flags: Flags,
  config: Config,
): CollecterClass[] {
  const chosen = new Set(collectersNamed(names, config));
  for (const [area, kinds] of AREA_KINDS) {
    for (const kind of ((rawFlags[area] as string[] | undefined) ?? []).flatMap((list) => list.split(','))) {
      const collecter = kinds.get(kind);
      if (collecter !== undefined) chosen.add(collecter);
    }
  }
  const stacks = AREA_KINDS.get('cpu')?.get('stacks');
  if (flags.stack && stacks !== undefined) chosen.add(stacks);
  if (chosen.size === 0) {
    throw new UsageError(
      'nothing was asked for',
      'name a part of the system, for example: marple collect --stack --disk --mem',
    );
  }
  return COLLECTERS.filter((collecter) => chosen.has(collecter));
}

function collectOptions(
  flags: Flags,
  collecters: readonly CollecterClass[],
  command: readonly string[] | undefined,
  config: Config,
): Omit<CollectOptions, 'output' | 'force'> {
  if (command !== undefined && command.length === 0) {
    throw new UsageError('there is no command behind --', 'for example: marple collect --stack -- make -j2');
  }
  const overrides = new Map(
    collecters.map((collecter) => [collecter.description.interface, overridesFor(collecter, flags, config)]),
  );
  // What is on the hosts is theirs to look for.
  const isElsewhere = flags.on !== undefined;
  if (flags.netns !== undefined) {
    checkHasNetns(flags.netns, overrides.values());
    if (!isElsewhere) findNetns(flags.netns);
  }
  const general = config.section('General');
  const configured = command === undefined ? Number(general['time']) : undefined;
  return {
    collecters,
    seconds: flags.time === undefined ? configured : parseSeconds('-t', flags.time),
    command,
    raw: flags.raw === true,
    systemWide: flags.all === true,
    pids: flags.pid === undefined ? undefined : [...new Set(flags.pid.flatMap((list) => parseList('-p', list)))],
    comm: flags.comm === undefined ? undefined : parsePattern('--comm', flags.comm),
    cgroup: flags.cgroup === undefined || isElsewhere ? flags.cgroup : findCgroup(flags.cgroup),
    tools: parseTools(flags.tool ?? [], collecters),
    overrides,
  };
}

/** `-F`, `--call-graph` and `--netns` for every interface that has such an option; General's frequency where nothing else is said. */
function overridesFor(collecter: CollecterClass, flags: Flags, config: Config): Record<string, unknown> {
  const { interface: name, options } = collecter.description;
  const keys = options instanceof z.ZodObject ? Object.keys(options.shape) : [];
  const overrides: Record<string, unknown> = {};
  if (keys.includes('frequency')) {
    const own = config.section(name)['frequency'];
    if (flags.frequency !== undefined) overrides['frequency'] = parseCount('-F', flags.frequency, 1, 100_000);
    else if (own === undefined) overrides['frequency'] = Number(config.section('General')['frequency']);
  }
  if (keys.includes('call_graph') && flags.callGraph !== undefined) overrides['call_graph'] = flags.callGraph;
  if (keys.includes('netns') && flags.netns !== undefined) overrides['netns'] = flags.netns;
  return overrides;
}

/** @throws UsageError where nothing that is collected knows namespaces. */
function checkHasNetns(netns: string, overrides: Iterable<Readonly<Record<string, unknown>>>): void {
  if (![...overrides].some((values) => 'netns' in values)) {
    throw new UsageError('--netns is for ipc, which is not collected', `marple collect --ipc --netns ${netns}`);
  }
}

function parseTools(pairs: readonly string[], collecters: readonly CollecterClass[]): Map<string, string> {
  return new Map(
    pairs.map((pair): [string, string] => {
      const [name = '', tool = ''] = pair.split('=');
      const collecter = findCollecter(name);
      if (collecter === undefined || tool === '') {
        throw new UsageError(`--tool takes INTERFACE=TOOL, not '${pair}'`, 'for example: --tool disklat=iosnoop');
      }
      if (!collecters.includes(collecter)) {
        throw new UsageError(`--tool names ${name}, which is not collected`, `add ${name} to what is collected`);
      }
      return [name, tool];
    }),
  );
}

function checkRaw(flags: Flags): void {
  if (flags.raw === true && flags.summary === true) {
    throw new UsageError(
      '--raw leaves nothing that could be summed before it is imported',
      'leave --summary out; then: marple import FILE -o FILE.marple && marple export -i FILE.marple --format summary -o SUMMARY.marple',
    );
  }
  if (flags.raw === true && flags.display === true) {
    throw new UsageError(
      '--raw leaves nothing that could be displayed before it is imported',
      'leave --display out; then: marple import FILE && marple display',
    );
  }
}

function checkJson(flags: Flags, command: readonly string[] | undefined): void {
  if (flags.json === '-' && (command !== undefined || flags.output === '-')) {
    throw new UsageError('--json needs a file here, since stdout is taken', 'write --json=FILE');
  }
}

/** -o is taken literally; without it a dated name in the configured folder. */
function dataFile(flags: Flags, config: Config): { name: string; beforeWriting: () => void } {
  if (flags.output !== undefined) return { name: flags.output, beforeWriting: () => undefined };
  const extension = flags.raw === true ? RAW_EXTENSION : undefined;
  const name = new DataFileName({ path: config.section('General')['out_dir'], extension });
  return { name: name.toString(), beforeWriting: () => name.makeFolder() };
}

function numbered(path: string, number: number): string {
  return path.replace(/(\.marple|\.raw\.tgz)?$/, (ending) => `-${number}${ending}`);
}

async function mayOverwrite(paths: readonly string[], output: Output): Promise<boolean> {
  const { existsSync } = await import('node:fs');
  const existing = paths.find((path) => path !== '-' && existsSync(path));
  return existing !== undefined && (await output.confirm(`${existing} exists already. Overwrite it?`));
}

async function collectOnce(
  options: CollectOptions,
  config: Config,
  tempDir: string,
  output: Output,
  gate: StartGate | undefined,
): Promise<CollectResult> {
  // A command writes to the same terminal.
  const progress = output.progress({ bar: options.command === undefined });
  const waiting = gate === undefined ? options : { ...options, awaitStart: () => gate.open() };
  const result = await collect(waiting, {
    config,
    tempDir,
    probeMemoryPath: join(stateDir(), 'probes.json'),
    events: {
      notice: (sentence) => output.info(sentence),
      warn: (sentence) => output.warn(sentence),
      recording: (choices, seconds) => {
        progress.start({ seconds, what: describeChoices(choices) });
        gate?.recording();
      },
      progress: (elapsed, records) => {
        progress.update({ elapsed, records });
        gate?.progress(records);
      },
      finishing: () => progress.stop(),
    },
  }).finally(() => progress.stop());
  if (result.file !== undefined && result.file !== '-') {
    giveToUser(result.file);
    // What is taken home is not here for long.
    const problem = options.raw || gate !== undefined ? undefined : rememberDataFile(resolve(result.file));
    if (problem !== undefined) output.warn(problem);
  }
  say(result, options.raw, output);
  return result;
}

/** Puts the summary of a data file in its place, or on stdout. */
async function replaceBySummary(file: string, path: string, tempDir: string, output: Output): Promise<void> {
  // It is for few runs, and what it loads is not for the others to carry.
  const { summaryOf } = await import('../formats/summary.ts');
  const pieces = summaryOf(file, tempDir, (sentence) => output.warn(sentence));
  if (path === '-') await writeToStdout(pieces);
  else await saveFile(pieces, path, true);
}

function describeChoices(choices: readonly Choice[]): string {
  return choices.map((choice) => `${choice.interface} (${choice.tool})`).join(', ');
}

function say(result: CollectResult, isRaw: boolean, output: Output): void {
  for (const name of new Set(result.sections.map((section) => section.interface))) {
    const sections = result.sections.filter((section) => section.interface === name);
    const [first] = sections as [SectionResult];
    const counts = first.raw
      ? ['recorded']
      : sections.map((section) => `${section.records} ${recordsOf(section, sections)}`);
    // What was lost is counted for the interface, and stands in each of its sections.
    const lost = first.lost > 0 ? `, ${first.lost} lost` : '';
    const skipped = first.skipped > 0 ? `, ${first.skipped} skipped` : '';
    output.info(`${name}: ${counts.join(', ')}${lost}${skipped}, by ${first.tool}`);
  }
  for (const warning of new Set(result.sections.flatMap((s) => s.warnings.map((w) => `${s.interface}: ${w}`)))) {
    output.warn(warning);
  }
  for (const note of new Set(result.sections.flatMap((s) => s.notes.map((n) => `${s.interface}: ${n}`)))) {
    output.info(note);
  }
  for (const failure of result.failures) {
    output.error(new MarpleError(`${failure.interface} failed: ${failure.reason}`, EXIT.someFailed, failure.hint));
  }
  if (result.file === undefined) return;
  const { file } = result;
  output.info(`collected ${result.seconds.toFixed(1)} s into ${file === '-' ? 'stdout' : file}`);
  if (isRaw) output.info(`to decode it, on any machine: marple import ${file === '-' ? 'FILE' : file}`);
}

/** What the records of a section are called; of several alike, what each of them measures. */
function recordsOf({ datatype, quantity }: SectionResult, sections: readonly SectionResult[]): string {
  const word = datatype === 'stack' ? 'unique stacks' : `${datatype}s`;
  const isAlone = sections.filter((other) => other.datatype === datatype).length === 1;
  return isAlone || quantity === undefined ? word : `${word} of ${quantity}`;
}

function jsonResult(result: CollectResult): Record<string, unknown> {
  return {
    file: result.file ?? null,
    seconds: result.seconds,
    sections: result.sections,
    failures: result.failures,
    tools: Object.fromEntries(result.choices.map((choice) => [choice.interface, choice.tool ?? null])),
    overhead: result.overhead,
    command_status: result.commandStatus ?? null,
    interrupted: result.interrupted ?? null,
    exit_code: result.exitCode,
  };
}

async function dryRun(
  options: Omit<CollectOptions, 'output' | 'force'>,
  config: Config,
  tempDir: string,
  output: Output,
  json: string | undefined,
): Promise<number> {
  const memory = await ProbeMemory.load(join(stateDir(), 'probes.json'));
  const scope = { own: process.pid, ...(options.pids === undefined ? {} : { pids: options.pids }) };
  const choices = await chooseTools(options.collecters, { scope, tempDir }, memory, config, options.tools);
  if (json !== undefined) output.json({ choices }, json);
  else {
    for (const choice of choices) {
      output.result(
        `${choice.interface}: ${choice.tool === undefined ? 'no tool works here' : `${choice.tool} ${choice.version}`}`,
      );
      for (const passed of choice.passedOver) output.result(`  not ${passed.tool}: ${passed.why}`);
    }
  }
  return choices.every((choice) => choice.tool === undefined) ? EXIT.unavailable : EXIT.ok;
}
