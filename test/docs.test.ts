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

/** The last column of each table row: `file`: name of the test. */
function namedTests(page: string): { file: string; name: string }[] {
  const rows = readFileSync(join(ROOT, 'docs', page), 'utf8').split('\n');
  return rows.flatMap((row) => {
    const [, file, name] = /\| `([\w-]+)`: ([^|]+?) *\|$/.exec(row) ?? [];
    return file === undefined || name === undefined ? [] : [{ file, name }];
  });
}

describe.each([['reliability.md', 70]])('docs/%s', (page, least) => {
  const tests = namedTests(page);

  test('names the test of each row', () => {
    const rows = readFileSync(join(ROOT, 'docs', page), 'utf8').split('\n');
    const withoutTest = rows.filter((row) => /^\| /.test(row) && !/^\| (fault|-+ )/.test(row)).length - tests.length;
    expect(withoutTest).toBe(0);
    expect(tests.length).toBeGreaterThanOrEqual(least);
  });

  test.each(tests)('$file: $name', ({ file, name }) => {
    const path = TEST_FILES.get(file);
    expect(path, `a test file ${file}.test.ts`).toBeDefined();
    expect(readFileSync(path!, 'utf8').replace(/\\(?=['"])/g, '')).toContain(`'${name}`);
  });
});
