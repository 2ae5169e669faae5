import { join } from 'node:path';
import * as z from 'zod';
import { errorMessage } from '../common/errors.ts';
import { type Address, type Connections, connectionKey, End, type Party } from './connections.ts';
import { type EventFormat, numberField, parseFormat, type RawRecord, textField } from './event-format.ts';
import type { Parties } from './parties.ts';
import { ipv6Text, TCP } from './proc-net-tcp.ts';
import { damagedRecording } from './recording.ts';

/*
 * From the kernel's trace events on TCP sockets to connections, whatever recorded them: ftrace and perf give the same
 * bytes. Sources: include/trace/events/sock.h and tcp.h, as each kernel describes them in its format files.
 *
 * What a socket's events tell of processes: CLOSE to SYN_SENT is in connect(2), CLOSE to LISTEN in listen(2), the changes to
 * FIN_WAIT1 and LAST_ACK in close(2) or shutdown(2), sends and receives in their calls: there the running task is the
 * one that acts. All else comes with packets, under whatever task runs just then.
 */

/** What is always recorded, and what is beside it where messages are recorded. */
export const TCP_EVENTS = [
  'sock:inet_sock_set_state',
  'tcp:tcp_destroy_sock',
  'task:task_newtask',
  'task:task_rename',
] as const;
export const TCP_MESSAGE_EVENTS = [
  'sock:sock_send_length',
  'sock:sock_recv_length',
  // It comes with each receive and has the addresses, which a socket older than the recording tells nowhere else.
  'tcp:tcp_rcv_space_adjust',
] as const;

/** Filters in the kernel, where the tool can set them (Documentation/trace/events.rst): messages of other protocols are many. */
export const TCP_FILTERS: Readonly<Record<string, string>> = {
  'sock:inet_sock_set_state': 'protocol == 6',
  'sock:sock_send_length': 'protocol == 6',
  'sock:sock_recv_length': 'protocol == 6',
};

/** The TCP sockets of the machine when the recording began. */
export const socketSchema = z.object({
  addr: z.string(),
  port: z.number(),
  otherAddr: z.string(),
  otherPort: z.number(),
  state: z.number(),
  /** Inode of its network namespace. */
  netns: z.number(),
  /** Processes that have it open. */
  pids: z.array(z.number()),
});
export type OpenSocket = z.infer<typeof socketSchema>;

/** Where it is noted when messages ceased to be recorded: nanoseconds of CLOCK_MONOTONIC, as text. */
export function messagesEndFile(dir: string): string {
  return join(dir, 'messages-end');
}

const TCP_PROTOCOL = 6;
const CLONE_THREAD = 0x10000;
const MSG_PEEK = 2;
/** Bits of common_flags (enum trace_flag_type in include/linux/trace_events.h): the event came in an interrupt. */
const IN_INTERRUPT = 0x18;

interface Socket {
  /** Who called connect(2). */
  opener?: Party;
  end?: End;
  /** Its connect(2) came to nothing. */
  isFailed?: boolean;
}

interface Listener {
  readonly addr: string;
  readonly port: number;
  readonly by: Party | undefined;
  readonly socket: number | undefined;
}

export type TcpHandler = (record: RawRecord, time: number) => void;

/** Follows the sockets of the machine through the events, and tells their connections. */
export class TcpTrace {
  /** Of the whole machine: what the kernel counts as active and passive opens. */
  activeOpens = 0;
  passiveOpens = 0;
  /** Attempts to connect that came to nothing, of processes in scope. */
  failed = 0;
  /** From this time on messages are not recorded, and so the bytes of a connection not known. */
  messagesEnd = Number.POSITIVE_INFINITY;
  readonly #sockets = new Map<number, Socket>();
  readonly #listeners = new Map<number, Listener[]>();
  /** Ends that are older than the recording, by their addresses: which socket is which is not known yet. */
  readonly #older = new Map<string, { readonly end: End; readonly pids: readonly number[] }>();
  /** Ends whose addresses are not known yet. */
  readonly #nameless = new Map<End, Party>();

  constructor(
    readonly connections: Connections,
    readonly parties: Parties,
    sockets: readonly OpenSocket[],
    /** Told for each end that is older than the recording. */
    onOlder: (end: End, socket: OpenSocket) => void = () => undefined,
  ) {
    for (const socket of sockets) this.#add(socket, onOlder);
  }

  /** What handles an event of this format; undefined where it tells nothing of connections. @throws Error on missing fields. */
  handler(format: EventFormat): TcpHandler | undefined {
    switch (format.name) {
      case 'inet_sock_set_state':
        return this.#stateHandler(format);
      case 'tcp_destroy_sock':
        return this.#destroyHandler(format);
      case 'tcp_rcv_space_adjust':
        return this.#addressHandler(format);
      case 'sock_send_length':
        return this.#messageHandler(format, 'send');
      case 'sock_recv_length':
        return this.#messageHandler(format, 'recv');
      case 'task_newtask':
        return this.#forkHandler(format);
      case 'task_rename':
        return this.#renameHandler(format);
      default:
        return undefined;
    }
  }

  /** Events are missing here: what was sent until now is not known any more. */
  gap(): void {
    for (const { end } of this.#sockets.values()) if (end !== undefined) end.sent = undefined;
  }

  finish(): void {
    for (const [end, by] of this.#nameless) this.#identify(end, by);
    this.connections.finish();
  }

  #add(socket: OpenSocket, onOlder: (end: End, socket: OpenSocket) => void): void {
    if (socket.state === TCP.listen) {
      const [pid] = socket.pids;
      this.#listen({ ...socket, by: pid === undefined ? undefined : this.parties.of(pid), socket: undefined });
      return;
    }
    if (HALF.has(socket.state)) return;
    const end = new End();
    const pid = socket.pids.at(-1);
    if (pid !== undefined) end.holder = this.parties.of(pid);
    end.closed = socket.state !== TCP.established && socket.state !== TCP.closeWait;
    onOlder(end, socket);
    this.connections.locate(end, socket);
    this.#older.set(connectionKey(socket), { end, pids: socket.pids });
  }

  #stateHandler(format: EventFormat): TcpHandler {
    const socketOf = pointerField(format, 'skaddr');
    const protocol = numberField(format, 'protocol');
    const oldState = numberField(format, 'oldstate');
    const newState = numberField(format, 'newstate');
    const tid = numberField(format, 'common_pid');
    const address = addressField(format);
    return (e, time) => {
      if (protocol(e) !== TCP_PROTOCOL) return;
      const id = socketOf(e);
      const from = oldState(e);
      switch (newState(e)) {
        case TCP.synSent:
          this.activeOpens++;
          this.#sockets.set(id, { opener: this.parties.of(tid(e)) });
          break;
        case TCP.synRecv:
          if (from !== TCP.listen) break;
          this.passiveOpens++;
          this.#sockets.delete(id);
          break;
        case TCP.listen:
          this.#listen({ ...address(e), by: this.parties.of(tid(e)), socket: id });
          break;
        case TCP.established:
          this.#established(time, id, from, address(e));
          break;
        case TCP.finWait1:
        case TCP.lastAck:
          this.#close(time, this.#ended(id, address(e)), this.parties.of(tid(e)));
          break;
        case TCP.close:
          this.#closed(id, from, address(e));
          break;
        default:
      }
    };
  }

  #established(time: number, id: number, from: number, address: Address): void {
    const socket = this.#sockets.get(id) ?? {};
    const isClient = from === TCP.synSent || socket.opener !== undefined;
    const end = socket.end ?? new End();
    end.opener = socket.opener;
    end.since = time;
    end.sent ??= 0;
    if (!isClient) end.listener = this.#listenerAt(address);
    // One with the same addresses in the list of the beginning was made just after the recording began, and is this one.
    const listed = this.#older.get(connectionKey(address));
    if (listed === undefined) this.connections.locate(end, address);
    else {
      this.#older.delete(connectionKey(address));
      this.connections.merge(end, listed.end);
    }
    this.#nameless.delete(end);
    this.#sockets.set(id, { ...socket, end });
    this.connections.event(time, isClient ? 'connect' : 'accept', end, isClient ? socket.opener : undefined);
  }

  #closed(id: number, from: number, address: Address): void {
    if (from === TCP.listen) this.#endListening(id, address.port);
    else if (from === TCP.synSent) {
      if (this.#sockets.get(id)?.opener?.kept === true) this.failed++;
      this.#sockets.set(id, { isFailed: true });
    } else if (from === TCP.established || from === TCP.closeWait) {
      // Reset by the other end, or about to be destroyed by its own: that comes then, and tells who closed it.
      this.#ended(id, address);
    }
  }

  /** The end of an established connection that changes its state. */
  #ended(id: number, address: Address): End {
    const end = this.#endOf(id);
    this.#locate(end, address);
    return end;
  }

  #close(time: number, end: End, by: Party): void {
    if (end.closed) return;
    end.closed = true;
    end.used(by);
    this.connections.event(time, 'close', end, by, time < this.messagesEnd ? end.sent : undefined);
  }

  #destroyHandler(format: EventFormat): TcpHandler {
    const socketOf = pointerField(format, 'skaddr');
    const flags = numberField(format, 'common_flags');
    const tid = numberField(format, 'common_pid');
    const address = addressField(format);
    return (e, time) => {
      const id = socketOf(e);
      const end = this.#sockets.get(id)?.end;
      this.#sockets.delete(id);
      if (end === undefined) return;
      if (end.address === undefined) this.#locate(end, address(e));
      if ((flags(e) & IN_INTERRUPT) === 0) this.#close(time, end, this.parties.of(tid(e)));
      this.#nameless.delete(end);
      this.connections.remove(end);
    };
  }

  #addressHandler(format: EventFormat): TcpHandler {
    const socketOf = pointerField(format, 'skaddr');
    const address = addressField(format);
    return (e) => {
      const end = this.#endOf(socketOf(e));
      if (end.address === undefined) this.#locate(end, address(e));
    };
  }

  #messageHandler(format: EventFormat, type: 'send' | 'recv'): TcpHandler {
    const socketOf = pointerField(format, 'sk');
    const protocol = numberField(format, 'protocol');
    const result = numberField(format, 'ret');
    const flags = numberField(format, 'flags');
    const tid = numberField(format, 'common_pid');
    return (e, time) => {
      if (protocol(e) !== TCP_PROTOCOL) return;
      const id = socketOf(e);
      const bytes = result(e);
      // A failure at a socket that is not known is one of no connection.
      if (bytes <= 0 && this.#sockets.get(id)?.end === undefined) return;
      const by = this.parties.of(tid(e));
      const end = this.#endOf(id);
      end.used(by);
      if (end.address === undefined && !this.#nameless.has(end)) {
        this.#nameless.set(end, by);
        this.#identify(end, by);
      }
      if (bytes <= 0 || (type === 'recv' && (flags(e) & MSG_PEEK) !== 0)) return;
      if (type === 'send' && end.sent !== undefined) end.sent += bytes;
      this.connections.event(time, type, end, by, bytes);
    };
  }

  #forkHandler(format: EventFormat): TcpHandler {
    const creator = numberField(format, 'common_pid');
    const child = numberField(format, 'pid');
    const flags = numberField(format, 'clone_flags');
    const comm = textField(format, 'comm');
    // clone_flags may have 64 bits; CLONE_THREAD is in the lower half.
    const isThread = (e: RawRecord): boolean => ((flags(e) % 2 ** 32) & CLONE_THREAD) !== 0;
    return (e, time) => this.parties.fork(time, child(e), creator(e), isThread(e), comm(e));
  }

  #renameHandler(format: EventFormat): TcpHandler {
    const tid = numberField(format, 'pid');
    const comm = textField(format, 'newcomm');
    return (e) => this.parties.rename(tid(e), comm(e));
  }

  #endOf(id: number): End {
    let socket = this.#sockets.get(id);
    if (socket === undefined) {
      socket = {};
      this.#sockets.set(id, socket);
    }
    if (socket.end === undefined) {
      socket.end = new End();
      socket.end.opener = socket.opener;
    }
    return socket.end;
  }

  #locate(end: End, address: Address): void {
    if (end.address !== undefined) return;
    const known = this.#older.get(connectionKey(address));
    if (known === undefined) this.connections.locate(end, address);
    else this.#take(end, known.end, connectionKey(address));
    this.#nameless.delete(end);
  }

  /** A process that has only one socket whose addresses are open uses that one. */
  #identify(end: End, by: Party): void {
    const candidates = [...this.#older].filter(([, { pids }]) => pids.includes(by.pid));
    const [only] = candidates;
    if (candidates.length !== 1 || only === undefined) return;
    this.#take(end, only[1].end, only[0]);
    this.#nameless.delete(end);
  }

  #take(end: End, older: End, key: string): void {
    this.#older.delete(key);
    end.closed ||= older.closed;
    this.connections.merge(end, older);
  }

  #listen(listener: Listener): void {
    const same = this.#listeners.get(listener.port);
    if (same === undefined) this.#listeners.set(listener.port, [listener]);
    else same.push(listener);
  }

  #endListening(socket: number, port: number): void {
    const listeners = this.#listeners.get(port) ?? [];
    // One that is older than the recording is known by its port alone.
    const index = [socket, undefined]
      .map((id) => listeners.findIndex((each) => each.socket === id))
      .find((i) => i >= 0);
    if (index !== undefined) listeners.splice(index, 1);
  }

  /** Who listens at an address: undefined where nobody does, or several (SO_REUSEPORT, network namespaces). */
  #listenerAt({ addr, port }: Address): Party | undefined {
    const listeners = this.#listeners.get(port) ?? [];
    const exact = listeners.filter((listener) => listener.addr === addr);
    const fitting = exact.length > 0 ? exact : listeners.filter((listener) => ANY.has(listener.addr));
    const pids = new Set(fitting.map(({ by }) => by?.pid));
    return pids.size === 1 ? fitting[0]?.by : undefined;
  }
}

/**
 * One function per kind of event, by id; `formats` are texts of format files.
 * @throws DamagedFileError where an event lacks a field.
 */
export function tcpHandlers(dir: string, formats: readonly string[], trace: TcpTrace): (TcpHandler | undefined)[] {
  const handlers: (TcpHandler | undefined)[] = [];
  try {
    for (const text of formats) {
      const format = parseFormat(text);
      handlers[format.id] = trace.handler(format);
    }
  } catch (error) {
    throw damagedRecording(dir, errorMessage(error), error);
  }
  return handlers;
}

/** States of a socket that is no end of a connection yet, or no more. */
const HALF: ReadonlySet<number> = new Set([TCP.synSent, TCP.synRecv, TCP.timeWait, TCP.close]);

const ANY: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/**
 * A reader of a kernel address: its lower 52 bits, which a number holds exactly, and which no two addresses of the kernel
 * share.
 */
function pointerField(format: EventFormat, name: string): (e: RawRecord) => number {
  const field = format.fields.get(name);
  if (field?.size === 4) return numberField(format, name);
  if (field?.size !== 8) throw new Error(`the event ${format.name} of this kernel has no address ${name}`);
  const { offset } = field;
  return ({ view, offset: start }) =>
    (view.getUint32(start + offset + 4, true) % 2 ** 20) * 2 ** 32 + view.getUint32(start + offset, true);
}

/** A reader of both addresses of a socket, which the kernel gives as IPv6 in any case. */
function addressField(format: EventFormat): (e: RawRecord) => Address {
  const bytesOf = (name: string): ((e: RawRecord) => string) => {
    const field = format.fields.get(name);
    if (field?.size !== 16) throw new Error(`the event ${format.name} of this kernel has no address ${name}`);
    const texts = new Map<string, string>();
    return ({ bytes, offset }) => {
      const from = offset + field.offset;
      const raw = bytes.toString('latin1', from, from + 16);
      let known = texts.get(raw);
      if (known === undefined) {
        known = ipv6Text(bytes.subarray(from, from + 16));
        if (texts.size < 10_000) texts.set(raw, known);
      }
      return known;
    };
  };
  const addr = bytesOf('saddr_v6');
  const otherAddr = bytesOf('daddr_v6');
  const port = numberField(format, 'sport');
  const otherPort = numberField(format, 'dport');
  return (e) => ({ addr: addr(e), port: port(e), otherAddr: otherAddr(e), otherPort: otherPort(e) });
}
