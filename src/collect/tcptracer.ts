import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNow, sinceOrigin } from '../common/clock.ts';
import { EXIT, MarpleError } from '../common/errors.ts';
import { describeExit, patience, startTool, type ToolProcess } from '../common/process.ts';
import { isSystemWide } from '../common/scope.ts';
import type { Batch } from '../common/section.ts';
import { Connections, connectionKey, End, type Party } from '../formats/connections.ts';
import { plainLines } from '../formats/lines.ts';
import { isTracerTitle, lostRows, type RowParser, type TracerRow } from '../formats/tcptracer.ts';
import type { CollectRun, Probe } from './collecter.ts';
import { mountedTracefs } from './ftrace/mounts.ts';
import { LiveTasks } from './proc/live-tasks.ts';
import { netnsOf } from './proc/sockets.ts';
import { unusable } from './unusable.ts';

/** One of the programs called tcptracer. */
export interface Tracer {
  readonly name: string;
  /** @throws UnavailableError where it is not installed. */
  argv(): string[];
  env(): Record<string, string>;
  version(): Promise<string>;
  readonly parse: RowParser;
  /** The most that a printed time is off, nanoseconds. */
  readonly resolution: number;
  /** Characters that it prints of a process's name. */
  readonly commLength: number;
}

/** Rows come by CPU: one that comes later than this after a younger one is out of its place. */
const REORDER_NS = 1e9;
/** Time that the tool needs to print what has happened. */
const DRAIN_MS = 300;
/** Rows that wait for their other end. */
const MOST_HELD = 4096;
/** Ends of which both sides' closing was not seen. */
const MOST_CLOSED = 10_000;
const PROBE_MS = 20_000;
const GRACE_MS = 10_000;

/** Collects connects, accepts and closes by a tcptracer, in the shape of the interface's section. Ends with `run.stop`. */
export async function* collectTracer(
  run: CollectRun<unknown>,
  tracer: Tracer,
  netns: number | undefined,
): AsyncGenerator<Batch> {
  const tool = startTool(tracer.argv(), { env: tracer.env(), graceMs: GRACE_MS, mustBegin: run.stop });
  const rows = new Rows(run, tracer, netns);
  let stoppedAt = Number.POSITIVE_INFINITY;
  let stopping: Promise<unknown> | undefined;
  const stop = (): void => {
    stoppedAt = sinceOrigin(run.clock, monotonicNow());
    stopping = sleep(DRAIN_MS).then(() => tool.stop());
  };
  try {
    run.report.tool({ name: tracer.name, version: run.toolVersion, command: tool.argv });
    run.report.option('time_resolution_ns', tracer.resolution);
    let titled = false;
    for await (const lines of plainLines(tool.stdout as AsyncIterable<Buffer>)) {
      const arrived = sinceOrigin(run.clock, monotonicNow());
      for (const line of lines) {
        if (titled) yield* rows.add(line, arrived, stoppedAt);
        else if (isTracerTitle(line)) {
          titled = true;
          tool.begun();
          run.started();
          if (run.stop.aborted) stop();
          else run.stop.addEventListener('abort', stop, { once: true });
        }
      }
    }
    const exit = await tool.exit;
    yield* rows.finish(stoppedAt);
    const lost = lostRows(tool.stderr());
    if (lost > 0) {
      run.report.lost(lost);
      run.report.warn(`${lost} events were lost: ${tracer.name} could not print as fast as they came`);
    }
    if (stopping === undefined) throw ended(tracer, describeExit(exit, tool.stderr()));
  } finally {
    run.stop.removeEventListener('abort', stop);
    rows.close();
    await stopping;
    await tool.stop();
  }
}

function ended(tracer: Tracer, how: string): MarpleError {
  return new MarpleError(
    `${tracer.name} ended by itself: it ${how}`,
    EXIT.someFailed,
    'marple collect --tool ipc=ftrace',
  );
}

/** Turns lines into events in the order of their times, with both ends. */
export class Rows {
  readonly #tasks: LiveTasks;
  readonly #connections: Connections;
  readonly #ends = new Map<string, End>();
  readonly #namespaces = new Map<End, number>();
  #waiting: { row: TracerRow; party: Party; netns: number | undefined }[] = [];
  #closed: End[] = [];
  #newest = 0;
  #given = Number.NEGATIVE_INFINITY;
  #late = 0;
  #homeless = 0;
  /** Time of the tool's first event: no row can have come before what it tells. */
  #offset = Number.POSITIVE_INFINITY;

  constructor(
    private readonly run: CollectRun<unknown>,
    private readonly tracer: Tracer,
    private readonly netns: number | undefined,
  ) {
    this.#tasks = new LiveTasks(run);
    const wants = (end: End): boolean => netns === undefined || this.#namespaces.get(end) === netns;
    this.#connections = new Connections(isSystemWide(run.scope), wants, MOST_HELD);
  }

  /** `arrived` is when the line was read; rows of what happened after `stoppedAt` are left out. Nanoseconds since the origin. */
  *add(line: string, arrived: number, stoppedAt: number): Generator<Batch> {
    if (line === '') return;
    const row = this.tracer.parse(line);
    if (row === undefined) {
      this.run.report.skipped(line);
      return;
    }
    const comm = this.#fullComm(row);
    const kept = this.#tasks.keeps(row.pid, comm);
    const party: Party = { pid: row.pid, comm, kept, born: Number.NEGATIVE_INFINITY, parent: undefined };
    const netns = row.netns ?? (this.netns === undefined ? undefined : netnsOf(row.pid));
    this.#waiting.push({ row, party, netns });
    if (this.#given === Number.NEGATIVE_INFINITY) this.#offset = Math.min(this.#offset, arrived - row.time);
    this.#newest = Math.max(this.#newest, row.time);
    if (this.#newest - (this.#waiting[0]?.row.time ?? 0) > 2 * REORDER_NS) {
      yield* this.#flush(this.#newest - REORDER_NS, stoppedAt);
    }
  }

  *finish(stoppedAt: number): Generator<Batch> {
    yield* this.#flush(Number.POSITIVE_INFINITY, stoppedAt);
    this.#connections.finish();
    yield* this.#take();
    const { report, scope } = this.run;
    const { unresolved, given } = this.#connections;
    report.note(`${this.tracer.name} tells nothing of sends and receives, and so no bytes are known`);
    if (this.#late > 0) report.warn(`${this.#late} events left out that ${this.tracer.name} printed too late`);
    if (this.#homeless > 0) {
      report.warn(
        `${this.#homeless} events left out whose process had ended before its network namespace could be seen`,
      );
    }
    if (unresolved.others > 0) {
      report.warn(
        `${unresolved.others} of ${given} events have no process at the other end although it is on this machine`,
      );
    }
    if (scope.root !== undefined) {
      report.warn(
        `${this.tracer.name} does not tell of new processes: events of children of the command that lived less than 0.5 s may be missing`,
      );
    }
  }

  close(): void {
    this.#tasks.close();
  }

  *#flush(before: number, stoppedAt: number): Generator<Batch> {
    this.#waiting.sort((a, b) => a.row.time - b.row.time);
    const end = this.#waiting.findIndex(({ row }) => row.time >= before);
    const ready = end < 0 ? this.#waiting : this.#waiting.slice(0, end);
    this.#waiting = end < 0 ? [] : this.#waiting.slice(end);
    for (const { row, party, netns } of ready) {
      const time = Math.round(this.#offset + row.time);
      if (row.time < this.#given) this.#late++;
      else if (time <= stoppedAt) this.#event(time, row, party, netns);
      this.#given = Math.max(this.#given, row.time);
    }
    yield* this.#take();
  }

  *#take(): Generator<Batch> {
    if (this.#connections.ready > 0) yield { section: 0, records: this.#connections.take() };
  }

  #event(time: number, row: TracerRow, party: Party, netns: number | undefined): void {
    if (this.netns !== undefined && netns === undefined) {
      this.#homeless++;
      return;
    }
    const key = `${netns ?? ''} ${connectionKey(row)}`;
    let end = row.type === 'close' ? this.#ends.get(key) : undefined;
    if (end === undefined) {
      end = new End();
      if (row.type !== 'close') end.opener = party;
      if (netns !== undefined) this.#namespaces.set(end, netns);
      this.#connections.locate(end, row);
      this.#ends.set(key, end);
    }
    end.used(party);
    this.#connections.event(time, row.type, end, party);
    if (row.type !== 'close') return;
    end.closed = true;
    this.#ends.delete(key);
    // Its other end may be accepted after it was closed: it stays for a while.
    this.#closed.push(end);
    if (this.#closed.length <= MOST_CLOSED) return;
    for (const old of this.#closed.splice(0, MOST_CLOSED / 2)) {
      this.#connections.remove(old);
      this.#namespaces.delete(old);
    }
  }

  #fullComm({ pid, comm }: TracerRow): string {
    if (comm.length < this.tracer.commLength) return comm;
    const known = this.#tasks.commOf(pid);
    return known?.startsWith(comm) === true ? known : comm;
  }
}

/** Runs the tool, makes a connection, and sees that it tells of it. */
export async function probeTracer(tracer: Tracer): Promise<Probe> {
  let tool: ToolProcess | undefined;
  try {
    tool = startTool(tracer.argv(), { env: tracer.env(), graceMs: GRACE_MS });
    const started = tool;
    const timer = setTimeout(() => void started.stop(), patience(PROBE_MS));
    let seen = false;
    try {
      for await (const lines of plainLines(tool.stdout as AsyncIterable<Buffer>)) {
        if (lines.some(isTracerTitle)) void makeConnections(() => seen);
        seen = lines.some((line) => tracer.parse(line)?.pid === process.pid);
        if (seen) break;
      }
    } finally {
      clearTimeout(timer);
    }
    if (seen) return { usable: true, version: await tracer.version() };
    const exit = await tool.exit;
    return { usable: false, why: `it ${describeExit(exit, tool.stderr())}`, hint: probeHint() };
  } catch (error) {
    return unusable(error);
  } finally {
    await tool?.stop();
  }
}

function probeHint(): string {
  const tracefs = mountedTracefs();
  const hasKprobes = tracefs === undefined || existsSync(join(tracefs, 'kprobe_events'));
  return hasKprobes ? './setup.sh' : 'boot a kernel that is built with CONFIG_KPROBE_EVENTS=y';
}

/** A connection within this process every 0.1 s, until `over`. */
async function makeConnections(over: () => boolean): Promise<void> {
  for (let waited = 0; !over() && waited < PROBE_MS; waited += 100) {
    const server = createServer((socket) => socket.destroy());
    server.listen(0, '127.0.0.1', () => {
      const at = server.address();
      if (at === null || typeof at === 'string') return;
      connect(at.port, '127.0.0.1')
        .on('error', () => undefined)
        .on('close', () => server.close());
    });
    await sleep(100);
  }
}
