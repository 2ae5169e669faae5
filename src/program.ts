import { Command, CommanderError, Option } from 'commander';
import { type ArgumentGrammar, rewriteArguments, splitArguments } from './commands/argv.ts';
import type { ProgramCommand } from './commands/context.ts';
import { EXIT, errorMessage, MarpleError, UsageError } from './common/errors.ts';
import { closeLog, log } from './common/log.ts';
import { Output } from './common/output.ts';
import { VERSION } from './common/version.ts';

/** The commands, each loaded when it is needed: most of what one of them brings the others do not need. */
const COMMANDS: Readonly<Record<string, () => Promise<ProgramCommand>>> = {
  collect: async () => (await import('./commands/collect.ts')).collectCommand,
  display: async () => (await import('./commands/display.ts')).displayCommand,
  stats: async () => (await import('./commands/stats.ts')).statsCommand,
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand,
  import: async () => (await import('./commands/import.ts')).importCommand,
  export: async () => (await import('./commands/export.ts')).exportCommand,
  diff: async () => (await import('./commands/diff.ts')).diffCommand,
  config: async () => (await import('./commands/config.ts')).configCommand,
};

/** Runs `marple` with these arguments (without node and script) and gives its exit code. Never throws. */
export async function main(argv: readonly string[]): Promise<number> {
  const { own, command } = splitArguments(argv);
  const output = new Output({
    quiet: own.includes('-q') || own.includes('--quiet'),
    verbose: own.includes('--verbose'),
  });
  let code: number;
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
    .helpOption('--help', 'print this help')
    .helpCommand(false);
  configure(program, output);
  const parts = await loadCommands(own[0]);
  for (const [name, part] of parts) {
    const sub = program.command(name).helpOption('--help', 'print this help');
    configure(sub, output);
    part.declare(sub);
    declareCommon(sub);
    sub.action(async (...given: unknown[]) => {
      const options = sub.opts();
      // Behind the arguments, one or a list each, stand the options and the command.
      const args = given
        .slice(0, -2)
        .flat()
        .filter((arg) => typeof arg === 'string');
      code = await part.run(args, options, { output, command });
    });
  }
  if (own.length === 0) {
    output.result(program.helpInformation());
    return EXIT.usage;
  }
  const sub = program.commands.find((candidate) => candidate.name() === own[0]);
  const args =
    sub === undefined ? own : [sub.name(), ...rewriteArguments(own.slice(1), grammarOf(sub, parts.get(sub.name())))];
  await program.parseAsync(args, { from: 'user' });
  return code;
}

/** The command that is asked for; all of them where none is, for the help. */
async function loadCommands(name: string | undefined): Promise<Map<string, ProgramCommand>> {
  if (name === '--version') return new Map();
  const wanted = name !== undefined && Object.hasOwn(COMMANDS, name) ? [name] : Object.keys(COMMANDS);
  const loaded = new Map<string, ProgramCommand>();
  for (const each of wanted) loaded.set(each, await COMMANDS[each]!());
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
function grammarOf(command: Command, part: ProgramCommand | undefined): ArgumentGrammar {
  const grammar = part?.grammar;
  const areas = grammar?.areas ?? new Map();
  const valued = command.options
    .filter((option) => option.required && option.long !== '--json' && !areas.has(option.long ?? ''))
    .flatMap((option) => [option.short, option.long].filter((flag) => flag !== undefined && flag !== null));
  return {
    valued: new Set(valued),
    attached: new Map([['--json', '-']]),
    aliases: grammar?.aliases ?? new Map(),
    areas,
  };
}

/** Commander neither exits nor writes: errors are thrown, help goes through Output. */
function configure(command: Command, output: Output): void {
  command
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureOutput({ writeOut: (text) => output.result(text.trimEnd()), writeErr: () => undefined });
}

/** Prints what was thrown, and gives the exit code that belongs to it. */
function report(error: unknown, output: Output): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.ok;
    const usage = new UsageError(commanderSentence(error), 'see marple --help, or marple COMMAND --help');
    output.error(usage);
    return usage.exitCode;
  }
  if (error instanceof MarpleError) {
    output.error(error);
    return error.exitCode;
  }
  log('error', 'bug', { stack: error instanceof Error ? error.stack : undefined });
  output.bug(error instanceof Error ? (error.stack ?? error.message) : errorMessage(error));
  return EXIT.bug;
}

/** Commander says `error: unknown option '--x'\n(Did you mean --y?)`; ours is one sentence. */
function commanderSentence(error: CommanderError): string {
  return error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
}
