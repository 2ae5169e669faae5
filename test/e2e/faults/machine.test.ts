import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { beforeAll, describe, expect } from 'vitest';
import { startAllocations } from '../../support/allocations.ts';
import { compileProgram } from '../../support/programs.ts';
import { sleep, toolsOf } from '../marple.ts';
import { expectFailure, type FaultPlace, nextRun, sectionsOf, test } from './faults.ts';

const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
const NO_CAPABILITIES = ['setpriv', '--bounding-set=-all', '--inh-caps=-all'];
const TRACING = '/sys/kernel/tracing';

let allocations: string;
let noPerfEvents: string;
let wallClock: string;
beforeAll(() => {
  allocations = compileProgram('allocations', '-pthread');
  noPerfEvents = compileProgram('no_perf_events');
  chmodSync(dirname(noPerfEvents), 0o755);
  wallClock = compileProgram('wall_clock', '-shared', '-fPIC', '-ldl');
});

/** In a mount namespace of its own, after these commands. */
const mounted = (...commands: readonly string[]): string[] => [
  'unshare',
  '--mount',
  'sh',
  '-c',
  `${commands.join(' && ')} && exec "$@"`,
  'sh',
];

/** A folder that everybody may write to, for who is not root. */
function openFolder(place: FaultPlace): string {
  const folder = place.path('open');
  mkdirSync(folder);
  chmodSync(folder, 0o777);
  return folder;
}

function interfacesIn(path: string): string[] {
  return [...new Set(sectionsOf(path).map(({ header }) => header.interface))];
}

describe.concurrent('tracefs', () => {
  test('is not mounted: MARPLE mounts it for the run', async ({ place }) => {
    const through = mounted('umount -l /sys/kernel/tracing', 'umount -l /sys/kernel/debug');
    const listing = ['sh', '-c', '"$@"; code=$?; ls /sys/kernel/tracing; exit $code', 'sh'];
    const ended = await place.marple(['collect', '--cpu', '-t', '0.3', '-o', 'x.marple'], {
      through: [...through, ...listing],
    });
    expect(ended).toMatchObject({ code: 0, stdout: '' });
    expect(sectionsOf(place.path('x.marple'))[0]?.header['options']).toMatchObject({ tracefs: 'mounted for this run' });
  });

  test('cannot be mounted: what needs it fails, the rest is collected', async ({ place }) => {
    const through = mounted(
      'umount -l /sys/kernel/tracing',
      'umount -l /sys/kernel/debug',
      'mount -t tmpfs none /sys/kernel',
    );
    const ended = await place.marple(['collect', '--cpu', 'system', '-t', '0.3', '-o', 'x.marple'], { through });
    expectFailure(
      ended,
      3,
      /cpusched failed: no tool for cpusched works here \(ftrace: this kernel has no tracefs/,
      /./,
    );
    expect(interfacesIn(place.path('x.marple'))).toEqual(['system']);
  });

  test('is used by another tracer: an instance of our own does not see it', async ({ place }) => {
    const other = `${TRACING}/instances/marple_test_${process.pid}`;
    mkdirSync(other);
    try {
      writeFileSync(`${other}/events/sched/sched_switch/enable`, '1');
      expect(await place.marple(['collect', '--cpu', '-t', '0.3', '-o', 'x.marple'])).toMatchObject({ code: 0 });
      expect(readFileSync(`${other}/events/sched/sched_switch/enable`, 'utf8').trim()).toBe('1');
    } finally {
      execFileSync('rmdir', [other]);
    }
  });

  test('our instance is busy when it is to go: the next run removes it', async ({ place }) => {
    const running = place.start(['collect', '--cpu', '-t', '60', '-o', 'x.marple']);
    await running.says('recording');
    const name = readdirSync(`${TRACING}/instances`).find((each) => each.startsWith(`marple-${running.pid}-`));
    const reader = openSync(`${TRACING}/instances/${name}/trace_pipe`, 'r');
    running.kill('SIGINT');
    expect((await running.ended).code).toBe(130);
    expect(place.leftovers()).toEqual([name]);
    closeSync(reader);
    expect(await nextRun(place)).toContain('removed 1 tracefs instance of an earlier run that was killed');
  });
});

describe('the global trace', () => {
  test('is in use: iosnoop, which would end that, is refused', async ({ place }) => {
    const busy = `${TRACING}/events/block/block_plug/enable`;
    writeFileSync(busy, '1');
    try {
      const args = ['collect', '--disk', '--tool', 'disklat=iosnoop', '-t', '0.3', '-o', 'x.marple'];
      const ended = await place.marple(args);
      expectFailure(ended, 4, /the global trace is in use \(event block:block_plug\)/, /sudo tee \S+set_event/);
      expect(readFileSync(busy, 'utf8').trim()).toBe('1');
    } finally {
      writeFileSync(busy, '0');
    }
  });

  test('is put back when iosnoop is killed', async ({ place }) => {
    const running = place.start(['collect', '--disk', '--tool', 'disklat=iosnoop', '-t', '60', '-o', 'x.marple']);
    await running.says('recording disklat');
    for (const { pid } of toolsOf(new Set([running.pid]))) process.kill(pid, 'SIGKILL');
    // It printed all that it saw until then, and the trace is as it was.
    expect([0, 3]).toContain((await running.ended).code);
    expect(existsSync('/var/tmp/.ftrace-lock')).toBe(false);
  });
});

describe.concurrent('rights', () => {
  test('an ordinary user: what is for root is refused with a hint, the rest is collected', async ({ place }) => {
    const folder = openFolder(place);
    const args = ['collect', '--stack', '--disk', '--cpu', 'system', '-t', '0.3', '-o', `${folder}/x.marple`];
    const ended = await place.marple(args, { through: NOBODY, env: { XDG_STATE_HOME: folder } });
    expectFailure(ended, 3, /cpusched failed: .*tracefs is for root only/, /sudo marple collect/);
    if (paranoid() > 0) expect(ended.stderr).toMatch(/kernel\.perf_event_paranoid is \d/);
    expect(interfacesIn(`${folder}/x.marple`)).toContain('system');
  });

  test('an ordinary user whom perf events are refused altogether', async ({ place }) => {
    const folder = openFolder(place);
    const ended = await place.marple(['collect', '--stack', 'system', '-t', '0.3', '-o', `${folder}/x.marple`], {
      through: [...NOBODY, noPerfEvents],
      env: { XDG_STATE_HOME: folder },
    });
    expectFailure(ended, 3, /kernel\.perf_event_paranoid is -?\d/, /sudo sysctl kernel\.perf_event_paranoid=-1/);
    expect(interfacesIn(`${folder}/x.marple`)).toEqual(['system']);
  });

  test('root in a container that filters system calls', async ({ place }) => {
    const args = ['collect', '--stack', 'system', '-t', '0.3', '-o', 'x.marple'];
    const ended = await place.marple(args, { through: [noPerfEvents] });
    expectFailure(ended, 3, /perf_event_open is refused even to root: a container or sandbox/, /seccomp=unconfined/);
  });

  test('root without capabilities', async ({ place }) => {
    const args = ['collect', '--stack', '--mem', 'system', '-t', '0.3', '-o', 'x.marple'];
    const ended = await place.marple(args, { through: NO_CAPABILITIES });
    expectFailure(ended, 3, /callstack failed: .*CAP_PERFMON is missing/, /docker run --cap-add PERFMON/);
    expect(ended.stderr).toMatch(/memtime: \d+ processes were left out: .*CAP_SYS_PTRACE/);
    expect(interfacesIn(place.path('x.marple'))).toEqual(['callstack', 'memtime', 'system'].slice(-2));
  });

  test('no /sys', async ({ place }) => {
    const through = mounted('mount -t tmpfs none /sys');
    const args = ['collect', '--cpu', '--mem', 'system', '-t', '0.3', '-o', 'x.marple'];
    const ended = await place.marple(args, { through });
    expectFailure(ended, 3, /cpusched failed: .*this kernel has no tracefs/, /./);
    expect(interfacesIn(place.path('x.marple'))).toEqual(['memtime', 'system']);
  });

  test('no /proc', async ({ place }) => {
    const ended = await place.marple(['collect', '--mem', 'system', '-t', '0.3', '-o', 'x.marple'], {
      through: mounted('mount -t tmpfs none /proc'),
    });
    expectFailure(ended, 69, /system \(proc: \/proc\/stat cannot be read|\/proc\/stat cannot be read/, /marple doctor/);
  });
});

function paranoid(): number {
  return Number(readFileSync('/proc/sys/kernel/perf_event_paranoid', 'utf8'));
}

describe('a process that is recorded ends during the run', () => {
  test.for([['--stack'], ['--mem'], ['--mem=leaks'], ['--mem=malloc', '--tool', 'mallocstacks=bcc']])(
    '%j',
    async (what, { place }) => {
      place.configure('');
      const one = await startAllocations(allocations, 'ends');
      const running = place.start(['collect', ...what, 'system', '-p', `${one.pid}`, '-t', '2', '-o', 'x.marple']);
      await running.says('recording');
      await one.tell('leak 10 77');
      await sleep(600);
      process.kill(one.pid, 'SIGKILL');
      expect((await running.ended).code).toBe(0);
      expect(sectionsOf(place.path('x.marple')).length).toBeGreaterThan(1);
    },
  );

  test('one that is not there from the beginning is refused', async ({ place }) => {
    const ended = await place.marple(['collect', '--stack', '-p', '4194304', '-o', 'x.marple']);
    expectFailure(ended, 2, /there is no process with pid 4194304/, /ps -e/);
  });
});

test('the wall clock is set back during the run: times go on, and the end is behind the start', async ({ place }) => {
  const back = place.path('set-back');
  const running = place.start(['collect', '--stack', '--mem', 'system', '-t', '1.5', '-o', 'x.marple'], {
    env: { LD_PRELOAD: wallClock, WALL_CLOCK_FILE: back },
  });
  await running.says('recording');
  await sleep(500);
  appendFileSync(back, '');
  expect((await running.ended).code).toBe(0);
  for (const { header, lines } of sectionsOf(place.path('x.marple'))) {
    const seconds = (Date.parse(String(header['end'])) - Date.parse(String(header['start']))) / 1000;
    expect(seconds).toBeGreaterThan(1.4);
    expect(seconds).toBeLessThan(600);
    if (header['datatype'] === 'stack') continue;
    const times = lines.map((line) => Number(line.split(',')[0]));
    expect(times).toEqual([...times].sort((a, b) => a - b));
  }
});
