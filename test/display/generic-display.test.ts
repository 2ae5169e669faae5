import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../src/common/errors.ts';
import { GenericDisplay, type Rendered, type ShowTarget, SIGNATURE } from '../../src/display/generic-display.ts';
import { StackPlot } from '../../src/display/stackplot.ts';
import { headerOf } from '../support/data-files.ts';
import { testFolder } from '../support/folder.ts';
import { jobOf } from './job.ts';

/** A view that gives what the test wants. */
class TestDisplay extends GenericDisplay<unknown> {
  picture: () => Rendered = () => Buffer.from(`<!-- ${SIGNATURE} -->new`);

  override async render(): Promise<Rendered> {
    return this.picture();
  }
}

async function display(): Promise<TestDisplay> {
  return new TestDisplay(await jobOf(StackPlot.description, [{ header: headerOf('datapoint'), records: [] }]));
}

const target = (path: string, replace: ShowTarget['replace'] = 'nothing'): ShowTarget => ({
  path,
  replace,
  open: false,
});

describe('GenericDisplay.show', () => {
  it('saves the picture, whole, and says that it was not opened', async () => {
    const folder = testFolder();
    const path = join(folder, 'x.svg');
    expect(await (await display()).show(target(path))).toBe(false);
    expect(readFileSync(path, 'utf8')).toBe(`<!-- ${SIGNATURE} -->new`);
    expect(readdirSync(folder)).toEqual(['x.svg']);
  });

  it('takes a picture that comes in pieces', async () => {
    const path = join(testFolder(), 'x.svg');
    const view = await display();
    view.picture = async function* () {
      yield Buffer.from('a');
      yield Buffer.from('b');
    };
    await view.show(target(path));
    expect(readFileSync(path, 'utf8')).toBe('ab');
  });

  it('leaves nothing behind where drawing fails in the middle, and what was there as it was', async () => {
    const folder = testFolder();
    const path = join(folder, 'x.svg');
    const view = await display();
    view.picture = async function* () {
      yield Buffer.from('half');
      throw new Error('the end of the data is damaged');
    };
    await expect(view.show(target(path))).rejects.toThrow('the end of the data is damaged');
    expect(readdirSync(folder)).toEqual([]);
    writeFileSync(path, 'old');
    await expect(view.show(target(path, 'any'))).rejects.toThrow('damaged');
    expect(readdirSync(folder)).toEqual(['x.svg']);
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  it.each<[string, string, ShowTarget['replace'], string | undefined]>([
    ['a file, where nothing may be replaced', 'text', 'nothing', 'exists already'],
    ['our own picture, where nothing may be replaced', `<!-- ${SIGNATURE} -->`, 'nothing', 'exists already'],
    ["somebody else's file, where only ours may be", 'text', 'own', "is no picture of MARPLE's"],
    ['our own picture, where it may be', `<!-- ${SIGNATURE} -->`, 'own', undefined],
    ['any file, where any may be', 'text', 'any', undefined],
  ])('meets %s', async (_, there, replace, refusal) => {
    const folder = testFolder();
    const path = join(folder, 'x.svg');
    writeFileSync(path, there);
    const shown = (await display()).show(target(path, replace));
    if (refusal === undefined) {
      await shown;
      expect(readFileSync(path, 'utf8')).toContain('new');
    } else {
      await expect(shown).rejects.toMatchObject({
        exitCode: EXIT.usage,
        message: expect.stringContaining(refusal),
        hint: expect.stringContaining('--force'),
      });
      expect(readFileSync(path, 'utf8')).toBe(there);
    }
    expect(readdirSync(folder)).toEqual(['x.svg']);
  });

  it('does not replace what came while it drew', async () => {
    const folder = testFolder();
    const path = join(folder, 'x.svg');
    const view = await display();
    view.picture = () => {
      writeFileSync(path, 'theirs');
      return Buffer.from('ours');
    };
    await expect(view.show(target(path))).rejects.toMatchObject({ message: `${path} exists already` });
    expect(readFileSync(path, 'utf8')).toBe('theirs');
    expect(readdirSync(folder)).toEqual(['x.svg']);
  });

  it('replaces a link and not what it leads to', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'precious'), 'precious');
    symlinkSync('precious', join(folder, 'x.svg'));
    await (await display()).show(target(join(folder, 'x.svg'), 'any'));
    expect(readFileSync(join(folder, 'precious'), 'utf8')).toBe('precious');
    expect(readFileSync(join(folder, 'x.svg'), 'utf8')).toContain('new');
  });

  it('refuses what is no file even with --force, and a folder that is not there', async () => {
    const folder = testFolder();
    mkdirSync(join(folder, 'x.svg'));
    await expect((await display()).show(target(join(folder, 'x.svg'), 'any'))).rejects.toMatchObject({
      exitCode: EXIT.usage,
      message: expect.stringContaining('is no regular file'),
    });
    await expect((await display()).show(target('/dev/null', 'any'))).rejects.toMatchObject({
      hint: expect.stringContaining('-o -'),
    });
    const nowhere = join(folder, 'missing', 'x.svg');
    await expect((await display()).show(target(nowhere, 'any'))).rejects.toMatchObject({
      exitCode: EXIT.usage,
      message: `${nowhere} cannot be written: there is no such file or folder`,
      hint: expect.stringContaining('mkdir -p'),
    });
    expect(existsSync('/dev/null')).toBe(true);
  });
});
