import { execFileSync } from 'node:child_process';
import { endianness } from 'node:os';
import { expect, test } from 'vitest';
import { findEntry, pageSize, ticksPerSecond } from '../../../src/collect/proc/auxv.ts';

test('an entry is found by its type, and is nothing where there is none', () => {
  const little = endianness() === 'LE';
  const pairs = [33, 6, 6, 65536, 0, 0];
  const vector = Buffer.alloc(8 * pairs.length);
  pairs.forEach((value, i) => {
    if (little) vector.writeBigUInt64LE(BigInt(value), 8 * i);
    else vector.writeBigUInt64BE(BigInt(value), 8 * i);
  });
  expect(findEntry(vector, 6)).toBe(65536);
  expect(findEntry(vector, 17)).toBeUndefined();
  expect(findEntry(Buffer.alloc(7), 6)).toBeUndefined();
});

test('this machine has what getconf says', () => {
  const getconf = (name: string): number => Number(execFileSync('getconf', [name], { encoding: 'utf8' }));
  expect(pageSize()).toBe(getconf('PAGE_SIZE'));
  expect(ticksPerSecond()).toBe(getconf('CLK_TCK'));
});
