import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makePlace, type Place, sleep } from './marple.ts';

/** Where cgroups of version 2 are mounted, if this user may make some there. */
function writableHierarchy(): string | undefined {
  try {
    const line = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .find((candidate) => candidate.includes(' - cgroup2 '));
    const root = line?.split(' ')[4];
    if (root !== undefined) accessSync(root, constants.W_OK);
    return root;
  } catch {
    return undefined;
  }
}

const root = writableHierarchy();

describe.skipIf(root === undefined && process.env['CI'] !== 'true')('collect --cgroup', () => {
  let place: Place;
  let folder: string;
  const children: ChildProcess[] = [];

  beforeEach(() => {
    place = makePlace();
    folder = join(root as string, `marple-test-${process.pid}`);
    mkdirSync(join(folder, 'below'), { recursive: true });
  });
  afterEach(async () => {
    for (const child of children.splice(0)) {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null)
        await new Promise((resolve) => child.once('exit', resolve));
    }
    // A cgroup is busy until the kernel is done with its last task.
    for (const path of [join(folder, 'below'), folder]) await removed(path);
    place.remove();
  });

  /** A process that does something again and again, and children of its own. */
  function start(into?: string): ChildProcess {
    const child = spawn('sh', ['-c', 'while :; do sleep 0.05; done'], { stdio: 'ignore' });
    children.push(child);
    if (into !== undefined) writeFileSync(join(into, 'cgroup.procs'), String(child.pid));
    return child;
  }

  /** What a section has in the column of a field. */
  function column(file: string, name: string, field: string): string[] {
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    const values: string[] = [];
    let place = -1;
    for (const line of lines) {
      if (line.startsWith('{')) {
        const header = JSON.parse(line) as { interface: string; fields: string[] };
        place = header.interface === name ? ['', 'type', ...header.fields].indexOf(field) : -1;
      } else if (place >= 0) {
        values.push(line.split(',')[place] as string);
      }
    }
    return values;
  }

  test('keeps its processes, those of cgroups below it, and those that come later', async () => {
    const first = start(folder);
    const below = start(join(folder, 'below'));
    const outside = start();
    const running = place.start([
      'collect',
      'memtime',
      'cpusched',
      '-t',
      '2',
      '-o',
      'x.marple',
      '--cgroup',
      basename(folder),
    ]);
    await running.says('recording');
    await sleep(500);
    const late = start(folder);
    const ended = await running.ended;
    expect(ended).toMatchObject({ code: 0 });

    const measured = new Set(column(place.path('x.marple'), 'memtime', 'pid'));
    for (const child of [first, below, late]) expect(measured).toContain(String(child.pid));
    expect(measured).not.toContain(String(outside.pid));

    const file = place.path('x.marple');
    // They fork all the time; so does the one outside, and of that nothing is told.
    const types = column(file, 'cpusched', 'type');
    const forkers = new Set(column(file, 'cpusched', 'pid').filter((_, i) => types[i] === 'fork'));
    for (const child of [first, below, late]) expect(forkers).toContain(String(child.pid));
    expect(forkers).not.toContain(String(outside.pid));
    const header = JSON.parse(readFileSync(file, 'utf8').split('\n')[0] as string) as { scope: unknown };
    expect(header.scope).toEqual({ system_wide: false, cgroup: folder });
  });

  test('by the path of its folder; without members the sections are empty', async () => {
    start();
    const ended = await place.marple([
      'collect',
      'memtime',
      'cpusched',
      '-t',
      '0.5',
      '-o',
      'x.marple',
      '--cgroup',
      folder,
    ]);
    expect(ended).toMatchObject({ code: 0 });
    expect(column(place.path('x.marple'), 'memtime', 'pid')).toEqual([]);
    expect(column(place.path('x.marple'), 'cpusched', 'pid')).toEqual([]);
  });

  test('that is not there: one sentence, a hint, exit 2, nothing written', async () => {
    for (const path of ['no-such-cgroup', '/no/such/cgroup', '/tmp']) {
      const ended = await place.marple(['collect', 'memtime', '-t', '0.2', '-o', 'x.marple', '--cgroup', path]);
      expect(ended).toMatchObject({ code: 2 });
      expect(ended.stderr).toMatch(/there is no cgroup .*\n.*hint:.*find .* -name cgroup\.procs/);
    }
  });
});

async function removed(path: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      return rmdirSync(path);
    } catch (error) {
      if (tries === 100) throw error;
      await sleep(20);
    }
  }
}
