import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { OffCpu, type OffCpuOptions } from '../../src/collect/offcpu.ts';
import { bootId, readTasks } from '../../src/collect/proc/tasks.ts';
import type { EventData, StackData } from '../../src/common/datatypes.ts';
import { runningTools } from '../../src/common/process.ts';
import type { Scope } from '../../src/common/scope.ts';
import { makePlace } from '../e2e/marple.ts';
import { prepareFio } from '../support/fio.ts';
import { compileProgram } from '../support/programs.ts';
import { collectAll, type TestRun, testRun } from '../support/run.ts';
import { runWaits, type Waited } from '../support/waits.ts';

const waits = compileProgram('waits', '-pthread');
const fio = prepareFio('offcpu-file', 8);
const NOBODY = 999_999_999;
const SLOW = 120_000;

interface Collected<T> {
  readonly stacks: StackData[];
  readonly events: EventData[];
  readonly result: T;
}

function offCpuRun(
  tool: string,
  settings: Partial<OffCpuOptions> = {},
  scope: Partial<Scope> = {},
): TestRun<OffCpuOptions> {
  const options = OffCpu.description.options.parse(settings);
  return testRun({ tool, options, scope: { own: NOBODY, ...scope }, tasks: readTasks(), bootId: bootId() });
}

async function collectDuring<T>(run: TestRun<OffCpuOptions>, load: () => Promise<T>): Promise<Collected<T>> {
  const collected = collectAll(new OffCpu(run.run));
  await Promise.race([run.started, collected]);
  const result = await load();
  run.stop();
  const [stacks = [], events = []] = await collected;
  return { stacks: stacks as StackData[], events: events as EventData[], result };
}

/** Nanoseconds off the CPU in a function, for a reason. */
function timeIn(stacks: readonly StackData[], reason: string, name: string): number {
  return stacks.reduce(
    (sum, { weight, stack }) =>
      sum + (stack[0] === 'waits' && stack[1] === reason && stack.includes(name) ? weight : 0),
    0,
  );
}

/** The time that the program measured, within 5 % and what being traced costs each time. */
function expectClose(measured: number, { off, voluntary, preempted }: Waited): void {
  const slack = 0.05 * off + 60_000 * (voluntary + preempted);
  expect(Math.abs(measured - off)).toBeLessThan(slack);
}

/** What is true of all data: the sections agree, the events are sorted and within the run. */
function expectConsistent({ stacks, events }: Collected<unknown>): void {
  const totals = stacks.map(() => 0);
  for (const { datum } of events) totals[Number(datum[0])]! += Number(datum[4]);
  expect(stacks.map(({ weight }) => weight)).toEqual(totals);
  expect(events.every(({ time }, i) => time >= (events[i - 1]?.time ?? 0))).toBe(true);
  for (const { type, datum } of events) expect(stacks[Number(datum[0])]?.stack[1]).toBe(`[${type}]`);
  expect(stacks.some(({ stack }) => stack[0]?.startsWith('swapper'))).toBe(false);
}

describe.each(['perf', 'bpftrace'])('%s', (tool) => {
  test('a task that sleeps, one that reads a pipe, one that wants a lock, one that reads a disk', {
    timeout: SLOW,
  }, async () => {
    const run = offCpuRun(tool);
    const all = await collectDuring(run, async () => ({
      sleep: await runWaits(waits, 'sleep', '20', '50'),
      pipe: await runWaits(waits, 'pipe', '20', '20'),
      lock: await runWaits(waits, 'lock', '20', '20'),
      disk: await runWaits(waits, 'disk', '500', fio.file),
    }));
    const { stacks, result } = all;
    if (tool === 'perf') expectConsistent(all);
    else expect(all.events).toEqual([]);
    expectClose(timeIn(stacks, '[sleeping]', 'sleep_once'), result.sleep);
    // A system call's wrapper hides its caller: what called that is seen.
    expectClose(timeIn(stacks, '[sleeping]', 'read_from_pipe'), result.pipe);
    expect(timeIn(stacks, '[sleeping]', 'take_lock')).toBeGreaterThan(0.85 * result.lock.off);
    expectClose(timeIn(stacks, '[disk]', 'read_directly'), result.disk);
    const slept = stacks.find(({ stack }) => stack.includes('sleep_once'));
    expect(slept?.stack.slice(0, 6)).toEqual([
      'waits',
      '[sleeping]',
      '__libc_start_call_main',
      'main',
      'sleep_in_turns',
      'sleep_once',
    ]);
    expect(slept?.stack.at(-1)).toBe('__schedule');
    expect(run.report.lostCount).toBe(0);
    expect(runningTools()).toEqual([]);
  });

  test('two that spin on one CPU wait for it', { timeout: SLOW }, async () => {
    const run = offCpuRun(tool);
    const { stacks, result } = await collectDuring(run, async () => {
      const both = [runWaits(waits, 'spin', '1', '0'), runWaits(waits, 'spin', '1', '0')];
      return Promise.all(both);
    });
    const off = result.reduce((sum, waited) => sum + waited.off, 0);
    expect(off).toBeGreaterThan(0.8e9);
    expect(Math.abs(timeIn(stacks, '[runnable]', 'spin_on') - off) / off).toBeLessThan(0.1);
    expect(timeIn(stacks, '[sleeping]', 'spin_on')).toBe(0);
  });

  test('of a command its own alone', { timeout: SLOW }, async () => {
    const run = offCpuRun(tool, {}, { root: 0 });
    const { stacks } = await collectDuring(run, async () => {
      const child = spawn('sh', ['-c', `${waits} sleep 20 20 >/dev/null; exit 0`], { stdio: 'ignore' });
      run.changeScope({ root: child.pid as number });
      await once(child, 'exit');
    });
    const names = new Set(stacks.map(({ stack }) => stack[0]));
    expect(names).toContain('waits');
    for (const name of names) expect(['sh', 'waits', 'node']).toContain(name);
    expect(Math.abs(timeIn(stacks, '[sleeping]', 'sleep_once') - 0.4e9)).toBeLessThan(0.1e9);
  });
});

describe('perf', () => {
  test('each time off the CPU is an event, with its length', { timeout: SLOW }, async () => {
    const { events, stacks, result } = await collectDuring(offCpuRun('perf'), () =>
      runWaits(waits, 'sleep', '20', '50'),
    );
    const isSleep = ({ datum }: EventData): boolean => stacks[Number(datum[0])]?.stack.includes('sleep_once') === true;
    const slept = events.filter((event) => isSleep(event) && event.type === 'sleeping');
    expect(slept).toHaveLength(20);
    for (const { datum } of slept) {
      expect(datum.slice(2, 4)).toEqual([String(result.pid), String(result.tid)]);
      expect(Number(datum[4])).toBeGreaterThan(49.9e6);
    }
  });

  test('a named process alone, and one that sleeps until the end counts until then', { timeout: SLOW }, async () => {
    const program = spawn(waits, ['sleep', '2', '20000'], { stdio: 'ignore' });
    onTestFinished(() => void program.kill('SIGKILL'));
    const other = spawn(waits, ['sleep', '100', '100'], { stdio: 'ignore' });
    onTestFinished(() => void other.kill('SIGKILL'));
    const run = offCpuRun('perf', {}, { pids: [other.pid as number] });
    const { stacks, events } = await collectDuring(run, () => sleep(1050));
    expect(new Set(events.map(({ datum }) => datum[2]))).toEqual(new Set([String(other.pid)]));
    const time = timeIn(stacks, '[sleeping]', 'sleep_once');
    expect(time).toBeGreaterThan(0.8e9);
    expect(time).toBeLessThan(1.3e9);
  });

  test('a task that does not come back counts until the end, and it is said', { timeout: SLOW }, async () => {
    const run = offCpuRun('perf');
    const { stacks, events } = await collectDuring(run, async () => {
      const program = spawn(waits, ['sleep', '1', '60000'], { stdio: 'ignore' });
      onTestFinished(() => void program.kill('SIGKILL'));
      await sleep(1000);
    });
    const time = timeIn(stacks, '[sleeping]', 'sleep_once');
    expect(time).toBeGreaterThan(0.7e9);
    expect(time).toBeLessThan(1.3e9);
    expect(events.length).toBeGreaterThan(0);
    const notes: string[] = [];
    const header = {
      marple: 1,
      interface: 'offcpu',
      datatype: 'stack',
      start: '2026-01-01T00:00:00Z',
      end: null,
    } as const;
    const applied: Parameters<typeof run.report.applyTo>[0] = { ...header };
    run.report.applyTo(applied);
    notes.push(...(applied.notes ?? []));
    expect(notes.join('\n')).toMatch(/tasks of the machine were off their CPU when the recording ended/);
  });

  test('above its budget stacks are left out, or the recording ends, and all time still counts', {
    timeout: SLOW,
  }, async () => {
    const run = offCpuRun('perf', { max_mb_per_s: 0.5 });
    const all = await collectDuring(run, async () => {
      const load = spawn('stress-ng', ['--switch', '1', '--switch-freq', '4000'], { stdio: 'ignore' });
      onTestFinished(() => void load.kill('SIGTERM'));
      await sleep(4000);
      load.kill('SIGTERM');
    });
    expectConsistent(all);
    expect(run.report.warnings.join('\n')).toMatch(
      /stacks came faster than 0\.5 MB a second|the recording was ended at/,
    );
    const without = all.stacks.filter(
      ({ stack }) => stack[0]?.startsWith('stress-ng') && stack[2] === '[stack not recorded]',
    );
    // Where even the switches alone are too many there may have been no time without stacks.
    const wasEnded = run.report.warnings.join().includes('the recording was ended at');
    if (!wasEnded) expect(without.length).toBeGreaterThan(0);
    expect(all.stacks.some(({ stack }) => stack[0]?.startsWith('stress-ng') && stack.includes('__schedule'))).toBe(
      true,
    );
  });

  test('of a run that was killed what had been recorded is read', { timeout: SLOW }, async () => {
    const place = makePlace();
    onTestFinished(() => place.remove());
    const killed = place.start(['collect', '--cpu=off', '-t', '60', '-o', 'k.marple']);
    await killed.says('offcpu (perf)');
    await runWaits(waits, 'sleep', '10', '20');
    killed.kill('SIGKILL');
    await killed.ended;
    const listed = await place.marple(['display', '-l', '-i', 'k.marple']);
    expect(listed.code).toBe(0);
    expect(Number(/offcpu +event +- +(\d+)/.exec(listed.stdout)?.[1])).toBeGreaterThan(10);
  });

  test('the built command draws a flame graph of it', { timeout: SLOW }, async () => {
    const place = makePlace();
    onTestFinished(() => place.remove());
    const collected = await place.marple(['collect', '--cpu=off', '-o', 'o.marple', '--', waits, 'sleep', '5', '50']);
    expect(collected.code).toBe(0);
    const shown = await place.marple(['display', '-i', 'o.marple', '--no-open', '-o', 'o.svg']);
    expect(shown).toMatchObject({ code: 0 });
    const svg = readFileSync(place.path('o.svg'), 'utf8');
    for (const name of ['[sleeping]', 'sleep_in_turns']) expect(svg).toContain(name);
    expect(place.leftovers()).toEqual([]);
  });
});
