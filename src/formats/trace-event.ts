import { isScheduling, type Named, SCHEDULING_COLUMNS, type SpanSink, TaskFollower } from '../analysis/scheduling.ts';
import { type Filter, type SectionGroup, xIsTime } from '../analysis/select.ts';
import type { EventData } from '../common/datatypes.ts';
import { UsageError } from '../common/errors.ts';
import type { Column, EventColumns, SectionReader } from '../common/reader.ts';
import { visible } from '../common/text.ts';
import { VERSION } from '../common/version.ts';
import type { Exporter, ExportSource } from './exporter.ts';

/*
 * Trace events as Perfetto and chrome://tracing take them: the JSON object format of
 * https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU. Every event has ph, ts (microseconds
 * since the file's origin, with nanoseconds behind the point), pid, tid and name. What stands where is in docs/export.md.
 */

export const traceEventExporter: Exporter = {
  format: 'trace-event',
  summary: 'JSON for Perfetto and chrome://tracing, of all sections that tell times',
  run: traceBytes,
};

/** What belongs to no process has a process of its own here, with a number above every pid (PID_MAX_LIMIT is 2^22). */
const PLACES = { cpus: 2 ** 23, tasks: 2 ** 23 + 1, machine: 2 ** 23 + 2 } as const;
const PLACE_NAMES = { cpus: 'CPUs', tasks: 'Tasks', machine: 'Machine' } as const;

async function* traceBytes(source: ExportSource, warn: (sentence: string) => void): AsyncGenerator<Buffer> {
  const out = new TraceWriter();
  const parts = source.sections.map((section) => [section, partOf(source, section, out)] as const);
  if (parts.every(([, part]) => part === undefined)) {
    throw new UsageError(
      'none of the sections tells times, which is all that trace events are about',
      'marple display -l lists what the file holds',
    );
  }
  out.raw(
    `{"displayTimeUnit":"ns","otherData":${JSON.stringify({ exporter: `MARPLE ${VERSION}`, file: visible(source.name) })},"traceEvents":[\n`,
  );
  for (const [{ number, header }, part] of parts) {
    if (part === undefined)
      warn(`section ${number} (${header.interface}, ${header.datatype}) tells no times, and is left out`);
    else for await (const _ of part) if (out.length >= PIECE) yield out.take();
  }
  out.raw('\n]}\n');
  yield out.take();
}

/** Writes the events of a section, some at a time; undefined where it has none. */
function partOf(source: ExportSource, section: SectionReader, out: TraceWriter): AsyncIterable<void> | undefined {
  const { header } = section;
  const group = source.groups.find(({ shown }) => shown.some(({ number }) => number === section.number))!;
  switch (header.datatype) {
    case 'event':
      if (isScheduling(header)) return scheduling(ownOf(group, section), source.filter, out);
      return header.links === undefined ? instants(group, section, out) : connections(section, out);
    case 'datapoint':
      if (!xIsTime(header)) return undefined;
      return header.interface === 'disklat' ? operations(section, out) : counters(section, out);
    case 'stack':
      // The events of the same interface say when each was sampled.
      return group.shown.some((other) => other !== section && other.header.fields?.includes('stack'))
        ? nothing()
        : undefined;
  }
}

async function* nothing(): AsyncGenerator<void> {}

/** The section with all its records: what a task did at the beginning of a range is known from what came before. */
function ownOf({ all }: SectionGroup, { number }: SectionReader): SectionReader {
  return all.find((section) => section.number === number)!;
}

type Arguments = Readonly<Record<string, string | number>>;

/** What an event has beside when, where and what. Keys and kinds are those of the format. */
interface Rest {
  readonly cat?: string;
  /** Nanoseconds. */
  readonly dur?: number;
  readonly id?: number;
  readonly args?: Arguments;
  /** Instant events: of the thread. */
  readonly s?: 't';
  /** The end of an arrow: the slice around it. */
  readonly bp?: 'e';
}

/** Names that are remembered as JSON. */
const MOST_QUOTED = 100_000;

/** Bytes that are written at once. */
const PIECE = 256 * 1024;

/** Gathers events as JSON. */
class TraceWriter {
  /** Of what is waiting: text in pieces would be held by the thousand. */
  length = 0;
  #bytes = Buffer.allocUnsafeSlow(2 * PIECE);
  #isFirst = true;
  readonly #quoted = new Map<string, string>();
  /** By pid, and by pid and tid. */
  readonly #processes = new Map<number, string>();
  readonly #threads = new Map<number, Map<number, string>>();

  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(0, this.length));
    this.length = 0;
    return taken;
  }

  raw(text: string): void {
    // A code unit has three bytes at most.
    const most = this.length + 3 * text.length;
    if (most > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(2 * most);
      this.#bytes.copy(larger, 0, 0, this.length);
      this.#bytes = larger;
    }
    this.length += this.#bytes.write(text, this.length);
  }

  /** @param ts nanoseconds since the origin. */
  add(ph: string, ts: number, pid: number, tid: number, name: string, { cat, dur, id, args, s, bp }: Rest = {}): void {
    let text = `${this.#isFirst ? '' : ',\n'}{"ph":"${ph}","ts":${microseconds(ts)},"pid":${pid},"tid":${tid},"name":${this.#quote(name)}`;
    if (cat !== undefined) text += `,"cat":${this.#quote(cat)}`;
    if (dur !== undefined) text += `,"dur":${microseconds(dur)}`;
    if (id !== undefined) text += `,"id":${id}`;
    if (s !== undefined) text += `,"s":"${s}"`;
    if (bp !== undefined) text += `,"bp":"${bp}"`;
    if (args !== undefined) text += `,"args":${JSON.stringify(args)}`;
    this.raw(`${text}}`);
    this.#isFirst = false;
  }

  /** Names a process, and one of its threads; once, until they change. */
  name(pid: number, process: string, tid?: number, thread?: string): void {
    if (this.#processes.get(pid) !== process) {
      this.#processes.set(pid, process);
      this.#meta('process_name', pid, 0, process);
    }
    if (tid === undefined || thread === undefined) return;
    let threads = this.#threads.get(pid);
    if (threads === undefined) {
      threads = new Map();
      this.#threads.set(pid, threads);
    }
    if (threads.get(tid) === thread) return;
    threads.set(tid, thread);
    this.#meta('thread_name', pid, tid, thread);
  }

  /** @returns its number. */
  place(place: keyof typeof PLACES, tid?: number, thread?: string): number {
    const pid = PLACES[place];
    this.name(pid, PLACE_NAMES[place], tid, thread);
    return pid;
  }

  #meta(kind: string, pid: number, tid: number, name: string): void {
    this.add('M', 0, pid, tid, kind, { args: { name: visible(name) } });
  }

  #quote(name: string): string {
    let quoted = this.#quoted.get(name);
    if (quoted === undefined) {
      if (this.#quoted.size === MOST_QUOTED) this.#quoted.clear();
      quoted = JSON.stringify(visible(name));
      this.#quoted.set(name, quoted);
    }
    return quoted;
  }
}

/** With the nanoseconds behind the point. */
function microseconds(nanoseconds: number): string {
  const whole = Math.floor(nanoseconds / 1000);
  const rest = Math.round(nanoseconds - 1000 * whole);
  return rest === 0 ? `${whole}` : rest === 1000 ? `${whole + 1}` : `${whole}.${String(rest).padStart(3, '0')}`;
}

/** Scheduler events: what ran is a slice of its CPU, what a task did, running or waiting for something, one of the task. */
async function* scheduling(section: SectionReader, filter: Filter, out: TraceWriter): AsyncGenerator<void> {
  const [from, to] = [1e9 * (filter.from ?? 0), 1e9 * (filter.to ?? Number.POSITIVE_INFINITY)];
  const pids = filter.pids === undefined ? undefined : new Set(filter.pids);
  const passes = ({ pid, comm }: Named): boolean => pids?.has(pid) !== false && filter.comm?.test(comm) !== false;
  const slice = (
    place: 'cpus' | 'tasks',
    tid: number,
    thread: string,
    name: string,
    since: number,
    until: number,
    args: Arguments,
  ) => {
    const [start, end] = [Math.max(since, from), Math.min(until, to)];
    if (end <= start) return;
    out.add('X', start, out.place(place, tid, thread), tid, name, { dur: end - start, cat: 'sched', args });
  };
  const sink: SpanSink = {
    ran: (cpu, who, since, until) => {
      if (who === undefined || who.pid === 0 || !passes(who)) return;
      slice('cpus', cpu, `CPU ${cpu}`, who.comm, since, until, { pid: who.pid });
      slice('tasks', who.pid, who.comm, 'running', since, until, { cpu });
    },
    waited: (task, reason, since, until) => {
      if (task.pid !== 0 && passes(task)) slice('tasks', task.pid, task.comm, reason, since, until, {});
    },
    switched: () => undefined,
  };
  const follower = new TaskFollower(section.header, sink);
  read: for await (const events of section.events(SCHEDULING_COLUMNS)) {
    for (const some of slices(events)) {
      const goesOn = follower.add(some, to);
      yield;
      if (!goesOn) break read;
    }
  }
  follower.end();
  yield;
}

/** Events whose text is held at once. */
const SLICE = 4096;

/** The same rows, some at a time. */
function* slices({ length, time, type, columns }: EventColumns): Generator<EventColumns> {
  for (let from = 0; from < length; from += SLICE) {
    const to = Math.min(length, from + SLICE);
    const part = ({ values, dictionary }: Column): Column => ({ values: values.subarray(from, to), dictionary });
    yield { length: to - from, time: time.subarray(from, to), type: part(type), columns: columns.map(part) };
  }
}

/** I/Os: an asynchronous operation each, since those of one thread overlap. */
async function* operations(section: SectionReader, out: TraceWriter): AsyncGenerator<void> {
  const at = placesOf(section);
  const others = argumentsOf(section, 'pid', 'comm', 'tid', 'stack');
  let id = 0;
  for await (const points of section.batches('datapoint')) {
    for (const { x, y, info } of points) {
      const [pid, comm] = [numberOf(info[at('pid')]), info[at('comm')] ?? ''];
      const tid = at('tid') < 0 ? pid : numberOf(info[at('tid')]);
      const name = [info[at('op')], info[at('dev')]].filter((part) => part).join(' ') || 'I/O';
      const args = others(info);
      const start = Math.round(x * 1e9);
      id++;
      out.name(pid, comm);
      out.add('b', start, pid, tid, name, { cat: 'disk', id, args });
      out.add('e', start + Math.round(y * 1e6), pid, tid, name, { cat: 'disk', id });
    }
    yield;
  }
}

/** Levels and rates: a counter of the process, or of the machine, with a series for what else the points tell. */
async function* counters(section: SectionReader, out: TraceWriter): AsyncGenerator<void> {
  const { x: _, y, interface: interfaceName, fields = [] } = section.header;
  const at = placesOf(section);
  const label = y === undefined ? interfaceName : `${y.label} (${y.unit})`;
  const ofProcess = at('pid') >= 0;
  let time = Number.NaN;
  let series: Record<string, number> = {};
  const flush = (): void => {
    if (Object.keys(series).length > 0) {
      out.add('C', Math.round(time * 1e9), out.place('machine'), 0, label, { args: series });
    }
    series = {};
  };
  for await (const points of section.batches('datapoint')) {
    for (const point of points) {
      const { info } = point;
      if (ofProcess) {
        const pid = numberOf(info[at('pid')]);
        out.name(pid, info[at('comm')] ?? '');
        out.add('C', Math.round(point.x * 1e9), pid, 0, label, { args: { [y?.unit ?? 'value']: point.y } });
        continue;
      }
      if (point.x !== time) flush();
      time = point.x;
      series[visible(info.join(' ')) || (fields.length === 0 ? 'value' : label)] = point.y;
    }
    yield;
  }
  flush();
  yield;
}

/** Any other events: moments of the thread that they belong to. A sampled stack is named by its innermost function. */
async function* instants(group: SectionGroup, section: SectionReader, out: TraceWriter): AsyncGenerator<void> {
  const at = placesOf(section);
  const stacks = at('stack') < 0 ? undefined : group.all.find(({ header }) => header.datatype === 'stack');
  const others = argumentsOf(section, 'pid', 'tid', 'comm', 'stack');
  const tops = stacks === undefined ? [] : await stackEnds(stacks);
  for await (const events of section.batches('event')) {
    for (const { time, type, datum } of events) {
      const stack = tops[Number(datum[at('stack')] || Number.NaN)];
      const pid = at('pid') < 0 ? out.place('machine') : numberOf(datum[at('pid')]);
      const tid = at('tid') < 0 ? pid : numberOf(datum[at('tid')]);
      const comm = datum[at('comm')] ?? stack?.process;
      if (comm !== undefined && at('pid') >= 0) out.name(pid, comm);
      const args = stack === undefined ? others(datum) : { ...others(datum), event: visible(type) };
      out.add('i', time, pid, tid, stack?.top ?? type, { s: 't', cat: section.header.interface, args });
    }
    yield;
  }
}

/** The process and the innermost function of each stack, by its line. */
async function stackEnds(section: SectionReader): Promise<{ process: string; top: string }[]> {
  const ends: { process: string; top: string }[] = [];
  for await (const stacks of section.batches('stack')) {
    for (const { stack } of stacks) ends.push({ process: stack[0] ?? '', top: stack.at(-1) ?? '' });
  }
  return ends;
}

/** Connections whose other end has not been heard of yet. */
const MOST_WAITING = 100_000;

/**
 * Who talks to whom: a slice without extent for each event, and an arrow from one that connects or sends to the next one of
 * the other end that accepts or receives.
 */
async function* connections(section: SectionReader, out: TraceWriter): AsyncGenerator<void> {
  const at = placesOf(section);
  const end = (datum: EventData['datum'], prefix: string): string =>
    `${datum[at(`${prefix}addr`)]}:${datum[at(`${prefix}port`)]}`;
  const others = argumentsOf(section, 'pid', 'comm');
  const waiting = new Map<string, number>();
  let id = 0;
  for await (const events of section.batches('event')) {
    for (const { time, type, datum } of events) {
      const pid = numberOf(datum[at('pid')]);
      out.name(pid, pid === 0 ? 'unknown process' : (datum[at('comm')] ?? ''));
      out.add('X', time, pid, pid, type, { dur: 0, cat: 'ipc', args: others(datum) });
      const [own, other] = [end(datum, ''), end(datum, 'other_')];
      if (type === 'connect' || type === 'send') {
        waiting.set(`${type} ${own} ${other}`, ++id);
        out.add('s', time, pid, pid, type, { cat: 'ipc', id });
        const [oldest] = waiting.keys();
        if (waiting.size > MOST_WAITING && oldest !== undefined) waiting.delete(oldest);
      }
      const cause = `${type === 'accept' ? 'connect' : 'send'} ${other} ${own}`;
      const from = type === 'accept' || type === 'recv' ? waiting.get(cause) : undefined;
      if (from === undefined) continue;
      waiting.delete(cause);
      out.add('f', time, pid, pid, cause.slice(0, cause.indexOf(' ')), { cat: 'ipc', id: from, bp: 'e' });
    }
    yield;
  }
}

/** Where a field stands in the texts of a record; -1 where the section does not have it. */
function placesOf({ header }: SectionReader): (field: string) => number {
  const places = new Map(header.fields?.map((field, place) => [field, place]));
  return (field) => places.get(field) ?? -1;
}

/** Takes the fields that stand nowhere else, as far as they are known. */
function argumentsOf({ header }: SectionReader, ...told: readonly string[]): (texts: readonly string[]) => Arguments {
  const rest = (header.fields ?? []).flatMap((field, place) => (told.includes(field) ? [] : [{ field, place }]));
  return (texts) => {
    // Without a prototype no field means anything.
    const args: Record<string, string | number> = Object.create(null);
    for (const { field, place } of rest) {
      const text = texts[place] ?? '';
      if (text !== '') args[field] = /^-?\d{1,15}$/.test(text) ? Number(text) : visible(text);
    }
    return args;
  };
}

/** 0 where it is not known. */
function numberOf(text: string | undefined): number {
  return Number(text ?? '') || 0;
}
