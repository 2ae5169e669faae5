import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { CallStack, type CallStackOptions } from '../../src/collect/callstack.ts';
import { planOptions } from '../../src/collect/perf/plans.ts';
import { probePerf } from '../../src/collect/perf/probe.ts';
import { startRecording } from '../../src/collect/perf/record.ts';
import { readPerfSettings } from '../../src/collect/perf/settings.ts';
import { bootId, readTasks } from '../../src/collect/proc/tasks.ts';
import type { EventData, MarpleRecord, StackData } from '../../src/common/datatypes.ts';
import { runningTools, runTool } from '../../src/common/process.ts';
import { HeaderReport } from '../../src/common/report.ts';
import type { Scope } from '../../src/common/scope.ts';
import { decodeRecording } from '../../src/formats/decoders.ts';
import { perfDataFile } from '../../src/formats/perf-recording.ts';
import { findPerf, type Perf } from '../../src/formats/perf-tool.ts';
import type { RunInfo } from '../../src/formats/recording.ts';
import { bundleScript } from '../support/bundle.ts';
import { asRead } from '../support/data-files.ts';
import { ROOT, testFolder } from '../support/folder.ts';
import { compileProgram } from '../support/programs.ts';
import { collectAll, type TestRun, testRun } from '../support/run.ts';

const perf = await findPerf().catch(() => undefined);
const { paranoid = 2 } = readPerfSettings();
/** Where CI=true nothing is skipped: what is missing there is a failure. */
const SYSTEM_WIDE = (perf !== undefined && (process.geteuid?.() === 0 || paranoid < 0)) || process.env['CI'] === 'true';
/** Descends from nobody. */
const NOBODY = 999_999_999;
const NOBODY_UID = 65534;
const SLOW = 60_000;

const twoThirds = compileProgram('two_thirds');
const tasks = compileProgram('tasks', '-pthread');

interface Collected {
  readonly stacks: StackData[];
  readonly events: EventData[];
}

function callStackRun(options: Partial<CallStackOptions>, scope: Partial<Scope> = {}): TestRun<CallStackOptions> {
  const all: CallStackOptions = { frequency: 99, call_graph: 'fp', ...options };
  return testRun({ tool: 'perf', options: all, scope, tasks: readTasks(), bootId: bootId() });
}

function sections([stacks = [], events = []]: MarpleRecord[][]): Collected {
  return { stacks: stacks as StackData[], events: events as EventData[] };
}

/** Collects while a command runs; it is the scope's root where the scope says so. */
async function collectWhile(run: TestRun<CallStackOptions>, argv: readonly string[]): Promise<Collected> {
  const collected = collectAll(new CallStack(run.run));
  await Promise.race([run.started, collected]);
  const command = spawn(argv[0] as string, argv.slice(1), { stdio: 'inherit' });
  const exit = once(command, 'exit');
  if (run.run.scope.root !== undefined) run.changeScope({ root: command.pid as number });
  expect(await exit).toEqual([0, null]);
  run.stop();
  return sections(await collected);
}

function weight(stacks: readonly StackData[], keeps: (stack: readonly string[]) => boolean): number {
  return stacks.reduce((sum, { weight, stack }) => sum + (keeps(stack) ? weight : 0), 0);
}

/** How many samples perf itself counts in a file. */
async function samplesIn(dir: string): Promise<number> {
  const { path } = perf as Perf;
  const { stdout } = await runTool([path, 'report', '--stats', '-i', perfDataFile(dir)]);
  return Number(/SAMPLE events:\s+(\d+)/.exec(stdout)?.[1]);
}

describe.skipIf(!SYSTEM_WIDE)('callstack on the whole machine', () => {
  test('two thirds of the time in one function, one third in another', { timeout: SLOW }, async () => {
    const run = callStackRun({ frequency: 499 }, { root: 0 });
    const { stacks, events } = await collectWhile(run, [twoThirds, '2']);
    const inFunction = (name: string): number => weight(stacks, ([, ...frames]) => frames.includes(name));
    const two = inFunction('two_thirds');
    const both = two + inFunction('one_third');
    // Two seconds at 499 Hz, less what a busy host takes; nearly all of the process is in these two.
    expect(both).toBeGreaterThan(700);
    expect(both).toBeGreaterThan(0.95 * weight(stacks, ([root]) => root === 'two_thirds'));
    // Four standard deviations of the binomial distribution.
    expect(Math.abs(two - (both * 2) / 3)).toBeLessThan(4 * Math.sqrt(both * (2 / 3) * (1 / 3)));

    const busiest = [...stacks].sort((a, b) => b.weight - a.weight)[0];
    expect(busiest?.stack).toEqual(['two_thirds', '__libc_start_call_main', 'main', 'two_thirds', 'work_until']);
    expect(new Set(events.map(({ type }) => type)).size).toBe(1);
  });

  test('every sample that perf counts is an event and in the weight of its stack', { timeout: SLOW }, async () => {
    const run = callStackRun({ frequency: 999 }, { own: NOBODY });
    const { stacks, events } = await collectWhile(run, [tasks, '0.1', twoThirds, '0.1']);
    const seen = stacks.map(() => 0);
    for (const { datum } of events) seen[Number(datum[0])]! += Number(datum[4]);
    expect(stacks.map(({ weight }) => weight)).toEqual(seen);
    expect(events.length).toBeGreaterThan(100);
    expect(events.length).toBe(await samplesIn(await run.run.recordingDir()));
    expect(run.report.skippedCount).toBe(0);

    const end = Number(process.hrtime.bigint() - run.run.clock.origin);
    const times = events.map(({ time }) => time);
    expect(times.every((time, i) => time >= (times[i - 1] ?? 0) && time <= end)).toBe(true);
    for (const { datum } of events) expect(datum.map(Number).every(Number.isSafeInteger)).toBe(true);
  });

  test('a command is followed through threads, fork and exec', { timeout: SLOW }, async () => {
    const run = callStackRun({ frequency: 999 }, { root: 0 });
    const { stacks, events } = await collectWhile(run, [tasks, '0.1', twoThirds, '0.1']);
    const names = new Set(stacks.map(({ stack }) => stack[0]));
    expect(names).toContain('a_b_[x]/y-1');
    expect(names).toContain('(sd_12_3)');
    expect(names).toContain('kid:_1.5_2:');
    expect(names).toContain('two_thirds');
    expect(names).not.toContain('swapper');
    expect(names).not.toContain('perf');
    // The command, its child, and the child's child.
    expect(new Set(events.map(({ datum }) => datum[2])).size).toBe(3);
  });

  test('MARPLE and its tools are left out of the whole machine', { timeout: SLOW }, async () => {
    const run = callStackRun({ frequency: 999 });
    const collected = collectAll(new CallStack(run.run));
    await run.started;
    const busy = performance.now() + 200;
    while (performance.now() < busy);
    run.stop();
    const { events } = sections(await collected);
    // On a busy machine there may be nobody else: what is left out is in the tools' own count.
    expect(await samplesIn(await run.run.recordingDir())).toBeGreaterThan(0);
    expect(events.filter(({ datum }) => datum[2] === String(process.pid))).toEqual([]);
  });

  test('a named process alone', { timeout: SLOW }, async () => {
    const program = spawn(twoThirds, ['30'], { stdio: 'ignore' });
    const exit = once(program, 'exit');
    const run = callStackRun({ frequency: 499 }, { own: NOBODY, pids: [program.pid as number] });
    const collected = collectAll(new CallStack(run.run));
    await run.started;
    await sleep(300);
    run.stop();
    const { events } = sections(await collected);
    program.kill();
    await exit;
    expect(events.length).toBeGreaterThan(20);
    expect(new Set(events.map(({ datum }) => datum[2]))).toEqual(new Set([String(program.pid)]));
  });

  test('it ends by itself when the processes are gone', { timeout: SLOW }, async () => {
    const program = spawn(twoThirds, ['0.3'], { stdio: 'ignore' });
    const run = callStackRun({ frequency: 499 }, { own: NOBODY, pids: [program.pid as number] });
    expect(sections(await collectAll(new CallStack(run.run))).events.length).toBeGreaterThan(20);
  });

  test('dwarf call graphs too', { timeout: SLOW }, async () => {
    const run = callStackRun({ frequency: 99, call_graph: 'dwarf' }, { root: 0 });
    const { stacks } = await collectWhile(run, [twoThirds, '0.5']);
    expect(weight(stacks, (stack) => stack.includes('main') && stack.includes('work_until'))).toBeGreaterThan(20);
  });

  test('the header tells what was run, and what stands in for cycles', { timeout: SLOW }, async () => {
    const run = callStackRun({}, { root: 0 });
    const { events } = await collectWhile(run, [twoThirds, '0.2']);
    const header = {
      marple: 1,
      interface: 'callstack',
      datatype: 'event',
      start: '2026-01-01T00:00:00Z',
      end: null,
    } as const;
    const applied: Parameters<HeaderReport['applyTo']>[0] = { ...header };
    run.report.applyTo(applied);
    expect(applied.tool).toMatchObject({ name: 'perf', version: perf?.version });
    expect(applied.tool?.command).toContain('CLOCK_MONOTONIC');
    expect(applied.options).toEqual({ frequency: 99, call_graph: 'fp' });
    const type = events[0]?.type;
    expect(['cycles', 'cpu-clock']).toContain(type);
    if (type === 'cpu-clock') expect(applied.substitute).toMatchObject({ for: 'cycles' });
    else expect(applied.substitute).toBeUndefined();
  });

  test('the probe does it for a moment', { timeout: SLOW }, async () => {
    const what = { sampling: { frequency: 999 }, callGraph: 'fp' } as const;
    const probe = (scope: Partial<Scope>): ReturnType<typeof probePerf> =>
      probePerf({ scope: { own: process.pid, ...scope }, tempDir: testFolder() }, what);
    expect(await probe({})).toEqual({ usable: true, version: perf?.version });
    expect(await probe({ pids: [process.pid] })).toEqual({ usable: true, version: perf?.version });
    expect(await probe({ pids: [NOBODY] })).toMatchObject({ usable: false, why: expect.stringContaining('not there') });
    expect(runningTools()).toEqual([]);
  });
});

/** A program that runs perf in some other way. */
function perfBehind(script: string): Perf {
  const folder = testFolder();
  const path = join(folder, 'perf');
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { path, version: 'test' };
}

describe.skipIf(!SYSTEM_WIDE || !ROOT)('what stands in the way of a recording', () => {
  const real = perf?.path;
  const asNobody = `setpriv --reuid=${NOBODY_UID} --regid=${NOBODY_UID} --clear-groups`;
  const what = { sampling: { frequency: 99 }, callGraph: 'fp' } as const;
  const all = { plan: () => ({ ...what, target: 'all' as const }) };
  const never = new AbortController().signal;

  /** A folder that anybody can write to. */
  function openFolder(): string {
    const folder = testFolder();
    chmodSync(folder, 0o777);
    return join(folder, 'perf.data');
  }

  function programOfNobody(): number {
    chmodSync(dirname(twoThirds), 0o755);
    const child = spawn(twoThirds, ['30'], { stdio: 'ignore', uid: NOBODY_UID, gid: NOBODY_UID });
    onTestFinished(() => void child.kill());
    return child.pid as number;
  }

  test('too little memory that may be locked: a smaller buffer, and a word about it', { timeout: SLOW }, async () => {
    const pid = programOfNobody();
    const recording = await startRecording({
      perf: perfBehind(`exec ${asNobody} prlimit --memlock=0 ${real} "$@"`),
      plans: [{ plan: () => ({ ...what, target: { pids: [pid] } }) }],
      output: openFolder(),
      stop: never,
      mmapPages: 4096,
    });
    expect(recording?.warnings).toEqual([expect.stringMatching(/^the buffers of perf have \d+ pages per CPU/)]);
    expect((await recording?.finish(AbortSignal.abort()))?.failure).toBeUndefined();
  });

  test.skipIf(paranoid < 1)('a plan that is not permitted gives way to the next', { timeout: SLOW }, async () => {
    const pid = programOfNobody();
    const recording = await startRecording({
      perf: perfBehind(`exec ${asNobody} ${real} "$@"`),
      plans: [all, { plan: () => ({ ...what, target: { pids: [pid] } }), warning: 'less' }],
      output: openFolder(),
      stop: never,
    });
    expect(recording?.plan.target).toEqual({ pids: [pid] });
    expect(recording?.warnings).toEqual(['less']);
    await recording?.finish(AbortSignal.abort());
  });

  test.skipIf(paranoid < 1)('nothing is permitted: an error with the reason', { timeout: SLOW }, async () => {
    const options = {
      perf: perfBehind(`exec ${asNobody} ${real} "$@"`),
      plans: [all],
      output: openFolder(),
      stop: never,
    };
    await expect(startRecording(options)).rejects.toMatchObject({ name: 'UnavailableError', exitCode: 69 });
    expect(runningTools()).toEqual([]);
  });

  test('a perf that cannot be told when to begin', { timeout: SLOW }, async () => {
    const refuse = 'case "$*" in *--control*) echo "  Error: unknown option \\`control\'" >&2; exit 129;; esac';
    const recording = await startRecording({
      perf: perfBehind(`${refuse}\nexec ${real} "$@"`),
      plans: [all],
      output: openFolder(),
      stop: never,
    });
    expect(recording?.command).not.toContain('--control');
    expect(recording?.warnings).toEqual([expect.stringContaining('cannot be told when to begin')]);
    expect((await recording?.finish(AbortSignal.abort()))?.failure).toBeUndefined();
  });

  test('stopped before it began', { timeout: SLOW }, async () => {
    const options = { perf: perf as Perf, plans: [all], output: openFolder(), stop: AbortSignal.abort() };
    expect(await startRecording(options)).toBeUndefined();
    expect(runningTools()).toEqual([]);
  });

  test('a frequency that the kernel does not allow', { timeout: SLOW }, async () => {
    const plans = [{ plan: () => ({ sampling: { frequency: 900_000 }, target: { pids: [process.pid] } }) }];
    const recording = await startRecording({ perf: perf as Perf, plans, output: openFolder(), stop: never });
    expect(recording?.warnings).toEqual([expect.stringMatching(/^the frequency is \d+ Hz and not 900000 Hz/)]);
    await recording?.finish(AbortSignal.abort());
  });

  test('root is never given second choices', () => {
    expect(planOptions({ own: 1 }, what).length).toBe(1);
  });
});

/** A script that collects stacks into a folder until it is killed. */
const COLLECT = `
  import { readFileSync } from 'node:fs';
  import { CallStack } from './collect/callstack.ts';
  import { bootId, readTasks } from './collect/proc/tasks.ts';
  import { startClock } from './common/clock.ts';
  import { HeaderReport } from './common/report.ts';
  import { runningTools, startCommand } from './common/process.ts';
  import { decodeRecording } from './formats/decoders.ts';
  const [dir, program] = process.argv.slice(2);
  const clock = startClock();
  const stop = new AbortController();
  const report = new HeaderReport();
  let scope = { own: process.pid, ...(program === undefined ? {} : { root: 0 }) };
  const info = { origin: String(clock.origin), scope, tasks: readTasks(), bootId: bootId() };
  const run = {
    tool: 'perf', toolVersion: '', options: { frequency: 499, call_graph: 'fp' as const }, clock, seconds: undefined,
    scope, info: () => ({ ...info, scope }), stop: stop.signal, recordingDir: async () => dir, tempDir: dir, report,
    decode: () => decodeRecording(dir, { ...info, scope }, report),
    started: () => {
      if (program === undefined) return console.log(JSON.stringify({ info, tools: runningTools() }));
      const command = startCommand([program, '0.5']);
      scope = { ...scope, root: command.pid };
      void command.status.then(() => stop.abort());
    },
  };
  async function main() {
    const sections = [[], []];
    for await (const { section, records } of new CallStack(run).collect()) sections[section].push(...records);
    console.log(JSON.stringify({ sections, warnings: report.warnings }));
  }
  main().catch((error) => console.log(JSON.stringify({ error: error.message })));
`;

describe.skipIf(!SYSTEM_WIDE)('after kill -9', () => {
  const script = bundleScript(COLLECT);

  async function started(dir: string): Promise<{ child: ReturnType<typeof spawn>; info: RunInfo; tools: number[] }> {
    const child = spawn(process.execPath, [script, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [text] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    return { child, ...JSON.parse(text.toString()) };
  }

  /** Everything, the script and its perf too, so that it can be compared with what perf counts. */
  async function decodeAll(dir: string, info: RunInfo, report: HeaderReport): Promise<Collected> {
    const all: MarpleRecord[][] = [[], []];
    for await (const { section, records } of decodeRecording(dir, { ...info, scope: { own: NOBODY } }, report))
      all[section]?.push(...records.map(asRead));
    return sections(all);
  }

  test('of MARPLE no perf runs on, and what it had recorded can be read', { timeout: SLOW }, async () => {
    const dir = testFolder();
    const { child, info, tools } = await started(dir);
    await sleep(500);
    child.kill('SIGKILL');
    await once(child, 'exit');
    // At once: the decoder waits until perf has completed its file.
    const report = new HeaderReport();
    const { stacks, events } = await decodeAll(dir, info, report);
    expect(tools.length).toBe(1);
    for (const pid of tools) expect(isRunning(pid)).toBe(false);
    // perf can end early as its control pipe closes: what it had not yet written is lost then, which is said.
    const isWhole = !report.warnings.join().includes('perf was');
    expect(events.length).toBe(await samplesIn(dir));
    if (isWhole) expect(events.length).toBeGreaterThan(0);
    expect(weight(stacks, () => true)).toBe(events.length);
  });

  test('of perf too, what it had written is read', { timeout: SLOW }, async () => {
    const dir = testFolder();
    const { child, info, tools } = await started(dir);
    await sleep(2500);
    for (const pid of tools) process.kill(pid, 'SIGKILL');
    const [said] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    expect(JSON.parse(said.toString())).toEqual({ error: 'perf record was ended by SIGKILL' });
    const report = new HeaderReport();
    const { stacks, events } = await decodeAll(dir, info, report);
    expect(weight(stacks, () => true)).toBe(events.length);
    expect(report.warnings).toContain('perf was killed: what it had not yet written to its file is lost');
  });

  test.skipIf(!ROOT)('an ordinary user has their own command, without the kernel', { timeout: SLOW }, async () => {
    const dir = testFolder();
    chmodSync(dir, 0o777);
    chmodSync(dirname(script), 0o755);
    chmodSync(dirname(twoThirds), 0o755);
    const child = spawn(process.execPath, [script, dir, twoThirds], {
      stdio: ['ignore', 'pipe', 'inherit'],
      uid: NOBODY_UID,
      gid: NOBODY_UID,
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    expect(await once(child, 'exit')).toEqual([0, null]);
    const { sections: all, warnings } = JSON.parse(Buffer.concat(chunks).toString());
    const { stacks } = sections(all);
    expect(weight(stacks, (stack) => stack.includes('work_until'))).toBeGreaterThan(50);
    if (paranoid > 1) expect(warnings.join('\n')).toContain('what ran in the kernel is missing');
  });
});

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
