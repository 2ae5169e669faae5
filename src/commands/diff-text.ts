import type { Comparison, Method } from '../analysis/diff/compare.ts';
import type { Outcome } from '../analysis/diff/fail-if.ts';
import type { Diff, SectionDiff } from '../analysis/diff.ts';
import { type TableColumn, table, WIDTH } from '../common/table.ts';
import { formatValue, plural, wrap } from '../common/text.ts';

const INDENT = '  ';

/** What the runs of a side are called, and whether each is of another host. */
export interface DiffSide {
  readonly names: readonly string[];
  readonly hosts: boolean;
}

/** Runs before and after, for a person: lines of at most 100 characters. */
export function diffText(
  diff: Diff,
  { before, after }: { readonly before: DiffSide; readonly after: DiffSide },
  outcomes: readonly Outcome[],
): string {
  const head = [
    `before: ${sideText(before)}`,
    `after:  ${sideText(after)}`,
    ...wrap(methodText(diff.method), WIDTH),
  ].join('\n');
  // Samples are told by their stacks.
  const isTold = ({ key, datatype }: SectionDiff): boolean =>
    datatype !== 'event' || !diff.sections.some((other) => other.key === key && other.datatype === 'stack');
  const sections = diff.sections
    .filter(isTold)
    .map((section) => sectionText(section, diff.method))
    .filter((text) => text !== '');
  return [head, ...sections, ...(outcomes.length === 0 ? [] : [outcomes.map(outcomeText).join('\n')])].join('\n\n');
}

function sideText({ names, hosts }: DiffSide): string {
  return names.length === 1 ? names[0]! : `${plural(names.length, hosts ? 'host' : 'run')}, ${names.join(', ')}`;
}

export function methodText({ over, confidence, resamples, seed }: Method): string {
  const what =
    over === 'runs'
      ? 'over the runs, widened as few runs need it'
      : 'over the records of each run: how much runs differ from each other is not in it (3 runs or more on each side tell that)';
  return `${confidence} % intervals by bootstrap ${what}; ${plural(resamples, 'resample')}, seed ${seed}. A shift is called noise where its interval includes 0.`;
}

function sectionText(section: SectionDiff, method: Method): string {
  return sectionTables(section, method)
    .map(({ titles, rows }) => {
      const columns = titles.map((title, i): TableColumn => ({ title, ...COLUMNS[i] }));
      const [first = '', ...rest] = table(columns, rows, { indent: INDENT });
      return [first.slice(INDENT.length), ...rest].join('\n');
    })
    .join('\n\n');
}

const COLUMNS: readonly Partial<TableColumn>[] = [
  { shrinks: true },
  { align: 'right' },
  { align: 'right' },
  {},
  { align: 'right' },
  { align: 'right' },
  {},
];

export interface DiffTable {
  readonly titles: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** What is told of a section to a person: of it as a whole, of its processes and its functions. */
export function sectionTables(section: SectionDiff, method: Method): DiffTable[] {
  const { key, datatype, all, groups } = section;
  const shown = all.filter(({ name }) => !UNTOLD.test(nameIn(key, name)));
  const ofProcesses = groups.filter(({ name }) => !/^\[[^\]]*=/.test(nameIn(key, name)));
  const told = (ofProcesses.length > 0 ? ofProcesses : groups).filter(({ name }) => TOLD_OF_GROUPS.test(name));
  const of = (title: string, comparisons: readonly Comparison[]): DiffTable[] => {
    const rows = comparisons.filter(({ before, after }) => !isNothing(before) || !isNothing(after));
    if (rows.length === 0) return [];
    const titles = [title, 'before', 'after', 'unit', 'shift', `${method.confidence} %`, ''];
    return [{ titles, rows: rows.map((row) => [nameIn(key, row.name), ...cells(row)]) }];
  };
  return [
    ...of(`${key} (${datatype})`, shown),
    ...of(ofProcesses.length > 0 ? `${key} by process` : `${key} by what else is told`, told),
    ...of(`${key}: functions by self`, section.by_self),
    ...of(`${key}: functions by total`, section.by_total),
  ];
}

/** What --json has and a person can do without. */
const UNTOLD = /(^|\.)(min|sum)$|^(?!runqueue).+\.(count|weight|bytes)$/;
/** What is told of each process; of its scheduling events CPU time and delays, not their number. */
const TOLD_OF_GROUPS = /\.(total|cpu|switches|p50|p99|mean|max|last|slope|bytes)$/;

function isNothing(value: number | null): boolean {
  return value === null || value === 0;
}

/** The section's name is above. */
function nameIn(key: string, name: string): string {
  return name.slice(key.length).replace(/^\./, '');
}

const MIB = 2 ** 20;

function cells(comparison: Comparison): string[] {
  const { before, after, unit, interval, ratio, verdict } = comparison;
  const scale = unit === 'bytes' ? MIB : unit === 'ns' ? 1e9 : 1;
  const value = (of: number | null): string => (of === null ? '-' : formatValue(of / scale));
  return [
    value(before),
    value(after),
    unit === 'bytes' ? 'MiB' : unit === 'ns' ? 's' : unit,
    shiftText(comparison, scale),
    interval === null
      ? '-'
      : interval.ratio_low !== null && interval.ratio_high !== null && ratio !== null
        ? `${percent(interval.ratio_low)} .. ${percent(interval.ratio_high)}`
        : `${signed(interval.low / scale)} .. ${signed(interval.high / scale)}`,
    verdict === 'unknown' ? '' : verdict,
  ];
}

function shiftText({ before, after, difference, ratio }: Comparison, scale: number): string {
  if (difference === null) return '-';
  if (difference === 0) return '0';
  if (ratio !== null) return after === 0 ? 'gone' : percent(ratio);
  return before === 0 ? 'new' : signed(difference / scale);
}

function signed(value: number): string {
  return value > 0 ? `+${formatValue(value)}` : formatValue(value);
}

/** 1.2 is +20 %. */
function percent(ratio: number): string {
  if (ratio >= 10) return `${formatValue(ratio)}x`;
  const shift = 100 * (ratio - 1);
  const text = Math.abs(shift) < 10 ? shift.toFixed(1) : shift.toFixed(0);
  return /^-?0(\.0)?$/.test(text) ? '0 %' : `${shift > 0 ? '+' : ''}${text} %`;
}

function outcomeText({ text, holds, found, comparison }: Outcome): string {
  const value = /x$/.test(text.trim()) ? `${formatValue(found)}x` : `${formatValue(found)} ${comparison.unit}`.trim();
  const noise = comparison.verdict === 'noise' ? ' (the shift may be noise)' : '';
  return `${holds ? 'FAIL' : 'ok  '} ${text}: it is ${value}${noise}`;
}
