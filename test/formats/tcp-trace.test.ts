import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ScopeFilter, TaskTable } from '../../src/common/scope.ts';
import { Connections } from '../../src/formats/connections.ts';
import { Parties } from '../../src/formats/parties.ts';
import { TCP } from '../../src/formats/proc-net-tcp.ts';
import { type OpenSocket, TcpTrace, tcpHandlers } from '../../src/formats/tcp-trace.ts';
import { type FieldValues, traceRecord } from '../support/trace-records.ts';

const FORMATS = JSON.parse(readFileSync(join(import.meta.dirname, '../fixtures/ipc/events.json'), 'utf8')) as Record<
  string,
  string
>;

const CLIENT = 100;
const SERVER = 200;
const SOFTIRQ = 0x10;
const CLONE_THREAD = 0x10000;
/** Neighbours that differ in their lowest bits only. */
const SK_A = 0xffff888012345680n;
const SK_B = 0xffff888012345681n;
const SK_L = 0xffff888012349000n;

interface Place {
  readonly addr: string;
  readonly port: number;
  readonly otherAddr: string;
  readonly otherPort: number;
}

const AT_CLIENT: Place = { addr: '127.0.0.1', port: 40_000, otherAddr: '127.0.0.1', otherPort: 80 };
const AT_SERVER: Place = { addr: '127.0.0.1', port: 80, otherAddr: '127.0.0.1', otherPort: 40_000 };

/** The history of a machine, event by event; the time goes on by 1 µs with each. */
class History {
  time = 0;
  readonly connections: Connections;
  readonly trace: TcpTrace;
  readonly #handlers: ReturnType<typeof tcpHandlers>;

  constructor({ sockets = [] as OpenSocket[], mostHeld = 1000, own = 0, comm = '' } = {}) {
    const tasks = new TaskTable([
      { tid: CLIENT, pid: CLIENT, parent: 1, comm: 'client' },
      { tid: CLIENT + 1, pid: CLIENT, parent: 1, comm: 'thread' },
      { tid: SERVER, pid: SERVER, parent: 1, comm: 'server' },
    ]);
    const filter = new ScopeFilter({ own, ...(comm === '' ? {} : { comm }) }, tasks);
    this.connections = new Connections(comm === '', undefined, mostHeld);
    this.trace = new TcpTrace(this.connections, new Parties(tasks, filter), sockets);
    this.#handlers = tcpHandlers('.', Object.values(FORMATS), this.trace);
  }

  event(name: string, values: FieldValues): void {
    const format = FORMATS[name] as string;
    this.time += 1000;
    const record = traceRecord(format, values);
    this.#handlers[record.view.getUint16(record.offset, true)]?.(record, this.time);
  }

  state(sk: bigint, [from, to]: readonly [number, number], tid: number, place: Place, flags = 0): void {
    this.event('sock:inet_sock_set_state', {
      skaddr: sk,
      oldstate: from,
      newstate: to,
      protocol: 6,
      common_pid: tid,
      common_flags: flags,
      ...fields(place),
    });
  }

  listen(sk: bigint, tid: number, port: number, addr = '0.0.0.0'): void {
    this.state(sk, [TCP.close, TCP.listen], tid, { addr, port, otherAddr: '0.0.0.0', otherPort: 0 });
  }

  /** As over loopback: all in the client's connect(2). */
  connect(client: bigint, server: bigint, tid = CLIENT, from = AT_CLIENT, to = AT_SERVER): void {
    this.state(client, [TCP.close, TCP.synSent], tid, { ...from, port: 0 });
    this.state(client, [TCP.synSent, TCP.established], tid, from);
    this.state(server, [TCP.listen, TCP.synRecv], tid, to, SOFTIRQ);
    this.state(server, [TCP.synRecv, TCP.established], tid, to, SOFTIRQ);
  }

  message(type: 'send' | 'recv', sk: bigint, tid: number, ret: number, flags = 0): void {
    this.event(`sock:sock_${type}_length`, { sk, ret, flags, protocol: 6, common_pid: tid });
  }

  destroy(sk: bigint, tid: number, place: Place, flags = 0): void {
    this.event('tcp:tcp_destroy_sock', { skaddr: sk, common_pid: tid, common_flags: flags, ...fields(place) });
  }

  /** First the client closes, then the server. */
  close(client: bigint, server: bigint, tids = [CLIENT, SERVER], from = AT_CLIENT, to = AT_SERVER): void {
    const [c, s] = tids as [number, number];
    this.state(client, [TCP.established, TCP.finWait1], c, from);
    this.state(server, [TCP.established, TCP.closeWait], c, to, SOFTIRQ);
    this.state(server, [TCP.closeWait, TCP.lastAck], s, to);
    this.state(client, [TCP.finWait1, TCP.finWait2], s, from, SOFTIRQ);
    this.state(client, [TCP.finWait2, TCP.close], s, from, SOFTIRQ);
    this.destroy(client, s, from, SOFTIRQ);
    this.state(server, [TCP.lastAck, TCP.close], s, to, SOFTIRQ);
    this.destroy(server, s, to, SOFTIRQ);
  }

  fork(creator: number, child: number, flags = 0): void {
    this.event('task:task_newtask', {
      common_pid: creator,
      pid: child,
      clone_flags: flags,
      comm: Buffer.from('child'),
    });
  }

  /** `type pid:port>other_pid:other_port bytes` of all events. */
  rows(): string[] {
    this.trace.finish();
    return this.connections.take().map(({ type, datum }) => {
      const [pid, , , port, otherPid, , , otherPort, bytes] = datum;
      return `${type} ${pid}:${port}>${otherPid}:${otherPort} ${bytes}`.trimEnd();
    });
  }
}

/** Addresses as the kernel gives them: IPv4 mapped into IPv6. */
function fields({ addr, port, otherAddr, otherPort }: Place): FieldValues {
  return { sport: port, dport: otherPort, saddr_v6: sixteen(addr), daddr_v6: sixteen(otherAddr) };
}

function sixteen(addr: string): Uint8Array {
  if (addr === '::1') return Uint8Array.from([...Array<number>(15).fill(0), 1]);
  return Uint8Array.from([...Array<number>(10).fill(0), 255, 255, ...addr.split('.').map(Number)]);
}

function open(place: Place, pids: number[], state: number = TCP.established): OpenSocket {
  return { ...place, pids, state, netns: 1 };
}

describe('a connection from its beginning to its end', () => {
  test('both ends, each with the process that acts, whoever runs', () => {
    const history = new History();
    history.connect(SK_A, SK_B);
    history.message('send', SK_A, CLIENT + 1, 10);
    history.message('recv', SK_B, SERVER, 10);
    history.message('send', SK_B, SERVER, 7);
    history.close(SK_A, SK_B);
    expect(history.rows()).toEqual([
      'connect 100:40000>200:80',
      'accept 200:80>100:40000',
      'send 100:40000>200:80 10',
      'recv 200:80>100:40000 10',
      'send 200:80>100:40000 7',
      'close 100:40000>200:80 10',
      'close 200:80>100:40000 7',
    ]);
    expect(history.connections.unresolved).toEqual({ addresses: 0, processes: 0, others: 0 });
    expect(history.trace).toMatchObject({ activeOpens: 1, passiveOpens: 1, failed: 0 });
  });

  test('the names are those of processes, not of threads; the order is that of time', () => {
    const history = new History();
    history.connect(SK_A, SK_B, CLIENT + 1);
    history.message('send', SK_A, CLIENT + 1, 10);
    history.close(SK_A, SK_B);
    history.trace.finish();
    const records = history.connections.take();
    expect(records.map(({ datum }) => `${datum[1]}>${datum[5]}`)).toEqual([
      'client>server',
      'server>client',
      'client>server',
      'client>server',
      'server>client',
    ]);
    const times = records.map(({ time }) => time);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  test('peeks, failures and ends of data are no messages, but show who uses the socket', () => {
    const history = new History();
    history.connect(SK_A, SK_B);
    history.message('recv', SK_B, SERVER, 5, 2);
    history.message('recv', SK_B, SERVER, -11);
    history.message('recv', SK_B, SERVER, 0);
    history.message('send', SK_A, CLIENT, -32);
    expect(history.rows()).toEqual(['connect 100:40000>200:80', 'accept 200:80>100:40000']);
  });

  test('what came to nothing is counted, and what is tried on its socket is nothing', () => {
    const history = new History();
    history.state(SK_A, [TCP.close, TCP.synSent], CLIENT, AT_CLIENT);
    history.state(SK_A, [TCP.synSent, TCP.close], CLIENT, AT_CLIENT, SOFTIRQ);
    history.message('send', SK_A, CLIENT, -32);
    history.destroy(SK_A, CLIENT, AT_CLIENT);
    expect(history.rows()).toEqual([]);
    expect(history.trace).toMatchObject({ activeOpens: 1, failed: 1 });
  });

  test('other protocols are left alone', () => {
    const history = new History();
    const values = { newstate: TCP.established, oldstate: TCP.synSent, skaddr: SK_A, ...fields(AT_CLIENT) };
    history.event('sock:inet_sock_set_state', { ...values, protocol: 132 });
    history.event('sock:sock_send_length', { sk: SK_A, ret: 10, protocol: 17, common_pid: CLIENT });
    expect(history.rows()).toEqual([]);
  });

  test('reset by the other end: it is closed when its process closes it', () => {
    const history = new History();
    history.connect(SK_A, SK_B);
    history.message('send', SK_A, CLIENT, 10);
    // close(2) with data unread.
    history.state(SK_B, [TCP.established, TCP.close], SERVER, AT_SERVER);
    history.destroy(SK_B, SERVER, AT_SERVER);
    history.state(SK_A, [TCP.established, TCP.close], SERVER, AT_CLIENT, SOFTIRQ);
    history.destroy(SK_A, CLIENT, AT_CLIENT);
    expect(history.rows().slice(-2)).toEqual(['close 200:80>100:40000 0', 'close 100:40000>200:80 10']);
  });

  test('the same addresses, ports and sockets again', () => {
    const history = new History();
    for (let i = 0; i < 3; i++) {
      history.connect(SK_A, SK_B);
      history.message('send', SK_A, CLIENT, 10 + i);
      history.close(SK_A, SK_B);
      history.fork(1, SERVER);
    }
    const rows = history.rows();
    expect(rows.filter((row) => row.startsWith('close 100'))).toEqual(
      [10, 11, 12].map((bytes) => `close 100:40000>200:80 ${bytes}`),
    );
    expect(rows).toHaveLength(15);
  });

  test('the same addresses in two network namespaces at the same time', () => {
    const history = new History();
    const [a, b] = [SK_A + 0x10000n, SK_B + 0x10000n];
    history.fork(1, 300);
    history.fork(1, 400);
    history.connect(SK_A, SK_B);
    history.connect(a, b, 300);
    history.message('send', a, 300, 1);
    history.message('recv', b, 400, 1);
    history.message('send', SK_A, CLIENT, 2);
    history.message('recv', SK_B, SERVER, 2);
    expect(history.rows().slice(2)).toEqual([
      'connect 300:40000>400:80',
      'accept 400:80>300:40000',
      'send 300:40000>400:80 1',
      'recv 400:80>300:40000 1',
      'send 100:40000>200:80 2',
      'recv 200:80>100:40000 2',
    ]);
  });

  test('an end elsewhere has no process, and that is no fault', () => {
    const history = new History();
    const place = { addr: '10.0.0.1', port: 40_000, otherAddr: '10.9.9.9', otherPort: 443 };
    history.state(SK_A, [TCP.close, TCP.synSent], CLIENT, place);
    history.state(SK_A, [TCP.synSent, TCP.established], SERVER, place, SOFTIRQ);
    history.message('send', SK_A, CLIENT, 10);
    expect(history.rows()).toEqual(['connect 100:40000>:443', 'send 100:40000>:443 10']);
    expect(history.connections.unresolved).toEqual({ addresses: 0, processes: 0, others: 0 });
  });
});

describe('who accepted', () => {
  test('a process that was forked after the connection was made did not: the one that was there did', () => {
    const history = new History();
    history.connect(SK_A, SK_B);
    history.fork(SERVER, 300);
    history.message('recv', SK_B, 300, 10);
    history.message('send', SK_A, CLIENT, 5);
    history.close(SK_A, SK_B, [CLIENT, 300]);
    const rows = history.rows();
    expect(rows.slice(0, 2)).toEqual(['connect 100:40000>200:80', 'accept 200:80>100:40000']);
    expect(rows.slice(2).every((row) => row.includes('300:80'))).toBe(true);
  });

  test('a thread is its process, however late it began', () => {
    const history = new History();
    history.connect(SK_A, SK_B);
    history.fork(SERVER, 300, CLONE_THREAD);
    history.message('recv', SK_B, 300, 10);
    expect(history.rows()).toContain('accept 200:80>100:40000');
  });

  test('where nobody used the connection, the one who listens there', () => {
    const history = new History();
    history.listen(SK_L, SERVER, 80);
    history.connect(SK_A, SK_B);
    expect(history.rows()).toEqual(['connect 100:40000>200:80', 'accept 200:80>100:40000']);
  });

  test('nobody where several listen there, or none any more; it is counted', () => {
    for (const change of ['another', 'none'] as const) {
      const history = new History();
      history.fork(1, 300);
      history.listen(SK_L, SERVER, 80);
      if (change === 'another') history.listen(SK_L + 64n, 300, 80);
      else {
        const place = { addr: '0.0.0.0', port: 80, otherAddr: '0.0.0.0', otherPort: 0 };
        history.state(SK_L, [TCP.listen, TCP.close], SERVER, place);
      }
      history.connect(SK_A, SK_B);
      expect(history.rows()).toEqual(['connect 100:40000>:80', 'accept :80>100:40000']);
      expect(history.connections.unresolved).toEqual({ addresses: 0, processes: 1, others: 1 });
    }
  });

  test('one who listens at that very address goes before one who listens at all', () => {
    const history = new History();
    history.fork(1, 300);
    history.listen(SK_L, 300, 80);
    history.listen(SK_L + 64n, SERVER, 80, '127.0.0.1');
    history.connect(SK_A, SK_B);
    expect(history.rows()).toContain('accept 200:80>100:40000');
  });
});

describe('connections that are older than the recording', () => {
  const sockets = [open(AT_CLIENT, [CLIENT]), open(AT_SERVER, [SERVER])];

  test('a process with one of them is known to use it', () => {
    const history = new History({ sockets });
    history.message('send', SK_A, CLIENT, 10);
    history.message('recv', SK_B, SERVER, 10);
    history.state(SK_A, [TCP.established, TCP.finWait1], CLIENT, AT_CLIENT);
    expect(history.rows()).toEqual([
      'send 100:40000>200:80 10',
      'recv 200:80>100:40000 10',
      // What was sent before is not known.
      'close 100:40000>200:80',
    ]);
  });

  test('of several, a receive or the close tells which', () => {
    const second = { ...AT_CLIENT, port: 40_001 };
    const history = new History({ sockets: [...sockets, open(second, [CLIENT])] });
    history.message('send', SK_A, CLIENT, 10);
    history.event('tcp:tcp_rcv_space_adjust', { skaddr: SK_A, common_pid: CLIENT, ...fields(AT_CLIENT) });
    history.message('recv', SK_A, CLIENT, 3);
    expect(history.rows()).toEqual(['send 100:40000>200:80 10', 'recv 100:40000>200:80 3']);
    expect(history.connections.unresolved).toMatchObject({ addresses: 0 });
  });

  test('where nothing tells, it is counted', () => {
    const second = { ...AT_CLIENT, port: 40_001 };
    const history = new History({ sockets: [...sockets, open(second, [CLIENT])] });
    history.message('send', SK_A, CLIENT, 10);
    expect(history.rows()).toEqual(['send 100:>: 10']);
    expect(history.connections.unresolved).toMatchObject({ addresses: 1 });
  });

  test('where the other end does nothing, it is the process that has it open', () => {
    const history = new History({ sockets });
    history.message('send', SK_A, CLIENT, 10);
    expect(history.rows()).toEqual(['send 100:40000>200:80 10']);
  });

  test('one that was closed before is not closed again', () => {
    const history = new History({ sockets: [open(AT_CLIENT, [CLIENT], TCP.finWait2)] });
    history.state(SK_A, [TCP.finWait2, TCP.close], 0, AT_CLIENT, SOFTIRQ);
    history.destroy(SK_A, 0, AT_CLIENT, SOFTIRQ);
    expect(history.rows()).toEqual([]);
  });

  test('one in the list that was made just after the recording began is the one that was made', () => {
    const history = new History({ sockets });
    history.connect(SK_A, SK_B);
    history.message('send', SK_A, CLIENT, 10);
    history.close(SK_A, SK_B);
    expect(history.rows()).toEqual([
      'connect 100:40000>200:80',
      'accept 200:80>100:40000',
      'send 100:40000>200:80 10',
      'close 100:40000>200:80 10',
      'close 200:80>100:40000 0',
    ]);
  });

  test('listening sockets of the list', () => {
    const listener = { addr: '::', port: 80, otherAddr: '::', otherPort: 0 };
    const history = new History({ sockets: [open(listener, [SERVER, 300], TCP.listen)] });
    history.connect(SK_A, SK_B);
    expect(history.rows()).toContain('accept 200:80>100:40000');
  });
});

describe('limits', () => {
  test('behind a gap the bytes of connections from before it are not known', () => {
    const history = new History();
    history.connect(SK_A, SK_B);
    history.message('send', SK_A, CLIENT, 10);
    history.trace.gap();
    history.close(SK_A, SK_B);
    expect(history.rows().filter((row) => row.startsWith('close'))).toEqual([
      'close 100:40000>200:80',
      'close 200:80>100:40000',
    ]);
  });

  test('where messages are recorded no more, bytes are not known', () => {
    const history = new History();
    history.connect(SK_A, SK_B);
    history.trace.messagesEnd = history.time;
    history.close(SK_A, SK_B);
    expect(history.rows().filter((row) => row.startsWith('close'))).toEqual([
      'close 100:40000>200:80',
      'close 200:80>100:40000',
    ]);
  });

  test('no more are held than the limit, and they come out in order', () => {
    const history = new History({ mostHeld: 10 });
    history.connect(SK_A, SK_B);
    for (let i = 0; i < 3000; i++) {
      history.message('send', SK_A, CLIENT, i + 1);
      expect(history.connections.ready).toBeGreaterThanOrEqual(i + 3 - 10);
    }
    expect(history.rows().slice(2)).toEqual(Array.from({ length: 3000 }, (_, i) => `send 100:40000>:80 ${i + 1}`));
    // Both ends are on this machine.
    expect(history.connections.unresolved.others).toBe(3001);
  });

  test('the scope has one end or the other', () => {
    for (const comm of ['^client$', '^server$']) {
      const history = new History({ comm });
      history.connect(SK_A, SK_B);
      history.close(SK_A, SK_B);
      expect(history.rows()).toHaveLength(4);
    }
    const history = new History({ comm: '^other$' });
    history.connect(SK_A, SK_B);
    history.close(SK_A, SK_B);
    expect(history.rows()).toEqual([]);
  });

  test('a kernel whose events lack a field is refused by name', () => {
    const broken = (FORMATS['sock:inet_sock_set_state'] as string).replace('saddr_v6', 'source');
    const { trace } = new History();
    expect(() => tcpHandlers('dir', [broken], trace)).toThrow(/inet_sock_set_state.*no address saddr_v6/u);
  });
});
