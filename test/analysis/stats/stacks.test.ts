import { describe, expect, it } from 'vitest';
import type { StackData } from '../../../src/common/datatypes.ts';
import { headerOf } from '../../support/data-files.ts';
import { stacks, statsOf } from './sections.ts';

const stack = (weight: number, ...frames: string[]): StackData => ({ weight, stack: frames });

describe('stacks', () => {
  it('functions by self and total, processes, broken ones; idle apart', async () => {
    const [stats] = await statsOf([
      stacks('callstack', [
        stack(5, 'fio', 'main', 'work', 'read'),
        stack(3, 'fio', 'main', 'work', 'work', 'work'),
        stack(2, 'web', '[unknown]', 'read'),
        stack(1, 'web', 'lonely'),
        stack(1, 'web'),
        stack(100, 'swapper/1', 'idle'),
        stack(0, 'gone', 'main'),
      ]),
    ]);
    expect(stats).toMatchObject({ records: 5, rate: null });
    expect(stats?.stacks).toMatchObject({
      total: 12,
      idle: 100,
      unique: 5,
      broken: { unique: 3, weight: 4 },
      processes: [
        { name: 'fio', weight: 8 },
        { name: 'web', weight: 4 },
      ],
      reasons: [],
      by_self: [
        { name: 'read', self: 7, total: 7 },
        { name: 'work', self: 3, total: 8 },
        { name: 'lonely', self: 1, total: 1 },
      ],
    });
    expect(stats?.stacks?.by_total.slice(0, 3).map(({ name, total }) => [name, total])).toEqual([
      ['main', 8],
      ['work', 8],
      ['read', 7],
    ]);
  });

  it('look broken where the user part has lost its callers', async () => {
    const [stats] = await statsOf([
      stacks('callstack', [
        stack(1, 'a', 'poll', 'entry_SYSCALL_64_after_hwframe', 'do_syscall_64', 'do_poll'),
        stack(2, 'a', '[libc.so.6]', 'poll', 'entry_SYSCALL_64_after_hwframe'),
        stack(4, 'a', 'main', 'asm_exc_page_fault', 'exc_page_fault'),
        stack(8, 'a', 'entry_SYSCALL_64_after_hwframe', 'do_syscall_64'),
        stack(16, 'kworker', 'ret_from_fork_asm', 'ret_from_fork', 'kthread'),
        stack(32, 'a', 'start_thread', 'run'),
        stack(64, 'a', 'std::map<int>::find', 'compare'),
      ]),
    ]);
    expect(stats?.stacks?.broken).toEqual({ unique: 2, weight: 3 });
  });

  it('weigh what the filter lets through by the timed section', async () => {
    const timed = {
      header: headerOf('event', { interface: 'callstack', fields: ['stack', 'cpu', 'pid', 'tid', 'weight'] }),
      records: [
        { time: 1e9, type: 'cycles', datum: ['0', '0', '1', '1', '2'] },
        { time: 2e9, type: 'cycles', datum: ['0', '1', '1', '1', '3'] },
        { time: 3e9, type: 'cycles', datum: ['1', '0', '2', '2', '4'] },
      ],
    };
    const all = stacks('callstack', [stack(5, 'a', 'main', 'f'), stack(4, 'b', 'main', 'g')]);
    const [first, second] = await statsOf([all, timed], { filter: { from: 1.5, to: 3.5, pids: [1] } });
    expect(first?.stacks).toMatchObject({ total: 3, unique: 1, by_self: [{ name: 'f', self: 3 }] });
    expect(second?.events).toMatchObject({ all: { count: 1, weight: 3, bytes: null } });
  });

  it('of offcpu have the reason before the functions', async () => {
    const [stats] = await statsOf([
      stacks('offcpu', [stack(7, 'a', 'sleeping', 'main', 'nanosleep'), stack(2, 'a', 'disk', 'main', 'read')]),
    ]);
    expect(stats?.stacks?.reasons).toEqual([
      { name: 'sleeping', weight: 7 },
      { name: 'disk', weight: 2 },
    ]);
    expect(stats?.stacks?.by_total.map(({ name }) => name)).toEqual(['main', 'nanosleep', 'read']);
    expect(stats?.stacks?.broken.unique).toBe(0);
  });

  it('of memmap are RAM by zone and use', async () => {
    const [stats] = await statsOf([
      stacks(
        'memmap',
        [
          stack(100, 'RAM', 'Normal', 'anonymous', 'chrome', '[heap]'),
          stack(60, 'RAM', 'Normal', 'anonymous', 'bash', '[heap]'),
          stack(50, 'RAM', 'DMA', 'free'),
          stack(40, 'RAM', 'Normal', 'free'),
        ],
        'bytes',
      ),
    ]);
    expect(stats?.ram).toEqual({
      unit: 'bytes',
      total: 250,
      zones: [
        { name: 'Normal', weight: 200 },
        { name: 'DMA', weight: 50 },
      ],
      uses: [
        { name: 'anonymous', zone: 'Normal', weight: 160 },
        { name: 'free', zone: 'DMA', weight: 50 },
        { name: 'free', zone: 'Normal', weight: 40 },
      ],
      processes: [
        { name: 'chrome', weight: 100 },
        { name: 'bash', weight: 60 },
      ],
    });
  });
});
