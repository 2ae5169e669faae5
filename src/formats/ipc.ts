import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import type { EventData } from '../common/datatypes.ts';
import { isSystemWide, ScopeFilter, TaskTable } from '../common/scope.ts';
import type { Report } from '../common/section.ts';
import { Connections } from './connections.ts';
import { NetnsMembers, netnsSchema } from './netns-members.ts';
import { Parties } from './parties.ts';
import { parseTcpCounters } from './proc-net-tcp.ts';
import { damagedRecording, type Recording, type RunInfo } from './recording.ts';
import { messagesEndFile, socketSchema, TcpTrace } from './tcp-trace.ts';

/** What a recording of TCP events tells beside the events, whatever tool recorded them. */
export const ipcDetailsSchema = z.object({
  /** Whether sends and receives are recorded, and until how many of them in a second. */
  messages: z.boolean(),
  messageRate: z.number(),
  sockets: z.array(socketSchema),
  /** Tasks that had come between the start of the run and that of the recording. */
  tasks: z.array(z.object({ tid: z.number(), pid: z.number(), parent: z.number(), comm: z.string() })),
  /** Text of /proc/net/snmp at the start; that of the end is in a file, see countersFile. */
  counters: z.string(),
  netns: netnsSchema.optional(),
});
export type IpcDetails = z.infer<typeof ipcDetailsSchema>;

export function countersFile(dir: string): string {
  return join(dir, 'snmp');
}

/** @throws DamagedFileError where the recording's description is none of TCP events. */
export function parseIpcDetails(dir: string, recording: Recording): IpcDetails {
  const parsed = ipcDetailsSchema.safeParse(recording.details);
  if (!parsed.success) throw damagedRecording(dir, 'not a description of a TCP recording');
  return parsed.data;
}

/** From TCP events to the records of ipc, and what is to be said of them. */
export class IpcDecoder {
  readonly trace: TcpTrace;
  readonly parties: Parties;
  readonly #connections: Connections;
  readonly #netns: NetnsMembers | undefined;
  readonly #origin: bigint;

  constructor(
    readonly dir: string,
    readonly details: IpcDetails,
    run: RunInfo,
    readonly report: Report,
  ) {
    this.#origin = BigInt(run.origin);
    const tasks = new TaskTable([...run.tasks, ...details.tasks]);
    const netns = details.netns === undefined ? undefined : new NetnsMembers(details.netns, dir);
    this.#netns = netns;
    this.parties = new Parties(tasks, new ScopeFilter(run.scope, tasks));
    this.#connections = new Connections(
      isSystemWide(run.scope),
      netns === undefined ? undefined : (end, by, time) => netns.includes(end, by, time),
    );
    this.trace = new TcpTrace(this.#connections, this.parties, details.sockets, (end, socket) =>
      netns?.know(end, socket.netns),
    );
    this.trace.messagesEnd = this.#messagesEnd();
  }

  /** Records that are settled, in the order of their times; none until there are some thousands of them. */
  take(least: number): EventData[] {
    return this.#connections.ready >= least ? this.#connections.take() : [];
  }

  /** What is left. Nothing more comes; `lost` events never came. */
  finish(lost: number): EventData[] {
    this.trace.finish();
    this.#reportMessages();
    this.#reportUnresolved();
    this.#compare(lost);
    return this.#connections.take();
  }

  #messagesEnd(): number {
    if (!this.details.messages) return Number.NEGATIVE_INFINITY;
    try {
      return Number(BigInt(readFileSync(messagesEndFile(this.dir), 'utf8').trim()) - this.#origin);
    } catch {
      return Number.POSITIVE_INFINITY;
    }
  }

  #reportMessages(): void {
    const { messagesEnd } = this.trace;
    if (!this.details.messages) {
      this.report.note('sends and receives are not recorded ([ipc] messages = false), and so no bytes are known');
    } else if (Number.isFinite(messagesEnd)) {
      this.report.warn(
        `sends and receives were recorded for the first ${(messagesEnd / 1e9).toFixed(1)} s only: there were more than ` +
          `${this.details.messageRate} events in a second ([ipc] message_rate); what is behind are connects, accepts and closes, without bytes`,
      );
    }
  }

  #reportUnresolved(): void {
    const { unresolved, given } = this.#connections;
    const { addresses, processes, others } = unresolved;
    if (addresses > 0) {
      this.report.warn(
        `${addresses} of ${given} events have no addresses and no other end: their connections are older than the run, and nothing told which ones they are`,
      );
    }
    if (processes > 0) this.report.warn(`${processes} of ${given} events have no process: none was seen at that end`);
    if (others > 0) {
      this.report.warn(
        `${others} of ${given} events have no process at the other end although it is on this machine: none was seen there`,
      );
    }
    if (this.trace.failed > 0) {
      this.report.note(`${this.trace.failed} attempts to connect came to nothing; they are not in the data`);
    }
    const doubtful = this.#netns?.doubtful.size ?? 0;
    if (doubtful > 0) {
      this.report.note(
        `${doubtful} ends of connections over loopback are taken to be of another network namespace, since that of the process's parent is another`,
      );
    }
  }

  /** Compares the events with the kernel's own counts of one network namespace: there may be more events, not fewer. */
  #compare(lost: number): void {
    const before = parseTcpCounters(this.details.counters);
    const after = parseTcpCounters(this.#countersAtEnd());
    if (before === undefined || after === undefined) return;
    const { activeOpens, passiveOpens } = this.trace;
    const counts: [string, number, number][] = [
      ['active', activeOpens, after.activeOpens - before.activeOpens],
      ['passive', passiveOpens, after.passiveOpens - before.passiveOpens],
    ];
    for (const [kind, seen, counted] of counts) {
      // The counts are read a moment after the recording begins and before it ends.
      if (counted - seen <= SLACK) continue;
      const sentence = `the kernel counted ${counted} ${kind} opens of TCP connections, but only ${seen} were recorded`;
      if (lost > 0) this.report.warn(sentence);
      else this.report.distrust(sentence);
    }
  }

  #countersAtEnd(): string {
    try {
      return readFileSync(countersFile(this.dir), 'utf8');
    } catch {
      // The recording was cut off.
      return '';
    }
  }
}

const SLACK = 2;
