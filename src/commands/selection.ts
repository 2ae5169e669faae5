import type { Command } from 'commander';
import * as z from 'zod';
import { splitHosts } from '../analysis/fleet/hosts.ts';
import { UsageError } from '../common/errors.ts';
import { lastDataFile } from '../common/last-file.ts';
import { parseList, parsePattern, parseSeconds } from './values.ts';

/** Flags of every command that reads a data file: which file, and what of it. */
export const selectionFlags = {
  input: z.array(z.string()).optional(),
  entries: z.string().optional(),
  from: z.string().optional(),
  to: z.string().optional(),
  pid: z.string().optional(),
  comm: z.string().optional(),
  host: z.string().optional(),
};

type SelectionFlags = z.infer<z.ZodObject<typeof selectionFlags>>;

/** What they come to. `pick` are numbers of sections, `comm` is the source of a regular expression. */
export interface Selection {
  /** Data files, and folders of them. */
  readonly inputs: readonly string[];
  readonly pick?: readonly number[];
  readonly from?: number;
  readonly to?: number;
  readonly pids?: readonly number[];
  readonly comm?: string;
  /** Names and patterns of names, as filesOfHosts() takes them. */
  readonly hosts?: readonly string[];
}

export function declareInput(command: Command): Command {
  return command.option(
    '-i, --input <file>',
    'the data file, or a folder of them; - is stdin; may be repeated',
    (value, previous: string[] | undefined) => [...(previous ?? []), value],
  );
}

export function declareEntries(command: Command): Command {
  return command.option('-e, --entries <numbers>', 'only these sections, by the numbers of marple display -l');
}

export function declareFilter(command: Command): Command {
  return command
    .option('--from <seconds>', 'from this time since the start')
    .option('--to <seconds>', 'up to this time since the start')
    .option('--pid <pids>', 'only these processes')
    .option('--comm <regex>', 'only processes whose name matches')
    .option('--host <names>', "only these hosts, such as 'web[01-04],db1' or 'web*'");
}

/**
 * What the flags of a command come to; the data file is the last one that was collected where none is named.
 * @throws UsageError (2)
 */
export function parseSelection(name: string, flags: SelectionFlags): Selection {
  const conditions = parseConditions(flags);
  const last = flags.input === undefined ? lastDataFile() : undefined;
  const inputs = flags.input ?? (last === undefined ? [] : [last]);
  if (inputs.length === 0) {
    throw new UsageError(
      'no data has been collected yet',
      `sudo marple collect --stack -t 5, or marple ${name} -i FILE`,
    );
  }
  return { inputs, ...conditions };
}

/**
 * What of the data is looked at.
 * @throws UsageError (2)
 */
export function parseConditions(flags: Omit<SelectionFlags, 'input'>): Omit<Selection, 'inputs'> {
  const [from, to] = [optionalSeconds('--from', flags.from), optionalSeconds('--to', flags.to)];
  if (from !== undefined && to !== undefined && from >= to) {
    throw new UsageError(
      `--from ${from} is not before --to ${to}`,
      'give a range of time, for example: --from 1 --to 2.5',
    );
  }
  return {
    ...defined('pick', flags.entries === undefined ? undefined : parseList('-e', flags.entries)),
    ...defined('from', from),
    ...defined('to', to),
    ...defined('pids', flags.pid === undefined ? undefined : parseList('--pid', flags.pid)),
    ...defined('comm', flags.comm === undefined ? undefined : parsePattern('--comm', flags.comm)),
    ...defined('hosts', flags.host === undefined ? undefined : parseHosts(flags.host)),
  };
}

function parseHosts(text: string): string[] {
  const hosts = splitHosts(text);
  if (hosts.length > 0) return hosts;
  throw new UsageError('--host names no host', "for example: --host 'web[01-04],db1'");
}

function optionalSeconds(flag: string, text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseSeconds(flag, text, 'zero');
}

/** `{key: value}`, or nothing where the value is undefined. */
export function defined<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: V });
}
