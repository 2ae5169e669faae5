import type { Output } from '../common/output.ts';

/** What every command is given beside its own arguments. */
export interface Context {
  readonly output: Output;
  /** The user's command behind `--`, where there is one. */
  readonly command: readonly string[] | undefined;
}
