import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { makePlace, type Place, sleep } from './marple.ts';

/** nobody, nogroup */
const USER = { uid: 65_534, gid: 65_534 };
/** As sudo(8) starts a program. */
const SUDO = { SUDO_UID: `${USER.uid}`, SUDO_GID: `${USER.gid}` };

let place: Place;
beforeEach(() => {
  place = makePlace();
});
afterEach(() => {
  const left = place.leftovers();
  place.remove();
  expect(left).toEqual([]);
});

/** Every file and folder below a folder, with its mode and owner. */
function everything(folder: string): { path: string; mode: number; uid: number }[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((path) => {
    const { mode, uid } = lstatSync(join(folder, path));
    return { path, mode: mode & 0o777, uid };
  });
}

const COMMANDS = [
  ['collect', '--stack', '--mem', 'system', '-t', '0.3', '-o', 'out/x.marple', '--json=out/c.json'],
  ['display', '-i', 'out/x.marple', '-r', '-o', 'out/x.html'],
  ['display', '-i', 'out/x.marple', '-fg', '-o', 'out/x.svg'],
  ['export', '-i', 'out/x.marple', '-e', '1', '--format', 'folded', '-o', 'out/x.folded'],
  ['import', 'out/x.folded', '-o', 'out/y.marple'],
  ['stats', '-i', 'out/x.marple', '--json=out/s.json'],
];

test('all that is written is for its owner only', async () => {
  mkdirSync(place.path('out'));
  for (const command of COMMANDS) {
    expect(await place.marple(command, { through: ['sh', '-c', 'umask 0; exec "$@"', 'sh'] })).toMatchObject({
      code: 0,
    });
  }
  const written = [...everything(place.path('out')), ...everything(place.path('state'))];
  expect(written.length).toBeGreaterThan(8);
  expect(written.filter(({ mode }) => (mode & 0o077) !== 0)).toEqual([]);
});

test('what a run has written until it is killed is for its owner only', async () => {
  const what = ['--cpu=sched,stacks,off', '--disk', '--mem=usage,malloc', '--ipc', 'system'];
  const running = place.start(['collect', ...what, '--tool', 'mallocstacks=bpftrace', '-t', '60', '-o', 'x.marple'], {
    through: ['sh', '-c', 'umask 0; exec "$@"', 'sh'],
  });
  await running.says('recording');
  await sleep(500);
  running.kill('SIGKILL');
  await running.ended;
  const written = everything(place.path('x.marple.partial'));
  expect(written.length).toBeGreaterThan(20);
  expect(written.filter(({ mode }) => (mode & 0o077) !== 0)).toEqual([]);
  await place.marple(['collect', 'system', '-t', '0.1', '-o', 'next.marple']);
});

describe.skipIf(process.geteuid?.() !== 0 && process.env['CI'] !== 'true')('as root', () => {
  test('under sudo all of it is the invoking user’s', async () => {
    mkdirSync(place.path('out'));
    for (const command of COMMANDS) expect(await place.marple(command, { env: SUDO })).toMatchObject({ code: 0 });
    const written = [...everything(place.path('out')), ...everything(place.path('state'))];
    expect(written.filter(({ uid }) => uid !== USER.uid)).toEqual([]);
  });

  test('under sudo what is left of a run that was not completed is theirs too, and they can read it', async () => {
    const running = place.start(['collect', '--stack', 'system', '-t', '60', '-o', 'x.marple'], { env: SUDO });
    await running.says('recording');
    await sleep(300);
    for (const signal of ['SIGINT', 'SIGINT'] as const) {
      running.kill(signal);
      await sleep(600);
    }
    await running.ended;
    const partial = readdirSync(place.dir).includes('x.marple.partial');
    if (partial) expect(everything(place.path('x.marple.partial')).filter(({ uid }) => uid !== USER.uid)).toEqual([]);
    chmodSync(place.dir, 0o777);
    const through = ['setpriv', `--reuid=${USER.uid}`, `--regid=${USER.gid}`, '--clear-groups'];
    const env = { XDG_STATE_HOME: place.path('theirs') };
    expect(await place.marple(['display', '-l', '-i', 'x.marple'], { through, env })).toMatchObject({ code: 0 });
  });

  test('a link where a file is to be written is replaced, not followed', async () => {
    expect(await place.marple(COMMANDS[0]!.map((word) => word.replace('out/', '')))).toMatchObject({ code: 0 });
    const precious = place.path('precious');
    const commands: [string, string[]][] = [
      ['l.html', ['display', '-i', 'x.marple', '-r', '-o', 'l.html', '--force']],
      ['l.folded', ['export', '-i', 'x.marple', '-e', '1', '--format', 'folded', '-o', 'l.folded', '--force']],
      ['l.marple', ['collect', 'system', '-t', '0.1', '-o', 'l.marple', '--force']],
      ['l.json', ['stats', '-i', 'x.marple', '--json=l.json']],
    ];
    for (const [name, command] of commands) {
      writeFileSync(precious, 'precious');
      symlinkSync(precious, place.path(name));
      expect(await place.marple(command)).toMatchObject({ code: 0 });
      expect(lstatSync(place.path(name)).isFile()).toBe(true);
      expect(readFileSync(precious, 'utf8')).toBe('precious');
    }
  });

  test('a partial folder that somebody has put there is not written into', async () => {
    mkdirSync(place.path('theirs'));
    symlinkSync(place.path('theirs'), place.path('x.marple.partial'));
    const ended = await place.marple(['collect', 'system', '-t', '0.1', '-o', 'x.marple']);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('is there already') });
    expect(readdirSync(place.path('theirs'))).toEqual([]);
  });

  test('root runs no tools of a folder that others can write to', async () => {
    const folder = place.path('programs');
    mkdirSync(folder);
    writeFileSync(join(folder, 'perf'), `#!/bin/sh\necho owned > ${place.path('owned')}\n`, { mode: 0o755 });
    const run = () =>
      place.marple(['collect', '--stack', '-t', '0.1', '-o', 'x.marple'], { env: { MARPLE_TOOL_PATH: folder } });
    const refusal = {
      code: 2,
      stderr: expect.stringMatching(/MARPLE_TOOL_PATH names .*others than root.*\nhint: sudo chown root/),
    };
    chownSync(folder, USER.uid, USER.gid);
    expect(await run()).toMatchObject(refusal);
    chownSync(folder, 0, 0);
    chmodSync(folder, 0o777);
    expect(await run()).toMatchObject(refusal);
    expect(readdirSync(place.dir)).not.toContain('owned');
  });
});

describe.skipIf(process.geteuid?.() !== 0)('an ordinary user', () => {
  const asUser = (...more: readonly string[]): string[] => [
    'setpriv',
    `--reuid=${USER.uid}`,
    `--regid=${USER.gid}`,
    '--clear-groups',
    ...more,
  ];

  /** Call stacks are taken of processes of others, too. */
  async function expectWholeMachine(
    through: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    mkdirSync(place.path('out'));
    chmodSync(place.path('out'), 0o777);
    // In user code and in the kernel.
    const other = spawn('sh', ['-c', 'while :; do : > /dev/null; done'], { stdio: 'ignore' });
    onTestFinished(() => void other.kill('SIGKILL'));
    const args = ['collect', '--stack', '-t', '1', '-o', 'out/x.marple'];
    const ended = await place.marple(args, { through, env: { XDG_STATE_HOME: place.path('out'), ...env } });
    expect(ended).toMatchObject({ code: 0 });
    const text = readFileSync(place.path('out/x.marple'), 'utf8');
    expect(JSON.parse(text.slice(0, text.indexOf('\n')))).toMatchObject({ scope: { system_wide: true } });
    expect(text).toMatch(/^\d+#sh;/m);
  }

  test('with CAP_PERFMON takes call stacks of the whole machine', async () => {
    await expectWholeMachine(asUser('--inh-caps=+perfmon', '--ambient-caps=+perfmon'));
  });

  test('with CAP_SYSLOG too names the functions of the kernel', async () => {
    await expectWholeMachine(asUser('--inh-caps=+perfmon,+syslog', '--ambient-caps=+perfmon,+syslog'));
    expect(readFileSync(place.path('out/x.marple'), 'utf8')).not.toContain('kernel functions without a name');
  });

  test('with a perf of its own capabilities takes them too', async () => {
    const folder = place.path('programs');
    mkdirSync(folder, { mode: 0o755 });
    const perf = join(folder, 'perf');
    copyFileSync(realpathSync('/usr/bin/perf'), perf);
    execFileSync('setcap', ['cap_perfmon,cap_sys_ptrace=ep', perf]);
    await expectWholeMachine(asUser(), { MARPLE_TOOL_PATH: folder });
    const text = readFileSync(place.path('out/x.marple'), 'utf8');
    expect(text).toContain(perf);
    expect(text).toContain('kernel.perf_event_paranoid is 2, so that /proc/kallsyms shows no addresses');
  });

  test('without tracefs is told what of it needs root', async () => {
    mkdirSync(place.path('out'));
    chmodSync(place.path('out'), 0o777);
    const args = ['collect', 'offcpu', '-t', '0.1', '-o', 'out/x.marple'];
    const ended = await place.marple(args, { through: asUser(), env: { XDG_STATE_HOME: place.path('out') } });
    expect(ended.code).toBe(69);
    expect(ended.stderr).toMatch(/in tracefs, which only root may read.*\nhint: run it as root/s);
  });

  test('with kernel.perf_event_paranoid lowered takes them too', async () => {
    const setting = '/proc/sys/kernel/perf_event_paranoid';
    const before = readFileSync(setting, 'latin1');
    onTestFinished(() => writeFileSync(setting, before));
    writeFileSync(setting, '-1');
    await expectWholeMachine(asUser());
  });

  test('with nothing more takes those of their own command, and the counters of the machine', async () => {
    mkdirSync(place.path('out'));
    chmodSync(place.path('out'), 0o777);
    const command = ['sh', '-c', 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'];
    const args = ['collect', '--stack', '--mem', 'system', '-o', 'out/x.marple', '--', ...command];
    const ended = await place.marple(args, { through: asUser(), env: { XDG_STATE_HOME: place.path('out') } });
    expect(ended).toMatchObject({ code: 0 });
    expect(readFileSync(place.path('out/x.marple'), 'utf8')).toMatch(/^\d+#sh;/m);
    expect(statSync(place.path('out/x.marple')).uid).toBe(USER.uid);
  });
});
