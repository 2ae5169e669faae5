import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Collecter } from '../../src/collect/collecter.ts';
import { MallocStacks } from '../../src/collect/mallocstacks.ts';
import { MemLeak } from '../../src/collect/memleak.ts';
import { PerfMalloc } from '../../src/collect/perf_malloc.ts';
import { readTasks } from '../../src/collect/proc/tasks.ts';
import type { StackData } from '../../src/common/datatypes.ts';
import type { SectionHeader } from '../../src/common/header.ts';
import type { HeaderReport } from '../../src/common/report.ts';
import type { Scope } from '../../src/common/scope.ts';
import { type Allocations, startAllocations } from '../support/allocations.ts';
import { compileProgram } from '../support/programs.ts';
import { collectAll, testRun } from '../support/run.ts';

const COLLECTERS = { mallocstacks: MallocStacks, memleak: MemLeak, perf_malloc: PerfMalloc } as const;
type Interface = keyof typeof COLLECTERS;

let program: string;
beforeAll(() => {
  program = compileProgram('allocations', '-fno-optimize-sibling-calls', '-pthread');
});

interface Collected {
  readonly sections: readonly (readonly StackData[])[];
  readonly report: HeaderReport;
}

/** Collects while `activity` goes on; `own` is nobody, so that what this process has started is in scope. */
async function collect(
  name: Interface,
  tool: string,
  scope: Partial<Scope>,
  activity: (changeScope: (change: Partial<Scope>) => void) => Promise<void>,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<Collected> {
  const collecter = COLLECTERS[name];
  const options = collecter.description.options.parse(settings);
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  const made = testRun({ tool, options, scope: { own: 0, ...scope }, tasks: readTasks(), bootId });
  const { run, report, started, stop, changeScope } = made;
  const collected = collectAll(new collecter(run as never) as Collecter<unknown>);
  await Promise.race([started, collected]);
  await activity(changeScope);
  stop();
  return { sections: (await collected) as StackData[][], report };
}

/** Weight of the stacks that hold a function, by process name. */
function weightOf(stacks: readonly StackData[] | undefined, process: string, name: string): number {
  return (stacks ?? [])
    .filter(({ stack }) => stack[0] === process && stack.includes(name))
    .reduce((sum, { weight }) => sum + weight, 0);
}

/** On a busy machine bpftrace's table of stacks can have the place taken that one of ours would have. */
function unrecorded(stacks: readonly StackData[] | undefined, process: string): number {
  return weightOf(stacks, process, '[stack not recorded]');
}

function notesOf(report: HeaderReport): readonly string[] {
  const header = {} as SectionHeader;
  report.applyTo(header);
  return header.notes ?? [];
}

async function known({ tell }: Allocations): Promise<void> {
  await tell('request 1000 123');
  await tell('other 7 1000');
  await tell('thread 50 11');
}

describe.each(['bcc', 'bpftrace', 'perf'])('mallocstacks by %s', (tool) => {
  test('bytes by function, of all threads, as they were asked for', async () => {
    const one = await startAllocations(program, 'two words');
    const two = await startAllocations(program, 'not-looked-at');
    const { sections, report } = await collect('mallocstacks', tool, { pids: [one.pid] }, async () => {
      await known(one);
      await known(two);
    });
    const [stacks] = sections;
    expect(weightOf(stacks, 'two_words', 'request_known')).toBe(1000 * 123 + 50 * 11);
    expect(weightOf(stacks, 'two_words', 'thread_main')).toBe(50 * 11);
    expect(weightOf(stacks, 'two_words', 'request_other')).toBe(7 * 1000);
    expect(stacks?.some(({ stack }) => stack[0] !== 'two_words')).toBe(false);
    expect(report.skippedCount).toBe(0);
    expect(report.lostCount).toBe(0);
  });

  test('several processes', async () => {
    const one = await startAllocations(program, 'first');
    const two = await startAllocations(program, 'second');
    const { sections } = await collect('mallocstacks', tool, { pids: [one.pid, two.pid] }, async () => {
      await one.tell('request 10 100');
      await two.tell('request 20 100');
    });
    expect(weightOf(sections[0], 'first', 'request_known')).toBe(1000);
    expect(weightOf(sections[0], 'second', 'request_known')).toBe(2000);
  });
});

describe.each([
  ['mallocstacks', 'bpftrace', 'bytes'],
  ['mallocstacks', 'perf', 'bytes'],
  ['perf_malloc', 'perf', 'calls'],
] as const)('%s by %s', (name, tool, unit) => {
  const amount = (calls: number, bytes: number): number => (unit === 'calls' ? calls : calls * bytes);

  test('the whole machine: processes that came and went while it ran have their names', async () => {
    const { sections, report } = await collect(name, tool, {}, async () => {
      const late = await startAllocations(program, 'came-and-went');
      await known(late);
      await late.tell('fork 5 10');
      await late.end();
    });
    expect(report.warnings.join()).toMatch(/every call of malloc of every process was slowed down/);
    const [stacks] = sections;
    const [first, second] = [amount(1000, 123) + amount(50, 11) + amount(5, 10), amount(7, 1000)];
    // The function that calls malloc is there too, although its frame is not yet linked.
    expect(weightOf(stacks, 'came-and-went', 'take')).toBe(first + second);
    if (unrecorded(stacks, 'came-and-went') > 0) return;
    expect(weightOf(stacks, 'came-and-went', 'request_known')).toBe(first);
    expect(weightOf(stacks, 'came-and-went', 'request_other')).toBe(second);
  });

  test('a command and its descendants, and nothing else', async () => {
    const other = await startAllocations(program, 'another');
    const { sections } = await collect(name, tool, { own: process.pid, root: 0 }, async (changeScope) => {
      const command = await startAllocations(program, 'the-command');
      changeScope({ root: command.pid });
      await command.tell('request 10 100');
      await command.tell('fork 5 10');
      await other.tell('request 10 100');
    });
    const [stacks] = sections;
    expect(weightOf(stacks, 'the-command', 'request_known')).toBe(amount(10, 100) + amount(5, 10));
    expect(new Set(stacks?.map(({ stack }) => stack[0]))).toEqual(new Set(['the-command']));
  });

  test('a process that runs another program: each has its own name and functions', async () => {
    const one = await startAllocations(program, 'before');
    const { sections } = await collect(name, tool, { pids: [one.pid] }, async () => {
      await one.tell('request 10 100');
      await one.tell('become after');
      await one.tell('other 20 100');
    });
    const [stacks] = sections;
    expect(weightOf(stacks, 'before', 'request_known')).toBe(amount(10, 100));
    expect(weightOf(stacks, 'after', 'request_other')).toBe(amount(20, 100));
    expect(weightOf(stacks, 'after', 'request_known')).toBe(0);
  });

  test('by process name', async () => {
    const one = await startAllocations(program, 'named-one');
    const two = await startAllocations(program, 'named-two');
    const { sections } = await collect(name, tool, { comm: '^named-o' }, async () => {
      await one.tell('request 10 100');
      await two.tell('request 10 100');
    });
    expect(sections[0]?.every(({ stack }) => stack[0] === 'named-one')).toBe(true);
    expect(weightOf(sections[0], 'named-one', 'request_known')).toBe(amount(10, 100));
  });
});

describe('perf_malloc', () => {
  test('calls and bytes of the same stacks', async () => {
    const one = await startAllocations(program, 'counted');
    const all = await collect('perf_malloc', 'perf', { pids: [one.pid] }, () => known(one));
    const [calls, bytes] = all.sections;
    expect(weightOf(calls, 'counted', 'request_known')).toBe(1050);
    expect(weightOf(bytes, 'counted', 'request_known')).toBe(1000 * 123 + 50 * 11);
    expect(calls?.map(({ stack }) => stack)).toEqual(bytes?.map(({ stack }) => stack));
  });

  test('a program that brings its own malloc', async () => {
    const one = await startAllocations(compileProgram('allocations', '-static', '-pthread'), 'static');
    const { sections } = await collect('perf_malloc', 'perf', { pids: [one.pid] }, () => one.tell('request 30 100'));
    expect(weightOf(sections[0], 'static', 'request_known')).toBe(30);
  });

  test('a recording that has become too large ends, and says so', async () => {
    const one = await startAllocations(program, 'too-much');
    const { sections, report } = await collect(
      'perf_malloc',
      'perf',
      { pids: [one.pid] },
      async () => {
        for (let i = 0; i < 20; i++) await one.tell('request 5000 100');
        await new Promise((resolve) => setTimeout(resolve, 500));
      },
      { max_mb: 1 },
    );
    const calls = weightOf(sections[0], 'too-much', 'request_known');
    expect(calls).toBeGreaterThan(1000);
    expect(report.warnings.join()).toMatch(/the recording was ended after [\d.]+ s, when it had 1 MB/);
  });

  test('a request for more than there can be counts as a call', async () => {
    const one = await startAllocations(program, 'greedy');
    const { sections, report } = await collect('perf_malloc', 'perf', { pids: [one.pid] }, () =>
      one.tell('request 3 -1'),
    );
    expect(weightOf(sections[0], 'greedy', 'request_known')).toBe(3);
    expect(weightOf(sections[1], 'greedy', 'request_known')).toBe(0);
    expect(report.warnings.join()).toMatch(/3 calls asked for more bytes/);
  });
});

describe.each(['bcc', 'bpftrace'])('memleak by %s', (tool) => {
  test('what is not given back, by function; what is, does not count', async () => {
    const one = await startAllocations(program, 'leaking prog');
    await one.tell('leak 5 1000');
    const { sections, report } = await collect('memleak', tool, { pids: [one.pid] }, async () => {
      await one.tell('leak 100 123');
      await one.tell('keep 50 1000');
      await one.tell('request 1000 77');
      await one.tell('drop');
    });
    const [stacks] = sections;
    expect(weightOf(stacks, 'leaking_prog', 'leak_known')).toBe(100 * 123);
    expect(weightOf(stacks, 'leaking_prog', 'request_known')).toBe(0);
    // Where it notes what it keeps is mapped memory of its own.
    expect(weightOf(stacks, 'leaking_prog', 'take')).toBe(100 * 123);
    expect(report.skippedCount).toBe(0);
  });
});

describe('memleak by bpftrace', () => {
  test('large blocks are mapped by malloc itself: they count once, for who asked', async () => {
    const one = await startAllocations(program, 'large');
    const { sections } = await collect('memleak', 'bpftrace', { pids: [one.pid] }, () => one.tell('leak 3 1000000'));
    expect(weightOf(sections[0], 'large', 'leak_known')).toBe(3_000_000);
    expect(sections[0]?.reduce((sum, { weight }) => sum + weight, 0)).toBe(3_000_000);
  });

  test('a command: what it had at its end', async () => {
    const { sections } = await collect('memleak', 'bpftrace', { own: process.pid, root: 0 }, async (changeScope) => {
      const command = await startAllocations(program, 'short-lived');
      changeScope({ root: command.pid });
      await command.tell('leak 10 100');
      await command.end();
    });
    expect(weightOf(sections[0], 'short-lived', 'leak_known')).toBe(1000);
  });

  test('the whole machine: what ended has no memory any more', async () => {
    const stays = await startAllocations(program, 'stays');
    const { sections, report } = await collect('memleak', 'bpftrace', {}, async () => {
      const ends = await startAllocations(program, 'ends');
      await ends.tell('leak 10 100');
      await stays.tell('leak 10 100');
      await ends.end();
    });
    expect(weightOf(sections[0], 'stays', 'leak_known') + unrecorded(sections[0], 'stays')).toBe(1000);
    expect(weightOf(sections[0], 'ends', 'leak_known')).toBe(0);
    expect(notesOf(report).join()).toMatch(/processes that ended are left out/);
  });

  test('execve() gives back all that there was', async () => {
    const one = await startAllocations(program, 'before');
    const { sections } = await collect('memleak', 'bpftrace', { pids: [one.pid] }, async () => {
      await one.tell('leak 10 100');
      await one.tell('become after');
      await one.tell('leak 5 100');
    });
    expect(weightOf(sections[0], 'before', 'leak_known')).toBe(0);
    expect(weightOf(sections[0], 'after', 'leak_known')).toBe(500);
  });

  test('more blocks than can be followed are counted', async () => {
    const one = await startAllocations(program, 'many');
    const { sections, report } = await collect(
      'memleak',
      'bpftrace',
      { pids: [one.pid] },
      () => one.tell('leak 1000 100'),
      { max_blocks: 256 },
    );
    const kept = weightOf(sections[0], 'many', 'leak_known');
    expect(kept).toBeGreaterThan(0);
    const dropped = Number(/(\d+) bytes are left out: more than 256 blocks/.exec(report.warnings.join())?.[1]);
    expect(kept + dropped).toBe(100_000);
  });
});
