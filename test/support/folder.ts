import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, onTestFinished } from 'vitest';

/** As it was when the tests began: a test may set TMPDIR. */
const TMP = tmpdir();

/** A private folder for one test; it goes with the test. */
export function testFolder(): string {
  const folder = mkdtempSync(join(TMP, 'test-folder-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Whether files can be given to others. Where CI=true the tests that need it run, and fail, without. */
export const ROOT = process.geteuid?.() === 0 || process.env['CI'] === 'true';

const lasting: string[] = [];
// Once for each file: a hook that is added while tests run would be too late.
afterAll(() => {
  for (const folder of lasting) rmSync(folder, { recursive: true, force: true });
});

/** A private folder for all tests of a file. */
export function lastingFolder(parent = TMP): string {
  const folder = mkdtempSync(join(parent, 'test-folder-'));
  lasting.push(folder);
  return folder;
}
