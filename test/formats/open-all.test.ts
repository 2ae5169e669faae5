import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { serialiseHeader } from '../../src/common/codec.ts';
import type { MarpleRecord } from '../../src/common/datatypes.ts';
import { DamagedFileError, UsageError } from '../../src/common/errors.ts';
import { sectionFileName } from '../../src/common/partial.ts';
import { openAll } from '../../src/formats/open-all.ts';
import { headerOf, readRecords, tempFolder, writeFile } from '../support/data-files.ts';

let folder: string;
const here = (name: string): string => join(folder, name);

/** A file of so many sections, each with its number as weight. */
async function file(name: string, ...weights: readonly number[]): Promise<void> {
  const sections = weights.map((weight) => ({ header: headerOf('stack'), records: [{ weight, stack: ['a'] }] }));
  await writeFile(here(name), sections);
}

async function opened(...paths: readonly string[]): Promise<{ listing: string[]; warnings: readonly string[] }> {
  const { files, warnings, close } = await openAll(paths, tempFolder());
  const listing: string[] = [];
  for (const { path, sections } of files) {
    for (const section of sections) {
      const [record] = (await readRecords(section)) as [Extract<MarpleRecord, { weight: number }>];
      listing.push(`${section.number} ${path.replace(`${folder}/`, '')} ${record.weight}`);
    }
  }
  await close();
  return { listing, warnings };
}

beforeEach(async () => {
  folder = tempFolder();
  await file('b.marple', 1, 2);
  await file('a.marple', 3);
  await file('other', 4);
});

test('one file is as it is', async () => {
  expect((await opened(here('b.marple'))).listing).toEqual(['1 b.marple 1', '2 b.marple 2']);
});

test('the numbers of sections go through all files, in the order in which they are named', async () => {
  expect((await opened(here('b.marple'), here('other'), here('a.marple'))).listing).toEqual([
    '1 b.marple 1',
    '2 b.marple 2',
    '3 other 4',
    '4 a.marple 3',
  ]);
});

describe('a folder', () => {
  test('is its data files by name, with runs that were cut off', async () => {
    mkdirSync(here('c.marple.partial'));
    const header = { ...headerOf('stack'), records: null, bytes: null };
    writeFileSync(join(here('c.marple.partial'), sectionFileName(header, 0)), `${serialiseHeader(header)}\n5#a\n`);
    writeFileSync(here('a.heatmap.png'), '');
    const { listing, warnings } = await opened(folder);
    expect(listing).toEqual(['1 a.marple 3', '2 b.marple 1', '3 b.marple 2', '4 c.marple.partial 5']);
    expect(warnings).toEqual([expect.stringMatching(/c\.marple\.partial is what a run had written/)]);
  });

  test('that is a run itself is that run', async () => {
    mkdirSync(here('run'));
    const header = { ...headerOf('stack'), records: null, bytes: null };
    writeFileSync(join(here('run'), sectionFileName(header, 0)), `${serialiseHeader(header)}\n5#a\n`);
    expect((await opened(here('run'))).listing).toEqual(['1 run 5']);
  });

  test('what is damaged in it is left out and said; what was named itself is refused', async () => {
    writeFileSync(here('aa.marple'), 'hello\n');
    const { listing, warnings } = await opened(folder);
    expect(listing).toEqual(['1 a.marple 3', '2 b.marple 1', '3 b.marple 2']);
    expect(warnings).toEqual([`left out: ${here('aa.marple')}:1: this is no MARPLE data file`]);
    await expect(openAll([here('b.marple'), here('aa.marple')], tempFolder())).rejects.toThrow(DamagedFileError);
  });

  test('where all of it is damaged is refused', async () => {
    mkdirSync(here('bad'));
    writeFileSync(here('bad/x.marple'), 'hello\n');
    await expect(openAll([here('bad')], tempFolder())).rejects.toThrow(DamagedFileError);
  });

  test('without data files is refused, with a hint', async () => {
    mkdirSync(here('empty'));
    writeFileSync(here('empty/notes.txt'), '');
    await expect(openAll([here('empty')], tempFolder())).rejects.toThrow(
      expect.objectContaining({
        message: `the folder ${here('empty')} holds no data file: none of its names ends in .marple or .marple.partial`,
        hint: expect.stringContaining('-i FILE'),
      }),
    );
  });
});

test('what is named twice is opened once, whatever it is called', async () => {
  symlinkSync(here('a.marple'), here('link'));
  expect((await opened(here('a.marple'), folder, here('./a.marple'), here('link'))).listing).toEqual([
    '1 a.marple 3',
    '2 b.marple 1',
    '3 b.marple 2',
  ]);
});

test('a file that is not there is refused', async () => {
  await expect(openAll([here('a.marple'), here('gone')], tempFolder())).rejects.toThrow(UsageError);
});
