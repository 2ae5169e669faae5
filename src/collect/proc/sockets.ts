import { readFileSync, readlinkSync } from 'node:fs';
import { parseTcpTable, type TcpSocket } from '../../formats/proc-net-tcp.ts';
import type { OpenSocket } from '../../formats/tcp-trace.ts';
import type { Slices } from './slices.ts';
import { isDenied, isGone } from './stat.ts';
import { numbersIn } from './tasks.ts';

/** The inode of the network namespace of a process; undefined where it is gone or may not be looked at. */
export function netnsOf(pid: number | 'self'): number | undefined {
  // net:[4026531840]
  const link = readLink(`/proc/${pid}/ns/net`);
  const inode = /^net:\[(\d+)\]$/u.exec(link ?? '')?.[1];
  return inode === undefined ? undefined : Number(inode);
}

/** All TCP sockets of the machine, of every network namespace that has a process, with the processes that have them open. */
export async function readTcpSockets(slices: Slices): Promise<OpenSocket[]> {
  const holders = new Map<number, number[]>();
  const namespaces = new Map<number, number>();
  for (const pid of numbersIn('/proc')) {
    const netns = netnsOf(pid);
    if (netns !== undefined && !namespaces.has(netns)) namespaces.set(netns, pid);
    for (const inode of socketsOf(pid)) {
      const known = holders.get(inode);
      if (known === undefined) holders.set(inode, [pid]);
      else if (known.at(-1) !== pid) known.push(pid);
    }
    await slices.breathe();
  }
  const sockets: OpenSocket[] = [];
  for (const [netns, pid] of namespaces) {
    for (const { inode, ...socket } of tablesOf(pid)) {
      sockets.push({ ...socket, netns, pids: holders.get(inode) ?? [] });
    }
    await slices.breathe();
  }
  return sockets;
}

/** Inodes of the sockets that a process has open. */
function socketsOf(pid: number): number[] {
  return numbersIn(`/proc/${pid}/fd`).flatMap((fd) => {
    // socket:[20713]
    const inode = /^socket:\[(\d+)\]$/u.exec(readLink(`/proc/${pid}/fd/${fd}`) ?? '')?.[1];
    return inode === undefined ? [] : [Number(inode)];
  });
}

function tablesOf(pid: number): TcpSocket[] {
  return ['tcp', 'tcp6'].flatMap((name) => parseTcpTable(readText(`/proc/${pid}/net/${name}`)));
}

/** Text of a file of /proc; empty where there is none (a kernel without IPv6, a process that has ended). */
function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if (isAbsent(error)) return '';
    throw error;
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  // A kernel task has no network namespace to show (EINVAL in some states of an ending process).
  return isGone(error) || isDenied(error) || (error as { code?: string }).code === 'EINVAL';
}
