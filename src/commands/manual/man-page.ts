import type { Command } from 'commander';
import { VERSION } from '../../common/version.ts';
import type { DeclaredCommand, DeclaredProgram, Example } from '../context.ts';
import { ENVIRONMENT, EXIT_STATUS, FILES, QUICK_START } from './facts.ts';

/** The name of a command's page; of no command, that of MARPLE's own. */
export function pageName(command?: string): string {
  return command === undefined ? 'marple' : `marple-${command}`;
}

/** The manual page of `marple` in the macros man(7): what it is, and its commands. */
export function programPage(program: DeclaredProgram): string {
  const parts = [...program.parts.values()];
  return page('marple', 'multi-tool analysis of runtime performance', [
    ...section('SYNOPSIS', [`\\fBmarple\\fR \\fICOMMAND\\fR [${text('options')}]`]),
    ...section('DESCRIPTION', [text(program.command.description())]),
    ...section(
      'COMMANDS',
      parts.flatMap(({ command }) => entry(bold(`marple ${command.name()}`), command.summary())),
    ),
    ...section('OPTIONS', optionEntries(program.command)),
    ...examples(QUICK_START),
    ...common(parts.map(({ command }) => pageName(command.name()))),
  ]);
}

/** The manual page of one command. */
export function commandPage({ command, part }: DeclaredCommand): string {
  const usages = command.usage().split('\n');
  const synopsis = usages.map((usage) => `${bold(`marple ${command.name()}`)} ${text(ownUsage(usage, command))}`);
  const args = command.registeredArguments
    .filter(({ description }) => description !== '')
    .flatMap((argument) => entry(`\\fI${text(argument.name().toUpperCase())}\\fR`, argument.description));
  return page(pageName(command.name()), command.summary(), [
    ...section(
      'SYNOPSIS',
      synopsis.flatMap((line, i) => (i === 0 ? [line] : ['.br', line])),
    ),
    ...section('DESCRIPTION', [text(command.description())]),
    ...(args.length === 0 ? [] : section('ARGUMENTS', args)),
    ...section('OPTIONS', optionEntries(command)),
    ...examples(part.examples),
    ...common(['marple']),
  ]);
}

function page(name: string, summary: string, sections: readonly string[]): string {
  return [
    `.TH ${name.toUpperCase().replace('-', '\\-')} 1 "" "MARPLE ${VERSION}" "MARPLE"`,
    ...section('NAME', [`${text(name)} \\- ${text(summary)}`]),
    ...sections,
    '',
  ].join('\n');
}

function section(title: string, lines: readonly string[]): string[] {
  return [`.SH ${title}`, ...lines];
}

/** What the commander's Usage line has behind the name of the command: a second line names it again. */
function ownUsage(usage: string, command: Command): string {
  return usage.replace(`marple ${command.name()}`, '').trim();
}

function optionEntries(command: Command): string[] {
  const help = command.createHelp();
  return help.visibleOptions(command).flatMap((option) => entry(bold(option.flags), help.optionDescription(option)));
}

/** Each line of the description is one in the page. */
function entry(term: string, description: string): string[] {
  return ['.TP', term, ...description.split('\n').flatMap((line, i) => (i === 0 ? [text(line)] : ['.br', text(line)]))];
}

function examples(lines: readonly Example[]): string[] {
  return section(
    'EXAMPLES',
    lines.flatMap(([line, what]) => ['.TP', bold(line), text(what)]),
  );
}

function common(others: readonly string[]): string[] {
  const facts = (title: string, list: readonly (readonly [string, string])[]): string[] =>
    section(
      title,
      list.flatMap(([term, meaning]) => entry(bold(term), meaning)),
    );
  return [
    ...facts('EXIT STATUS', EXIT_STATUS),
    ...facts('FILES', FILES),
    ...facts('ENVIRONMENT', ENVIRONMENT),
    ...section('SEE ALSO', [others.map((name) => `${bold(name)}(1)`).join(',\n')]),
  ];
}

function bold(words: string): string {
  return `\\fB${text(words)}\\fR`;
}

/** Text that stands for itself: a hyphen stays one that can be copied, and no line begins with a request. */
function text(words: string): string {
  return words
    .replace(/\\/g, '\\e')
    .replace(/-/g, '\\-')
    .replace(/^([.'])/gm, '\\&$1')
    .replace(/’/g, '\\(cq');
}
