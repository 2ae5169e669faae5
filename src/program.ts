import { Command, CommanderError, Option } from 'commander';
import * as z from 'zod';
import { type ArgumentGrammar, rewriteArguments, splitArguments } from './commands/argv.ts';
import type { DeclaredCommand, ProgramCommand } from './commands/context.ts';
import { FORMER_FLAGS, withCommand } from './commands/former.ts';
import { QUICK_START } from './commands/manual/facts.ts';
import { examplesText, exitStatusText } from './commands/manual/help.ts';
import { EXIT, errorMessage, MarpleError, SIGNAL_EXIT, UsageError } from './common/errors.ts';
import { closeLog, log } from './common/log.ts';
import { Output } from './common/output.ts';
import { catchStopSignals } from './common/stop-signals.ts';
import { didYouMean } from './common/suggest.ts';
import { isShortage, systemHint, systemSentence } from './common/system-reason.ts';
import { VERSION } from './common/version.ts';

// A schema is used a few times in a run: to make a function of each takes longer than that saves.
z.config({ jitless: true });

/** The commands, each loaded when it is needed: most of what one of them brings the others do not need. */
const COMMANDS: Readonly<Record<string, () => Promise<ProgramCommand>>> = {
  collect: async () => (await import('./commands/collect.ts')).collectCommand,
  display: async () => (await import('./commands/display.ts')).displayCommand,
  stats: async () => (await import('./commands/stats.ts')).statsCommand,
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand,
  import: async () => (await import('./commands/import.ts')).importCommand,
  export: async () => (await import('./commands/export.ts')).exportCommand,
  diff: async () => (await import('./commands/diff.ts')).diffCommand,
  serve: async () => (await import('./commands/serve.ts')).serveCommand,
  config: async () => (await import('./commands/config.ts')).configCommand,
  completion: async () => (await import('./commands/completion.ts')).completionCommand,
  man: async () => (await import('./commands/man.ts')).manCommand,
};
/** Commands that describe all of them. */
const DESCRIBING = ['completion', 'man'];

type Loaded = ReadonlyMap<string, DeclaredCommand>;

/**
 * Runs `marple` with these arguments (without node and script) and gives its exit code. Never throws. `exit` ends the
 * process before that, where it is stopped by a signal or nothing else is left to do.
 */
export async function main(argv: readonly string[], exit: (code: number) => void): Promise<number> {
  const { own: given, command } = splitArguments(argv);
  const own = withCommand(given);
  const output = new Output({
    quiet: own.includes('-q') || own.includes('--quiet'),
    verbose: own.includes('--verbose'),
  });
  let code: number;
  // What fails in a callback ends here; what is to be removed on the way out is removed.
  process.on('uncaughtException', (error) => exit(report(error, output)));
  catchStopSignals((signal) => {
    const message = `${own[0] ?? 'marple'} was stopped by ${signal} before it was done`;
    const code = SIGNAL_EXIT[signal];
    output.error(new MarpleError(message, code, 'run the same command again: nothing of this one is left'));
    exit(code);
  });
  try {
    log('info', 'start', { argv: own });
    code = await dispatch(own, command, output);
  } catch (error) {
    code = report(error, output);
  }
  const lost = await output.flush();
  if (lost !== undefined) output.error(lost);
  await closeLog();
  return code === EXIT.ok && lost !== undefined ? lost.exitCode : code;
}

async function dispatch(
  own: readonly string[],
  command: readonly string[] | undefined,
  output: Output,
): Promise<number> {
  let code: number = EXIT.ok;
  const program = new Command('marple')
    .description('What is this machine doing? Collect on the box that is slow, display wherever there is a screen.')
    .version(VERSION, '--version', 'print the version')
    .helpCommand(false)
    .addHelpText('after', () => [examplesText(QUICK_START), exitStatusText()].join('\n'));
  configure(program, output);
  const parts: Loaded = new Map(
    (await loadCommands(own[0])).map(([name, part]) => [
      name,
      { command: declareCommand(program, name, part, output), part },
    ]),
  );
  for (const declared of parts.values()) {
    declared.command.action(async (...given: unknown[]) => {
      // Behind the arguments, one or a list each, stand the options and the command.
      const args = given
        .slice(0, -2)
        .flat()
        .filter((arg) => typeof arg === 'string');
      const context = { output, command, program: { command: program, parts } };
      code = await declared.part.run(args, declared.command.opts(), context);
    });
  }
  if (own.length === 0) {
    program.outputHelp();
    return EXIT.usage;
  }
  const [name = ''] = own;
  const asked = parts.get(name);
  const args = asked === undefined ? own : [name, ...rewriteArguments(own.slice(1), grammarOf(asked))];
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    throw error instanceof CommanderError && error.exitCode !== 0
      ? await usageError(error, name, asked, output)
      : error;
  }
  return code;
}

function declareCommand(program: Command, name: string, part: ProgramCommand, output: Output): Command {
  const command = program.command(name).addHelpText('after', () => examplesText(part.examples));
  configure(command, output);
  part.declare(command);
  declareCommon(command);
  return command;
}

/** The command that is asked for; all of them where none is, for the help. */
async function loadCommands(name: string | undefined): Promise<[string, ProgramCommand][]> {
  if (name === '--version') return [];
  const isOne = name !== undefined && Object.hasOwn(COMMANDS, name) && !DESCRIBING.includes(name);
  const loaded: [string, ProgramCommand][] = [];
  for (const each of isOne ? [name] : Object.keys(COMMANDS)) loaded.push([each, await COMMANDS[each]!()]);
  return loaded;
}

/** Options that every command takes. */
function declareCommon(command: Command): void {
  command
    .option('-q, --quiet', 'say nothing but errors')
    .option('--verbose', 'say more')
    .addOption(
      new Option('--json <file>', 'one JSON object instead of text; --json=FILE writes it to FILE').helpGroup(
        'Output:',
      ),
    );
}

/** What the rewriting needs to know, from the options that commander was told of. */
function grammarOf({ command, part: { grammar } }: DeclaredCommand): ArgumentGrammar {
  const areas = grammar?.areas ?? new Map();
  const valued = command.options
    .filter((option) => option.required && option.long !== '--json' && !areas.has(option.long ?? ''))
    .flatMap((option) => [option.short, option.long].filter((flag) => flag !== undefined && flag !== null));
  return {
    valued: new Set(valued),
    attached: new Map([['--json', '-']]),
    aliases: new Map([...FORMER_FLAGS, ...(grammar?.aliases ?? [])]),
    areas,
  };
}

/** Commander neither exits nor writes: errors are thrown, help goes through Output. */
function configure(command: Command, output: Output): void {
  command
    .helpOption('-h, --help', 'print this help')
    .exitOverride()
    .showSuggestionAfterError(false)
    .configureOutput({ writeOut: (text) => output.result(text.trimEnd()), writeErr: () => undefined });
}

/** What commander says of a mistake is a sentence; the hint names what was probably meant. */
async function usageError(
  error: CommanderError,
  name: string,
  asked: DeclaredCommand | undefined,
  output: Output,
): Promise<UsageError> {
  const sentence = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
  const help = asked === undefined ? 'marple --help' : `marple ${name} --help`;
  // error: unknown option '--dsk=latency'
  const [, word = ''] = /'([^'=]*)[^']*'/.exec(error.message) ?? [];
  if (error.code === 'commander.unknownCommand') {
    const known = Object.keys(COMMANDS);
    return new UsageError(
      sentence,
      didYouMean(word, known, `see ${help}`, (near) => `marple ${near}`),
    );
  }
  const stray = asked?.command.args.at(-1);
  if (
    error.code === 'commander.excessArguments' &&
    stray !== undefined &&
    asked?.part.words?.['--input'] !== undefined
  ) {
    return new UsageError(sentence, `name a data file with -i: marple ${name} -i ${stray}`);
  }
  if (error.code !== 'commander.unknownOption') return new UsageError(sentence, `see ${help}`);
  const owner = asked === undefined ? undefined : await ownerOf(word, output);
  if (owner !== undefined)
    return new UsageError(sentence, `marple ${owner} has such an option: see marple ${owner} --help`);
  const known = asked === undefined ? ['--version', '--help'] : flagsOf(asked);
  return new UsageError(sentence, didYouMean(word, known, `see ${help}`));
}

/** The first command that has such an option. */
async function ownerOf(flag: string, output: Output): Promise<string | undefined> {
  for (const [name, part] of await loadCommands(undefined)) {
    const command = declareCommand(new Command(), name, part, output);
    if (flagsOf({ command, part }).includes(flag)) return name;
  }
  return undefined;
}

function flagsOf({ command, part }: DeclaredCommand): string[] {
  const flags = command.options.flatMap(({ short, long }) => [short, long]).filter((flag) => flag !== undefined);
  return [...flags, ...(part.grammar?.aliases?.keys() ?? []), '--help'].filter((flag) => flag !== null);
}

/** Prints what was thrown, and gives the exit code that belongs to it. */
function report(error: unknown, output: Output): number {
  // Help and version have been printed.
  if (error instanceof CommanderError) return EXIT.ok;
  if (error instanceof MarpleError) {
    output.error(error);
    return error.exitCode;
  }
  if (isShortage(error)) {
    const hint = systemHint(error) ?? 'see what is short: df -h, free -m, ulimit -a';
    output.error(new MarpleError(`MARPLE cannot go on: ${systemSentence(error)}`, EXIT.usage, hint));
    return EXIT.usage;
  }
  log('error', 'bug', { stack: error instanceof Error ? error.stack : undefined });
  output.bug(error instanceof Error ? (error.stack ?? error.message) : errorMessage(error));
  return EXIT.bug;
}
