import { describe, expect, test } from 'vitest';
import { Ipc, type IpcOptions } from '../../src/collect/ipc.ts';
import { readTasks } from '../../src/collect/proc/tasks.ts';
import type { EventData } from '../../src/common/datatypes.ts';
import type { Scope } from '../../src/common/scope.ts';
import { compileProgram } from '../support/programs.ts';
import { collectAll, type TestRun, testRun } from '../support/run.ts';
import { startServer, startTcp } from '../support/tcp.ts';

const COUNT = 50;
const SENT = 1000;
const RECEIVED = 3000;

const program = compileProgram('tcp');

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
  rows(): Promise<Row[]>;
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
  return {
    ...test,
    rows: async () => {
      test.stop();
      return (((await collected)[0] as EventData[] | undefined) ?? []).map(rowOf);
    },
  };
}

const sum = (rows: readonly Row[]): number => rows.reduce((total, { bytes }) => total + Number(bytes), 0);

describe.each(['ftrace'])('%s', (tool) => {
  test.each([
    ['IPv4', '127.0.0.1', '127.0.0.1'],
    ['IPv6', '::1', '::1'],
    ['IPv4 at an IPv6 socket', '::', '127.0.0.1'],
  ])('a known number of connections: %s', async (_, own, address) => {
    const recorded = await record(tool);
    const server = await startServer(program, ['tcpserver', own, 'plain', COUNT, SENT, RECEIVED]);
    const client = startTcp(program, ['connect', 'tcpclient', address, server.port, COUNT, SENT, RECEIVED]);
    await Promise.all([server.end(), client.end()]);
    const rows = (await recorded.rows()).filter(({ port, otherPort }) => [port, otherPort].includes(`${server.port}`));
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
});
