import { describe, expect, test } from 'vitest';
import { ipv6Text, parseTcpCounters, parseTcpTable } from '../../src/formats/proc-net-tcp.ts';

// Lines of a machine with Linux 6.18.
const FOUR = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1E61 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 20713 1 0000000091edcbab 100 0 0 10 0
   1: 0100007F:8FF2 0100007F:1E61 01 00000000:00000000 00:00000000 00000000  1000        0 20714 1 0000000018a4b5c3 20 4 30 10 -1
   2: 0207D50A:1E61 0107D50A:8FF4 06 00000000:00000000 03:00001770 00000000     0        0 0 3 00000000dfadbd83
`;
const SIX = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 31337 1 0000000000000000 100 0 0 10 0
   1: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:A000 08 00000000:00000000 00:00000000 00000000     0        0 31338 1 0000000000000000 20 4 30 10 -1
`;

describe('the tables of sockets', () => {
  test('IPv4', () => {
    expect(parseTcpTable(FOUR)).toEqual([
      { addr: '127.0.0.1', port: 7777, otherAddr: '0.0.0.0', otherPort: 0, state: 10, uid: 0, inode: 20713 },
      { addr: '127.0.0.1', port: 36850, otherAddr: '127.0.0.1', otherPort: 7777, state: 1, uid: 1000, inode: 20714 },
      { addr: '10.213.7.2', port: 7777, otherAddr: '10.213.7.1', otherPort: 36852, state: 6, uid: 0, inode: 0 },
    ]);
  });

  test('IPv6, and IPv4 in it', () => {
    expect(parseTcpTable(SIX)).toEqual([
      { addr: '::1', port: 8080, otherAddr: '::', otherPort: 0, state: 10, uid: 0, inode: 31337 },
      { addr: '127.0.0.1', port: 8080, otherAddr: '127.0.0.1', otherPort: 40960, state: 8, uid: 0, inode: 31338 },
    ]);
  });

  test('anything else is none of it', () => {
    for (const text of ['', '\n\n', 'x'.repeat(10_000), FOUR.replaceAll(':', ';'), '   0: 01:1E61 0:0 0A']) {
      expect(parseTcpTable(text)).toEqual([]);
    }
  });
});

describe('addresses as text', () => {
  test.each([
    ['20010db8000000000000000000000001', '2001:db8::1'],
    ['20010db8000000010000000000000001', '2001:db8:0:1::1'],
    ['20010db8000000010002000300040005', '2001:db8:0:1:2:3:4:5'],
    ['00000000000000000000000000000000', '::'],
    ['fe800000000000000000000000000000', 'fe80::'],
    ['00010002000300040005000600070008', '1:2:3:4:5:6:7:8'],
    ['00000000000000000000ffff0a000102', '10.0.1.2'],
    ['00000000000000000001ffff0a000102', '::1:ffff:a00:102'],
  ])('%s is %s', (hex, text) => {
    expect(ipv6Text(Buffer.from(hex, 'hex'))).toBe(text);
  });
});

test('the counters, in whatever order the kernel has them', () => {
  const text =
    'Ip: Forwarding DefaultTTL\nIp: 1 64\nTcp: RtoAlgorithm PassiveOpens ActiveOpens\nTcp: 1 22 1328\nUdp: X\nUdp: 1\n';
  expect(parseTcpCounters(text)).toEqual({ activeOpens: 1328, passiveOpens: 22 });
  for (const broken of ['', 'Tcp: ActiveOpens', text.replace('1328', 'x'), text.replace('PassiveOpens', 'Passive')]) {
    expect(parseTcpCounters(broken)).toBeUndefined();
  }
});
