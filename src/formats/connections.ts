import type { EventData } from '../common/datatypes.ts';

/*
 * The ends of TCP connections and what happens at them, whatever tool tells of it: who is at the other end of a connection
 * is known only when both have done something, so events are held back until it is.
 */

/** Columns of a record's datum. */
export const CONNECTION_FIELDS = [
  'pid',
  'comm',
  'addr',
  'port',
  'other_pid',
  'other_comm',
  'other_addr',
  'other_port',
  'bytes',
] as const;

export type ConnectionEvent = 'connect' | 'accept' | 'close' | 'send' | 'recv';

/** The two addresses of a socket, as text, IPv4 where it is IPv4 mapped into IPv6. */
export interface Address {
  readonly addr: string;
  readonly port: number;
  readonly otherAddr: string;
  readonly otherPort: number;
}

/** A process at a connection, under the name that it had then. */
export interface Party {
  readonly pid: number;
  readonly comm: string;
  /** Whether it is in the run's scope. */
  readonly kept: boolean;
  /** When it was forked, nanoseconds since the origin; negative infinity for one that was there before. */
  readonly born: number;
  readonly parent: Party | undefined;
}

/** One end of a connection: a socket. */
export class End {
  address: Address | undefined;
  /** The other end, where it is a socket of this machine. */
  peer: End | undefined;
  /** Who made the connection, for its client; for its server who accepted it, where the tool tells. */
  opener: Party | undefined;
  /** Whose listening socket it came in by, for its server. */
  listener: Party | undefined;
  /** Who holds it as /proc shows it, where it is older than the recording. */
  holder: Party | undefined;
  /** Who used it first (sent, received or closed), and last. */
  firstUser: Party | undefined;
  lastUser: Party | undefined;
  /** When the connection was established; negative infinity where that was before the recording. */
  since = Number.NEGATIVE_INFINITY;
  /** Bytes sent by it; undefined where not all of them were seen. */
  sent: number | undefined;
  closed: boolean = false;
  /** The socket is no more: nothing can become known of it. */
  gone: boolean = false;

  used(by: Party): void {
    this.firstUser ??= by;
    this.lastUser = by;
  }

  /**
   * Who accepted the connection: whoever used it first, or the ancestor of that process which was there when the connection
   * was established (a server that forks a process for each). Where nobody used it, who listened.
   */
  get acceptor(): Party | undefined {
    let party = this.firstUser;
    if (party === undefined) return this.listener ?? this.holder;
    while (party.born > this.since && party.parent !== undefined) party = party.parent;
    return party;
  }

  /** Who made the connection at this end, or accepted it. */
  get maker(): Party | undefined {
    return this.opener ?? this.acceptor;
  }

  /** Whether what is to be known of the process that made or accepted it is known. */
  get isMakerKnown(): boolean {
    return this.opener !== undefined || this.firstUser !== undefined || this.gone;
  }
}

interface Held {
  readonly time: number;
  readonly type: ConnectionEvent;
  readonly end: End;
  readonly by: Party | undefined;
  readonly bytes: number | undefined;
  /** Who used the other end last, at that time. */
  readonly other: Party | undefined;
}

/** What could not be told of events that were given out. */
export interface Unresolved {
  /** Events of sockets older than the recording whose address nothing told. */
  addresses: number;
  /** Events whose own process is not known. */
  processes: number;
  /** Events where the other end is on this machine, but not whose it is. */
  others: number;
}

/** Events that wait for their other end, at the most: then they are given out with what is known. */
const MOST_HELD = 100_000;

/** Pairs the ends of connections. Events go in in the order of their times, and come out in it. Memory is bounded. */
export class Connections {
  readonly unresolved: Unresolved = { addresses: 0, processes: 0, others: 0 };
  given = 0;
  readonly #ends = new Map<string, End[]>();
  #held: Held[] = [];
  #next = 0;
  #out: EventData[] = [];

  constructor(
    /** Whether events of which no process is known are kept. */
    readonly keepsUnknown: boolean,
    /** More conditions on an event: its end, who is there, and when. */
    readonly wants: (end: End, by: Party | undefined, time: number) => boolean = () => true,
    readonly mostHeld: number = MOST_HELD,
  ) {}

  /** The address of an end is known now: from here on it can be the other end of another. */
  locate(end: End, address: Address): void {
    end.address = address;
    const facing = this.#ends.get(connectionKey(mirrored(address))) ?? [];
    // The same addresses can be in use in several network namespaces: the newest that is free is the nearest.
    const peer = facing.findLast((candidate) => candidate.peer === undefined && candidate !== end);
    if (peer !== undefined) {
      end.peer = peer;
      peer.peer = end;
    }
    const key = connectionKey(address);
    const same = this.#ends.get(key);
    if (same === undefined) this.#ends.set(key, [end]);
    else same.push(end);
  }

  /** `end` turns out to be the same socket as `known`, which is forgotten. */
  merge(end: End, known: End): void {
    const { peer, address } = known;
    end.holder = known.holder;
    this.remove(known);
    if (peer !== undefined) peer.peer = undefined;
    if (address !== undefined) this.locate(end, address);
  }

  /** The socket is no more. */
  remove(end: End): void {
    end.gone = true;
    if (end.address === undefined) return;
    const key = connectionKey(end.address);
    const others = this.#ends.get(key)?.filter((other) => other !== end) ?? [];
    if (others.length === 0) this.#ends.delete(key);
    else this.#ends.set(key, others);
  }

  /** Something happened at an end. `by` is who did it; for `accept` it may be found out later. */
  event(time: number, type: ConnectionEvent, end: End, by: Party | undefined, bytes?: number): void {
    this.#held.push({ time, type, end, by, bytes, other: end.peer?.lastUser });
    while (this.#next < this.#held.length) {
      const first = this.#held[this.#next]!;
      if (!isSettled(first) && this.#held.length - this.#next <= this.mostHeld) break;
      this.#give(first);
      this.#next++;
    }
    if (this.#next > 1024 && this.#next * 2 > this.#held.length) {
      this.#held = this.#held.slice(this.#next);
      this.#next = 0;
    }
  }

  /** Nothing more comes: what is held is given out with what is known. */
  finish(): void {
    for (; this.#next < this.#held.length; this.#next++) this.#give(this.#held[this.#next]!);
    this.#held = [];
    this.#next = 0;
  }

  /** How many records can be taken. */
  get ready(): number {
    return this.#out.length;
  }

  take(): EventData[] {
    const out = this.#out;
    this.#out = [];
    return out;
  }

  #give(held: Held): void {
    const { time, type, end, bytes } = held;
    const by = held.by ?? end.maker;
    const other = otherParty(held);
    if (!(by?.kept ?? (other === undefined && this.keepsUnknown)) && other?.kept !== true) return;
    if (!this.wants(end, by, time)) return;
    this.given++;
    const { address } = end;
    if (address === undefined) this.unresolved.addresses++;
    if (by === undefined) this.unresolved.processes++;
    if (address !== undefined && other === undefined && (end.peer !== undefined || isLocal(address))) {
      this.unresolved.others++;
    }
    this.#out.push({
      time,
      type,
      datum: [
        text(by?.pid),
        by?.comm ?? '',
        address?.addr ?? '',
        text(address?.port),
        text(other?.pid),
        other?.comm ?? '',
        address?.otherAddr ?? '',
        text(address?.otherPort),
        text(bytes),
      ],
    });
  }
}

/** Whether nothing better will be known of an event by waiting. */
function isSettled({ type, end, by, other }: Held): boolean {
  if (by === undefined && !end.isMakerKnown) return false;
  const { peer } = end;
  if (peer === undefined) return end.gone;
  if (type === 'connect' || type === 'accept') return peer.isMakerKnown;
  return other !== undefined || peer.firstUser !== undefined || peer.gone;
}

function otherParty({ type, end, other }: Held): Party | undefined {
  const { peer } = end;
  if (peer === undefined) return undefined;
  if (type === 'connect' || type === 'accept') return peer.maker;
  return other ?? peer.firstUser ?? peer.maker;
}

/** Whether the other address can only be one of this machine. */
function isLocal({ addr, otherAddr }: Address): boolean {
  return isLoopback(otherAddr) || addr === otherAddr;
}

export function isLoopback(addr: string): boolean {
  return addr.startsWith('127.') || addr === '::1';
}

/** Names a connection as seen from one end. */
export function connectionKey({ addr, port, otherAddr, otherPort }: Address): string {
  return `${addr} ${port} ${otherAddr} ${otherPort}`;
}

/** The same connection as seen from the other end. */
export function mirrored({ addr, port, otherAddr, otherPort }: Address): Address {
  return { addr: otherAddr, port: otherPort, otherAddr: addr, otherPort: port };
}

function text(value: number | undefined): string {
  return value === undefined ? '' : `${value}`;
}
