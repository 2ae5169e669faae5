/*
 * What was called otherwise on the command line of the original MARPLE, in Python (docs/migration.md). It still works, and no
 * help names it.
 */

const COMMANDS = new Map([
  ['--collect', 'collect'],
  ['-c', 'collect'],
  ['--display', 'display'],
  ['-d', 'display'],
]);

/** Flags of collect and display. */
export const FORMER_FLAGS: ReadonlyMap<string, string> = new Map([
  ['--infile', '--input'],
  ['--outfile', '--output'],
  ['-tcp', '--plot'],
  ['--tcpplot', '--plot'],
]);

/** `--collect ...` as `collect ...`. */
export function withCommand(own: readonly string[]): readonly string[] {
  const [first = '', ...rest] = own;
  const command = COMMANDS.get(first);
  return command === undefined ? own : [command, ...rest];
}
