import { expect, test } from 'vitest';
import { findingOptions, findings } from '../../src/analysis/findings.ts';
import type { Summary } from '../../src/analysis/stats/summary.ts';
import type { SectionStats } from '../../src/analysis/stats.ts';

const OPTIONS = findingOptions.parse({});

function stats(interfaceName: string, numbers: Partial<SectionStats>): SectionStats {
  return {
    section: 1,
    interface: interfaceName,
    datatype: 'event',
    tool: null,
    start: '2026-03-01T09:30:00.000Z',
    seconds: 10,
    records: 1,
    rate: 1,
    lost: 0,
    skipped: 0,
    notes: [],
    ...numbers,
  };
}

function summary(p50: number, p99: number, max: number, count = 1000): Summary {
  return { count, sum: p50 * count, min: 0, mean: p50, p50, p90: p99, p99, p999: max, max };
}

const process = (comm: string, processes = 1) => ({ comm, pid: null, processes });
const sentences = (...all: SectionStats[]): string[] => findings(all, OPTIONS).map(({ sentence }) => sentence);

test('of a quiet machine there are none', () => {
  const scheduling = {
    from: 0,
    to: 10,
    cpus: [{ cpu: 0, busy: 1, idle: 9, other: 0, unknown: 0, switches: 9 }],
    latency: summary(0.01, 0.1, 1),
    waits: [],
    processes: [
      { ...process('sh'), cpu_seconds: 1, switches: 9, preempted: 0, latency: summary(0.01, 0.1, 1), waits: [] },
    ],
    missed: 0,
  };
  const points = { label: 'latency', unit: 'ms', all: summary(0.1, 0.4, 1), processes: [], by: [] };
  expect(sentences(stats('cpusched', { scheduling }), stats('disklat', { points }))).toEqual([]);
});

test('busy CPUs, waits for them, and waits for a disk', () => {
  const scheduling = {
    from: 0,
    to: 10,
    cpus: [0, 1].map((cpu) => ({ cpu, busy: 9.8, idle: 0.2, other: 0, unknown: 0, switches: 9 })),
    latency: summary(5, 40, 90, 2000),
    waits: [],
    processes: [
      { ...process('cc1', 8), cpu_seconds: 15, switches: 9, preempted: 3, latency: summary(5, 30, 60), waits: [] },
      {
        ...process('tar'),
        cpu_seconds: 1,
        switches: 9,
        preempted: 3,
        latency: summary(5, 70, 90),
        waits: [{ reason: 'disk', seconds: 6 }],
      },
    ],
    missed: 0,
  };
  const found = findings([stats('cpusched', { scheduling })], OPTIONS);
  expect(found.map(({ sentence }) => sentence)).toEqual([
    'All CPUs ran tasks 98 % of the time; most of it was cc1 (15 s)',
    '1 in 100 of 2,000 waits for a CPU took 40 ms or more; tar had to wait longest',
    'tar waited 6 s for a disk (state D)',
  ]);
  expect(found.map(({ number }) => Math.round(number))).toEqual([98, 40, 6]);
  expect(found[1]?.select).toEqual([{ kind: 'field', field: 'comm', values: ['tar'], not: false }]);
});

test('of a part of the processes it is not said which of all had most of the CPUs', () => {
  const scheduling = {
    from: 0,
    to: 10,
    cpus: [{ cpu: 0, busy: 1, idle: 0.2, other: 8.8, unknown: 0, switches: 9 }],
    latency: summary(0.01, 0.1, 1),
    waits: [],
    processes: [
      { ...process('sh'), cpu_seconds: 1, switches: 9, preempted: 0, latency: summary(0.01, 0.1, 1), waits: [] },
    ],
    missed: 0,
  };
  expect(sentences(stats('cpusched', { scheduling }))).toEqual([
    'All CPUs ran tasks 98 % of the time; sh had 1 s of it',
  ]);
});

test('slow I/Os select themselves', () => {
  const processes = [
    { ...process('db'), ...summary(1, 80, 90, 900) },
    { ...process('sh'), ...summary(1, 2, 3, 100) },
  ];
  const points = { label: 'latency', unit: 'ms', all: summary(1, 75, 90), processes, by: [] };
  const [found] = findings([stats('disklat', { points })], OPTIONS);
  expect(found?.sentence).toBe(
    '1 in 100 of 1,000 disk I/Os took 75 ms or more; 90 % of the time of all I/Os was of db',
  );
  expect(found?.select).toEqual([{ kind: 'values', interface: 'disklat', from: 75, to: 90 }]);
  const zero = { ...points, all: summary(0, 0, 0), processes: [] };
  expect(sentences(stats('disklat', { points: zero }))).toEqual([]);
});

test('I/Os that queue at a device select it', () => {
  const device = (name: string, milliseconds: number) => ({ name, ...summary(milliseconds / 1000, 2, 3) });
  const points = {
    label: 'latency',
    unit: 'ms',
    all: summary(1, 2, 3),
    processes: [{ ...process('db'), ...summary(1, 2, 3, 900) }],
    // In ten seconds.
    by: [{ field: 'dev', groups: [device('8:0', 120_000), device('8:16', 70_000)] }],
  };
  const [found, ...others] = findings([stats('disklat', { points })], OPTIONS);
  expect(found?.sentence).toBe(
    '12 I/Os were under way at 8:0 at a time, on the average; 90 % of the time of all I/Os was of db',
  );
  expect(found?.select).toEqual([{ kind: 'field', field: 'dev', values: ['8:0'], not: false }]);
  expect(others).toEqual([]);
});

test('programs that wait for a CPU, the three that wait most', () => {
  const waits = (comm: string, seconds: number, processes = 1) => ({
    ...process(comm, processes),
    cpu_seconds: 1,
    switches: 9,
    preempted: 3,
    latency: summary(0.1, 1, 2),
    waits: [{ reason: 'runnable', seconds }],
  });
  const scheduling = {
    from: 0,
    to: 10,
    cpus: [],
    latency: summary(0.1, 1, 2),
    waits: [],
    processes: [waits('a', 6), waits('b', 5), waits('c', 4.9), waits('d', 30, 8), waits('e', 7)],
    missed: 0,
  };
  expect(sentences(stats('cpusched', { scheduling }))).toEqual([
    'd waited 30 s in 10 s for a CPU (8 tasks together), and ran 1 s',
    'e waited 7 s in 10 s for a CPU, and ran 1 s',
    'a waited 6 s in 10 s for a CPU, and ran 1 s',
  ]);
});

test('what leaked, and where most of it was allocated', () => {
  const leaked = (total: number) => ({
    stacks: {
      label: 'bytes',
      unit: 'bytes',
      total,
      idle: 0,
      unique: 1,
      broken: { unique: 0, weight: 0 },
      by_self: [{ name: 'remember', self: total / 2, total }],
      by_total: [],
      processes: [],
      reasons: [],
    },
  });
  const [found] = findings([stats('memleak', leaked(4 * 2 ** 20))], OPTIONS);
  expect(found?.sentence).toBe('4,194,304 bytes were allocated and not freed, the most in remember (50 %)');
  expect(found?.select).toEqual([{ kind: 'frame', name: 'remember', not: false }]);
  expect(sentences(stats('memleak', leaked(2 ** 19)))).toEqual([]);
});

test('growing memory, but not where a peak has gone by', () => {
  const trend = (first: number, last: number, slope: number) => ({ samples: 20, first, last, max: last + 50, slope });
  const growing = [
    { ...process('leaky'), ...trend(100, 180, 8) },
    { ...process('peak'), ...trend(75, 74, 1.5) },
  ];
  const trends = { label: 'PSS', unit: 'MiB', all: trend(1, 2, 0), processes: growing, growing };
  expect(sentences(stats('memtime', { trends }))).toEqual([
    'The memory of leaky grew by 8 MiB a second, from 100 to 180 MiB',
  ]);
});

test('what was lost comes last, and names are shown harmlessly', () => {
  const trend = { samples: 20, first: 1, last: 90, max: 90, slope: 8 };
  const growing = [{ ...process('a\x1b[31m'), ...trend }];
  const trends = { label: 'PSS', unit: 'MiB', all: trend, processes: growing, growing };
  expect(sentences(stats('ipc', { lost: 7, skipped: 1 }), stats('memtime', { trends }))).toEqual([
    'The memory of a\\x1b[31m grew by 8 MiB a second, from 1 to 90 MiB',
    '7 records of ipc were lost by the kernel or the tool',
    '1 line of the tool behind ipc could not be read',
  ]);
});

test('waits for disks and locks, but not those that nobody holds up', () => {
  const waits = (name: string, total: number) => ({
    stacks: {
      label: 'time off the CPU',
      unit: 'ns',
      total: 60e9,
      idle: 0,
      unique: 2,
      broken: { unique: 0, weight: 0 },
      by_self: [],
      by_total: [
        { name: 'schedule', self: 0, total: 60e9 },
        { name, self: 0, total },
      ],
      processes: [],
      reasons: [],
    },
  });
  const disk = { stacks: { ...waits('io_schedule', 1e9).stacks, reasons: [{ name: '[disk]', weight: 5e9 }] } };
  const [found] = findings([stats('offcpu', disk)], OPTIONS);
  expect(found?.sentence).toBe('Tasks waited 5 s in 10 s for disks, or for what else no signal ends (state D)');
  expect(found?.select).toEqual([{ kind: 'frame', name: '[disk]', not: false }]);
  for (const name of ['__GI___lll_lock_wait', '___pthread_mutex_lock', '__mutex_lock', 'rwsem_down_write_slowpath']) {
    expect(sentences(stats('offcpu', waits(name, 5e9)))).toEqual([`Tasks waited 5 s in 10 s for locks (${name})`]);
  }
  expect(sentences(stats('offcpu', waits('__mutex_lock', 1e9)))).toEqual([]);
  expect(sentences(stats('offcpu', waits('pthread_mutex_trylocked_by', 5e9)))).toEqual([]);
  expect(sentences(stats('offcpu', waits('clock_nanosleep', 5e9)))).toEqual([]);
});
