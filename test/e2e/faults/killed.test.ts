import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect } from 'vitest';
import { startAllocations } from '../../support/allocations.ts';
import { compileProgram } from '../../support/programs.ts';
import { type Running, sleep, toolsOf } from '../marple.ts';
import { type FaultPlace, nextRun, noToolOf, settled, test } from './faults.ts';

const EVERYTHING = [
  '--cpu=sched,stacks,off',
  '--disk=latency,block_requests',
  '--mem=usage,leaks,malloc,events,malloc_calls,map',
  '--ipc',
  '--system',
];
/** Attaching all of them takes a while. */
const MORE_TIME = '[General]\ntool_timeout = 60\n';

let program: string;
beforeAll(() => {
  program = compileProgram('allocations', '-pthread');
});

/** Ends a MARPLE at once, and waits until none of its tools runs. */
async function kill(running: Running): Promise<void> {
  running.kill('SIGKILL');
  await running.ended;
  await settled(() => noToolOf(running.pid));
  expect(toolsOf(new Set([running.pid]))).toEqual([]);
}

const PROBES = '/sys/kernel/tracing/uprobe_events';
const INSTANCES = '/sys/kernel/tracing/instances';

/** Events in the buffers of a MARPLE's trace instances, and those that had no more room there. */
function recordedBy(pid: number): number {
  const stats = readdirSync(INSTANCES)
    .filter((name) => name.startsWith(`marple-${pid}-`))
    .flatMap((name) => {
      const cpus = join(INSTANCES, name, 'per_cpu');
      return readdirSync(cpus).map((cpu) => readFileSync(join(cpus, cpu, 'stats'), 'latin1'));
    });
  const counts = stats.flatMap((text) => [...text.matchAll(/^(?:entries|overrun|dropped events): (\d+)$/gm)]);
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** What was written can be read, by its own name and as an import. */
async function expectReadable(place: FaultPlace, name: string): Promise<void> {
  if (!existsSync(place.path(name)) && !existsSync(place.path(`${name}.partial`))) return;
  const listing = await place.marple(['display', '-l', '-i', name]);
  expect(listing).toMatchObject({ code: 0 });
}

describe('MARPLE is killed (SIGKILL)', () => {
  test('while it collects everything, at random moments', async ({ place }) => {
    place.configure(MORE_TIME);
    const one = await startAllocations(program, 'killed');
    for (let i = 0; i < 3; i++) {
      const args = ['collect', ...EVERYTHING, '-p', `${one.pid}`, '-t', '1', '-o', `k${i}.marple`];
      const running = place.start(args);
      await running.says('recording');
      await one.tell('request 100 1000');
      await sleep(Math.random() * 2000);
      await kill(running);
      await expectReadable(place, `k${i}.marple`);
    }
    await nextRun(place);
    expect(readdirSync(place.dir).filter((name) => name.endsWith('.partial')).length).toBeGreaterThan(0);
  });

  // What the next run says, and what a trace has, is not looked at beside other tests: theirs clear the same.
  test('while it tries its tools, at random moments', async ({ place }) => {
    place.configure(MORE_TIME);
    for (let i = 0; i < 3; i++) {
      const running = place.start(['collect', '--stack', '--mem=leaks,malloc', '-t', '1', '-o', 'p.marple'], {
        env: { XDG_STATE_HOME: place.path(`state${i}`) },
      });
      await settled(() => !noToolOf(running.pid));
      await sleep(Math.random() * 1500);
      await kill(running);
    }
    expect(await nextRun(place)).toMatch(/removed \d temporary folders? of an earlier run that was killed/);
  });

  test('with a tool that was stopped: the next run ends it', async ({ place }) => {
    const running = place.start(['collect', '--stack', '-t', '60', '-o', 's.marple']);
    await running.says('recording');
    const [perf] = toolsOf(new Set([running.pid]));
    process.kill(perf!.pid, 'SIGSTOP');
    running.kill('SIGKILL');
    await running.ended;
    expect(noToolOf(running.pid)).toBe(false);
    expect(await nextRun(place)).toContain('ended 1 tool of an earlier run that was killed');
    await expectReadable(place, 's.marple');
  });

  test('with a tool that hangs and listens to no signal: the next run ends it', async ({ place }) => {
    place.standIn('tcptracer', 'trap "" INT TERM HUP; echo "TIME(s)  T PID"; exec sleep 1000');
    const running = place.start(['collect', 'ipc', '--tool', 'ipc=libbpf-tcptracer', '-t', '60', '-o', 'h.marple'], {
      env: place.standIns,
    });
    await running.says('recording ipc');
    running.kill('SIGKILL');
    await running.ended;
    await sleep(300);
    expect(noToolOf(running.pid)).toBe(false);
    expect(await nextRun(place)).toContain('ended 1 tool of an earlier run that was killed');
  });

  test('and its BCC with it: the next run removes the probes that were that BCC’s, and no others', async ({
    place,
  }) => {
    place.configure(MORE_TIME);
    const one = await startAllocations(program, 'bcc');
    const args = [
      'collect',
      'mallocstacks',
      '--tool',
      'mallocstacks=bcc',
      '-p',
      `${one.pid}`,
      '-t',
      '60',
      '-o',
      'b.marple',
    ];
    const running = place.start(args);
    await running.says('recording mallocstacks');
    const [bcc] = toolsOf(new Set([running.pid]));
    const stranger = spawnSync('true').pid;
    // As BCC makes them where the kernel refuses it the way that needs none.
    for (const pid of [bcc!.pid, stranger]) {
      appendFileSync(PROBES, `p:uprobes/p_marple_test_bcc_${pid} ${process.execPath}:0x1000\n`);
    }
    try {
      process.kill(bcc!.pid, 'SIGKILL');
      await kill(running);
      expect(readFileSync(PROBES, 'latin1')).toContain(`_bcc_${bcc!.pid} `);
      expect(await nextRun(place)).toContain('removed 1 probe of an earlier run that was killed');
      expect(readFileSync(PROBES, 'latin1')).not.toContain(`_bcc_${bcc!.pid} `);
      expect(readFileSync(PROBES, 'latin1')).toContain(`_bcc_${stranger} `);
    } finally {
      appendFileSync(PROBES, `-:uprobes/p_marple_test_bcc_${stranger}\n`);
    }
  });

  test('its trace records nothing more', async ({ place }) => {
    const running = place.start(['collect', 'cpusched', '--tool', 'cpusched=ftrace', '-t', '60', '-o', 't.marple']);
    await running.says('recording');
    await settled(() => recordedBy(running.pid) > 0);
    await kill(running);
    const then = recordedBy(running.pid);
    expect(then).toBeGreaterThan(0);
    // The scheduler is never idle for so long.
    await sleep(300);
    expect(recordedBy(running.pid)).toBe(then);
    await nextRun(place);
  });
});

describe.concurrent('MARPLE is killed (SIGKILL), tool by tool', () => {
  const OTHER_TOOLS = [
    ['cpusched', 'perf'],
    ['offcpu', 'bpftrace'],
    ['disklat', 'bpftrace'],
    ['disklat', 'perf'],
    ['diskblockrq', 'perf'],
    ['memtime', 'smem'],
    ['mallocstacks', 'perf'],
    ['ipc', 'perf'],
  ] as const;

  test.for(OTHER_TOOLS)('while %s is collected by %s', async ([name, tool], { place }) => {
    place.configure(MORE_TIME);
    const running = place.start(['collect', name, '--tool', `${name}=${tool}`, '-t', '60', '-o', 'o.marple']);
    await running.says(`recording ${name}`);
    await sleep(Math.random() * 1000);
    await kill(running);
    await expectReadable(place, 'o.marple');
    await nextRun(place);
  });

  test('the next run leaves the tools of a MARPLE that lives alone', async ({ place }) => {
    const living = place.start(['collect', '--stack', '-t', '60', '-o', 'l.marple']);
    await living.says('recording');
    await nextRun(place);
    expect(toolsOf(new Set([living.pid])).map(({ state }) => state)).toEqual([expect.stringMatching(/[RS]/)]);
    living.kill('SIGINT');
    expect((await living.ended).code).toBe(130);
  });
});
