import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makePlace, type Place } from './marple.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures');
const CLI = join(import.meta.dirname, '../../dist/marple.cjs');

let place: Place;
beforeEach(() => {
  place = makePlace();
});
afterEach(() => place.remove());

test('a file by its name: the data file is in the working directory, and is the last one', async () => {
  cpSync(join(FIXTURES, 'perf-script/symbol-offsets.txt'), place.path('out.perf'));
  const { code, stdout, stderr } = await place.marple(['import', 'out.perf']);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/out\.perf\.marple\n$/) });
  expect(stderr).not.toMatch(/skipped/);
  const shown = await place.marple(['display', '-l']);
  expect(shown.stdout).toMatch(/callstack/);
  const exported = await place.marple(['export', '--format', 'folded', '-o', '-']);
  expect(exported.stdout).toMatch(/^names;.* \d+$/m);
  expect(place.leftovers()).toEqual([]);
});

test('stdin, compressed, to stdout, with annotations', async () => {
  writeFileSync(place.path('in.gz'), gzipSync(readFileSync(join(FIXTURES, 'perf-script/system.txt'))));
  const zipped = await place.marple(['import', 'in.gz', '--annotate', 'tid,all', '-o', '-']);
  expect(zipped.code).toBe(0);
  expect(zipped.stdout).toMatch(/^\{"marple":1/);
  expect(zipped.stdout).toMatch(/#names-\d+\/\d+;/);
  expect(zipped.stdout).toMatch(/_\[k\]/);
  const input = readFileSync(join(FIXTURES, 'iosnoop/before-priority.txt'), 'utf8');
  const { stdout } = await place.marple(['import', '-', '-o', 'x.marple', '--json'], { input });
  expect(JSON.parse(stdout)).toMatchObject({
    file: 'x.marple',
    format: 'iosnoop',
    sections: [{ interface: 'disklat', datatype: 'datapoint', records: expect.any(Number) }],
    skipped: 0,
  });
});

test('the partial folder of a run becomes its file', async () => {
  const partial = place.path('run.marple.partial');
  mkdirSync(partial);
  const header = {
    marple: 1,
    interface: 'memtime',
    datatype: 'datapoint',
    start: '2026-03-01T09:30:00.000Z',
    end: null,
  };
  writeFileSync(join(partial, '00-memtime-datapoint.section'), `${JSON.stringify(header)}\n1,2,a\n`);
  const { code, stderr } = await place.marple(['import', 'run.marple.partial']);
  expect(code).toBe(0);
  expect(stderr).toMatch(/when it was cut off/);
  expect(readFileSync(place.path('run.marple'), 'utf8')).toMatch(/\n1,2,a\n$/);
  expect((await place.marple(['import', 'run.marple.partial'])).stderr).toMatch(/exists already/);
});

test.each([
  ['what is not known', 'just words\n', [], 2, /what x holds is not known/],
  ['a format that there is not', 'x\n', ['--format', 'zip'], 2, /no format 'zip'/],
  ['what is not of the format', 'x\n', ['--format', 'marple-py'], 65, /x:1: /],
  ['an annotation that there is not', 'a;b 1\n', ['--annotate', 'colour'], 2, /no part 'colour'/],
  ['damaged compression', '\x1f\x8b\x08\0damaged', [], 65, /compressed data is damaged/],
])('%s is refused', async (_, text, flags, exitCode, message) => {
  writeFileSync(place.path('x'), Buffer.from(text, 'latin1'));
  const { code, stderr } = await place.marple(['import', 'x', ...flags, '-o', 'y.marple']);
  expect({ code, stderr }).toEqual({ code: exitCode, stderr: expect.stringMatching(message) });
  expect(stderr).toMatch(/hint: /);
  expect(() => statSync(place.path('y.marple'))).toThrow();
});

const SIZE = 200e6;

/** 200 MB of text: a start, and then pieces of which no two are alike. */
function* large(start: string, piece: (i: number) => string): Generator<Buffer> {
  let size = 0;
  let i = 0;
  for (let text = start; size < SIZE; text = '') {
    while (text.length < 1 << 20) text += piece(i++);
    size += text.length;
    yield Buffer.from(text);
  }
}

describe('200 MB in a heap of 100 MB', () => {
  const sample = readFileSync(join(FIXTURES, 'perf-script/symbol-offsets.txt'), 'utf8').split('\n\n')[0]!;
  const [, ...frames] = sample.split('\n');
  const seconds = (i: number): string => (i / 1000).toFixed(6);
  test.each<[string, string, (i: number) => string]>([
    [
      'perf-script',
      '# comment\n',
      (i) => `names ${i % 50}/${i % 90} [00${i % 4}] ${seconds(i)}: ${1 + (i % 9)} cycles: \n${frames.join('\n')}\n\n`,
    ],
    ['folded', '', (i) => `main;work${i % 5000};${'deep_function_name;'.repeat(20)}leaf ${i}\n`],
    [
      'iosnoop',
      'STARTs          ENDs            COMM         PID    TYPE DEV      BLOCK        BYTES     LATms\n',
      (i) =>
        `${seconds(i)}        ${seconds(i + 3)}        fio ${i % 7}        1966   RS   254,0    ${i}     4096       3.00\n`,
    ],
    [
      'biosnoop',
      'TIME(s)     COMM           PID    DISK    T SECTOR     BYTES   LAT(ms)\n',
      (i) => `${seconds(i)}    fio            ${i % 99}   vda     R ${i}   4096      0.03\n`,
    ],
    [
      'marple-py',
      '{"start time": "", "end time": "", "interface": "cpusched", "datatype": "event", "data options": {}}\n',
      (i) => `${i}$$$sched:sched_switch$$$${"{'pid': '"}${i % 999}', 'comm': 'a b', 'cpu': '001'}$$$None\n`,
    ],
  ])('%s', { timeout: 180_000 }, async (format, start, piece) => {
    const child: ChildProcess = spawn(
      process.execPath,
      ['--max-old-space-size=100', CLI, 'import', '-', '--json', '-o', 'x.marple'],
      {
        cwd: place.dir,
        stdio: ['pipe', 'pipe', 'inherit'],
        env: { ...process.env, TMPDIR: place.dir, HOME: place.dir, XDG_STATE_HOME: place.dir },
      },
    );
    let stdout = '';
    child.stdout!.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    const code = new Promise((resolve) => child.once('close', resolve));
    await pipeline(Readable.from(large(start, piece)), child.stdin!);
    expect(await code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ format, skipped: 0 });
    expect(statSync(place.path('x.marple')).size).toBeGreaterThan(1e6);
  });
});
