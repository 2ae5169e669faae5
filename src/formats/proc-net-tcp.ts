/*
 * Texts of /proc/net/tcp, tcp6 and snmp. Sources: Documentation/networking/proc_net_tcp.rst, get_tcp4_sock() in
 * net/ipv4/tcp_ipv4.c, get_tcp6_sock() in net/ipv6/tcp_ipv6.c, RFC 1213 (the counters' names).
 */

/** States of a TCP socket (include/net/tcp_states.h). */
export const TCP = {
  established: 1,
  synSent: 2,
  synRecv: 3,
  finWait1: 4,
  finWait2: 5,
  timeWait: 6,
  close: 7,
  closeWait: 8,
  lastAck: 9,
  listen: 10,
  closing: 11,
} as const;

/** A line of the table. */
export interface TcpSocket {
  readonly addr: string;
  readonly port: number;
  readonly otherAddr: string;
  readonly otherPort: number;
  readonly state: number;
  /** Whose it is: 0 too where no process has it open. */
  readonly uid: number;
  /** 0 where no process has it open. */
  readonly inode: number;
}

//   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
//    0: 0100007F:1E61 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 19 1 0000000091edcbab 100 0 0 10 0
const LINE =
  /^ *\d+: (?<local>[0-9A-F]+):(?<port>[0-9A-F]{4}) (?<other>[0-9A-F]+):(?<otherPort>[0-9A-F]{4}) (?<state>[0-9A-F]{2}) \S+ \S+ \S+ +(?<uid>\d+) +\d+ (?<inode>\d+) /u;

/** Reads the text of /proc/net/tcp or tcp6 of a little-endian machine; lines that are none are left out. */
export function parseTcpTable(text: string): TcpSocket[] {
  return text.split('\n').flatMap((line) => {
    const { local, port, other, otherPort, state, uid, inode } = LINE.exec(line)?.groups ?? {};
    if (local === undefined) return [];
    return [
      {
        addr: hexAddress(local),
        port: Number.parseInt(port as string, 16),
        otherAddr: hexAddress(other as string),
        otherPort: Number.parseInt(otherPort as string, 16),
        state: Number.parseInt(state as string, 16),
        uid: Number(uid),
        inode: Number(inode),
      },
    ];
  });
}

/** Words of 32 bits, each printed as a number. */
function hexAddress(hex: string): string {
  const bytes = Buffer.from(hex, 'hex');
  bytes.swap32();
  return bytes.length === 4 ? bytes.join('.') : ipv6Text(bytes);
}

/** Text of an IPv6 address of 16 bytes (RFC 5952); of an IPv4 address where one is mapped into it. */
export function ipv6Text(bytes: Uint8Array): string {
  if (isMapped(bytes)) return bytes.subarray(12).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!);
  const zeros = longestZeros(groups);
  const text = (part: number[]): string => part.map((group) => group.toString(16)).join(':');
  if (zeros.length < 2) return text(groups);
  return `${text(groups.slice(0, zeros.start))}::${text(groups.slice(zeros.start + zeros.length))}`;
}

function isMapped(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
}

function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
    start += length;
  }
  return best;
}

/** The kernel's own counts of one network namespace, since it began. */
export interface TcpCounters {
  readonly activeOpens: number;
  readonly passiveOpens: number;
}

// Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab ...
// Tcp: 1 200 120000 -1 1328 2 0 0 0 ...
/** Reads the text of /proc/net/snmp; undefined where it has no TCP counters. */
export function parseTcpCounters(text: string): TcpCounters | undefined {
  const [names, values] = text.split('\n').filter((line) => line.startsWith('Tcp:'));
  if (names === undefined || values === undefined) return undefined;
  const columns = names.split(' ');
  const value = (name: string): number => Number(values.split(' ')[columns.indexOf(name)]);
  const counters = { activeOpens: value('ActiveOpens'), passiveOpens: value('PassiveOpens') };
  return Object.values(counters).every(Number.isInteger) ? counters : undefined;
}
