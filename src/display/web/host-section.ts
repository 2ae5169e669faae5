import { isScheduling } from '../../analysis/scheduling.ts';
import { hostOfPid } from '../../common/host-keys.ts';
import type { TaskSpans } from '../shape/task-spans.ts';
import type { Column, Section } from './model.ts';
import { taskSpansOf } from './task-spans.ts';

/** By section: what of it is of each host, once it was asked for. */
const known = new WeakMap<Section, readonly Section[]>();

/** The records of a section of several hosts, host by host: looked through once, and not once for each host. */
export function sectionsOfHosts(section: Section): readonly Section[] {
  let own = known.get(section);
  if (own === undefined) {
    own = split(section);
    known.set(section, own);
  }
  return own;
}

function split(section: Section): Section[] {
  const hosts = section.header.hosts ?? [];
  const rows = rowsByHost(section, hosts);
  const spans = isScheduling(section.header) ? spansByHost(taskSpansOf(section), hosts.length) : undefined;
  return hosts.map((_, host): Section => {
    const own = rows[host]!;
    return Object.create(section, {
      columns: { value: new HostColumns(section, own) },
      records: { value: section.rows === 0 ? 0 : Math.round((section.records * own.length) / section.rows) },
      ...(spans === undefined ? {} : { spans: { value: spans[host] } }),
    }) as Section;
  });
}

/** The rows of each host. The values of its column are places among texts, which need not be in the order of the hosts. */
function rowsByHost({ columns, rows }: Section, hosts: readonly string[]): Int32Array[] {
  const column = columns.get('host');
  if (column?.texts === undefined) return hosts.map(() => new Int32Array(0));
  const places = column.texts.map((text) => hosts.indexOf(text));
  const counts = hosts.map(() => 0);
  for (let row = 0; row < rows; row++) counts[places[column.values[row]!]!]!++;
  const found = counts.map((count) => new Int32Array(count));
  const next = hosts.map(() => 0);
  for (let row = 0; row < rows; row++) {
    const host = places[column.values[row]!]!;
    found[host]![next[host]!++] = row;
  }
  return found;
}

/** Some rows of the columns of a section, each taken when it is asked for. */
class HostColumns extends Map<string, Column> {
  constructor(
    readonly section: Section,
    readonly rows: Int32Array,
  ) {
    super();
  }

  override has(name: string): boolean {
    return this.section.columns.has(name);
  }

  override get(name: string): Column | undefined {
    const made = super.get(name);
    const whole = this.section.columns.get(name);
    if (made !== undefined || whole === undefined) return made;
    const values = new Float64Array(this.rows.length);
    for (let i = 0; i < values.length; i++) values[i] = whole.values[this.rows[i]!]!;
    const column = { ...whole, values };
    this.set(name, column);
    return column;
  }
}

function spansByHost(spans: TaskSpans, hosts: number): TaskSpans[] {
  const places = spans.tasks.map(({ pid }) => hostOfPid(pid));
  const found: number[][] = Array.from({ length: hosts }, () => []);
  for (let span = 0; span < spans.task.length; span++) found[places[spans.task[span]!]!]?.push(span);
  return found.map((own) => {
    const cpu = Int32Array.from(own, (span) => spans.cpu[span]!);
    return {
      ...spans,
      cpus: new Set(cpu.filter((each) => each >= 0)).size,
      start: Float64Array.from(own, (span) => spans.start[span]!),
      end: Float64Array.from(own, (span) => spans.end[span]!),
      doing: Uint8Array.from(own, (span) => spans.doing[span]!),
      ran: Uint8Array.from(own, (span) => spans.ran[span]!),
      cpu,
      task: Int32Array.from(own, (span) => spans.task[span]!),
    };
  });
}
