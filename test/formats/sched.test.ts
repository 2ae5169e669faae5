import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { EventData } from '../../src/common/datatypes.ts';
import { HeaderReport } from '../../src/common/report.ts';
import type { Scope, Task } from '../../src/common/scope.ts';
import { type FtraceDetails, FtraceReader } from '../../src/formats/ftrace.ts';
import { decode } from '../../src/formats/ftrace-cpusched.ts';
import type { RunInfo } from '../../src/formats/recording.ts';
import { SchedDecoder, schedDecoder } from '../../src/formats/sched.ts';

const DIR = join(import.meta.dirname, '../fixtures/sched');
const recording = JSON.parse(readFileSync(join(DIR, 'recording.json'), 'utf8')) as {
  format: string;
  interface: string;
  details: { ftrace: FtraceDetails };
};
const { formats } = recording.details.ftrace;
const NOBODY = 999_999_999;

/** The tasks that were there before, as far as the trace tells. */
function tasksBefore(): Task[] {
  const begun = new Set(ofEvent('task_newtask').map(({ text }) => /^pid=(\d+)/.exec(text)?.[1]));
  const before = new Map(lines.filter(({ tid }) => tid !== '0' && !begun.has(tid)).map(({ tid, comm }) => [tid, comm]));
  return [...before].map(([tid, comm]) => ({ tid: Number(tid), pid: Number(tid), parent: 0, comm }));
}

function runInfo(scope: Partial<Scope> = {}): RunInfo {
  return { origin: '0', scope: { own: NOBODY, ...scope }, tasks: tasksBefore(), bootId: '' };
}

async function decoded(scope: Partial<Scope> = {}): Promise<{ events: EventData[]; report: HeaderReport }> {
  const report = new HeaderReport();
  const events: EventData[] = [];
  for await (const { records } of decode(DIR, recording, runInfo(scope), report))
    events.push(...(records as EventData[]));
  return { events, report };
}

/** A line of the kernel's text. */
interface Line {
  readonly comm: string;
  readonly tid: string;
  readonly cpu: string;
  readonly flags: string;
  /** Microseconds. */
  readonly time: number;
  readonly event: string;
  readonly text: string;
}

//             node-21632   [001] d.h2.  4169.090381: sched_waking: comm=chromium pid=21575 prio=120 target_cpu=001
const LINE = /^ *(.+)-(\d+) +\[(\d+)\] (\S+) +(\d+)\.(\d{6}): (\w+): (.*)$/;

const lines: Line[] = readFileSync(join(DIR, 'trace.txt'), 'utf8')
  .split('\n')
  .flatMap((text) => {
    const [, comm = '', tid = '', cpu = '', flags = '', seconds, micro, event = '', rest = ''] = LINE.exec(text) ?? [];
    if (text === '' || text.startsWith('#')) return [];
    if (event === '') throw new Error(text);
    return [
      { comm, tid, cpu: String(Number(cpu)), flags, time: Number(seconds) * 1e6 + Number(micro), event, text: rest },
    ];
  });
const ofEvent = (event: string): Line[] => lines.filter((line) => line.event === event);
const groups = (text: string, pattern: RegExp): string[] => {
  const match = pattern.exec(text);
  if (match === null) throw new Error(text);
  return match.slice(1);
};

/** Whether two times are the same, where one is in whole microseconds. */
const isAt = (nanoseconds: number, microseconds: number): boolean => Math.abs(nanoseconds / 1000 - microseconds) <= 1;

function expectSame(events: readonly EventData[], expected: readonly { time: number; datum: string[] }[]): void {
  expect(events.map(({ datum }) => datum)).toEqual(expected.map(({ datum }) => datum));
  expect(events.filter(({ time }, i) => !isAt(time, expected[i]!.time))).toEqual([]);
}

const idle = (tid: string, comm: string, cpu: string): string => (tid === '0' ? `swapper/${cpu}` : comm);
const interrupt = ({ flags }: Line): string => (/[hH]/.test(flags[2]!) ? 'hardirq' : flags[2] === 's' ? 'softirq' : '');

describe('a real trace against the text of the kernel', async () => {
  const { events, report } = await decoded();
  const ofType = (type: string): EventData[] => events.filter((event) => event.type === type);

  test('is sorted, and nothing else than this is said of it', () => {
    expect(events.every(({ time }, i) => i === 0 || time >= events[i - 1]!.time)).toBe(true);
    expect(report).toMatchObject({ lostCount: 0, skippedCount: 0 });
    for (const warning of report.warnings)
      expect(warning).toMatch(/switches are missing in the kernel's trace|another task than the one/);
  });

  test('every switch, with the state as the kernel prints it', () => {
    const pattern =
      /^prev_comm=(.*) prev_pid=(\d+) prev_prio=-?\d+ prev_state=(\S+) ==> next_comm=(.*) next_pid=(\d+) next_prio=/;
    const expected = ofEvent('sched_switch').map(({ cpu, time, text }) => {
      const [comm = '', pid = '', state = '', nextComm = '', nextPid = ''] = groups(text, pattern);
      return { time, datum: [cpu, pid, comm, nextPid, nextComm, state] };
    });
    expect(expected.length).toBeGreaterThan(500);
    expectSame(
      ofType('switch').filter(({ datum }) => datum[5] !== 'inferred'),
      expected,
    );
  });

  test('every wakeup, with who began it, where, whether in an interrupt, and the CPU that the task goes to', () => {
    const wakers = new Map<string, Line>();
    const expected = {
      wakeup: [] as { time: number; datum: string[] }[],
      wakeup_new: [] as { time: number; datum: string[] }[],
    };
    for (const line of lines) {
      if (!/^sched_wak/.test(line.event)) continue;
      const [comm = '', pid = '', target = ''] = groups(line.text, /^comm=(.*) pid=(\d+) prio=-?\d+ target_cpu=(\d+)$/);
      if (line.event === 'sched_waking') {
        wakers.set(pid, line);
        continue;
      }
      const type = line.event === 'sched_wakeup' ? 'wakeup' : 'wakeup_new';
      const waker = (type === 'wakeup' ? wakers.get(pid) : undefined) ?? line;
      const state = `${interrupt(waker)}>${Number(target)}`;
      const datum = [waker.cpu, waker.tid, idle(waker.tid, waker.comm, waker.cpu), pid, comm, state];
      expected[type].push({ time: line.time, datum });
    }
    // The kernel prints the name that a task has at the end, or none where it has ended.
    const renamed = new Set(ofEvent('task_rename').map(({ tid }) => tid));
    const named = ({ datum }: { datum: readonly string[] }): boolean => datum[2] !== '<...>' && !renamed.has(datum[1]!);
    for (const type of ['wakeup', 'wakeup_new'] as const) {
      const lines = expected[type];
      if (type === 'wakeup') expect(lines.filter(named).length).toBeGreaterThan(100);
      const found = ofType(type).map((event, i) => {
        const line = lines[i];
        const datum = event.datum.map((value, column) =>
          column === 2 && line && !named(line) ? line.datum[2]! : value,
        );
        return { ...event, datum };
      });
      expectSame(found, lines);
    }
  });

  test('every migration, fork, exec and exit', () => {
    const migrations = ofEvent('sched_migrate_task').map(({ time, text }) => {
      const [comm = '', pid = '', from, to] = groups(
        text,
        /^comm=(.*) pid=(\d+) prio=-?\d+ orig_cpu=(\d+) dest_cpu=(\d+)$/,
      );
      return { time, datum: [pid, comm, `${from}>${to}`] };
    });
    expectSame(
      ofType('migrate').map((event) => ({ ...event, datum: event.datum.slice(3) })),
      migrations,
    );
    const forks = ofEvent('sched_process_fork').map(({ cpu, time, text }) => {
      const [comm = '', pid = '', child = '', childPid = ''] = groups(
        text,
        /^comm=(.*) pid=(\d+) child_comm=(.*) child_pid=(\d+)$/,
      );
      return { time, datum: [cpu, pid, comm, childPid, child, ''] };
    });
    expect(forks.length).toBeGreaterThan(5);
    expectSame(ofType('fork'), forks);
    const execs = ofEvent('sched_process_exec').map(({ cpu, tid, time, text }) => {
      const [file = '', pid = '', old = ''] = groups(text, /^filename=(.*) pid=(\d+) old_pid=(\d+)$/);
      const rename = ofEvent('task_rename').findLast((line) => line.tid === tid && line.time <= time);
      const [oldComm = '', newComm = ''] = groups(rename?.text ?? '', /oldcomm=(.*) newcomm=(.*) oom_score_adj=/);
      return { time, datum: [cpu, pid, newComm, old, oldComm, file] };
    });
    expect(execs.length).toBeGreaterThan(5);
    expectSame(ofType('exec'), execs);
    const exits = ofEvent('sched_process_exit').map(({ cpu, time, text }) => {
      const [comm = '', pid = ''] = groups(text, /^comm=(.*) pid=(\d+) prio=/);
      return { time, datum: [cpu, pid, comm, '', '', ''] };
    });
    expectSame(ofType('exit'), exits);
  });

  test('with the inferred switches every CPU goes on with the task that came, and each of them is out of idle', () => {
    const inferred = ofType('switch').filter(({ datum }) => datum[5] === 'inferred');
    expect(report.warnings.join('\n')).toContain(`${inferred.length} switches are missing`);
    for (const { datum } of inferred) expect(datum.slice(0, 3)).toEqual([datum[0], '0', `swapper/${datum[0]}`]);
    const running = new Map<string, string>();
    let broken = 0;
    for (const { datum } of ofType('switch')) {
      const [cpu = '', pid = '', , next = ''] = datum;
      if ((running.get(cpu) ?? pid) !== pid) broken++;
      running.set(cpu, next);
    }
    const unexplained = /^(\d+) times a CPU ran another task/m.exec(report.warnings.join('\n'))?.[1] ?? '0';
    expect(broken).toBeLessThanOrEqual(Number(unexplained));
    // Without them idle CPUs would be left by tasks that never came.
    expect(inferred.length).toBeGreaterThan(10);
    // An idle CPU takes a task at once: when it is woken, or moved there.
    const put = new Set(
      events
        .filter(({ type }) => type === 'wakeup' || type === 'wakeup_new' || type === 'migrate')
        .map(({ time, datum }) => `${time} ${datum[3]} ${datum[5]?.split('>')[1]}`),
    );
    const known = inferred.filter(({ time, datum }) => put.has(`${time} ${datum[3]} ${datum[0]}`));
    expect(known.length).toBeGreaterThan(0.8 * inferred.length);
  });
});

describe('scope', () => {
  test('of some processes: what one of them has part in, and nothing else', async () => {
    const all = (await decoded()).events;
    const pid = ofEvent('sched_process_exec')[0]?.tid as string;
    const { events } = await decoded({ pids: [Number(pid)] });
    const concerns = ({ datum }: EventData): boolean => datum[1] === pid || datum[3] === pid;
    expect(events).toEqual(all.filter(concerns));
    expect(events.length).toBeGreaterThan(5);
  });

  test('of the whole machine: MARPLE’s own tasks have no part in it, but each CPU’s switches are all there', async () => {
    const inProcess = ofEvent('sched_switch').flatMap(({ text }) => groups(text, /prev_pid=(\d+).* next_pid=(\d+) /));
    const own = new Set(inProcess.filter((tid) => tid !== '0'));
    const parent = 1_000_000;
    const report = new HeaderReport();
    const tasks = [...own].map((tid) => ({ tid: Number(tid), pid: Number(tid), parent, comm: '' }));
    const all: EventData[] = [];
    for await (const { records } of decode(DIR, recording, { ...runInfo({ own: parent }), tasks }, report))
      all.push(...(records as EventData[]));
    const { events } = await decoded();
    const switches = (of: readonly EventData[]): string[] =>
      of.filter(({ type }) => type === 'switch').map(({ time, datum }) => `${time} ${datum[1]} ${datum[3]}`);
    expect(switches(all)).toEqual(switches(events));
    const isOwn = ({ datum }: EventData): boolean => own.has(datum[1]!) && own.has(datum[3]!);
    expect(all.filter((event) => event.type !== 'switch' && isOwn(event))).toEqual([]);
    expect(events.filter((event) => event.type === 'wakeup' && isOwn(event)).length).toBeGreaterThan(0);
  });

  test('of a command: its children too, from their first moment', async () => {
    const all = (await decoded()).events;
    const [root = ''] = groups(all.find(({ type }) => type === 'exec')?.datum.join(' ') ?? '', /^\d+ (\d+) /);
    const children = all.filter(({ type, datum }) => type === 'fork' && datum[1] === root).map(({ datum }) => datum[3]);
    expect(children.length).toBeGreaterThan(1);
    const { events } = await decoded({ root: Number(root) });
    const family = new Set([root, ...children]);
    for (const child of children)
      expect(events.some(({ type, datum }) => type === 'wakeup_new' && datum[3] === child)).toBe(true);
    expect(events.every(({ datum }) => family.has(datum[1]!) || family.has(datum[3]!))).toBe(true);
  });

  test('by name', async () => {
    const { events } = await decoded({ comm: '^taskset$' });
    expect(events.length).toBeGreaterThan(0);
    expect(events.every(({ datum }) => datum[2] === 'taskset' || datum[4] === 'taskset')).toBe(true);
  });
});

describe('holes', () => {
  test('are marked, and what ran before is not carried over', () => {
    const report = new HeaderReport();
    const decoder = new SchedDecoder(formats, runInfo(), report);
    const reader = new FtraceReader(DIR, recording.details.ftrace, 0n);
    let [count, at] = [0, 0];
    for (let event = reader.next(); event !== undefined; event = reader.next()) {
      // A stretch of CPU 0 is left out.
      if (event.cpu === 0 && ++count > 300 && count <= 400) {
        if (count === 301) decoder.lost(0, at);
        if (count === 400) decoder.resumed(0, event.time);
        continue;
      }
      at = event.time;
      decoder.push(event);
    }
    reader.close();
    const events = decoder.finish();
    decoder.reportCounts(undefined, 0);
    const holes = events.filter(({ type }) => type === 'lost' || type === 'resume');
    expect(holes.map(({ type, datum }) => [type, datum])).toEqual([
      ['lost', ['0', '', '', '', '', '']],
      ['resume', ['0', '', '', '', '', '']],
    ]);
    const [from, to] = holes.map(({ time }) => time) as [number, number];
    expect(
      events.filter(({ time, datum }) => datum[0] === '0' && time > from && time < to && datum[5] === 'inferred'),
    ).toEqual([]);
    expect(events.every(({ time }, i) => i === 0 || time >= events[i - 1]!.time)).toBe(true);
  });
});

test('a task that slept and runs again without a wakeup is counted', () => {
  const woken = Number(ofEvent('sched_wakeup').map(({ text }) => / pid=(\d+)/.exec(text)?.[1])[0]);
  const isSleep = (line: Line): boolean => new RegExp(`prev_pid=${woken} .*prev_state=[^R]`).test(line.text);
  const isReturn = (line: Line): boolean => line.text.includes(`next_pid=${woken} `);
  const switches = ofEvent('sched_switch').filter((line) => isSleep(line) || isReturn(line));
  const returns = switches.filter((line, i) => i > 0 && isReturn(line) && isSleep(switches[i - 1]!)).length;
  expect(returns).toBeGreaterThan(0);
  const report = new HeaderReport();
  const wakeups = ['sched:sched_wakeup', 'sched:sched_waking'];
  const others = Object.fromEntries(Object.entries(formats).filter(([name]) => !wakeups.includes(name)));
  const decoder = new SchedDecoder(others, runInfo({ pids: [woken] }), report);
  const reader = new FtraceReader(DIR, recording.details.ftrace, 0n);
  for (let event = reader.next(); event !== undefined; event = reader.next()) decoder.push(event);
  reader.close();
  decoder.finish();
  decoder.reportCounts(undefined, 0);
  expect(report.warnings).toContain(`${returns} times a task that slept ran again, and its wakeup is not in the trace`);
});

test('no task is taken out of a table for each of its switches and wakeups: in a large one that takes ever longer', async () => {
  const removals = [vi.spyOn(Map.prototype, 'delete'), vi.spyOn(Set.prototype, 'delete')];
  try {
    await decoded();
    const count = removals.reduce((sum, { mock }) => sum + mock.calls.length, 0);
    const tasks = ofEvent('task_newtask').length + ofEvent('sched_process_exit').length;
    expect(ofEvent('sched_switch').length).toBeGreaterThan(20 * tasks);
    expect(count).toBeLessThan(10 * tasks);
  } finally {
    for (const spy of removals) spy.mockRestore();
  }
});

test('switches that the scheduler counted and the trace does not have are told', () => {
  const all = (counted: number | undefined, lost = 0): string => {
    const report = new HeaderReport();
    const decoder = new SchedDecoder(formats, runInfo(), report);
    const reader = new FtraceReader(DIR, recording.details.ftrace, 0n);
    for (let event = reader.next(); event !== undefined; event = reader.next()) decoder.push(event);
    reader.close();
    decoder.finish();
    decoder.reportCounts(counted, lost);
    return report.warnings.join('\n');
  };
  const told = /^the scheduler counted 100000 switches, and (\d+) are in the trace: what is shown/m;
  const seen = Number(told.exec(all(100_000))?.[1]);
  expect(seen).toBeGreaterThan(300);
  for (const fine of [all(undefined), all(seen), all(seen + 100), all(100_000, 100_000 - seen)]) {
    expect(fine).not.toContain('the scheduler counted');
  }
});

describe('formats that cannot be used', () => {
  test('an event without a field', () => {
    const broken = { ...formats, 'sched:sched_switch': formats['sched:sched_switch']!.replace('next_pid;', 'other;') };
    expect(() => schedDecoder(DIR, broken, runInfo(), new HeaderReport())).toThrow(/no field next_pid/);
  });

  test('a state that cannot be printed is a number, and a word about it', () => {
    const report = new HeaderReport();
    const text = formats['sched:sched_switch']!.replace('__print_flags', '__print_unknown');
    const decoder = schedDecoder(DIR, { ...formats, 'sched:sched_switch': text }, runInfo(), report);
    const reader = new FtraceReader(DIR, recording.details.ftrace, 0n);
    for (let event = reader.next(); event !== undefined; event = reader.next()) decoder.push(event);
    reader.close();
    const switches = decoder.finish().filter(({ type, datum }) => type === 'switch' && datum[5] !== 'inferred');
    expect(switches.every(({ datum }) => /^\d+$/.test(datum[5]!))).toBe(true);
    expect(report.warnings.join()).toContain('states of tasks are shown as numbers');
  });

  test('a recording that is none', async () => {
    const decoding = decode(DIR, { ...recording, details: {} }, runInfo(), new HeaderReport());
    await expect(decoding[Symbol.asyncIterator]().next()).rejects.toMatchObject({ exitCode: 65 });
  });
});
