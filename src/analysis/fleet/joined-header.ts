import type { SectionHeader } from '../../common/header.ts';
import { pidKey } from '../../common/host-keys.ts';
import type { SectionReader } from '../../common/reader.ts';
import { TASKS_IN_SCOPE } from '../../common/scope.ts';
import { plural, visible } from '../../common/text.ts';
import { isSampled } from './aligned.ts';
import { hostNames } from './fleet.ts';
import { HOST_FIELD } from './merge.ts';

/** Of levels that each host sampled at its own times. */
const ALIGNED = 'samples are moved to times that all hosts have, so that they add up; at the ends some are left out';

/** The header of one host's section. */
interface HostHeader {
  /** Its place among the hosts. */
  readonly host: number;
  readonly header: SectionHeader;
}

/** Sections of different hosts with the same of this hold the same: fields, units, and whether they stand in for something. */
export function layoutOf(sections: readonly SectionReader[]): string {
  return JSON.stringify(
    sections.map(({ header: { interface: name, datatype, x, y, weight, fields, substitute, scope, summary } }) => [
      name,
      datatype,
      [x, y, weight].map((axis) => [axis?.label, axis?.unit]),
      fields ?? null,
      substitute?.for ?? null,
      summary?.counted ?? null,
      // Of which tasks every switch is there: what follows tasks has to know.
      scope?.['system_wide'] !== false,
    ]),
  );
}

/**
 * The header of a section of several hosts. What was lost is added up; a sentence about some hosts alone names them.
 * @param hosts all hosts, whether they are in this section or not. @param isKeyed see host-keys.ts.
 */
export function joinedHeader(all: readonly HostHeader[], hosts: readonly string[], isKeyed: boolean): SectionHeader {
  const headers = all.map(({ header }) => header);
  const [first] = headers as [SectionHeader];
  const cut = all.filter(({ header }) => header.end === null);
  const ends = headers.flatMap(({ end }) => (end === null ? [] : [end]));
  const sum = (key: 'lost' | 'skipped' | 'cpus'): number | undefined => {
    const values = headers.flatMap((header) => header[key] ?? []);
    return values.length === 0 ? undefined : values.reduce((total, value) => total + value, 0);
  };
  const same = <K extends keyof SectionHeader>(key: K): SectionHeader[K] | undefined => {
    const text = JSON.stringify(first[key]);
    return headers.every((header) => JSON.stringify(header[key]) === text) ? first[key] : undefined;
  };
  const sentences = (key: 'warnings' | 'notes'): string[] => {
    const said = new Map<string, string[]>();
    for (const { host, header } of all) {
      for (const sentence of new Set(header[key])) said.set(sentence, [...(said.get(sentence) ?? []), hosts[host]!]);
    }
    return [...said].map(([sentence, of]) => (of.length === all.length ? sentence : `${hostNames(of)}: ${sentence}`));
  };
  const tool = same('tool') ?? commonTool(headers);
  const missing = hosts.filter((_, place) => !all.some(({ host }) => host === place));
  const notes = [
    ...sentences('notes'),
    ...(isKeyed && isSampled(first) ? [ALIGNED] : []),
    ...(missing.length > 0 && missing.length < hosts.length
      ? [`of ${all.length} of ${plural(hosts.length, 'host')}: ${hostNames(all.map(({ host }) => hosts[host]!))}`]
      : []),
    ...(same('tool') === undefined ? toolNotes(all, hosts) : []),
  ];
  const warnings = [
    ...sentences('warnings'),
    ...(cut.length > 0 ? [`the collection was cut off on ${hostNames(cut.map(({ host }) => hosts[host]!))}`] : []),
  ];
  const counts = headers.map(({ records }) => records);
  const { kernel, options, scope } = {
    kernel: same('kernel'),
    options: joinedOptions(all, isKeyed),
    scope: joinedScope(all, isKeyed),
  };
  return {
    marple: first.marple,
    interface: first.interface,
    datatype: first.datatype,
    start: headers.map(({ start }) => start).toSorted()[0]!,
    end: ends.length === 0 ? null : ends.toSorted().at(-1)!,
    ...optional('clock', first.clock),
    records: counts.every((count) => typeof count === 'number') ? counts.reduce((a, b) => a + b, 0) : null,
    bytes: null,
    ...optional('x', first.x),
    ...optional('y', first.y),
    ...optional('weight', first.weight),
    ...(first.datatype === 'stack'
      ? {}
      : { fields: [...(first.fields ?? (first.datatype === 'datapoint' ? ['info'] : [])), HOST_FIELD] }),
    ...optional('links', first.links),
    hosts: [...hosts],
    ...optional('kernel', kernel),
    ...optional('cpus', sum('cpus')),
    ...optional('tool', tool),
    ...optional('substitute', first.substitute),
    ...optional('options', options),
    ...optional('scope', scope),
    ...optional('summary', joinedSummary(headers)),
    ...optional('lost', sum('lost')),
    ...optional('skipped', sum('skipped')),
    ...(warnings.length > 0 ? { warnings } : {}),
    ...(notes.length > 0 ? { notes } : {}),
  };
}

function optional<K extends keyof SectionHeader>(
  key: K,
  value: SectionHeader[K] | undefined,
): Partial<Record<K, SectionHeader[K]>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, SectionHeader[K]>);
}

function joinedSummary(headers: readonly SectionHeader[]): SectionHeader['summary'] {
  const all = headers.flatMap(({ summary }) => (summary === undefined ? [] : [summary]));
  const [first] = all;
  if (first === undefined) return undefined;
  const sum = (key: 'of' | 'hosts'): number => all.reduce((total, own) => total + own[key], 0);
  return { ...first, of: sum('of'), hosts: sum('hosts') };
}

type Tool = NonNullable<SectionHeader['tool']>;

function toolName({ name, version }: Tool): string {
  return visible(`${name} ${version}`.trim());
}

/** The tool with its command, or without where the hosts had different ones of one name; undefined where the tools differ. */
function commonTool(headers: readonly SectionHeader[]): Tool | undefined {
  const tools = headers.flatMap(({ tool }) => (tool === undefined ? [] : [tool]));
  const names = new Set(tools.map(({ name }) => name));
  const [first] = tools;
  if (first === undefined || names.size > 1 || tools.length < headers.length) return undefined;
  const versions = new Set(tools.map(({ version }) => version));
  return { name: first.name, version: versions.size === 1 ? first.version : '', command: first.command };
}

/** Which host had which tool, where that differs. */
function toolNotes(all: readonly HostHeader[], hosts: readonly string[]): string[] {
  const byTool = new Map<string, string[]>();
  for (const { host, header } of all) {
    const name = header.tool === undefined ? 'no tool that is known' : toolName(header.tool);
    byTool.set(name, [...(byTool.get(name) ?? []), hosts[host]!]);
  }
  if (byTool.size < 2) return [];
  const parts = [...byTool].sort(([, a], [, b]) => b.length - a.length);
  return [`hosts had different tools: ${parts.map(([tool, of]) => `${tool} on ${hostNames(of)}`).join('; ')}`];
}

/** Options that all hosts have alike. The tasks in scope are those of all. */
function joinedOptions(all: readonly HostHeader[], isKeyed: boolean): SectionHeader['options'] {
  const [first] = all as [HostHeader];
  const options: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(first.header.options ?? {})) {
    if (name === TASKS_IN_SCOPE) continue;
    const text = JSON.stringify(value);
    if (all.every(({ header }) => JSON.stringify(header.options?.[name]) === text)) options[name] = value;
  }
  const ranges = all.map(({ host, header }) => {
    const own = header.options?.[TASKS_IN_SCOPE];
    return typeof own === 'string' ? keyedRanges(own, isKeyed ? host : 0) : undefined;
  });
  if (ranges.every((range) => range !== undefined))
    options[TASKS_IN_SCOPE] = ranges.filter((own) => own !== '').join(',');
  return Object.keys(options).length === 0 ? undefined : options;
}

function keyedRanges(text: string, host: number): string {
  if (host === 0) return text;
  // The idle task is that of the first host, and has no number here.
  const tasks = text.replace(/^0(?=,|$),?/, '').replace(/^0-/, '1-');
  return tasks.replace(/\d+/g, (number) => String(pidKey(host, Number(number))));
}

function joinedScope(all: readonly HostHeader[], isKeyed: boolean): SectionHeader['scope'] {
  const [first] = all as [HostHeader];
  const { scope } = first.header;
  if (scope === undefined) return undefined;
  const pids = all.flatMap(({ host, header }) => {
    const own: unknown = header.scope?.['pids'];
    return Array.isArray(own) ? own.map((pid) => (isKeyed ? pidKey(host, Number(pid)) : Number(pid))) : [];
  });
  const { pids: _, ...rest } = scope;
  return { ...rest, ...(pids.length > 0 ? { pids } : {}) };
}
