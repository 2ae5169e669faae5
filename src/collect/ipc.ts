import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import * as z from 'zod';
import { monotonicNow } from '../common/clock.ts';
import type { Batch, SectionSpec } from '../common/section.ts';
import { CONNECTION_FIELDS } from '../formats/connections.ts';
import { countersFile, type IpcDetails } from '../formats/ipc.ts';
import { messagesEndFile, TCP_EVENTS, TCP_FILTERS, TCP_MESSAGE_EVENTS } from '../formats/tcp-trace.ts';
import { BCC_TCPTRACER } from './bcc/tcptracer.ts';
import { Collecter, type CollecterDescription, type CollectRun, type Probe } from './collecter.ts';
import { collectTrace } from './ftrace/collect.ts';
import { readFormats } from './ftrace/formats.ts';
import { probeEvents } from './ftrace/record.ts';
import { LIBBPF_TCPTRACER } from './libbpf/tcptracer.ts';
import { collectPerf } from './perf/collect.ts';
import { probePerf } from './perf/probe.ts';
import { pagesOf, type RecordPlan } from './perf/record-args.ts';
import { findNetns, NetnsWatch } from './proc/netns.ts';
import { Slices } from './proc/slices.ts';
import { readTcpSockets } from './proc/sockets.ts';
import { readTasks } from './proc/tasks.ts';
import { collectTracer, probeTracer, type Tracer } from './tcptracer.ts';

const options = z.strictObject({
  /** Whether sends and receives are recorded too, and with them the bytes of each connection. */
  messages: z.stringbool().or(z.boolean()).default(true),
  /** Most events in a second: where more come, sends and receives are recorded no more. */
  message_rate: z.coerce.number().int().min(1).max(10_000_000).default(50_000),
  /** A network namespace; empty for all of them. */
  netns: z.string().default(''),
  /** Trace buffer of each CPU, KiB; it holds what comes in 0.1 s, and while MARPLE is kept from running. */
  buffer_kb: z.coerce.number().int().min(64).max(1_048_576).default(4096),
});
export type IpcOptions = z.infer<typeof options>;

const section: SectionSpec = {
  datatype: 'event',
  fields: CONNECTION_FIELDS,
  links: [['pid', 'other_pid']],
};

/** Bytes of trace that an event takes, with its header: from those of a message to those of a change of state. */
const BYTES_PER_EVENT = 48;

const TRACERS: ReadonlyMap<string, Tracer> = new Map([
  ['tcptracer', BCC_TCPTRACER],
  ['libbpf-tcptracer', LIBBPF_TCPTRACER],
]);

/** TCP connections and what goes over them, both ends with their processes. */
export class Ipc extends Collecter<IpcOptions> {
  static readonly description: CollecterDescription<IpcOptions> = {
    interface: 'ipc',
    area: 'ipc',
    kind: 'tcp',
    isDefaultKind: true,
    summary: 'TCP between processes: who connects to whom, and how much is sent',
    sections: [section],
    options,
    tools: [
      // The tracers know neither messages nor bytes, and take seconds to try.
      { name: 'ftrace', probe: () => probeEvents('ipc', eventsOf(true), TCP_FILTERS) },
      { name: 'tcptracer', probe: () => probeTracer(BCC_TCPTRACER) },
      { name: 'libbpf-tcptracer', probe: () => probeTracer(LIBBPF_TCPTRACER) },
      { name: 'perf', probe: ({ tempDir }) => probePerfEvents(tempDir) },
    ],
  };

  override async *collect(): AsyncIterable<Batch> {
    const { report, options, tool } = this.run;
    const { messages, netns } = options;
    if (netns !== '') report.option('netns', netns);
    const tracer = TRACERS.get(tool);
    if (tracer !== undefined) {
      yield* collectTracer(this.run, tracer, netns === '' ? undefined : findNetns(netns).inode);
      return;
    }
    report.option('messages', messages);
    const place = new Place(this.run);
    try {
      yield* tool === 'perf' ? this.#perf(place) : this.#trace(place);
    } finally {
      place.close();
    }
  }

  #trace(place: Place): AsyncIterable<Batch> {
    const { messages, message_rate, buffer_kb } = this.run.options;
    if (messages) this.run.report.option('message_rate', message_rate);
    return collectTrace(this.run, {
      interface: 'ipc',
      format: 'ftrace-ipc',
      events: eventsOf(messages),
      filters: TCP_FILTERS,
      guard: messages ? messageGuard(message_rate) : undefined,
      bufferKb: buffer_kb,
      details: (dir) => place.describe(dir),
      onStopping: (dir) => place.finish(dir),
    });
  }

  async *#perf(place: Place): AsyncIterable<Batch> {
    const { run } = this;
    const { messages, buffer_kb } = run.options;
    run.report.warn(
      'perf does not see what comes in an interrupt while a CPU idles: connects to other machines may be missing',
    );
    const events = eventsOf(messages);
    const formats = await readFormats(events);
    yield* collectPerf(run, {
      interface: 'ipc',
      format: 'perf-ipc',
      // The two ends of a connection are seldom in one scope, so the whole machine is recorded.
      plans: [{ plan: () => ({ ...perfPlan(events), target: 'all' }) }],
      options: { buffer_kb },
      details: async (dir) => ({ formats, ...(await place.describe(dir)) }),
      mmapPages: pagesOf(buffer_kb),
      beside: async (_, dir, over) => {
        const end = AbortSignal.any([run.stop, over]);
        if (!end.aborted) await once(end, 'abort');
        await place.finishLate(dir);
      },
    });
  }
}

function eventsOf(messages: boolean): readonly string[] {
  return messages ? [...TCP_EVENTS, ...TCP_MESSAGE_EVENTS] : TCP_EVENTS;
}

function perfPlan(events: readonly string[]): Omit<RecordPlan, 'target'> {
  return { events, sampling: { period: 1 } };
}

/** A trial needs something to see: a socket that listens for a moment. */
async function probePerfEvents(tempDir: string): Promise<Probe> {
  const timer = setInterval(() => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => server.close());
  }, 10);
  try {
    return await probePerf({ scope: { own: process.pid }, tempDir }, perfPlan(eventsOf(true)));
  } finally {
    clearInterval(timer);
  }
}

function messageGuard(rate: number): Parameters<typeof collectTrace>[1]['guard'] {
  return {
    events: TCP_MESSAGE_EVENTS,
    bytesPerSecond: rate * BYTES_PER_EVENT,
    onTripped: (dir) => writeFileSync(messagesEndFile(dir), `${monotonicNow()}\n`, { mode: 0o600 }),
  };
}

/** What is noted beside the events: sockets, tasks and counters at the start, counters at the end, of one namespace if asked. */
class Place {
  #watch: NetnsWatch | undefined;

  constructor(readonly run: CollectRun<IpcOptions>) {}

  /** To be called when the events are being recorded already, so that nothing is missed in between. */
  async describe(dir: string): Promise<Record<keyof IpcDetails, unknown>> {
    const { messages, message_rate: messageRate, netns } = this.run.options;
    const known = new Set(this.run.info().tasks.map(({ tid }) => tid));
    if (netns !== '') this.#watch = await NetnsWatch.start(findNetns(netns), dir, this.run.clock);
    return {
      messages,
      messageRate,
      counters: ownCounters(),
      netns: undefined,
      ...(await this.#watch?.details()),
      sockets: await readTcpSockets(new Slices()),
      tasks: readTasks().filter(({ tid }) => !known.has(tid)),
    };
  }

  /** To be called before the recording stops. */
  async finish(dir: string): Promise<void> {
    noteCounters(dir, this.#watch === undefined ? ownCounters() : await this.#watch.finish());
  }

  /** To be called when the recording stops just now: a namespace's counters, which take a moment, would be ahead of it. */
  async finishLate(dir: string): Promise<void> {
    if (this.#watch === undefined) noteCounters(dir, ownCounters());
    else await this.#watch.finish();
  }

  close(): void {
    this.#watch?.close();
  }
}

function noteCounters(dir: string, text: string): void {
  writeFileSync(countersFile(dir), text, { mode: 0o600 });
}

function ownCounters(): string {
  return readFileSync('/proc/net/snmp', 'latin1');
}
