import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, onTestFinished } from 'vitest';
import { sleep } from '../marple.ts';
import { test as base, expectFailure, type FaultPlace, sectionsOf } from './faults.ts';

const FULL = /the disk is full/;
const ROOM = /df -h/;

/** The same test with small disks: file systems of their own, mounted in the place. */
const test = base.extend<{ disk: (options: string) => string }>({
  disk: async ({ place }, use) => {
    const mounted: string[] = [];
    await use((options) => {
      const folder = place.path(`disk${mounted.length}`);
      mkdirSync(folder);
      execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'marple-test', folder]);
      mounted.push(folder);
      return folder;
    });
    for (const folder of mounted) execFileSync('umount', ['-l', folder]);
  },
});

/** Takes all the room that a disk has left, but for so many KiB. */
function fill(folder: string, freeKb = 0): void {
  const df = execFileSync('df', ['--output=avail', '-k', folder], { encoding: 'utf8' });
  const available = Number(df.trim().split('\n').at(-1));
  try {
    writeFileSync(`${folder}/filled`, Buffer.alloc(Math.max(0, available - freeKb) * 1024));
  } catch {
    // What is recorded was faster: it is full.
  }
}

/** A data file that is there before the disk is full. */
async function collected(place: FaultPlace): Promise<string> {
  expect(await place.marple(['collect', '--stack', 'system', '-t', '0.5', '-o', 'ok.marple'])).toMatchObject({
    code: 0,
  });
  return 'ok.marple';
}

describe.concurrent('the disk is full', () => {
  test('before the run: nothing is recorded, and nothing is left', async ({ place, disk }) => {
    const folder = disk('size=64k');
    fill(folder);
    const ended = await place.marple(['collect', 'system', '-t', '0.3', '-o', `${folder}/x.marple`]);
    expectFailure(ended, 2, FULL, ROOM);
    expect(readdirSync(folder)).toEqual(['filled']);
  });

  test('of names: not even the folder can be made', async ({ place, disk }) => {
    const folder = disk('size=1m,nr_inodes=2');
    writeFileSync(`${folder}/a`, '');
    const ended = await place.marple(['collect', 'system', '-t', '0.3', '-o', `${folder}/x.marple`]);
    expectFailure(ended, 2, FULL, ROOM);
    expect(readdirSync(folder)).toEqual(['a']);
  });

  test.for([
    ['cpusched', 'ftrace'],
    ['callstack', 'perf'],
    ['offcpu', 'bpftrace'],
  ] as const)('while %s is recorded by %s: what came before can be read', async ([name, tool], { place, disk }) => {
    const folder = disk('size=2m');
    const args = ['collect', name, 'system', '--tool', `${name}=${tool}`, '-F', '997', '-t', '60'];
    const running = place.start([...args, '-o', `${folder}/x.marple`]);
    await running.says('recording');
    fill(folder, 8);
    await sleep(1000);
    running.kill('SIGINT');
    const ended = await running.ended;
    expectFailure(ended, 2, FULL, /marple display -i \S+x\.marple\.partial|df -h/);
    expect(existsSync(`${folder}/x.marple`)).toBe(false);
    const shown = await place.marple(['display', '-l', '-i', `${folder}/x.marple`]);
    expect(shown).toMatchObject({ code: 0, stdout: expect.stringContaining('system') });
  });

  test('when the sections are joined: the partial folder is whole, and import completes it elsewhere', async ({
    place,
    disk,
  }) => {
    place.configure('[memtime]\ninterval = 0.02\nbudget = 100\n');
    const folder = disk('size=3m');
    const running = place.start(['collect', '--mem', 'system', '-t', '60', '-o', `${folder}/x.marple`]);
    await running.says('recording');
    await sleep(1500);
    fill(folder, 8);
    running.kill('SIGTERM');
    expectFailure(await running.ended, 2, FULL, /marple display -i \S+x\.marple\.partial/);
    expect(await place.marple(['import', `${folder}/x.marple.partial`, '-o', 'x.marple'])).toMatchObject({ code: 0 });
    expect(sectionsOf(place.path('x.marple')).length).toBeGreaterThan(1);
  });

  test('of temporary files', async ({ place, disk }) => {
    const folder = disk('size=64k,nr_inodes=1');
    const ended = await place.marple(['collect', 'system', '-t', '0.3', '-o', 'x.marple'], { env: { TMPDIR: folder } });
    expectFailure(ended, 2, /no temporary folder can be made in \S+: the disk is full/, /TMPDIR=/);
  });

  test('of the state: the run goes on, and says what is not remembered', async ({ place, disk }) => {
    const folder = disk('size=64k,nr_inodes=1');
    const ended = await place.marple(['collect', 'system', '-t', '0.3', '-o', 'x.marple'], {
      env: { XDG_STATE_HOME: folder },
    });
    expect(ended).toMatchObject({ code: 0 });
    expect(ended.stderr).toMatch(/warning: no log is written: the disk is full/);
    expect(ended.stderr).toMatch(/warning: the last data file is not remembered: the disk is full; name it with -i/);
    expect(sectionsOf(place.path('x.marple')).length).toBeGreaterThan(0);
  });

  test('for what display, export, import and --json write: nothing is left there', async ({ place, disk }) => {
    const file = await collected(place);
    const folder = disk('size=64k');
    fill(folder, 4);
    const commands = [
      ['display', '-i', file, '-r', '-o', `${folder}/x.html`],
      ['export', '-i', file, '--format', 'marple', '-o', `${folder}/y.marple`],
      ['import', file, '--format', 'folded', '-o', `${folder}/z.marple`],
      ['stats', '-i', file, `--json=${folder}/j.json`],
    ];
    for (const command of commands) {
      const ended = await place.marple(command);
      if (command[0] === 'import') expect([2, 65]).toContain(ended.code);
      else expectFailure(ended, 2, FULL, /df -h|--json=FILE/);
    }
    expect(readdirSync(folder)).toEqual(['filled']);
  });

  test('behind stdout', async ({ place }) => {
    const file = await collected(place);
    const through = ['sh', '-c', 'exec "$@" > /dev/full', 'sh'];
    const commands = [
      ['collect', 'system', '-t', '0.3', '-o', '-'],
      ['display', '-i', file, '-fg', '-o', '-.svg'],
      ['stats', '-i', file],
      ['export', '-i', file, '--format', 'folded', '-o', '-'],
    ];
    for (const command of commands) {
      expectFailure(await place.marple(command, { through }), 2, FULL, /-o FILE|another place/);
    }
  });
});

describe.concurrent('what cannot be written', () => {
  test('a file system that is read-only', async ({ place, disk }) => {
    const file = await collected(place);
    const folder = disk('ro');
    const commands = [
      ['collect', 'system', '-t', '0.3', '-o', `${folder}/x.marple`],
      ['display', '-i', file, '-r', '-o', `${folder}/x.html`],
      ['export', '-i', file, '--format', 'folded', '-e', '1', '-o', `${folder}/x.folded`],
    ];
    for (const command of commands) {
      expectFailure(await place.marple(command), 2, /the file system is read-only/, /-o FILE/);
    }
  });

  test('a folder that is not the user’s', async ({ place }) => {
    const folder = place.path('closed');
    mkdirSync(folder, { mode: 0o700 });
    const through = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    const env = { XDG_STATE_HOME: place.path('temp/state') };
    const args = ['collect', 'system', '-t', '0.3', '-o', `${folder}/x.marple`];
    expectFailure(await place.marple(args, { through, env }), 2, /permission denied/, /-o FILE/);
    rmSync(place.path('temp/state'), { recursive: true, force: true });
  });

  test('a pipe whose reader has gone: the data is said to be lost, a report is not', async ({ place }) => {
    const file = await collected(place);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is bash's.
    const through = ['bash', '-c', '"$@" | true; exit ${PIPESTATUS[0]}', 'bash'];
    const ended = await place.marple(['collect', 'system', '-t', '0.3', '-o', '-'], { through });
    expectFailure(ended, 2, /the data could not be written to stdout: its reader has gone/, /-o FILE/);
    for (const command of [['display', '-l'], ['stats'], ['export', '--format', 'folded', '-e', '1', '-o', '-']]) {
      expect(await place.marple([...command, '-i', file], { through })).toMatchObject({ code: 0, stderr: '' });
    }
  });

  test('a file larger than the user may have (ulimit -f): what came before can be read', async ({ place }) => {
    const through = ['prlimit', '--fsize=200000'];
    // An idle machine has too little to record.
    const switches = spawn('stress-ng', ['--quiet', '--switch', '1'], { stdio: 'ignore' });
    onTestFinished(() => void switches.kill('SIGTERM'));
    const args = ['collect', '--cpu', 'system', '-t', '1', '-o', 'x.marple'];
    const ended = await place.marple(args, { through });
    // Where only the recording was too large, the file has the rest.
    const isRecording = ended.stderr.includes('cpusched failed');
    const hint = isRecording ? /ulimit -f unlimited/ : /marple display -i x\.marple\.partial/;
    expectFailure(ended, isRecording ? 3 : 2, /larger than the system allows/, hint);
    expect(await place.marple(['display', '-l', '-i', 'x.marple'])).toMatchObject({ code: 0 });
  });

  test('the partial folder is taken away during the run', async ({ place }) => {
    const running = place.start(['collect', 'system', '-t', '60', '-o', 'x.marple']);
    await running.says('recording');
    rmSync(place.path('x.marple.partial'), { recursive: true });
    running.kill('SIGINT');
    expectFailure(
      await running.ended,
      2,
      /x\.marple\.partial was taken away while it was written/,
      /run the same command again/,
    );
  });
});
