import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

/** Path of a test file, by its name. */
const TEST_FILES = new Map(
  readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts'))
    .sort((a, b) => (a.includes('e2e') ? 1 : 0) - (b.includes('e2e') ? 1 : 0))
    .map((path) => [basename(path, '.test.ts'), join(ROOT, 'test', path)]),
);

/** The rows of the tables whose last column is `test`, without their titles. */
function rowsOf(page: string): string[] {
  const rows: string[] = [];
  let isTable = false;
  for (const line of readFileSync(join(ROOT, 'docs', page), 'utf8').split('\n')) {
    if (!line.startsWith('|')) isTable = false;
    else if (/\| test *\|$/.test(line)) isTable = true;
    else if (isTable && !/^\| ?-/.test(line)) rows.push(line);
  }
  return rows;
}

/** The last column of a row: `file`: name of the test. */
function namedTest(row: string): { file: string; name: string } | undefined {
  const [, file, name] = /\| `([\w-]+)`: ([^|]+?) *\|$/.exec(row) ?? [];
  return file === undefined || name === undefined ? undefined : { file, name };
}

describe.each([
  ['reliability.md', 70],
  ['security.md', 25],
])('docs/%s', (page, least) => {
  const rows = rowsOf(page);
  const tests = rows.flatMap((row) => namedTest(row) ?? []);

  test('names the test of each row', () => {
    expect(rows.filter((row) => namedTest(row) === undefined)).toEqual([]);
    expect(rows.length).toBeGreaterThanOrEqual(least);
  });

  test.each(tests)('$file: $name', ({ file, name }) => {
    const path = TEST_FILES.get(file);
    expect(path, `a test file ${file}.test.ts`).toBeDefined();
    expect(readFileSync(path!, 'utf8').replace(/\\(?=['"])/g, '')).toContain(`'${name}`);
  });
});
