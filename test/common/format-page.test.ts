import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FORMAT_VERSION, headerSchema } from '../../src/common/header.ts';
import { openDataFile } from '../../src/common/reader.ts';
import { readRecords, textFile } from '../support/data-files.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/format.md'), 'utf8');

/** The text of the page's block of a language. */
function block(language: string): string {
  const text = new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(page)?.[1];
  if (text === undefined) throw new Error(`docs/format.md has no block of ${language}`);
  return text;
}

test('the example of the format page is a data file', async () => {
  const file = await openDataFile(textFile(block('marple')));
  const sections = await Promise.all(file.sections.map(readRecords));
  expect(sections.map((records) => records.length)).toEqual([2, 4, 3]);
  expect(sections[2]![2]).toMatchObject({
    x: 1.730022,
    y: 4.75,
    info: ['comma, inc.', '88', '88', 'WS', 'vda', '1050624', '16384', ''],
  });
  await file.close();
});

test('the page names every key of the header, and the version', () => {
  for (const key of Object.keys(headerSchema.shape)) expect(page).toContain(`\`${key}\``);
  expect(page).toContain(`This page describes version ${FORMAT_VERSION}.`);
});
