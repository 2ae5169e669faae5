import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { sleep, toolsOf } from '../marple.ts';
import { expectFailure, noToolOf, sectionsOf, settled, test } from './faults.ts';

const SIGNALS = [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const;
const WHAT = ['--cpu=sched,stacks', '--disk', '--mem', '--ipc', 'system'];

describe.concurrent.for(SIGNALS)('%s', ([signal, code]) => {
  test('while it records: the file is whole', async ({ place }) => {
    const running = place.start(['collect', ...WHAT, '-t', '60', '-o', 'x.marple']);
    await running.says('recording');
    await sleep(300);
    running.kill(signal);
    expect((await running.ended).code).toBe(code);
    expect(sectionsOf(place.path('x.marple')).length).toBeGreaterThan(5);
    expect(readdirSync(place.dir)).not.toContain('x.marple.partial');
  });

  test('twice: the file is not waited for, and what was collected can be read', async ({ place }) => {
    const running = place.start(['collect', ...WHAT, '-t', '60', '-o', 'x.marple']);
    await running.says('recording');
    await sleep(300);
    // A tool that cannot end keeps the file from being completed.
    for (const { pid } of toolsOf(new Set([running.pid]))) process.kill(pid, 'SIGSTOP');
    running.kill(signal);
    await sleep(700);
    running.kill(signal);
    const ended = await running.ended;
    if (ended.stderr.includes('stopped before the file was complete')) {
      expectFailure(ended, code, /what was collected is in x\.marple\.partial/, /marple display -i x\.marple/);
    } else expect(ended.code).toBe(code);
    expect(await place.marple(['display', '-l', '-i', 'x.marple'])).toMatchObject({ code: 0 });
  });

  test('while tools are tried: nothing is recorded, and nothing is left', async ({ place }) => {
    const running = place.start(['collect', '--stack', '--mem=leaks', '-t', '60', '-o', 'x.marple']);
    await settled(() => !noToolOf(running.pid));
    running.kill(signal);
    expectFailure(
      await running.ended,
      code,
      /collect was stopped by SIG\w+ before it was done/,
      /run the same command/,
    );
    expect(existsSync(place.path('x.marple.partial'))).toBe(false);
  });

  test('while a tool begins, which hangs: the others’ data is kept', async ({ place }) => {
    place.standIn('tcptracer', 'exec sleep 1000');
    const args = ['collect', 'ipc', 'system', '--tool', 'ipc=libbpf-tcptracer', '-t', '60', '-o', 'x.marple'];
    const running = place.start(args, { env: place.standIns });
    await settled(() => existsSync(place.path('x.marple.partial')));
    await sleep(300);
    running.kill(signal);
    expect((await running.ended).code).toBe(code);
    const sections = sectionsOf(place.path('x.marple'));
    expect(sections.find(({ header }) => header.interface === 'ipc')?.header.warnings?.join()).toContain(
      'the run was stopped before libbpf-tcptracer had begun',
    );
  });
});

test('a signal while the user’s command is waited for ends the waiting, and not the command', async ({ place }) => {
  const command = ['sh', '-c', 'echo $$ > pid; exec sleep 30 > /dev/null 2>&1'];
  const running = place.start(['collect', 'system', '-t', '0.3', '-o', 'x.marple', '--', ...command]);
  await settled(() => existsSync(place.path('x.marple')));
  running.kill('SIGTERM');
  expect((await running.ended).code).toBe(143);
  const pid = Number(readFileSync(place.path('pid'), 'utf8'));
  expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toBe('sleep\x0030\0');
  process.kill(pid, 'SIGKILL');
});

test('display, import and export leave nothing when they are stopped', async ({ place }) => {
  expect(await place.marple(['collect', '--cpu', '-t', '1', '-o', 'ok.marple'])).toMatchObject({ code: 0 });
  const before = readdirSync(place.dir).sort();
  const commands = [
    ['display', '-i', 'ok.marple', '-o', 'x.html'],
    ['export', '-i', 'ok.marple', '--format', 'csv', '-o', 'x.csv'],
    ['import', 'ok.marple', '--format', 'cpel', '-o', 'y.marple'],
  ];
  for (const command of commands) {
    for (const delay of [150, 300, 450]) {
      const running = place.start([...command, '--force']);
      await sleep(delay);
      running.kill('SIGINT');
      const { code } = await running.ended;
      // It may have been quicker, or not have begun to listen.
      expect([null, 0, 65, 130]).toContain(code);
      const made = readdirSync(place.dir).filter((name) => !before.includes(name) && !/^[xy]\.\w+$/.test(name));
      expect(made).toEqual([]);
    }
  }
});

test('the terminal is gone: the run ends as by SIGHUP, and its file is whole', async ({ place }) => {
  // A terminal of its own; with the one who has its other end it is gone.
  const terminal = ['python3', '-c', 'import pty, sys; pty.spawn(sys.argv[1:])'];
  const running = place.start(['collect', '--stack', 'system', '-t', '60', '-o', 'x.marple'], { through: terminal });
  await settled(() => existsSync(place.path('x.marple.partial/recordings/callstack/recording.json')));
  const marple = Number(readFileSync(`/proc/${running.pid}/task/${running.pid}/children`, 'utf8'));
  running.kill('SIGKILL');
  await running.ended;
  await settled(() => !existsSync(`/proc/${marple}`));
  expect(sectionsOf(place.path('x.marple')).length).toBeGreaterThan(1);
  expect(toolsOf(new Set([marple]))).toEqual([]);
  expect(readFileSync(place.path('state/marple/marple.log'), 'utf8')).toMatch(/"signal":"SIGHUP"/);
});
