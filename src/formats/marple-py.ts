import * as z from 'zod';
import type { Datapoint, StackData } from '../common/datatypes.ts';
import { DamagedFileError } from '../common/errors.ts';
import type { Axis, SectionHeader } from '../common/header.ts';
import { CONNECTION_FIELDS } from './connections.ts';
import { DISKLAT_POINTS } from './disklat.ts';
import { EventImport } from './event-import.ts';
import { FORMER_INTERFACES } from './former-interfaces.ts';
import type { Importer, ImportInput, ImportSection, ImportSink } from './importer.ts';
import { IoImport } from './io-import.ts';
import { plainLines } from './lines.ts';
import { type PythonValue, parsePythonLiteral } from './python-literal.ts';

/*
 * Data files of the original MARPLE, which was written in Python (common/data_io.py there):
 *
 *   {"0": {"start time": ..., "interface": "callstack", "datatype": "stack", ..., "start byte": 0, "end byte": 4711}, ...}
 *   {"start time": "2018-09-03 10:11:12.345678", "end time": ..., "interface": "callstack", "datatype": "stack",
 *    "data options": {"weight_units": "samples"}}
 *   1$$$bash$$$main$$$execute_command
 *   <blank line>
 *   {...}
 *   363654881950$$$sched:sched_switch$$${'pid': '4711', 'comm': 'fio', 'cpu': '003'}$$$None
 *
 * with x$$$y$$$info for points. Its earlier versions wrote no first line about all sections, `start`, `end` and
 * `data_options`, commas or # in place of $$$, semicolons between frames, and tuples in place of dictionaries.
 */

export const marplePyImporter: Importer = {
  format: 'marple-py',
  summary: 'data files of the original MARPLE, in Python',
  detects: (head) => {
    const object = parseObject(head.toString('latin1').split(/\r?\n/, 1)[0] ?? '');
    return object !== undefined && (isSummary(object) || parseHeader(object) !== undefined);
  },
  run: importMarplePy,
};

const SEPARATOR = '$$$';

const headerSchema = z.looseObject({
  interface: z.string().min(1),
  datatype: z.enum(['stack', 'event', 'point']),
  start: z.string().optional(),
  end: z.string().optional(),
  'start time': z.string().optional(),
  'end time': z.string().optional(),
  'data options': z.record(z.string(), z.unknown()).optional(),
  data_options: z.record(z.string(), z.unknown()).optional(),
});
type PyHeader = z.infer<typeof headerSchema>;

/** What a header says beside the interface and when it was. */
type SectionKind = Pick<SectionHeader, 'datatype'> & Partial<SectionHeader>;

/** Takes the record lines of one section. */
interface SectionImport {
  /** False where the line is no record. */
  add(line: string): boolean;
  flush(): Promise<void>;
  finish(): Promise<void>;
}

async function importMarplePy(input: ImportInput, sink: ImportSink): Promise<void> {
  let section: SectionImport | undefined;
  let isFirst = true;
  for await (const lines of plainLines(input.chunks())) {
    for (const line of lines) {
      const object = line.startsWith('{') ? parseObject(line) : undefined;
      const isAboutAll = isFirst && object !== undefined && isSummary(object);
      isFirst = false;
      if (isAboutAll || line === '') continue;
      const header = object === undefined ? undefined : parseHeader(object);
      if (header !== undefined) {
        await section?.finish();
        section = beginSection(header, sink);
      } else if (section === undefined) {
        throw new DamagedFileError(`${input.name}:1`, 'this is no header of a data file of the Python MARPLE');
      } else if (!section.add(line)) sink.skipped(line);
    }
    await section?.flush();
  }
  await section?.finish();
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** The first line, with the headers of all sections by their numbers. */
function isSummary(object: Record<string, unknown>): boolean {
  const entries = Object.entries(object);
  return entries.length > 0 && entries.every(([key, value]) => /^\d+$/.test(key) && parseHeader(value) !== undefined);
}

function parseHeader(object: unknown): PyHeader | undefined {
  const parsed = headerSchema.safeParse(object);
  return parsed.success && !('marple' in parsed.data) ? parsed.data : undefined;
}

function beginSection(header: PyHeader, sink: ImportSink): SectionImport {
  sink.note('the times of day are as the Python MARPLE wrote them, which did not say of what time zone: read as UTC');
  const name = FORMER_INTERFACES.get(header.interface) ?? header.interface;
  const [start, end] = [isoTime(header['start time'] ?? header.start), isoTime(header['end time'] ?? header.end)];
  const begin = (rest: SectionKind): ImportSection =>
    sink.section({
      interface: name,
      tool: { name: 'MARPLE (Python)', version: '', command: [] },
      ...(start === undefined ? {} : { start }),
      ...(end === undefined ? {} : { end }),
      ...rest,
    });
  const options = header['data options'] ?? header.data_options ?? {};
  if (header.datatype === 'stack')
    return new StackSection(begin({ datatype: 'stack', weight: weightOf(name, options) }));
  if (header.datatype === 'event') return new EventSection(name, begin, sink);
  if (name === 'disklat') return new DiskSection(new IoImport(sink, begin(DISKLAT_POINTS)));
  const isMemory = name === 'memtime';
  const axis = (letter: string): Axis => ({
    label: textOf(options[`${letter}_label`]),
    unit: textOf(options[`${letter}_units`]),
  });
  // What it called MB were MiB.
  const y = isMemory ? { label: 'PSS', unit: 'MiB' } : axis('y');
  const fields = isMemory ? { fields: ['comm', 'pid'] } : {};
  return new PointSection(begin({ datatype: 'datapoint', x: axis('x'), y, ...fields }), isMemory);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** `2018-09-03 10:11:12.345678` */
function isoTime(text: string | undefined): string | undefined {
  const [, day, time] = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d{1,3})?)/.exec(text ?? '') ?? [];
  const date = new Date(`${day}T${time}Z`);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

/** What the weights really are: its headers say kilobytes of what its tools printed in bytes, or counted. */
const WEIGHTS = new Map<string, Axis>([
  ['mallocstacks', { label: 'requested of malloc', unit: 'bytes' }],
  ['memleak', { label: 'outstanding', unit: 'bytes' }],
  ['perf_malloc', { label: 'calls of malloc', unit: 'calls' }],
]);

function weightOf(name: string, options: Record<string, unknown>): Axis {
  const unit = textOf(options['weight_units']) || 'samples';
  return WEIGHTS.get(name) ?? { label: unit, unit };
}

/** The values of a line: separated by three dollar signs, or by what was before them. */
function splitLine(line: string, before: string): string[] {
  return line.split(line.includes(SEPARATOR) ? SEPARATOR : before);
}

class StackSection implements SectionImport {
  #records: StackData[] = [];

  constructor(private readonly section: ImportSection) {}

  add(line: string): boolean {
    const [, weight = '', separator = '', rest = ''] = /^(\d+)(?:\.0+)?(\$\$\$|#|,)(.*)$/s.exec(line) ?? [];
    if (separator === '' || !Number.isSafeInteger(Number(weight))) return false;
    // What mallocstacks printed has a `;` between its frames in all versions.
    const stack = rest.split(rest.includes(SEPARATOR) ? SEPARATOR : ';');
    this.#records.push({ weight: Number(weight), stack });
    return true;
  }

  async flush(): Promise<void> {
    const records = this.#records;
    this.#records = [];
    await this.section.write(records);
  }

  finish(): Promise<void> {
    return this.flush();
  }
}

// 0.51234$$$13.25$$$firefox
/** Undefined where the line is none. */
function parsePoint(line: string): { x: number; y: number; info: string } | undefined {
  const [x = '', y = '', ...info] = splitLine(line, ',');
  if (info.length === 0 || x.trim() === '' || y.trim() === '') return undefined;
  const point = { x: Number(x), y: Number(y), info: info.join(line.includes(SEPARATOR) ? SEPARATOR : ',') };
  return Number.isFinite(point.x) && Number.isFinite(point.y) ? point : undefined;
}

class PointSection implements SectionImport {
  #records: Datapoint[] = [];

  constructor(
    private readonly section: ImportSection,
    private readonly isMemory: boolean,
  ) {}

  add(line: string): boolean {
    const point = parsePoint(line);
    if (point === undefined) return false;
    const { x, y, info } = point;
    this.#records.push({ x, y, info: this.isMemory ? [info, ''] : [info] });
    return true;
  }

  async flush(): Promise<void> {
    const records = this.#records;
    this.#records = [];
    await this.section.write(records);
  }

  finish(): Promise<void> {
    return this.flush();
  }
}

/** Its x is the end of an I/O in seconds, its y the latency in ms, and its info the id of the thread. */
class DiskSection implements SectionImport {
  constructor(private readonly ios: IoImport) {}

  add(line: string): boolean {
    const point = parsePoint(line);
    if (point === undefined) return false;
    const nanoseconds = Math.round(point.y * 1e6);
    const issued = Math.round(point.x * 1e9) - nanoseconds;
    const isTask = /^\d+$/.test(point.info);
    this.ios.add({
      issued,
      nanoseconds,
      comm: isTask ? '' : point.info,
      pid: undefined,
      tid: isTask ? Number(point.info) : undefined,
      op: '',
      dev: '',
      sector: undefined,
      bytes: undefined,
    });
    return true;
  }

  flush(): Promise<void> {
    return this.ios.flush();
  }

  finish(): Promise<void> {
    return this.ios.finish();
  }
}

/** Nanoseconds in its times: perf's are microseconds. */
const TICKS = new Map([['cpusched', 1000]]);

/** How fields of a connection are called here. */
const RENAMED = new Map([
  ['size', 'bytes'],
  ['net_ns', 'netns'],
]);

/** The fields of the section are those of its first event. */
class EventSection implements SectionImport {
  #fields: readonly string[] = [];
  #events: EventImport | undefined;
  #unlike = 0;

  constructor(
    private readonly name: string,
    private readonly begin: (rest: SectionKind) => ImportSection,
    private readonly sink: ImportSink,
  ) {}

  add(line: string): boolean {
    const [time = '', type, ...rest] = splitLine(line, ',');
    if (!/^-?\d+$/.test(time) || type === undefined || rest.length === 0) return false;
    const nanoseconds = Number(time) * (TICKS.get(this.name) ?? 1);
    const values = line.includes(SEPARATOR) ? valuesOf(rest) : trackAndDatum(rest);
    if (values === undefined || !Number.isSafeInteger(nanoseconds)) return false;
    this.#events ??= this.#open([...values.keys()]);
    if ([...values.keys()].some((field) => !this.#fields.includes(field))) this.#unlike++;
    this.#events.add({ time: nanoseconds, type, datum: this.#fields.map((field) => values.get(field) ?? '') });
    return true;
  }

  async flush(): Promise<void> {
    await this.#events?.flush();
  }

  async finish(): Promise<void> {
    this.#events ??= this.#open([]);
    await this.#events.finish();
    if (this.#unlike > 0) {
      this.sink.warn(`${this.#unlike} events of ${this.name} have other fields than the first: these are left out`);
    }
  }

  #open(fields: readonly string[]): EventImport {
    const ends: string[] = CONNECTION_FIELDS.filter((field) => fields.includes(field));
    this.#fields = ends.includes('other_pid') ? [...ends, ...fields.filter((field) => !ends.includes(field))] : fields;
    const links: [string, string][] = [['pid', 'other_pid']];
    return new EventImport(
      this.begin({
        datatype: 'event',
        ...(this.#fields.length > 0 ? { fields: [...this.#fields] } : {}),
        ...(ends.includes('other_pid') ? { links } : {}),
      }),
      this.sink,
    );
  }
}

function trackAndDatum([track = '', ...datum]: readonly string[]): ReadonlyMap<string, string> {
  return new Map([
    ['track', track],
    ['datum', datum.join(',')],
  ]);
}

/** What is known of an event, by field, from its dictionary or tuple and, behind it, the prefixes of the two ends. */
function valuesOf([datum = '', connected]: readonly string[]): ReadonlyMap<string, string> | undefined {
  const value = parsePythonLiteral(datum);
  if (typeof value !== 'object' || value === null) return undefined;
  const [from, to] = prefixesOf(connected);
  const name = (key: string): string => {
    if (from !== undefined && key.startsWith(from)) return key.slice(from.length);
    if (to !== undefined && key.startsWith(to)) return `other_${key.slice(to.length)}`;
    return RENAMED.get(key) ?? key;
  };
  const entries = isList(value) ? value.map((one, i) => [`value${i + 1}`, one] as const) : Object.entries(value);
  return new Map(entries.map(([key, one]) => [name(key), key === 'cpu' ? cpuText(plainText(one)) : plainText(one)]));
}

// [('source_', 'dest_')]
function prefixesOf(connected: string | undefined): readonly [string?, string?] {
  const pairs = connected === undefined ? null : (parsePythonLiteral(connected) ?? null);
  const pair = isList(pairs) ? (pairs[0] ?? null) : null;
  const [from, to] = isList(pair) ? pair : [];
  return typeof from === 'string' && typeof to === 'string' ? [from, to] : [];
}

function isList(value: PythonValue): value is readonly PythonValue[] {
  return Array.isArray(value);
}

function plainText(value: PythonValue): string {
  if (value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** `003` as `3`. */
function cpuText(text: string): string {
  return /^\d+$/.test(text) ? String(Number(text)) : text;
}
