import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** Compiles test/programs/NAME.c (or .cpp) into a folder that goes when the tests of the file are done; gives the program's path. */
export function compileProgram(name: string, ...flags: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'marple-test-program-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, name);
  const source = join(import.meta.dirname, '..', 'programs', name);
  const isC = existsSync(`${source}.c`);
  execFileSync(isC ? 'gcc' : 'g++', [
    '-O1',
    '-g',
    '-fno-omit-frame-pointer',
    '-Wall',
    '-o',
    program,
    `${source}${isC ? '.c' : '.cpp'}`,
    ...flags,
  ]);
  return program;
}
