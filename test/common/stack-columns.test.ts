import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DamagedFileError } from '../../src/common/errors.ts';
import { openDataFile } from '../../src/common/reader.ts';
import { anyStack, headerOf, stacksOf, tempFolder, textFile, writeFile } from '../support/data-files.ts';

test('stacks that are written are read as columns, at any size of blocks', async () => {
  const path = join(tempFolder(), 'x.marple');
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyStack, { maxLength: 30 }),
      fc.integer({ min: 1, max: 200 }),
      async (records, blockSize) => {
        await writeFile(path, [{ header: headerOf('stack'), records }]);
        const file = await openDataFile(path, { blockSize });
        expect(await stacksOf(file.sections[0]!.stacks())).toEqual(records);
        await file.close();
      },
    ),
  );
});

test.each<[string, RegExp]>([
  ['x#a;c', /weight is no integer/],
  ['1#a;\tc', /control character/],
  ['1#a;b\\q', /is no escape/],
  ['1', /a stack is weight#/],
])('the damaged line %o is named with its number', async (line, problem) => {
  const path = textFile(`${JSON.stringify(headerOf('stack'))}\n3#a;b\n${line}\n1#c\n`);
  const file = await openDataFile(path, { blockSize: 7 });
  const error = await stacksOf(file.sections[0]!.stacks()).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(DamagedFileError);
  expect(error).toMatchObject({ where: `${path}:3`, message: expect.stringMatching(problem) });
  await file.close();
});

test('records that the header counts and that are not there are damage', async () => {
  const path = textFile(`${JSON.stringify({ ...headerOf('stack'), records: 3 })}\n3#a;b\n1#c\n`);
  const file = await openDataFile(path);
  await expect(stacksOf(file.sections[0]!.stacks())).rejects.toThrow(/the header counts 3 records, but 2 follow/);
  await file.close();
});
