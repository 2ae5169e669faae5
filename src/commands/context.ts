import type { Command } from 'commander';
import type { Output } from '../common/output.ts';
import type { ArgumentGrammar } from './argv.ts';

/** What every command is given beside its own arguments. */
export interface Context {
  readonly output: Output;
  /** The user's command behind `--`, where there is one. */
  readonly command: readonly string[] | undefined;
}

/** A command of `marple`: how it is declared, what its arguments need before commander sees them, and what it does. */
export interface ProgramCommand {
  declare(command: Command): void;
  /** Parts of the grammar that only this command has. */
  readonly grammar?: Partial<Pick<ArgumentGrammar, 'aliases' | 'areas'>>;
  /** Returns the exit code. */
  run(args: readonly string[], options: Record<string, unknown>, context: Context): Promise<number>;
}
