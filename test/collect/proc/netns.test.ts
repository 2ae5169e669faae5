import { expect, test } from 'vitest';
import { parseAddresses } from '../../../src/collect/proc/netns.ts';

// fib_trie and if_inet6 of a namespace with a loopback and one card, Linux 6.18.
const TEXT = `Main:
  +-- 0.0.0.0/0 3 0 5
     +-- 10.213.7.0/24 2 0 2
        +-- 10.213.7.0/30 2 0 2
           |-- 10.213.7.0
              /24 link UNICAST
           |-- 10.213.7.2
              /32 host LOCAL
        |-- 10.213.7.255
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
00000000000000000000000000000001 01 80 10 80       lo
fe80000000000000d0a1befffe4d1c02 02 40 20 80    veth0
`;

test('the addresses of a namespace, each once', () => {
  expect(parseAddresses(TEXT + TEXT)).toEqual(['10.213.7.2', '127.0.0.1', '::1', 'fe80::d0a1:beff:fe4d:1c02']);
  expect(parseAddresses('')).toEqual([]);
});
