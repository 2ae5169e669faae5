import { chownSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { testFolder } from '../support/folder.ts';
import { makePlace, type Place, sleep } from './marple.ts';

const ALL = ['--stack', '--disk', '--mem'];
let place: Place;
beforeEach(() => {
  place = makePlace();
});
afterEach(() => {
  const left = place.leftovers();
  place.remove();
  expect(left).toEqual([]);
});

/** The header lines of a data file, with the number of record lines that follow each. */
function sections(path: string): { header: Record<string, unknown>; lines: number }[] {
  const found: { header: Record<string, unknown>; lines: number }[] = [];
  for (const line of readFileSync(path, 'utf8').trimEnd().split('\n')) {
    if (line.startsWith('{')) found.push({ header: JSON.parse(line) as Record<string, unknown>, lines: 0 });
    else found.at(-1)!.lines++;
  }
  return found;
}

describe('collect', () => {
  test('several interfaces go into one whole file, readable by its owner only', async () => {
    const ended = await place.marple(['collect', ...ALL, '-t', '1', '-o', 'x.marple', '--json=x.json']);
    expect(ended).toMatchObject({ code: 0 });
    expect(readdirSync(place.dir)).not.toContain('x.marple.partial');
    expect(statSync(place.path('x.marple')).mode & 0o777).toBe(0o600);
    const found = sections(place.path('x.marple'));
    expect(found.map(({ header }) => `${header['interface']} ${header['datatype']}`)).toEqual([
      'callstack stack',
      'callstack event',
      'disklat datapoint',
      'disklat stack',
      'memtime datapoint',
    ]);
    for (const { header, lines } of found) {
      expect(header['records']).toBe(lines);
      expect(Date.parse(header['end'] as string) - Date.parse(header['start'] as string)).toBeGreaterThanOrEqual(1000);
      expect(header['tool']).toMatchObject({ name: expect.any(String), version: expect.any(String) });
      expect(header['overhead']).toMatchObject({ cpu_seconds: expect.any(Number) });
    }
    expect(new Set(found.map(({ header }) => JSON.stringify(header['clock']))).size).toBe(1);
    const json = JSON.parse(readFileSync(place.path('x.json'), 'utf8')) as {
      file: string;
      sections: { records: number }[];
    };
    expect(json.file).toBe('x.marple');
    expect(json.sections.map((section) => section.records)).toEqual(found.map(({ lines }) => lines));
  });

  test('without -o the file has a dated name, and is the one that display shows', async () => {
    const ended = await place.marple(['collect', '--mem', '-t', '0.3']);
    expect(ended.code).toBe(0);
    const [name] = readdirSync(place.path('marple_out'));
    expect(name).toMatch(/^\d{4}-\d{2}-\d{2}_[\d.-]+\.marple$/);
    const listing = await place.marple(['display', '-l']);
    expect(listing).toMatchObject({ code: 0, stdout: expect.stringMatching(/^ *1 +memtime +datapoint/m) });
  });

  test('-q says nothing, -o - gives the file on stdout', async () => {
    const ended = await place.marple(['collect', '--mem', '-t', '0.3', '-q', '-o', '-']);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout).toMatch(/^\{"marple":1,/);
    expect(ended.stdout.split('\n').length).toBeGreaterThan(3);
  });

  test('plain progress lines where there is no terminal', async () => {
    const ended = await place.marple(['collect', '--mem', '-t', '0.5', '-o', 'x.marple']);
    expect(ended.stderr).toMatch(/memtime \(proc\)/);
    expect(ended.stderr).not.toMatch(/[\x00-\x09\x0b-\x1f]/);
  });

  test('--force overwrites', async () => {
    await place.marple(['collect', '--mem', '-t', '0.3', '-o', 'x.marple']);
    const before = readFileSync(place.path('x.marple'), 'utf8');
    expect((await place.marple(['collect', '--mem', '-t', '0.3', '-o', 'x.marple'])).code).toBe(2);
    expect(readFileSync(place.path('x.marple'), 'utf8')).toBe(before);
    expect((await place.marple(['collect', '--mem', '-t', '0.3', '-o', 'x.marple', '--force'])).code).toBe(0);
    expect(readFileSync(place.path('x.marple'), 'utf8')).not.toBe(before);
  });

  test('-n repeats into numbered files', async () => {
    const ended = await place.marple(['collect', '--mem', '-n', '2', '-o', 'r.marple', '--', 'sleep', '0.3']);
    expect(ended.code).toBe(0);
    expect(readdirSync(place.dir).filter((name) => name.startsWith('r'))).toEqual(['r-1.marple', 'r-2.marple']);
  });
});

describe('-- COMMAND', () => {
  test('keeps its stdin, stdout and exit status, and the collection lasts as long', async () => {
    const command = ['sh', '-c', 'read x; echo "got $x"; sleep 0.4; exit 7'];
    const ended = await place.marple(['collect', '--mem', '-o', 'x.marple', '--', ...command], { input: 'hello\n' });
    expect(ended).toMatchObject({ code: 7, stdout: 'got hello\n' });
    const [section] = sections(place.path('x.marple'));
    const seconds =
      (Date.parse(section!.header['end'] as string) - Date.parse(section!.header['start'] as string)) / 1000;
    expect(seconds).toBeGreaterThan(0.4);
    expect(section!.header['scope']).toMatchObject({ command });
  });

  test('not found is 127, a signal is 128 and its number', async () => {
    expect((await place.marple(['collect', '--mem', '-o', 'a.marple', '--', 'no-such-program'])).code).toBe(127);
    expect((await place.marple(['collect', '--mem', '-o', 'b.marple', '--', 'sh', '-c', 'kill -KILL $$'])).code).toBe(
      137,
    );
  });

  test('-t ends the collection, not the command', async () => {
    const ended = await place.marple([
      'collect',
      '--mem',
      '-t',
      '0.3',
      '-o',
      'x.marple',
      '--',
      'sh',
      '-c',
      'sleep 1.2; echo still here',
    ]);
    expect(ended).toMatchObject({ code: 0, stdout: 'still here\n' });
    const [section] = sections(place.path('x.marple'));
    const seconds =
      (Date.parse(section!.header['end'] as string) - Date.parse(section!.header['start'] as string)) / 1000;
    expect(seconds).toBeLessThan(1.1);
  });

  test('when recording is over MARPLE gives way to all others; the command keeps its priority', async () => {
    const script = `while [ ! -e x.marple ]; do sleep 0.05; done; nice; cut -d ' ' -f 19 "/proc/$PPID/stat"`;
    const args = ['collect', '--mem', '-t', '0.3', '-o', 'x.marple', '--', 'sh', '-c', script];
    const own = getPriority();
    expect((await place.marple(args)).stdout).toBe(`${own}\n${Math.max(own, 10)}\n`);
  });

  test('only the command and its descendants are in the file', async () => {
    const ended = await place.marple(['collect', '--mem', '-o', 'x.marple', '--', 'sh', '-c', 'sleep 1; true']);
    expect(ended.code).toBe(0);
    const lines = readFileSync(place.path('x.marple'), 'utf8').trimEnd().split('\n').slice(1);
    const names = new Set(lines.map((line) => line.split(',')[2]));
    expect([...names].sort()).toEqual(['sh', 'sleep']);
  });
});

describe('stopping early', () => {
  const signals: [NodeJS.Signals, number][] = [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ];
  test.each(signals)('%s keeps what came, exit %i', async (signal, code) => {
    const running = place.start(['collect', ...ALL, '-t', '60', '-o', 'x.marple']);
    await running.says('disklat (');
    await sleep(500);
    running.kill(signal);
    expect((await running.ended).code).toBe(code);
    const found = sections(place.path('x.marple'));
    expect(found).toHaveLength(5);
    for (const { header, lines } of found) expect(header['records']).toBe(lines);
    expect(found[0]!.lines).toBeGreaterThan(0);
    expect(found[4]!.lines).toBeGreaterThan(0);
  });

  test('killed at any moment, the file reads, no tool runs on, and the next run clears what was left', async () => {
    const early = [20, 150, 400].map((ms) => ({ ms, recording: false }));
    // A recording of 1 s, the decoding behind it, and the joining.
    const later = Array.from({ length: 8 }, () => ({ ms: Math.round(Math.random() * 1800), recording: true }));
    for (const [i, { ms, recording }] of [...early, { ms: 300, recording: true }, ...later].entries()) {
      const name = `k${i}.marple`;
      const running = place.start(['collect', ...ALL, '-t', '1', '-o', name]);
      if (recording) await running.says('recording');
      await sleep(ms);
      running.kill('SIGKILL');
      await running.ended;
      await gone(running.pid);
      if (!existsSync(place.path(name)) && !existsSync(place.path(`${name}.partial`))) continue;
      const listing = await place.marple(['display', '-l', '-i', name]);
      expect(listing, `killed ${ms} ms after ${recording ? 'the recording began' : 'the start'}`).toMatchObject({
        code: 0,
      });
      expect(listing.stdout).toMatch(/memtime/);
    }
    const partials = readdirSync(place.dir).filter((name) => name.endsWith('.partial'));
    expect(partials.length).toBeGreaterThan(0);
    const next = await place.marple(['collect', '--mem', '-t', '0.3', '-o', 'next.marple']);
    expect(next.code).toBe(0);
    expect(readdirSync(place.dir).filter((name) => name.endsWith('.partial'))).toEqual(partials);
  });
});

describe('what is missing', () => {
  test('no perf: the interface fails with a hint, the others are collected, exit 3', async () => {
    const through = ['unshare', '--mount', 'sh', '-c', 'mount --bind /dev/null /usr/bin/perf && exec "$@"', 'sh'];
    const ended = await place.marple(['collect', '--stack', '--mem', '-t', '0.3', '-o', 'x.marple'], { through });
    expect(ended.code).toBe(3);
    expect(ended.stderr).toMatch(/callstack failed: .*perf/);
    expect(ended.stderr).toMatch(/hint: .*apt-get install linux-perf/);
    expect(sections(place.path('x.marple')).map(({ header }) => header['interface'])).toEqual(['memtime']);
    const alone = await place.marple(['collect', '--stack', '-t', '0.3', '-o', 'y.marple'], { through });
    expect(alone.code).toBe(69);
    expect(readdirSync(place.dir).filter((name) => name.startsWith('y'))).toEqual([]);
  });

  test('as an ordinary user: what needs root is refused with a hint', async () => {
    const through = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];
    const home = testFolder();
    chownSync(home, 65534, 65534);
    const env = { XDG_STATE_HOME: join(home, 'state'), HOME: home };
    const file = join(home, 'x.marple');
    const ended = await place.marple(['collect', '--disk', '-t', '0.3', '-o', file], { through, env });
    expect(ended.code).toBe(69);
    expect(ended.stderr).toMatch(/hint: .*sudo/);
    expect(readdirSync(home)).toEqual(['state']);
  });
});

/** Waits until nothing runs that a killed marple had started: perf and its like die by their parent-death signal. */
async function gone(pid: number): Promise<void> {
  for (let i = 0; i < 250; i++) {
    if (!readdirSync('/proc').some((entry) => /^\d+$/.test(entry) && isToolOf(entry, pid))) return;
    await sleep(20);
  }
  throw new Error(`a tool that marple ${pid} had started still runs`);
}

/** A tool leads a session of its own and was reparented when marple died; its command line names marple's folders. */
function isToolOf(entry: string, pid: number): boolean {
  try {
    const command = readFileSync(`/proc/${entry}/cmdline`, 'utf8');
    return command !== '' && Number(entry) !== pid && command.includes('perf\0record') && command.includes('.partial/');
  } catch {
    return false;
  }
}
