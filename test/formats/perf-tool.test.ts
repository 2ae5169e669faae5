import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findPerf, firstThatRuns, linuxTools } from '../../src/formats/perf-tool.ts';
import { testFolder } from '../support/folder.ts';

function script(path: string, text: string): string {
  writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return path;
}

test('a wrapper that has no perf behind it is passed over', async () => {
  const folder = testFolder();
  const wrapper = script(join(folder, 'perf'), 'echo "WARNING: perf not found for kernel 6.2.0-1" >&2; exit 2');
  const real = script(join(folder, 'real'), 'echo perf version 5.15.1-x');
  expect(await firstThatRuns([wrapper, join(folder, 'none'), real])).toEqual({ path: real, version: '5.15.1-x' });
  await expect(firstThatRuns([wrapper])).rejects.toThrow(
    `perf is not installed for this kernel: ${wrapper} did not run`,
  );
  await expect(firstThatRuns([])).rejects.toThrow('perf is not installed');
});

test('of the folders of Ubuntu that of the running kernel comes first, then the newest', () => {
  const lib = testFolder();
  for (const name of [
    'linux-tools-5.15.0-91',
    'linux-tools/6.2.0-1-generic',
    'linux-tools/5.15.0-102-generic',
    'other',
  ]) {
    mkdirSync(join(lib, name), { recursive: true });
  }
  expect(linuxTools(lib, '5.15.0-102-generic').map((path) => path.slice(lib.length + 1))).toEqual([
    'linux-tools/5.15.0-102-generic/perf',
    'linux-tools/6.2.0-1-generic/perf',
    'linux-tools-5.15.0-91/perf',
  ]);
  expect(linuxTools(join(lib, 'missing'), 'x')).toEqual([]);
});

test('the perf of this machine', async () => {
  expect((await findPerf()).version).toMatch(/^\d+\.\d+/);
});
