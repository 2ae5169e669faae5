import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Random } from '../../src/analysis/random.ts';
import type { Inputs } from '../inputs.ts';
import { type Command, runCommand } from '../process.ts';

/*
 * Work that is always the same, for measuring what recording it costs. It runs for some seconds.
 */

const FILES = 24;
const FUNCTIONS = 120;
const FIO_MIB = 256;

/** Compiles C files with two jobs at a time: many processes, much memory, some disk. */
export async function compiling(inputs: Inputs): Promise<Command> {
  const folder = await inputs.get(`sources-${FILES}x${FUNCTIONS}`, async (path) => {
    await mkdir(path);
    const names = Array.from({ length: FILES }, (_, i) => `part${i}`);
    for (const [i, name] of names.entries()) await writeFile(join(path, `${name}.c`), sourceText(i));
    const rules = [`all: ${names.map((name) => `${name}.o`).join(' ')}`, '%.o: %.c', '\tgcc -O2 -c $< -o $@'];
    await writeFile(join(path, 'Makefile'), `${rules.join('\n')}\n`);
  });
  return ['make', '-B', '-s', '-j', '2', '-C', folder];
}

/** Functions that call each other, with loops and branches for the compiler to think about. */
function sourceText(seed: number): string {
  const random = new Random(seed);
  const functions = Array.from({ length: FUNCTIONS }, (_, i) => {
    const callee = i === 0 ? 'x' : `f${random.integer(i)}(x + ${random.integer(9)})`;
    const cases = Array.from({ length: 12 }, (_, k) => `case ${k}: r += x * ${1 + random.integer(99)}; break;`);
    return `int f${i}(int x) {
  int r = ${random.integer(1000)};
  for (int i = 0; i < (x & 31); i++) switch ((x >> i) % 12) { ${cases.join(' ')} }
  return x > ${random.integer(100)} ? r : r ^ ${callee};
}`;
  });
  return `${functions.join('\n')}\n`;
}

/** Direct reads of 4 KiB, one after the other, so that what each costs more is seen. */
export async function reading(inputs: Inputs): Promise<Command> {
  const file = await inputs.get(`fio-${FIO_MIB}`, async (path) => {
    const layout = [
      '--name=layout',
      `--filename=${path}`,
      `--size=${FIO_MIB}m`,
      '--rw=write',
      '--bs=1m',
      '--end_fsync=1',
    ];
    await runCommand(['fio', ...layout]);
  });
  return [
    'fio',
    '--name=reads',
    `--filename=${file}`,
    `--size=${FIO_MIB}m`,
    '--rw=randread',
    '--bs=4k',
    '--direct=1',
    '--ioengine=psync',
    '--randseed=1',
  ];
}

/** So many switches, wakeups and forks a second as the machine can do. */
export function switching(seconds: number): Command {
  return ['stress-ng', '--switch', '2', '--pipe', '1', '--fork', '1', '-t', String(seconds), '-q'];
}

/** As many calls of malloc as it can do. */
export function allocating(seconds: number): Command {
  return ['stress-ng', '--malloc', '1', '--malloc-bytes', '64m', '-t', String(seconds), '-q'];
}
