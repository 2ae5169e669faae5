import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/common/errors.ts';
import type { FileListing } from '../../src/display/shape/listing.ts';
import { Catalogue } from '../../src/serve/catalogue.ts';
import { headerOf, tempFolder, writeFile } from '../support/data-files.ts';

const header = headerOf('stack', { interface: 'callstack', host: 'box', end: '2026-03-01T09:30:05.000Z' });
const sections = [
  { header, records: [{ weight: 1, stack: ['a'] }] },
  { header: { ...headerOf('event', { interface: 'cpusched' }) }, records: [] },
];

async function dataFile(folder: string, name = 'x.marple'): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, sections);
  return path;
}

async function listed(...paths: string[]): Promise<FileListing[]> {
  return (await Catalogue.of(paths)).list();
}

const SECTION = `${JSON.stringify(headerOf('stack', { interface: 'memleak' }))}\n1#a\n`;

function cutRun(folder: string, name = 'cut.marple.partial'): string {
  const path = join(folder, name);
  mkdirSync(path);
  writeFileSync(join(path, '00-memleak-stack.section'), SECTION);
  return path;
}

describe('a folder', () => {
  test('has its data files, and runs that were cut off, and nothing else', async () => {
    const folder = tempFolder();
    await dataFile(folder);
    cutRun(folder);
    writeFileSync(join(folder, 'notes.txt'), '{"marple":1}\n');
    mkdirSync(join(folder, 'below'));
    await dataFile(join(folder, 'below'));
    const files = (await listed(folder)).toSorted((a, b) => (a.name < b.name ? -1 : 1));
    expect(files).toMatchObject([
      { name: 'cut.marple.partial', isPartial: true, interfaces: ['memleak'], seconds: null, size: SECTION.length },
      { name: 'x.marple', isPartial: false, interfaces: ['callstack', 'cpusched'], seconds: 5, host: 'box' },
    ]);
    expect(files.every(({ problem }) => problem === undefined)).toBe(true);
  });

  test('is looked into anew each time', async () => {
    const folder = tempFolder();
    const catalogue = await Catalogue.of([folder]);
    expect(await catalogue.list()).toEqual([]);
    const path = await dataFile(folder);
    expect(await catalogue.list()).toMatchObject([{ name: 'x.marple', interfaces: ['callstack', 'cpusched'] }]);
    const cut = cutRun(folder, 'y.marple.partial');
    writeFileSync(join(cut, '00-memleak-stack.section'), SECTION.replace('memleak', 'memmap'));
    rmSync(path);
    expect(await catalogue.list()).toMatchObject([{ name: 'y.marple.partial', interfaces: ['memmap'] }]);
    rmSync(folder, { recursive: true });
    await expect(catalogue.list()).rejects.toThrow(/^the folder .* cannot be read/);
  });

  test('says of what is no data file why', async () => {
    const folder = tempFolder();
    writeFileSync(join(folder, 'empty.marple'), '');
    writeFileSync(join(folder, 'other.marple'), 'hello\n');
    execFileSync('mkfifo', [join(folder, 'pipe.marple')]);
    mkdirSync(join(folder, 'nothing.marple.partial'));
    const problems = Object.fromEntries((await listed(folder)).map(({ name, problem }) => [name, problem]));
    expect(problems).toEqual({
      'empty.marple': 'the file is empty',
      'other.marple': 'this is no MARPLE data file',
      'pipe.marple': 'it is no file',
      'nothing.marple.partial': 'the run was cut off before anything was recorded',
    });
  });

  test('names may be anything', async () => {
    const folder = tempFolder();
    const path = await dataFile(folder);
    renameSync(path, Buffer.concat([Buffer.from(`${folder}/<b>\x1b\u202e`), Buffer.of(0xff), Buffer.from('.marple')]));
    const catalogue = await Catalogue.of([folder]);
    const [file] = await catalogue.list();
    expect(file).toMatchObject({ name: '<b>\\x1b\\u{202e}\\xff.marple', interfaces: ['callstack', 'cpusched'] });
    const { name, file: data } = await catalogue.open(file!.id, tempFolder());
    expect(name).toBe('<b>\\x1b\\u{202e}\\xff.marple');
    expect(data.sections).toHaveLength(2);
    expect(data.path).toBe(name);
    await data.close();
  });
});

describe('links', () => {
  test('in a folder are not followed, to wherever they lead', async () => {
    const [folder, elsewhere] = [tempFolder(), tempFolder()];
    symlinkSync(await dataFile(elsewhere), join(folder, 'out.marple'));
    symlinkSync(await dataFile(folder), join(folder, 'in.marple'));
    symlinkSync(cutRun(elsewhere), join(folder, 'out.marple.partial'));
    const catalogue = await Catalogue.of([folder]);
    const links = (await catalogue.list()).filter(({ problem }) => problem !== undefined);
    expect(links.map(({ name }) => name).sort()).toEqual(['in.marple', 'out.marple', 'out.marple.partial']);
    for (const { id, problem, interfaces } of links) {
      expect(problem).toBe('it is a link, and links in a folder are not followed');
      expect(interfaces).toBeUndefined();
      await expect(catalogue.open(id, tempFolder())).rejects.toThrow(UsageError);
    }
  });

  test('that take the place of a file after it was listed are not followed', async () => {
    const [folder, elsewhere] = [tempFolder(), tempFolder()];
    const path = await dataFile(folder);
    const secret = await dataFile(elsewhere, 'secret.marple');
    const catalogue = await Catalogue.of([folder]);
    const [file] = await catalogue.list();
    rmSync(path);
    symlinkSync(secret, path);
    await expect(catalogue.open(file!.id, tempFolder())).rejects.toThrow(/it is a link/);
    await expect(catalogue.fingerprint(file!.id)).rejects.toThrow(/it is a link/);
  });

  test('within what a run left are not followed', async () => {
    const [folder, elsewhere] = [tempFolder(), tempFolder()];
    const cut = cutRun(folder);
    symlinkSync(await dataFile(elsewhere), join(cut, '01-callstack-stack.section'));
    const catalogue = await Catalogue.of([folder]);
    const [file] = await catalogue.list();
    expect(file).toMatchObject({ problem: 'cut.marple.partial holds what no run writes: 01-callstack-stack.section' });
    await expect(catalogue.open(file!.id, tempFolder())).rejects.toThrow(/holds what no run writes/);
  });

  test('that the user names are', async () => {
    const folder = tempFolder();
    const link = join(folder, 'link.marple');
    symlinkSync(await dataFile(tempFolder()), link);
    const catalogue = await Catalogue.of([link]);
    const [file] = await catalogue.list();
    expect(file).toMatchObject({ name: 'link.marple', interfaces: ['callstack', 'cpusched'] });
    await (await catalogue.open(file!.id, tempFolder())).file.close();
  });
});

describe('what the user names', () => {
  test('files, a run that was cut off by the name that it would have had, and several folders', async () => {
    const [one, other] = [tempFolder(), tempFolder()];
    const path = await dataFile(one, 'without-extension');
    cutRun(one);
    await dataFile(other);
    const files = await listed(path, join(one, 'cut.marple'), other);
    expect(files.map(({ name, folder }) => [name, folder]).sort()).toEqual([
      ['cut.marple.partial', one],
      ['without-extension', one],
      ['x.marple', other],
    ]);
  });

  test('what is named twice is there once', async () => {
    const folder = tempFolder();
    const path = await dataFile(folder);
    expect(await listed(path, folder, `${folder}/`, path)).toHaveLength(1);
  });

  test.each([
    ['nothing.marple', /^nothing\.marple cannot be served: there is no such file or folder$/],
    ['-', /^stdin cannot be served$/],
    ['/dev/null', /^\/dev\/null is neither a file nor a folder$/],
  ])('%s is refused', async (path, message) => {
    await expect(Catalogue.of([path])).rejects.toThrow(message);
    await expect(Catalogue.of([path])).rejects.toMatchObject({ exitCode: 2, hint: expect.any(String) });
  });

  test('a file that goes away is still named, and said to be gone', async () => {
    const path = await dataFile(tempFolder());
    const catalogue = await Catalogue.of([path]);
    rmSync(path);
    expect(await catalogue.list()).toMatchObject([{ name: 'x.marple', problem: 'there is no such file or folder' }]);
  });
});

test('ids are of the path, and no path is an id', async () => {
  const folder = tempFolder();
  await dataFile(folder);
  const [once, again] = [await listed(folder), await listed(folder)];
  expect(once[0]!.id).toMatch(/^[0-9a-f]{16}$/);
  expect(once).toEqual(again);
  const catalogue = await Catalogue.of([folder]);
  for (const id of ['x.marple', '../x.marple', `${folder}/x.marple`, '', '0000000000000000']) {
    await expect(catalogue.open(id, tempFolder())).rejects.toThrow('there is no such data file here');
  }
});

test('a change shows in the fingerprint', async () => {
  const folder = tempFolder();
  await dataFile(folder);
  const cut = cutRun(folder);
  const catalogue = await Catalogue.of([folder]);
  const files = await catalogue.list();
  const prints = () => Promise.all(files.map(({ id }) => catalogue.fingerprint(id)));
  const before = await prints();
  expect(await prints()).toEqual(before);
  await writeFile(join(folder, 'x.marple'), sections.slice(0, 1));
  writeFileSync(join(cut, '00-memleak-stack.section'), `${SECTION}2#b\n`);
  const after = await prints();
  expect(after[0]).not.toBe(before[0]);
  expect(after[1]).not.toBe(before[1]);
});
