import type { Address, ConnectionEvent } from './connections.ts';

/*
 * What the two tcptracers print: that of BCC (tools/tcptracer.py, with -t and -v) and that of libbpf-tools
 * (libbpf-tools/tcptracer.c, with -t). Both count their times from the first event that they saw.
 */

export interface TracerRow extends Address {
  /** Nanoseconds since the tool's first event. */
  readonly time: number;
  readonly type: ConnectionEvent;
  readonly pid: number;
  /** libbpf's is cut to 12 characters. */
  readonly comm: string;
  /** Inode of the network namespace; libbpf's does not tell. */
  readonly netns: number | undefined;
}

export type RowParser = (line: string) => TracerRow | undefined;

/** Whether it is the line above the rows. */
export function isTracerTitle(line: string): boolean {
  return /^TIME\((?:ns|s)\) *T/u.test(line);
}

// TIME(ns)      TYPE         PID    COMM             IP SADDR            DADDR            SPORT  DPORT  NETNS
// 0             connect      31002  telnet           4  192.168.1.2      192.168.1.1      42590  23     4026531840
// 3546002113    accept       748    my server        6  [::1]            [::1]            80     42592  4026531840
const BCC_ROW =
  /^(?<time>\d+) *(?<type>connect|accept|close) +(?<pid>\d+) +(?<=[\d ]{7})(?<comm>.{16}) [46] +(?<addr>\S+) +(?<otherAddr>\S+) +(?<port>\d+) +(?<otherPort>\d+) +(?<netns>\d+) *$/u;

/** A row of BCC's tcptracer -t -v; undefined where it is none. */
export function parseBccRow(line: string): TracerRow | undefined {
  const groups = BCC_ROW.exec(line)?.groups;
  if (groups === undefined) return undefined;
  return {
    ...common(groups),
    time: Number(groups['time']),
    type: groups['type'] as ConnectionEvent,
    netns: Number(groups['netns']),
  };
}

// TIME(s)  T PID    COMM         IP SADDR            DADDR            SPORT DPORT
// 0.000    C 31002  telnet       4  192.168.1.2      192.168.1.1      42590 23
const LIBBPF_ROW =
  /^(?<time>\d+\.\d{3}) *(?<type>[CAX]) (?<pid>\d+) +(?<comm>.{0,12}?) +[46] +(?<addr>\S+) +(?<otherAddr>\S+) +(?<port>\d+) +(?<otherPort>\d+) *$/u;
const LIBBPF_TYPES: Readonly<Record<string, ConnectionEvent>> = { C: 'connect', A: 'accept', X: 'close' };

/** A row of libbpf's tcptracer -t; undefined where it is none. */
export function parseLibbpfRow(line: string): TracerRow | undefined {
  const groups = LIBBPF_ROW.exec(line)?.groups;
  const type = LIBBPF_TYPES[groups?.['type'] ?? ''];
  if (groups === undefined || type === undefined) return undefined;
  return { ...common(groups), time: Math.round(Number(groups['time']) * 1e9), type, netns: undefined };
}

function common(groups: Record<string, string>): Address & { pid: number; comm: string } {
  return {
    pid: Number(groups['pid']),
    comm: (groups['comm'] as string).trimEnd(),
    addr: address(groups['addr'] as string),
    port: Number(groups['port']),
    otherAddr: address(groups['otherAddr'] as string),
    otherPort: Number(groups['otherPort']),
  };
}

/** Without the brackets of IPv6, and as IPv4 where it is mapped into IPv6. */
function address(text: string): string {
  return text.replace(/^\[(.*)\]$/u, '$1').replace(/^::ffff:(?=\d+\.)/u, '');
}

// Possibly lost 12 samples
// Lost 12 events on CPU #1!
/** Rows that the tool says on stderr it has lost. */
export function lostRows(stderr: string): number {
  return [...stderr.matchAll(/lost (\d+) (?:samples|events)/giu)].reduce((sum, [, count]) => sum + Number(count), 0);
}
