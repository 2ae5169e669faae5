import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { groupSections } from '../../src/analysis/select.ts';
import { openDataFile } from '../../src/common/reader.ts';
import type { DisplayJob, ViewDescription } from '../../src/display/generic-display.ts';
import { PAPER } from '../../src/display/text/screen.ts';
import { type TestSection, tempFolder, writeFile } from '../support/data-files.ts';

/** What a view is given to draw the first section of a file with these sections. */
export async function jobOf<Options>(
  view: ViewDescription<string, Options>,
  sections: readonly TestSection[],
  options: Partial<Options> = {},
  more: Partial<Omit<DisplayJob<Options>, 'options' | 'section' | 'group'>> = {},
): Promise<DisplayJob<Options>> {
  const path = join(tempFolder(), 'x.marple');
  await writeFile(path, sections);
  const file = await openDataFile(path);
  onTestFinished(() => file.close());
  const group = groupSections(file.sections)[0]!;
  return {
    section: group.shown[0]!,
    group,
    groups: [group],
    filter: {},
    options: view.options.parse(options),
    format: view.formats[0],
    title: undefined,
    width: undefined,
    height: undefined,
    showIdle: false,
    screen: PAPER,
    ...more,
  };
}
