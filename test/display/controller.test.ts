import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/common/config.ts';
import { EXIT } from '../../src/common/errors.ts';
import { type DisplayOptions, type DisplayResult, runDisplay } from '../../src/display/controller.ts';
import { displayConfigSections } from '../../src/display/registry.ts';
import { headerOf, type TestSection, tempFolder, textFile, writeFile } from '../support/data-files.ts';

const END = '2026-03-01T09:30:05.000Z';
const SECONDS = { label: 'time', unit: 's' };

const STACKS: TestSection = {
  header: headerOf('stack', {
    interface: 'callstack',
    end: END,
    tool: { name: 'perf', version: '6.1', command: ['perf'] },
    lost: 3,
  }),
  records: [{ weight: 5, stack: ['fio', 'read'] }],
};
const SAMPLES: TestSection = {
  header: headerOf('event', { interface: 'callstack', end: END, fields: ['stack', 'pid'] }),
  records: [{ time: 1e9, type: 'cpu-clock', datum: ['0', '7'] }],
};
const DISK: TestSection = {
  header: headerOf('datapoint', { interface: 'disklat', end: END, x: SECONDS, fields: ['comm', 'pid'] }),
  records: [{ x: 1, y: 2, info: ['fio', '7'] }],
};
const MEMORY: TestSection = {
  header: headerOf('datapoint', { interface: 'memtime', end: END, x: SECONDS, fields: ['comm', 'pid'] }),
  records: [{ x: 1, y: 2, info: ['fio', '7'] }],
};
/** Events of no process and no CPU: no view shows them. */
const CONNECTIONS: TestSection = {
  header: headerOf('event', { interface: 'ipc', end: END, fields: ['addr'] }),
  records: [{ time: 1e9, type: 'connect', datum: ['127.0.0.1'] }],
};
const EVENTS: TestSection = {
  header: headerOf('event', { interface: 'cpusched', end: END, fields: ['pid', 'comm'] }),
  records: [{ time: 1e9, type: 'wakeup', datum: ['7', 'fio'] }],
};
const ALL = [STACKS, SAMPLES, DISK, MEMORY];

let folder: string;
let input: string;

beforeEach(() => {
  folder = tempFolder();
  input = join(folder, 'x.marple');
});

async function display(
  sections: readonly TestSection[],
  options: Partial<DisplayOptions> = {},
  config = '',
): Promise<DisplayResult> {
  if (!existsSync(input)) await writeFile(input, sections);
  const settings = loadConfig(displayConfigSections(), [textFile(config, 'config.txt')]);
  return runDisplay(
    { inputs: [input], open: false, force: false, ...options },
    { config: settings, tempDir: tempFolder() },
  );
}

const views = ({ outputs }: DisplayResult) => outputs.map(({ interface: name, view }) => `${name} ${view}`);
const names = ({ outputs }: DisplayResult) => outputs.map(({ path }) => basename(path));
const here = (name: string) => join(folder, name);

describe('which view shows which section', () => {
  it('is the report where there are several interfaces', async () => {
    expect(views(await display(ALL))).toEqual(['callstack report']);
  });

  it('is the one that config names', async () => {
    const config = '[Display]\ndisklat = heatmap\nmemtime = stackplot\n';
    expect(views(await display(ALL, { pick: [3] }, config))).toEqual(['disklat heatmap']);
    expect(views(await display(ALL, { pick: [4] }, config))).toEqual(['memtime stackplot']);
  });

  it('is the first that fits where config says nothing', async () => {
    expect(views(await display(ALL, { pick: [1, 2] }))).toEqual(['callstack flamegraph']);
    expect(views(await display(ALL, { pick: [2] }))).toEqual(['callstack heatmap']);
    expect(views(await display(ALL, { pick: [4] }))).toEqual(['memtime heatmap']);
  });

  it('is one that can be text where that is wanted', async () => {
    const config = '[Display]\ncpusched = g2\n';
    const result = await display([EVENTS], { output: here('x.txt') }, config);
    expect(views(result)).toEqual(['cpusched plot']);
    expect(result.warnings).toContain('cpusched: config names g2, which is no text: shown as plot');
  });

  it('is as text too the report of several interfaces: each in its own view, and in numbers', async () => {
    const config = '[Display]\ncallstack = treemap\nmemtime = stackplot\n';
    const result = await display([...ALL, CONNECTIONS], { output: here('x.txt') }, config);
    expect([views(result), names(result)]).toEqual([['callstack report'], ['x.txt']]);
    const text = readFileSync(here('x.txt'), 'utf8');
    // The treemap of callstack, the stack plot of memtime, and the numbers of what no view shows.
    expect(text).toMatch(/by itself, and what is most of it\n.*fio › read 100 %/);
    expect(text).toMatch(/^a fio /m);
    expect(text).toMatch(/^5 {2}ipc: 1 event/m);
  });

  it('is every section that a flag fits', async () => {
    expect(views(await display(ALL, { view: 'stackplot' }))).toEqual(['disklat stackplot', 'memtime stackplot']);
    expect(views(await display(ALL, { view: 'flamegraph' }))).toEqual(['callstack flamegraph']);
  });

  it('is said where config names one that does not fit', async () => {
    const result = await display(ALL, { pick: [3] }, '[Display]\ndisklat = flamegraph\n');
    expect(views(result)).toEqual(['disklat heatmap']);
    expect(result.warnings).toEqual(['disklat: config names flamegraph, which does not fit: shown as heatmap']);
  });

  it('keeps to the sections of -e', async () => {
    const result = await display(ALL, { view: 'heatmap', pick: [4, 1] });
    expect(views(result)).toEqual(['memtime heatmap']);
  });

  it('is refused where the flag fits nothing, with a hint that names what does', async () => {
    await expect(display([DISK], { view: 'flamegraph' })).rejects.toMatchObject({
      exitCode: EXIT.usage,
      message: '-fg does not fit what the file holds: disklat (fits -hm, -sp)',
      hint: 'marple display -hm',
    });
    await expect(display([DISK], { pick: [2] })).rejects.toMatchObject({
      exitCode: EXIT.usage,
      message: expect.stringMatching(/has no section 2: its sections are 1 to 1$/),
      hint: 'marple display -l lists them',
    });
  });

  it('is refused where no view fits', async () => {
    await expect(display([CONNECTIONS], { output: here('x.txt') })).rejects.toMatchObject({
      exitCode: EXIT.usage,
      message: 'no view fits what the file holds: ipc (no view shows it as text)',
    });
  });
});

describe('several files', () => {
  const show = async (options: Partial<DisplayOptions>): Promise<DisplayResult> => {
    await writeFile(here('b.marple'), [DISK, MEMORY]);
    return display([STACKS, SAMPLES], { inputs: [input, here('b.marple')], ...options });
  };

  it('are listed with numbers that go through all of them', async () => {
    const { listing } = await show({ list: true });
    expect(listing?.map(({ number, file, interface: name }) => `${number} ${basename(file)} ${name}`)).toEqual([
      '1 x.marple callstack',
      '2 x.marple callstack',
      '3 b.marple disklat',
      '4 b.marple memtime',
    ]);
  });

  it('are each shown as they are alone, beside themselves', async () => {
    const result = await show({});
    expect(views(result)).toEqual(['callstack flamegraph', 'disklat report']);
    expect(names(result)).toEqual(['x.callstack.flamegraph.svg', 'b.report.html']);
    expect(result.outputs.map(({ file }) => basename(file))).toEqual(['x.marple', 'b.marple']);
    expect(result.warnings).toEqual([`${input}: callstack: 3 records lost by the kernel or the tool`]);
  });

  it('give outputs of different names, where the files have the same', async () => {
    mkdirSync(here('other'));
    await writeFile(here('other/x.marple'), [STACKS]);
    const files = { inputs: [input, here('other/x.marple')], view: 'flamegraph' } as const;
    const beside = await display([STACKS], files);
    expect(beside.outputs.map(({ path }) => path)).toEqual([
      here('x.callstack.flamegraph.svg'),
      here('other/x.callstack.flamegraph.svg'),
    ]);
    expect(names(await display([STACKS], { ...files, output: here('out.svg') }))).toEqual(['out.svg', 'out-2.svg']);
  });

  it('are picked from by -e, and say in each picture which file it is of', async () => {
    const picked = await show({ pick: [4], output: here('x.txt') });
    expect(views(picked)).toEqual(['memtime heatmap']);
    expect(readFileSync(here('x.txt'), 'utf8')).toContain(`${here('b.marple')} · 2026-03-01`);
    await expect(show({ pick: [5] })).rejects.toMatchObject({
      exitCode: EXIT.usage,
      message: 'the 2 files have no section 5: their sections are 1 to 4',
    });
  });

  it('are shown as far as a view fits; where it fits none it is refused', async () => {
    expect(views(await show({ view: 'flamegraph' }))).toEqual(['callstack flamegraph']);
    await expect(show({ view: 'flamegraph', pick: [3, 4] })).rejects.toMatchObject({
      exitCode: EXIT.usage,
      message: '-fg does not fit what the file holds: disklat (fits -hm, -sp), memtime (fits -hm, -sp)',
    });
  });
});

describe('where pictures go', () => {
  it('is beside the data file, with interface and view in the name, and again over our own pictures', async () => {
    const first = await display(ALL, { view: 'heatmap' });
    expect(first.outputs[1]?.path).toBe(here('x.disklat.heatmap.png'));
    expect(names(first)).toEqual(['x.callstack.heatmap.png', 'x.disklat.heatmap.png', 'x.memtime.heatmap.png']);
    expect(names(await display(ALL, { view: 'heatmap' }))).toEqual(names(first));
    expect(readdirSync(folder).sort()).toEqual(['x.marple', ...names(first)].sort());
    expect(names(await display(ALL))).toEqual(['x.report.html']);
  });

  it('spares a file of that name that is not ours, unless forced', async () => {
    writeFileSync(here('x.disklat.heatmap.png'), 'holiday');
    await expect(display([DISK])).rejects.toMatchObject({
      exitCode: EXIT.usage,
      message: expect.stringContaining("exists and is no picture of MARPLE's"),
    });
    expect(readFileSync(here('x.disklat.heatmap.png'), 'utf8')).toBe('holiday');
    await display([DISK], { force: true });
    expect(readFileSync(here('x.disklat.heatmap.png'), 'latin1')).toContain('PNG');
  });

  it('is FILE of -o, and FILE-2 for the second picture', async () => {
    const result = await display(ALL, { view: 'heatmap', output: here('out.png') });
    expect(names(result)).toEqual(['out.png', 'out-2.png', 'out-3.png']);
    expect(result.outputs.map(({ section }) => section)).toEqual([2, 3, 4]);
  });

  it('is refused before anything is drawn where one of the files exists', async () => {
    writeFileSync(here('out-2.png'), 'mine');
    await expect(display(ALL, { view: 'heatmap', output: here('out.png') })).rejects.toMatchObject({
      exitCode: EXIT.usage,
      message: `${here('out-2.png')} exists already`,
      hint: expect.stringContaining('--force'),
    });
    expect(existsSync(here('out.png'))).toBe(false);
    expect(names(await display(ALL, { view: 'heatmap', output: here('out.png'), force: true }))).toHaveLength(3);
  });

  it('numbers two sections of one interface', async () => {
    expect(names(await display([STACKS, STACKS], { view: 'flamegraph' }))).toEqual([
      'x.callstack.flamegraph.svg',
      'x.callstack.flamegraph-2.svg',
    ]);
  });

  it('stays in the folder, whatever the interface is called', async () => {
    const header = { ...DISK.header, interface: '../../etc/passwd' };
    const [output] = (await display([{ ...DISK, header }])).outputs;
    expect(output?.path).toBe(here('x..._.._etc_passwd.heatmap.png'));
  });

  it.each([
    ['out.svg', 'a heatmap cannot be written as .svg: it can be .png, .html and .txt', 'marple display -hm -o out.png'],
    ['out', 'out has no extension: it can be .png, .html and .txt', 'marple display -hm -o out.png'],
  ])('is refused for %s, which is no format of the view', async (name, message, hint) => {
    const refused = display([DISK], { view: 'heatmap', output: name });
    await expect(refused).rejects.toMatchObject({ exitCode: EXIT.usage, message, hint });
  });

  it('is refused where one file would need two formats, or stdout two pictures', async () => {
    await expect(display(ALL, { output: here('out.png') })).rejects.toMatchObject({
      exitCode: EXIT.usage,
      message: 'a report cannot be written as .png: it can be .html and .txt',
    });
    await expect(display(ALL, { view: 'heatmap', output: '-.png' })).rejects.toMatchObject({
      exitCode: EXIT.usage,
      message: 'only one picture goes to stdout, not 3',
      hint: expect.stringContaining('-e 2'),
    });
  });
});

describe('options', () => {
  it('lists the sections and draws nothing', async () => {
    const { listing, outputs } = await display(ALL, { list: true });
    expect(listing?.[0]).toEqual({
      number: 1,
      file: input,
      interface: 'callstack',
      datatype: 'stack',
      records: 1,
      seconds: 5,
      tool: 'perf 6.1',
      lost: 3,
    });
    expect(listing?.map(({ number, datatype }) => `${number} ${datatype}`)).toEqual([
      ...['1 stack', '2 event', '3 datapoint', '4 datapoint'],
    ]);
    expect([outputs, readdirSync(folder)]).toEqual([[], ['x.marple']]);
  });

  it('gives title, size and the view of config to the picture', async () => {
    const config = '[flamegraph]\nengine = builtin\ncolors = green\ntitle = from config\nwidth = 640\n';
    const path = here('out.svg');
    await display([STACKS], { output: path }, config);
    expect(readFileSync(path, 'utf8')).toContain('>from config</text>');
    expect(readFileSync(path, 'utf8')).toContain('width="640"');
    await display([STACKS], { output: path, title: 'from the flag', width: 700, force: true }, config);
    expect(readFileSync(path, 'utf8')).toContain('>from the flag</text>');
    expect(readFileSync(path, 'utf8')).toContain('width="700"');
  });

  it('passes on what the sections warn of, once', async () => {
    expect((await display(ALL)).warnings).toEqual(['callstack: 3 records lost by the kernel or the tool']);
  });

  it('refuses a filter that a picture cannot answer, before any is drawn', async () => {
    await expect(display([STACKS], { from: 1 })).rejects.toMatchObject({
      exitCode: EXIT.usage,
      message: expect.stringMatching(/^section 1 \(callstack, stack\) cannot answer --from/),
    });
    expect(readdirSync(folder)).toEqual(['x.marple']);
  });

  it('refuses a config that names a view or value that there is not', () => {
    const load = (text: string) => () => loadConfig(displayConfigSections(), [textFile(text, 'config.txt')]);
    expect(load('[Display]\ndisklat = piechart\n')).toThrow(
      expect.objectContaining({
        exitCode: EXIT.usage,
        hint: expect.stringMatching(/^allowed: flamegraph, heatmap, stackplot/),
      }),
    );
    expect(load('[heatmap]\nscale = cubic\n')).toThrow(expect.objectContaining({ exitCode: EXIT.usage }));
    expect(load('[flamegraph]\ncolors = pink\n')).toThrow(expect.objectContaining({ exitCode: EXIT.usage }));
  });
});
