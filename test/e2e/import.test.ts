import { cpSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makePlace, type Place } from './marple.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures');

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
