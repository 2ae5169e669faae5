import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SchedulingStats } from '../../../src/analysis/stats/scheduling.ts';
import type { StatsOptions } from '../../../src/analysis/stats.ts';
import type { EventData } from '../../../src/common/datatypes.ts';
import { cpusched, statsOf } from './sections.ts';

const idle = (cpu: number): [string, string] => ['0', `swapper/${cpu}`];
const task = (pid: number, comm: string): [string, string] => [String(pid), comm];
const MS = 1e6;

function swap(ms: number, cpu: number, from: [string, string], state: string, to: [string, string]): EventData {
  return { time: ms * MS, type: 'switch', datum: [String(cpu), ...from, ...to, state] };
}
function wake(ms: number, cpu: number, waker: [string, string], woken: [string, string]): EventData {
  return { time: ms * MS, type: 'wakeup', datum: [String(cpu), ...waker, ...woken, `>${cpu}`] };
}

async function scheduling(
  records: readonly EventData[],
  options: Partial<StatsOptions> = {},
  scope?: Record<string, unknown>,
  headerOptions?: Record<string, unknown>,
): Promise<SchedulingStats> {
  const [stats] = await statsOf([cpusched(records, scope, headerOptions)], options);
  return stats!.scheduling!;
}

const A = task(10, 'a');
const B = task(20, 'b');

/** On CPU 0: idle until 10 ms, a until 30 (it sleeps), idle until 50, b until 60 (preempted by a), a until 90. */
const HISTORY = [
  wake(0, 0, idle(0), B),
  wake(8, 0, idle(0), A),
  swap(10, 0, idle(0), 'R', A),
  // Who is ready already, or runs, is not made ready again.
  wake(20, 0, A, B),
  wake(25, 0, A, A),
  swap(30, 0, A, 'S', idle(0)),
  swap(50, 0, idle(0), 'R', B),
  wake(55, 0, B, A),
  swap(60, 0, B, 'R+', A),
  swap(90, 0, A, 'D', B),
  swap(100, 0, B, 'X', idle(0)),
];

describe('scheduling', () => {
  it('CPU time, switches, latency and waits of each process; what a CPU did', async () => {
    const stats = await scheduling(HISTORY);
    expect(stats).toMatchObject({ from: 0, to: 0.1, missed: 0 });
    expect(stats.cpus).toEqual([{ cpu: 0, busy: 0.07, idle: 0.03, other: 0, unknown: 0, switches: 6 }]);
    expect(stats.processes).toMatchObject([
      {
        comm: 'a',
        pid: 10,
        cpu_seconds: 0.05,
        switches: 2,
        preempted: 0,
        latency: { count: 2, min: 2, max: 5 },
        waits: [
          { reason: 'sleeping', seconds: 0.025 },
          { reason: 'disk', seconds: 0.01 },
          { reason: 'runnable', seconds: 0.007 },
        ],
      },
      {
        comm: 'b',
        pid: 20,
        cpu_seconds: 0.02,
        switches: 2,
        preempted: 1,
        latency: { count: 2, min: 30, max: 50 },
        waits: [{ reason: 'runnable', seconds: 0.08 }],
      },
    ]);
    expect(stats.latency).toMatchObject({ count: 4, max: 50, sum: 87 });
  });

  it('of a range: what came before tells who ran at its beginning', async () => {
    const stats = await scheduling(HISTORY, { filter: { from: 0.02, to: 0.055 } });
    expect(stats).toMatchObject({ from: 0.02, to: 0.055 });
    expect(stats.cpus).toEqual([{ cpu: 0, busy: 0.015, idle: 0.02, other: 0, unknown: 0, switches: 2 }]);
    expect(stats.processes).toMatchObject([
      {
        comm: 'a',
        cpu_seconds: 0.01,
        switches: 1,
        latency: { count: 0 },
        waits: [{ reason: 'sleeping', seconds: 0.025 }],
      },
      { comm: 'b', cpu_seconds: 0.005, latency: { count: 1, max: 50 }, waits: [{ reason: 'runnable', seconds: 0.03 }] },
    ]);
  });

  it('of some processes: the time of the others is other', async () => {
    for (const filter of [{ pids: [20] }, { comm: /^b$/u }]) {
      const stats = await scheduling(HISTORY, { filter });
      expect(stats.cpus).toEqual([{ cpu: 0, busy: 0.02, idle: 0.03, other: 0.05, unknown: 0, switches: 6 }]);
      expect(stats.processes.map(({ comm }) => comm)).toEqual(['b']);
      expect(stats.latency.count).toBe(2);
    }
  });

  it('a missing switch: the one that had come is credited as far as it was seen, the rest is unknown', async () => {
    const stats = await scheduling([
      swap(10, 0, idle(0), 'R', A),
      wake(40, 0, A, task(30, 'c')),
      swap(50, 0, B, 'S', idle(0)),
      swap(60, 0, idle(0), 'R', A),
      swap(70, 0, A, 'S', idle(0)),
    ]);
    expect(stats.missed).toBe(1);
    expect(stats.cpus).toEqual([{ cpu: 0, busy: 0.04, idle: 0.01, other: 0, unknown: 0.01, switches: 4 }]);
  });

  it('a hole: what happens in it is unknown', async () => {
    const lost: EventData = { time: 30 * MS, type: 'lost', datum: ['0', '', '', '', '', ''] };
    const stats = await scheduling([
      swap(10, 0, idle(0), 'R', A),
      swap(20, 0, A, 'S', idle(0)),
      lost,
      swap(60, 0, B, 'S', A),
      swap(70, 0, A, 'S', idle(0)),
    ]);
    expect(stats.missed).toBe(0);
    expect(stats.cpus).toEqual([{ cpu: 0, busy: 0.02, idle: 0.01, other: 0, unknown: 0.03, switches: 4 }]);
    expect(stats.processes.find(({ comm }) => comm === 'a')?.waits).toEqual([{ reason: 'sleeping', seconds: 0.01 }]);
  });

  it('of a run with a scope: what others did is not made up', async () => {
    const records = [swap(10, 0, B, 'S', A), swap(30, 0, A, 'S', B), swap(90, 0, B, 'R', A), swap(95, 0, A, 'S', B)];
    const stats = await scheduling(records, {}, { system_wide: false, pids: [10] });
    expect(stats.processes.find(({ comm }) => comm === 'a')).toMatchObject({ cpu_seconds: 0.025 });
  });

  it('of a run with a scope: what others do between two meetings with it is not known', async () => {
    const C = task(30, 'c');
    const records = [
      wake(5, 0, A, B),
      swap(10, 0, A, 'S', B),
      // Here b left and c came, and neither is in scope.
      swap(40, 0, C, 'R', A),
      swap(60, 0, A, 'R', C),
      wake(70, 1, A, C),
    ];
    const stats = await scheduling(records, {}, { system_wide: false }, { tasks_in_scope: '9-10' });
    expect(stats.missed).toBe(0);
    expect(stats.processes.map(({ comm, cpu_seconds }) => [comm, cpu_seconds])).toEqual([['a', 0.025]]);
    expect(stats.processes[0]!.waits).toEqual([
      { reason: 'sleeping', seconds: 0.03 },
      { reason: 'runnable', seconds: 0.01 },
    ]);
    expect(stats.cpus[0]).toMatchObject({ busy: 0.025, unknown: 0.04 });
  });

  it('agrees with a machine that is played', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), fc.integer({ min: 1, max: 3 }), async (seed, cpus) => {
        const machine = play(seed, cpus, 5, 400);
        const stats = await scheduling(machine.events, { by: 'pid', top: 100 });
        expect(stats.missed).toBe(0);
        for (const { pid, cpu_seconds, latency, switches, waits } of stats.processes) {
          const truth = machine.tasks.get(pid ?? -1)!;
          expect(cpu_seconds * 1e9).toBeCloseTo(truth.cpu, 0);
          expect([latency.count, latency.max ?? 0]).toEqual([
            truth.latencies.length,
            Math.max(0, ...truth.latencies) / 1e6,
          ]);
          expect(switches).toBe(truth.switches);
          const waited = Object.fromEntries(waits.map(({ reason, seconds }) => [reason, Math.round(seconds * 1e9)]));
          expect(waited).toEqual(Object.fromEntries(Object.entries(truth.waits).filter(([, time]) => time > 0)));
        }
        const [first, last] = [machine.events[0]!.time, machine.events.at(-1)!.time];
        for (const { cpu, busy, idle: idleTime, unknown } of stats.cpus) {
          expect(unknown).toBe(0);
          expect((busy + idleTime) * 1e9).toBeCloseTo(last - first, 0);
          expect(busy * 1e9).toBeCloseTo(machine.busy[cpu]!, 0);
        }
      }),
      { numRuns: 50 },
    );
  });
});

interface Played {
  readonly pid: number;
  state: 'running' | 'runnable' | 'sleeping' | 'disk';
  since: number;
  cpu: number;
  switches: number;
  readonly latencies: number[];
  readonly waits: Record<string, number>;
}

/** A scheduler that does anything at any time, and keeps account of it. All tasks sleep at first, all CPUs are idle. */
function play(seed: number, cpus: number, taskCount: number, steps: number) {
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const tasks = new Map<number, Played>();
  for (let pid = 1; pid <= taskCount; pid++) {
    tasks.set(pid, { pid, state: 'sleeping', since: -1, cpu: 0, switches: 0, latencies: [], waits: {} });
  }
  const current: (Played | undefined)[] = Array.from({ length: cpus }, () => undefined);
  const busy = current.map(() => 0);
  const events: EventData[] = [];
  let now = 0;
  const nameOf = (played: Played | undefined, cpu: number): [string, string] =>
    played === undefined ? idle(cpu) : task(played.pid, `t${played.pid}`);
  const move = (played: Played, next: Played['state']): void => {
    if (played.state !== 'running' && played.since >= 0) {
      played.waits[played.state] = (played.waits[played.state] ?? 0) + now - played.since;
    }
    played.state = next;
    played.since = now;
  };
  const first = 1;
  for (let step = 0; step < steps; step++) {
    const before = now;
    now = step === 0 ? first : now + 1 + random(1_000_000);
    for (const [cpu, played] of current.entries()) {
      if (played !== undefined) {
        played.cpu += now - before;
        busy[cpu]! += now - before;
      }
    }
    // Every CPU shows itself at the beginning.
    const cpu = step < cpus ? step : random(cpus);
    const sleeping = [...tasks.values()].filter((each) => each.state === 'sleeping' || each.state === 'disk');
    const runnable = [...tasks.values()].filter((each) => each.state === 'runnable');
    const leaver = current[cpu];
    if (step >= cpus && sleeping.length > 0 && random(2) === 0) {
      const woken = sleeping[random(sleeping.length)]!;
      move(woken, 'runnable');
      events.push({
        time: now,
        type: random(5) === 0 ? 'wakeup_new' : 'wakeup',
        datum: [String(cpu), ...nameOf(leaver, cpu), ...nameOf(woken, cpu), `>${cpu}`],
      });
      continue;
    }
    const comer = runnable.length > 0 && random(4) > 0 ? runnable[random(runnable.length)] : undefined;
    if (comer === leaver) continue;
    let letter = 'R';
    if (leaver !== undefined) {
      const [next, name] = (
        [
          ['sleeping', 'S'],
          ['disk', 'D'],
          ['runnable', 'R+'],
        ] as const
      )[random(3)]!;
      letter = name;
      leaver.switches++;
      move(leaver, next);
    }
    if (comer !== undefined) {
      comer.latencies.push(now - comer.since);
      move(comer, 'running');
    }
    current[cpu] = comer;
    events.push({
      time: now,
      type: 'switch',
      datum: [String(cpu), ...nameOf(leaver, cpu), ...nameOf(comer, cpu), letter],
    });
  }
  // The last event ends the account.
  events.push({ time: now, type: 'exit', datum: ['0', '9', 'other', '', '', ''] });
  for (const played of tasks.values()) if (played.state !== 'running') move(played, played.state);
  return { events, tasks, busy };
}
