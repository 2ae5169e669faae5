import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { parseStat, readStat } from '../../../src/collect/proc/stat.ts';
import { bootId, readTasks } from '../../../src/collect/proc/tasks.ts';

const numbers =
  'S 1 954 954 0 -1 4194560 353 4209 0 3 11 22 33 44 20 0 1 0 1180 8019968 929 18446744073709551615 1 1 0 0 0 0 0 0 0';

describe('parseStat', () => {
  test('takes the fields by their numbers in the manual', () => {
    expect(parseStat(Buffer.from(`954 (bash) ${numbers}\n`))).toEqual({
      id: 954,
      comm: 'bash',
      state: 'S',
      parent: 1,
      isKernelThread: false,
      ownTicks: 33,
      childTicks: 77,
      startTime: 1180,
      residentPages: 929,
    });
  });

  test('a comm may hold what looks like the end of one', () => {
    expect(parseStat(Buffer.from(`7 (x) R 1 (y z)) ${numbers}`))).toMatchObject({ comm: 'x) R 1 (y z)', parent: 1 });
    expect(parseStat(Buffer.from(`7 () ${numbers}`))?.comm).toBe('');
  });

  test('what is no stat line is none', () => {
    for (const text of ['', '7', '7 (a', '7 (a) S 1', ') (']) expect(parseStat(Buffer.from(text))).toBeUndefined();
  });
});

describe('this process', () => {
  const own = readFileSync('/proc/self/comm');
  afterEach(() => writeFileSync('/proc/self/comm', own.subarray(0, -1)));

  test.each([
    ['spaces', Buffer.from(' a  b '), ' a  b '],
    ['brackets', Buffer.from('x) R 1 (y'), 'x) R 1 (y'],
    ['newline and tab', Buffer.from('a\nb\tc'), 'a\nb\tc'],
    ['backslash n', Buffer.from('a\\nb\\'), 'a\\nb\\'],
    ['half a character', Buffer.from([0x61, 0xe2, 0x82]), 'a\udce2\udc82'],
    ['bytes that are no UTF-8', Buffer.from([0xff, 0xc3, 0xa9, 0x80]), '\udcffé\udc80'],
  ])('its name is read as it is: %s', (_, bytes, comm) => {
    writeFileSync('/proc/self/comm', bytes);
    expect(readStat(process.pid)?.comm).toBe(comm);
    const task = readTasks().find(({ tid }) => tid === process.pid);
    expect(task).toEqual({ tid: process.pid, pid: process.pid, parent: process.ppid, comm });
  });

  test('all its threads are listed', () => {
    const status = readFileSync('/proc/self/status', 'latin1');
    const threads = readTasks().filter(({ pid }) => pid === process.pid);
    expect(threads).toHaveLength(Number(/^Threads:\t(\d+)$/m.exec(status)?.[1]));
    expect(new Set(threads.map(({ tid }) => tid)).size).toBe(threads.length);
    expect(new Set(threads.map(({ parent }) => parent))).toEqual(new Set([process.ppid]));
  });
});

test('a task that is gone has no stat', () => {
  expect(readStat(0x7fffffff)).toBeUndefined();
  expect(readStat(`${process.pid}/task/1`)).toBeUndefined();
});

test('a kernel thread is told by its flag', () => {
  const line = Buffer.from(
    '2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 24 0 0 18446744073709551615 0 0 0 0 0 0 0 2147483647 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0',
  );
  expect(parseStat(line)).toMatchObject({ comm: 'kthreadd', isKernelThread: true });
  expect(readStat(process.pid)?.isKernelThread).toBe(false);
});

test('the boot has an id', () => {
  expect(bootId()).toBe(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
  expect(bootId()).toMatch(/^[0-9a-f-]{36}$/);
});
