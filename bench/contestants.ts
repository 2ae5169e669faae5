import type { Contestant } from './measurement.ts';
import { type Command, type RunOptions, runPipeline } from './process.ts';

/** Whole processes: a program, or a pipeline of some. */
export function programs(name: string, commands: readonly Command[], options: RunOptions = {}): Contestant {
  return { name, run: () => runPipeline(commands, options) };
}

export function program(name: string, command: Command, options: RunOptions = {}): Contestant {
  return programs(name, [command], options);
}
