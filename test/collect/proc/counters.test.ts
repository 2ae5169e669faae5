import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  isStackedDisk,
  isStackedInterface,
  isWholeDisk,
  memoryUses,
  parseCpuTimes,
  parseNetDev,
  parsePressure,
  Stacked,
  swapUses,
} from '../../../src/collect/proc/counters.ts';
import { parseMeminfo } from '../../../src/collect/proc/meminfo.ts';

const fixture = (name: string): Buffer => readFileSync(`test/fixtures/proc/${name}.txt`);
const textOf = (name: string): string => fixture(name).toString('latin1');

describe('parseCpuTimes', () => {
  test('each CPU by mode, without the line that adds them up', () => {
    const samples = parseCpuTimes(textOf('stat'));
    const line = /^cpu1 (.*)$/m.exec(textOf('stat'))?.[1]?.split(' ').map(Number) ?? [];
    expect(samples.filter(({ info }) => info[1] === '1').map(({ info, value }) => [info[0], value])).toEqual([
      ['user', line[0]],
      ['nice', line[1]],
      ['system', line[2]],
      ['idle', line[3]],
      ['iowait', line[4]],
      ['irq', line[5]],
      ['softirq', line[6]],
      ['steal', line[7]],
      ['guest', line[8]],
      ['guest_nice', line[9]],
    ]);
    expect(new Set(samples.map(({ info }) => info[1]))).toEqual(new Set(['0', '1']));
  });

  test("a guest's time is not counted as user time too, and an old kernel has fewer columns", () => {
    expect(parseCpuTimes('cpu7 100 50 0 0 0 0 0 0 30 20\n').map(({ info, value }) => `${info[0]} ${value}`)).toEqual(
      expect.arrayContaining(['user 70', 'nice 30', 'guest 30', 'guest_nice 20']),
    );
    expect(parseCpuTimes('cpu0 1 2 3 4\n').map(({ value }) => value)).toEqual([1, 2, 3, 4]);
    expect(parseCpuTimes('intr 5\n')).toEqual([]);
  });
});

describe('memory', () => {
  test('the uses add up to MemTotal', () => {
    const uses = memoryUses(parseMeminfo(textOf('meminfo')));
    expect(uses.reduce((sum, { value }) => sum + value, 0)).toBe(24_684_096);
    expect(uses.every(({ value }) => value >= 0)).toBe(true);
    expect(uses.find(({ info }) => info[0] === 'other')?.value).toBeLessThan(500_000);
  });

  test('shared memory is not counted as cached files too', () => {
    const uses = new Map(
      memoryUses(parseMeminfo('MemTotal: 100 kB\nCached: 50 kB\nShmem: 20 kB\nMemFree: 10 kB\n')).map(
        ({ info, value }) => [info[0], value],
      ),
    );
    expect([uses.get('cached files'), uses.get('shared memory'), uses.get('free'), uses.get('other')]).toEqual([
      30, 20, 10, 40,
    ]);
  });

  test('swap, where there is some', () => {
    expect(swapUses(parseMeminfo('SwapTotal: 0 kB\nSwapFree: 0 kB\n'))).toEqual([]);
    expect(swapUses(parseMeminfo('SwapTotal: 100 kB\nSwapFree: 70 kB\n'))).toEqual([
      { info: ['used'], value: 30 },
      { info: ['free'], value: 70 },
    ]);
  });
});

test('network interfaces, whatever they are called', () => {
  const interfaces = parseNetDev(fixture('net-dev'));
  expect(interfaces.map(({ name }) => name)).toEqual(['lo', 'ifb0', 'ifb1', 'eth0']);
  const columns = /eth0: *(.*)/.exec(textOf('net-dev'))?.[1]?.split(/ +/).map(Number) ?? [];
  expect(interfaces[3]).toEqual({ name: 'eth0', received: columns[0], sent: columns[8] });
  expect(
    parseNetDev(Buffer.from('  a:1:99 2 3 4 5 6 7 8 77 0\n')).map(({ name, received, sent }) => [name, received, sent]),
  ).toEqual([['a:1', 99, 77]]);
});

test('pressure in parts that add up to what the kernel calls some', () => {
  const text = textOf('pressure-io');
  const total = (line: string): number => Number(new RegExp(`^${line}.*total=(\\d+)`, 'm').exec(text)?.[1]);
  const samples = parsePressure('io', text);
  expect(samples).toEqual([
    { info: ['io', 'only some'], value: total('some') - total('full') },
    { info: ['io', 'full'], value: total('full') },
  ]);
  expect(parsePressure('cpu', 'some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n').map(({ value }) => value)).toEqual([
    5, 0,
  ]);
});

describe('devices', () => {
  test('what is built on others is told once, and looked at anew when it comes back', () => {
    const asked: string[] = [];
    const stacked = new Stacked((name) => {
      asked.push(name);
      return name.startsWith('dm');
    });
    const named = (...names: readonly string[]) => names.map((name) => ({ name }));
    expect(stacked.without(named('sda', 'dm-0'))).toEqual(named('sda'));
    expect(stacked.without(named('sda', 'dm-0'))).toEqual(named('sda'));
    expect(asked).toEqual(['sda', 'dm-0']);
    expect(stacked.without(named('sda'))).toEqual(named('sda'));
    expect(stacked.without(named('sda', 'dm-0'))).toEqual(named('sda'));
    expect(asked).toEqual(['sda', 'dm-0', 'dm-0']);
    expect([...stacked.found]).toEqual(['dm-0']);
  });

  test('loopback is an interface of its own, and no device is none', () => {
    expect(isStackedInterface('lo')).toBe(false);
    expect([isWholeDisk('no-such-disk'), isStackedDisk('no-such-disk'), isStackedInterface('no-such')]).toEqual([
      false,
      false,
      false,
    ]);
  });
});
