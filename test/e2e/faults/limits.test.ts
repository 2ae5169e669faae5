import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { sleep } from '../marple.ts';
import { expectFailure, nextRun, sectionsOf, settled, test } from './faults.ts';

const WHAT = ['--cpu=sched,stacks', '--disk', '--mem', 'system'];

describe.concurrent('out of file descriptors', () => {
  // Node itself needs some twenty.
  test.for([28, 34, 40, 46])('%i of them', async (descriptors, { place }) => {
    const through = ['prlimit', `--nofile=${descriptors}`];
    const ended = await place.marple(['collect', ...WHAT, '-t', '0.3', '-o', 'x.marple'], { through });
    expectFailure(ended, ended.code === 3 ? 3 : 2, /too many files are open/, /ulimit -n 65536/);
    if (ended.code === 3) expect(sectionsOf(place.path('x.marple')).length).toBeGreaterThan(0);
    else if (existsSync(place.path('x.marple.partial'))) {
      expect(await place.marple(['display', '-l', '-i', 'x.marple'])).toMatchObject({ code: 0 });
    }
  });
});

test('out of processes: what needs none is collected', async ({ place }) => {
  mkdirSync(place.path('open'));
  chmodSync(place.path('open'), 0o777);
  const through = ['setpriv', '--reuid=65533', '--regid=65533', '--clear-groups', 'prlimit', '--nproc=12'];
  const ended = await place.marple(['collect', '--stack', 'system', '-t', '0.3', '-o', 'open/x.marple'], {
    through,
    env: { XDG_STATE_HOME: place.path('open') },
  });
  expect([0, 3]).toContain(ended.code);
  expect(ended.stderr).not.toMatch(/bug of MARPLE/);
  expect(sectionsOf(place.path('open/x.marple')).at(-1)?.header.interface).toBe('system');
});

const MEMORY = ['/sys/fs/cgroup/memory', '/sys/fs/cgroup'].find((path) =>
  ['memory.limit_in_bytes', 'memory.max'].some((file) => existsSync(`${path}/${file}`)),
);

describe.skipIf(MEMORY === undefined && process.env['CI'] !== 'true')('a memory limit (cgroup)', () => {
  /** Runs `body` with a cgroup of so many MiB, and the program that starts another in it. */
  async function inCgroup(mib: number, body: (through: readonly string[]) => Promise<void>): Promise<void> {
    const folder = `${MEMORY}/marple-test-${process.pid}-${mib}`;
    mkdirSync(folder);
    const limit = existsSync(`${folder}/memory.max`) ? 'memory.max' : 'memory.limit_in_bytes';
    try {
      writeFileSync(`${folder}/${limit}`, `${mib * 1024 * 1024}`);
      await body(['sh', '-c', `echo $$ > ${folder}/cgroup.procs && exec "$@"`, 'sh']);
    } finally {
      await settled(() => readFileSync(`${folder}/cgroup.procs`, 'utf8') === '');
      rmdirSync(folder);
    }
  }

  test('a busy second of it all is collected, and shown, in 400 MiB', async ({ place }) => {
    await inCgroup(400, async (through) => {
      const args = ['collect', ...WHAT, '-t', '1', '-o', 'x.marple'];
      expect(await place.marple(args, { through })).toMatchObject({ code: 0 });
      expect(await place.marple(['display', '-i', 'x.marple', '-o', 'x.html'], { through })).toMatchObject({ code: 0 });
    });
  });

  test('too little: the kernel kills it, and what was written reads', async ({ place }) => {
    await inCgroup(400, async (through) => {
      const running = place.start(['collect', ...WHAT, '-t', '60', '-o', 'x.marple'], { through });
      await running.says('recording');
      await sleep(500);
      const procs = readFileSync(`${MEMORY}/marple-test-${process.pid}-400/cgroup.procs`, 'utf8');
      // As the kernel does it where there is no memory left: the whole group at once.
      for (const pid of procs.trim().split('\n')) process.kill(Number(pid), 'SIGKILL');
      expect((await running.ended).code).toBeNull();
    });
    expect(await place.marple(['display', '-l', '-i', 'x.marple'])).toMatchObject({ code: 0 });
    await nextRun(place);
    expect(readdirSync(place.dir)).toContain('x.marple.partial');
  });
});
