import { once } from 'node:events';
import { createWriteStream, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EventData, MarpleRecord } from '../../src/common/datatypes.ts';
import { SCHED_FIELDS } from '../../src/formats/sched.ts';
import { parseXml, type XmlElement } from '../display/svg.ts';
import { openPage, plainPage } from '../support/browser.ts';
import { readCpel } from '../support/cpel.ts';
import { headerOf, type TestSection, writeFile } from '../support/data-files.ts';
import { makePlace } from './marple.ts';

/** What a process could be called, or a file from elsewhere could hold. */
const NAMES = [
  '__proto__',
  'constructor',
  '../../etc/passwd',
  '/etc/passwd',
  '\x1b]0;owned\x07\x1b[31mred',
  '\x9b31m',
  '\u202egnp.exe',
  '<script>window.owned = 1</script>',
  '</script><script>window.owned = 1</script>',
  '"><svg onload="window.owned = 1">',
  "' onmouseover='window.owned = 1",
  '<img src=x onerror="window.owned = 1">',
  'javascript:window.owned=1',
  '=HYPERLINK("http://127.0.0.1/","x")',
  '+1+1',
  '@SUM(A1:A9)',
  '-2+3',
  '\t=1+1',
  "\\'),(window.owned=1),('",
  '%n%s%99999999s',
  'a,b;c\nd\re\\',
  '\0',
  '\udcff',
  'x'.repeat(10_000),
];

const place = makePlace();
afterAll(() => place.remove());

const clock = { name: 'CLOCK_MONOTONIC', origin: '1', realtime: '2026-03-01T09:30:00.000Z' };
const end = '2026-03-01T09:30:01.000Z';

function sections(): TestSection[] {
  const events = (make: (name: string, i: number) => EventData): MarpleRecord[] => NAMES.map(make);
  return [
    {
      header: headerOf('stack', {
        interface: 'callstack',
        end,
        clock,
        weight: { label: 'samples', unit: 'constructor' },
      }),
      records: NAMES.map((name) => ({ weight: 3, stack: ['sh', name, `${name}()`] })),
    },
    {
      header: headerOf('datapoint', {
        interface: 'disklat',
        end,
        clock,
        x: { label: 'time', unit: 's' },
        y: { label: '__proto__', unit: '<b>' },
        fields: ['comm', 'pid', 'tid', 'op', 'dev', 'sector', 'bytes', 'stack'],
      }),
      records: NAMES.map((name, i) => ({ x: i / 100, y: i + 1, info: [name, '1', '1', name, name, '8', '4096', ''] })),
    },
    {
      header: headerOf('event', {
        interface: 'cpusched',
        end,
        clock,
        fields: ['cpu', 'pid', 'comm', 'other_pid', 'other_comm', 'state'],
      }),
      records: events((name, i) => ({
        time: i * 1000,
        type: 'switch',
        datum: ['0', `${i}`, name, `${i + 1}`, name, 'S'],
      })),
    },
    {
      header: headerOf('event', {
        interface: '../../etc/passwd',
        end,
        clock,
        fields: ['comm', '__proto__', 'constructor'],
      }),
      records: events((name, i) => ({ time: i * 1000, type: name, datum: [name, name, name] })),
    },
    {
      header: headerOf('datapoint', {
        interface: '__proto__',
        end,
        clock,
        fields: ['comm'],
        warnings: NAMES,
        notes: ['<script>window.owned = 1</script>'],
        host: '\x1b[31m',
        tool: { name: '</script>', version: '\x07', command: NAMES },
      }),
      records: NAMES.map((name, i) => ({ x: i, y: 1, info: [name] })),
    },
  ];
}

beforeAll(async () => {
  await writeFile(place.path('hostile.marple'), sections());
});

/** Control characters, and those that change how the text around them reads. Lines may end. */
const RAW = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;

describe('a terminal', () => {
  test.each([
    [['display', '-l', '-i', 'hostile.marple']],
    [['stats', '-i', 'hostile.marple']],
    [['stats', '-i', 'hostile.marple', '--json']],
    [['display', '-i', 'hostile.marple', '-fg', '-e', '1', '-o', '-']],
    [['display', '-i', 'hostile.marple', '-hm', '-e', '2', '-o', '-']],
    [['display', '-i', 'hostile.marple', '-sp', '-e', '2', '-o', '-']],
    [['display', '-i', 'hostile.marple', '-plt', '-e', '3', '-o', '-']],
    [['display', '-i', 'hostile.marple', '-fg', '-e', '1', '-o', 'no/such/\x1b[31mfolder.svg']],
    [['import', '\x1b]0;owned\x07']],
    [['collect', '\x1b[31m']],
  ])('is sent nothing raw by %j', async (args) => {
    const { stdout, stderr } = await place.marple(args);
    expect(`${stdout}${stderr}`).not.toMatch(RAW);
    expect(`${stdout}${stderr}`).not.toContain('bug of MARPLE');
  });
});

describe('a browser', () => {
  test.each(['-r', '-fg -e 1', '-tm -e 1', '-hm -e 2', '-sp -e 2', '-plt -e 3'])(
    'runs nothing of what is in the data: %s',
    async (view) => {
      const path = place.path(`view${view.replace(/\W/g, '')}.html`);
      const drawn = await place.marple(['display', '-i', 'hostile.marple', ...view.split(' '), '-o', path]);
      expect(drawn).toMatchObject({ code: 0 });
      const page = await openPage(path);
      await hoverAll(page);
      expect(await page.evaluate(() => 'owned' in globalThis)).toBe(false);
    },
  );
});

/** Moves over what the page shows, and into it. */
async function hoverAll(page: Page): Promise<void> {
  for (const element of (await page.locator('button, canvas, td, a, .func_g, g > rect').all()).slice(0, 60)) {
    await element.hover({ timeout: 300, force: true }).catch(() => undefined);
  }
}

/** Tags of all elements of a document. */
function tagsOf({ tag, children }: XmlElement): string[] {
  return [tag, ...children.flatMap(tagsOf)];
}

test.each(['flamegraph.pl', 'builtin'])('SVG is well-formed, and holds no script but its own: %s', async (engine) => {
  mkdirSync(place.path('config/marple'), { recursive: true });
  writeFileSync(place.path('config/marple/config.txt'), `[flamegraph]\nengine = ${engine}\n`);
  try {
    const made = await place.marple(['display', '-i', 'hostile.marple', '-fg', '-e', '1', '-o', 'x.svg', '--force']);
    expect(made).toMatchObject({ code: 0 });
  } finally {
    rmSync(place.path('config'), { recursive: true });
  }
  const tags = new Set(tagsOf(parseXml(readFileSync(place.path('x.svg')))));
  expect([...tags].filter((tag) => /^(?:img|a|image|foreignObject|iframe|b)$/.test(tag))).toEqual([]);
  const page = await plainPage(pathToFileURL(place.path('x.svg')).href);
  await hoverAll(page);
  expect(await page.evaluate(() => 'owned' in globalThis)).toBe(false);
});

describe('other programs', () => {
  test('a spreadsheet is given no formula', async () => {
    for (const section of ['1', '2', '3', '4', '5']) {
      const args = ['export', '-i', 'hostile.marple', '-e', section, '--format', 'csv', '-o', '-'];
      const { code, stdout } = await place.marple(args);
      expect(code).toBe(0);
      // Cells that begin with what begins a formula, quoted or not, and are no numbers.
      const cells = stdout.split(/\r\n/).flatMap((row) => row.match(/(?:^|,)"?[=+\-@\t][^,\r\n]*/g) ?? []);
      expect(cells.filter((cell) => !/^,?-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(cell))).toEqual([]);
      expect(stdout.replaceAll('\r\n', '\n')).not.toMatch(RAW);
    }
  });

  test('G2 is given a good event log, in which no text is a format', async () => {
    const args = ['export', '-i', 'hostile.marple', '-e', '3', '--format', 'cpel', '-o', 'x.cpel'];
    expect(await place.marple(args)).toMatchObject({ code: 0 });
    expect(readCpel(readFileSync(place.path('x.cpel'))).events).toHaveLength(NAMES.length);
  });

  test.each(['speedscope', 'trace-event'])('%s is JSON', async (format) => {
    const args = ['export', '-i', 'hostile.marple', '--format', format, '-o', `x.${format}`];
    expect(await place.marple(args)).toMatchObject({ code: 0 });
    const text = readFileSync(place.path(`x.${format}`), 'utf8');
    expect(() => JSON.parse(text) as unknown).not.toThrow();
  });

  test('folded lines are one stack each', async () => {
    const args = ['export', '-i', 'hostile.marple', '-e', '1', '--format', 'folded', '-o', '-'];
    const { stdout } = await place.marple(args);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(NAMES.length);
    for (const line of lines) expect(line).toMatch(/^sh;.* 3$/);
  });

  test('pprof and a part as a data file', async () => {
    for (const format of ['pprof', 'marple']) {
      const args = ['export', '-i', 'hostile.marple', '-e', '1', '--format', format, '-o', `y.${format}`];
      expect(await place.marple(args)).toMatchObject({ code: 0 });
    }
    expect(await place.marple(['stats', '-i', 'y.marple'])).toMatchObject({ code: 0 });
  });
});

test('no name leads out of the folder', async () => {
  const outer = makePlace();
  try {
    mkdirSync(outer.path('a/b/c'), { recursive: true });
    mkdirSync(outer.path('etc'));
    const into = outer.path('a/b/c');
    const commands = [
      ['display', '-i', 'hostile.marple', '-r', '-o', `${into}/x.html`],
      ['export', '-i', 'hostile.marple', '-e', '4', '--format', 'marple', '-o', `${into}/x.marple`],
      ['export', '-i', 'hostile.marple', '-e', '4', '--format', 'csv', '-o', `${into}/x.csv`],
      ['export', '-i', 'hostile.marple', '-e', '1', '--format', 'folded', '-o', `${into}/x.folded`],
    ];
    for (const command of commands) {
      expect({ command, ...(await place.marple(command)) }).toMatchObject({ code: 0 });
    }
    const written = readdirSync(outer.dir, { recursive: true, encoding: 'utf8' });
    expect(written.filter((path) => !path.startsWith('a/b/c/')).sort()).toEqual(['a', 'a/b', 'a/b/c', 'etc', 'temp']);
    expect(readdirSync(into).length).toBeGreaterThanOrEqual(commands.length);
  } finally {
    outer.remove();
  }
});

describe('extremes', () => {
  /** Memory of Node's heap, MiB; the largest of these files has 64 MiB. */
  const SMALL_HEAP = { NODE_OPTIONS: '--max-old-space-size=700' };
  const HEADER = JSON.stringify(
    headerOf('stack', { interface: 'callstack', weight: { label: 'samples', unit: 'samples' } }),
  );

  async function views(name: string, code = 0): Promise<string> {
    let said = '';
    const commands = [
      ['display', '-l'],
      ['stats'],
      ['display', '-fg', '-o', 'x.svg', '--force'],
      ['display', '-tm', '-o', 'x.html', '--force'],
      ['display', '-r', '-o', 'x.html', '--force'],
      ['export', '--format', 'pprof', '-o', 'x.pprof', '--force'],
      ['export', '--format', 'speedscope', '-o', 'x.speedscope', '--force'],
    ];
    for (const command of commands) {
      const ended = await place.marple([...command, '-i', name], { env: SMALL_HEAP });
      expect({ command, ...ended }).toMatchObject({ code });
      expect(ended.stderr).not.toContain('bug of MARPLE');
      said += ended.stderr;
    }
    return said;
  }

  test('a stack of a million frames', async () => {
    const frames = Array.from({ length: 1_000_000 }, (_, i) => `f${i % 10}`).join(';');
    writeFileSync(place.path('deep.marple'), `${HEADER}\n7#${frames}\n3#sh;main\n`);
    await views('deep.marple');
  });

  test('weights up to 2^53 - 1, whose sum no number holds exactly', async () => {
    const most = Number.MAX_SAFE_INTEGER;
    writeFileSync(place.path('heavy.marple'), `${HEADER}\n${most}#sh;a\n${most}#sh;b\n1#sh;c\n`);
    await views('heavy.marple');
  });

  test.each([
    ['2^53', `${2 ** 53}#sh;a`],
    ['below 0', '-1#sh;a'],
    ['a raw NUL', '1#sh;\0'],
    ['a raw escape sequence', '1#sh;\x1b[31m'],
    ['a lone surrogate', Buffer.from('1#sh;\xed\xa0\x80', 'latin1')],
    ['a byte that is not UTF-8', Buffer.from('1#sh;\xff', 'latin1')],
    ['an escape that is none', '1#sh;\\q'],
  ])('%s in a line is damage, with path and line', async (_, line) => {
    writeFileSync(
      place.path('damaged.marple'),
      Buffer.concat([Buffer.from(`${HEADER}\n1#sh;ok\n`), Buffer.from(line), Buffer.from('\n')]),
    );
    const { code, stderr } = await place.marple(['stats', '-i', 'damaged.marple']);
    expect({ code, stderr }).toMatchObject({
      code: 65,
      stderr: expect.stringMatching(/^marple: damaged\.marple:3: /m),
    });
    expect(stderr).not.toMatch(RAW);
  });

  test.each([
    ['lone surrogates', { interface: '\ud800', host: '\udfff' }],
    [
      'keys like __proto__',
      JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}') as object,
    ],
  ])('a header with %s is read', async (_, more) => {
    const header = { ...(JSON.parse(HEADER) as object), ...more };
    writeFileSync(place.path('header.marple'), `${JSON.stringify(header)}\n1#sh;ok\n`);
    const { code, stdout, stderr } = await place.marple(['stats', '-i', 'header.marple']);
    expect({ code, stderr }).toMatchObject({ code: expect.toBeOneOf([0, 65]) });
    expect(stdout + stderr).not.toMatch(RAW);
    expect(stderr).not.toContain('bug of MARPLE');
  });

  test.each([100, 100_000])('a header of objects within objects, %i deep', async (depth) => {
    const nested = `${'{"a":'.repeat(depth)}{}${'}'.repeat(depth)}`;
    writeFileSync(place.path('nested.marple'), `${HEADER.slice(0, -1)},"options":${nested}}\n1#sh;ok\n`);
    for (const command of [['stats'], ['display', '-r', '-o', 'nested.html', '--force']]) {
      const { code, stderr } = await place.marple([...command, '-i', 'nested.marple'], { env: SMALL_HEAP });
      expect({ code, stderr }).toMatchObject({ code: expect.toBeOneOf([0, 65]) });
      expect(stderr).not.toContain('bug of MARPLE');
    }
  });

  test('a header of 50 MB', async () => {
    const file = createWriteStream(place.path('long.marple'));
    file.write(`${HEADER.slice(0, -1)},"warnings":["x"`);
    for (let i = 0; i < 50; i++) file.write(`,"${'w'.repeat(1 << 20)}"`);
    file.end(']}\n1#sh;ok\n');
    await once(file, 'close');
    const { code, stderr } = await place.marple(['display', '-l', '-i', 'long.marple'], { env: SMALL_HEAP });
    expect({ code, stderr: stderr.slice(0, 300) }).toMatchObject({ code: 0 });
  });

  test('a header of 70 MB is refused, in bounded memory', async () => {
    const file = createWriteStream(place.path('longer.marple'));
    file.write(`${HEADER.slice(0, -1)},"warnings":["x"`);
    for (let i = 0; i < 70; i++) file.write(`,"${'w'.repeat(1 << 20)}"`);
    file.end(']}\n1#sh;ok\n');
    await once(file, 'close');
    const { code, stderr } = await place.marple(['display', '-l', '-i', 'longer.marple'], { env: SMALL_HEAP });
    expect({ code, stderr: stderr.slice(0, 300) }).toMatchObject({
      code: 65,
      stderr: expect.stringMatching(/longer\.marple:1: /),
    });
  });

  test('a compressed file that grows to 200 MB is read in bounded memory', async () => {
    writeFileSync(place.path('bomb.gz'), gzipSync(Buffer.alloc(200 << 20, 'x'), { level: 1 }));
    const args = ['import', 'bomb.gz', '--format', 'folded', '-o', 'bomb.marple'];
    const { code, stderr } = await place.marple(args, { env: { NODE_OPTIONS: '--max-old-space-size=150' } });
    expect({ code, stderr: stderr.slice(0, 300) }).toMatchObject({ code: 65 });
  });

  test('times at the ends of what a number holds', async () => {
    const header = JSON.stringify(headerOf('event', { interface: 'cpusched', fields: [...SCHED_FIELDS] }));
    const most = Number.MAX_SAFE_INTEGER;
    const lines = [-most, 0, most].map((time, i) => `${time},switch,0,${i + 1},sh,${i + 2},sh,S\n`);
    writeFileSync(place.path('times.marple'), `${header}\n${lines.join('')}`);
    for (const view of ['-plt', '-r']) {
      const args = ['display', view, '-i', 'times.marple', '-o', 'x.html', '--force'];
      const ended = await place.marple(args, { env: SMALL_HEAP });
      expect(ended).toMatchObject({ code: 0, stderr: expect.not.stringContaining('bug of MARPLE') });
    }
    expect(await place.marple(['stats', '-i', 'times.marple'])).toMatchObject({ code: 0 });
  });

  test('values at the ends of what a number holds', async () => {
    const header = JSON.stringify(headerOf('datapoint', { interface: 'disklat', fields: ['comm'] }));
    writeFileSync(place.path('values.marple'), `${header}\n-1e308,1e308,sh\n0,5e-324,sh\n1e308,-1e308,sh\n`);
    for (const view of ['-hm', '-sp', '-r']) {
      const ended = await place.marple(['display', view, '-i', 'values.marple', '-o', 'x.html', '--force'], {
        env: SMALL_HEAP,
      });
      expect(ended.stderr).not.toContain('bug of MARPLE');
      expect(ended.code).toBe(0);
    }
    expect(await place.marple(['stats', '-i', 'values.marple'])).toMatchObject({ code: 0 });
  });
});
