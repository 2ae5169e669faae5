import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { eventFile, mixedFile, pointFile } from '../../bench/inputs/data-files.ts';
import { Inputs } from '../../bench/inputs.ts';
import { openDataFile } from '../../src/common/reader.ts';
import { testFolder } from '../support/folder.ts';

const inputsIn = (folder: string) => new Inputs(folder, () => undefined);

describe('inputs of measurements', () => {
  test('are made once, and are there only when they are whole', async () => {
    const folder = testFolder();
    const inputs = inputsIn(join(folder, 'cache'));
    let made = 0;
    const make = async (path: string) => writeFileSync(path, `made ${++made} times`);
    const fail = async (path: string) => {
      mkdirSync(path);
      throw new Error('the disk is full');
    };
    await expect(inputs.get('one', fail)).rejects.toThrow('the disk is full');
    const path = await inputs.get('one', make);
    expect(readFileSync(await inputs.get('one', make), 'utf8')).toBe('made 1 times');
    expect([path, readdirSync(inputs.folder)]).toEqual([join(inputs.folder, 'one'), ['one']]);
  });

  test('data files are the same each time, in the order of time', { timeout: 60_000 }, async () => {
    const [one, two] = [inputsIn(testFolder()), inputsIn(testFolder())];
    for (const make of [pointFile, eventFile, mixedFile]) {
      const path = await make(one, 1000);
      expect(readFileSync(path).equals(readFileSync(await make(two, 1000)))).toBe(true);
      const file = await openDataFile(path);
      for (const section of file.sections) {
        const times: number[] = [];
        for await (const records of section.batches(section.header.datatype)) {
          times.push(...records.map((record) => ('time' in record ? record.time : 'x' in record ? record.x : 0)));
        }
        expect(times).toHaveLength(section.header.datatype === 'stack' ? 20 : 1000);
        expect(times).toEqual([...times].sort((a, b) => a - b));
      }
      await file.close();
    }
  });
});
