import { describe, expect, it } from 'vitest';
import type { EventData } from '../../../src/common/datatypes.ts';
import { ipc, statsOf } from './sections.ts';

type End = readonly [pid: string, comm: string, addr: string, port: string];
const event = (time: number, type: string, own: End, other: End, bytes = ''): EventData => ({
  time,
  type,
  datum: [...own, ...other, bytes],
});

const client = (port: number): End => ['10', 'curl', '127.0.0.1', String(port)];
const server: End = ['20', 'nginx', '127.0.0.1', '80'];

describe('connections', () => {
  it('are counted once where both ends are seen, whichever comes first, and their bytes once', async () => {
    const [stats] = await statsOf([
      ipc([
        event(1, 'connect', client(4001), server),
        event(2, 'accept', server, client(4001)),
        event(3, 'accept', server, client(4002)),
        event(4, 'connect', client(4002), server),
        event(5, 'send', client(4001), server, '100'),
        event(6, 'recv', server, client(4001), '100'),
        event(7, 'send', server, client(4002), '5000'),
        event(8, 'close', client(4001), server),
        event(9, 'send', server, client(4001), '3'),
        event(9, 'close', server, client(4001)),
      ]),
    ]);
    expect(stats?.connections).toEqual({
      opened: 2,
      closed: 1,
      pairs: [
        {
          client: { comm: 'curl', pid: 10 },
          server: { comm: 'nginx', pid: 20, port: 80 },
          opened: 2,
          closed: 1,
          bytes_to_server: 100,
          bytes_to_client: 5003,
        },
      ],
    });
    expect(stats?.events).toMatchObject({ all: { count: 10, bytes: 5203 } });
  });

  it('of a port that is used again are two', async () => {
    const [stats] = await statsOf([
      ipc([
        event(1, 'connect', client(4001), server),
        event(2, 'close', client(4001), server),
        event(3, 'connect', client(4001), server),
        event(4, 'connect', client(4001), server),
      ]),
    ]);
    expect(stats?.connections).toMatchObject({ opened: 3, closed: 1, pairs: [{ bytes_to_server: null }] });
  });

  it('from before the recording: the lower port is the server; unknown processes have their address', async () => {
    const far: End = ['', '', '10.0.0.7', '50000'];
    const [stats] = await statsOf([ipc([event(1, 'send', server, far, '7')])]);
    expect(stats?.connections?.pairs).toEqual([
      {
        client: { comm: '10.0.0.7', pid: null },
        server: { comm: 'nginx', pid: 20, port: 80 },
        opened: 0,
        closed: 0,
        bytes_to_server: 0,
        bytes_to_client: 7,
      },
    ]);
  });

  it('of several processes of a name are one pair, or one for each', async () => {
    const other: End = ['11', 'curl', '127.0.0.1', '4009'];
    const records = [event(1, 'connect', client(4001), server), event(2, 'connect', other, server)];
    const [together] = await statsOf([ipc(records)]);
    expect(together?.connections?.pairs).toMatchObject([{ client: { comm: 'curl', pid: null }, opened: 2 }]);
    const [each] = await statsOf([ipc(records)], { by: 'pid' });
    expect(each?.connections?.pairs.map(({ client: { pid } }) => pid)).toEqual([10, 11]);
  });
});
