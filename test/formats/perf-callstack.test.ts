import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bootId } from '../../src/collect/proc/tasks.ts';
import type { EventData, MarpleRecord, StackData } from '../../src/common/datatypes.ts';
import { HeaderReport } from '../../src/common/report.ts';
import type { Scope } from '../../src/common/scope.ts';
import type { Batch } from '../../src/common/section.ts';
import { CallStackDecoder, type CallStackDetails, decode } from '../../src/formats/perf-callstack.ts';
import { isUserOnly, withoutModifiers } from '../../src/formats/perf-data.ts';
import { perfDataFile } from '../../src/formats/perf-recording.ts';
import type { PerfFrame } from '../../src/formats/perf-script.ts';
import type { RunInfo } from '../../src/formats/recording.ts';
import { userPart } from '../../src/formats/stack-quality.ts';
import { asRead } from '../support/data-files.ts';
import { testFolder } from '../support/folder.ts';

const NOBODY = 999_999_999;
const TASKS = readFileSync(join(import.meta.dirname, '../fixtures/perf-script/tasks.txt'), 'utf8');

function runInfo(change: Partial<RunInfo> = {}): RunInfo {
  return { origin: '9016000000000', scope: { own: NOBODY }, tasks: [], bootId: bootId(), ...change };
}

function decodeText(text: string, run = runInfo()): { stacks: StackData[]; events: EventData[]; report: HeaderReport } {
  const report = new HeaderReport();
  const decoder = new CallStackDecoder(run, report);
  decoder.push(Buffer.from(text));
  decoder.finish();
  const records = (batches: Iterable<Batch>): MarpleRecord[] =>
    [...batches].flatMap((batch) => batch.records.map(asRead));
  const events = records(decoder.take(1)) as EventData[];
  const stacks = records(decoder.stacks()) as StackData[];
  decoder.reportCounts(0);
  return { stacks, events, report };
}

/** A recording of one sample per time, in nanoseconds since 9016 s. */
function samplesAt(...times: number[]): string {
  const line = (time: number): string =>
    `a 1/2 [001]  9016.${String(time).padStart(9, '0')}: cpu-clock:ppp: \n\t1f f (/x)\n\t2f main (/x)\n`;
  return times.map(line).join('\n');
}

describe('what perf printed of tasks.c', () => {
  test('every sample is an event, and its stack weighs one more', () => {
    const { stacks, events, report } = decodeText(TASKS);
    expect(events.length).toBe(TASKS.match(/cpu-clock:ppp: $/gm)?.length);
    expect(stacks.reduce((sum, { weight }) => sum + weight, 0)).toBe(events.length);
    const seen = stacks.map(() => 0);
    for (const { datum } of events) seen[Number(datum[0])]!++;
    expect(seen).toEqual(stacks.map(({ weight }) => weight));
    expect(new Set(stacks.map(({ stack }) => stack.join(';'))).size).toBe(stacks.length);
    expect(events[0]).toEqual({ time: 665141046, type: 'cpu-clock', datum: ['0', '0', '28956', '28959', '1'] });
    expect(stacks[0]?.stack).toEqual(['(sd_12_3)', 'start_thread', 'named_thread', 'use_cpu']);
    expect(report.skippedCount).toBe(0);
    expect(report.warnings).toEqual([]);
  });

  test.each<[string, Partial<Scope>, string[]]>([
    ['a command and what descends from it', { root: 28960 }, ['kid:_1.5_2:', 'two_thirds']],
    ['what only became another program later', { root: 28961 }, ['two_thirds']],
    ['without MARPLE and its tools', { own: 28960 }, ['(sd_12_3)', 'a_b_[x]/y-1']],
    ['a command is not left out with MARPLE', { own: 28956, root: 28960 }, ['kid:_1.5_2:', 'two_thirds']],
    ['a process with its threads', { pids: [28956] }, ['(sd_12_3)', 'a_b_[x]/y-1']],
    ['a name', { comm: '^kid' }, ['kid:_1.5_2:']],
    ['a command that was never started', { root: 0 }, []],
  ])('%s', (_, scope, names) => {
    const { stacks, events } = decodeText(TASKS, runInfo({ scope: { own: NOBODY, ...scope } }));
    expect([...new Set(stacks.map(({ stack }) => stack[0]))].sort()).toEqual(names);
    expect(stacks.reduce((sum, { weight }) => sum + weight, 0)).toBe(events.length);
  });
});

describe('times', () => {
  test('samples from before the run are left out and counted', () => {
    const { events, report } = decodeText(samplesAt(1, 2, 3), runInfo({ origin: '9016000000003' }));
    expect(events.map(({ time }) => time)).toEqual([0]);
    expect(report.warnings[0]).toMatch(/^2 samples were taken before the run/);
  });

  test('they are exact however long the machine has been up', () => {
    const text = 'a 1/1 [000]  98765432.123456789: cycles: \n';
    expect(decodeText(text, runInfo({ origin: '98765431123456788' })).events[0]?.time).toBe(1_000_000_001);
  });

  test('events are sorted, should perf not print them so', () => {
    const { events, report } = decodeText(samplesAt(5, 3, 9, 4, 7));
    expect(events.map(({ time }) => time)).toEqual([3, 4, 5, 7, 9]);
    expect(report.warnings).toEqual([]);
  });

  test('what comes far too late keeps its sample, and the order holds', () => {
    const times = Array.from({ length: 10_000 }, (_, i) => i + 10);
    const { events, report } = decodeText(samplesAt(...times, 1, 2));
    expect(events.length).toBe(10_002);
    expect(events.every(({ time }, i) => i === 0 || (events[i - 1]?.time ?? 0) <= time)).toBe(true);
    expect(report.warnings).toEqual([expect.stringMatching(/^2 samples came out of order/)]);
  });
});

describe('what is less than it seems', () => {
  test('lost records', () => {
    const lost = 'a 1/1 [000]  9016.000000001: PERF_RECORD_LOST lost 55\n';
    const { events, report } = decodeText(`${lost}${samplesAt(2)}\n${lost}`);
    expect(events.length).toBe(1);
    expect(report.lostCount).toBe(110);
    expect(report.warnings[0]).toMatch(/^110 records were lost/);
  });

  test('a sample without frames counts for its process', () => {
    const { stacks, report } = decodeText('a b 1/1 [000]  9016.000000001: cycles: \n\n');
    expect(stacks).toEqual([{ weight: 1, stack: ['a_b'] }]);
    expect(report.warnings[0]).toMatch(/^1 samples have no frames/);
  });

  test('lines that cannot be read', () => {
    expect(decodeText(`nonsense\n${samplesAt(1)}`).report.warnings[0]).toMatch(/^1 lines could not be read.*nonsense/);
  });

  test('stacks that look broken, where they are many', () => {
    const broken = 'a 1/1 [000]  9016.000000002: cycles: \n\t1f malloc (/libc)\n\n';
    const whole = samplesAt(1);
    expect(decodeText(`${whole.concat('\n').repeat(10)}${broken}`).report.warnings).toEqual([]);
    expect(decodeText(`${whole}\n${broken}`).report.warnings).toEqual([
      expect.stringMatching(/^50 % of the stacks with user code look broken.*--call-graph dwarf/),
    ]);
  });

  test('kernel functions without a name', () => {
    const text = 'a 1/1 [000]  9016.000000002: cycles: \n\tffffffff81000130 [unknown] ([unknown])\n\n';
    expect(decodeText(text).report.warnings).toEqual([
      expect.stringMatching(/^100 % .* kernel functions without a name/),
    ]);
    const user = 'a 1/1 [000]  9016.000000002: cycles: \n\t1f f (/x)\n\tcccccccccccccccc [unknown] ([unknown])\n\n';
    expect(decodeText(user).report.warnings).not.toContainEqual(expect.stringContaining('kernel functions'));
  });
});

describe('whether the user part of a stack is whole', () => {
  const frame = (symbol: string, address = '1f'): PerfFrame => ({ address, symbol, module: '/x' });
  const kernel = frame('schedule', 'ffffffff81000130');
  test.each([
    ['no frames', [], 'none'],
    ['kernel alone', [kernel], 'none'],
    ['callers down to main', [kernel, frame('f'), frame('main')], 'whole'],
    ['an entry point by itself', [kernel, frame('_start')], 'whole'],
    ['an entry point with a version', [frame('clone3@@GLIBC_2.34')], 'whole'],
    ['a function by itself', [kernel, frame('malloc')], 'broken'],
    ['an outermost frame without a name', [frame('f'), frame('[unknown]', '7f1234567890')], 'broken'],
    ['what a broken frame pointer led to', [kernel, frame('f'), frame('[unknown]', 'cccccccccccccccc')], 'broken'],
  ] as const)('%s', (_, frames, expected) => expect(userPart(frames)).toBe(expected));
});

test('names of events', () => {
  expect(
    ['cpu-clock:ppp', 'cycles:P', 'cycles', 'cpu-clock:uhppp', 'sched:sched_switch'].map(withoutModifiers),
  ).toEqual(['cpu-clock', 'cycles', 'cycles', 'cpu-clock', 'sched:sched_switch']);
  expect(['cpu-clock:uH', 'cycles', 'cycles:ppp', 'cycles:uk', 'sched:sched_switch'].map(isUserOnly)).toEqual([
    true,
    false,
    false,
    false,
    false,
  ]);
});

describe('a recording that cannot be decoded', () => {
  const details: CallStackDetails = {
    tool: { name: 'perf', version: '6.1', command: ['perf', 'record'] },
    event: 'cycles',
    options: { frequency: 99 },
    warnings: [],
  };

  async function decodeFile(content: Buffer | undefined, run = runInfo()): Promise<HeaderReport> {
    const folder = testFolder();
    if (content !== undefined) writeFileSync(perfDataFile(folder), content);
    const report = new HeaderReport();
    const recording = { format: 'perf-callstack', interface: 'callstack', details: { ...details } };
    for await (const batch of decode(folder, recording, run, report)) expect(batch.records).toEqual([]);
    return report;
  }

  test('of another boot: names of this one would be wrong', async () => {
    const wrong = runInfo({ bootId: '11111111-2222-3333-4444-555555555555' });
    await expect(decodeFile(Buffer.from('PERFILE2'), wrong)).rejects.toThrow(/another machine, or before this one/);
  });

  test('perf was ended before it had recorded anything', async () => {
    const sentence = 'perf was ended before it had recorded anything';
    expect((await decodeFile(undefined)).warnings).toEqual([sentence]);
    expect((await decodeFile(Buffer.alloc(0))).warnings).toEqual([sentence]);
    expect((await decodeFile(Buffer.from('PERFILE2'))).warnings).toEqual([sentence]);
  });

  test('something else', async () => {
    await expect(decodeFile(Buffer.alloc(4096, 'x'))).rejects.toThrow('this is no perf.data');
  });
});
