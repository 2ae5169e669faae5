import type { Command } from 'commander';
import { z } from 'zod';
import { UsageError } from '../common/errors.ts';
import { parseList, parsePattern, parseSeconds } from './values.ts';

/** Flags of every command that reads a data file: which file, and what of it. */
export const selectionFlags = {
  input: z.array(z.string()).optional(),
  entries: z.string().optional(),
  from: z.string().optional(),
  to: z.string().optional(),
  pid: z.string().optional(),
  comm: z.string().optional(),
};

type SelectionFlags = z.infer<z.ZodObject<typeof selectionFlags>>;

/** What they come to. `pick` are numbers of sections, `comm` is the source of a regular expression. */
export interface Selection {
  readonly input?: string;
  readonly pick?: readonly number[];
  readonly from?: number;
  readonly to?: number;
  readonly pids?: readonly number[];
  readonly comm?: string;
}

export function declareInput(command: Command): Command {
  return command.option('-i, --input <file>', 'the data file; - is stdin', (value, previous: string[] | undefined) => [
    ...(previous ?? []),
    value,
  ]);
}

export function declareEntries(command: Command): Command {
  return command.option('-e, --entries <numbers>', 'only these sections, by the numbers of marple display -l');
}

export function declareFilter(command: Command): Command {
  return command
    .option('--from <seconds>', 'from this time since the start')
    .option('--to <seconds>', 'up to this time since the start')
    .option('--pid <pids>', 'only these processes')
    .option('--comm <regex>', 'only processes whose name matches');
}

/** @throws UsageError (2) */
export function parseSelection(name: string, flags: SelectionFlags): Selection {
  const [from, to] = [optionalSeconds('--from', flags.from), optionalSeconds('--to', flags.to)];
  if (from !== undefined && to !== undefined && from >= to) {
    throw new UsageError(
      `--from ${from} is not before --to ${to}`,
      'give a range of time, for example: --from 1 --to 2.5',
    );
  }
  if ((flags.input?.length ?? 0) > 1) throw new UsageError('one data file at a time', `marple ${name} -i FILE`);
  return {
    ...defined('input', flags.input?.[0]),
    ...defined('pick', flags.entries === undefined ? undefined : parseList('-e', flags.entries)),
    ...defined('from', from),
    ...defined('to', to),
    ...defined('pids', flags.pid === undefined ? undefined : parseList('--pid', flags.pid)),
    ...defined('comm', flags.comm === undefined ? undefined : parsePattern('--comm', flags.comm)),
  };
}

function optionalSeconds(flag: string, text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseSeconds(flag, text, 'zero');
}

/** `{key: value}`, or nothing where the value is undefined. */
export function defined<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: V });
}
