import type { Column, ColumnRequest, EventColumns } from '../../common/column-data.ts';
import type { SectionHeader } from '../../common/header.ts';
import { largest } from '../largest.ts';
import { type ByProcess, Groups, OTHERS } from './groups.ts';

/** Who talked to whom, from the events of ipc. */
export interface ConnectionStats {
  /** Connections that were opened, each counted once, whether one end of it was seen or both. */
  readonly opened: number;
  readonly closed: number;
  /** Those with the most connections first, then those with the most bytes. */
  readonly pairs: readonly ConnectionPair[];
}

export interface ConnectionPair {
  readonly client: Peer;
  readonly server: Peer & { readonly port: number | null };
  readonly opened: number;
  readonly closed: number;
  /** Null where the tool tells no sizes. */
  readonly bytes_to_server: number | null;
  readonly bytes_to_client: number | null;
}

/** One end: a process, or an address where the process is not known. */
export interface Peer {
  readonly comm: string;
  readonly pid: number | null;
}

const FIELDS = ['pid', 'comm', 'addr', 'port', 'other_pid', 'other_comm', 'other_addr', 'other_port', 'bytes'];
const WANT: readonly ColumnRequest[] = FIELDS.map((field) => ({ field, as: 'text' }));

export function isConnections({ datatype, fields }: SectionHeader): boolean {
  return datatype === 'event' && FIELDS.every((field) => fields?.includes(field) === true);
}

/** Connections that are followed at the same time; of more, the oldest are forgotten. */
const MOST_OPEN = 100_000;

interface End {
  readonly pid: string;
  readonly comm: string;
  readonly addr: string;
  readonly port: string;
}

interface Open {
  readonly pair: Pair;
  /** Address and port of the end that connected. */
  readonly client: string;
  connect: boolean;
  accept: boolean;
  /** The end that closed it first. The other may still send, receive and close. */
  closedBy: string | undefined;
}

class Pair {
  opened = 0;
  closed = 0;
  /** Bytes by direction, as the sender and as the receiver counted them: both ends may have been seen. */
  readonly toServer = { sent: 0, received: 0 };
  readonly toClient = { sent: 0, received: 0 };
  readonly client = new Processes();
  readonly server = new Processes();

  constructor(
    readonly clientName: string,
    readonly serverName: string,
    readonly port: string,
  ) {}
}

/** The pid where it was always the same. */
class Processes {
  #pid: string | undefined;
  #several = false;

  see(pid: string): void {
    if (pid === '') return;
    this.#several ||= this.#pid !== undefined && this.#pid !== pid;
    this.#pid = pid;
  }

  get pid(): number | null {
    return this.#several || this.#pid === undefined ? null : Number(this.#pid);
  }
}

/** Gathers ConnectionStats, of events in the order of time. */
export class ConnectionCounter {
  readonly want = WANT;
  readonly #open = new Map<string, Open>();
  readonly #pairs: Groups<string, Pair>;
  #made: [string, string, string] = ['', '', ''];
  #opened = 0;
  #closed = 0;
  #sizes = false;

  constructor(readonly by: ByProcess) {
    this.#pairs = new Groups(
      () => new Pair(...this.#made),
      () => new Pair(OTHERS, OTHERS, ''),
    );
  }

  add({ length, type, columns }: EventColumns): void {
    const text = (place: number, row: number): string => {
      const { dictionary, values } = columns[place] as Column;
      return dictionary[values[row]!]!;
    };
    for (let i = 0; i < length; i++) {
      const own = { pid: text(0, i), comm: text(1, i), addr: text(2, i), port: text(3, i) };
      const other = { pid: text(4, i), comm: text(5, i), addr: text(6, i), port: text(7, i) };
      this.#event(type.dictionary[type.values[i]!]!, own, other, text(8, i));
    }
  }

  #event(type: string, own: End, other: End, bytes: string): void {
    const key = connectionKey(own, other);
    switch (type) {
      case 'connect':
      case 'accept': {
        const known = this.#open.get(key);
        if (known !== undefined && !known[type] && known.closedBy === undefined) {
          known[type] = true;
          this.#name(known.pair, type === 'connect' ? own : other, type === 'connect' ? other : own);
          break;
        }
        const opened = this.#follow(key, type === 'connect' ? own : other, type === 'connect' ? other : own);
        opened[type] = true;
        opened.pair.opened++;
        this.#opened++;
        break;
      }
      case 'close': {
        const closing = this.#open.get(key) ?? this.#followUnopened(key, own, other);
        const by = endName(own);
        if (closing.closedBy !== undefined) {
          if (closing.closedBy !== by) this.#open.delete(key);
          break;
        }
        closing.closedBy = by;
        closing.pair.closed++;
        this.#closed++;
        break;
      }
      case 'send':
      case 'recv': {
        const connection = this.#open.get(key) ?? this.#followUnopened(key, own, other);
        const ownIsClient = connection.client === endName(own);
        const { toServer, toClient } = connection.pair;
        const direction = (type === 'send') === ownIsClient ? toServer : toClient;
        const size = Number(bytes);
        if (bytes === '' || !(size >= 0)) break;
        this.#sizes = true;
        direction[type === 'send' ? 'sent' : 'received'] += size;
        break;
      }
    }
  }

  /** A connection from before the recording: the end with the lower port is taken for the server. */
  #followUnopened(key: string, own: End, other: End): Open {
    return Number(own.port) < Number(other.port) ? this.#follow(key, other, own) : this.#follow(key, own, other);
  }

  #follow(key: string, client: End, server: End): Open {
    const ofProcess = (end: End): string => (this.by === 'pid' ? end.pid : '');
    this.#made = [peerName(client), peerName(server), server.port];
    const pair = this.#pairs.of([ofProcess(client), ofProcess(server), ...this.#made].join('\0'));
    this.#name(pair, client, server);
    const open: Open = { pair, client: endName(client), connect: false, accept: false, closedBy: undefined };
    this.#open.delete(key);
    this.#open.set(key, open);
    if (this.#open.size > MOST_OPEN) this.#open.delete(this.#open.keys().next().value as string);
    return open;
  }

  #name(pair: Pair, client: End, server: End): void {
    pair.client.see(client.pid);
    pair.server.see(server.pid);
  }

  stats(top: number): ConnectionStats {
    const size = ({ sent, received }: Pair['toServer']): number => Math.max(sent, received);
    const all = this.#pairs
      .all()
      .sort((a, b) => size(b.toServer) + size(b.toClient) - size(a.toServer) - size(a.toClient));
    return {
      opened: this.#opened,
      closed: this.#closed,
      pairs: largest(all, top, ({ opened }) => opened).map((pair) => ({
        client: { comm: pair.clientName, pid: pair.client.pid },
        server: { comm: pair.serverName, pid: pair.server.pid, port: pair.port === '' ? null : Number(pair.port) },
        opened: pair.opened,
        closed: pair.closed,
        bytes_to_server: this.#sizes ? size(pair.toServer) : null,
        bytes_to_client: this.#sizes ? size(pair.toClient) : null,
      })),
    };
  }
}

function endName({ addr, port }: End): string {
  return `${addr} ${port}`;
}

/** The same for both ends. */
function connectionKey(a: End, b: End): string {
  const [one, two] = [endName(a), endName(b)];
  return one < two ? `${one} ${two}` : `${two} ${one}`;
}

function peerName({ comm, addr }: End): string {
  return comm === '' ? addr : comm;
}
