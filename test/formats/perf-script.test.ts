import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type HeaderForm,
  type PerfRecord,
  type PerfSample,
  PerfScriptParser,
  parseFrame,
  readPerfScript,
} from '../../src/formats/perf-script.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/perf-script');

function read(text: string, form?: HeaderForm): { records: PerfRecord[]; samples: PerfSample[]; unreadable: string[] } {
  const unreadable: string[] = [];
  const records = [...readPerfScript(text.split('\n'), (line) => unreadable.push(line), form)];
  return { records, samples: records.filter((record) => record.kind === 'sample'), unreadable };
}

function fixture(name: string, form?: HeaderForm): ReturnType<typeof read> {
  return read(readFileSync(join(FIXTURES, name), 'utf8'), form);
}

/** The only sample of a first line. */
function header(line: string, form?: HeaderForm): PerfSample | undefined {
  const { samples, unreadable } = read(`${line}\n`, form);
  expect(samples.length + unreadable.length).toBe(1);
  return samples[0];
}

describe('what perf really printed', () => {
  test('tasks.txt: odd names, threads, forks, in the form that callstack asks for', () => {
    const { records, samples, unreadable } = fixture('tasks.txt', 'recorded');
    expect(unreadable).toEqual([]);
    expect(samples.length).toBe(22);
    expect(new Set(samples.map((sample) => sample.comm))).toEqual(
      new Set(['(sd 12 3)', 'a b [x]/y-1', 'kid: 1.5 2:', 'two_thirds']),
    );
    expect(samples[0]).toEqual({
      kind: 'sample',
      comm: '(sd 12 3)',
      pid: 28956,
      tid: 28959,
      cpu: 0,
      time: { seconds: 9016, nanoseconds: 665141046 },
      period: undefined,
      event: 'cpu-clock:ppp',
      frames: [
        { address: '1238', symbol: 'use_cpu', module: '/tmp/example/tasks', number: 0 },
        { address: '1271', symbol: 'named_thread', module: '/tmp/example/tasks', number: 1 },
        { address: '891f5', symbol: 'start_thread', module: '/usr/lib/x86_64-linux-gnu/libc.so.6', number: 2 },
      ],
      stack: 0,
    });
    expect(records.filter((record) => record.kind === 'fork')).toEqual([
      { kind: 'fork', pid: 28956, tid: 28958, parentPid: 28956, comm: 'tasks' },
      { kind: 'fork', pid: 28956, tid: 28959, parentPid: 28956, comm: 'tasks' },
      { kind: 'fork', pid: 28960, tid: 28960, parentPid: 28956, comm: 'tasks' },
      { kind: 'fork', pid: 28961, tid: 28961, parentPid: 28960, comm: 'kid: 1.5 2:' },
    ]);
  });

  test('events.txt: several events with periods, a program that was deleted', () => {
    const { samples, unreadable } = fixture('events.txt');
    expect(unreadable).toEqual([]);
    expect(samples.length).toBe(19);
    expect(new Set(samples.map((sample) => sample.event))).toEqual(new Set(['cpu-clock', 'context-switches']));
    expect(samples[1]).toMatchObject({ comm: 'gone', pid: undefined, tid: 28966, cpu: undefined, period: 10101010 });
    expect(samples[1]?.frames[0]).toEqual({
      address: '11ab',
      symbol: '[unknown]',
      module: '/tmp/example/gone (deleted)',
      number: 3,
    });
  });

  test('plain.txt: commands to the right, the frame on the line of the sample, no blank lines', () => {
    const { samples, unreadable } = fixture('plain.txt');
    expect(unreadable).toEqual([]);
    expect(samples.length).toBe(14);
    expect(samples[1]).toMatchObject({
      comm: 'two_thirds',
      tid: 28990,
      time: { seconds: 9018, nanoseconds: 636935000 },
      period: 10101010,
      event: 'cpu-clock:ppp',
      frames: [{ address: '5643575981ab', symbol: 'work_until+0x2a', module: '/tmp/example/two_thirds' }],
    });
  });

  test('tracepoint.txt: the fields of a tracepoint behind its name', () => {
    const { samples, unreadable } = fixture('tracepoint.txt');
    expect(unreadable).toEqual([]);
    expect(samples.map((sample) => sample.event)).toEqual(Array(6).fill('sched:sched_switch'));
    expect(samples.map((sample) => sample.frames.length)).toEqual([10, 10, 10, 10, 10, 7]);
  });
});

describe('the first line of a sample', () => {
  test.each([
    ['java 25607 4794564.109216: 1 cycles:', { comm: 'java', pid: undefined, tid: 25607, cpu: undefined, period: 1 }],
    ['java 12688 [002] 6544038.708352: 235 cpu-clock:', { tid: 12688, cpu: 2, period: 235, event: 'cpu-clock' }],
    ['V8 WorkerThread 25607 4794564.109216: 104345 cycles:', { comm: 'V8 WorkerThread', tid: 25607, period: 104345 }],
    ['java 24636/25607 [000] 4794564.109216: 1 cycles:', { pid: 24636, tid: 25607, event: 'cycles' }],
    ['java 12688/12764 6544038.708352: 235 cpu-clock:', { pid: 12688, tid: 12764, cpu: undefined }],
    ['swapper     0 [001]  1.5:   cpu-clock: ', { comm: 'swapper', tid: 0, cpu: 1, period: undefined }],
    ['kworker/u8:1-ev 33/33 [000] 2.000000001: cycles:P: ', { comm: 'kworker/u8:1-ev', event: 'cycles:P' }],
    ['a b [x]/y-1 17/19 [000] 2.5: cycles:', { comm: 'a b [x]/y-1', pid: 17, tid: 19 }],
    ['x 5 ', { comm: 'x', tid: 5, time: undefined, event: undefined }],
    ['perl 5 cycles:', { comm: 'perl', tid: 5, time: undefined, event: 'cycles' }],
    ['perl 5 [003] 17 cycles:u:', { comm: 'perl', tid: 5, cpu: 3, period: 17, event: 'cycles:u' }],
    ['worker 3 77 [001] 1.5: cycles:', { comm: 'worker', tid: 3, cpu: 1, event: 'cycles' }],
    [' 77/78 [001] 1.5: cycles:', { comm: '', pid: 77, tid: 78, event: 'cycles' }],
    [':-1 28/-1    [000] 1.5:   9 cycles: ', { comm: ':-1', pid: 28, tid: -1, cpu: 0, period: 9, event: 'cycles' }],
    [':-1    -1 [000] 1.5:   9 cycles: ', { comm: ':-1', pid: undefined, tid: -1, period: 9 }],
    [':-1    -1 cycles: ', { comm: ':-1', tid: -1, event: 'cycles' }],
    ['a -1 7 [000] 1.5: cycles:', { comm: 'a -1', tid: 7 }],
  ])('%j', (line, expected) => {
    expect(header(line)).toMatchObject(expected);
    expect(header(`${line}\r`)).toMatchObject(expected);
  });

  test.each(['perl', 'perl 5', 'perl five 1x', 'perl 5x 1.5: cycles:', '  perl cycles:', '\tffff main'])(
    '%j is none',
    (line) => expect(header(line)).toBeUndefined(),
  );

  test('recorded: any command, however much it looks like numbers', () => {
    for (const comm of ['worker 3', '(sd 12 3)', 'kid: 1.5 2:', '1/1 [1] 2.5: x:', '', '# x', ' a ']) {
      const sample = header(`${comm} 77/78 [001]   123.000000045: cpu-clock:ppp: `, 'recorded');
      expect(sample).toMatchObject({ comm: comm.trim(), pid: 77, tid: 78, cpu: 1, event: 'cpu-clock:ppp' });
    }
  });

  test('recorded: a task that was gone already', () => {
    expect(header(':-1    -1/-1    [000]  123.000000045: cpu-clock:ppp: ', 'recorded')).toMatchObject({
      comm: ':-1',
      pid: -1,
      tid: -1,
    });
  });
});

describe('frames', () => {
  test.each([
    ['\tffff81 native_safe_halt ([kernel.kallsyms])', 'native_safe_halt', '[kernel.kallsyms]'],
    ['\tffff81 [unknown] ([kernel.kallsyms]_text)', '[unknown]', '[kernel.kallsyms]_text'],
    ['  7f12 std::operator< <int> (int, A*) (/usr/lib/a b.so)', 'std::operator< <int> (int, A*)', '/usr/lib/a b.so'],
    ['  7f12 operator-> (/x)', 'operator->', '/x'],
    ['  7f12 a;b (/x (deleted))', 'a;b', '/x (deleted)'],
    ['  7f12  (/x)', '', '/x'],
    ['  7f12 (/x)', '', '/x'],
    ['  7f12 f+0x1f ([unknown])', 'f+0x1f', '[unknown]'],
    ['7f12 f (/x)', 'f', '/x'],
  ])('%j', (line, symbol, module) => {
    expect(parseFrame(line)).toMatchObject({ symbol, module });
    expect(parseFrame(`${line}  `)).toMatchObject({ symbol, module });
  });

  test.each(['', '\tffff main', '\tmain (/x)', '\tffff main(/x)', '\t(/x)', 'ffff) ('])('%j is none', (line) =>
    expect(parseFrame(line)).toBeUndefined(),
  );
});

describe('the text as a whole', () => {
  test('comments are skipped, the last sample needs no blank line, CRLF is no trouble', () => {
    const text =
      '# ========\n# cmdline : perf 5 6 record\na 1 1.5: cycles:\n\tff f (/x)\n\nb 2 2.5: cycles:\n\tff g (/x)';
    for (const one of [text, text.replaceAll('\n', '\r\n')]) {
      const { samples, unreadable } = read(one);
      expect(unreadable).toEqual([]);
      expect(samples.map(({ comm, frames }) => [comm, frames[0]?.symbol])).toEqual([
        ['a', 'f'],
        ['b', 'g'],
      ]);
    }
  });

  test('a first line ends the sample before it', () => {
    const { samples } = read('a 1 1.5: cycles:\n\tff f (/x)\nb 2 2.5: cycles:\nc 3 3.5: cycles:\n\tff g (/x)\n');
    expect(samples.map((sample) => sample.frames.length)).toEqual([1, 0, 1]);
  });

  test('equal stacks have a number and an array of frames in common, others have none', () => {
    const [f, g] = ['\tff f (/x)', '\tfe g (/x)'];
    const { samples } = read(
      [[f, g], [f], [g, f], [], [f, g], ['\tff f (/y)', g]]
        .map((frames) => ['a 1 1.5: cycles:', ...frames, ''].join('\n'))
        .join('\n'),
    );
    expect(samples.map(({ stack }) => stack)).toEqual([0, 1, 2, 3, 0, 4]);
    expect(samples.map(({ frames }) => frames.map(({ symbol, module }) => symbol + module).join(' '))).toEqual([
      'f/x g/x',
      'f/x',
      'g/x f/x',
      '',
      'f/x g/x',
      'f/y g/x',
    ]);
    expect(samples[4]?.frames).toBe(samples[0]?.frames);
  });

  test('frames on lines of all forms are in their order', () => {
    const { samples } = read(
      'a 1 1.5: cycles: f1 one (/x)\n\tf2 two (/x)\n  f3 three (/x)\nf4 four (/x)\n\tf5 five (/x)\n\na 1 1.6: cycles:\n\tf2 two (/x)\n',
    );
    expect(samples.map(({ frames }) => frames.map(({ symbol }) => symbol))).toEqual([
      ['one', 'two', 'three', 'four', 'five'],
      ['two'],
    ]);
    expect(samples.map(({ stack }) => stack === undefined)).toEqual([true, false]);
  });

  test('a stack may have more frames than a call has arguments', () => {
    const many = '\tff one (/x)\n'.repeat(200_000);
    const { samples } = read(`a 1 1.5: cycles:\n${many}  fe two (/x)\n${many}\n`);
    expect(samples.map(({ frames }) => frames.length)).toEqual([400_001]);
  });

  test('frames are read on where no more lines are remembered', () => {
    // More than it keeps of lines, in one stack, and a stack behind it.
    const name = 'f'.repeat(4000);
    const samples: PerfRecord[] = [];
    const parser = new PerfScriptParser(
      (sample) => samples.push(sample),
      (line) => expect(line).toBeUndefined(),
    );
    parser.push(Buffer.from('a 1 1.5: cycles:\n'));
    for (let i = 0; i < 10_000; i++) parser.push(Buffer.from(`\t${i.toString(16)} ${name}${i} (/x)\n`));
    parser.push(Buffer.from('\na 1 1.6: cycles:\n\tff one (/x)\n'));
    parser.end();
    const frames = samples.map((sample) => (sample as PerfSample).frames.map(({ symbol }) => symbol));
    expect(frames.map(({ length }) => length)).toEqual([10_000, 1]);
    expect(frames[0]).toEqual(Array.from({ length: 10_000 }, (_, i) => `${name}${i}`));
  });

  test('a first line is read the same, whatever first lines came before it', () => {
    const heads = [
      'a 1 ',
      'a 1.5: x 1 ',
      'a 12 1.5:x ',
      ' a 3/4 [001] ',
      ':-1 28/-1 [000] ',
      'w 3 77 ',
      'é 1 ',
      '1/1 2/2 ',
    ];
    const times = ['1.5: ', '99999999999999999.000000001: ', '2.1234567890: ', '1.000000002:', ''];
    const ends = [
      'cycles:',
      '7 cycles:u: ',
      '7 8 cycles:',
      ' :',
      'cycles',
      '123456789012345678 x:',
      'x:\u00a0',
      'x: y',
      '',
    ];
    const lines = heads.flatMap((head) => times.flatMap((time) => ends.map((end) => head + time + end)));
    for (const form of ['any', 'recorded'] as const) {
      const { samples: together, unreadable } = read([...lines, ...lines].join('\n\n'), form);
      const apart = lines.flatMap((line) => read(line, form).samples);
      expect(together.map((sample) => ({ ...sample, stack: 0 }))).toEqual([...apart, ...apart]);
      expect(together.length + unreadable.length).toBe(2 * lines.length);
    }
  });

  test('what cannot be read is told, and the rest is read', () => {
    const { samples, unreadable } = read(
      'Warning: nonsense\n\tff lost (/x)\n\na 1 1.5: cycles:\n\tff f (/x)\n\tnonsense\n\tfe g (/x)\n',
    );
    expect(unreadable).toEqual(['Warning: nonsense', '\tff lost (/x)', '\tnonsense']);
    expect(samples.map((sample) => sample.frames.map((frame) => frame.symbol))).toEqual([['f', 'g']]);
  });

  test('lost records and other records of the kernel', () => {
    const { records, unreadable } = read(
      [
        'a 1/1 [000]  8059.701743757: PERF_RECORD_LOST lost 55',
        'a 1/1 [000]  8059.701743758: PERF_RECORD_COMM: a:1/1',
        'a 1/1 [000]  8059.701743759: PERF_RECORD_COMM exec: b:1/1',
        'a 1/1 [000]  8059.701743759: PERF_RECORD_EXIT(1:1):(0:0)',
        'a 1/1 [000]  8059.701743760: PERF_RECORD_FORK(2:3):(1:1)',
      ].join('\n'),
      'recorded',
    );
    expect(unreadable).toEqual([]);
    expect(records).toEqual([
      { kind: 'lost', count: 55 },
      { kind: 'fork', pid: 2, tid: 3, parentPid: 1, comm: 'a' },
    ]);
  });
});

describe('any text at all', () => {
  const piece = fc.constantFrom(
    ' ',
    '\t',
    '(',
    ')',
    '[',
    ']',
    '/',
    ':',
    ';',
    '.',
    '1',
    '99',
    'ff',
    'a',
    '->',
    '\r',
    '-',
  );
  const line = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(''));

  test.each(['any', 'recorded'] as const)('%s: every line is part of a record, skipped, or told', (form) => {
    fc.assert(
      fc.property(fc.array(fc.oneof(line, fc.string()), { maxLength: 30 }), (lines) => {
        const unreadable: string[] = [];
        const records = [...readPerfScript(lines, (text) => unreadable.push(text), form)];
        const told = lines.filter((text) => text.trim() !== '' && !text.startsWith('#')).length;
        const frames = records.reduce((sum, record) => sum + (record.kind === 'sample' ? record.frames.length : 0), 0);
        expect(records.length + unreadable.length + frames).toBeGreaterThanOrEqual(told);
        for (const record of records) {
          if (record.kind === 'sample') expect(Number.isFinite(record.tid)).toBe(true);
        }
      }),
    );
  });

  test.each(['any', 'recorded'] as const)('%s: as bytes, piece by piece, the records are the same', (form) => {
    const frame = fc.constantFrom(
      '\t  ff a+0x1 (/b)',
      '\t  fe [unknown] ([unknown])',
      '\tff a (/b)\r',
      '\tx 1/2 [0] 1.5: e:',
      '',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(line, frame, fc.string()), { maxLength: 30 }), fc.nat(30), (lines, cut) => {
        const text = lines.join('\n');
        const [unreadable, alsoUnreadable]: string[][] = [[], []];
        const records = [...readPerfScript(text.split('\n'), (one) => unreadable!.push(one), form)];
        const others: PerfRecord[] = [];
        const parser = new PerfScriptParser(
          (record) => others.push(record),
          (one) => alsoUnreadable!.push(one),
          form,
        );
        const pieces = [lines.slice(0, cut), lines.slice(cut)].filter((piece) => piece.length > 0);
        for (const piece of pieces) parser.push(Buffer.from(`${piece.join('\n')}\n`));
        parser.end();
        expect(others).toEqual(records);
        expect(alsoUnreadable).toEqual(unreadable);
      }),
    );
  });

  test('the work grows with the length of a line, not with its square', () => {
    const size = 2_000_000;
    const pieces = [
      ' ',
      '\t',
      '1',
      '1 ',
      '1/',
      '1/1 ',
      ' (',
      ')',
      ' ()',
      '(',
      ':',
      'a:',
      '1.1: ',
      ' [1] ',
      '[0] 1.1: ',
      'f',
      '->',
      '+0x',
      '.(',
    ];
    for (const unit of pieces) {
      for (const prefix of ['', ' ', 'a ', 'a 1 ', 'a 1 1.5: ', '\tff ']) {
        const text = prefix + unit.repeat(size / unit.length);
        for (const form of ['any', 'recorded'] as const)
          [...readPerfScript(['a 1 1.5: x:', text], () => undefined, form)];
      }
    }
  }, 60_000);
});
