import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { create, extract } from 'tar';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { SectionStats } from '../../src/analysis/stats.ts';
import { openDataFile } from '../../src/common/reader.ts';
import { makePlace } from '../e2e/marple.ts';
import { ROOT } from '../support/folder.ts';
import { compileProgram } from '../support/programs.ts';

const compiled = compileProgram('two_thirds');
const place = makePlace();
afterAll(() => place.remove());

let program: string;
beforeEach(() => {
  program = place.path('two_thirds');
  copyFileSync(compiled, program);
  return () => rmSync(program, { force: true });
});

/** Makes an archive of what another machine recorded: of another boot, and without the program here. */
async function takeAway(archive: string): Promise<void> {
  const folder = place.path(`away-${archive}`);
  mkdirSync(folder);
  await extract({ file: place.path(archive), cwd: folder });
  const path = join(folder, 'marple.partial/run.json');
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), bootId: 'another' }));
  await create({ file: place.path(archive), cwd: folder, gzip: true }, ['marple.partial/']);
  rmSync(program);
}

/** The weights of callstack's stacks that hold these functions. */
async function weights(file: string, ...names: readonly string[]): Promise<number[]> {
  const { stdout } = await place.marple(['export', '-i', file, '--format', 'folded', '-o', '-']);
  const lines = stdout.split('\n').map((line) => /^(.*) (\d+)$/.exec(line));
  const sum = (name: string): number =>
    lines.reduce((total, line) => (line?.[1]?.split(';').includes(name) ? total + Number(line[2]) : total), 0);
  return names.map(sum);
}

describe.runIf(ROOT)('collect --raw, and import elsewhere', () => {
  test.each(['fp', 'dwarf'])('names of functions come from the archive (%s)', async (method) => {
    const [archive, file] = [`${method}.raw.tgz`, `${method}.marple`];
    const flags = ['--stack', '--call-graph', method, '-F', '199', '--raw', '-o', archive];
    const collected = await place.marple(['collect', ...flags, '--', program, '1']);
    expect(collected.code, collected.stderr).toBe(0);
    expect(collected.stderr).toMatch(/^callstack: recorded, by perf$/m);
    expect(collected.stderr).toMatch(new RegExp(`marple import ${archive}$`, 'm'));
    expect(existsSync(place.path(`${archive}.partial`))).toBe(false);
    await takeAway(archive);
    const imported = await place.marple(['import', archive]);
    expect(imported).toMatchObject({ code: 0, stdout: `${file}\n` });
    expect(imported.stderr).not.toMatch(/^warning: .*(cut off|names cannot)/m);
    const [two = 0, one = 0] = await weights(file, 'two_thirds', 'one_third');
    // On a machine that is busy with other things, about.
    expect(one).toBeGreaterThan(20);
    expect(two).toBeGreaterThan(one);
  });

  test('what the kernel ran has its names, too', async () => {
    const flags = ['--stack', '-F', '499', '--raw', '-o', 'kernel.raw.tgz'];
    expect(
      await place.marple(['collect', ...flags, '--', 'dd', 'if=/dev/zero', 'of=/dev/null', 'bs=1M', 'count=3000']),
    ).toMatchObject({ code: 0 });
    await takeAway('kernel.raw.tgz');
    expect(await place.marple(['import', 'kernel.raw.tgz'])).toMatchObject({ code: 0 });
    const [named = 0] = await weights('kernel.marple', 'read_zero');
    expect(named).toBeGreaterThan(20);
  });

  test('everything else that is asked for is in it, decoded or not', async () => {
    const names = ['cpusched', 'callstack', 'offcpu', 'disklat', 'diskblockrq', 'memtime', 'ipc', 'system'];
    const collected = await place.marple(['collect', ...names, '-t', '1', '--raw', '-o', 'all.raw.tgz']);
    expect(collected.code, collected.stderr).toBe(0);
    await takeAway('all.raw.tgz');
    expect(await place.marple(['import', 'all.raw.tgz', '-o', 'all.marple'])).toMatchObject({ code: 0 });
    const file = await openDataFile(place.path('all.marple'));
    const headers = file.sections.map(({ header }) => header);
    await file.close();
    expect([...new Set(headers.map((header) => header.interface))]).toEqual(names);
    for (const { end, tool, clock } of headers)
      expect({ end, tool, clock }).toEqual({
        end: expect.any(String),
        tool: expect.anything(),
        clock: headers[0]!.clock,
      });
    const { stdout } = await place.marple(['stats', '-i', 'all.marple', '--json']);
    const counted = new Map(
      (JSON.parse(stdout) as { sections: SectionStats[] }).sections.map((s) => [s.interface, s.records]),
    );
    for (const name of ['cpusched', 'callstack', 'offcpu', 'memtime']) expect(counted.get(name)).toBeGreaterThan(0);
  });

  test('it goes through a pipe', async () => {
    const collected = await place.marple(['collect', '--stack', '-t', '0.5', '--raw', '-o', 'box.raw.tgz']);
    expect(collected.code).toBe(0);
    const through = ['sh', '-c', '"$@" collect --stack -t 0.5 --raw -o - | "$@" import - -o piped.marple', 'sh'];
    expect(await place.marple([], { through })).toMatchObject({ code: 0, stdout: 'piped.marple\n' });
  });

  test('an archive that is cut off is damaged, and leaves nothing', async () => {
    expect(await place.marple(['collect', '--stack', '-t', '0.3', '--raw', '-o', 'cut.raw.tgz'])).toMatchObject({
      code: 0,
    });
    truncateSync(place.path('cut.raw.tgz'), 200_000);
    const ended = await place.marple(['import', 'cut.raw.tgz']);
    expect(ended).toMatchObject({ code: 65, stdout: '' });
    expect(ended.stderr).toMatch(/^marple: cut\.raw\.tgz: .*cut off/m);
    expect(existsSync(place.path('cut.marple'))).toBe(false);
  });

  test('--display is refused with it', async () => {
    const ended = await place.marple(['collect', '--stack', '--raw', '--display']);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toMatch(/^hint: .*marple import FILE && marple display$/m);
  });
});

test('what an archive has that would lie elsewhere is not unpacked', async () => {
  const folder = place.path('hostile');
  mkdirSync(join(folder, 'marple.partial'), { recursive: true });
  const header = {
    marple: 1,
    interface: 'memtime',
    datatype: 'datapoint',
    start: '2026-03-01T09:30:00.000Z',
    end: null,
  };
  writeFileSync(join(folder, 'marple.partial/00-memtime-datapoint.section'), `${JSON.stringify(header)}\n1,2,a\n`);
  symlinkSync('/etc/passwd', join(folder, 'marple.partial/01-memtime-datapoint.section'));
  writeFileSync(place.path('evil'), 'x');
  await create({ file: place.path('hostile.raw.tgz'), cwd: folder, gzip: true, preservePaths: true }, [
    'marple.partial/',
    '../evil',
  ]);
  const ended = await place.marple(['import', 'hostile.raw.tgz']);
  expect(ended.stderr).not.toContain('root:');
  expect(place.leftovers()).toEqual([]);
  if (ended.code === 0) expect(readFileSync(place.path('hostile.marple'), 'utf8')).not.toContain('root:');
  else expect(ended.code).toBe(65);
});
