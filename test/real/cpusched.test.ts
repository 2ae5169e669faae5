import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { CpuScheduling } from '../../src/collect/cpusched.ts';
import { readTasks } from '../../src/collect/proc/tasks.ts';
import { sinceOrigin } from '../../src/common/clock.ts';
import type { EventData } from '../../src/common/datatypes.ts';
import { parseRanges } from '../../src/common/ranges.ts';
import type { Scope } from '../../src/common/scope.ts';
import { readStats } from '../../src/formats/ftrace.ts';
import { makePlace } from '../e2e/marple.ts';
import { compileProgram } from '../support/programs.ts';
import { collectAll, type TestRun, testRun } from '../support/run.ts';
import { runWaits } from '../support/waits.ts';

const waits = compileProgram('waits', '-pthread');
const tasks = compileProgram('tasks', '-pthread');
/** Descends from nobody: what the tests start would be left out with what descends from them. */
const NOBODY = 999_999_999;

type Options = ReturnType<typeof CpuScheduling.description.options.parse>;

function schedRun(tool: string, settings: { buffer_kb?: number; scope?: Partial<Scope> } = {}): TestRun<Options> {
  const options = CpuScheduling.description.options.parse({ buffer_kb: settings.buffer_kb });
  return testRun({ tool, options, scope: { own: NOBODY, ...settings.scope }, tasks: readTasks() });
}

/** Collects while `load` runs. */
async function collectDuring<T>(
  run: TestRun<Options>,
  load: () => Promise<T>,
): Promise<{ events: EventData[]; result: T }> {
  const collected = collectAll(new CpuScheduling(run.run));
  await Promise.race([run.started, collected]);
  const result = await load();
  run.stop();
  return { events: ((await collected)[0] ?? []) as EventData[], result };
}

const isSorted = (events: readonly EventData[]): boolean =>
  events.every(({ time }, i) => i === 0 || time >= events[i - 1]!.time);

/** Cpu, tid, name, and so on of an event. */
const of = ({ datum }: EventData) => ({
  cpu: datum[0]!,
  tid: datum[1]!,
  comm: datum[2]!,
  otherTid: datum[3]!,
  otherComm: datum[4]!,
  state: datum[5]!,
});

/** What a task did between the first and the last time that it was off its CPU for a state that begins with `why`. */
function waitsOf(events: readonly EventData[], tid: string, why: RegExp): number[] {
  const durations: number[] = [];
  let left: { time: number; state: string } | undefined;
  for (const event of events) {
    if (event.type !== 'switch') continue;
    const { tid: leaver, otherTid, state } = of(event);
    if (otherTid === tid && left !== undefined && why.test(left.state)) durations.push(event.time - left.time);
    if (otherTid === tid) left = undefined;
    if (leaver === tid) left = { time: event.time, state };
  }
  return durations;
}

/** Some kernels leave out switches; how many is said. At most one time of a task goes with each. */
function missingIn(run: TestRun<Options>): number {
  return Number(/^(\d+) times a CPU ran another task/m.exec(run.report.warnings.join('\n'))?.[1] ?? 0);
}

const sum = (values: readonly number[]): number => values.reduce((added, value) => added + value, 0);

describe.each(['ftrace', 'perf'])('%s', (tool) => {
  test('a task that sleeps twenty times for 50 ms', async () => {
    const run = schedRun(tool);
    const { events, result } = await collectDuring(run, () => runWaits(waits, 'sleep', '20', '50'));
    const tid = String(result.tid);
    expect(isSorted(events)).toBe(true);
    expect(result.voluntary).toBe(20);
    const slept = waitsOf(events, tid, /^S/).filter((time) => time > 45e6);
    expect(slept.length).toBeLessThanOrEqual(20);
    expect(slept.length).toBeGreaterThanOrEqual(20 - missingIn(run));
    for (const time of slept) expect(time).toBeGreaterThan(49.9e6);
    // Time on the run queue after being woken is in both.
    if (slept.length === 20) expect(Math.abs(sum(slept) - result.off) / result.off).toBeLessThan(0.02);

    const own = events.filter((event) => of(event).tid === tid || of(event).otherTid === tid);
    expect(own.filter(({ type }) => type === 'exec').map((event) => [of(event).comm, of(event).state])).toContainEqual([
      'waits',
      waits,
    ]);
    expect(own.filter(({ type }) => type === 'exit')).toHaveLength(1);
    expect(own.filter((event) => event.type === 'fork' && of(event).otherTid === tid)).toHaveLength(1);
    const timers = own.filter((event) => event.type === 'wakeup' && /^hardirq>\d+$/.test(of(event).state));
    // perf does not see those that come while a CPU idles.
    if (tool === 'ftrace') expect(timers.length).toBeGreaterThanOrEqual(20);
    expect(run.report.lostCount).toBe(0);
  });

  test('as many switches as the kernel counts for a task, and why', async () => {
    const run = schedRun(tool);
    const { events, result } = await collectDuring(run, async () => {
      const one = runWaits(waits, 'spin', '1', '0');
      const other = runWaits(waits, 'spin', '1', '0');
      return [await one, await other] as const;
    });
    const missing = missingIn(run);
    for (const { tid, off, preempted, voluntary } of result) {
      const waited = waitsOf(events, String(tid), /^R/);
      // What happens before and after the function, as starting and ending, is not in what it counted.
      expect(waited.length).toBeGreaterThanOrEqual(preempted - missing);
      expect(waited.length).toBeLessThanOrEqual(preempted + voluntary + 20);
      // Both spin on one CPU: each waits for it about half of the time.
      expect(off).toBeGreaterThan(0.3e9);
      expect(Math.abs(sum(waited) - off) / off).toBeLessThan(0.1);
      const cpus = events.filter((event) => event.type === 'switch' && of(event).otherTid === String(tid)).slice(10);
      expect(new Set(cpus.map((event) => of(event).cpu))).toEqual(new Set(['0']));
    }
  });

  test('a command and its children, threads and what they become, and nobody else', async () => {
    const run = schedRun(tool, { scope: { root: 0 } });
    const { events, result } = await collectDuring(run, async () => {
      const child = spawn(tasks, ['0.05', waits, 'sleep', '3', '10'], { stdio: 'ignore' });
      run.changeScope({ root: child.pid as number });
      await once(child, 'exit');
      return String(child.pid);
    });
    const family = new Set([result]);
    for (const event of events) if (event.type === 'fork' && family.has(of(event).tid)) family.add(of(event).otherTid);
    // The command, two threads, its child, and the child's child, which becomes another program.
    expect(family.size).toBe(5);
    expect(events.filter((event) => !family.has(of(event).tid) && !family.has(of(event).otherTid))).toEqual([]);
    const names = new Set(events.map((event) => of(event).comm));
    for (const name of ['tasks', 'a b [x]/y-1', '(sd 12 3)', 'kid: 1.5 2:', 'waits']) expect(names).toContain(name);
  });
});

describe('ftrace', () => {
  test('a machine under load: every switch of a pair of tasks, with the default buffers, nothing lost', async () => {
    const run = schedRun('ftrace');
    const { events } = await collectDuring(run, async () => {
      const load = spawn('stress-ng', ['--switch', '1', '--switch-ops', '100000'], { stdio: 'ignore' });
      await once(load, 'exit');
    });
    expect(run.report).toMatchObject({ lostCount: 0, skippedCount: 0 });
    expect(isSorted(events)).toBe(true);
    expect(
      events.filter((event) => event.type === 'switch' && of(event).comm.startsWith('stress-ng')).length,
    ).toBeGreaterThan(50_000);
    const stats = readStats(await run.run.recordingDir());
    expect(stats?.cpus.every(({ overrun, dropped, entries }) => overrun + dropped + entries === 0)).toBe(true);
  });

  test('where the buffers overflow it is said how much is lost, and every hole is marked', async () => {
    const run = schedRun('ftrace', { buffer_kb: 64 });
    const lock = new Int32Array(new SharedArrayBuffer(4));
    const { events } = await collectDuring(run, async () => {
      const load = spawn('stress-ng', ['--switch', '1', '--switch-ops', '200000'], { stdio: 'ignore' });
      onTestFinished(() => void load.kill('SIGKILL'));
      for (let i = 0; i < 3; i++) {
        await sleep(200);
        // Nothing of this process runs: what comes overflows.
        Atomics.wait(lock, 0, 0, 300);
      }
      load.kill('SIGKILL');
      await sleep(100);
    });
    const stats = readStats(await run.run.recordingDir());
    expect(run.report.lostCount).toBe(sum((stats?.cpus ?? []).map(({ overrun, dropped }) => overrun + dropped)));
    expect(run.report.lostCount).toBeGreaterThan(1000);
    expect(run.report.warnings.join('\n')).toContain(`${run.report.lostCount} trace events were lost`);
    const holes = events.filter(({ type }) => type === 'lost' || type === 'resume');
    expect(holes.filter(({ type }) => type === 'lost').length).toBeGreaterThanOrEqual(3);
    const open = new Map<string, boolean>();
    for (const event of events) {
      const { cpu } = of(event);
      if (event.type === 'lost') open.set(cpu, true);
      else if (event.type === 'resume') open.set(cpu, false);
      else if (event.type === 'switch') expect(open.get(cpu) ?? false).toBe(false);
    }
    expect(isSorted(events)).toBe(true);
  });

  test('an inferred switch is within moments of what perf notes of the same switch', async () => {
    const folder = makePlace();
    onTestFinished(() => folder.remove());
    const data = folder.path('perf.data');
    const run = schedRun('ftrace');
    const { events } = await collectDuring(run, async () => {
      const args = ['record', '-q', '-a', '-k', 'CLOCK_MONOTONIC', '-e', 'dummy', '--switch-events', '-o', data];
      execFileSync('perf', [...args, 'sleep', '1'], { stdio: 'ignore' });
    });
    const text = execFileSync('perf', ['script', '-i', data, '--show-switch-events', '--ns', '-F', 'tid,cpu,time'], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    // The times at which a task came to a CPU.
    const came = new Map<string, number[]>();
    for (const [, tid, cpu, seconds, ns] of text.matchAll(
      /^ *(\d+) +\[(\d+)\] +(\d+)\.(\d{9}): PERF_RECORD_SWITCH\S* +IN/gm,
    )) {
      const key = `${Number(cpu)} ${tid}`;
      const time = sinceOrigin(run.run.clock, BigInt(seconds as string) * 1_000_000_000n + BigInt(ns as string));
      came.set(key, [...(came.get(key) ?? []), time]);
    }
    const times = [...came.values()].flat();
    const [from, to] = [Math.min(...times), Math.max(...times)];
    const inferred = events.filter((event) => event.time > from && event.time < to && of(event).state === 'inferred');
    const far = inferred.filter((event) => {
      const { cpu, otherTid } = of(event);
      const nearest = Math.min(...(came.get(`${cpu} ${otherTid}`) ?? []).map((time) => Math.abs(time - event.time)));
      return !(nearest < 1e6);
    });
    // Kernels that leave none out have none; a task that nobody saw woken or moved is put at its first sign.
    expect(far.length).toBeLessThanOrEqual(0.1 * inferred.length);
  });

  test('the built command writes a sorted section that can be read, with what was run', async () => {
    const place = makePlace();
    onTestFinished(() => place.remove());
    const run = await place.marple(['collect', '--cpu', '-o', 's.marple', '--', waits, 'sleep', '5', '20']);
    expect(run.code).toBe(0);
    const [header = '', ...lines] = readFileSync(place.path('s.marple'), 'utf8').trimEnd().split('\n');
    expect(JSON.parse(header)).toMatchObject({
      interface: 'cpusched',
      datatype: 'event',
      fields: ['cpu', 'pid', 'comm', 'other_pid', 'other_comm', 'state'],
      tool: { name: 'ftrace' },
      records: lines.length,
    });
    expect(lines.filter((line) => /^\d+,switch,\d+,\d+,waits,\d+,[^,]*,S$/.test(line)).length).toBeGreaterThanOrEqual(
      5,
    );
    expect(place.leftovers()).toEqual([]);
    // Others take part in its switches, and what they did beside that is not known.
    const isInScope = parseRanges(JSON.parse(header).options.tasks_in_scope)!;
    const switches = lines.map((line) => line.split(',')).filter(([, type]) => type === 'switch');
    const own = new Set(switches.filter((parts) => parts[4] === 'waits').map((parts) => Number(parts[3])));
    expect([...own].filter(isInScope)).toEqual([...own]);
    const others = switches.map((parts) => Number(parts[5])).filter((tid) => !own.has(tid));
    expect(others.length).toBeGreaterThan(0);
    expect(others.filter(isInScope)).toEqual([]);
    const { stdout } = await place.marple(['stats', '-i', 's.marple', '--json', '--by', 'pid']);
    const [{ scheduling }] = JSON.parse(stdout).sections;
    expect(scheduling.missed).toBe(0);
    // Before it runs the program it has the name of who started it.
    expect(new Set(scheduling.processes.map(({ pid }: { pid: number }) => pid))).toEqual(own);
  });

  test('of a run that was killed what had been recorded is read', async () => {
    const place = makePlace();
    onTestFinished(() => place.remove());
    const killed = place.start(['collect', '--cpu', '-t', '60', '-o', 'k.marple']);
    await killed.says('cpusched (ftrace)');
    await runWaits(waits, 'sleep', '10', '20');
    await sleep(300);
    killed.kill('SIGKILL');
    await killed.ended;
    const listed = await place.marple(['display', '-l', '-i', 'k.marple']);
    expect(listed.code).toBe(0);
    expect(Number(/cpusched +event +- +(\d+)/.exec(listed.stdout)?.[1])).toBeGreaterThan(20);
    // The next run clears the trace instance.
    await place.marple(['collect', '--cpu', '-t', '0.1', '-o', 'n.marple']);
    expect(place.leftovers()).toEqual([]);
  });
});
