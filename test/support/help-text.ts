/** The names of the commands, as `marple --help` lists them. */
export function commandsOf(help: string): string[] {
  return [...block(help, 'Commands').matchAll(/^ {2}(\w+) /gm)].map(([, name = '']) => name);
}

/** The command lines below `Examples:`. */
export function examplesOf(help: string): string[] {
  return [...block(help, 'Examples').matchAll(/^ {2}(\S.*)$/gm)].map(([, line = '']) => line);
}

/** The lines below a title, up to the next empty one. */
function block(help: string, title: string): string {
  const [lines = ''] = (help.split(`\n${title}:\n`)[1] ?? '').split('\n\n');
  return lines;
}
