import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { speedscopeExporter } from '../../../src/formats/speedscope.ts';
import { plainPage } from '../../support/browser.ts';
import { tempFolder } from '../../support/data-files.ts';
import { exportSections, SECTION, SOME } from '../../support/exports.ts';

test('speedscope itself imports what is exported for it', async () => {
  const { bytes } = await exportSections(speedscopeExporter, SOME, { pick: [SECTION.stacks, SECTION.samples] });
  // As the command speedscope has it: a script that hands the file over.
  const script = join(tempFolder(), 'profile.js');
  writeFileSync(script, `speedscope.loadFileFromBase64('x.json', '${bytes.toString('base64')}')`);
  const speedscope = dirname(createRequire(import.meta.url).resolve('speedscope/package.json'));
  const app = pathToFileURL(join(speedscope, 'dist/release/index.html')).href;
  const page = await plainPage(`${app}#view=sandwich&localProfilePath=${script}`);
  await page.getByText('callstack (samples)').first().waitFor();
  // A function's total and self weight, and its name.
  const rowOf = async (name: string): Promise<string[]> =>
    (await page.locator('tr', { hasText: name }).first().locator('td').allTextContents()).slice(-3);
  expect(await rowOf('write')).toEqual(['4 (50%)', '4 (50%)', 'write']);
  expect(await rowOf('main')).toEqual(['8 (100%)', '0 (<0.01%)', 'main']);
  expect(await rowOf('parse')).toEqual(['1 (13%)', '1 (13%)', 'parse<int, "x">']);
});
