import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { MemEvents } from '../../src/collect/memevents.ts';
import { readTasks } from '../../src/collect/proc/tasks.ts';
import type { StackData } from '../../src/common/datatypes.ts';
import type { SectionHeader } from '../../src/common/header.ts';
import type { Scope } from '../../src/common/scope.ts';
import { type Allocations, startAllocations } from '../support/allocations.ts';
import { compileProgram } from '../support/programs.ts';
import { collectAll, testRun } from '../support/run.ts';

let program: string;
beforeAll(() => {
  program = compileProgram('allocations', '-fno-optimize-sibling-calls', '-pthread');
});

async function faults(
  scope: Partial<Scope>,
  activity: () => Promise<void>,
): Promise<{ readonly stacks: readonly StackData[]; readonly header: SectionHeader }> {
  const options = MemEvents.description.options.parse({});
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  const made = testRun({ tool: 'page-faults', options, scope: { own: 0, ...scope }, tasks: readTasks(), bootId });
  const collected = collectAll(new MemEvents(made.run));
  await Promise.race([made.started, collected]);
  await activity();
  made.stop();
  const [stacks = []] = (await collected) as StackData[][];
  const header = {} as SectionHeader;
  made.report.applyTo(header);
  return { stacks, header };
}

/** minflt of a process (proc_pid_stat(5)): what the kernel itself counts. */
function minorFaults({ pid }: Allocations): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[7]);
}

function weight(stacks: readonly StackData[], ...frames: readonly string[]): number {
  return stacks
    .filter(({ stack }) => frames.every((frame) => stack.includes(frame)))
    .reduce((sum, each) => sum + each.weight, 0);
}

describe('page faults', () => {
  test('every page that is touched, in the function that touches it; as many as the kernel counts', async () => {
    const one = await startAllocations(program, 'two words');
    const other = await startAllocations(program, 'not-looked-at');
    // What is used for the first time is faulted in.
    await one.tell('touch 1');
    let counted = 0;
    const { stacks, header } = await faults({ pids: [one.pid] }, async () => {
      const before = minorFaults(one);
      await one.tell('touch 1000');
      counted = minorFaults(one) - before;
      await other.tell('touch 1000');
    });
    expect(weight(stacks, 'two_words', '[minor-faults]', 'touch_known')).toBe(1000);
    expect(
      stacks.every(({ stack }) => stack[0] === 'two_words' && /^\[(minor|major)-faults\]$/.test(stack[1] as string)),
    ).toBe(true);
    expect(weight(stacks, '[minor-faults]')).toBe(counted);
    expect(header.substitute).toMatchObject({ for: 'memory loads and stores' });
    expect(header.lost).toBeUndefined();
  });

  test('what the kernel touches for a process, with the frames of both', async () => {
    const one = await startAllocations(program, 'asks-kernel');
    await one.tell('fill 1');
    const { stacks } = await faults({ pids: [one.pid] }, () => one.tell('fill 300'));
    expect(weight(stacks, 'asks-kernel', '[minor-faults]', 'touch_by_kernel', 'vfs_read')).toBe(300);
  });

  test('the whole machine, with processes that came while it ran', async () => {
    const { stacks } = await faults({}, async () => {
      const one = await startAllocations(program, 'came-late');
      await one.tell('touch 500');
      await one.end();
    });
    expect(weight(stacks, 'came-late', '[minor-faults]', 'touch_known')).toBe(500);
  });
});

test('without a PMU the tool for loads and stores says so', async () => {
  const probe = await MemEvents.description.tools[0]?.probe({ scope: { own: process.pid }, tempDir: '/nowhere' });
  const hasPmu = readFileSync('/proc/cpuinfo', 'latin1').includes('arch_perfmon');
  if (!hasPmu)
    expect(probe).toMatchObject({ usable: false, why: expect.stringMatching(/no PMU that samples memory loads/) });
});
