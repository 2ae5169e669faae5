import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseIni } from 'ini';
import { describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { type Config, loadConfig, parseConfig, type Sections } from '../../src/common/config.ts';
import { UsageError } from '../../src/common/errors.ts';
import { testFolder } from '../support/folder.ts';

const ROOT = join(import.meta.dirname, '../..');
const SHIPPED = join(ROOT, 'config.txt');

const sections: Sections = {
  heat: z.strictObject({
    title: z.string().default(''),
    width: z.coerce.number().int().min(200).max(2000).default(1200),
    least: z.coerce.number().positive().default(0.1),
    least_count: z.coerce.number().default(1),
    scale: z.enum(['linear', 'log']).default('log'),
    normalise: z.coerce.string().pipe(z.stringbool()).default(true),
  }),
  Display: z.record(z.string(), z.enum(['heat', 'flame'])),
};

function load(...texts: string[]): Config {
  const folder = testFolder();
  const files = texts.map((text, index) => {
    const path = join(folder, `config-${index + 1}.txt`);
    writeFileSync(path, text);
    return path;
  });
  return loadConfig(sections, files);
}

function thrown(run: () => unknown): UsageError {
  try {
    run();
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

function values(text: string): Record<string, string> {
  return Object.fromEntries(parseConfig(`[s]\n${text}`, 'x').map(({ key, value }) => [key, value]));
}

describe('loadConfig', () => {
  test('schemas coerce the text and give what no file says', () => {
    const config = load('[heat]\nwidth = 640\nnormalise = false\n');
    expect(config.get('heat', sections['heat'] as z.ZodType)).toEqual({
      title: '',
      width: 640,
      least: 0.1,
      least_count: 1,
      scale: 'log',
      normalise: false,
    });
    expect(config.section('heat')).toEqual({ width: '640', normalise: 'false' });
    expect(config.section('Tools')).toEqual({});
  });

  test('a later file goes before an earlier one, key by key', () => {
    const config = load(
      '[General]\ntime = 3\nfrequency = 49\n[Groups]\na = x,y\n',
      '[General]\ntime = 7\n[Groups]\nb = z\n',
    );
    expect(config.section('General')).toEqual({ time: '7', frequency: '49' });
    expect(config.section('Groups')).toEqual({ a: 'x,y', b: 'z' });
  });

  test('entries() tells where each value comes from', () => {
    const config = load('[heat]\n\nwidth = 640\nscale = log\n[Display]\na = heat', '[heat]\nwidth = 800\n');
    const entries = config.entries().filter(({ section }) => section !== 'General');
    expect(entries.map(({ section, key, value, source }) => [section, key, value, source.replace(/.*\//, '')])).toEqual(
      [
        ['heat', 'title', '', 'default'],
        ['heat', 'width', '800', 'config-2.txt:2'],
        ['heat', 'least', '0.1', 'default'],
        ['heat', 'least_count', '1', 'default'],
        ['heat', 'scale', 'log', 'config-1.txt:4'],
        ['heat', 'normalise', 'true', 'default'],
        ['Display', 'a', 'heat', 'config-1.txt:6'],
      ],
    );
  });

  const mistakes: [string, string, string, string][] = [
    [
      'unknown section',
      '[heat]\n[haet]\nx = 1\n',
      ':3: there is no config section [haet]',
      'allowed sections: General, Tools, Groups, heat, Display',
    ],
    [
      'unknown key',
      '# a comment\n[heat]\nwitdh = 1\n',
      ":3: [heat] has no setting 'witdh'",
      'allowed settings: title, width, least, least_count, scale, normalise',
    ],
    [
      'too small',
      '[heat]\nwidth = 3\n',
      ":2: width of [heat] cannot be '3'",
      'allowed: a whole number from 200 to 2000',
    ],
    [
      'no number',
      '[heat]\n\nwidth = wide\n',
      ":3: width of [heat] cannot be 'wide'",
      'allowed: a whole number from 200 to 2000',
    ],
    ['not whole', '[heat]\nwidth = 300.5\n', "cannot be '300.5'", 'allowed: a whole number from 200 to 2000'],
    [
      'empty is not 0',
      '[General]\ntime =\n',
      ":2: time of [General] cannot be ''",
      'allowed: a number above 0 to 2000000',
    ],
    [
      'nor where 0 is allowed',
      '[heat]\nleast_count = ""\n',
      ":2: least_count of [heat] cannot be ''",
      'allowed: a number',
    ],
    ['not above 0', '[heat]\nleast = 0\n', "cannot be '0'", 'allowed: a number above 0'],
    ['none of a list', '[heat]\nscale = cubic\n', ":2: scale of [heat] cannot be 'cubic'", 'allowed: linear, log'],
    ['neither true nor false', '[heat]\nnormalise = perhaps\n', "cannot be 'perhaps'", 'allowed: true, false'],
    [
      'none of a list, in a record',
      '[Display]\nx = heat\ny = warm\n',
      ":3: y of [Display] cannot be 'warm'",
      'allowed: heat, flame',
    ],
    ['an empty group', '[Groups]\nx =\n', ":2: x of [Groups] cannot be ''", 'allowed: names, separated by commas'],
    ['an empty text that may not be', '[General]\nout_dir = ""\n', ':2: out_dir of [General]', 'allowed: '],
  ];
  test.each(mistakes)('%s is refused', (_, text, message, hint) => {
    const error = thrown(() => load(text));
    expect(error.message).toContain('config-1.txt:');
    expect(error.message).toContain(message);
    expect(error.hint).toContain(hint);
  });

  test('a bad value that the user has mended is no mistake', () => {
    expect(load('[heat]\nwidth = 1\n', '[heat]\nwidth = 300\n').section('heat')).toEqual({ width: '300' });
  });

  test('names of Object.prototype are no sections and no keys', () => {
    expect(thrown(() => load('[constructor]\nx = 1\n')).message).toContain('no config section [constructor]');
    expect(thrown(() => load('[heat]\ntoString = 1\n')).message).toContain("no setting 'toString'");
    expect(thrown(() => load('[__proto__]\nx = 1\n')).message).toContain("'__proto__' is no name");
    expect(thrown(() => load('[Tools]\n__proto__ = x\n')).message).toContain('neither a section nor a setting');
    expect(load('').section('Tools')['x']).toBeUndefined();
  });

  test('a file that is missing, a folder, or not UTF-8', () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'latin1'), Buffer.from('[heat]\ntitle = caf\xe9\n', 'latin1'));
    for (const name of ['none', '', 'latin1']) {
      const error = thrown(() => loadConfig({}, [join(folder, name)]));
      expect(error.message).toContain(`the config file ${join(folder, name)} cannot be read`);
    }
  });
});

describe('the files that are read where none are named', () => {
  test('the shipped one, and the user’s own where there is one', () => {
    const folder = testFolder();
    vi.stubEnv('XDG_CONFIG_HOME', folder);
    const views: Sections = Object.fromEntries(
      [...new Set(parseConfig(readFileSync(SHIPPED, 'utf8'), '').map(({ section }) => section))]
        .filter((section) => !['General', 'Tools', 'Groups'].includes(section))
        .map((section) => [section, z.record(z.string(), z.string())]),
    );
    expect(loadConfig(views).section('General')['time']).toBe('5');
    expect(loadConfig(views).entries()[0]?.source).toMatch(/\/config\.txt:\d+$/);
    mkdirSync(join(folder, 'marple'));
    writeFileSync(join(folder, 'marple/config.txt'), '[General]\ntime = 8\n');
    expect(loadConfig(views).section('General')['time']).toBe('8');
    vi.unstubAllEnvs();
  });
});

describe('parseConfig', () => {
  test('every value is text', () => {
    expect(values('a = true\nb=false\nc = null\nd = 5\ne = \nf = 007\ng = {"x":1}')).toEqual({
      a: 'true',
      b: 'false',
      c: 'null',
      d: '5',
      e: '',
      f: '007',
      g: '{"x":1}',
    });
    expect(values(`a = "true"\nb = 'null'\nc = '5'\nd = '{"x":1}'`)).toEqual({
      a: 'true',
      b: 'null',
      c: '5',
      d: '{"x":1}',
    });
  });

  test('comments, of lines and behind values', () => {
    expect(values('# x = 1\n  ; y = 2\na = b # c\nd = e;f\ng = h \\; i \\# j # k\nl = # nothing')).toEqual({
      a: 'b',
      d: 'e',
      g: 'h ; i # j',
      l: '',
    });
    expect(parseConfig('[a] # b\nc = d\n[e];f\ng = h', 'x').map(({ section }) => section)).toEqual(['a', 'e']);
  });

  test('quotes keep blanks, comment signs and equals signs', () => {
    expect(values(`a = "b; c # d = e" # f\ng = ' h "i" '\nj = "k\\"l\\u00e9"\nm = n = o\np = Ada's`)).toEqual({
      a: 'b; c # d = e',
      g: ' h "i" ',
      j: 'k"lé',
      m: 'n = o',
      p: "Ada's",
    });
  });

  test('a name with dots is one name, brackets make no list', () => {
    expect(parseConfig('[a.b]\nc.d = e', 'x')).toEqual([{ section: 'a.b', key: 'c.d', value: 'e', source: 'x:2' }]);
    expect(() => parseConfig('[a]\nb[] = c', 'x')).toThrow('x:2: this is neither a section nor a setting: b[] = c');
  });

  test('byte order mark, CRLF, sections in several parts, no newline at the end', () => {
    const entries = parseConfig('\uFEFF[a]\r\nb = c\r\n\r\n[d]\r\n[a]\r\ne = f', 'x');
    expect(entries).toEqual([
      { section: 'a', key: 'b', value: 'c', source: 'x:2' },
      { section: 'a', key: 'e', value: 'f', source: 'x:6' },
    ]);
  });

  const mistakes: [string, RegExp][] = [
    ['[a]\nb', /^x:2: this is neither/],
    ['[a]\n= b', /^x:2: this is neither/],
    ['[a\nb = c', /^x:1: this is neither/],
    ['[]\nb = c', /^x:1: '' is no name of a section/],
    ['b = c', /^x:1: b stands in no section/],
    ['[a]\nb = "c', /^x:2: the quotes of b are not closed/],
    ['[a]\nb = "c" d', /^x:2: the quotes of b/],
    ['[a]\nb = "\\x"', /^x:2: the quotes of b/],
    ["[a]\nb = '", /^x:2: the quotes of b/],
    ['[a]\nb = 1\nc = 2\nb = 3', /^x:4: b of \[a\] is set already, in line 2/],
  ];
  test.each(mistakes)('%j is refused', (text, message) => {
    const error = thrown(() => parseConfig(text, 'x'));
    expect(error.message).toMatch(message);
    expect(error.hint).toBeDefined();
  });

  test('the shipped file means the same to the package ini', () => {
    const text = readFileSync(SHIPPED, 'utf8');
    const ours: Record<string, Record<string, string>> = {};
    for (const { section, key, value } of parseConfig(text, SHIPPED)) {
      ours[section] ??= {};
      ours[section][key] = value;
    }
    const theirs = JSON.parse(JSON.stringify(parseIni(text)), (_, value: unknown) =>
      typeof value === 'boolean' ? String(value) : value,
    ) as Record<string, object>;
    for (const [section, empty] of Object.entries(theirs)) if (Object.keys(empty).length === 0) delete theirs[section];
    expect(ours).toEqual(theirs);
  });
});
