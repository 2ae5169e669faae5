import { appendFileSync, readFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type Allocations, startAllocations } from '../support/allocations.ts';
import { compileProgram } from '../support/programs.ts';
import { makePlace, type Place, sleep } from './marple.ts';

const PROBES = '/sys/kernel/tracing/uprobe_events';

let program: string;
beforeAll(() => {
  program = compileProgram('allocations', '-fno-optimize-sibling-calls', '-pthread');
});
let place: Place;
beforeEach(() => {
  place = makePlace();
});
afterEach(() => {
  const left = place.leftovers();
  place.remove();
  expect(left).toEqual([]);
});

/** The probes in the groups of a MARPLE. */
function probesOf(pid: number): string[] {
  return readFileSync(PROBES, 'latin1')
    .split('\n')
    .filter((line) => line.includes(`:marple_${pid}_`));
}

/** A probe of somebody else's, in a group that looks like ours but for its number. */
function foreignProbe(): string {
  const name = `marple_${process.pid}_test/foreign`;
  appendFileSync(PROBES, `p:${name} ${program}:0x1000\n`);
  onTestFinished(() => appendFileSync(PROBES, `-:${name}\n`));
  return name;
}

/** The lines of a data file's sections. */
function linesOf(path: string): string[] {
  return readFileSync(place.path(path), 'utf8').split('\n');
}

async function record(tool: string, one: Allocations): Promise<number> {
  const [name = '', by = ''] = tool.split('=');
  const running = place.start([
    'collect',
    '-p',
    `${one.pid}`,
    '--tool',
    `${name}=${by}`,
    name,
    '-t',
    '60',
    '-o',
    'x.marple',
  ]);
  await running.says(`recording ${name}`);
  await one.tell('request 100 1000');
  await one.tell('leak 10 77');
  running.kill('SIGKILL');
  await running.ended;
  return running.pid;
}

describe('after kill -9', () => {
  test('the next run removes the probe of malloc, and nobody else’s; what was recorded is shown', async () => {
    const foreign = foreignProbe();
    const one = await startAllocations(program, 'killed');
    const pid = await record('perf_malloc=perf', one);
    expect(probesOf(pid).length).toBeGreaterThan(0);

    const shown = await place.marple(['import', 'x.marple.partial']);
    expect(shown).toMatchObject({ code: 0 });
    expect(linesOf('x.marple')).toContain('100#killed;__libc_start_call_main;main;obey;request_known;take;malloc');
    expect(linesOf('x.marple')).toContain('100000#killed;__libc_start_call_main;main;obey;request_known;take;malloc');

    // Another run on this machine may have been faster, so what it says does not count.
    await place.marple(['collect', '--mem', '-t', '0.3', '-o', 'y.marple']);
    expect(probesOf(pid)).toEqual([]);
    expect(readFileSync(PROBES, 'latin1')).toContain(foreign);
  });

  test.each([
    ['mallocstacks=bpftrace', '100000#killed;__libc_start_call_main;main;obey;request_known;take;malloc'],
    ['memleak=bpftrace', '770#killed;__libc_start_call_main;main;obey;leak_known;take'],
  ])('%s has written what it had added up', async (tool, line) => {
    const one = await startAllocations(program, 'killed');
    await record(tool, one);
    await bpftraceEnds();
    const shown = await place.marple(['import', 'x.marple.partial']);
    expect(shown).toMatchObject({ code: 0 });
    expect(linesOf('x.marple')).toContain(line);
    await place.marple(['collect', '--mem', '-t', '0.3', '-o', 'y.marple']);
  });
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s: the probe is gone, the file is whole', async (signal) => {
  const one = await startAllocations(program, 'stopped');
  const running = place.start(['collect', '-p', `${one.pid}`, 'perf_malloc', '-t', '60', '-o', 'x.marple']);
  await running.says('recording perf_malloc');
  expect(probesOf(running.pid).length).toBeGreaterThan(0);
  await one.tell('request 100 1000');
  running.kill(signal);
  expect((await running.ended).code).toBe(signal === 'SIGINT' ? 130 : 143);
  expect(probesOf(running.pid)).toEqual([]);
  expect(linesOf('x.marple')).toContain('100#stopped;__libc_start_call_main;main;obey;request_known;take;malloc');
});

test('a command that ends in no time: what it asked for, left behind, and touched', async () => {
  const ended = await place.marple([
    'collect',
    'mallocstacks',
    'memleak',
    'perf_malloc',
    'memevents',
    '-o',
    'x.marple',
    '--',
    program,
    'in a flash',
    '1000',
    '123',
  ]);
  expect(ended).toMatchObject({ code: 0 });
  const lines = linesOf('x.marple');
  const stack = '__libc_start_call_main;main;request_known;take;malloc';
  expect(lines.filter((line) => line === `123000#in_a_flash;${stack}`)).toHaveLength(2);
  expect(lines).toContain(`1000#in_a_flash;${stack}`);
  expect(lines).toContain('123000#in_a_flash;__libc_start_call_main;main;leak_known;take');
  expect(lines.some((line) => /^\d+#in_a_flash;\[minor-faults\];/.test(line))).toBe(true);
});

test('processes that are named are looked at with BCC, where it works', async () => {
  const one = await startAllocations(program, 'named');
  const running = place.start(['collect', '-p', `${one.pid}`, 'mallocstacks', 'memleak', '-t', '60', '-o', 'x.marple']);
  await running.says('recording mallocstacks');
  await one.tell('leak 100 1000');
  running.kill('SIGINT');
  expect((await running.ended).stderr).toMatch(/mallocstacks \(bcc\), memleak \(bcc\)/);
  const lines = linesOf('x.marple');
  expect(lines.some((line) => /^100000#named;.*;leak_known;(take;)?(__libc_)?malloc$/.test(line))).toBe(true);
  expect(lines).toContain('100000#named;__libc_start_call_main;main;obey;leak_known;take');
});

/** It prints its maps when MARPLE is gone. */
async function bpftraceEnds(): Promise<void> {
  const path = place.path('x.marple.partial/recordings');
  const printed = (): boolean => {
    for (const name of ['mallocstacks', 'memleak']) {
      try {
        if (/^@total: /m.test(readFileSync(`${path}/${name}/bpftrace.txt`, 'latin1'))) return true;
      } catch {
        // The other one.
      }
    }
    return false;
  };
  for (let waits = 0; !printed() && waits < 600; waits++) await sleep(50);
}
