import type { Command } from 'commander';
import type { Output } from '../common/output.ts';
import type { ArgumentGrammar } from './argv.ts';

/** What every command is given beside its own arguments. */
export interface Context {
  readonly output: Output;
  /** The user's command behind `--`, where there is one. */
  readonly command: readonly string[] | undefined;
  /** All commands, for those that describe MARPLE itself; for the others only their own. */
  readonly program: DeclaredProgram;
}

export interface DeclaredProgram {
  readonly command: Command;
  /** By name, in the order of the help. */
  readonly parts: ReadonlyMap<string, DeclaredCommand>;
}

export interface DeclaredCommand {
  readonly command: Command;
  readonly part: ProgramCommand;
}

/** A command line that works as it stands, and what it does. */
export type Example = readonly [line: string, what: string];

/** In a list of `words`: the groups of config.txt; data files, which is all there is then; the commands of `marple`, likewise. */
export const GROUPS = '@groups';
export const DATA_FILES = '@data-files';
export const COMMANDS = '@commands';

/** A command of `marple`: how it is declared, what its arguments need before commander sees them, and what it does. */
export interface ProgramCommand {
  declare(command: Command): void;
  /** For --help and the manual. */
  readonly examples: readonly Example[];
  /**
   * What may stand where a value is wanted, for completion: by the long flag, or by the name of the argument. Values of the
   * options `<file>` and `<folder>` are such; of others that are not named here they are free text.
   */
  readonly words?: Readonly<Record<string, readonly string[]>>;
  /** Parts of the grammar that only this command has. */
  readonly grammar?: Partial<Pick<ArgumentGrammar, 'aliases' | 'areas'>>;
  /** Returns the exit code. */
  run(args: readonly string[], options: Record<string, unknown>, context: Context): Promise<number>;
}
