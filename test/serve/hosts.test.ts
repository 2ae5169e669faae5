import { hostname } from 'node:os';
import { describe, expect, test } from 'vitest';
import { hostNames, hostOf, inAddress, isLoopback } from '../../src/serve/hosts.ts';

describe('the name in a Host header', () => {
  test.each([
    ['localhost', 'localhost'],
    ['LOCALHOST:6277', 'localhost'],
    ['127.0.0.1:80', '127.0.0.1'],
    ['[::1]', '::1'],
    ['[::1]:6277', '::1'],
    ['box.example:1', 'box.example'],
  ])('%s', (header, name) => expect(hostOf(header)).toBe(name));

  test.each([
    undefined,
    '',
    ':80',
    'localhost:',
    'localhost:x',
    'a b',
    '::1',
    '[::1',
    'localhost:80:80',
    'localhost/x',
    'user@localhost',
  ])('%s is none, or not that', (header) => {
    expect(['localhost', '::1', '127.0.0.1']).not.toContain(hostOf(header));
  });
});

describe('what a server is called', () => {
  test('at a loopback address', () => {
    expect([...hostNames('127.0.0.1', '127.0.0.1')]).toEqual(['127.0.0.1', 'localhost']);
    expect([...hostNames('localhost', '::1')]).toEqual(['localhost', '::1']);
  });

  test('at one address of the machine: that, and the names that it was given', () => {
    expect([...hostNames('Box.example', '192.0.2.7')]).toEqual(['box.example', '192.0.2.7', hostname().toLowerCase()]);
  });

  test('at all addresses: each of them', () => {
    const names = hostNames('0.0.0.0', '0.0.0.0');
    for (const name of ['127.0.0.1', 'localhost', hostname().toLowerCase()]) expect(names).toContain(name);
  });

  test('no other name is ever one of them', () => {
    for (const address of ['127.0.0.1', '::1', '0.0.0.0', '192.0.2.7']) {
      expect(hostNames(address, address)).not.toContain('evil.example');
      expect(hostNames(address, address)).not.toContain('');
    }
  });
});

test('which addresses are of this machine alone', () => {
  expect(['127.0.0.1', '127.1.2.3', '::1'].map(isLoopback)).toEqual([true, true, true]);
  expect(['0.0.0.0', '::', '128.0.0.1', '127.evil.example', '::ffff:127.0.0.1'].map(isLoopback)).not.toContain(true);
});

test('a host in an address', () => {
  expect(inAddress('127.0.0.1')).toBe('127.0.0.1');
  expect(inAddress('::1')).toBe('[::1]');
});
