import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { numberField, parseFormat, textField } from '../../src/formats/event-format.ts';
import { foldSample } from '../../src/formats/folding.ts';
import { PerfFile } from '../../src/formats/perf-file.ts';
import { type PerfRecord, type PerfSample, PerfScriptParser, RECORDED_FIELDS } from '../../src/formats/perf-script.ts';
import { PerfSymbols } from '../../src/formats/perf-symbols.ts';
import { findPerf } from '../../src/formats/perf-tool.ts';
import { ROOT, testFolder } from '../support/folder.ts';
import { compileProgram } from '../support/programs.ts';

let perf = '';
beforeAll(async () => {
  perf = (await findPerf()).path;
});
const names = compileProgram('names');
const tasks = compileProgram('tasks', '-pthread');

/** Records the command and what it starts. */
function record(events: readonly string[], command: readonly string[]): string {
  const cwd = testFolder();
  const path = join(cwd, 'perf.data');
  const options = ['record', '-q', '-g', '-F', '999', '-k', 'CLOCK_MONOTONIC', '--sample-cpu', '--no-buildid-cache'];
  const which = events.flatMap((event) => ['-e', event]);
  execFileSync(perf, [...options, '-o', path, ...which, '--', ...command], { cwd, stdio: 'ignore' });
  return path;
}

interface Folded {
  readonly task: string;
  readonly time: number;
  readonly stack: string;
  /** A broken frame pointer was -1: perf takes it for a mark it does not know, and drops the whole stack. */
  readonly isCutByPerf: boolean;
}

async function own(path: string): Promise<Folded[]> {
  const first = PerfSymbols.create();
  [...samples(path, first)];
  await first.demangleAll();
  return [...samples(path, first.again())];
}

function* samples(path: string, symbols: PerfSymbols): Generator<Folded> {
  const file = new PerfFile(path, 0n);
  for (const record of file.records()) {
    if (record.kind === 'name') symbols.name(record);
    else if (record.kind === 'fork') symbols.fork(record);
    else if (record.kind === 'mapping') symbols.mapping(record);
    if (record.kind !== 'sample') continue;
    const { pid, tid, cpu, period, event, time = -1 } = record;
    const comm = symbols.commOf(tid);
    const frames = symbols.frames(record);
    const stack = foldSample({
      kind: 'sample',
      comm,
      pid,
      tid,
      cpu,
      time: undefined,
      period,
      event: event.name,
      frames,
    });
    yield {
      task: `${comm} ${pid}/${tid} [${cpu}] ${event.name}`,
      time,
      stack: stack.join(';'),
      isCutByPerf: record.chain.isCut,
    };
  }
  expect(file.damaged).toBe(0);
  file.close();
}

function perfs(path: string): Folded[] {
  const text = execFileSync(perf, ['script', '-i', path, '-F', RECORDED_FIELDS, '--ns', '--no-inline'], {
    encoding: 'latin1',
    maxBuffer: 1 << 29,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const found: PerfSample[] = [];
  const take = (record: PerfRecord): void => {
    if (record.kind === 'sample') found.push(record);
  };
  const parser = new PerfScriptParser(take, () => undefined, 'recorded');
  parser.push(Buffer.from(`${text}\n`, 'latin1'));
  parser.end();
  return found.map((sample) => ({
    task: `${sample.comm} ${sample.pid}/${sample.tid} [${sample.cpu}] ${sample.event}`,
    time: (sample.time?.seconds ?? 0) * 1e9 + (sample.time?.nanoseconds ?? 0),
    stack: foldSample(sample).join(';'),
    isCutByPerf: false,
  }));
}

/** The first frame in which two stacks differ, ours and perf's. */
function differences(ours: readonly Folded[], theirs: readonly Folded[]): Set<string> {
  const found = new Set<string>();
  for (const [i, { stack, isCutByPerf }] of ours.entries()) {
    const other = theirs[i]?.stack ?? '';
    if (stack === other || isCutByPerf) continue;
    const [frames, others] = [stack.split(';'), other.split(';')];
    const at = frames.findIndex((frame, depth) => frame !== others[depth]);
    found.add(`${frames[at - 1]};${frames[at]} is ${others[at]} in perf script`);
  }
  return found;
}

const byTime = (a: Folded, b: Folded): number => a.time - b.time || (a.task < b.task ? -1 : 1);

describe.skipIf(!ROOT)('the same as perf script of the same file', () => {
  const script =
    'function busyWork(n) { let x = 0; for (let i = 0; i < n; i++) x = (x * 31 + i) % 1000003; return x }' +
    'const end = Date.now() + 500; let n = 0; while (Date.now() < end) n += busyWork(1e5)';
  test.each([
    ['C++ names', [names, '0.5'], ['outer::inner::Worker::operator', 'outer::inner::Worker::burn<char>']],
    ['forks, threads and execs', [tasks, '0.2', names, '0.2'], ['a_b_[x]/y-1', 'outer::inner::Worker::burn<int>']],
    [
      'code that was compiled at run time',
      [process.execPath, '--perf-basic-prof', '--interpreted-frames-native-stack', '-e', script],
      ['node;', 'v8::internal::', 'busyWork'],
    ],
  ])('%s', async (_, command, expected) => {
    const path = record([], command);
    const [ours, theirs] = [(await own(path)).sort(byTime), perfs(path).sort(byTime)];
    // What node tells perf of its code.
    for (const pid of new Set(ours.map(({ task }) => / (\d+)\/\d+ \[/.exec(task)?.[1]))) {
      rmSync(`/tmp/perf-${pid}.map`, { force: true });
    }
    expect(ours.length).toBeGreaterThan(200);
    expect(ours.map(({ task, time }) => `${task} ${time}`)).toEqual(theirs.map(({ task, time }) => `${task} ${time}`));
    expect(differences(ours, theirs)).toEqual(new Set());
    const stacks = ours.map(({ stack }) => stack).join('\n');
    for (const name of expected) expect(stacks).toContain(name);
  });

  test('several events, each with its own records as the kernel describes them', async () => {
    const event = 'sched:sched_switch';
    // On a quiet machine it leaves its CPU some 30 times a second only.
    const path = record(['cpu-clock', event], [names, '1.5']);
    const [ours, theirs] = [(await own(path)).sort(byTime), perfs(path).sort(byTime)];
    expect(ours.map(({ task, time }) => `${task} ${time}`)).toEqual(theirs.map(({ task, time }) => `${task} ${time}`));

    const format = parseFormat(readFileSync('/sys/kernel/tracing/events/sched/sched_switch/format', 'utf8'));
    const [comm, next] = [textField(format, 'prev_comm'), numberField(format, 'next_pid')];
    const text = execFileSync(perf, ['script', '-i', path, '--ns', '-F', 'time,event,trace', '-G'], {
      encoding: 'latin1',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const printed = [...text.matchAll(/prev_comm=(.*) prev_pid=.* next_pid=(\d+) /g)].map(([, a, b]) => `${a} ${b}`);
    const file = new PerfFile(path, 0n);
    const decoded: string[] = [];
    for (const found of file.records()) {
      if (found.kind === 'sample' && found.event.name === event && found.raw !== undefined) {
        decoded.push(`${comm(found.raw)} ${next(found.raw)}`);
      }
    }
    file.close();
    expect(decoded.length).toBeGreaterThan(10);
    expect(decoded.sort()).toEqual(printed.sort());
  });
});
