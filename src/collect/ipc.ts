import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { monotonicNow } from '../common/clock.ts';
import type { Batch, SectionSpec } from '../common/section.ts';
import { CONNECTION_FIELDS } from '../formats/connections.ts';
import { countersFile, type IpcDetails } from '../formats/ipc.ts';
import { messagesEndFile, TCP_EVENTS, TCP_FILTERS, TCP_MESSAGE_EVENTS } from '../formats/tcp-trace.ts';
import { Collecter, type CollecterDescription } from './collecter.ts';
import { collectTrace } from './ftrace/collect.ts';
import { probeEvents } from './ftrace/record.ts';
import { findNetns, NetnsWatch } from './proc/netns.ts';
import { Slices } from './proc/slices.ts';
import { readTcpSockets } from './proc/sockets.ts';
import { readTasks } from './proc/tasks.ts';

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
    tools: [{ name: 'ftrace', probe: () => probeEvents('ipc', [...TCP_EVENTS, ...TCP_MESSAGE_EVENTS], TCP_FILTERS) }],
  };

  override async *collect(): AsyncIterable<Batch> {
    const { run } = this;
    const { messages, message_rate, netns, buffer_kb } = run.options;
    const place = new Place(run.options);
    run.report.option('messages', messages);
    if (messages) run.report.option('message_rate', message_rate);
    if (netns !== '') run.report.option('netns', netns);
    try {
      yield* collectTrace(run, {
        interface: 'ipc',
        format: 'ftrace-ipc',
        events: messages ? [...TCP_EVENTS, ...TCP_MESSAGE_EVENTS] : TCP_EVENTS,
        filters: TCP_FILTERS,
        guard: messages ? messageGuard(message_rate) : undefined,
        bufferKb: buffer_kb,
        details: async (dir) => ({ ...(await place.describe(dir, new Set(run.info().tasks.map(({ tid }) => tid)))) }),
        onStopping: (dir) => place.finish(dir),
      });
    } finally {
      place.close();
    }
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

  constructor(readonly options: IpcOptions) {}

  /** To be called when the events are being recorded already, so that nothing is missed in between. */
  async describe(dir: string, known: ReadonlySet<number>): Promise<IpcDetails> {
    const { messages, message_rate: messageRate, netns } = this.options;
    if (netns !== '') this.#watch = await NetnsWatch.start(findNetns(netns), dir);
    return {
      messages,
      messageRate,
      counters: ownCounters(),
      ...(await this.#watch?.details()),
      sockets: await readTcpSockets(new Slices()),
      tasks: readTasks().filter(({ tid }) => !known.has(tid)),
    };
  }

  async finish(dir: string): Promise<void> {
    const counters = this.#watch === undefined ? ownCounters() : await this.#watch.finish();
    writeFileSync(countersFile(dir), counters, { mode: 0o600 });
  }

  close(): void {
    this.#watch?.close();
  }
}

function ownCounters(): string {
  return readFileSync('/proc/net/snmp', 'latin1');
}
