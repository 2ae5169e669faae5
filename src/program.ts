import { Command, CommanderError, Option } from 'commander';
import { type ArgumentGrammar, rewriteArguments, splitArguments } from './commands/argv.ts';
import { collectCommand } from './commands/collect.ts';
import { configCommand } from './commands/config.ts';
import type { ProgramCommand } from './commands/context.ts';
import { displayCommand } from './commands/display.ts';
import { doctorCommand } from './commands/doctor.ts';
import { exportCommand } from './commands/export.ts';
import { importCommand } from './commands/import.ts';
import { statsCommand } from './commands/stats.ts';
import { EXIT, errorMessage, MarpleError, UsageError } from './common/errors.ts';
import { closeLog, log } from './common/log.ts';
import { Output } from './common/output.ts';
import { VERSION } from './common/version.ts';

const COMMANDS: Readonly<Record<string, ProgramCommand>> = {
  collect: collectCommand,
  display: displayCommand,
  stats: statsCommand,
  doctor: doctorCommand,
  import: importCommand,
  export: exportCommand,
  config: configCommand,
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
  for (const [name, part] of Object.entries(COMMANDS)) {
    const sub = program.command(name).helpOption('--help', 'print this help');
    configure(sub, output);
    part.declare(sub);
    declareCommon(sub);
    sub.action(async (...given: unknown[]) => {
      const options = sub.opts();
      // Behind the arguments, one or a list each, stand the options and the command.
      const args = given.slice(0, -2).flat().filter((arg) => typeof arg === 'string');
      code = await part.run(args, options, { output, command });
    });
  }
  if (own.length === 0) {
    output.result(program.helpInformation());
    return EXIT.usage;
  }
  const sub = program.commands.find((candidate) => candidate.name() === own[0]);
  const args = sub === undefined ? own : [sub.name(), ...rewriteArguments(own.slice(1), grammarOf(sub))];
  await program.parseAsync(args, { from: 'user' });
  return code;
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
function grammarOf(command: Command): ArgumentGrammar {
  const grammar = COMMANDS[command.name()]?.grammar;
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
