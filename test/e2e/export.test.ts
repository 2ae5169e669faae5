import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXPORTERS } from '../../src/formats/exporters.ts';
import { writeFile } from '../support/data-files.ts';
import { SOME } from '../support/exports.ts';
import { makePlace } from './marple.ts';

const place = makePlace();
afterAll(() => place.remove());

beforeAll(async () => {
  await writeFile(place.path('some.marple'), SOME);
});

describe('every format', () => {
  test.each(EXPORTERS.map(({ format }) => format))(
    '%s: a file for its owner, and the same on stdout',
    async (format) => {
      const args = ['export', '-i', 'some.marple', '--format', format, ...(format === 'csv' ? ['-e', '4'] : [])];
      const { code, stdout } = await place.marple([...args, '-o', `x.${format}`]);
      expect({ code, stdout }).toEqual({ code: 0, stdout: `x.${format}\n` });
      const path = place.path(`x.${format}`);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      const piped = await place.marple([...args, '-o', '-']);
      expect(piped.code).toBe(0);
      expect(piped.stdout).toBe(readFileSync(path).toString());
      const again = await place.marple([...args, '-o', `x.${format}`]);
      expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('exists already') });
    },
  );

  test.each(['speedscope', 'pprof', 'folded'])('%s of a file without stacks is refused', async (format) => {
    const { code, stderr } = await place.marple([
      'export',
      '-i',
      'some.marple',
      '-e',
      '6',
      '--format',
      format,
      '-o',
      'no',
    ]);
    expect(code).toBe(2);
    expect(stderr).toContain('none of the sections has stacks');
    expect(() => statSync(place.path('no'))).toThrow();
  });
});

test('--json tells what was written', async () => {
  const { code, stdout } = await place.marple([
    'export',
    '-i',
    'some.marple',
    '--format',
    'folded',
    '-o',
    'y',
    '--json',
  ]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    file: 'y',
    files: ['y'],
    format: 'folded',
    warnings: [expect.stringContaining('section 2 (callstack) alone is written')],
  });
});

test('several files give a file each; what has nothing for the format is left out', async () => {
  await writeFile(place.path('points.marple'), [SOME[3]!]);
  await writeFile(place.path('stacks.marple'), [SOME[1]!]);
  const inputs = ['some', 'points', 'stacks'].flatMap((name) => ['-i', `${name}.marple`]);
  const all = await place.marple(['export', ...inputs, '--format', 'folded', '-o', 'all.folded']);
  expect(all).toMatchObject({ code: 0, stdout: 'all.folded\nall-2.folded\n' });
  expect(all.stderr).toContain('left out: points.marple: none of the sections has stacks');
  const [one, two] = ['all', 'all-2'].map((name) => readFileSync(place.path(`${name}.folded`), 'utf8'));
  expect([one!.length > 10, two]).toEqual([true, one]);
  const picked = await place.marple(['export', ...inputs, '-e', '2', '--format', 'folded', '-o', '-']);
  expect(picked).toMatchObject({ code: 0, stdout: one, stderr: '' });
  const piped = await place.marple(['export', ...inputs, '--format', 'folded', '-o', '-']);
  expect(piped).toMatchObject({ code: 2, stderr: expect.stringContaining('only one file goes to stdout, not 3') });
});

describe('what another tool wrote', () => {
  const text = readFileSync('test/fixtures/perf-script/system.txt', 'utf8');
  const folded = (...args: string[]): ReturnType<typeof place.marple> =>
    place.marple(['export', ...args, '--format', 'folded', '-o', '-']);

  beforeAll(async () => {
    writeFileSync(place.path('script.txt'), text);
    await place.marple(['import', 'script.txt', '-o', 'script.marple']);
  });

  test('is exported as its data file is, and none is left', async () => {
    const [direct, imported] = [await folded('-i', 'script.txt'), await folded('-i', 'script.marple')];
    expect(direct).toMatchObject({ code: 0, stdout: imported.stdout });
    expect(direct.stdout.split('\n').length).toBeGreaterThan(5);
    const piped = await place.marple(['export', '-i', '-', '--format', 'folded', '-o', '-'], { input: text });
    expect(piped).toEqual(direct);
    expect(existsSync(place.path('script.txt.marple'))).toBe(false);
  });

  test('a part of it too, and in other formats', async () => {
    const half = ['--to', '0.1'];
    const [direct, imported] = [
      await folded('-i', 'script.txt', ...half),
      await folded('-i', 'script.marple', ...half),
    ];
    expect(direct).toMatchObject({ code: 0, stdout: imported.stdout });
    expect(direct.stdout).not.toBe((await folded('-i', 'script.txt')).stdout);
    const csv = ['-e', '2', '--format', 'csv', '-o', '-'];
    expect((await place.marple(['export', '-i', 'script.txt', ...csv])).stdout).toBe(
      (await place.marple(['export', '-i', 'script.marple', ...csv])).stdout,
    );
  });

  test('sections have the numbers that they have in its data file', async () => {
    for (const number of ['1', '2', '3']) {
      const [direct, imported] = [
        await folded('-i', 'script.txt', '-e', number),
        await folded('-i', 'script.marple', '-e', number),
      ];
      expect({ code: direct.code, stdout: direct.stdout }).toEqual({ code: imported.code, stdout: imported.stdout });
    }
  });

  test('more stacks than are held are all there', async () => {
    const lines = Array.from({ length: 70_000 }, (_, i) => `main;work_${i} 1`).sort();
    writeFileSync(place.path('many.folded'), lines.map((line) => `${line}\n`).join(''));
    const { code, stdout, stderr } = await folded('-i', 'many.folded');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n').slice(0, -1)).toEqual(lines);
  });

  test('a file that is not there', async () => {
    expect(await folded('-i', 'nosuch')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is no file nosuch'),
    });
  });

  test('what could not be read of it is said', async () => {
    writeFileSync(place.path('odd.txt'), `${text}\nnonsense\n`);
    expect((await folded('-i', 'odd.txt')).stderr).toContain(
      '1 lines could not be read, the first of them: "nonsense"',
    );
    writeFileSync(place.path('words.txt'), 'just words\n');
    expect(await folded('-i', 'words.txt')).toMatchObject({
      code: 65,
      stderr: expect.stringContaining('words.txt:1: this is no MARPLE data file'),
    });
  });
});

test('a selection is a data file that reads as the part of the file does', async () => {
  const part = ['--from', '0.4', '--to', '2', '-e', '2,3,4,5'];
  await place.marple(['export', '-i', 'some.marple', ...part, '--format', 'marple', '-o', 'part.marple']);
  const numbers = async (...args: string[]): Promise<unknown> =>
    JSON.parse((await place.marple(['stats', ...args, '--json'])).stdout, (key, value) =>
      ['section', 'file', 'start', 'notes', 'seconds', 'rate', 'tool'].includes(key) ? undefined : value,
    ).sections;
  expect(await numbers('-i', 'part.marple')).toEqual(await numbers('-i', 'some.marple', ...part));
  // Times stay those of the whole file.
  expect(await numbers('-i', 'part.marple', '--from', '0.4', '--to', '2')).toEqual(await numbers('-i', 'part.marple'));
});
