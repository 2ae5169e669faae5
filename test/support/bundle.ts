import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, onTestFinished } from 'vitest';
import { getCurrentTest } from 'vitest/suite';

/** As it was when the tests began: a test may set TMPDIR. */
const TMP = tmpdir();

/**
 * Bundles a script the way the command line is bundled, and gives the path of the program. The script imports from
 * `common/...` by paths relative to the folder src/. It goes with the test, or the group of tests, that it is made in.
 */
export function bundleScript(source: string): string {
  const folder = mkdtempSync(join(TMP, 'test-script-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  if (getCurrentTest() === undefined) afterAll(remove);
  else onTestFinished(remove);
  const program = join(folder, 'script.cjs');
  buildSync({
    stdin: { contents: source, loader: 'ts', resolveDir: join(import.meta.dirname, '../../src') },
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
  });
  return program;
}
