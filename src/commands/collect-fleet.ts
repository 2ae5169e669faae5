import { mkdirSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Option } from 'commander';
import type { Config } from '../common/config.ts';
import { EXIT, MarpleError, SIGNAL_EXIT, UsageError } from '../common/errors.ts';
import { findExecutable } from '../common/executables.ts';
import { DataFolderName } from '../common/file-names.ts';
import { rememberDataFile } from '../common/last-file.ts';
import type { Output } from '../common/output.ts';
import { DATA_FILE } from '../common/partial.ts';
import { type StopSignal, takeStopSignals } from '../common/stop-signals.ts';
import { systemHint, systemReason } from '../common/system-reason.ts';
import { table } from '../common/table.ts';
import { makeTempDir } from '../common/temp.ts';
import { formatCount, plural } from '../common/text.ts';
import { giveToUser } from '../common/user.ts';
import { surest } from '../fleet/clock-offset.ts';
import { Conductor } from '../fleet/conductor.ts';
import type { Host, HostChoices, Phase } from '../fleet/host.ts';
import { expandNodes } from '../fleet/nodes.ts';
import { fleetOptions } from '../fleet/options.ts';
import { programToPush } from '../fleet/program.ts';
import type { Context } from './context.ts';

/** Flags that are for the machine that collects from the others, or are said to the hosts otherwise. */
const HOME_FLAGS = ['on', 'push', 'output', 'force', 'json', 'display', 'dryRun', 'quiet', 'verbose', 'times', 'raw'];
const SAID_OTHERWISE = ['time', 'stack', 'hostSide', 'startBy'];

export interface FleetCollection {
  /** A node set of ClusterShell. */
  readonly set: string;
  readonly interfaces: readonly string[];
  readonly rawFlags: Readonly<Record<string, unknown>>;
  readonly seconds: number | undefined;
  readonly command: readonly string[] | undefined;
  readonly home: {
    readonly output: string | undefined;
    readonly force: boolean | undefined;
    readonly json: string | undefined;
    readonly display: boolean | undefined;
    readonly dryRun: boolean | undefined;
    readonly push: boolean | undefined;
    readonly times: string | undefined;
    readonly raw: boolean | undefined;
  };
  readonly config: Config;
  readonly context: Context;
}

/** `marple collect --on`: collects on many hosts, into a folder with a data file of each. Gives the exit code. */
export async function collectOnHosts(collection: FleetCollection): Promise<number> {
  const { home, config, context, set } = collection;
  const { output } = context;
  checkFlags(home);
  for (const program of ['clush', 'nodeset']) findExecutable(program);
  const options = config.get('Fleet', fleetOptions);
  const nodes = await expandNodes(set);
  const program = home.push === true ? await programToPush(options.binary) : undefined;
  const dry = home.dryRun === true;
  const folder = dry ? undefined : makeFolder(nodes, home, config);
  const tempDir = makeTempDir();
  const show = new Show(output, nodes.length, collection.seconds);
  const conductor = new Conductor(
    {
      nodes,
      args: hostArguments(collection),
      command: collection.command,
      dry,
      seconds: collection.seconds,
      remote: options,
      program,
      arrival: {
        folder: folder?.path ?? tempDir,
        mostBytes: options.max_mb * 1e6,
        force: home.force === true,
        tempDir,
      },
      toolTimeout: Number(config.section('General')['tool_timeout']),
    },
    {
      said: (node, on, text) => (on === 'stdout' ? output.result(`${node}: ${text}`) : output.info(`${node}: ${text}`)),
      changed: () => show.update(),
      recording: () => show.recording(),
    },
    tempDir,
  );
  show.begin(conductor.hosts);
  await untilOver(conductor, folder?.path).finally(() => show.end());
  for (const { file } of conductor.hosts) if (file !== undefined) folder?.keep();
  folder?.close();
  return dry ? sayChoices(conductor.hosts, home.json, output) : finish(conductor, folder?.path ?? '', collection);
}

function checkFlags({ times, raw, output }: FleetCollection['home']): void {
  const one = "each host gives one file: marple collect --on 'web[01-40]' -o FOLDER ...";
  if (times !== undefined) throw new UsageError('-n cannot be used with --on', one);
  if (raw === true) throw new UsageError('--raw cannot be used with --on', one);
  if (output === '-') throw new UsageError('-o - cannot be used with --on', one);
  if (output !== undefined && DATA_FILE.test(output)) {
    throw new UsageError(`with --on, -o names a folder, and ${output} is the name of a data file`, one);
  }
}

/** What each host is given: the interfaces by their names, since groups are of the config here; and the flags as they are. */
function hostArguments({ interfaces, rawFlags, seconds, context }: FleetCollection): string[] {
  const { command, part } = context.program.parts.get('collect')!;
  const areas = [...(part.grammar?.areas?.keys() ?? [])];
  const isOwn = (option: Option): boolean =>
    [...HOME_FLAGS, ...SAID_OTHERWISE].includes(option.attributeName()) || areas.includes(option.long ?? '');
  const flags = command.options
    .filter((option) => !isOwn(option))
    .flatMap((option) => {
      const value = rawFlags[option.attributeName()];
      if (value === undefined || value === false) return [];
      return value === true ? [`${option.long}`] : [value].flat().map((one) => `${option.long}=${one}`);
    });
  return [...interfaces, ...(seconds === undefined ? [] : [`--time=${seconds}`]), ...flags];
}

interface Folder {
  readonly path: string;
  keep(): void;
  /** Removes the folder where it was made for nothing. */
  close(): void;
}

/**
 * The folder of the files: a new one, or one that holds none of theirs.
 * @throws UsageError (2)
 */
function makeFolder(nodes: readonly string[], { output, force }: FleetCollection['home'], config: Config): Folder {
  const name = new DataFolderName({ givenName: output, path: config.section('General')['out_dir'] });
  const path = name.toString();
  const found = statSync(path, { throwIfNoEntry: false });
  if (found !== undefined && !found.isDirectory()) {
    throw new UsageError(`${path} is there, and no folder`, 'give another -o');
  }
  if (found === undefined) make(name, path);
  const there = new Set(readdirSync(path));
  const taken = nodes.filter((node) => there.has(`${node}.marple`));
  if (taken.length > 0 && force !== true) {
    throw new UsageError(
      `${path} holds ${plural(taken.length, 'file')} of these hosts already, such as ${taken[0]}.marple`,
      'give another -o, or --force to overwrite them',
    );
  }
  let isKept = found !== undefined;
  return {
    path,
    keep: () => {
      isKept = true;
    },
    close: () => {
      if (!isKept && readdirSync(path).length === 0) rmdirSync(path);
    },
  };
}

function make(name: DataFolderName, path: string): void {
  name.makeFolder();
  try {
    mkdirSync(path, { mode: 0o700 });
    giveToUser(path);
  } catch (error) {
    throw new UsageError(
      `the folder ${path} cannot be made: ${systemReason(error)}`,
      systemHint(error) ?? 'name another with -o',
      { cause: error },
    );
  }
}

/** One Ctrl-C can arrive twice (from the terminal and from a wrapper such as sudo); later than this it is a second one. */
const REPEAT_MS = 500;

async function untilOver(conductor: Conductor, folder: string | undefined): Promise<void> {
  let at = Number.NEGATIVE_INFINITY;
  let quit: (error: MarpleError) => void = () => undefined;
  const quitted = new Promise<never>((_, reject) => {
    quit = reject;
  });
  const handBack = takeStopSignals((signal: StopSignal) => {
    const now = performance.now();
    if (conductor.stoppedBy === undefined) {
      at = now;
      conductor.stop(signal);
    } else if (now - at > REPEAT_MS) {
      void conductor
        .quit()
        .then(() =>
          quit(
            new MarpleError(
              `stopped before all was home: what came is in ${folder ?? 'nowhere'}`,
              SIGNAL_EXIT[signal],
              'the hosts clear up by themselves',
            ),
          ),
        );
    }
  });
  try {
    await Promise.race([conductor.run(), quitted]);
  } finally {
    handBack();
  }
}

const PHASES: Readonly<Record<Phase, string>> = {
  connecting: 'connecting',
  connected: 'choosing tools',
  ready: 'ready',
  recording: 'recording',
  ended: 'recorded',
  sending: 'coming home',
  arrived: 'being read',
  home: 'home',
  failed: 'failed',
};

/** More hosts than this are counted, not listed. */
const MOST_LISTED = 16;
/** Seconds between two lines where there is no terminal. */
const PLAIN_S = 10;

/** How it goes on, for a person. */
class Show {
  readonly #board;
  #hosts: readonly Host[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isDue = true;
  #since: number | undefined;
  #next = PLAIN_S;

  constructor(
    readonly output: Output,
    readonly count: number,
    readonly seconds: number | undefined,
  ) {
    this.#board = output.board();
  }

  begin(hosts: readonly Host[]): void {
    this.#hosts = hosts;
    if (this.#board === undefined) this.output.info(`connecting to ${plural(this.count, 'host')}`);
    this.#timer = setInterval(() => this.#tick(), 200);
  }

  update(): void {
    this.#isDue = true;
  }

  recording(): void {
    this.#since = performance.now();
    const recording = this.#hosts.filter(({ phase }) => phase === 'recording').length;
    const time = this.seconds === undefined ? '' : ` for ${this.seconds} s`;
    if (this.#board === undefined)
      this.output.info(`recording on ${recording} of ${plural(this.count, 'host')}${time}`);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#board?.stop();
  }

  #tick(): void {
    const elapsed = this.#since === undefined ? undefined : (performance.now() - this.#since) / 1000;
    if (this.#board === undefined) {
      if (elapsed === undefined || elapsed < this.#next) return;
      this.#next = elapsed + PLAIN_S;
      this.output.info(`${Math.floor(elapsed)} s: ${this.#totals()}`);
    } else if (this.#isDue || elapsed !== undefined) {
      this.#isDue = false;
      const title = `${plural(this.count, 'host')}: ${this.#totals()}${this.#time(elapsed)}`;
      this.#board.show([title, ...(this.count > MOST_LISTED ? [] : this.#hosts.map(hostLine))]);
    }
  }

  // , 3 s of 10 s
  #time(elapsed: number | undefined): string {
    if (elapsed === undefined) return '';
    const { seconds } = this;
    return seconds === undefined
      ? `, ${Math.floor(elapsed)} s`
      : `, ${Math.floor(Math.min(elapsed, seconds))} s of ${seconds} s`;
  }

  #totals(): string {
    const counts = new Map<Phase, number>();
    for (const { phase } of this.#hosts) counts.set(phase, (counts.get(phase) ?? 0) + 1);
    return (Object.keys(PHASES) as Phase[])
      .filter((phase) => counts.has(phase))
      .map((phase) => `${counts.get(phase)} ${PHASES[phase]}`)
      .join(', ');
  }
}

// web01: recording, 1,520 records
function hostLine({ node, phase, records, bytes, problems }: Host): string {
  const more =
    phase === 'failed'
      ? `: ${problems[0]?.what}`
      : bytes > 0
        ? `, ${(bytes / 1e6).toFixed(1)} MB`
        : records > 0
          ? `, ${formatCount(records)} records`
          : '';
  return `  ${node}: ${PHASES[phase]}${more}`;
}

/** Says what came of it, and gives the exit code. */
async function finish(conductor: Conductor, folder: string, collection: FleetCollection): Promise<number> {
  const { hosts, stoppedBy } = conductor;
  const { home, context } = collection;
  const { output } = context;
  const arrived = hosts.filter(({ file }) => file !== undefined);
  if (arrived.length > 0) {
    const problem = rememberDataFile(resolve(folder));
    if (problem !== undefined) output.warn(problem);
    sayTotals(arrived, output);
  }
  const failed = hosts.filter((host) => problemsOf(host).length > 0);
  const code = exitCode(hosts, failed, stoppedBy);
  if (failed.length > 0) sayFailed(failed, hosts.length, output);
  if (arrived.length > 0)
    output.info(`collected on ${arrived.length} of ${plural(hosts.length, 'host')} into ${folder}`);
  if (home.json !== undefined) {
    output.json(
      {
        folder: arrived.length === 0 ? null : folder,
        hosts: hosts.map(jsonHost),
        interrupted: stoppedBy ?? null,
        exit_code: code,
      },
      home.json,
    );
  }
  if (home.display === true && arrived.length > 0) {
    const { displayCommand } = await import('./display.ts');
    const shown = await displayCommand.run([], { input: [folder] }, { ...context, command: undefined });
    return code === EXIT.ok ? shown : code;
  }
  return code;
}

/** What went wrong with a host, and with its interfaces. */
function problemsOf({ problems, run }: Host): string[] {
  const failures = run?.failures.map((failure) => `${failure.interface}: ${failure.reason}`) ?? [];
  return [...problems.map(({ what }) => what), ...failures];
}

function exitCode(hosts: readonly Host[], failed: readonly Host[], stoppedBy: StopSignal | undefined): number {
  if (stoppedBy !== undefined) return SIGNAL_EXIT[stoppedBy];
  if (hosts.every(({ file }) => file === undefined)) return EXIT.allFailed;
  if (failed.length > 0) return EXIT.someFailed;
  return Math.max(EXIT.ok, ...hosts.map(({ run }) => run?.command_status ?? EXIT.ok));
}

/** One line for each interface, and each warning once. */
function sayTotals(hosts: readonly Host[], output: Output): void {
  const sections = hosts.flatMap(({ node, run }) => run?.sections.map((section) => ({ ...section, node })) ?? []);
  for (const name of new Set(sections.map((section) => section.interface))) {
    const own = sections.filter((section) => section.interface === name);
    const datatypes = [...new Set(own.map(({ datatype }) => datatype))].map((datatype) => {
      const count = own.reduce((sum, section) => sum + (section.datatype === datatype ? section.records : 0), 0);
      return `${formatCount(count)} ${datatype}s`;
    });
    const lost = new Map(own.map(({ node, lost }) => [node, lost]));
    const allLost = [...lost.values()].reduce((sum, count) => sum + count, 0);
    const tools = [...new Set(own.map(({ tool }) => tool))].join(', ');
    output.info(
      `${name}: ${datatypes.join(', ')}${allLost > 0 ? `, ${formatCount(allLost)} lost` : ''}, from ${plural(lost.size, 'host')}, by ${tools}`,
    );
  }
  // Sentences that differ in their numbers alone are one.
  const warnings = new Map<string, { readonly sentence: string; readonly nodes: Set<string> }>();
  for (const section of sections) {
    for (const warning of section.warnings) {
      const sentence = `${section.interface}: ${warning}`;
      const key = sentence.replace(/\d+(\.\d+)?/g, '#');
      const known = warnings.get(key) ?? { sentence, nodes: new Set() };
      warnings.set(key, known);
      known.nodes.add(section.node);
    }
  }
  for (const { sentence, nodes } of warnings.values()) {
    output.warn(`${sentence} (${nodesText([...nodes], hosts.length)})`);
  }
}

function nodesText(nodes: readonly string[], all: number): string {
  if (nodes.length === all && all > 1) return `${nodes[0]}, and likewise on all others`;
  return nodes.length > 3 ? `${nodes[0]} and ${plural(nodes.length - 1, 'other')}` : nodes.join(', ');
}

function sayFailed(failed: readonly Host[], all: number, output: Output): void {
  const without = failed.filter(({ file }) => file === undefined).length;
  const what = `something went wrong on ${failed.length} of ${plural(all, 'host')}; of ${without} there is nothing`;
  const hints = failed.flatMap(({ problems }) => problems.flatMap(({ hint }) => hint ?? []));
  const rows = failed.flatMap((host) =>
    problemsOf(host).map((problem, i) => [
      i > 0 ? '' : host.node,
      i > 0 ? '' : host.file === undefined ? 'nothing' : 'some',
      problem,
    ]),
  );
  const lines = table([{ title: 'host' }, { title: 'data' }, { title: 'what happened' }], rows, { indent: '  ' });
  output.error(new MarpleError(what, EXIT.someFailed, hints[0] ?? 'marple doctor, on such a host'));
  for (const line of lines) output.errorLine(line);
}

function jsonHost(host: Host): Record<string, unknown> {
  const { node, file, problems, run, before, after, isCut, version } = host;
  return {
    node,
    file: file ?? null,
    is_cut: isCut,
    problems: problems.map(({ what, hint }) => ({ what, hint: hint ?? null })),
    failures: run?.failures ?? [],
    seconds: run?.seconds ?? null,
    sections: run?.sections ?? [],
    tools: run?.tools ?? {},
    command_status: run?.command_status ?? null,
    clock_offset: { start: surest(before) ?? null, end: surest(after) ?? null },
    marple: version === '' ? null : version,
  };
}

/** Which tools would be taken, once for all hosts where it is the same. */
function sayChoices(hosts: readonly Host[], json: string | undefined, output: Output): number {
  const failed = hosts.filter(({ choices }) => choices === undefined);
  if (json !== undefined) {
    output.json(
      { hosts: hosts.map(({ node, choices, problems }) => ({ node, choices: choices ?? null, problems })) },
      json,
    );
  } else {
    const alike = new Map<string, string[]>();
    for (const { node, choices } of hosts) {
      if (choices === undefined) continue;
      const text = choicesText(choices);
      alike.set(text, [...(alike.get(text) ?? []), node]);
    }
    for (const [text, nodes] of alike) output.result(`${nodes.join(', ')}:\n${text}`);
  }
  if (failed.length > 0) sayFailed(failed, hosts.length, output);
  if (failed.length === hosts.length) return EXIT.allFailed;
  return failed.length > 0 ? EXIT.someFailed : EXIT.ok;
}

function choicesText(choices: HostChoices): string {
  return choices
    .flatMap(({ interface: name, tool, version, passedOver }) => [
      `  ${name}: ${tool === undefined ? 'no tool works there' : `${tool} ${version ?? ''}`}`,
      ...passedOver.map((passed) => `    not ${passed.tool}: ${passed.why}`),
    ])
    .join('\n');
}
