import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { lastingFolder } from './folder.ts';

/** Compiles test/programs/NAME.c (or .cpp) into a folder that goes when the tests of the file are done; gives the program's path. */
export function compileProgram(name: string, ...flags: readonly string[]): string {
  const program = join(lastingFolder(), name);
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
