import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Datapoint } from '../../../src/common/datatypes.ts';
import { disklat, memtime, statsOf } from './sections.ts';

const io = (x: number, y: number, comm: string, pid: number, dev = 'vda', op = 'R'): Datapoint => ({
  x,
  y,
  info: [comm, String(pid), dev, op],
});

describe('points', () => {
  it('count, rate, quantiles, by process, device and operation', async () => {
    const records = [
      ...Array.from({ length: 98 }, (_, i) => io(i / 10, 1, 'fio', 10)),
      io(9.8, 5, 'fio', 11, 'vdb', 'W'),
      io(9.9, 100, 'my db', 12, 'vdb', 'W'),
    ];
    const [stats] = await statsOf([disklat(records)]);
    expect(stats).toMatchObject({ interface: 'disklat', records: 100, seconds: 10, rate: 10 });
    expect(stats?.points?.all).toEqual({
      count: 100,
      sum: 203,
      min: 1,
      mean: 2.03,
      p50: 1,
      p90: 1,
      p99: 5,
      p999: 100,
      max: 100,
    });
    expect(stats?.points?.processes).toMatchObject([
      { comm: 'fio', pid: null, processes: 2, count: 99, max: 5 },
      { comm: 'my db', pid: 12, processes: 1, count: 1, max: 100 },
    ]);
    expect(stats?.points?.by).toMatchObject([
      {
        field: 'dev',
        groups: [
          { name: 'vda', count: 98, mean: 1 },
          { name: 'vdb', count: 2, mean: 52.5 },
        ],
      },
      {
        field: 'op',
        groups: [
          { name: 'R', count: 98 },
          { name: 'W', count: 2 },
        ],
      },
    ]);
  });

  it('each process by itself', async () => {
    const records = [io(0, 1, 'a', 1), io(1, 2, 'a', 2), io(2, 3, 'a', 2), io(3, 4, 'b', 2)];
    const [stats] = await statsOf([disklat(records)], { by: 'pid' });
    expect(stats?.points?.processes.map(({ comm, pid, count, sum }) => [comm, pid, count, sum])).toEqual([
      ['a', 2, 2, 5],
      ['b', 2, 1, 4],
      ['a', 1, 1, 1],
    ]);
  });

  it('only what the filter lets through, at a rate of the range', async () => {
    const records = [io(0.5, 1, 'a', 1), io(1.5, 2, 'a', 1), io(2.5, 3, 'b', 2), io(3.5, 4, 'a', 1)];
    const [stats] = await statsOf([disklat(records)], { filter: { from: 1, to: 3, pids: [1] } });
    expect(stats).toMatchObject({ records: 1, seconds: 2, rate: 0.5, points: { all: { count: 1, mean: 2 } } });
  });

  it('nothing', async () => {
    const [stats] = await statsOf([disklat([])]);
    expect(stats).toMatchObject({
      records: 0,
      rate: 0,
      points: { all: { count: 0, min: null, p50: null, max: null } },
    });
  });

  it('adds up what are too many groups', async () => {
    const records = Array.from({ length: 1500 }, (_, i) => io(i / 1000, 1, `p${i}`, i + 1));
    const [stats] = await statsOf([disklat(records)], { top: 5000 });
    const processes = stats?.points?.processes ?? [];
    expect(processes.length).toBe(1001);
    expect(processes[0]).toMatchObject({ comm: '(others)', count: 500, processes: 500 });
    expect(processes.reduce((sum, { count }) => sum + count, 0)).toBe(1500);
  });
});

describe('trends', () => {
  it('first, last, maximum and slope, by process and of all', async () => {
    const records = [0, 1, 2, 3, 4].flatMap((x) => [
      { x, y: 10 + 2 * x, info: ['leak', '1'] },
      ...(x === 2 ? [] : [{ x, y: x === 1 ? 30 : 5, info: ['flat', '2'] }]),
      { x, y: 1, info: ['flat', '3'] },
    ]);
    const [stats] = await statsOf([memtime(records)]);
    expect(stats?.trends).toMatchObject({
      unit: 'MiB',
      all: { samples: 5, first: 16, last: 24, max: 43 },
      processes: [
        { comm: 'flat', pid: null, processes: 2, samples: 5, first: 6, last: 6, max: 31 },
        { comm: 'leak', pid: 1, processes: 1, samples: 5, first: 10, last: 18, max: 18 },
      ],
    });
    expect(stats?.trends?.processes[1]?.slope).toBeCloseTo(2, 12);
    expect(stats?.trends?.growing.map(({ comm }) => comm)).toEqual(['leak']);
    const [alone] = await statsOf([memtime(records)], { by: 'pid' });
    expect(alone?.trends?.processes.map(({ pid, max }) => [pid, max])).toEqual([
      [2, 30],
      [1, 18],
      [3, 1],
    ]);
  });

  it('has the slope of the line that the values lie on', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: -1000, max: 1000 }),
        fc.integer({ min: 0, max: 1000 }),
        fc.integer({ min: 2, max: 40 }),
        async (slope, start, count) => {
          const records = Array.from({ length: count }, (_, i) => ({
            x: start + i / 2,
            y: 1e4 + (slope * i) / 2,
            info: ['a', '1'],
          }));
          const [stats] = await statsOf([memtime(records)]);
          expect(stats?.trends?.all.slope).toBeCloseTo(slope, 5);
        },
      ),
      { numRuns: 20 },
    );
  });

  it('has no slope with one sample', async () => {
    const [stats] = await statsOf([memtime([{ x: 1, y: 2, info: ['a', '1'] }])]);
    expect(stats?.trends?.all).toEqual({ samples: 1, first: 2, last: 2, max: 2, slope: null });
  });
});
