import type { Example } from '../context.ts';

/** What belongs to no command alone: for the help of `marple`, and for every page of its manual. */

export const QUICK_START: readonly Example[] = [
  ['sudo marple collect --stack --disk --mem -t 5', 'record call stacks, disk and memory of the whole machine'],
  ['marple display', 'show what was just recorded'],
  ['marple doctor', 'see which tools work on this machine'],
];

type Fact = readonly [term: string, meaning: string];

export const EXIT_STATUS: readonly Fact[] = [
  ['0', 'all well'],
  ['1', 'the condition of diff --fail-if holds'],
  ['2', 'wrong usage or settings, or a file that is missing, there already or not to be written'],
  ['3', 'some interfaces (or hosts of --on) failed; the others are in the file'],
  ['4', 'every interface (or host) failed'],
  ['65', 'the data file is damaged, is none, or of a newer version'],
  ['69', 'the tools or permissions for all that was asked are missing'],
  ['70', 'a bug of MARPLE'],
  ['127', 'the command behind -- was not found; a command that ran gives its own status'],
  ['130, 143, 129', 'interrupted by Ctrl-C, SIGTERM or SIGHUP: what had been collected is in the file'],
];

export const FILES: readonly Fact[] = [
  ['./marple_out/', 'data files for which -o named no place'],
  ['~/.config/marple/config.txt', 'your own settings; marple config lists them all'],
  ['~/.local/state/marple/', 'what is remembered between runs, and the log, marple.log'],
];

export const ENVIRONMENT: readonly Fact[] = [
  ['XDG_CONFIG_HOME, XDG_STATE_HOME', 'other places for ~/.config and ~/.local/state'],
  ['NO_COLOR', 'where it is set and not empty, nothing is coloured'],
  ['COLUMNS, LINES', 'the size that text is laid out for'],
  ['MARPLE_TOOL_PATH', 'folders in which tools are looked for before those of the system'],
  ['TMPDIR', 'where temporary files go, which are removed at the end'],
];
