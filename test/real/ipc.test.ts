import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Choice } from '../../src/collect/choose.ts';
import { Ipc, type IpcOptions } from '../../src/collect/ipc.ts';
import { findNetns } from '../../src/collect/proc/netns.ts';
import { readTasks } from '../../src/collect/proc/tasks.ts';
import type { EventData } from '../../src/common/datatypes.ts';
import type { SectionHeader } from '../../src/common/header.ts';
import type { Scope } from '../../src/common/scope.ts';
import { parseTcpCounters, type TcpCounters } from '../../src/formats/proc-net-tcp.ts';
import { makePlace, type Place, sleep } from '../e2e/marple.ts';
import { headerOf } from '../support/data-files.ts';
import { makeNetns } from '../support/netns.ts';
import { compileProgram } from '../support/programs.ts';
import { collectAll, type TestRun, testRun } from '../support/run.ts';
import { startServer, startTcp } from '../support/tcp.ts';

const COUNT = 50;
const SENT = 1000;
const RECEIVED = 3000;

const program = compileProgram('tcp');
const compiledFarHost = compileProgram('far_host');

interface Row {
  readonly time: number;
  readonly type: string;
  readonly pid: string;
  readonly comm: string;
  readonly addr: string;
  readonly port: string;
  readonly otherPid: string;
  readonly otherComm: string;
  readonly otherAddr: string;
  readonly otherPort: string;
  readonly bytes: string;
}

function rowOf({ time, type, datum }: EventData): Row {
  const [pid, comm, addr, port, otherPid, otherComm, otherAddr, otherPort, bytes] = datum as [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  return { time, type, pid, comm, addr, port, otherPid, otherComm, otherAddr, otherPort, bytes };
}

interface Recorded extends TestRun<IpcOptions> {
  /** Ends the run. */
  rows(): Promise<Row[]>;
  /** The same, those of connections with this port. */
  at(port: number): Promise<Row[]>;
  notes(): string;
  /** Without the one that perf always has. */
  warnings(): string[];
}

/** Starts to collect; what is started by the test itself would be left out as MARPLE's own, so no process is that here. */
async function record(tool: string, options: Partial<IpcOptions> = {}, scope: Partial<Scope> = {}): Promise<Recorded> {
  const test = testRun({
    tool,
    options: Ipc.description.options.parse(options),
    scope: { own: 0, ...scope },
    tasks: readTasks(),
  });
  const collected = collectAll(new Ipc(test.run));
  await test.started;
  const rows = async (): Promise<Row[]> => {
    test.stop();
    const records = ((await collected)[0] ?? []) as EventData[];
    const times = records.map(({ time }) => time);
    expect(times.every((time, i) => Number.isInteger(time) && (i === 0 || time >= (times[i - 1] as number)))).toBe(
      true,
    );
    return records.map(rowOf);
  };
  return {
    ...test,
    rows,
    at: async (port) => (await rows()).filter((row) => [row.port, row.otherPort].includes(`${port}`)),
    warnings: () => test.report.warnings.filter((warning) => !warning.startsWith('perf does not see')),
    notes: () => {
      const header: SectionHeader = headerOf('event');
      test.report.applyTo(header);
      return (header.notes ?? []).join('\n');
    },
  };
}

function countBy(rows: readonly Row[], key = ({ type }: Row): string => type): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const row of rows) counts[key(row)] = (counts[key(row)] ?? 0) + 1;
  return counts;
}

const sum = (rows: readonly Row[]): number => rows.reduce((total, { bytes }) => total + Number(bytes), 0);

describe.each(['ftrace', 'perf'])('%s', (tool) => {
  test.each([
    ['IPv4', '127.0.0.1', '127.0.0.1'],
    ['IPv6', '::1', '::1'],
    ['IPv4 at an IPv6 socket', '::', '127.0.0.1'],
  ])('a known number of connections: %s', async (_, own, address) => {
    const recorded = await record(tool);
    const server = await startServer(program, ['tcpserver', own, 'plain', COUNT, SENT, RECEIVED]);
    const client = startTcp(program, ['connect', 'tcpclient', address, server.port, COUNT, SENT, RECEIVED]);
    await Promise.all([server.end(), client.end()]);
    const rows = await recorded.at(server.port);
    const [c, s] = [`${client.pid}`, `${server.pid}`];
    const fromClient = {
      pid: c,
      comm: 'tcpclient',
      otherPid: s,
      otherComm: 'tcpserver',
      addr: address,
      otherAddr: address,
    };
    const fromServer = {
      pid: s,
      comm: 'tcpserver',
      otherPid: c,
      otherComm: 'tcpclient',
      addr: address,
      otherAddr: address,
    };
    const of = (type: string, pid: string): Row[] => rows.filter((row) => row.type === type && row.pid === pid);
    for (const row of rows) expect(row).toMatchObject(row.pid === c ? fromClient : fromServer);
    expect(of('connect', c)).toHaveLength(COUNT);
    expect(of('accept', s)).toHaveLength(COUNT);
    expect(of('connect', s)).toEqual([]);
    expect(of('accept', c)).toEqual([]);
    for (const [pid, out, back] of [
      [c, SENT, RECEIVED],
      [s, RECEIVED, SENT],
    ] as const) {
      expect(of('close', pid).map(({ bytes }) => Number(bytes))).toEqual(Array(COUNT).fill(out));
      expect(sum(of('send', pid))).toBe(COUNT * out);
      expect(sum(of('recv', pid))).toBe(COUNT * back);
    }
  });

  test('a server that forks for each connection: it accepts, its children talk', async () => {
    const recorded = await record(tool);
    const server = await startServer(program, ['forkserver', '127.0.0.1', 'fork', COUNT, SENT, RECEIVED]);
    const client = startTcp(program, ['connect', 'forkclient', '127.0.0.1', server.port, COUNT, SENT, RECEIVED]);
    await Promise.all([server.end(), client.end()]);
    const rows = await recorded.at(server.port);
    const [c, s] = [`${client.pid}`, `${server.pid}`];
    const ofServer = rows.filter(({ comm }) => comm === 'forkserver');
    expect(ofServer.filter(({ type }) => type === 'accept').map(({ pid }) => pid)).toEqual(Array(COUNT).fill(s));
    expect(rows.filter(({ type }) => type === 'connect').map(({ otherPid }) => otherPid)).toEqual(Array(COUNT).fill(s));
    const talk = ofServer.filter(({ type }) => type !== 'accept');
    expect(talk.every(({ pid, otherPid }) => pid !== s && otherPid === c)).toBe(true);
    const children = talk.filter(({ type }) => type === 'close').map(({ pid }) => pid);
    expect(new Set(children).size).toBe(COUNT);
    // The client's messages go to the child of their connection.
    for (const { otherPid, port } of rows.filter(({ pid, type }) => pid === c && type === 'send')) {
      expect(talk.filter(({ otherPort }) => otherPort === port).map(({ pid }) => pid)).toContain(otherPid);
    }
    expect(sum(talk.filter(({ type }) => type === 'send'))).toBe(COUNT * RECEIVED);
  });

  test('a child that accepts at a socket of its parent', async () => {
    const recorded = await record(tool);
    const server = await startServer(program, ['preserver', '127.0.0.1', 'prefork', COUNT, SENT, RECEIVED]);
    const client = startTcp(program, ['connect', 'preclient', '127.0.0.1', server.port, COUNT, SENT, RECEIVED]);
    await Promise.all([server.end(), client.end()]);
    const rows = await recorded.at(server.port);
    const accepts = rows.filter(({ type }) => type === 'accept');
    expect(accepts).toHaveLength(COUNT);
    expect(new Set(accepts.map(({ pid }) => pid)).size).toBe(1);
    expect(accepts[0]).toMatchObject({ comm: 'preserver', otherPid: `${client.pid}` });
    expect(accepts[0]?.pid).not.toBe(`${server.pid}`);
    for (const row of rows.filter(({ type }) => type === 'connect')) expect(row.otherPid).toBe(accepts[0]?.pid);
  });

  test('a server that closes without a word, and a client that nobody answers', async () => {
    const recorded = await record(tool);
    const server = await startServer(program, ['idleserver', '::1', 'idle', COUNT, 0, 0]);
    const client = startTcp(program, ['connect', 'idleclient', '::1', server.port, COUNT, 0, 0]);
    await Promise.all([server.end(), client.end()]);
    const refused = startTcp(program, ['refused', 'refused', '127.0.0.1', server.port, 3]);
    await refused.end();
    const rows = await recorded.at(server.port);
    const counts = (comm: string): Record<string, number> => countBy(rows.filter((row) => row.comm === comm));
    expect(counts('idleserver')).toEqual({ accept: COUNT, close: COUNT });
    expect(counts('idleclient')).toEqual({ connect: COUNT, close: COUNT });
    expect(rows).toHaveLength(4 * COUNT);
    expect(rows.every(({ otherPid }) => [client.pid, server.pid].map(String).includes(otherPid))).toBe(true);
    expect(recorded.notes()).toMatch(/^3 attempts to connect came to nothing/mu);
  });

  test.each([
    [1, 'closed in it'],
    [3, 'closed in it'],
    [3, 'open to its end'],
  ])('%i connections that are older than the run, %s', async (connections, until) => {
    const isClosed = until === 'closed in it';
    const server = await startServer(program, ['oldserver', '127.0.0.1', 'plain', -connections, SENT, RECEIVED]);
    const client = startTcp(program, ['connect', 'oldclient', '127.0.0.1', server.port, -connections, SENT, RECEIVED]);
    await client.line();
    const recorded = await record(tool);
    const rounds = 3;
    for (let i = 0; i < rounds; i++) {
      client.write('');
      await client.line();
    }
    if (isClosed) await Promise.all([client.end(), server.end()]);
    const rows = await recorded.at(server.port);
    await Promise.all([client.end(), server.end()]);
    const [c, s] = [`${client.pid}`, `${server.pid}`];
    for (const [pid, other, out, back] of [
      [c, s, SENT, RECEIVED],
      [s, c, RECEIVED, SENT],
    ] as const) {
      const own = rows.filter((row) => row.pid === pid);
      expect(own.every(({ otherPid }) => otherPid === other)).toBe(true);
      const count = connections * rounds;
      expect(countBy(own)).toEqual({
        send: count,
        recv: expect.any(Number),
        ...(isClosed ? { close: connections } : {}),
      });
      expect(sum(own.filter(({ type }) => type === 'send'))).toBe(count * out);
      expect(sum(own.filter(({ type }) => type === 'recv'))).toBe(count * back);
      // What was sent before the run is not known.
      for (const { bytes } of own.filter(({ type }) => type === 'close')) expect(bytes).toBe('');
      const port = pid === c ? 'port' : 'otherPort';
      expect(Object.values(countBy(own, (row) => `${row.type} ${row[port]}`))).toHaveLength(
        (isClosed ? 3 : 2) * connections,
      );
    }
    expect(recorded.warnings()).toEqual([]);
  });

  test('two ends in two network namespaces', async () => {
    const netns = makeNetns();
    const recorded = await record(tool);
    const server = await startServer(
      program,
      ['farserver', netns.inside, 'plain', COUNT, SENT, RECEIVED],
      netns.through,
    );
    const client = startTcp(program, ['connect', 'farclient', netns.inside, server.port, COUNT, SENT, RECEIVED]);
    await Promise.all([server.end(), client.end()]);
    const rows = await recorded.at(server.port);
    expect(countBy(rows)).toMatchObject({ connect: COUNT, accept: COUNT, close: 2 * COUNT });
    for (const row of rows) {
      const isClient = row.comm === 'farclient';
      expect(row).toMatchObject({
        comm: isClient ? 'farclient' : 'farserver',
        otherComm: isClient ? 'farserver' : 'farclient',
        addr: isClient ? netns.outside : netns.inside,
        otherAddr: isClient ? netns.inside : netns.outside,
      });
    }
  });

  test('an end that is not on this machine has no process', async () => {
    const card = `tun${process.pid}`;
    const host = startTcp(compiledFarHost, [card]);
    await host.line();
    execFileSync('ip', ['addr', 'add', '10.213.8.1/24', 'dev', card]);
    execFileSync('ip', ['link', 'set', card, 'up']);
    const recorded = await record(tool);
    const client = startTcp(program, ['connect', 'farclient', '10.213.8.2', 80, COUNT, SENT, 0]);
    await client.end();
    await host.end();
    const rows = (await recorded.rows()).filter(({ comm }) => comm === 'farclient');
    expect(countBy(rows)).toEqual({ connect: COUNT, send: COUNT, close: COUNT });
    for (const row of rows) {
      expect(row).toMatchObject({ pid: `${client.pid}`, otherPid: '', otherComm: '' });
      expect(row).toMatchObject({ addr: '10.213.8.1', otherAddr: '10.213.8.2', otherPort: '80' });
    }
    expect(recorded.warnings()).toEqual([]);
  });
});

describe('one network namespace', () => {
  const inside = (name: string, address: string, through: readonly string[]) =>
    startServer(program, [name, address, 'plain', COUNT, SENT, RECEIVED], through);
  const connect = (name: string, address: string, port: number, through: readonly string[] = []): Promise<void> =>
    startTcp(program, ['connect', name, address, port, COUNT, SENT, RECEIVED], through).end();

  test.each(['ftrace', 'perf'])('its sockets only, of processes that were there or came and went: %s', async (tool) => {
    const netns = makeNetns();
    const old = await inside('oldserver', '127.0.0.1', netns.through);
    const recorded = await record(tool, { netns: netns.name });
    const outer = await inside('outerserver', '127.0.0.1', []);
    const fresh = await inside('newserver', '127.0.0.1', netns.through);
    const joined = await inside('joined', netns.inside, netns.through);
    await connect('oldclient', '127.0.0.1', old.port, netns.through);
    await connect('newclient', '127.0.0.1', fresh.port, netns.through);
    await connect('outerclient', '127.0.0.1', outer.port);
    await connect('outerclient', netns.inside, joined.port);
    await Promise.all([old, fresh, joined, outer].map((server) => server.end()));
    const rows = await recorded.rows();
    expect(countBy(rows, ({ comm, type }) => `${comm} ${type}`)).toMatchObject({
      'oldserver accept': COUNT,
      'oldserver close': COUNT,
      'oldclient connect': COUNT,
      'oldclient close': COUNT,
      'newserver accept': COUNT,
      'newserver close': COUNT,
      'newclient connect': COUNT,
      'newclient close': COUNT,
      'joined accept': COUNT,
      'joined close': COUNT,
    });
    expect(rows.filter(({ comm }) => comm.startsWith('outer'))).toEqual([]);
    // The other end may well be in another namespace.
    for (const row of rows.filter(({ comm }) => comm === 'joined')) expect(row.otherComm).toBe('outerclient');
    expect(recorded.warnings()).toEqual([]);
  });

  test('by name, by path and by pid', () => {
    const netns = makeNetns();
    const { inode } = findNetns(netns.name);
    expect(findNetns(`/run/netns/${netns.name}`).inode).toBe(inode);
    expect(findNetns(`${process.pid}`).inode).toBe(statSync('/proc/self/ns/net').ino);
    expect(inode).not.toBe(findNetns(`${process.pid}`).inode);
    for (const name of ['no-such-namespace', '/etc/passwd', '999999999']) {
      expect(() => findNetns(name)).toThrow(/^there is no network namespace/u);
    }
  });
});

describe('what is recorded', () => {
  test('without messages: connections all the same, and no bytes', async () => {
    const recorded = await record('ftrace', { messages: false });
    const server = await startServer(program, ['tcpserver', '127.0.0.1', 'plain', COUNT, SENT, RECEIVED]);
    const client = startTcp(program, ['connect', 'tcpclient', '127.0.0.1', server.port, COUNT, SENT, RECEIVED]);
    await Promise.all([server.end(), client.end()]);
    const rows = await recorded.at(server.port);
    expect(countBy(rows)).toEqual({ connect: COUNT, accept: COUNT, close: 2 * COUNT });
    expect(rows.every(({ bytes }) => bytes === '')).toBe(true);
    expect(rows.every(({ otherPid }) => [client.pid, server.pid].map(String).includes(otherPid))).toBe(true);
    expect(recorded.notes()).toMatch(/^sends and receives are not recorded/mu);
  });

  test('too many messages are not recorded any more, and it is said from when on', async () => {
    const recorded = await record('ftrace', { message_rate: 1000 });
    const server = await startServer(program, ['fastserver', '127.0.0.1', 'plain', -1, 1, 1]);
    const client = startTcp(program, ['connect', 'fastclient', '127.0.0.1', server.port, -1, 1, 1]);
    await client.line();
    const end = performance.now() + 2500;
    while (performance.now() < end) {
      for (let i = 0; i < 100; i++) client.write('');
      for (let i = 0; i < 100; i++) await client.line();
    }
    await Promise.all([client.end(), server.end()]);
    const rows = await recorded.at(server.port);
    const sends = rows.filter(({ type }) => type === 'send');
    expect(sends.length).toBeGreaterThan(1000);
    const [seconds = ''] = recorded.report.warnings.flatMap(
      (warning) => /^sends and receives were recorded for the first ([\d.]+) s only/u.exec(warning)?.[1] ?? [],
    );
    const last = (sends.at(-1)?.time ?? 0) / 1e9;
    expect(last).toBeLessThanOrEqual(Number(seconds) + 0.1);
    expect(rows.at(-1)?.time ?? 0).toBeGreaterThan((last + 0.5) * 1e9);
    expect(rows.filter(({ type }) => type === 'close').map(({ bytes }) => bytes)).toEqual(['', '']);
  });

  test('the processes of the scope, with their other ends', async () => {
    const server = await startServer(program, ['tcpserver', '127.0.0.1', 'plain', 2 * COUNT, SENT, RECEIVED]);
    const recorded = await record('ftrace', {}, { comm: '^first$' });
    for (const name of ['first', 'second']) {
      await startTcp(program, ['connect', name, '127.0.0.1', server.port, COUNT, SENT, RECEIVED]).end();
    }
    await server.end();
    const rows = await recorded.rows();
    expect(countBy(rows)).toMatchObject({ connect: COUNT, accept: COUNT, close: 2 * COUNT });
    expect(rows.every(({ comm, otherComm }) => [comm, otherComm].sort().join() === 'first,tcpserver')).toBe(true);
  });

  test('as many opens as the kernel counted', async () => {
    const counters = (): TcpCounters => parseTcpCounters(readFileSync('/proc/net/snmp', 'latin1')) as TcpCounters;
    const before = counters();
    const recorded = await record('ftrace');
    const server = await startServer(program, ['tcpserver', '127.0.0.1', 'plain', 10 * COUNT, SENT, RECEIVED]);
    await startTcp(program, ['connect', 'tcpclient', '127.0.0.1', server.port, 10 * COUNT, SENT, RECEIVED]).end();
    await server.end();
    const rows = await recorded.rows();
    const after = counters();
    const { connect = 0, accept = 0 } = countBy(rows);
    expect(connect).toBeGreaterThanOrEqual(10 * COUNT);
    expect(connect).toBeLessThanOrEqual(after.activeOpens - before.activeOpens);
    expect(accept).toBeGreaterThanOrEqual(10 * COUNT);
    expect(accept).toBeLessThanOrEqual(after.passiveOpens - before.passiveOpens);
    expect(recorded.report).toMatchObject({ lostCount: 0, distrusted: undefined });
  });
});

describe('marple collect --ipc', () => {
  let place: Place;
  beforeAll(() => {
    place = makePlace();
    return () => place.remove();
  });

  const records = (path: string): Row[] =>
    readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((line) => {
        const [time, type, ...datum] = line.split(',');
        return rowOf({ time: Number(time), type: type as string, datum });
      });

  test('with a command: its connections alone, with links between their ends', async () => {
    const server = await startServer(program, ['tcpserver', '127.0.0.1', 'plain', COUNT, SENT, RECEIVED]);
    const command = [program, 'connect', 'tcpclient', '127.0.0.1', `${server.port}`, COUNT, SENT, RECEIVED].map(String);
    const ended = await place.marple(['collect', '--ipc', '-o', 'x.marple', '--', ...command]);
    expect(ended).toMatchObject({ code: 0, stdout: `done ${COUNT * SENT} ${COUNT * RECEIVED}\n` });
    const rows = records(place.path('x.marple'));
    expect(countBy(rows)).toMatchObject({ connect: COUNT, accept: COUNT, close: 2 * COUNT });
    expect(rows.every(({ pid, otherPid }) => [pid, otherPid].includes(`${server.pid}`))).toBe(true);
    const [header = ''] = readFileSync(place.path('x.marple'), 'utf8').split('\n');
    expect(JSON.parse(header)).toMatchObject({
      interface: 'ipc',
      datatype: 'event',
      links: [['pid', 'other_pid']],
      records: rows.length,
      tool: { name: 'ftrace' },
      options: { messages: true, message_rate: 50_000 },
    });
    expect(place.leftovers()).toEqual([]);
  });

  test('with a command and -a: what the command does is there too', async () => {
    const server = await startServer(program, ['tcpserver', '127.0.0.1', 'plain', COUNT, SENT, RECEIVED]);
    const command = [program, 'connect', 'tcpclient', '127.0.0.1', `${server.port}`, COUNT, SENT, RECEIVED].map(String);
    expect(await place.marple(['collect', '--ipc', '-a', '-o', 'a.marple', '--', ...command])).toMatchObject({
      code: 0,
    });
    const rows = records(place.path('a.marple'));
    expect(countBy(rows.filter(({ comm }) => comm === 'tcpclient'))).toMatchObject({ connect: COUNT, close: COUNT });
  });

  test('what was recorded when it was killed is there', async () => {
    const running = place.start(['collect', '--ipc', '-t', '60', '-o', 'k.marple']);
    await running.says('ipc (');
    const server = await startServer(program, ['tcpserver', '127.0.0.1', 'plain', COUNT, SENT, RECEIVED]);
    await startTcp(program, ['connect', 'tcpclient', '127.0.0.1', server.port, COUNT, SENT, RECEIVED]).end();
    await server.end();
    // It is read from the kernel every 0.1 s.
    await sleep(500);
    running.kill('SIGKILL');
    await running.ended;
    const listing = await place.marple(['display', '-l', '-i', 'k.marple']);
    const [, count] = /ipc +event +(?:- +)?(\d+) /u.exec(listing.stdout) ?? [];
    expect(Number(count)).toBeGreaterThanOrEqual(8 * COUNT);
    await place.marple(['collect', '--ipc', '-t', '0.1', '-o', 'next.marple']);
    expect(place.leftovers()).toEqual([]);
  });

  test('by perf, if it is asked for', async () => {
    const server = await startServer(program, ['tcpserver', '::1', 'plain', COUNT, SENT, RECEIVED]);
    const command = [program, 'connect', 'tcpclient', '::1', `${server.port}`, COUNT, SENT, RECEIVED].map(String);
    const ended = await place.marple(['collect', '--ipc', '--tool', 'ipc=perf', '-o', 'p.marple', '--', ...command]);
    expect(ended).toMatchObject({ code: 0 });
    expect(countBy(records(place.path('p.marple')))).toMatchObject({ connect: COUNT, accept: COUNT, close: 2 * COUNT });
  });

  test.each(['tcptracer', 'libbpf-tcptracer'])('%s is tried, and it is said why it cannot work', async (tracer) => {
    const planned = await place.marple(['collect', '--ipc', '--tool', `ipc=${tracer}`, '--dry-run', '--json']);
    const { choices } = JSON.parse(planned.stdout) as { choices: Choice[] };
    expect(choices).toMatchObject([{ tool: tracer }]);
    const hasKprobes = existsSync('/sys/kernel/tracing/kprobe_events');
    expect(choices[0]?.passedOver.length).toBe(hasKprobes ? 0 : 1);
    for (const { why, hint } of choices[0]?.passedOver ?? []) {
      expect(why).toMatch(/^it exited with status \d+: |is not installed/u);
      expect(hint).toMatch(/CONFIG_KPROBE_EVENTS|setup\.sh/u);
    }
  });

  test('a network namespace that is not there is refused', async () => {
    const missing = await place.marple(['collect', '--ipc', '--netns', 'no-such', '-t', '0.1', '-o', 'n.marple']);
    expect(missing).toMatchObject({ code: 2 });
    expect(missing.stderr).toMatch(
      /there is no network namespace 'no-such'\n.*hint: list their names with: ip netns list/u,
    );
    const other = await place.marple(['collect', '--mem', '--netns', '1', '-t', '0.1', '-o', 'n.marple']);
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('--netns is for ipc') as string });
    expect(existsSync(place.path('n.marple'))).toBe(false);
  });
});
