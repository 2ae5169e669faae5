import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { invokingUser } from '../common/user.ts';
import { parseTcpTable } from '../formats/proc-net-tcp.ts';

/*
 * Whose a connection from this machine is. Data files can be read by their owner alone, but whoever has an account here can connect
 * to a port: the kernel's table of sockets says who does.
 */

/** Users who may connect: root, ours, and the one who typed sudo. */
export function ownUsers(): ReadonlySet<number> {
  return new Set([0, process.geteuid?.() ?? 0, invokingUser().uid]);
}

/** The user id of the other end of a connection over the loopback interface; undefined where the table does not have it. */
export async function peerUser(socket: Socket): Promise<number | undefined> {
  const { remoteAddress, remotePort, localPort } = socket;
  const table = await readFile(
    remoteAddress?.includes(':') === true ? '/proc/net/tcp6' : '/proc/net/tcp',
    'utf8',
  ).catch(() => '');
  // Their end is a line of its own: what is ours to them is the other end.
  return parseTcpTable(table).find(
    ({ addr, port, otherPort }) => addr === remoteAddress && port === remotePort && otherPort === localPort,
  )?.uid;
}
