import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readPage } from '../support/markdown.ts';
import { makeWorkbench, SHORTENED, STAND_INS, type Workbench } from '../support/workbench.ts';

const ROOT = join(import.meta.dirname, '../..');
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const textOf = (page: string): string => readFileSync(join(ROOT, page), 'utf8');

const workbench = makeWorkbench();
let bench: Workbench;
beforeAll(async () => {
  bench = await workbench;
});
afterAll(() => bench.remove());

describe('the command lines of the docs work', { timeout: 600_000 }, () => {
  test.each(PAGES.filter((page) => readPage(textOf(page)).runnables.length > 0))('%s', async (page) => {
    const { runnables, data } = readPage(textOf(page));
    const folder = bench.folder();
    if (data !== undefined) writeFileSync(join(folder, 'x.marple'), data);
    for (const { line, language, text, fails, output } of runnables) {
      const name = `block-${line}.py`;
      if (language === 'python') writeFileSync(join(folder, name), text);
      const ended = await bench.run(language === 'python' ? `python3 ${name}` : text, folder);
      const place = `${page}:${line}\n${text}${ended.stderr}`;
      if (fails) expect.soft(ended.code, place).toBeGreaterThan(0);
      else expect.soft(ended.code, place).toBe(0);
      if (output !== undefined) expect.soft(ended.stdout, place).toBe(output);
    }
  });
});

test('there are many of them, and few that are not run', () => {
  const pages = PAGES.map((page) => readPage(textOf(page)));
  expect(pages.flatMap(({ runnables }) => runnables).length).toBeGreaterThan(40);
  const notRun = pages.flatMap((page) => page.notRun);
  expect(notRun.length).toBeLessThan(4);
  for (const { why } of notRun) expect(why).toMatch(/\w+ \w+/);
});

test('CONTRIBUTING.md says what is shortened', () => {
  const text = textOf('CONTRIBUTING.md').replace(/\s+/g, ' ');
  for (const [, , what] of SHORTENED) expect(text).toContain(what);
  for (const name of Object.keys(STAND_INS)) expect(text).toContain(`\`${name}\``);
});

test('links and pictures lead somewhere', () => {
  for (const page of PAGES) {
    const links = [...textOf(page).matchAll(/\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, link = '']) => link);
    const broken = links.filter((link) => !existsSync(join(ROOT, dirname(page), link)));
    expect.soft(broken, page).toEqual([]);
  }
});

test('every page is linked from the README, or from one that is', () => {
  const seen = new Set<string>();
  const waiting = ['README.md'];
  for (let page = waiting.pop(); page !== undefined; page = waiting.pop()) {
    if (seen.has(page) || !existsSync(join(ROOT, page))) continue;
    seen.add(page);
    for (const [, link = ''] of textOf(page).matchAll(/\]\(([^)#\s]+\.md)(?:#[^)]*)?\)/g))
      waiting.push(join(dirname(page), link));
  }
  expect(PAGES.filter((page) => !seen.has(page))).toEqual([]);
});

test('flags in the running text are flags of their commands', async () => {
  const helps = new Map<string, string>();
  const folder = bench.folder();
  const unknown: string[] = [];
  for (const page of PAGES) {
    for (const [code, command = ''] of textOf(page).matchAll(/`marple (\w+)[^`]*`/g)) {
      if (page === 'docs/migration.md') continue;
      const help = helps.get(command) ?? (await bench.run(`marple ${command} --help`, folder)).stdout;
      helps.set(command, help);
      const [own = ''] = code.split(' -- ');
      for (const [, flag = ''] of own.matchAll(/ (--?[a-z][\w-]*)/g)) {
        if (!new RegExp(`(^|[ ,\\n])${flag}(?![\\w-])`).test(help)) unknown.push(`${page}: ${code}: ${flag}`);
      }
    }
  }
  expect(unknown).toEqual([]);
});
