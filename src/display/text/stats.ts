import type { Finding } from '../../analysis/finding.ts';
import { hostMetrics } from '../../analysis/fleet/outliers.ts';
import type { ConnectionStats } from '../../analysis/stats/connections.ts';
import type { EventStats, EventTotals } from '../../analysis/stats/events.ts';
import type { ProcessName } from '../../analysis/stats/groups.ts';
import type { PointStats } from '../../analysis/stats/points.ts';
import type { SchedulingStats, Wait } from '../../analysis/stats/scheduling.ts';
import type { FunctionWeight, RamStats, Share, StackStats } from '../../analysis/stats/stacks.ts';
import type { Summary } from '../../analysis/stats/summary.ts';
import type { Trend, TrendStats } from '../../analysis/stats/trends.ts';
import type { SectionStats } from '../../analysis/stats.ts';
import { terminalSafe } from '../../common/output.ts';
import { type TableColumn, table, WIDTH } from '../../common/table.ts';
import { formatCount, formatShare, formatValue, plural, shorten, wrap } from '../../common/text.ts';

const INDENT = '  ';
const MIB = 2 ** 20;

export interface FileSectionStats extends SectionStats {
  /** The data file that it is of. */
  readonly file: string;
  /** Null where the file does not say. */
  readonly host: string | null;
}

/** The numbers of a file, or of files of several hosts that belong together. */
export interface SetStats {
  readonly path: string;
  /** Of single files. */
  readonly sections: readonly FileSectionStats[];
  /** Where there are several hosts: these, and the numbers of all of them together. */
  readonly hosts?: readonly string[];
  readonly all?: readonly FileSectionStats[];
}

/**
 * Data files in numbers, for a person: the most important first, lines of at most `width` characters where numbers leave the room.
 * @param perHost whether the numbers of each host are given too.
 */
export function statsText(
  sets: readonly SetStats[],
  findings: readonly Finding[],
  perHost = false,
  width = WIDTH,
): string {
  const isOne = sets.length === 1 && sets[0]!.hosts === undefined;
  const blocks = sets.flatMap((set) => [
    ...(isOne
      ? []
      : [
          `${terminalSafe(set.path)}:${set.hosts === undefined ? '' : ` ${plural(set.hosts.length, 'host')} together`}`,
        ]),
    ...setBlocks(set, perHost, width),
  ]);
  return [...(findings.length === 0 ? [] : [findingsText(findings, width).join('\n')]), ...blocks].join('\n\n');
}

function setBlocks({ sections, hosts, all }: SetStats, perHost: boolean, width: number): string[] {
  if (hosts === undefined || all === undefined) return sections.length === 0 ? [] : [numbersText(sections, width)];
  const table = hostTable(sections);
  return [
    numbersText(all, width),
    ...(table.length === 0 ? [] : [table.flatMap((own) => blockLines(own, width)).join('\n')]),
    ...(perHost
      ? hosts.flatMap((host) => [
          `${terminalSafe(host)}:`,
          numbersText(
            sections.filter((stats) => stats.host === host),
            width,
          ),
        ])
      : []),
  ];
}

/** A table for each number in which hosts can be compared, a row for each host. */
function hostTable(sections: readonly FileSectionStats[]): Block[] {
  const columns = new Map<string, { title: string; values: Map<string, string> }>();
  const hosts = new Set<string>();
  for (const stats of sections) {
    for (const { key, what, unit, value } of hostMetrics(stats)) {
      const host = stats.host ?? stats.file;
      hosts.add(host);
      let column = columns.get(key);
      if (column === undefined) {
        column = { title: `${what}${unit === '' ? '' : ` (${unit})`}`, values: new Map() };
        columns.set(key, column);
      }
      if (!column.values.has(host)) column.values.set(host, formatValue(value));
    }
  }
  if (columns.size === 0) return [];
  const names = [...columns.values()];
  return [
    {
      columns: [{ title: 'by host' }, ...names.map((_, i): TableColumn => ({ title: `(${i + 1})`, align: 'right' }))],
      rows: [...hosts].map((host) => [host, ...names.map(({ values }) => values.get(host) ?? '-')]),
    },
    { sentences: names.map(({ title }, i) => `(${i + 1}) ${title}`) },
  ];
}

/** The sections of a file in numbers. What is to be known of an interface is said once. */
export function numbersText(sections: readonly SectionStats[], width: number): string {
  const said = new Set<string>();
  return sections
    .map((stats) => {
      const fresh = stats.notes.filter((note) => !said.has(`${stats.interface} ${note}`));
      for (const note of fresh) said.add(`${stats.interface} ${note}`);
      return sectionText({ ...stats, notes: fresh }, width);
    })
    .join('\n\n');
}

/** What stands out, in lines. */
export function findingsText(findings: readonly Finding[], width: number): string[] {
  if (findings.length === 0) return ['Nothing stands out.'];
  const lines = findings.flatMap(({ kind, section, interface: name, sentence }) =>
    wrap(`${sentence} (${section} ${name})`, width - 4).map(
      (line, i) => `${INDENT}${i > 0 ? '  ' : kind === 'warning' ? '! ' : '- '}${line}`,
    ),
  );
  return ['Findings', ...lines];
}

function sectionText(stats: SectionStats, width: number): string {
  const blocks = [
    ...(stats.points === undefined ? [] : pointBlocks(stats.points)),
    ...(stats.trends === undefined ? [] : trendBlocks(stats.trends)),
    ...(stats.stacks === undefined ? [] : stackBlocks(stats.stacks)),
    ...(stats.ram === undefined ? [] : ramBlocks(stats.ram)),
    ...(stats.scheduling === undefined ? [] : schedulingBlocks(stats.scheduling)),
    ...(stats.connections === undefined ? [] : connectionBlocks(stats.connections)),
    ...(stats.events === undefined
      ? []
      : eventBlocks(stats.events, stats.seconds).slice(0, stats.scheduling === undefined ? undefined : 1)),
  ];
  const notes = stats.notes.flatMap((note) =>
    wrap(note, width - 4).map((line, i) => `${INDENT}${i === 0 ? '! ' : '  '}${line}`),
  );
  const first = [shorten(heading(stats), width), ...notes];
  return [first, ...blocks.map((block) => blockLines(block, width))].map((lines) => lines.join('\n')).join('\n\n');
}

/** Lines that belong together: sentences, or a table under a line that says what it shows. */
type Block =
  | { readonly sentences: readonly string[] }
  | { readonly columns: readonly TableColumn[]; readonly rows: readonly (readonly string[])[] };

function blockLines(block: Block, width: number): string[] {
  if ('rows' in block) return table(block.columns, block.rows, { indent: INDENT, width });
  return block.sentences.flatMap((sentence) => wrap(sentence, width - INDENT.length).map((line) => INDENT + line));
}

// 3  disklat: 5,021 datapoints in 5.0 s, 1,004 a second, by ftrace 6.18
function heading({
  section,
  interface: name,
  datatype,
  records,
  seconds,
  rate,
  lost,
  skipped,
  tool,
}: SectionStats): string {
  const what = datatype === 'stack' ? plural(records, 'different stack') : plural(records, datatype);
  return [
    `${section}  ${name}: ${what}${seconds === null ? '' : ` in ${formatValue(seconds)} s`}`,
    ...(rate === null ? [] : [`${formatValue(rate)} a second`]),
    ...(lost === 0 ? [] : [`${formatCount(lost)} lost`]),
    ...(skipped === 0 ? [] : [`${formatCount(skipped)} skipped`]),
    ...(tool === null ? [] : [`by ${tool}`]),
  ].join(', ');
}

/** A table; none where there are no rows. */
function block(title: string, columns: readonly TableColumn[], rows: readonly (readonly string[])[]): Block[] {
  return rows.length === 0 ? [] : [{ columns: [{ title, shrinks: true }, ...columns], rows }];
}

function right(...titles: readonly string[]): TableColumn[] {
  return titles.map((title) => ({ title, align: 'right' }));
}

function processName({ comm, pid, processes }: ProcessName): string {
  const name = comm === '' ? '(no name)' : comm;
  if (pid !== null) return `${name} (${pid})`;
  return processes > 1 ? `${name} ×${processes}` : name;
}

function orDash(value: number | null, format: (value: number) => string = formatValue): string {
  return value === null ? '-' : format(value);
}

const SUMMARY = right('count', 'min', 'mean', 'p50', 'p90', 'p99', 'p99.9', 'max', 'sum');

function summaryCells({ count, min, mean, p50, p90, p99, p999, max, sum }: Summary): string[] {
  return [formatCount(count), ...[min, mean, p50, p90, p99, p999, max].map((value) => orDash(value)), formatValue(sum)];
}

function pointBlocks({ label, unit, all, processes, by }: PointStats): Block[] {
  const title = unit === '' ? label : `${label} (${unit})`;
  return [
    ...block(title, SUMMARY, [['all', ...summaryCells(all)]]),
    ...block(
      'by process',
      SUMMARY,
      processes.map((group) => [processName(group), ...summaryCells(group)]),
    ),
    ...by.flatMap(({ field, groups }) =>
      block(
        `by ${field}`,
        SUMMARY,
        groups.map((group) => [group.name, ...summaryCells(group)]),
      ),
    ),
  ];
}

function trendBlocks({ label, unit, all, processes, growing }: TrendStats): Block[] {
  const columns = right('samples', 'first', 'last', 'max', `${unit}/s`);
  const cells = ({ samples, first, last, max, slope }: Trend): string[] => [
    formatCount(samples),
    ...[first, last, max].map((value) => orDash(value)),
    orDash(slope, (value) => (value > 0 ? `+${formatValue(value)}` : formatValue(value))),
  ];
  const rows = (trends: TrendStats['processes']) => trends.map((trend) => [processName(trend), ...cells(trend)]);
  return [
    ...block(`${label} (${unit})`, columns, [['all', ...cells(all)]]),
    ...block('by process, largest first', columns, rows(processes)),
    ...block('fastest growing', columns, rows(growing)),
  ];
}

/** Nanoseconds and bytes are too long to read. */
function readable(unit: string): { readonly unit: string; readonly format: (weight: number) => string } {
  if (unit === 'ns') return { unit: 's', format: (weight) => formatValue(weight / 1e9) };
  if (unit === 'bytes') return { unit: 'MiB', format: (weight) => formatValue(weight / MIB) };
  return { unit, format: formatCount };
}

function stackBlocks({ label, total, idle, unique, broken, ...lists }: StackStats): Block[] {
  const { unit, format } = readable(lists.unit);
  const share = (weight: number) => formatShare(weight, total);
  const summary = [
    `${format(total)} ${unit} in ${plural(unique, 'different stack')}` +
      (idle > 0 ? `, and ${format(idle)} idle (${formatShare(idle, idle + total)} of all)` : ''),
    ...(broken.unique === 0
      ? []
      : [`${share(broken.weight)} in ${plural(broken.unique, 'stack')} that look broken: callers are missing`]),
  ];
  const functions = (title: string, entries: readonly FunctionWeight[]) =>
    block(
      title,
      right('self', '%', 'total', '%'),
      entries.map(({ name, self, total: whole }) => [name, format(self), share(self), format(whole), share(whole)]),
    );
  const shares = (title: string, entries: readonly Share[]) =>
    block(
      title,
      right(label === unit ? unit : `${label} (${unit})`, '%'),
      entries.map(({ name, weight }) => [name, format(weight), share(weight)]),
    );
  return [
    { sentences: summary },
    ...shares('by reason', lists.reasons),
    ...functions('functions by self', lists.by_self),
    ...functions('functions by total', lists.by_total),
    ...shares('by process', lists.processes),
  ];
}

function ramBlocks({ total, zones, uses, processes }: RamStats): Block[] {
  const cells = ({ weight }: Share): string[] => [formatValue(weight / MIB), formatShare(weight, total)];
  const columns = right('MiB', '%');
  return [
    ...block('RAM', columns, [
      ['all', ...cells({ name: '', weight: total })],
      ...zones.map((zone) => [zone.name, ...cells(zone)]),
    ]),
    ...block(
      'by use',
      [{ title: 'zone' }, ...columns],
      uses.map((use) => [use.name, use.zone, ...cells(use)]),
    ),
    ...block(
      'by process',
      columns,
      processes.map((process) => [process.name, ...cells(process)]),
    ),
  ];
}

function schedulingBlocks(stats: SchedulingStats): Block[] {
  const { from, to, cpus, latency, waits, processes, missed } = stats;
  const window = to - from;
  const seconds = (value: number) => formatValue(value);
  const hasOther = cpus.some(({ other }) => other > 0);
  const hasUnknown = cpus.some(({ unknown }) => unknown > 0);
  const inWords =
    `times are out of ${formatValue(window)} s` +
    (missed === 0
      ? ''
      : `; ${plural(missed, 'time')} another task left a CPU than had come there: a switch between them is missing`);
  return [
    { sentences: [inWords] },
    ...block(
      'by process',
      right('CPU s', '% CPU', 'switches', 'preempted', 'latency ms p50', 'p99', 'max'),
      processes.map((process) => [
        processName(process),
        seconds(process.cpu_seconds),
        formatShare(process.cpu_seconds, window),
        formatCount(process.switches),
        formatCount(process.preempted),
        ...[process.latency.p50, process.latency.p99, process.latency.max].map((value) => orDash(value)),
      ]),
    ),
    ...block(
      'by CPU',
      right(
        'busy %',
        'busy s',
        'idle s',
        ...(hasOther ? ['other s'] : []),
        ...(hasUnknown ? ['unknown s'] : []),
        'switches',
      ),
      cpus.map(({ cpu, host, busy, idle, other, unknown, switches }) => [
        host === undefined ? `CPU ${cpu}` : `${host} CPU ${cpu}`,
        formatShare(busy, window),
        seconds(busy),
        seconds(idle),
        ...(hasOther ? [seconds(other)] : []),
        ...(hasUnknown ? [seconds(unknown)] : []),
        formatCount(switches),
      ]),
    ),
    ...block('run-queue latency (ms)', SUMMARY, [['all', ...summaryCells(latency)]]),
    ...block('off the CPU by reason', right('s'), waitRows(waits, seconds)),
    ...block(
      'off the CPU by process',
      [{ title: 'seconds by reason' }],
      processes
        .filter((process) => process.waits.length > 0)
        .map((process) => [
          processName(process),
          process.waits
            .slice(0, 4)
            .map(({ reason, seconds: time }) => `${reason} ${formatValue(time)}`)
            .join(', '),
        ]),
    ),
  ];
}

function waitRows(waits: readonly Wait[], format: (seconds: number) => string): string[][] {
  return waits.map(({ reason, seconds }) => [reason, format(seconds)]);
}

function connectionBlocks({ opened, closed, pairs }: ConnectionStats): Block[] {
  const bytes = (value: number | null) => orDash(value, formatCount);
  return [
    { sentences: [`${plural(opened, 'connection')} opened, ${formatCount(closed)} closed`] },
    ...block(
      'client',
      [{ title: 'server', shrinks: true }, ...right('port', 'opened', 'closed', 'bytes to server', 'to client')],
      pairs.map(({ client, server, ...pair }) => [
        peerName(client),
        peerName(server),
        server.port === null ? '-' : String(server.port),
        formatCount(pair.opened),
        formatCount(pair.closed),
        bytes(pair.bytes_to_server),
        bytes(pair.bytes_to_client),
      ]),
    ),
  ];
}

function peerName({ comm, pid }: { readonly comm: string; readonly pid: number | null }): string {
  const name = comm === '' ? '(unknown)' : comm;
  return pid === null ? name : `${name} (${pid})`;
}

function eventBlocks({ all, types, processes, by }: EventStats, seconds: number | null): Block[] {
  const amounts = (['weight', 'bytes'] as const).filter((amount) => all[amount] !== null);
  const columns = right('events', ...(seconds === null ? [] : ['a second']), ...amounts);
  const cells = (totals: EventTotals): string[] => [
    formatCount(totals.count),
    ...(seconds === null ? [] : [formatValue(totals.count / seconds)]),
    ...amounts.map((amount) => formatCount(totals[amount] ?? 0)),
  ];
  return [
    ...block(
      'by type',
      columns,
      types.map((group) => [group.type, ...cells(group)]),
    ),
    ...block(
      'by process',
      columns,
      processes.map((group) => [processName(group), ...cells(group)]),
    ),
    ...by.flatMap(({ field, groups }) =>
      block(
        `by ${field}`,
        columns,
        groups.map((group) => [group.name, ...cells(group)]),
      ),
    ),
  ];
}
